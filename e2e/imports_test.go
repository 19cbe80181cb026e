package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/plimsoll/plimsoll"

// goPackage is what "go list -json" tells of a package that the rules are about.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// onlyIn holds what may be imported in some packages only, tests included: behind each of these stands one of our own
// interfaces. A pattern that ends in "/..." covers the packages below it.
var onlyIn = []struct {
	imported string
	in       []string
}{
	{"go.etcd.io/bbolt/...", []string{"backend/meta/bolt"}},
	{"github.com/johannesboyne/gofakes3/...", []string{"s3api"}},
	{"github.com/aws/aws-sdk-go-v2/...", []string{"e2e/..."}},
	{"github.com/aws/smithy-go/...", []string{"e2e/..."}},
	{"github.com/huaweicloud/...", []string{"e2e/..."}},
}

// never holds what a package must not import: quota computes and does nothing else, and the store knows nothing of
// HTTP. Tests may.
var never = []struct {
	in       string
	imported []string
}{
	{"quota", []string{
		module + "/...", "os/...", "io/...", "net/...", "syscall", "sync/...", "time", "context", "bufio", "log/...",
		"database/sql/...", "golang.org/x/sys/...",
	}},
	{"backend/...", []string{"net/http/...", "encoding/xml"}},
	// They hold descriptions and rules against what is served, in tests.
	{"s3api/...", []string{"github.com/getkin/kin-openapi/...", "go.yaml.in/yaml/..."}},
	{"cmd/...", []string{"github.com/getkin/kin-openapi/...", "go.yaml.in/yaml/..."}},
}

// layers are in the order in which imports may point: each may import its own and those above it in this list, never
// one below. The longest pattern that matches decides.
var layers = [][]string{
	{"quota"},
	{
		"backend/meta/...", "backend/blob/...", "backend/checksum/...", "backend/encryption/...", "backend/lifecycle/...",
		"backend/history/...", "backend/multimd5/...", "backend/event/...",
	},
	{"backend/..."},
	{"s3api/..."},
	{"cmd/..."},
	{"e2e/..."},
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	for _, p := range packages {
		name := ours(p.ImportPath)
		everything := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		for _, rule := range onlyIn {
			allowed := slices.ContainsFunc(rule.in, func(pattern string) bool { return covers(pattern, name) })
			for _, imported := range everything {
				if covers(rule.imported, imported) && !allowed {
					t.Errorf("%s imports %s, which only %s may", name, imported, strings.Join(rule.in, ", "))
				}
			}
		}
		for _, rule := range never {
			if !covers(rule.in, name) {
				continue
			}
			for _, imported := range p.Imports {
				if slices.ContainsFunc(rule.imported, func(pattern string) bool { return covers(pattern, imported) }) {
					t.Errorf("%s imports %s: never in %s", name, imported, rule.in)
				}
			}
		}
		level := layer(name)
		if level < 0 {
			t.Errorf("package %s is in no layer: give it a place in the table", name)
		}
		for _, imported := range p.Imports {
			if isOurs(imported) && layer(ours(imported)) > level {
				t.Errorf("%s imports %s, which stands above it", name, ours(imported))
			}
		}
	}
	for _, want := range []string{"quota", "backend", "backend/meta/bolt", "s3api", "cmd/plimsoll"} {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return ours(p.ImportPath) == want }) {
			t.Errorf("package %s is not listed: the rules hold nothing", want)
		}
	}
}

// TestCovers shows that the rules can fail.
func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"net/http/...", "net/http", true},
		{"net/http/...", "net/http/httptest", true},
		{"net/http/...", "net/httpx", false},
		{"time", "time", true},
		{"time", "time/tzdata", false},
		{"s3api", "s3api/sigv4", false},
	} {
		if got := covers(c.pattern, c.path); got != c.want {
			t.Errorf("covers(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
	for name, want := range map[string]int{
		"quota": 0, "backend/meta/bolt": 1, "backend/blob": 1, "backend": 2, "s3api/sigv4": 3, "cmd/plimsoll": 4, "util": -1,
	} {
		if got := layer(name); got != want {
			t.Errorf("layer(%q) = %d, want %d", name, got, want)
		}
	}
}

// TestTopLevel keeps the top level the user's: what each name is for is written in the design.
func TestTopLevel(t *testing.T) {
	t.Parallel()
	agreed := []string{
		"cmd", "s3api", "backend", "quota", "e2e", "deploy",
		"go.mod", "go.sum", "README.md", "LICENSE", "CHANGELOG.md", "Makefile",
	}
	// Made by builds and runs, and ignored by git.
	made := []string{"dist", "plimsoll", "plimsoll-data"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, ".") && !slices.Contains(agreed, name) && !slices.Contains(made, name) {
			t.Errorf("%s is at the top level and is not among the agreed names", name)
		}
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	command.Dir = ".."
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var packages []goPackage
	for d := json.NewDecoder(out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	return packages
}

func isOurs(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// ours is a package's name within the module.
func ours(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

// covers reports whether a pattern covers an import path.
func covers(pattern, importPath string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return importPath == base || below && strings.HasPrefix(importPath, base+"/")
}

// layer is the index of the layer that a package of ours is in, or -1.
func layer(name string) int {
	found, longest := -1, -1
	for i, patterns := range layers {
		for _, pattern := range patterns {
			if n := len(pattern); covers(pattern, name) && n > longest {
				found, longest = i, n
			}
		}
	}
	return found
}
