package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"
)

const (
	compactionKills   = 10
	compactionWriters = 16
	compactionKeys    = 23     // of each writer; all contents together are half a pack
	compactionBytes   = 90_000 // of a content: packs have it
)

// TestKillDuringCompaction kills the server while it compacts packs under load, ten times. What was acknowledged must be
// there, byte for byte, wherever compaction had brought it.
func TestKillDuringCompaction(t *testing.T) {
	t.Parallel()
	load := killLoad{writers: compactionWriters, keys: compactionKeys, size: compactionBytes}
	s := startKilled(t, load, "--log-level", "debug")
	// Twice, so that a pack is full, and half of it dead.
	for range 2 {
		together(s.writers, func(w *killWriter) { w.fill(t.Context()) })
	}
	seen, inside, acknowledged := 0, 0, 0
	for round := range compactionKills {
		s.load()
		s.eventually("the server compacts", func() (bool, string) {
			return s.logs.countFrom(seen, "msg=compacting") > 0, "its log does not say so"
		})
		s.killWithin(round, 0, 150*time.Millisecond)
		if s.logs.countFrom(seen, "msg=compacting") > s.logs.countFrom(seen, "msg=compacted") {
			inside++
		}
		seen = s.logs.size()
		s.check()
		s.run()
		together(s.writers, func(w *killWriter) { w.settle(t, round) })
		for _, w := range s.writers {
			acknowledged += w.acknowledged
			w.acknowledged = 0
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	s.kill()
	if out, err := exec.Command(plimsoll, "check", "--deep", "--data", s.data).CombinedOutput(); err != nil {
		t.Errorf("plimsoll check --deep: %v\n%s", err, out)
	}
	s.run()
	t.Logf("%d kills, %d of them within a compaction; %d acknowledged operations", compactionKills, inside, acknowledged)
	if inside == 0 {
		t.Error("every compaction was over before the server was killed")
	}
}

// together lets all writers do something, and returns when they have.
func together(writers []*killWriter, do func(*killWriter)) {
	var group sync.WaitGroup
	for _, w := range writers {
		group.Go(func() { do(w) })
	}
	group.Wait()
}

// fill puts every key once.
func (w *killWriter) fill(ctx context.Context) {
	for i := range w.keys {
		key := fmt.Sprintf("w%d/k%d", w.id, i)
		w.next++
		if _, err := w.do(ctx, http.MethodPut, "/killed/"+key, w.content(key, w.next)); err != nil {
			w.s.t.Error(err)
			return
		}
		w.known[key] = outcomes{w.next}
	}
}

// countFrom says how often the log has a text from an offset on.
func (l *logBuffer) countFrom(offset int, text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.buf.Bytes()[offset:], []byte(text))
}

func (l *logBuffer) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Len()
}
