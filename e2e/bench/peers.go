package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// spec is how a server is got and started.
type spec struct {
	name    string
	module  string // what "go install" is given, without the version
	version string // the one that is installed where there is none
	binary  string // found, built or installed
	// args is the command line, env what is added to the environment.
	args func(place) []string
	env  func(place) []string
	// stub says that it stores nothing, anonymous that it does not look at signatures, unsynced that it answers a PUT
	// before the object is on disk.
	stub, anonymous, unsynced bool
	// limited says that its buckets have limits of all scopes.
	limited bool
	// choosesPort says that it chooses the port and writes its URL to place.addressFile.
	choosesPort bool
}

// place is where a server is to live.
type place struct {
	dir         string // for its data; exists
	address     string // 127.0.0.1 and a free port
	console     string // the same, for what wants two
	addressFile string
}

// peerSpecs are the peers that are known by name. Each has the settings that its own documentation shows, and what it
// needs to keep connections open and not to log every request.
var peerSpecs = []spec{
	{
		name: "minio", module: "github.com/minio/minio", version: "v0.0.0-20260212201848-7aac2a2c5b7c",
		args: func(p place) []string {
			return []string{"server", "--quiet", "--address", p.address, "--console-address", p.console, p.dir}
		},
		env: func(place) []string {
			return []string{
				"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey,
				"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CI_CD=1",
			}
		},
	},
	{
		name: "versitygw", module: "github.com/versity/versitygw/cmd/versitygw", version: "v1.8.0", unsynced: true,
		args: func(p place) []string {
			return []string{"--port", p.address, "--keep-alive", "--quiet", "posix", p.dir}
		},
		env: func(place) []string {
			return []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey}
		},
	},
	{
		name: "rclone", module: "github.com/rclone/rclone", version: "v1.76.0", unsynced: true,
		args: func(p place) []string {
			return []string{
				"serve", "s3", "--config", os.DevNull, "--addr", p.address, "--auth-key", accessKey + "," + secretKey,
				"--cache-dir", p.dir + ".cache", p.dir,
			}
		},
	},
	{
		name: "gofakes3", module: "github.com/johannesboyne/gofakes3/cmd/gofakes3", version: "v1.2.0", anonymous: true,
		args: func(p place) []string {
			return []string{"-quiet", "-host", p.address, "-backend", "bolt", "-bolt.db", filepath.Join(p.dir, "db")}
		},
	},
}

// plimsollSpec is Plimsoll, or another build of it.
func plimsollSpec(name, binary string, flags []string) spec {
	return spec{
		name: name, binary: binary, choosesPort: true,
		args: func(p place) []string {
			return append([]string{
				"serve", "--data", p.dir, "--address", "127.0.0.1:0", "--address-file", p.addressFile,
				"--access-key", accessKey, "--secret-key", secretKey, "--region", region,
			}, flags...)
		},
	}
}

// buildPlimsoll builds Plimsoll from the tree that the working directory is in.
func buildPlimsoll(ctx context.Context, c *config, dir string) (spec, error) {
	if c.plimsoll == "" {
		binary := filepath.Join(dir, "plimsoll.exe") // its data goes into the plain name
		c.say("building plimsoll")
		command := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/plimsoll/plimsoll/cmd/plimsoll")
		if out, err := command.CombinedOutput(); err != nil {
			return spec{}, fmt.Errorf("build plimsoll: %w\n%s", err, out)
		}
		return plimsollSpec("plimsoll", binary, c.plimsollFlags), nil
	}
	binary, err := filepath.Abs(c.plimsoll)
	return plimsollSpec("plimsoll", binary, c.plimsollFlags), err
}

// findPeer returns a peer by its name, installed, or another build of Plimsoll by NAME=FILE.
func findPeer(ctx context.Context, c *config, name string) (spec, error) {
	if name, file, ok := strings.Cut(name, "="); ok {
		binary, err := filepath.Abs(file)
		return plimsollSpec(name, binary, c.plimsollFlags), err
	}
	i := slices.IndexFunc(peerSpecs, func(s spec) bool { return s.name == name })
	if i < 0 {
		var names []string
		for _, s := range peerSpecs {
			names = append(names, s.name)
		}
		return spec{}, fmt.Errorf("there is no peer %q: choose of %s, or give NAME=FILE", name, strings.Join(names, ", "))
	}
	s := peerSpecs[i]
	if s.binary = installed(s); s.binary != "" {
		return s, nil
	}
	return s, s.install(ctx, c)
}

// installed returns the path of a peer in PATH or where "go install" puts programs, empty where it is in neither.
func installed(s spec) string {
	program := path.Base(s.module)
	if found, err := exec.LookPath(program); err == nil {
		return found
	}
	for _, variable := range []string{"GOBIN", "GOPATH"} {
		out, err := exec.Command("go", "env", variable).Output()
		dir := strings.TrimSpace(string(out))
		if err != nil || dir == "" {
			continue
		}
		if variable == "GOPATH" {
			dir = filepath.Join(filepath.SplitList(dir)[0], "bin")
		}
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return found
		}
	}
	return ""
}

// install installs the pinned version into the cache, unless it is there.
func (s *spec) install(ctx context.Context, c *config) error {
	cache := c.cache
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("where to install %s: %w", s.name, err)
		}
		cache = filepath.Join(user, "plimsoll-bench")
	}
	dir, err := filepath.Abs(filepath.Join(cache, s.name+"-"+s.version))
	if err != nil {
		return err
	}
	s.binary = filepath.Join(dir, path.Base(s.module))
	if _, err := os.Stat(s.binary); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer c.tick(func(elapsed time.Duration) { c.say("  installing %s: %v", s.name, elapsed.Round(time.Second)) })()
	c.say("installing %s@%s into %s; this is done once", s.module, s.version, dir)
	// Away from the module that bench belongs to, and at low priority: compiling MinIO takes minutes of every core.
	command := exec.CommandContext(ctx, "nice", "-n", "10", "go", "install", s.module+"@"+s.version)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s: %w\n%s", s.name, err, out)
	}
	return nil
}

// versionOf returns the version that a binary was built from.
func versionOf(binary string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "unknown"
	}
	return info.Main.Version + " (" + info.GoVersion + ")"
}
