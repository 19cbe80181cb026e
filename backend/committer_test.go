package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var errBroken = errors.New("broken")

// together has the proposals committed in one batch, and returns their answers. The sync of a blob that goes before them
// holds the committer until they are queued.
func (f *fixture) together(x *faults, proposals ...*proposal) []error {
	f.t.Helper()
	w, err := f.blobs.Create(background, 1)
	if err != nil {
		f.t.Fatal(err)
	}
	_, err = w.Write([]byte("x"))
	if err := errors.Join(err, w.Commit()); err != nil {
		f.t.Fatal(err)
	}
	ref := blob.Ref{ID: w.ID(), Size: 1, Place: w.Place()}
	entered, goOn := make(chan struct{}), make(chan struct{})
	var before func([]meta.Mutation) error
	x.set(func() {
		before, x.before = x.before, nil
		x.sync = func([]blob.Ref) error { close(entered); <-goOn; return nil }
	})
	first := &proposal{mutation: meta.ForgetGarbage{}, blobs: []blob.Ref{ref}}
	if err := f.committer.enqueue(first); err != nil {
		f.t.Fatal(err)
	}
	<-entered
	x.set(func() {
		x.sync = nil
		x.before = func(batch []meta.Mutation) error { // the first batch is none of the proposals'
			x.set(func() { x.before = before })
			return nil
		}
	})
	for _, p := range proposals {
		if err := f.committer.enqueue(p); err != nil {
			f.t.Fatal(err)
		}
	}
	close(goOn)
	if _, err := first.wait(); err != nil {
		f.t.Error(err)
	}
	errs := make([]error, len(proposals))
	for i, p := range proposals {
		_, errs[i] = p.wait()
	}
	if err := f.blobs.Delete(background, []blob.Ref{ref}); err != nil {
		f.t.Error(err)
	}
	return errs
}

// empty is a proposal to put an empty object.
func empty(key meta.Key, p meta.Precondition) *proposal {
	return &proposal{mutation: meta.PutObject{
		Bucket: "b", Key: key, Precondition: p,
		Object: meta.Object{ObjectHead: meta.ObjectHead{ETag: etag(nil)}},
	}}
}

func deletion(key meta.Key) *proposal {
	return &proposal{mutation: meta.DeleteObject{Bucket: "b", Key: key}}
}

// sizes records how many mutations each batch has.
func (x *faults) sizes(into *[]int, fail func(batch []meta.Mutation) error) {
	x.set(func() {
		x.before = func(batch []meta.Mutation) error {
			*into = append(*into, len(batch))
			if fail != nil {
				return fail(batch)
			}
			return nil
		}
	})
}

func TestWhatIsQueuedIsCommittedInOneTransaction(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x))
	var batches []int
	x.sizes(&batches, nil)
	var proposals []*proposal
	for i := range 100 {
		proposals = append(proposals, empty(meta.Key(fmt.Sprint(i)), meta.Precondition{}))
	}
	for _, err := range f.together(x, proposals...) {
		if err != nil {
			t.Error(err)
		}
	}
	if len(batches) != 1 || batches[0] != 100 {
		t.Errorf("batches of %v mutations, want one of 100", batches)
	}
	x.sizes(new([]int), nil)
}

func TestARefusedMutationDoesNotFailItsNeighbours(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x))
	f.limit(bucketB, quota.Limit{MaxObjects: 2})
	errs := f.together(x,
		empty("first", meta.Precondition{}),
		empty("first", meta.Precondition{IfNoneMatch: true}),
		empty("none", meta.Precondition{IfMatch: "*"}),
		empty("second", meta.Precondition{}),
		empty("third", meta.Precondition{}),
		deletion("first"),
		empty("fourth", meta.Precondition{}),
	)
	for i, want := range []error{nil, meta.ErrPreconditionFailed, meta.ErrNoSuchKey, nil, errors.ErrUnsupported, nil, nil} {
		if i == 4 {
			wantExceeded(t, errs[i], bucketB, quota.Objects)
		} else if !errors.Is(errs[i], want) {
			t.Errorf("proposal %d: %v, want %v", i, errs[i], want)
		}
	}
	f.wantUsage(bucketB, quota.Usage{Objects: 2})
}

// TestAFailedCommitKeepsItsBlobsForTheSweep has a commit fail in a way that leaves it open what is on disk.
func TestAFailedCommitKeepsItsBlobsForTheSweep(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x), inFiles)
	f.put("old", noise(100, 1))
	x.set(func() { x.before = func([]meta.Mutation) error { return errBroken } })
	if err := f.tryPut("k", noise(100, 2)); !errors.Is(err, errBroken) {
		t.Errorf("put: %v", err)
	}
	if err := f.tryDelete("b", "old"); !errors.Is(err, errBroken) {
		t.Errorf("delete: %v", err)
	}
	x.set(func() { x.before = nil })
	f.wantIdle()
	f.wantContent("old", noise(100, 1))
	f.wantGone("k")
	if n := len(f.blobIDs()); n != 2 {
		t.Errorf("%d blobs are on disk, want the old one and the uncertain one", n)
	}
	f.put("l", noise(100, 3)) // the store goes on
	f.dirtyStop = true
	f.finish()
	if _, err := os.Stat(filepath.Join(f.options.Dir, dirtyMark)); err != nil {
		t.Errorf("the directory is not marked for a sweep: %v", err)
	}
	f.options.wrap = nil
	again := openWith(t, f.options)
	again.wantCollected()
	again.wantContent("l", noise(100, 3))
}

// TestAFailedSyncRefersToNothing fails the blobs of a batch, and not what has none.
func TestAFailedSyncRefersToNothing(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x), inFiles)
	f.put("old", noise(100, 1))
	for _, test := range []struct {
		cause    error
		leftover int // blobs that stay, since it is not known what of them is on disk
	}{{errBroken, 1}, {fmt.Errorf("sync: %w", syscall.ENOSPC), 0}} {
		before := len(f.blobIDs())
		x.set(func() { x.sync = func([]blob.Ref) error { return test.cause } })
		err := f.tryPut("k", noise(100, 2))
		if !errors.Is(err, test.cause) || isDiskFull(test.cause) != errors.As(err, new(*InsufficientStorageError)) {
			t.Errorf("put: %v", err)
		}
		if err := f.tryPut("empty", nil); err != nil {
			t.Errorf("what has no blob: %v", err)
		}
		x.set(func() { x.sync = nil })
		f.wantGone("k")
		if n := len(f.blobIDs()) - before; n != test.leftover {
			t.Errorf("%v: %d blobs are left, want %d", test.cause, n, test.leftover)
		}
	}
	f.dirtyStop = true
}

// TestOnAFullDiskGrowthIsRefusedAndDeletesOfTheSameBatchSucceed has no commit succeed that stores something.
func TestOnAFullDiskGrowthIsRefusedAndDeletesOfTheSameBatchSucceed(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x))
	f.put("old", noise(100, 1))
	f.put("older", noise(100, 1))
	id := f.createUpload("up", meta.Upload{})
	f.part("up", id, 1, noise(10, 1))
	x.set(func() { x.before = fullFor(grows) })
	errs := f.together(x,
		deletion("old"),
		empty("k", meta.Precondition{}),
		&proposal{mutation: meta.AbortUpload{Bucket: "b", Key: "up", Upload: id}},
		&proposal{mutation: meta.CreateBucket{Bucket: meta.Bucket{Name: "c", Owner: "ada"}}},
		&proposal{mutation: meta.SetLimit{Scope: bucketB, Limit: quota.Limit{MaxBytes: 1000}}},
	)
	for i, refused := range []bool{false, true, false, true, false} {
		var full *InsufficientStorageError
		if errors.As(errs[i], &full) != refused || (errs[i] != nil) != refused || errors.Is(errs[i], syscall.ENOSPC) != refused {
			t.Errorf("proposal %d: %v; want it refused: %v", i, errs[i], refused)
		}
	}
	if err := f.tryPut("l", noise(100, 2)); !errors.As(err, new(*InsufficientStorageError)) {
		t.Errorf("put: %v", err)
	}
	x.set(func() { x.before = nil })
	f.wantUsage(bucketB, quota.Usage{Bytes: 100, Objects: 1})
	f.wantIdle()
	f.wantNoOrphans()
	f.put("l", noise(100, 2))
	f = f.reopen() // a full disk leaves no doubt about what is on it: the stop is clean
	f.wantContent("l", noise(100, 2))
}

// fullFor is a disk that is too full for some batches.
func fullFor(refused func([]meta.Mutation) bool) func([]meta.Mutation) error {
	return func(batch []meta.Mutation) error {
		if refused(batch) {
			return fmt.Errorf("write pages: %w", syscall.ENOSPC)
		}
		return nil
	}
}

func grows(batch []meta.Mutation) bool {
	for _, m := range batch {
		if !frees(m) {
			return true
		}
	}
	return false
}

// TestOnAFullDiskManyDeletesAreCommittedAFewAtATime has room for the pages of a few deletes only, which then make more.
func TestOnAFullDiskManyDeletesAreCommittedAFewAtATime(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x))
	var proposals []*proposal
	for i := range 100 {
		key := meta.Key(fmt.Sprint(i))
		f.put(key, noise(10, uint64(i)))
		proposals = append(proposals, deletion(key))
	}
	f.garbage.wait()
	room := 3
	x.set(func() { x.before = fullFor(func(batch []meta.Mutation) bool { return len(batch) > room }) })
	for i, err := range f.together(x, proposals...) {
		if err != nil {
			t.Errorf("delete %d: %v", i, err)
		}
	}
	x.set(func() { x.before = nil })
	f.wantUsage(bucketB, quota.Usage{})
}

// TestADiskThatIsFullWhenTheStoreClosesIsACleanStop cannot forget the garbage that has been deleted, which is no harm.
func TestADiskThatIsFullWhenTheStoreClosesIsACleanStop(t *testing.T) {
	x := &faults{}
	f := open(t, withFaults(x))
	f.put("k", noise(100, 1))
	f.delete("k")
	f.garbage.wait()
	x.set(func() { x.before = fullFor(func([]meta.Mutation) bool { return true }) })
	f.finish()
	f.options.wrap = nil
	again := openWith(t, f.options)
	again.wantCollected()
}
