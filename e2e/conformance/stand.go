package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The suite. Kept in step with the Makefile and .ci/run.
const (
	suiteModule  = "github.com/versity/versitygw"
	suiteVersion = "v1.8.0"
)

// findSuite returns the suite's program, where "go install" puts it.
func findSuite() (string, error) {
	path := filepath.Join(build.Default.GOPATH, "bin", "versitygw")
	if directory := os.Getenv("GOBIN"); directory != "" {
		path = filepath.Join(directory, "versitygw")
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil || info.Main.Path != suiteModule || info.Main.Version != suiteVersion {
		return "", fmt.Errorf("%s is not %s %s: go install %[2]s/cmd/versitygw@%[3]s", path, suiteModule, suiteVersion)
	}
	return path, nil
}

// stand is where a test meets a server. Its methods may be called concurrently, unless fixed is set.
type stand struct {
	suite    string // the suite's program
	plimsoll string // the server's
	dir      string // temporary data goes below it
	timeout  time.Duration
	fixed    *target // of --server
}

// target is a server that a test can be run against.
type target struct{ endpoint, accessKey, secretKey string }

// run runs a test against a server of its own, or the fixed one.
func (s *stand) run(ctx context.Context, t test) outcome {
	began := time.Now()
	dir := filepath.Join(s.dir, t.name)
	defer os.RemoveAll(dir)
	// The suite's own binary is not in its working directory: a test that would start it fails.
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return outcome{broken: err.Error()}
	}
	if s.fixed != nil {
		o := s.suiteProcess(ctx, work, t, *s.fixed)
		o.took = time.Since(began)
		return o
	}
	v, err := start(ctx, s.plimsoll, dir)
	if err != nil {
		return outcome{broken: err.Error(), took: time.Since(began)}
	}
	o := s.suiteProcess(ctx, work, t, v.target)
	if err := v.finish(ctx); err != nil {
		o.passed, o.broken = false, err.Error()
	}
	o.log, o.took = v.logs.String(), time.Since(began)
	return o
}

// suiteProcess runs one test of the suite in a process of its own.
func (s *stand) suiteProcess(ctx context.Context, work string, t test, at target) outcome {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	args := []string{"test", "--endpoint", at.endpoint, t.name}
	if t.versions {
		args = append(args, "--versioning-enabled")
	}
	command := exec.CommandContext(ctx, s.suite, args...)
	command.Dir = work
	command.Env = append(cleanEnvironment(work), "AWS_ACCESS_KEY_ID="+at.accessKey, "AWS_SECRET_ACCESS_KEY="+at.secretKey,
		"AWS_EC2_METADATA_DISABLED=true")
	raw, err := command.CombinedOutput()
	o := outcome{output: plain(raw)}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		o.output += fmt.Sprintf("no end after %v\n", s.timeout)
	case err == nil:
		o.passed = says(o.output, "PASS")
	}
	return o
}

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plain is what the suite printed, without colors.
func plain(raw []byte) string { return string(colors.ReplaceAll(raw, nil)) }

// says tells whether one of the suite's lines is of the given kind: RUN, PASS, FAIL or SKIP. The exit code alone does not
// tell a test that passed from one that was skipped.
func says(output, kind string) bool {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, kind+" ") {
			return true
		}
	}
	return false
}

// cleanEnvironment is ours without what would point the suite or a server elsewhere, and with a home that has no
// settings.
func cleanEnvironment(home string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		upper := strings.ToUpper(name)
		foreign := upper == "HOME" || strings.HasSuffix(upper, "_PROXY")
		for _, prefix := range []string{"AWS_", "PLIMSOLL_", "VGW_", "ROOT_"} {
			foreign = foreign || strings.HasPrefix(upper, prefix)
		}
		if !foreign {
			env = append(env, variable)
		}
	}
	return append(env, "HOME="+home)
}

// buildPlimsoll builds the server from the tree.
func buildPlimsoll(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "plimsoll")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/plimsoll/plimsoll/cmd/plimsoll").
		CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, bytes.TrimSpace(out))
	}
	return binary, nil
}
