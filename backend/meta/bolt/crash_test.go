package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
	"github.com/plimsoll/plimsoll/backend/meta/metatest"
)

// watched is a file system that tells of every step, and fails when it is told to.
type watched struct {
	journal.Disk
	mu   sync.Mutex             // held while files change
	step func(operation string) // called with mu held, between the changes
	fail map[string]error       // by operation; guarded by mu
}

func newWatched() *watched {
	return &watched{step: func(string) {}, fail: make(map[string]error)}
}

func (w *watched) Open(path string) (journal.File, error) {
	f, err := w.Disk.Open(path)
	if err != nil {
		return nil, err
	}
	return watchedFile{f, w}, nil
}

func (w *watched) setFailure(operation string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[operation] = err
}

// commit commits a transaction of a flush.
func (w *watched) commit(tx *bbolt.Tx) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail["flush"]; err != nil {
		return errors.Join(err, tx.Rollback())
	}
	w.step("before a flush")
	err := tx.Commit()
	w.step("flushed")
	return err
}

type watchedFile struct {
	journal.File
	system *watched
}

// WriteAt writes in two steps, and half where it fails.
func (f watchedFile) WriteAt(p []byte, at int64) (n int, err error) {
	f.system.mu.Lock()
	defer f.system.mu.Unlock()
	f.system.step("before a write")
	half := len(p) / 2
	if _, err := f.File.WriteAt(p[:half], at); err != nil {
		return 0, err
	}
	f.system.step("half written")
	if err := f.system.fail["write"]; err != nil {
		return half, err
	}
	if _, err := f.File.WriteAt(p[half:], at+int64(half)); err != nil {
		return half, err
	}
	f.system.step("written")
	return len(p), nil
}

func (f watchedFile) Sync() error {
	f.system.mu.Lock()
	defer f.system.mu.Unlock()
	if err := f.system.fail["sync"]; err != nil {
		return err
	}
	if err := f.File.Sync(); err != nil {
		return err
	}
	f.system.step("synced")
	return nil
}

func (f watchedFile) Truncate(bytes int64) error {
	f.system.mu.Lock()
	defer f.system.mu.Unlock()
	return f.File.Truncate(bytes)
}

// tiny makes every few records switch files, and every few rows a transaction of a flush.
func tiny(o Options) Options {
	o.journalBytes, o.flushRows = 4096+2048, 3
	return o
}

// state is all that a repository holds.
func state(t *testing.T, r *Repository) string {
	t.Helper()
	accounts, err := r.Accounts(background)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v\n%+v", accounts, allRows(t, r))
}

// scripted is the i-th batch of a script in which keys are put, put again, and deleted.
func scripted(i int) []meta.Mutation {
	if i == 0 {
		return []meta.Mutation{createBucket("b")}
	}
	batch := []meta.Mutation{put(fmt.Sprint("key", i%7), 10*i, int64(i)), put(fmt.Sprint("new", i), 10*i+1, 1)}
	if i%3 == 0 {
		batch = append(batch, meta.DeleteObject{Bucket: "b", Key: meta.Key(fmt.Sprint("new", i-1))})
	}
	if i%5 == 0 { // larger than a file of the journal
		large := put("large", 10*i+2, 0)
		large.Object.Attributes.User = map[string]string{"x": strings.Repeat("x", 3000)}
		large.Object.Segments = nil
		batch = append(batch, large)
	}
	return batch
}

// copied is what a crash would have left, after so many commits had returned.
type copied struct {
	path      string
	step      string
	committed int
	durable   bool // the commit under way is durable
}

// TestCrash copies the files at every step of every commit and of every flush, and opens each copy: it holds the batches
// that were acknowledged, and of the one under way all or nothing; all, once its record was synced.
func TestCrash(t *testing.T) {
	const commits = 12
	var (
		dir     = t.TempDir()
		copies  []copied
		system  = newWatched()
		pending copied
		states  []string
		options = tiny(Options{Sync: true})
	)
	options.system = system
	r := open(t, filepath.Join(t.TempDir(), "meta.db"), options)
	r.commitTx = system.commit
	system.step = func(step string) {
		c := pending
		c.step, c.durable = step, c.durable || step == "synced"
		pending.durable = c.durable
		c.path = filepath.Join(dir, fmt.Sprint(len(copies)), "meta.db")
		if err := os.CopyFS(filepath.Dir(c.path), os.DirFS(filepath.Dir(r.path))); err != nil {
			t.Error(err)
		}
		copies = append(copies, c)
	}
	states = append(states, state(t, r))
	for i := range commits {
		must(t, r, scripted(i)...)
		states = append(states, state(t, r))
		system.mu.Lock()
		pending = copied{committed: i + 1}
		system.mu.Unlock()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	steps := make(map[string]int)
	for _, c := range copies {
		again := open(t, c.path, tiny(Options{}))
		got := state(t, again)
		want := slices.Index(states, got)
		if want != c.committed+1 && (want != c.committed || c.durable) {
			t.Errorf("%q after %d commits, durable: %t: the state is that after %d", c.step, c.committed, c.durable, want)
		}
		metatest.Recount(t, again)
		if want > 0 {
			must(t, again, put("key0", 99_999, 1)) // it goes on
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		steps[c.step]++
	}
	for _, step := range []string{"before a write", "half written", "written", "synced", "before a flush", "flushed"} {
		if steps[step] < commits {
			t.Errorf("%q was seen %d times", step, steps[step])
		}
	}
}

// TestKilledWithoutSync checks that what is committed without Sync is in the files, for a process that is killed.
func TestKilledWithoutSync(t *testing.T) {
	r := fresh(t, Options{})
	for i := range 10 {
		must(t, r, scripted(i)...)
	}
	path := filepath.Join(t.TempDir(), "copy", "meta.db")
	if err := os.CopyFS(filepath.Dir(path), os.DirFS(filepath.Dir(r.path))); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, Options{})
	defer again.Close()
	if got, want := state(t, again), state(t, r); got != want {
		t.Errorf("the copy has\n%s\nwant\n%s", got, want)
	}
}

// TestFailedAppend fails the journal under commits: none of a failed batch is stored, now or after the files are opened
// again, and the repository goes on.
func TestFailedAppend(t *testing.T) {
	for _, operation := range []string{"write", "sync"} {
		for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
			for _, closed := range []bool{false, true} { // while the failure lasts
				t.Run(fmt.Sprintf("%s/%v/closed=%t", operation, cause, closed), func(t *testing.T) {
					testFailedAppend(t, operation, cause, closed)
				})
			}
		}
	}
}

func testFailedAppend(t *testing.T, operation string, cause error, closed bool) {
	system := newWatched()
	options := Options{Sync: true, system: system}
	r := open(t, filepath.Join(t.TempDir(), "meta.db"), options)
	must(t, r, createBucket("b"), put("k", 1, 10))
	before := state(t, r)
	system.setFailure(operation, cause)
	for range 2 {
		_, err := r.Commit(background, []meta.Mutation{put("lost", 2, 20), meta.DeleteObject{Bucket: "b", Key: "k"}})
		if !errors.Is(err, cause) {
			t.Fatalf("Commit: %v", err)
		}
		if got := state(t, r); got != before {
			t.Fatalf("after the failure\n%s\nwant\n%s", got, before)
		}
	}
	want := before
	if !closed {
		system.setFailure(operation, nil)
		must(t, r, put("after", 3, 30))
		want = state(t, r)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, r.path, Options{})
	defer r.Close()
	if got := state(t, r); got != want {
		t.Errorf("after the restart\n%s\nwant\n%s", got, want)
	}
	must(t, r, put("later", 4, 40))
	metatest.Recount(t, r)
}

// TestFlushFails has flushes fail until the journal is full. Commits fail with the cause then, and readers do not notice;
// when flushes work again, so do commits.
func TestFlushFails(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		t.Run(cause.Error(), func(t *testing.T) {
			system := newWatched()
			options := tiny(Options{Sync: true})
			options.system = system
			r := open(t, filepath.Join(t.TempDir(), "meta.db"), options)
			r.commitTx = system.commit
			system.setFailure("flush", cause)
			committed := 0
			for err := error(nil); err == nil; committed++ {
				if committed > 100 {
					t.Fatal("the journal takes more than it has room for")
				}
				if _, err = r.Commit(background, scripted(committed)); err != nil && !errors.Is(err, cause) {
					t.Fatal(err)
				}
			}
			committed-- // the last has failed
			before := state(t, r)
			metatest.Recount(t, r)
			system.setFailure("flush", nil)
			must(t, r, scripted(committed)...)
			if err := r.flushAll(); err != nil {
				t.Fatal(err)
			}
			want := state(t, r)
			if want == before {
				t.Error("nothing was committed")
			}
			must(t, r, put("unflushed", 5000, 1))
			system.setFailure("flush", syscall.ENOSPC) // Close leaves it to the next start
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = open(t, r.path, Options{})
			defer r.Close()
			if _, err := r.Stat(background, "b", "unflushed"); err != nil {
				t.Error(err)
			}
			must(t, r, meta.DeleteObject{Bucket: "b", Key: "unflushed"})
		})
	}
}

// TestEmptyAfterClose checks that a clean end leaves the next start nothing to replay.
func TestEmptyAfterClose(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "meta.db"), Options{})
	must(t, r, createBucket("b"), put("k", 1, 10))
	want := state(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, r.path, Options{})
	defer r.Close()
	if l := r.layers.Load(); l[0].version != 0 || l[1].rows != nil {
		t.Errorf("%d records were replayed", l[0].version)
	}
	if got := state(t, r); got != want {
		t.Errorf("after the restart\n%s\nwant\n%s", got, want)
	}
}

// TestOpenWithoutJournal takes a file of the journal away, or the database.
func TestOpenWithoutJournal(t *testing.T) {
	for _, test := range []struct{ name, file string }{
		{"first file", ".journal.0"}, {"second file", ".journal.1"}, {"database", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "meta.db")
			r := open(t, path, Options{})
			must(t, r, createBucket("b"))
			if err := errors.Join(r.Close(), os.Remove(path+test.file)); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, Options{}); !errors.Is(err, meta.ErrCorrupt) || !strings.Contains(err.Error(), "journal") {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// TestSnapshots reads while batches are committed and flushed: every read sees whole batches, and no row that was there
// before is gone.
func TestSnapshots(t *testing.T) {
	const (
		keys    = 40
		commits = 60
	)
	r := fresh(t, tiny(Options{}))
	batch := func(i int) []meta.Mutation {
		var all []meta.Mutation
		for k := range keys {
			all = append(all, put(fmt.Sprintf("key %02d", k), i*keys+k, int64(i)))
		}
		return all
	}
	must(t, r, append([]meta.Mutation{createBucket("b")}, batch(0)...)...)
	var (
		readers sync.WaitGroup
		done    = make(chan struct{})
	)
	for range 3 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			last := int64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				page, err := r.List(background, meta.ListRequest{Bucket: "b", Limit: keys + 1})
				if err != nil || len(page.Entries) != keys {
					t.Errorf("%d entries, %v", len(page.Entries), err)
					return
				}
				size := page.Entries[0].Head.Size
				for _, e := range page.Entries {
					if e.Head.Size != size || size < last {
						t.Errorf("%s is of batch %d, the first key of %d, the last read of %d", e.Key, e.Head.Size, size, last)
						return
					}
				}
				last = size
				o, err := r.Stat(background, "b", page.Entries[7].Key)
				if err != nil || o.Size < last {
					t.Errorf("Stat: batch %d, %v, want %d or later", o.Size, err, last)
					return
				}
			}
		}()
	}
	for i := 1; i < commits; i++ {
		must(t, r, batch(i)...)
	}
	close(done)
	readers.Wait()
	metatest.Recount(t, r)
}
