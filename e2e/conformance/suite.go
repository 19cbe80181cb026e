package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// suite is a public test suite.
type suite struct {
	name            string
	module, version string
	// names, excluded and expected are the lists of its tests.
	names, excluded, expected string
	// tls says that its tests want a server with TLS.
	tls bool
	// find returns the program that runs one test. It may put things below dir.
	find func(ctx context.Context, dir string) (string, error)
	// command runs a test. Its Env is what the test needs beside a clean environment.
	command func(ctx context.Context, binary string, t test, at target) *exec.Cmd
	// passed tells from what the test printed, where its exit code is 0, whether it passed.
	passed func(output string) bool
}

// suites are those that there are; the first is the default one.
var suites = []*suite{
	{
		// Kept in step with the Makefile and .ci/run.
		name: "versitygw", module: versitygwModule, version: versitygwVersion,
		names: namesFile, excluded: excludedFile, expected: expectedFile,
		find: findVersitygw, command: versitygwCommand, passed: versitygwPassed,
	},
	{
		name: "minio-go", module: minioModule, version: minioVersion,
		names: minioNamesFile, excluded: minioExcludedFile, expected: minioExpectedFile, tls: true,
		find: buildMinio, command: minioCommand, passed: minioPassed,
	},
}

const (
	versitygwModule  = "github.com/versity/versitygw"
	versitygwVersion = "v1.8.0"
)

// findVersitygw returns the program, where "go install" puts it.
func findVersitygw(context.Context, string) (string, error) {
	path := filepath.Join(build.Default.GOPATH, "bin", "versitygw")
	if directory := os.Getenv("GOBIN"); directory != "" {
		path = filepath.Join(directory, "versitygw")
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil || info.Main.Path != versitygwModule || info.Main.Version != versitygwVersion {
		return "", fmt.Errorf("%s is not %s %s: go install %[2]s/cmd/versitygw@%[3]s", path, versitygwModule, versitygwVersion)
	}
	return path, nil
}

func versitygwCommand(ctx context.Context, binary string, t test, at target) *exec.Cmd {
	args := []string{"test", "--endpoint", at.endpoint, t.name}
	if t.versions {
		args = append(args, "--versioning-enabled")
	}
	command := exec.CommandContext(ctx, binary, args...)
	command.Env = []string{
		"AWS_ACCESS_KEY_ID=" + at.accessKey, "AWS_SECRET_ACCESS_KEY=" + at.secretKey, "AWS_EC2_METADATA_DISABLED=true",
	}
	return command
}

// versitygwPassed looks for a line that says so: the exit code alone does not tell a test that passed from one that was
// skipped.
func versitygwPassed(output string) bool {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "PASS ") {
			return true
		}
	}
	return false
}
