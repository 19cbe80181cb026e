package main

import (
	"context"
	"io"
	"sync"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	ordinary, expected := test{name: "G_a"}, test{name: "G_b", reason: "so"}
	tests := []struct {
		name         string
		test         test
		outcome      outcome
		want         verdict
		wantSurprise bool
	}{
		{"passes", ordinary, outcome{passed: true}, passed, false},
		{"fails", ordinary, outcome{}, failed, true},
		{"fails as expected", expected, outcome{}, expectedFailed, false},
		{"passes against expectation", expected, outcome{passed: true}, passedAnyway, true},
		{"breaks the server", ordinary, outcome{broken: "panic"}, broken, true},
		{"breaks the server, expected to fail", expected, outcome{broken: "panic"}, broken, true},
		{"passes, breaks the server", ordinary, outcome{passed: true, broken: "panic"}, broken, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judge(tt.test, tt.outcome)
			if got != tt.want || got.surprise() != tt.wantSurprise {
				t.Errorf("%q, surprise %v; want %q, %v", got, got.surprise(), tt.want, tt.wantSurprise)
			}
		})
	}
}

// script answers for tests by name: the first outcome at the first run, and so on.
type script struct {
	mu       sync.Mutex // guards the rest
	outcomes map[string][]outcome
	running  int
	most     int // the most tests that ran at the same time
	atRetry  int // the most tests that ran at the same time as one that ran again
	runs     map[string]int
	gate     chan struct{} // closed when as many tests run as the script waits for; nil to wait for none
	waitFor  int
}

func (s *script) one(_ context.Context, t test) outcome {
	s.mu.Lock()
	n := s.runs[t.name]
	s.runs[t.name]++
	s.running++
	s.most = max(s.most, s.running)
	if n > 0 {
		s.atRetry = max(s.atRetry, s.running)
	}
	if s.gate != nil && s.running == s.waitFor && n == 0 {
		close(s.gate)
		s.waitFor = -1
	}
	s.mu.Unlock()
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	return s.outcomes[t.name][n]
}

func TestRunAll(t *testing.T) {
	t.Parallel()
	good, bad, crash := outcome{passed: true}, outcome{}, outcome{broken: "panic"}
	tests := []struct {
		name     string
		reason   string
		outcomes []outcome
		want     verdict
		wantRuns int
	}{
		{"passes", "", []outcome{good}, passed, 1},
		{"fails as expected", "so", []outcome{bad}, expectedFailed, 1},
		{"fails once", "", []outcome{bad, good}, passed, 2},
		{"fails twice", "", []outcome{bad, bad}, failed, 2},
		{"expected to fail, passes once", "so", []outcome{good, bad}, expectedFailed, 2},
		{"expected to fail, passes twice", "so", []outcome{good, good}, passedAnyway, 2},
		{"breaks the server once", "", []outcome{crash}, broken, 1},
		{"breaks the server at the second run", "", []outcome{bad, crash}, broken, 2},
	}
	s := &script{outcomes: map[string][]outcome{}, runs: map[string]int{}, gate: make(chan struct{}), waitFor: 3}
	var all []test
	for _, tt := range tests {
		s.outcomes[tt.name] = tt.outcomes
		all = append(all, test{group: "G", name: tt.name, reason: tt.reason})
	}
	results := runAll(t.Context(), all, 3, s.one, io.Discard)
	for i, tt := range tests {
		r := results[i]
		if r.name != tt.name || r.verdict != tt.want || s.runs[tt.name] != tt.wantRuns || r.retried != (tt.wantRuns == 2) {
			t.Errorf("%s: %q after %d runs, retried %v; want %q after %d", tt.name, r.verdict, s.runs[tt.name], r.retried,
				tt.want, tt.wantRuns)
		}
	}
	if s.most != 3 {
		t.Errorf("at most %d tests ran side by side, want 3", s.most)
	}
	if s.atRetry != 1 {
		t.Errorf("%d tests ran while one ran again, want it alone", s.atRetry)
	}
}

func TestRunAllStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ran := 0
	all := make([]test, 10)
	runAll(ctx, all, 1, func(context.Context, test) outcome {
		ran++
		cancel()
		return outcome{}
	}, io.Discard)
	// One more may have been handed over when the run was cancelled.
	if ran > 2 {
		t.Errorf("%d tests ran after the run was cancelled, want no more", ran-1)
	}
}
