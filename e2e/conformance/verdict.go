package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// verdict is a test's result beside what was expected.
type verdict string

const (
	passed         verdict = "passed"
	expectedFailed verdict = "expected failure"
	failed         verdict = "failed"
	passedAnyway   verdict = "passed although a failure is expected"
	// broken is a failure that cannot be expected: the server crashed, did not stop, or left a store that
	// "plimsoll check" objects to.
	broken verdict = "server broken"
)

// surprise tells whether a verdict fails the run.
func (v verdict) surprise() bool { return v != passed && v != expectedFailed }

// outcome is what came of running a test.
type outcome struct {
	passed bool
	broken string // what was wrong with the server, if something was
	output string // the test's
	log    string // the server's; empty with --server
	took   time.Duration
}

func judge(t test, o outcome) verdict {
	switch {
	case o.broken != "":
		return broken
	case o.passed && t.reason != "":
		return passedAnyway
	case o.passed:
		return passed
	case t.reason != "":
		return expectedFailed
	}
	return failed
}

// result is a test's last outcome and what it means.
type result struct {
	test
	outcome
	verdict verdict
	retried bool
}

// progressEvery is after how many tests a line says how far the run is.
const progressEvery = 100

// runAll runs tests with one, so many at a time, and then those that surprise once more, one by one, so that a machine
// under load decides nothing. A broken server is not asked again: what it did once it did.
func runAll(ctx context.Context, tests []test, parallel int, one func(context.Context, test) outcome,
	progress io.Writer,
) []result {
	results := make([]result, len(tests))
	queue := make(chan int)
	var workers sync.WaitGroup
	var mu sync.Mutex // guards done, surprising and progress
	done, surprising := 0, 0
	for range min(parallel, len(tests)) {
		workers.Go(func() { // ends when the queue is closed
			for i := range queue {
				o := one(ctx, tests[i])
				results[i] = result{test: tests[i], outcome: o, verdict: judge(tests[i], o)}
				mu.Lock()
				done++
				if results[i].verdict.surprise() {
					surprising++
				}
				if done%progressEvery == 0 || done == len(tests) {
					fmt.Fprintf(progress, "%d of %d tests, %d surprises\n", done, len(tests), surprising)
				}
				mu.Unlock()
			}
		})
	}
	for i := range tests {
		if ctx.Err() != nil {
			break
		}
		queue <- i
	}
	close(queue)
	workers.Wait()

	for i, r := range results {
		if ctx.Err() != nil {
			break
		}
		if !r.verdict.surprise() || r.verdict == broken {
			continue
		}
		o := one(ctx, tests[i])
		results[i] = result{test: tests[i], outcome: o, verdict: judge(tests[i], o), retried: true}
		fmt.Fprintf(progress, "%s again, alone: %s\n", tests[i].name, results[i].verdict)
	}
	return results
}
