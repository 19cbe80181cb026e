package backend

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
)

func TestGetObjectRanges(t *testing.T) {
	f := open(t)
	single := noise(200_006, 1)
	f.put("single", single)
	pieces := f.putPieces("multi", 70_000, 1, 0, 130_000, 5)
	for _, test := range []struct {
		key     meta.Key
		content []byte
	}{{"single", single}, {"multi", pieces}} {
		size := int64(len(test.content))
		for _, rng := range []Range{
			{0, size},
			{0, 1},
			{0, 0},
			{size, 0},
			{size - 1, 1},
			{69_999, 3}, // across segments
			{70_000, 1}, // all of a segment
			{70_001, 130_000},
			{65_535, 2}, // across blocks
			{100, size - 200},
		} {
			got, err := f.tryGet(test.key, func(meta.Object) (Selection, error) { return Selection{Range: rng}, nil })
			if err != nil || !bytes.Equal(got, test.content[rng.Offset:rng.Offset+rng.Size]) {
				t.Errorf("%s, %+v: %d bytes, error %v", test.key, rng, len(got), err)
			}
		}
		for _, rng := range []Range{{-1, 1}, {0, -1}, {0, size + 1}, {size, 1}, {1, size}, {1 << 62, 1 << 62}} {
			if _, err := f.tryGet(test.key, func(meta.Object) (Selection, error) { return Selection{Range: rng}, nil }); !errors.Is(err, ErrInvalidRange) {
				t.Errorf("%s, %+v: %v, want an invalid range", test.key, rng, err)
			}
		}
	}
}

func TestGetObjectEndsWithTheErrorOfItsChoice(t *testing.T) {
	f, mine := open(t), errors.New("mine")
	f.put("k", []byte("content"))
	if _, err := f.tryGet("k", func(meta.Object) (Selection, error) { return Selection{}, mine }); !errors.Is(err, mine) {
		t.Error(err)
	}
}

func TestGetObjectOfNothing(t *testing.T) {
	f := open(t)
	if _, err := f.tryGet("k", whole); !errors.Is(err, meta.ErrNoSuchKey) {
		t.Error(err)
	}
	if _, _, err := f.GetObject(background, "none", "k", "", whole); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Error(err)
	}
}

// TestGetObjectGoesOnWhenTheObjectChanges begins a download, changes the object, deletes all garbage, and reads on. The
// old bytes come to their end, and are gone from the disk afterwards.
func TestGetObjectGoesOnWhenTheObjectChanges(t *testing.T) {
	changes := map[string]func(f *fixture){
		"overwritten": func(f *fixture) { f.put("k", []byte("new")) },
		"deleted":     func(f *fixture) { f.delete("k") },
		"deleted with its bucket": func(f *fixture) {
			f.delete("k")
			if err := f.DeleteBucket(background, "b"); err != nil {
				f.t.Error(err)
			}
		},
	}
	kinds := map[string]func(f *fixture) []byte{
		"one blob": func(f *fixture) []byte { content := noise(900_000, 1); f.put("k", content); return content },
		"many blobs": func(f *fixture) []byte {
			return f.putPieces("k", 400_000, 100_000, 7, 400_000)
		},
	}
	for kind, prepare := range kinds {
		for change, do := range changes {
			t.Run(kind+" "+change, func(t *testing.T) {
				f := open(t)
				content := prepare(f)
				_, reader, err := f.GetObject(background, "b", "k", "", whole)
				if err != nil {
					t.Fatal(err)
				}
				head := make([]byte, 10)
				if _, err := io.ReadFull(reader, head); err != nil {
					t.Fatal(err)
				}
				do(f)
				f.garbage.wait()
				rest, err := io.ReadAll(reader)
				if err != nil || !bytes.Equal(append(head, rest...), content) {
					t.Errorf("%d of %d bytes, error %v", len(head)+len(rest), len(content), err)
				}
				if err := reader.Close(); err != nil {
					t.Error(err)
				}
				f.wantNoOrphans()
			})
		}
	}
}

// TestGetObjectStartsAgainWhenTheObjectIsReplacedBeforeItIsOpened replaces the object between its row and its blobs.
func TestGetObjectStartsAgainWhenTheObjectIsReplacedBeforeItIsOpened(t *testing.T) {
	f := open(t)
	for _, prepare := range []func(){
		func() { f.put("k", noise(1000, 1)) },
		func() { f.putPieces("k", 1000, 1000) },
	} {
		prepare()
		tries := 0
		got, err := f.tryGet("k", func(o meta.Object) (Selection, error) {
			if tries++; tries == 1 {
				f.put("k", []byte("new"))
				f.garbage.wait()
			}
			return whole(o)
		})
		if err != nil || string(got) != "new" || tries != 2 {
			t.Errorf("%d bytes after %d tries, error %v", len(got), tries, err)
		}
	}
}

func TestGetObjectGivesUpWhenTheObjectNeverStandsStill(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	_, err := f.tryGet("k", func(o meta.Object) (Selection, error) {
		f.put("k", noise(1000, 1))
		f.garbage.wait()
		return whole(o)
	})
	if !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}

// TestManyDownloadsPinTheSameBlobs has two downloads of one deleted object: the blobs go with the second.
func TestManyDownloadsPinTheSameBlobs(t *testing.T) {
	f := open(t, inFiles)
	content := f.putPieces("k", 1000, 2000, 3000)
	var readers [2]io.ReadCloser
	for i := range readers {
		var err error
		if _, readers[i], err = f.GetObject(background, "b", "k", "", whole); err != nil {
			t.Fatal(err)
		}
	}
	f.delete("k")
	for i, reader := range readers {
		f.garbage.wait()
		if n := len(f.blobIDs()); n != 3 {
			t.Errorf("before download %d ends %d blobs are on disk, want 3", i, n)
		}
		var out bytes.Buffer
		if _, err := io.Copy(&out, reader); err != nil || !bytes.Equal(out.Bytes(), content) {
			t.Errorf("%d bytes, error %v", out.Len(), err)
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
	f.wantNoOrphans()
}

// TestADownloadThatOutlivesTheStore ends after Close: what it pinned is deleted by the next start.
func TestADownloadThatOutlivesTheStore(t *testing.T) {
	f := open(t, inFiles)
	f.putPieces("k", 1000, 2000)
	_, reader, err := f.GetObject(background, "b", "k", "", whole)
	if err != nil {
		t.Fatal(err)
	}
	f.delete("k")
	f.finished = true // its garbage is still there
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if report := f.check(); report.Unswept != 2 {
		t.Errorf("%d blobs wait for their deletion, want 2", report.Unswept)
	}
	again := openWith(t, f.options)
	again.wantCollected()
}
