package main

import (
	_ "embed" // the lists are part of the program
	"fmt"
	"slices"
	"strings"
)

//go:embed names
var namesFile string

//go:embed excluded
var excludedFile string

//go:embed expected-failures
var expectedFile string

//go:embed miniogo/names
var minioNamesFile string

//go:embed miniogo/excluded
var minioExcludedFile string

//go:embed miniogo/expected-failures
var minioExpectedFile string

// test is one of the suite's tests.
type test struct {
	group string
	name  string
	// versions says that its buckets may hold versions, which the suite deletes only if it is told to.
	versions bool
	// reason says why it is expected to fail; empty if it is not.
	reason string
}

// loadTests returns the tests of a suite that are in scope, in their order, with what is expected of each.
func loadTests(s *suite) ([]test, error) {
	tests, err := parseNames(s.names)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	excluded, err := parseReasons(s.excluded)
	if err != nil {
		return nil, fmt.Errorf("excluded: %w", err)
	}
	expected, err := parseReasons(s.expected)
	if err != nil {
		return nil, fmt.Errorf("expected-failures: %w", err)
	}
	return join(tests, excluded, expected)
}

// lines calls f for every line that is neither empty nor a comment.
func lines(file string, f func(number int, line string) error) error {
	number := 0
	for line := range strings.Lines(file) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f(number, line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return nil
}

// parseNames reads lines of a group, a name, and "versions" or nothing.
func parseNames(file string) ([]test, error) {
	var tests []test
	seen := map[string]bool{}
	err := lines(file, func(_ int, line string) error {
		words := strings.Fields(line)
		if len(words) < 2 || len(words) > 3 || len(words) == 3 && words[2] != "versions" {
			return fmt.Errorf("%q is not GROUP NAME [versions]", line)
		}
		if seen[words[1]] {
			return fmt.Errorf("%s stands there twice", words[1])
		}
		seen[words[1]] = true
		tests = append(tests, test{group: words[0], name: words[1], versions: len(words) == 3})
		return nil
	})
	return tests, err
}

// reason is a line of a list that has to say why.
type reason struct{ name, why string }

// parseReasons reads lines of a name and a reason, sorted by name.
func parseReasons(file string) ([]reason, error) {
	var reasons []reason
	err := lines(file, func(_ int, line string) error {
		name, why, _ := strings.Cut(line, " ")
		if why = strings.TrimSpace(why); why == "" {
			return fmt.Errorf("%s has no reason", name)
		}
		if n := len(reasons); n > 0 && reasons[n-1].name >= name {
			return fmt.Errorf("%s must stand before %s", name, reasons[n-1].name)
		}
		reasons = append(reasons, reason{name, why})
		return nil
	})
	return reasons, err
}

// join puts what is expected to fail into the tests. A name that is in no list, or in lists that contradict each other,
// is a mistake: it would say nothing for ever.
func join(tests []test, excluded, expected []reason) ([]test, error) {
	index := map[string]int{}
	for i, t := range tests {
		index[t.name] = i
	}
	for _, e := range excluded {
		if _, ok := index[e.name]; ok {
			return nil, fmt.Errorf("%s is in scope and excluded", e.name)
		}
	}
	joined := slices.Clone(tests)
	for _, e := range expected {
		i, ok := index[e.name]
		if !ok {
			return nil, fmt.Errorf("%s is expected to fail but not in scope", e.name)
		}
		joined[i].reason = e.why
	}
	return joined, nil
}
