package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestVersitygwPassed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw string
		want      bool
	}{
		{"passed", "\x1b[36mRUN  \x1b[0mPut_a\n\x1b[32mPASS \x1b[0mPut_a\n", true},
		{"failed", "\x1b[36mRUN  \x1b[0mPut_a\n\x1b[31mFAIL \x1b[0mPut_a: PASS is not here\n", false},
		{"skipped", "\x1b[36mRUN  \x1b[0mPut_a\n\x1b[33mSKIP \x1b[0mPut_a\n", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := versitygwPassed(plain([]byte(tt.raw))); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMinioPassed(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]bool{
		"":                                    true, // one test says nothing at all
		`{"status":"PASS","name":"a"}` + "\n": true,
		`{"status":"PASS"}` + "\n" + `{"status":"FAIL"}` + "\n": false,
		`{"status":"NA"}` + "\n":                                false,
		"not JSON\n" + `{"status":"PASS"}`:                      true,
	} {
		if got := minioPassed(output); got != want {
			t.Errorf("%q: got %v, want %v", output, got, want)
		}
	}
}

func TestSingleTests(t *testing.T) {
	t.Parallel()
	got, err := singleTests("package main\n\nfunc testA() {\n}\n\nfunc testB(n int) {\n}\n\nfunc main() {\n\ttestA()\n}\n")
	if err != nil || !strings.Contains(got, `case "testA":`) || strings.Contains(got, "testB()") ||
		strings.Count(got, "func main() {") != 1 {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := singleTests("package main\n"); err == nil {
		t.Error("a program without a main has none to replace")
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	results := []result{
		{test: test{group: "Put", name: "Put_a"}, outcome: outcome{passed: true, output: "PASS a"}, verdict: passed},
		{
			test:    test{group: "Put", name: "Put_b", reason: "so"},
			outcome: outcome{output: "FAIL b", log: "log of b"}, verdict: expectedFailed,
		},
		{test: test{group: "Get", name: "Get_a"}, outcome: outcome{output: "FAIL a", log: "log of a"}, verdict: failed},
		{test: test{group: "Get", name: "Get_b"}, outcome: outcome{broken: "it crashed"}, verdict: broken},
		{
			test:    test{group: "Get", name: "Get_c", reason: "so"},
			outcome: outcome{passed: true}, verdict: passedAnyway,
		},
	}
	r := newReport(suites[0], results, 90*time.Second)
	if want := (counts{Passed: 1, ExpectedFailure: 1, Unexpected: 3, Total: 5}); r.Total != want {
		t.Errorf("total %+v, want %+v", r.Total, want)
	}
	if r.surprises() != 3 {
		t.Errorf("%d surprises, want 3", r.surprises())
	}
	tests := []struct {
		name          string
		verbose       bool
		with, without []string
	}{
		{"terse", false, []string{
			"1                 1           0      2  Put\n",
			"0                 0           3      3  Get\n",
			"FAIL a", "it crashed",
			"Get_a: failed\n", "Get_b: server broken\n", "Get_c: passed although a failure is expected\n",
			"1 of 5 passed, 1 failed as expected, 3 surprises, in 90 s",
		}, []string{"FAIL b", "PASS a", "log of"}},
		{"verbose", true, []string{"FAIL a", "FAIL b", "server: log of a", "server: log of b"}, []string{"PASS a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			r.print(&out, tt.verbose)
			for _, want := range tt.with {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the report lacks %q:\n%s", want, out.String())
				}
			}
			for _, unwanted := range tt.without {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("the report has %q:\n%s", unwanted, out.String())
				}
			}
		})
	}
}
