package bolt

import (
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

// TestFailedCommit fails commits at each point where they can fail, and expects that none is stored, now or after the
// file is opened again, and that the repository goes on.
func TestFailedCommit(t *testing.T) {
	for _, test := range []struct {
		name   string
		commit func(*bbolt.Tx) error
		want   error
	}{
		{"before anything is written", func(tx *bbolt.Tx) error {
			return errors.Join(syscall.ENOSPC, tx.Rollback())
		}, syscall.ENOSPC},
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
			for round := range 3 { // both meta pages have their turn
				must(t, r, put(fmt.Sprint("round ", round), 100+round, 1))
				r.commitTx = test.commit
				_, err := r.Commit(background, []meta.Mutation{
					put("lost", 2, 20), meta.DeleteObject{Bucket: "b", Key: "k"}, createBucket("lost"),
				})
				if !errors.Is(err, test.want) {
					t.Fatalf("Commit: %v", err)
				}
				r.commitTx = (*bbolt.Tx).Commit
				metatest.Recount(t, r)
				if _, err := r.Stat(background, "b", "lost"); !errors.Is(err, meta.ErrNoSuchKey) {
					t.Errorf("Stat of what was not committed: %v", err)
				}
			}
			must(t, r, put("after", 3, 30))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			r = open(t, r.path, Options{})
			defer r.Close()
			metatest.Recount(t, r)
			if _, err := r.Stat(background, "b", "after"); err != nil {
				t.Errorf("Stat: %v", err)
			}
			if _, err := r.Bucket(background, "lost"); !errors.Is(err, meta.ErrNoSuchBucket) {
				t.Errorf("Bucket: %v", err)
			}
		})
	}
}

// TestUnusable takes the file away before a commit that must be taken back: nothing can be known then.
func TestUnusable(t *testing.T) {
	r := fresh(t, Options{})
	must(t, r, createBucket("b"))
	r.commitTx = func(tx *bbolt.Tx) error {
		return errors.Join(tx.Commit(), os.Rename(r.path, r.path+".away"), syscall.EIO)
	}
	for range 2 {
		if _, err := r.Commit(background, []meta.Mutation{put("k", 1, 1)}); !errors.Is(err, syscall.EIO) {
			t.Errorf("Commit: %v", err)
		}
		if _, err := r.Buckets(background); !errors.Is(err, syscall.EIO) {
			t.Errorf("Buckets: %v", err)
		}
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

// fillDisk puts objects until there is no room, reads and deletes, and puts again.
func fillDisk(dir string) error {
	full, perBatch, sync := syscall.ENOSPC, 50, true
	if os.Getenv("PLIMSOLL_TEST_FSIZE") != "" {
		// bbolt grows its file by 16 MiB at a time: once is allowed.
		full, perBatch, sync = syscall.EFBIG, 500, false
		if err := limitFileSize(17 << 20); err != nil {
			return err
		}
	}
	r, err := Open(filepath.Join(dir, "meta.db"), Options{Sync: sync})
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.Commit(background, []meta.Mutation{createBucket("b")}); err != nil {
		return err
	}
	stored, failures := 0, 0
	for failures < 5 {
		var batch []meta.Mutation
		for i := range perBatch {
			batch = append(batch, put(fmt.Sprintf("%06d", stored+i), stored+i+1, 1))
		}
		if _, err := r.Commit(background, batch); err == nil {
			stored += len(batch)
			if stored > 1e6 {
				return errors.New("the disk does not fill up")
			}
			continue
		} else if !errors.Is(err, full) {
			return fmt.Errorf("the error does not wrap %w: %w", full, err)
		} else if full == syscall.EFBIG && !strings.Contains(err.Error(), "file resize error") {
			return fmt.Errorf("not the error of growing the file: %w", err)
		}
		failures++
		if accounts, err := r.Accounts(background); err != nil || accounts[1].Usage.Objects != int64(stored) {
			return fmt.Errorf("%d stored, accounts %+v, %w", stored, accounts, err)
		}
		if _, err := r.Stat(background, "b", meta.Key(fmt.Sprintf("%06d", stored))); !errors.Is(err, meta.ErrNoSuchKey) {
			return fmt.Errorf("stat of what was not committed: %w", err)
		}
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
		if i == 300 {
			break
		}
	}
	_, err = r.Commit(background, []meta.Mutation{put("again", 1<<24, 1)})
	return err
}
