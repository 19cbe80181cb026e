package policy

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "a/b:c", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "é", true},
		{"?", "世界", false},
		{"a?c", "a世c", true},
		{"a*c", "abcbc", true},
		{"a*c", "ab", false},
		{"a*bc*bc", "abcbc", true},
		{"a*bc*bc", "abc", false},
		{"**a**", "bab", true},
		{"*?é", "aé", true},
		{"*?é", "é", false},
		{"*b?d*?f", "abcdef", true},
		{"a*?", "a", false},
		{"ab*ba", "aba", false},
	} {
		if got := match(patternOf(test.pattern), test.s); got != test.want {
			t.Errorf("%q, %q: %v", test.pattern, test.s, got)
		}
	}
}

// matchNaively tries every length that a star may have.
func matchNaively(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		return matchNaively(pattern[1:], s) || (s != "" && matchNaively(pattern, s[1:]))
	}
	if s == "" {
		return false
	}
	if pattern[0] == '?' {
		_, width := utf8.DecodeRuneInString(s)
		return matchNaively(pattern[1:], s[width:])
	}
	return pattern[0] == s[0] && matchNaively(pattern[1:], s[1:])
}

func TestMatchAgreesWithTheNaiveMatcher(t *testing.T) {
	texts := rapid.StringOfN(rapid.RuneFrom([]rune("abé")), 0, 12, -1)
	patterns := rapid.StringOfN(rapid.RuneFrom([]rune("abé*?*?")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, s := patterns.Draw(t, "pattern"), texts.Draw(t, "text")
		if got, want := match(patternOf(pattern), s), matchNaively(pattern, s); got != want {
			t.Fatalf("match(%q, %q) is %v", pattern, s, got)
		}
	})
}

// What a request brings matches itself and nothing else, wherever it stands in a pattern.
func TestValuesAreNoWildcards(t *testing.T) {
	values := rapid.StringOfN(rapid.RuneFrom([]rune("a*?")), 0, 4, -1)
	rapid.Check(t, func(t *rapid.T) {
		value, s := values.Draw(t, "value"), values.Draw(t, "text")
		e := evaluation{request: &Request{Values: func(string) []string { return []string{value} }}}
		v, err := newTemplate("<${x:y}>", true, true, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		pattern, ok := v.expand(&e)
		if !ok || match(pattern, "<"+s+">") != (s == value) {
			t.Fatalf("%q is matched by a value of %q", s, value)
		}
	})
}

// A run between stars is found wherever it stands, however long it is.
func TestMatchFindsLongRuns(t *testing.T) {
	texts := rapid.StringOfN(rapid.RuneFrom([]rune("abé")), 60, 150, -1)
	rapid.Check(t, func(t *rapid.T) {
		run := []rune(texts.Draw(t, "run"))
		around := rapid.StringMatching("[abé]{0,9}")
		s := around.Draw(t, "before") + string(run) + around.Draw(t, "after")
		for _, i := range rapid.SliceOf(rapid.IntRange(0, len(run)-1)).Draw(t, "any") {
			run[i] = '?'
		}
		if !match(patternOf("*"+string(run)+"*"), s) {
			t.Fatalf("%q is not found in %q", string(run), s)
		}
		run[rapid.IntRange(0, len(run)-1).Draw(t, "changed")] = 'x'
		if match(patternOf("*"+string(run)+"*"), s) {
			t.Fatalf("%q is found in %q", string(run), s)
		}
	})
}

// Patterns for which a matcher that backtracks would need longer than the world is old, and one that tries every place
// a minute.
func TestMatchDoesNotBacktrack(t *testing.T) {
	s := strings.Repeat("a", 64<<10)
	for _, pattern := range []string{
		strings.Repeat("*a", 300) + "b", strings.Repeat("*a?", 300) + "b", "*" + strings.Repeat("a?", 9000) + "b*",
	} {
		if match(patternOf(pattern), s) {
			t.Error("a pattern with b in it matches a text without")
		}
	}
}
