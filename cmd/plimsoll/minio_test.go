package main

import (
	"strings"
	"testing"
)

// TestAsMinIO: only "server" with a directory is MinIO's.
func TestAsMinIO(t *testing.T) {
	for line, want := range map[string]bool{
		"server /data":                                true,
		"server data --console-address :9001":         true,
		"server --console-address :9001 /data":        true,
		"server --console-address=:9001":              true,
		"server --address :9000 /data":                true,
		"server --help":                               true,
		"server -h":                                   true,
		"server":                                      false,
		"server --json":                               false,
		"server --endpoint http://127.0.0.1:9000":     false,
		"server --json --endpoint=http://example.com": false,
		"serve --data /data":                          false,
		"user create server":                          false,
		"":                                            false,
	} {
		args := strings.Fields(line)
		got := asMinIO(args)
		if (len(got) > 0 && got[0] == "server-dir") != want || len(got) != len(args) {
			t.Errorf("%s became %q", line, got)
		}
	}
}
