package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// stand is where a test meets a server. Its methods may be called concurrently, unless fixed is set.
type stand struct {
	suite    *suite
	binary   string // the suite's program
	plimsoll string // the server's
	dir      string // temporary data goes below it
	timeout  time.Duration
	fixed    *target // of --server
}

// target is a server that a test can be run against.
type target struct {
	endpoint, accessKey, secretKey string
	certificate                    string // its file, of a server that has TLS
}

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
	v, err := start(ctx, s.plimsoll, dir, s.suite.tls)
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
	command := s.suite.command(ctx, s.binary, t, at)
	command.Dir = work
	command.Env = append(cleanEnvironment(work), command.Env...)
	raw, err := command.CombinedOutput()
	o := outcome{output: plain(raw)}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		o.output += fmt.Sprintf("no end after %v\n", s.timeout)
	case err == nil:
		o.passed = s.suite.passed(o.output)
	}
	return o
}

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plain is what the suite printed, without colors.
func plain(raw []byte) string { return string(colors.ReplaceAll(raw, nil)) }

// cleanEnvironment is ours without what would point the suite or a server elsewhere, and with a home that has no
// settings.
func cleanEnvironment(home string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		upper := strings.ToUpper(name)
		foreign := upper == "HOME" || strings.HasPrefix(upper, "SSL_CERT_") || strings.HasSuffix(upper, "_PROXY")
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
