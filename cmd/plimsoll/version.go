package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is set by -ldflags "-X main.version=v1.2.3"; otherwise the build information tells it.
var version string

// buildVersion is what this binary was built from, and for.
type buildVersion struct {
	Version string `json:"version"`
	// Commit is the revision, with "-dirty" where the tree had changes; empty where it is not known.
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readVersion() buildVersion {
	v := buildVersion{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if v.Version == "" {
			v.Version = info.Main.Version
		}
		settings := make(map[string]string)
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		v.Commit = settings["vcs.revision"]
		if v.Commit != "" && settings["vcs.modified"] == "true" {
			v.Commit += "-dirty"
		}
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "devel"
	}
	return v
}

// String returns "v1.2.3 (4f5e6d, go1.26.0, linux/amd64)".
func (v buildVersion) String() string {
	commit := ""
	if v.Commit != "" {
		commit = v.Commit + ", "
	}
	return fmt.Sprintf("%s (%s%s, %s)", v.Version, commit, v.Go, v.Platform)
}

type versionCommand struct {
	JSON bool `name:"json" help:"Write JSON."`
}

// Run implements the command.
func (c *versionCommand) Run(stdout io.Writer) error {
	v := readVersion()
	if c.JSON {
		return writeJSON(stdout, v)
	}
	_, err := fmt.Fprintln(stdout, "plimsoll "+v.String())
	return err
}
