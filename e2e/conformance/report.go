package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found.
type report struct {
	Suite   string        `json:"suite"`
	Total   counts        `json:"total"`
	Groups  []*groupCount `json:"groups"`
	Tests   []testReport  `json:"tests"`
	Seconds float64       `json:"seconds"`
}

// counts are of tests, by verdict.
type counts struct {
	Passed          int `json:"passed"`
	ExpectedFailure int `json:"expected_failure"`
	Unexpected      int `json:"unexpected"`
	Total           int `json:"total"`
}

func (c *counts) add(v verdict) {
	c.Total++
	switch v {
	case passed:
		c.Passed++
	case expectedFailed:
		c.ExpectedFailure++
	default:
		c.Unexpected++
	}
}

type groupCount struct {
	Group string `json:"group"`
	counts
}

// testReport is a test's result; output and log stand there if it did not pass.
type testReport struct {
	Name    string  `json:"name"`
	Group   string  `json:"group"`
	Verdict verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // why it is expected to fail
	Broken  string  `json:"broken,omitempty"`
	Retried bool    `json:"retried,omitempty"`
	Seconds float64 `json:"seconds"`
	Output  string  `json:"output,omitempty"`
	Log     string  `json:"server_log,omitempty"`
}

// newReport counts the results of a suite by group, in their order.
func newReport(s *suite, results []result, took time.Duration) *report {
	r := &report{Suite: s.module + " " + s.version, Seconds: took.Seconds()}
	groups := map[string]*groupCount{}
	for _, v := range results {
		g := groups[v.group]
		if g == nil {
			g = &groupCount{Group: v.group}
			groups[v.group] = g
			r.Groups = append(r.Groups, g)
		}
		g.add(v.verdict)
		r.Total.add(v.verdict)
		t := testReport{
			Name: v.name, Group: v.group, Verdict: v.verdict, Reason: v.reason, Broken: v.broken, Retried: v.retried,
			Seconds: v.took.Seconds(),
		}
		if !v.passed {
			t.Output, t.Log = v.output, v.log
		}
		r.Tests = append(r.Tests, t)
	}
	return r
}

func (r *report) surprises() int { return r.Total.Unexpected }

// print writes the table and the surprises; verbose adds everything that failed tests printed.
func (r *report) print(w io.Writer, verbose bool) {
	for _, t := range r.Tests {
		if t.Output == "" && t.Broken == "" || !verbose && !t.Verdict.surprise() {
			continue
		}
		fmt.Fprintf(w, "--- %s: %s\n", t.Name, t.Verdict)
		section(w, "", t.Broken)
		section(w, "", t.Output)
		if verbose {
			section(w, "server: ", t.Log)
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(c counts, name string) {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t  %s\n", c.Passed, c.ExpectedFailure, c.Unexpected, c.Total, name)
	}
	fmt.Fprint(table, "passed\texpected failure\tunexpected\ttotal\t  group\n")
	for _, g := range r.Groups {
		row(g.counts, g.Group)
	}
	row(r.Total, "all")
	_ = table.Flush()
	for _, t := range r.Tests {
		if t.Verdict.surprise() {
			fmt.Fprintf(w, "%s: %s\n", t.Name, t.Verdict)
		}
	}
	fmt.Fprintf(w, "%s: %d of %d passed, %d failed as expected, %d surprises, in %.0f s\n",
		r.Suite, r.Total.Passed, r.Total.Total, r.Total.ExpectedFailure, r.Total.Unexpected, r.Seconds)
}

// section writes text indented, each line after a prefix.
func section(w io.Writer, prefix, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(w, "    %s%s\n", prefix, strings.TrimRight(line, "\n"))
	}
}

func (r *report) writeJSON(file string) error {
	raw, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644)
}
