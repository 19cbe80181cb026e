package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// nodeScript returns the path of a script in node, where node and its packages are installed.
func nodeScript(t *testing.T, name string) string {
	t.Helper()
	require(t, "node")
	script, err := filepath.Abs(filepath.Join("node", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("node/node_modules/@aws-sdk/client-s3"); err != nil {
		missing(t, `"npm ci" has not been run in e2e/node`)
	}
	return script
}

// TestNode runs node/client.mjs, which fails at the first thing that is not as it should be.
func TestNode(t *testing.T) {
	t.Parallel()
	script := nodeScript(t, "client.mjs")
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		s := start(t, "--bucket", "tiny:1000")
		s.client("node", script).run(s.endpoint)
	})
	t.Run("https", func(t *testing.T) {
		t.Parallel()
		s, certFile := startTLS(t, "--bucket", "tiny:1000")
		node := s.client("node", script)
		node.env = append(node.env, "NODE_EXTRA_CA_CERTS="+certFile)
		node.run(s.endpoint)
	})
}

// TestNodeFeatures runs node/features.mjs, which fails in the same way.
func TestNodeFeatures(t *testing.T) {
	t.Parallel()
	script := nodeScript(t, "features.mjs")
	s := start(t)
	s.client("node", script).run(s.endpoint)
}
