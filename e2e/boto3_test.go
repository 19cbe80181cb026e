package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// python returns a python3 that has the module.
func python(t testing.TB, module string) string {
	t.Helper()
	// Where several are installed, the first in the path need not be the one that Debian's packages belong to.
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(candidate, "-c", "import "+module).Run() == nil {
			return candidate
		}
	}
	missing(t, "no python3 has "+module)
	return ""
}

// TestBoto3 runs testdata/boto3_client.py, which fails at the first thing that is not as it should be.
func TestBoto3(t *testing.T) {
	t.Parallel()
	interpreter := python(t, "boto3")
	script, err := filepath.Abs("testdata/boto3_client.py")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		s := start(t, "--bucket", "tiny:1000")
		s.client(interpreter, script).run(s.endpoint)
	})
	t.Run("https", func(t *testing.T) {
		t.Parallel()
		s, certFile := startTLS(t, "--bucket", "tiny:1000")
		s.client(interpreter, script).run(s.endpoint, certFile)
	})
}

// TestBoto3Resource runs testdata/boto3_resource.py, which fails in the same way.
func TestBoto3Resource(t *testing.T) {
	t.Parallel()
	interpreter := python(t, "boto3")
	script, err := filepath.Abs("testdata/boto3_resource.py")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t)
	s.client(interpreter, script).run(s.endpoint)
}
