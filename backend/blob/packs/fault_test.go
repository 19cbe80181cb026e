package packs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// faultyDisk is the real disk, except that it fails when it is told to, and writes down what is asked of it.
type faultyDisk struct {
	diskFileSystem
	mu     sync.Mutex       // guards what follows
	faults map[string]error // by operation
	trace  []string
	held   *heldSync // the next sync; nil for none

	onClose func() // called when a file is closed; nil for nothing
}

// heldSync is a sync that lasts until it is let go on.
type heldSync struct{ begun, goOn chan struct{} }

// holdSync lets the next sync last until goOn is closed.
func (d *faultyDisk) holdSync() *heldSync {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = &heldSync{begun: make(chan struct{}), goOn: make(chan struct{})}
	return d.held
}

func (d *faultyDisk) takeHeld() *heldSync {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := d.held
	d.held = nil
	return held
}

func newFaultyDisk() *faultyDisk { return &faultyDisk{faults: make(map[string]error)} }

// fail lets an operation fail. err nil ends that.
func (d *faultyDisk) fail(operation string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[operation] = err
}

func (d *faultyDisk) meet(operation, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace = append(d.trace, operation+" "+filepath.Base(path))
	return disk.PathError(operation, path, d.faults[operation])
}

func (d *faultyDisk) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	trace := d.trace
	d.trace = nil
	return strings.Join(trace, "\n")
}

func (d *faultyDisk) create(path string) (file, error) {
	if err := d.meet("create", path); err != nil {
		return nil, err
	}
	f, err := d.diskFileSystem.create(path)
	return d.wrap(f, path, err)
}

func (d *faultyDisk) open(path string, write bool) (file, error) {
	if err := d.meet("open", path); err != nil {
		return nil, err
	}
	f, err := d.diskFileSystem.open(path, write)
	return d.wrap(f, path, err)
}

func (d *faultyDisk) wrap(f file, path string, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: f, disk: d, path: path}, nil
}

func (d *faultyDisk) remove(path string) error {
	if err := d.meet("remove", path); err != nil {
		return err
	}
	return d.diskFileSystem.remove(path)
}

func (d *faultyDisk) syncDir(path string) error {
	return errors.Join(d.meet("syncDir", path), d.diskFileSystem.syncDir(path))
}

type faultyFile struct {
	file
	disk *faultyDisk
	path string
}

func (f *faultyFile) writeAt(vectors [][]byte, offset int64) error {
	if err := f.disk.meet("write", f.path); err != nil {
		half := bytes.Join(vectors, nil)
		return errors.Join(f.file.writeAt([][]byte{half[:len(half)/2]}, offset), err) // it fills what is left of the disk
	}
	return f.file.writeAt(vectors, offset)
}

func (f *faultyFile) readAt(p []byte, offset int64) (int, error) {
	if err := f.disk.meet("read", f.path); err != nil {
		return 0, err
	}
	return f.file.readAt(p, offset)
}

func (f *faultyFile) preallocate(bytes int64) error {
	if err := f.disk.meet("preallocate", f.path); err != nil {
		return err
	}
	return f.file.preallocate(bytes)
}

func (f *faultyFile) truncate(bytes int64) error {
	return errors.Join(f.disk.meet("truncate", f.path), f.file.truncate(bytes))
}

func (f *faultyFile) sendOut(offset, bytes int64) error {
	return errors.Join(f.disk.meet("sendOut", f.path), f.file.sendOut(offset, bytes))
}

func (f *faultyFile) sync() error {
	if held := f.disk.takeHeld(); held != nil {
		close(held.begun)
		<-held.goOn
	}
	return errors.Join(f.disk.meet("sync", f.path), f.file.sync())
}

func (f *faultyFile) close() error {
	if f.disk.onClose != nil {
		f.disk.onClose()
	}
	return f.file.close()
}

// TestFailures lets each operation fail under a batch. What was durable before stays, the batch is refused with the
// system's error, and the store goes on, also after a restart.
func TestFailures(t *testing.T) {
	for _, operation := range []string{"write", "sync", "create", "preallocate", "syncDir"} {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
			for _, fresh := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%v/fresh=%v", operation, cause, fresh), func(t *testing.T) {
					testFailure(t, operation, cause, fresh)
				})
			}
		}
	}
}

func testFailure(t *testing.T, operation string, cause error, fresh bool) {
	disk, dir := newFaultyDisk(), t.TempDir()
	options := Options{Sync: true, PackBytes: 1 << 20}
	s := openIn(t, dir, options, disk)
	before := blobtest.Bytes(1, 5000)
	var kept []blob.Ref
	if !fresh {
		kept = append(kept, mustPut(t, s, before))
	}
	disk.fail(operation, cause)
	for range 5 {
		refs, err := []blob.Ref(nil), error(nil)
		for i := range 3 {
			var ref blob.Ref
			if ref, err = commit(s, blobtest.Bytes(uint64(10+i), 700)); err != nil {
				break
			}
			refs = append(refs, ref)
		}
		if err == nil {
			err = s.Sync(background, refs)
		}
		hit := operation == "write" || operation == "sync" || fresh && (operation != "preallocate" || errors.Is(cause, syscall.EIO))
		if hit && !errors.Is(err, cause) || !hit && err != nil {
			t.Errorf("a batch while %s fails: %v", operation, err)
		}
		if err := s.Delete(background, refs); err != nil {
			t.Errorf("Delete after that: %v", err)
		}
	}
	names, err := os.ReadDir(filepath.Join(dir, "packs"))
	if err != nil || len(names) > 2 {
		t.Errorf("%d packs are left behind, %v", len(names), err)
	}
	disk.fail(operation, nil)
	after := blobtest.Bytes(2, 6000)
	kept = append(kept, mustPut(t, s, after))
	contents := [][]byte{before, after}[2-len(kept):]
	crashed := openIn(t, copyDir(t, dir), options, diskFileSystem{})
	defer mustClose(t, crashed)
	mustClose(t, s)
	again := openIn(t, dir, options, diskFileSystem{})
	defer mustClose(t, again)
	for i, ref := range kept {
		wantContent(t, crashed, ref, contents[i])
		wantContent(t, again, ref, contents[i])
	}
	if _, damaged := walk(t, again); len(damaged) > 0 {
		t.Errorf("after a restart Walk finds damage at %v", damaged)
	}
}

// TestFailedAndYetPersisted: a record that reached the disk although its sync failed is an orphan, and harms nobody.
func TestFailedAndYetPersisted(t *testing.T) {
	disk, dir := newFaultyDisk(), t.TempDir()
	s := openIn(t, dir, Options{Sync: true, PackBytes: 1 << 20}, disk)
	first := mustPut(t, s, []byte("first"))
	lost := mustCommit(t, s, []byte("lost"))
	disk.fail("sync", syscall.EIO)
	if err := s.Sync(background, []blob.Ref{lost}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync: %v", err)
	}
	disk.fail("sync", nil)
	if err := s.Sync(background, []blob.Ref{lost}); !errors.Is(err, syscall.EIO) {
		t.Errorf("a second Sync, which would prove nothing: %v", err)
	}
	if err := s.Sync(background, []blob.Ref{first}); err != nil {
		t.Errorf("Sync of what was durable before: %v", err)
	}
	next := mustPut(t, s, []byte("next"))
	if number, _ := splitPlace(next.Place); number != 2 {
		t.Errorf("after a failed sync pack %d is written, want another one", number)
	}
	mustClose(t, s)
	s = openIn(t, dir, Options{Sync: true, PackBytes: 1 << 20}, diskFileSystem{})
	defer mustClose(t, s)
	found, _ := walk(t, s)
	if len(found) != 3 || !found[lost] {
		t.Errorf("Walk finds %v", found)
	}
	wantContent(t, s, first, []byte("first"))
	wantContent(t, s, next, []byte("next"))
}

// TestTrace fixes what a batch costs.
func TestTrace(t *testing.T) {
	disk, dir := newFaultyDisk(), t.TempDir()
	s := openIn(t, dir, Options{Sync: true, PackBytes: 1 << 20}, disk)
	disk.take()
	mustPut(t, s, []byte("first"))
	want := "create 00000001.pack\npreallocate 00000001.pack\nwrite 00000001.pack\nsync 00000001.pack\nsyncDir packs\n" +
		"write 00000001.pack\nsync 00000001.pack"
	if got := disk.take(); got != want {
		t.Errorf("the first blob of a pack:\n%s\nwant:\n%s", got, want)
	}
	var refs []blob.Ref
	for range 64 {
		refs = append(refs, mustCommit(t, s, make([]byte, 2048)))
	}
	if err := s.Sync(background, refs); err != nil {
		t.Fatal(err)
	}
	if got, want := disk.take(), "write 00000001.pack\nsync 00000001.pack"; got != want {
		t.Errorf("64 blobs:\n%s\nwant:\n%s", got, want)
	}
	wantContent(t, s, refs[3], make([]byte, 2048))
	wantContent(t, s, refs[4], make([]byte, 2048))
	if got, want := disk.take(), "open 00000001.pack\nread 00000001.pack\nread 00000001.pack"; got != want {
		t.Errorf("reading two:\n%s\nwant:\n%s", got, want)
	}
	mustClose(t, s)
	if got, want := disk.take(), "write 00000001.pack\nsync 00000001.pack\ntruncate 00000001.pack"; got != want {
		t.Errorf("Close:\n%s\nwant:\n%s", got, want)
	}
}

// TestWriteAhead: while a batch is synced, the next is written and the disk begins with it. Where either fails, what the
// other made durable stays so, and nothing else is taken for it.
func TestWriteAhead(t *testing.T) {
	for _, fails := range []string{"", "write", "sendOut", "sync"} {
		for _, fresh := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/fresh=%v", cmp.Or(fails, "nothing"), fresh), func(t *testing.T) {
				testWriteAhead(t, fails, fresh)
			})
		}
	}
}

func testWriteAhead(t *testing.T, fails string, fresh bool) {
	disk, dir := newFaultyDisk(), t.TempDir()
	s := openIn(t, dir, Options{Sync: true}, disk)
	if !fresh { // else nothing in the pack is durable yet when it fails
		mustPut(t, s, []byte("before"))
	}
	first := []blob.Ref{mustCommit(t, s, []byte("first"))}
	held, synced := disk.holdSync(), make(chan error)
	go func() { synced <- s.Sync(background, first) }()
	<-held.begun
	disk.take()
	if fails != "sync" {
		disk.fail(fails, syscall.EIO)
	}
	content := blobtest.Bytes(1, 100_000)
	var second []blob.Ref
	for range writeAheadBytes/len(content) + 1 {
		second = append(second, mustCommit(t, s, content))
	}
	want := "write 00000001.pack\nsendOut 00000001.pack"
	if fails == "write" {
		want = "write 00000001.pack"
	}
	if got := disk.take(); got != want {
		t.Errorf("during a sync the disk sees\n%s\nwant\n%s", got, want)
	}
	disk.fail(fails, nil)
	if fails == "sync" {
		disk.fail("sync", syscall.EIO)
	}
	close(held.goOn)
	if err := <-synced; fails == "sync" && !errors.Is(err, syscall.EIO) || fails != "sync" && err != nil {
		t.Errorf("Sync of the first batch: %v", err)
	}
	disk.fail("sync", nil)
	err := s.Sync(background, second)
	if fails == "" && err != nil || fails != "" && !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync of the second batch: %v", err)
	}
	last := mustPut(t, s, []byte("last"))
	if number, _ := splitPlace(last.Place); (number == 1) != (fails == "") {
		t.Errorf("after that pack %d is written", number)
	}
	crashed := openIn(t, copyDir(t, dir), Options{Sync: true}, diskFileSystem{})
	defer mustClose(t, crashed)
	mustClose(t, s)
	wantContent(t, crashed, last, []byte("last"))
	if fails != "sync" {
		wantContent(t, crashed, first[0], []byte("first"))
	}
	if _, damaged := walk(t, crashed); len(damaged) > 0 {
		t.Errorf("after a crash Walk finds damage at %v", damaged)
	}
}

// TestGivenUpDuringSync: a pack in which nothing is durable yet fails while it is synced. It is not removed before that is
// over: what the sync has made durable stays.
func TestGivenUpDuringSync(t *testing.T) {
	disk := newFaultyDisk()
	s := openIn(t, t.TempDir(), Options{Sync: true}, disk)
	defer mustClose(t, s)
	first := []blob.Ref{mustCommit(t, s, []byte("first"))}
	held, synced := disk.holdSync(), make(chan error)
	go func() { synced <- s.Sync(background, first) }()
	<-held.begun
	disk.fail("write", syscall.EIO)
	var second []blob.Ref
	for range 3 {
		second = append(second, mustCommit(t, s, blobtest.Bytes(1, 100_000)))
	}
	disk.fail("write", nil)
	mustPut(t, s, []byte("in a later pack"))
	if err := s.Sync(background, second); !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync of what was not written: %v", err)
	}
	close(held.goOn)
	if err := <-synced; err != nil {
		t.Errorf("Sync of what was: %v", err)
	}
	wantContent(t, s, first[0], []byte("first"))
}

// TestClosing: while the file of a pack is closed, whether that is full or has failed, nobody waits for it.
func TestClosing(t *testing.T) {
	for _, failure := range []error{nil, syscall.EIO} {
		disk := newFaultyDisk()
		s := openIn(t, t.TempDir(), Options{Sync: true}, disk)
		mustPut(t, s, []byte("durable"))
		closings := 0
		disk.onClose = func() {
			closings++
			told := make(chan struct{})
			go func() {
				defer close(told)
				s.Stats()
			}()
			select {
			case <-told:
			case <-time.After(10 * time.Second):
				t.Errorf("with %v, Stats waits until a file is closed", failure)
			}
		}
		if failure == nil {
			mustClose(t, s)
		} else {
			refs := []blob.Ref{mustCommit(t, s, []byte("lost"))}
			disk.fail("sync", failure)
			if err := s.Sync(background, refs); !errors.Is(err, failure) {
				t.Errorf("Sync: %v", err)
			}
		}
		if closings != 1 {
			t.Errorf("with %v, %d files are closed", failure, closings)
		}
	}
}

// TestNobodySyncs commits more than may wait in memory.
func TestNobodySyncs(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Sync: true}, diskFileSystem{})
	defer mustClose(t, s)
	var refs []blob.Ref
	content := blobtest.Bytes(1, 100_000)
	for range 2*maxPendingBytes/len(content) + 1 {
		refs = append(refs, mustCommit(t, s, content))
		s.active.mu.Lock()
		if s.active.waiting > maxPendingBytes {
			t.Fatalf("%d bytes are pending", s.active.waiting)
		}
		s.active.mu.Unlock()
	}
	wantContent(t, s, refs[0], content)
	wantContent(t, s, refs[len(refs)-1], content)
	if err := s.Sync(background, refs); err != nil {
		t.Errorf("Sync: %v", err)
	}
}
