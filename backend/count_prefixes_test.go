package backend

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var raw = quota.PrefixScope("b", "raw/")

// wantCounted waits until a prefix is exact, and requires what it holds.
func (f *fixture) wantCounted(scope quota.Scope, want quota.Usage) {
	f.t.Helper()
	for {
		a, ok := f.Account(scope)
		if !ok {
			f.t.Fatalf("%s has no account", scope)
		}
		if !a.Counting {
			break
		}
		runtime.Gosched()
	}
	f.wantUsage(scope, want)
}

// steps counts rows in few rows at a time.
func steps(rows int) func(*Options) { return func(o *Options) { o.countRows = rows } }

// putRaw puts n objects of 10 bytes under raw/, an upload with a part of 7, and others beside them.
func putRaw(f *fixture, n int) quota.Usage {
	for i := range n {
		f.put(meta.Key(fmt.Sprintf("raw/%03d", i)), noise(10, 1))
	}
	f.put("raw", noise(1000, 1))
	f.put("raw0", noise(1000, 1))
	id := f.createUpload("raw/u", meta.Upload{})
	f.part("raw/u", id, 1, noise(7, 1))
	return quota.Usage{Bytes: int64(10 * n), Objects: int64(n), PartBytes: 7, Uploads: 1}
}

func TestALimitOnAPrefixCountsWhatIsThere(t *testing.T) {
	f := open(t, steps(3))
	want := putRaw(f, 20)
	f.limit(raw, quota.Limit{MaxBytes: 210})
	f.wantCounted(raw, want)
	wantExceeded(t, f.tryPut("raw/x", noise(11, 1)), raw, quota.Bytes)
	f.put("raw/x", noise(10, 1))
	f.put("rax", noise(11, 1))
	f.limit(raw, quota.Limit{})
	if _, ok := f.Account(raw); ok {
		t.Error("a prefix without a limit has an account")
	}
	f.put("raw/y", noise(11, 1))
	f.limit(raw, quota.Limit{MaxObjects: 22})
	f.wantCounted(raw, quota.Usage{Bytes: 221, Objects: 22, PartBytes: 7, Uploads: 1})
	wantExceeded(t, f.tryPut("raw/z", nil), raw, quota.Objects)
}

// TestWhatHoldsWhileAPrefixIsCounted: what is counted decides, so that nothing is refused that fits.
func TestWhatHoldsWhileAPrefixIsCounted(t *testing.T) {
	f := open(t, steps(-1))
	putRaw(f, 5)
	f.limit(raw, quota.Limit{MaxBytes: 60})
	if a, _ := f.Account(raw); !a.Counting || a.Usage != (quota.Usage{}) {
		t.Fatalf("%+v", a)
	}
	if a, err := f.countStep(raw, 3); err != nil || a.CountedTo != "raw/002" || a.Usage.Bytes != 30 {
		t.Fatalf("%+v, %v", a, err)
	}
	// 50 are there, 30 are counted: 11 more would not fit, and are let in; 31 more cannot fit.
	wantExceeded(t, f.tryPut("raw/004", noise(41, 1)), raw, quota.Bytes)
	f.put("raw/9", noise(11, 1))
	f.put("raw/002", noise(20, 1))
	f.delete("raw/000")
	f.delete("raw/004")
	f.wantUsage(raw, quota.Usage{Bytes: 30, Objects: 2})
	f = f.reopen()
	f.wantUsage(raw, quota.Usage{Bytes: 30, Objects: 2})
	if a, err := f.countStep(raw, 100); err != nil || a.Counting {
		t.Fatalf("%+v, %v", a, err)
	}
	f.wantUsage(raw, quota.Usage{Bytes: 51, Objects: 4, PartBytes: 7, Uploads: 1})
	wantExceeded(t, f.tryPut("raw/10", noise(10, 1)), raw, quota.Bytes)
}

// TestACountGoesOnAfterARestart from where it was.
func TestACountGoesOnAfterARestart(t *testing.T) {
	f := open(t, steps(-1))
	want := putRaw(f, 20)
	f.limit(raw, quota.Limit{MaxBytes: 1000})
	if _, err := f.countStep(raw, 7); err != nil {
		t.Fatal(err)
	}
	f.options.countRows = 2
	f = f.reopen()
	f.wantCounted(raw, want)
}

// TestCountingStopsWithTheStore: Close does not wait for the rest of it.
func TestCountingStopsWithTheStore(t *testing.T) {
	f := open(t, steps(1))
	putRaw(f, 50)
	f.limit(raw, quota.Limit{MaxBytes: 1000})
	f.finish()
}

// failingCount fails steps of counting while broken.
type failingCount struct {
	meta.Repository
	broken atomic.Bool
	failed chan struct{}
}

func (r *failingCount) Commit(ctx context.Context, batch []meta.Mutation) ([]meta.Result, error) {
	results, err := r.Repository.Commit(ctx, batch)
	for i, m := range batch {
		if _, is := m.(meta.CountPrefix); is && r.broken.Load() {
			results[i] = meta.Result{Err: fmt.Errorf("row: %w", meta.ErrCorrupt)}
			r.failed <- struct{}{}
		}
	}
	return results, err
}

// TestACountThatFails rests, and is taken up again with the next limit.
func TestACountThatFails(t *testing.T) {
	hook := &failingCount{failed: make(chan struct{}, 1)}
	f := open(t, steps(3), func(o *Options) {
		o.wrap = func(r meta.Repository, b blob.Store) (meta.Repository, blob.Store) {
			hook.Repository = r
			return hook, b
		}
	})
	want := putRaw(f, 20)
	hook.broken.Store(true)
	f.limit(raw, quota.Limit{MaxBytes: 1000})
	<-hook.failed
	hook.broken.Store(false)
	f.limit(raw, quota.Limit{MaxBytes: 2000})
	f.wantCounted(raw, want)
}

// TestPrefixesAreCountedUnderWriters gives prefixes limits while writers write: each is exact when its count has ended, as
// the check at the end of the test recounts, and nothing is refused that fits.
func TestPrefixesAreCountedUnderWriters(t *testing.T) {
	c := &crew{fixture: open(t, steps(2))}
	for i := range 300 {
		c.put(meta.Key(fmt.Sprintf("shared %d of those that are there", i)), noise(30, 1))
	}
	scopes := []quota.Scope{
		quota.PrefixScope("b", "s"), quota.PrefixScope("b", "shared 1"), quota.PrefixScope("b", "1"), quota.PrefixScope("b", "2 "),
	}
	var group sync.WaitGroup
	for writer := range 16 {
		group.Go(func() { c.write(writer, 60, []meta.BucketName{"b"}) })
	}
	for _, scope := range scopes {
		c.limit(scope, quota.Limit{MaxBytes: 1_000_000, MaxObjects: 400})
	}
	group.Wait()
	for _, scope := range scopes {
		for a, _ := c.Account(scope); a.Counting; a, _ = c.Account(scope) {
			runtime.Gosched()
		}
	}
	if c.stored.Load() == 0 {
		t.Error("nothing was stored")
	}
}

// TestPrefixesGoWithTheirBucket, and at most a hundred of them can be.
func TestPrefixesGoWithTheirBucket(t *testing.T) {
	f := open(t)
	for i := range meta.MaxPrefixes {
		f.limit(quota.PrefixScope("b", fmt.Sprint(i)), quota.Limit{MaxObjects: 1})
	}
	if err := f.SetLimit(background, raw, quota.Limit{MaxObjects: 1}); !errors.Is(err, meta.ErrTooManyPrefixes) {
		t.Errorf("one prefix too many: %v", err)
	}
	if err := f.DeleteBucket(background, "b"); err != nil {
		t.Fatal(err)
	}
	f.createBucket("b", quota.Limit{})
	for _, a := range f.Accounts() {
		if a.Scope.Kind == quota.Prefix {
			t.Errorf("%+v outlives its bucket", a)
		}
	}
	f.put("1", nil)
	f.put("11", nil)
}
