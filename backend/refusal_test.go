package backend

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// between is what happens to a store while a batch that has been committed is not yet known to it. Decisions that are
// made then must be those of before or after, never of a mixture.
func between(t *testing.T, f *fixture, x *faults, first, then func() error) {
	t.Helper()
	committed, known := make(chan struct{}), make(chan struct{})
	var once sync.Once
	x.set(func() {
		x.after = func([]meta.Mutation) { once.Do(func() { close(committed); <-known }) }
	})
	var group sync.WaitGroup
	group.Go(func() {
		if err := first(); err != nil {
			t.Errorf("the first operation: %v", err)
		}
	})
	<-committed
	answer := make(chan error, 1)
	group.Go(func() { answer <- then() })
	// A wrong decision is made at once, a right one may wait until the batch is known. The time only bounds how long a
	// wrong one is waited for.
	select {
	case err := <-answer:
		answer <- err
	case <-time.After(50 * time.Millisecond):
	}
	close(known)
	if err := <-answer; err != nil {
		t.Errorf("the second operation, which fits: %v", err)
	}
	group.Wait()
	x.set(func() { x.after = nil })
}

// TestACommitIsNeverCountedTwice asks for the rest of the space while a commit of the other part is on its way from a
// reservation to usage.
func TestACommitIsNeverCountedTwice(t *testing.T) {
	for _, scope := range []quota.Scope{bucketB, ownerAda, quota.ServerScope} {
		for _, test := range []struct {
			name    string
			prepare func(f *fixture) (first, then func() error)
		}{
			{"put", func(f *fixture) (first, then func() error) {
				return func() error { return f.tryPut("k", noise(40, 1)) }, func() error { return f.tryPut("l", noise(60, 2)) }
			}},
			{"overwrite of what has just shrunk", func(f *fixture) (first, then func() error) {
				f.put("k", noise(90, 1))
				return func() error { return f.tryPut("k", noise(10, 2)) }, func() error { return f.tryPut("k", noise(100, 3)) }
			}},
			{"put after a delete", func(f *fixture) (first, then func() error) {
				f.put("k", noise(90, 1))
				return func() error { return f.tryDelete("b", "k") },
					func() error { return f.tryPut("k", noise(100, 2)) }
			}},
			{"copy", func(f *fixture) (first, then func() error) {
				f.put("k", noise(40, 1))
				return func() error { return f.tryPut("l", noise(20, 2)) }, func() error { return f.copy("k", "m") }
			}},
			{"part of the same upload", func(f *fixture) (first, then func() error) {
				id := f.createUpload("k", meta.Upload{})
				return func() error { _, err := f.tryPart("k", id, 1, body(noise(40, 1))); return err },
					func() error { _, err := f.tryPart("k", id, 2, body(noise(60, 2))); return err }
			}},
			{"part that replaces the one that has just shrunk", func(f *fixture) (first, then func() error) {
				id := f.createUpload("k", meta.Upload{})
				f.part("k", id, 1, noise(90, 1))
				return func() error { _, err := f.tryPart("k", id, 1, body(noise(10, 2))); return err },
					func() error { _, err := f.tryPart("k", id, 1, body(noise(100, 3))); return err }
			}},
			{"complete over what has just shrunk", func(f *fixture) (first, then func() error) {
				f.put("k", noise(10, 1))
				id := f.createUpload("k", meta.Upload{})
				part := f.part("k", id, 1, noise(50, 2))
				f.put("l", noise(50, 3))
				return func() error { return f.tryPut("k", nil) },
					func() error { _, err := f.tryComplete("k", id, part); return err }
			}},
		} {
			t.Run(test.name+", "+string(scope.Kind), func(t *testing.T) {
				x := &faults{}
				f := open(t, withFaults(x))
				first, then := test.prepare(f)
				f.limit(scope, quota.Limit{MaxBytes: 100})
				between(t, f, x, first, then)
			})
		}
	}
}

// TestWritersThatFitTogetherAllSucceed has writers whose sizes add up to the limit exactly: whatever the order in which
// their reservations become usage, none may be refused.
func TestWritersThatFitTogetherAllSucceed(t *testing.T) {
	const writers, rounds = 32, 50
	for _, scope := range []quota.Scope{bucketB, ownerAda, quota.ServerScope} {
		t.Run(string(scope.Kind), func(t *testing.T) {
			f := open(t)
			for round := range rounds {
				var limit int64
				sizes := make([]int, writers)
				for i := range sizes {
					sizes[i] = (i*7919 + round*104_729) % 5000
					limit += int64(sizes[i])
				}
				f.limit(scope, quota.Limit{MaxBytes: limit, MaxObjects: writers})
				if round%2 == 0 {
					f.fillByPuts(round, sizes)
				} else {
					f.fillByParts(sizes)
				}
			}
		})
	}
}

func (f *fixture) fillByPuts(round int, sizes []int) {
	keys := make([]meta.Key, len(sizes))
	var group sync.WaitGroup
	for i, size := range sizes {
		keys[i] = meta.Key(fmt.Sprintf("%d/%d", round, i))
		group.Go(func() {
			if err := f.tryPut(keys[i], noise(size, uint64(i))); err != nil {
				f.t.Errorf("round %d, writer %d: %v", round, i, err)
			}
		})
	}
	group.Wait()
	for _, err := range f.deleteAll("b", keys) {
		if err != nil {
			f.t.Error(err)
		}
	}
}

func (f *fixture) fillByParts(sizes []int) {
	id := f.createUpload("k", meta.Upload{})
	var group sync.WaitGroup
	for i, size := range sizes {
		group.Go(func() {
			if _, err := f.tryPart("k", id, i+1, body(noise(size, uint64(i)))); err != nil {
				f.t.Errorf("part %d: %v", i+1, err)
			}
		})
	}
	group.Wait()
	f.abort("k", id)
}

// TestARefusalSaysWhetherReservationsCausedIt holds a body halfway, so that what is committed and what is reserved are
// known exactly.
func TestARefusalSaysWhetherReservationsCausedIt(t *testing.T) {
	f := open(t)
	f.put("stored", noise(30, 1))
	f.limit(bucketB, quota.Limit{MaxBytes: 100})
	arrives, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		held := &prefixed{hook: hook{do: func() { close(arrives); <-goOn }}, content: noise(50, 2)}
		_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "held", Body: Body{Reader: held, Size: 50}})
		done <- err
	}()
	<-arrives
	for size := int64(0); size <= 120; size++ {
		b := Body{Reader: unread{t}, Size: size}
		if size <= 20 {
			b = Body{Reader: &hook{do: func() {}}, Size: size} // admitted, and too short
		}
		_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: b})
		if size <= 20 {
			if size > 0 && !errors.Is(err, ErrIncompleteBody) {
				t.Errorf("%d bytes, which fit: %v", size, err)
			}
			continue
		}
		e := wantExceeded(t, err, bucketB, quota.Bytes)
		if want := size <= 70; e.Transient != want || e.Used != 30 || e.Reserved != 50 || e.Requested != size {
			t.Errorf("%d bytes: %+v, want transient: %v", size, e, want)
		}
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRefusalsAreCountedOnce(t *testing.T) {
	f := open(t)
	f.limit(bucketB, quota.Limit{MaxBytes: 10})
	for range 3 {
		wantExceeded(t, f.tryPut("k", noise(11, 1)), bucketB, quota.Bytes)
	}
	if n := f.ledger.refusalCounts(nil)[refusal{bucketB, "bytes"}]; n != 3 {
		t.Errorf("%d refusals are counted, want 3", n)
	}
}
