package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	minioModule  = "github.com/minio/minio-go/v7"
	minioVersion = "v7.4.1"
)

// minioTest is the declaration of a test in functional_tests.go.
var minioTest = regexp.MustCompile(`(?m)^func (test\w+)\(\) \{$`)

// buildMinio builds the functional tests of minio-go: their program runs all of them and ends at the first that fails, so
// it gets another main, which runs the one that is named.
func buildMinio(ctx context.Context, dir string) (string, error) {
	out, err := goCommand(ctx, dir, "mod", "download", "-json", minioModule+"@"+minioVersion)
	if err != nil {
		return "", err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("go mod download: %w", err)
	}
	// The module cache is read-only, and the program belongs to the module: its imports are those of the module's go.mod.
	source := filepath.Join(dir, "minio-go")
	if err := os.CopyFS(source, os.DirFS(module.Dir)); err != nil {
		return "", err
	}
	program, err := os.ReadFile(filepath.Join(module.Dir, "functional_tests.go"))
	if err != nil {
		return "", err
	}
	single, err := singleTests(string(program))
	if err != nil {
		return "", err
	}
	file := filepath.Join(source, "single_test_program.go")
	if err := os.WriteFile(file, []byte(single), 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "minio-go-tests")
	_, err = goCommand(ctx, source, "build", "-o", binary, file)
	return binary, err
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=")
	out, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w\n%s", args[0], err, exit.Stderr)
	}
	return out, err
}

// singleTests returns the program with a main that runs one test.
func singleTests(program string) (string, error) {
	const main = "\nfunc main() {\n"
	if strings.Count(program, main) != 1 {
		return "", errors.New("functional_tests.go has not one main")
	}
	var b strings.Builder
	b.WriteString(strings.Replace(program, main, "\nfunc runAll() {\n", 1))
	b.WriteString("\nfunc main() {\n\tslog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))\n\tswitch os.Args[1] {\n")
	for _, match := range minioTest.FindAllStringSubmatch(program, -1) {
		fmt.Fprintf(&b, "\tcase %q:\n\t\t%s()\n", match[1], match[1])
	}
	b.WriteString("\tdefault:\n\t\tpanic(\"no such test\")\n\t}\n}\n")
	return b.String(), nil
}

func minioCommand(ctx context.Context, binary string, t test, at target) *exec.Cmd {
	command := exec.CommandContext(ctx, binary, t.name)
	scheme, address, _ := strings.Cut(at.endpoint, "://")
	secure := "0"
	if scheme == "https" {
		secure = "1"
	}
	command.Env = []string{
		"SERVER_ENDPOINT=" + address, "ACCESS_KEY=" + at.accessKey, "SECRET_KEY=" + at.secretKey,
		"ENABLE_HTTPS=" + secure, "SSL_CERT_FILE=" + at.certificate, "MINT_MODE=full",
	}
	return command
}

// minioPassed tells whether no line says that something failed, or is not there: the exit code is 0 for the latter.
func minioPassed(output string) bool {
	for line := range strings.Lines(output) {
		var said struct{ Status string }
		if json.Unmarshal([]byte(line), &said) == nil && (said.Status == "FAIL" || said.Status == "NA") {
			return false
		}
	}
	return true
}
