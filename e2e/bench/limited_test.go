package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestLimited measures Plimsoll beside itself with limits: no limit of any scope may be in the way.
func TestLimited(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	c, out := tiny(t, "--json", file, "--plimsoll-flags", "--sync=none", "--peers", limitedName, "--only", "put-4k-1,mixed")
	if err := run(t.Context(), c); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Workloads {
		for _, name := range []string{"plimsoll", limitedName} {
			if f := w.of(name); f == nil || f.Rate <= 0 || f.Errors != 0 {
				t.Errorf("%s of %s: %+v", w.Name, name, f)
			}
		}
	}
	if len(r.Workloads) != 3 { // put-4k-1 begins the name of another, too
		t.Errorf("%d workloads", len(r.Workloads))
	}
}
