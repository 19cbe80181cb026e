package backend

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// crashed copies the data directory while the store is open: what a new start would find if the process died now.
func (f *fixture) crashed() Options {
	f.t.Helper()
	dir := f.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(f.options.Dir)); err != nil {
		f.t.Fatal(err)
	}
	return Options{Dir: dir, NoSync: true}
}

// orphan writes a blob that nothing refers to; one that is not whole, where it is left unfinished.
func (f *fixture) orphan(finish bool) {
	f.t.Helper()
	w, err := f.blobs.Create(background, 300_000)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := w.Write(noise(300_000, 5)); err != nil {
		f.t.Fatal(err)
	}
	if !finish {
		f.t.Cleanup(w.Abort)
		return
	}
	if err := w.Commit(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := f.blobs.Delete(background, []blob.Ref{{ID: w.ID(), Size: 300_000, Place: w.Place()}}); err != nil {
			f.t.Error(err)
		}
	})
}

func TestAfterACrashOrphansAreSweptAndGarbageIsCollected(t *testing.T) {
	f := open(t, inFiles)
	f.put("kept", noise(1000, 1))
	id := f.createUpload("up", meta.Upload{})
	part := f.part("up", id, 1, noise(2000, 2))
	// Garbage that a download keeps, a body that is arriving, and one that has arrived and is not yet referred to.
	f.putPieces("deleted", 1000, 2000, 3000)
	_, reader, err := f.GetObject(background, "b", "deleted", "", whole)
	if err != nil {
		t.Fatal(err)
	}
	f.delete("deleted")
	f.orphan(true)
	f.orphan(false)
	f.garbage.wait()
	options := f.crashed()

	report, err := Check(background, options.Dir, true)
	if err != nil || len(report.Problems) > 0 || report.Unswept != 5 {
		t.Errorf("before the next start: %+v, error %v; want 5 blobs to be swept", report, err)
	}
	again := openWith(t, options)
	again.wantCollected()
	again.wantContent("kept", noise(1000, 1))
	if _, err := again.tryComplete("up", id, part); err != nil {
		t.Error(err)
	}
	again.wantContent("up", noise(2000, 2))
	again.wantUsage(bucketB, quota.Usage{Bytes: 3000, Objects: 2})

	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Error(err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

// TestACleanStopIsMarked, since only a start that finds a mark sweeps.
func TestACleanStopIsMarked(t *testing.T) {
	f := open(t)
	mark := filepath.Join(f.options.Dir, dirtyMark)
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("an open store is not marked: %v", err)
	}
	f.finish()
	if _, err := os.Stat(mark); !os.IsNotExist(err) {
		t.Errorf("a store that was closed is marked: %v", err)
	}
}

// TestASweepLeavesWhatIsWrittenNow sweeps while a body arrives.
func TestASweepLeavesWhatIsWrittenNow(t *testing.T) {
	f := open(t)
	f.put("k", noise(10, 1))
	content := noise(1000, 2)
	b := Body{Size: 1000, Reader: &prefixed{hook: hook{do: func() {
		swept, err := f.sweep(background)
		if err != nil || swept != 0 {
			t.Errorf("%d blobs were swept, error %v", swept, err)
		}
	}}, content: content}}
	if _, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "l", Body: b}); err != nil {
		t.Fatal(err)
	}
	f.wantContent("k", noise(10, 1))
	f.wantContent("l", content)
}
