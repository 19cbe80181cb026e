package packs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
	"github.com/plimsoll/plimsoll/backend/blob/files"
)

// TestConcurrently: many write, sync and read at once on a disk that fails now and then. What a Sync has answered for is
// there after a power cut, and files are used as they are to be: see strictFile.
func TestConcurrently(t *testing.T) {
	large, err := files.Open(filepath.Join(t.TempDir(), "files"), files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testConcurrently(t, large, seed) })
	}
}

func testConcurrently(t *testing.T, large blob.ByID, seed uint64) {
	d := &strictDisk{memoryDisk: newMemoryDisk(), t: t, seldom: 8 << seed}
	dir := t.TempDir()
	options := Options{Sync: true, PackBytes: 1 << 20, Threshold: 100_000}
	s, err := open(dir, stillOpen{large, 1}, options, d)
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu       sync.Mutex
		answered = make(map[blob.Ref]uint64) // with the seeds of their bytes
		clients  sync.WaitGroup
	)
	for client := range uint64(12) {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(seed, client))
			for round := range uint64(30) {
				var refs []blob.Ref
				of := client<<32 | round
				for range 1 + random.IntN(4) {
					content := blobtest.Bytes(of, 1+random.IntN(100_000))
					w, err := s.Create(background, int64(len(content)))
					if err == nil {
						_, err = w.Write(content)
					}
					if err == nil {
						err = w.Commit()
					}
					if err != nil {
						if !errors.Is(err, syscall.EIO) {
							t.Error(err)
						}
						continue
					}
					refs = append(refs, blob.Ref{ID: w.ID(), Size: int64(len(content)), Place: w.Place()})
				}
				if random.IntN(4) == 0 && len(refs) > 0 {
					_ = s.Verify(background, refs[0]) // writes it, if its pack has not failed
				}
				if random.IntN(8) == 0 {
					continue // nobody syncs them
				}
				if err := s.Sync(background, refs); err != nil {
					if !errors.Is(err, syscall.EIO) {
						t.Error(err)
					}
					continue
				}
				mu.Lock()
				for _, ref := range refs {
					answered[ref] = of
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	after := d.crashed(true)
	if seed%2 == 0 {
		if err := s.Close(); err != nil && !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		after = d.crashed(true)
		d.mu.Lock()
		for _, f := range d.all {
			if !f.closed.Load() {
				t.Errorf("%s is not closed", f.path)
			}
		}
		d.mu.Unlock()
	}
	crashed, err := open(dir, stillOpen{large, 2}, options, after)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, crashed)
	for ref, of := range answered {
		wantContent(t, crashed, ref, blobtest.Bytes(of, int(ref.Size)))
	}
}

// strictDisk is a disk in memory that fails once in a while, and of which a power cut takes what was written after the last
// sync has begun.
type strictDisk struct {
	*memoryDisk
	t      *testing.T
	seldom int // one operation in so many fails

	mu  sync.Mutex
	all []*strictFile
}

func (d *strictDisk) create(path string) (file, error) {
	f, err := d.memoryDisk.create(path)
	if err != nil {
		return nil, err
	}
	strict := &strictFile{memoryFile: f.(*memoryFile), disk: d, path: path}
	d.mu.Lock()
	d.all = append(d.all, strict)
	d.mu.Unlock()
	return strict, nil
}

func (d *strictDisk) meets() error {
	time.Sleep(rand.N(200 * time.Microsecond))
	if rand.IntN(d.seldom) == 0 {
		return syscall.EIO
	}
	return nil
}

// strictFile is written by one at a time and synced by one at a time, and closed once, when nobody uses it.
type strictFile struct {
	*memoryFile
	disk             *strictDisk
	path             string
	writing, syncing atomic.Bool
	closed           atomic.Bool
}

func (f *strictFile) use(by *atomic.Bool, what string) func() {
	if f.closed.Load() {
		f.disk.t.Errorf("%s of %s, which is closed", what, f.path)
	}
	if !by.CompareAndSwap(false, true) {
		f.disk.t.Errorf("two at once %s %s", what, f.path)
	}
	return func() {
		if f.closed.Load() {
			f.disk.t.Errorf("%s was closed during %s", f.path, what)
		}
		by.Store(false)
	}
}

func (f *strictFile) writeAt(vectors [][]byte, offset int64) error {
	defer f.use(&f.writing, "write")()
	if err := f.disk.meets(); err != nil {
		return err
	}
	return f.memoryFile.writeAt(vectors, offset)
}

func (f *strictFile) sendOut(int64, int64) error {
	defer f.use(&f.writing, "write")()
	return f.disk.meets()
}

func (f *strictFile) sync() error {
	defer f.use(&f.syncing, "sync")()
	f.memoryFile.mu.Lock()
	content := bytes.Clone(f.content)
	f.memoryFile.mu.Unlock()
	if err := f.disk.meets(); err != nil {
		return err
	}
	f.memoryFile.mu.Lock()
	f.synced = content
	f.memoryFile.mu.Unlock()
	return nil
}

func (f *strictFile) close() error {
	if f.writing.Load() || f.syncing.Load() || !f.closed.CompareAndSwap(false, true) {
		f.disk.t.Errorf("%s is closed twice, or while it is used", f.path)
	}
	return nil
}
