package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// faultyDisk is the real disk, except that it fails when it is told to, and writes down what is asked of it.
type faultyDisk struct {
	diskFileSystem
	mu     sync.Mutex       // guards what follows
	faults map[string]error // by operation, and what its path must end in
	trace  []string
	piece  int // the most that one readAt returns, where it is not 0
}

func newFaultyDisk() *faultyDisk { return &faultyDisk{faults: make(map[string]error)} }

// fail lets an operation fail on paths that end in suffix. err nil ends that.
func (d *faultyDisk) fail(operation, suffix string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[operation+" "+suffix] = err
}

func (d *faultyDisk) meet(operation, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace = append(d.trace, operation+" "+filepath.Base(path))
	for fault, err := range d.faults {
		name, suffix, _ := strings.Cut(fault, " ")
		if name == operation && strings.HasSuffix(path, suffix) && err != nil {
			return disk.PathError(operation, path, err)
		}
	}
	return nil
}

func (d *faultyDisk) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	trace := d.trace
	d.trace = nil
	return trace
}

func (d *faultyDisk) create(path string) (file, error) {
	if err := d.meet("create", path); err != nil {
		return nil, err
	}
	return d.wrap(path)(d.diskFileSystem.create(path))
}

func (d *faultyDisk) open(path string) (file, error) {
	if err := d.meet("open", path); err != nil {
		return nil, err
	}
	return d.wrap(path)(d.diskFileSystem.open(path))
}

func (d *faultyDisk) wrap(path string) func(file, error) (file, error) {
	return func(f file, err error) (file, error) {
		if err != nil {
			return nil, err
		}
		return &faultyFile{file: f, disk: d, path: path}, nil
	}
}

func (d *faultyDisk) mkdir(path string) error {
	return errors.Join(d.meet("mkdir", path), d.diskFileSystem.mkdir(path))
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

func (f *faultyFile) write(p []byte) error {
	if err := f.disk.meet("write", f.path); err != nil {
		return errors.Join(f.file.write(p[:len(p)/2]), err) // it fills what is left of the disk
	}
	return f.file.write(p)
}

func (f *faultyFile) readAt(p []byte, offset int64) (int, error) {
	if err := f.disk.meet("read", f.path); err != nil {
		return 0, err
	}
	if f.disk.piece > 0 {
		p = p[:min(len(p), f.disk.piece)]
	}
	return f.file.readAt(p, offset)
}

func (f *faultyFile) size() (int64, error) {
	if err := f.disk.meet("size", f.path); err != nil {
		return 0, err
	}
	return f.file.size()
}

func (f *faultyFile) preallocate(bytes int64) error {
	return errors.Join(f.disk.meet("preallocate", f.path), f.file.preallocate(bytes))
}

func (f *faultyFile) truncate(bytes int64) error {
	return errors.Join(f.disk.meet("truncate", f.path), f.file.truncate(bytes))
}

func (f *faultyFile) sendOut(offset, bytes int64) error {
	return errors.Join(f.disk.meet("sendOut", f.path), f.file.sendOut(offset, bytes))
}

func (f *faultyFile) sync() error { return errors.Join(f.disk.meet("sync", f.path), f.file.sync()) }

func (f *faultyFile) close() error { return errors.Join(f.file.close(), f.disk.meet("close", f.path)) }

func openFaulty(t *testing.T, options Options) (*Store, *faultyDisk) {
	t.Helper()
	disk := newFaultyDisk()
	s, err := open(t.TempDir(), options, disk)
	if err != nil {
		t.Fatal(err)
	}
	return s, disk
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func wantTrace(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: the disk saw\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// TestSystemCalls states what a small blob costs, and in which order it becomes durable.
func TestSystemCalls(t *testing.T) {
	s, disk := openFaulty(t, Options{Sync: true})
	root := filepath.Base(s.dir)
	wantTrace(t, "Open", disk.take(), []string{
		"remove epoch.new", "create epoch.new", "write epoch.new", "sync epoch.new", "close epoch.new", "syncDir " + root,
	})
	content := blobtest.Bytes(1, 4096)
	first := mustPut(t, s, content)
	name, dir := fileName(first), dirName(first)
	wantTrace(t, "first blob", disk.take(), []string{
		"create " + name, "mkdir " + dir, "create " + name, "write " + name, "sync " + name, "close " + name,
		"syncDir " + dir, "syncDir " + root,
	})
	second := mustPut(t, s, content)
	wantTrace(t, "second blob", disk.take(), []string{
		"create " + fileName(second), "write " + fileName(second), "sync " + fileName(second),
		"close " + fileName(second), "syncDir " + dir,
	})
	for _, r := range [][2]int64{{0, 4096}, {0, 0}, {4095, 1}, {1, 4000}} {
		if _, err := blobtest.Get(s, first, r[0], r[1], 0); err != nil {
			t.Fatal(err)
		}
		wantTrace(t, fmt.Sprintf("read of %d bytes at %d", r[1], r[0]), disk.take(),
			[]string{"open " + name, "size " + name, "read " + name, "read " + name, "close " + name})
	}
}

// TestSendOut: the disk begins with a large blob while that arrives.
func TestSendOut(t *testing.T) {
	s, disk := openFaulty(t, Options{Sync: true})
	mustPut(t, s, nil) // makes the directory
	disk.take()
	name := fileName(mustPut(t, s, blobtest.Bytes(1, 2*sendOutBytes+1)))
	var calls []string
	for _, call := range disk.take() {
		if call == "sendOut "+name || call == "sync "+name {
			calls = append(calls, call)
		}
	}
	wantTrace(t, "a blob of 2 MiB and one byte", calls, []string{"sendOut " + name, "sendOut " + name, "sync " + name})
}

func TestNoSyncCalls(t *testing.T) {
	s, disk := openFaulty(t, Options{})
	mustPut(t, s, blobtest.Bytes(1, 2<<20))
	for _, call := range disk.take() {
		if strings.HasPrefix(call, "sync") || strings.HasPrefix(call, "sendOut") {
			t.Errorf("without Sync the store calls %s", call)
		}
	}
}

// TestCommitFails: a blob whose bytes could not be written, or made durable, is an error and leaves nothing behind.
func TestCommitFails(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
		for _, operation := range []string{"create", "preallocate", "write", "sendOut", "sync", "close"} {
			s, disk := openFaulty(t, Options{Sync: true})
			disk.fail(operation, fileSuffix, fault)
			id, err := blobtest.Put(s, blobtest.Bytes(1, 3<<20), 3<<20, 100_000)
			wantError(t, "put, failing to "+operation, err, fault)
			if paths := blobFiles(t, s.dir); len(paths) > 0 || len(s.writing) > 0 {
				t.Errorf("put, failing to %s, leaves %v behind (blob %s)", operation, paths, id)
			}
			disk.fail(operation, fileSuffix, nil)
			content := blobtest.Bytes(2, 1000)
			got, err := blobtest.Get(s, mustPut(t, s, content), 0, 1000, 0)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("the store after a failure to %s: %v", operation, err)
			}
		}
	}
}

// TestCommitAfterFailedWrite: a caller that overlooks the error of Write meets it again.
func TestCommitAfterFailedWrite(t *testing.T) {
	s, disk := openFaulty(t, Options{})
	w, err := s.Create(context.Background(), -1)
	if err != nil {
		t.Fatal(err)
	}
	disk.fail("write", "", syscall.ENOSPC)
	_, err = w.Write(make([]byte, 1<<20))
	wantError(t, "Write", err, syscall.ENOSPC)
	disk.fail("write", "", nil)
	_, err = w.Write([]byte("more"))
	wantError(t, "Write after a failed Write", err, syscall.ENOSPC)
	wantError(t, "Commit after a failed Write", w.Commit(), syscall.ENOSPC)
	if paths := blobFiles(t, s.dir); len(paths) > 0 {
		t.Errorf("left behind: %v", paths)
	}
}

// TestSyncFails: what was lost with a failed fsync of a directory is not found durable by a later one that succeeds.
func TestSyncFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		suffix func(*Store) string
	}{
		{"Directory", func(*Store) string { return "-0000000000000" }},
		{"Parent", func(s *Store) string { return s.dir }},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			s, disk := openFaulty(t, Options{Sync: true})
			var ids []blob.ID
			for range 2 {
				w, err := s.Create(ctx, 1)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Commit(); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, w.ID())
			}
			disk.fail("syncDir", test.suffix(s), syscall.EIO)
			wantError(t, "Sync", s.Sync(ctx, ids[:1]), syscall.EIO)
			disk.fail("syncDir", test.suffix(s), nil)
			wantError(t, "Sync of the same blob", s.Sync(ctx, ids[:1]), syscall.EIO)
			wantError(t, "Sync of its neighbour", s.Sync(ctx, ids[1:]), syscall.EIO)
			if err := s.Delete(ctx, ids); err != nil {
				t.Errorf("Delete: %v", err)
			}
			next := mustPut(t, s, []byte("x"))
			if dirName(next) == dirName(ids[0]) {
				t.Errorf("the next blob is put into %s, which could not be synced", dirName(next))
			}
		})
	}
}

func TestReadFails(t *testing.T) {
	s, disk := openFaulty(t, Options{})
	id := mustPut(t, s, blobtest.Bytes(1, 5*BlockSize))
	for _, operation := range []string{"open", "read", "size"} {
		disk.fail(operation, "", syscall.EIO)
		_, err := blobtest.Get(s, id, 0, 5*BlockSize, 0)
		wantError(t, "read, failing to "+operation, err, syscall.EIO)
		wantError(t, "Verify, failing to "+operation, s.Verify(context.Background(), id), syscall.EIO)
		if errors.Is(err, blob.ErrCorrupt) || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("a disk that fails to %s is taken for a damaged blob: %v", operation, err)
		}
		disk.fail(operation, "", nil)
	}
}

// TestShortReads: a file system that returns less than was asked for is not taken for the end of the file.
func TestShortReads(t *testing.T) {
	s, disk := openFaulty(t, Options{})
	for _, size := range []int{0, 1, 4096, BlockSize, 3*BlockSize + 9} {
		content := blobtest.Bytes(1, size)
		id := mustPut(t, s, content)
		for _, disk.piece = range []int{41, 44, 1000, frameBytes + footerBytes} {
			got, err := blobtest.Get(s, id, 0, int64(size), 0)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, read in pieces of %d: %v", size, disk.piece, err)
			}
		}
	}
}

// TestReservationIsGivenBack where fewer bytes came than were announced.
func TestReservationIsGivenBack(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	taken := func(id blob.ID) int64 {
		var stat syscall.Stat_t
		if err := syscall.Stat(s.path(id), &stat); err != nil {
			t.Fatal(err)
		}
		return stat.Blocks * 512
	}
	w, err := s.Create(context.Background(), 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	if taken(w.ID()) < 8<<20 {
		t.Log("this file system reserves nothing")
	}
	if _, err := w.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := taken(w.ID()); n > 1<<20 {
		t.Errorf("a blob of 1,000 bytes takes %d of the disk", n)
	}
}

// TestOpenFiles: neither readers nor writers, nor their failures, leave a descriptor open.
func TestOpenFiles(t *testing.T) {
	count := func() int {
		entries, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	s, disk := openFaulty(t, Options{Sync: true})
	before := count()
	id := mustPut(t, s, blobtest.Bytes(1, 10*BlockSize))
	for _, operation := range []string{"none", "create", "preallocate", "write", "sync", "close", "read", "size"} {
		disk.fail(operation, fileSuffix, syscall.EIO)
		_, _ = blobtest.Put(s, make([]byte, 2<<20), 2<<20, 1<<20)
		_, _ = blobtest.Get(s, id, 100, 9*BlockSize, 0)
		_ = s.Verify(context.Background(), id)
		disk.fail(operation, fileSuffix, nil)
		if r, err := s.Open(context.Background(), id, 0, 10*BlockSize); err != nil || r.Close() != nil {
			t.Errorf("Open and Close: %v", err)
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}
