package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/metatest"
)

// TestFailedFlush fails the transactions of flushes at each point where they can fail, and expects that readers do not
// notice, and that the next flush does what this one has not.
func TestFailedFlush(t *testing.T) {
	for _, test := range []struct {
		name   string
		commit func(*bbolt.Tx) error
		want   error
	}{
		{"before anything is written", func(tx *bbolt.Tx) error {
			return errors.Join(syscall.EROFS, tx.Rollback())
		}, syscall.EROFS},
		{"failed, and yet persisted", func(tx *bbolt.Tx) error {
			return errors.Join(tx.Commit(), syscall.EIO)
		}, syscall.EIO},
		{"cause as text", func(tx *bbolt.Tx) error {
			return errors.Join(tx.Rollback(), errors.New("file resize error: "+syscall.EDQUOT.Error()))
		}, syscall.EDQUOT},
		{"panic before", func(*bbolt.Tx) error { panic("page 5 already freed") }, meta.ErrCorrupt},
		{"panic after", func(tx *bbolt.Tx) error { _ = tx.Commit(); panic("late") }, meta.ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := fresh(t, Options{Sync: true})
			must(t, r, createBucket("b"), put("k", 1, 10))
			for round := range 3 {
				must(t, r, put(fmt.Sprint("round ", round), 100+round, 1), meta.DeleteObject{Bucket: "b", Key: "k"})
				want := state(t, r)
				r.commitTx = test.commit
				for range 2 {
					if err := r.flushAll(); !errors.Is(err, test.want) {
						t.Fatalf("flush: %v", err)
					}
					if got := state(t, r); got != want {
						t.Errorf("after the failure\n%s\nwant\n%s", got, want)
					}
				}
				r.commitTx = (*bbolt.Tx).Commit
				if round > 0 {
					must(t, r, put("k", 10+round, 10))
					want = state(t, r)
				}
				if err := r.flushAll(); err != nil {
					t.Fatal(err)
				}
				metatest.Recount(t, r)
				if got := state(t, r); got != want {
					t.Errorf("after the flush\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

// TestUnusable takes the database away before a flush after which it must be opened again. What was committed is in the
// journal for the next start.
// TestWalkMakesWay: a walk that rests between its pages does not hold up the opening of the database after a failed flush, and
// with it all reads.
func TestWalkMakesWay(t *testing.T) {
	r := fresh(t, Options{Sync: true})
	must(t, r, createBucket("b"))
	for i := range walkPage + 1 {
		must(t, r, put(fmt.Sprint("k", i), 1+i, 1))
	}
	r.commitTx = func(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), syscall.EIO) } // persisted all the same
	flushed := make(chan error, 1)
	pages := 0
	err := r.WalkVersions(context.Background(), "b", "", func([]meta.VersionEntry) error {
		pages++
		if pages == 1 {
			go func() { flushed <- r.flushAll() }()
			for !r.reopening.Load() {
				runtime.Gosched()
			}
		}
		return nil
	})
	if !errors.Is(err, errReopening) || pages != 1 {
		t.Errorf("the walk ended after %d pages with %v", pages, err)
	}
	if err := <-flushed; !errors.Is(err, syscall.EIO) {
		t.Errorf("flush: %v", err)
	}
	r.commitTx = (*bbolt.Tx).Commit
	if err := r.WalkVersions(context.Background(), "b", "", func([]meta.VersionEntry) error { return nil }); err != nil {
		t.Errorf("the next walk: %v", err)
	}
}

func TestUnusable(t *testing.T) {
	r := fresh(t, Options{})
	must(t, r, createBucket("b"))
	away := r.path + ".away"
	r.commitTx = func(tx *bbolt.Tx) error {
		return errors.Join(tx.Commit(), os.Rename(r.path, away), os.Mkdir(r.path, 0o700), syscall.EIO)
	}
	if err := r.flushAll(); !errors.Is(err, syscall.EIO) {
		t.Errorf("flush: %v", err)
	}
	for range 2 {
		if _, err := r.Commit(background, []meta.Mutation{put("k", 1, 1)}); !errors.Is(err, syscall.EIO) {
			t.Errorf("Commit: %v", err)
		}
		if _, err := r.Buckets(background); !errors.Is(err, syscall.EIO) {
			t.Errorf("Buckets: %v", err)
		}
	}
	if err := errors.Join(r.Close(), os.Remove(r.path), os.Rename(away, r.path)); err != nil {
		t.Fatal(err)
	}
	again := open(t, r.path, Options{})
	defer again.Close()
	metatest.Recount(t, again)
	if _, err := again.Bucket(background, "b"); err != nil {
		t.Error(err)
	}
}

// childEnv names the directory in which a child process runs out of space.
const childEnv = "PLIMSOLL_TEST_FULL"

// child runs fillDisk where the process was started for that.
func child() bool {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return false
	}
	if err := fillDisk(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return true
}

func runChild(t *testing.T, dir string, env ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+dir), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	r := open(t, filepath.Join(dir, "meta.db"), Options{})
	defer r.Close()
	metatest.Recount(t, r)
}

// TestFileSizeLimit has the kernel refuse to grow the file beyond a size: bbolt fails in Truncate.
func TestFileSizeLimit(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs RLIMIT_FSIZE")
	}
	runChild(t, t.TempDir(), "PLIMSOLL_TEST_FSIZE=1")
}

// TestFullDisk runs on a file system that is full: bbolt fails in WriteAt.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).Run(); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	defer func() {
		if err := exec.Command("umount", dir).Run(); err != nil {
			t.Errorf("umount: %v", err)
		}
	}()
	runChild(t, dir)
}

// shortage is a way to run out of space, and what makes room for the deletes that come then.
type shortage struct {
	want    error
	options Options
	row     int // bytes of attributes in a row, so that it does not take so many
	relief  func() error
}

func newShortage(dir string) (shortage, error) {
	if os.Getenv("PLIMSOLL_TEST_FSIZE") == "" {
		ballast := filepath.Join(dir, "ballast")
		return shortage{
			want: syscall.ENOSPC, options: Options{Sync: true},
			relief: func() error { return os.Remove(ballast) },
		}, os.WriteFile(ballast, make([]byte, 512<<10), fileMode)
	}
	// bbolt grows its file by 16 MiB at a time: once is allowed.
	const limit = 17 << 20
	return shortage{
		want: syscall.EFBIG, row: 2000,
		relief: func() error { return limitFileSize(2 * limit) },
	}, limitFileSize(limit)
}

// fillDisk puts objects until there is no room, makes some, deletes, and puts again.
func fillDisk(dir string) error {
	s, err := newShortage(dir)
	if err != nil {
		return err
	}
	r, err := Open(filepath.Join(dir, "meta.db"), s.options)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Commit(background, []meta.Mutation{createBucket("b")}); err != nil {
		return err
	}
	stored, err := s.fill(r)
	if err != nil {
		return err
	}
	if err := s.relief(); err != nil {
		return err
	}
	for i := range stored {
		m := []meta.Mutation{meta.DeleteObject{Bucket: "b", Key: meta.Key(fmt.Sprintf("%06d", i))}}
		results, err := r.Commit(background, m)
		if err != nil {
			return fmt.Errorf("delete %d of %d: %w", i, stored, err)
		}
		if _, err := r.Commit(background, []meta.Mutation{meta.ForgetGarbage{Blobs: []meta.BlobID{results[0].Garbage[0].Blob}}}); err != nil {
			return fmt.Errorf("forget %d of %d: %w", i, stored, err)
		}
	}
	_, err = r.Commit(background, []meta.Mutation{put("again", 1<<24, 1)})
	return err
}

// fill puts objects until that has failed five times, and returns how many are stored.
func (s shortage) fill(r *Repository) (stored int, err error) {
	attributes := map[string]string{"x": strings.Repeat("x", s.row)}
	for failures := 0; failures < 5; {
		var batch []meta.Mutation
		for i := range 50 {
			m := put(fmt.Sprintf("%06d", stored+i), stored+i+1, 1)
			m.Object.Attributes.User = attributes
			batch = append(batch, m)
		}
		if _, err := r.Commit(background, batch); err == nil {
			stored += len(batch)
			if stored > 1e6 {
				return 0, errors.New("the disk does not fill up")
			}
			continue
		} else if !errors.Is(err, s.want) {
			return 0, fmt.Errorf("the error does not wrap %w: %w", s.want, err)
		} else if errors.Is(s.want, syscall.EFBIG) && !strings.Contains(err.Error(), "file resize error") {
			return 0, fmt.Errorf("not the error of growing the file: %w", err)
		}
		failures++
		if accounts, err := r.Accounts(background); err != nil || accounts[1].Usage.Objects != int64(stored) {
			return 0, fmt.Errorf("%d stored, accounts %+v, %w", stored, accounts, err)
		}
		if _, err := r.Stat(background, "b", meta.Key(fmt.Sprintf("%06d", stored))); !errors.Is(err, meta.ErrNoSuchKey) {
			return 0, fmt.Errorf("stat of what was not committed: %w", err)
		}
	}
	return stored, nil
}
