package backend

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/packs"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// tinyPacks are full soon.
func tinyPacks(o *Options) { o.packLength = 64 << 10 }

// flood ends the packs that are there: others write into them until new ones are begun, and are refused. Then it
// compacts all that is worth it.
func (f *fixture) flood() {
	f.t.Helper()
	for range 20 {
		w, err := f.blobs.Create(background, 10_000)
		if err != nil {
			f.t.Error(err)
			return
		}
		_, err = w.Write(noise(10_000, 1))
		if err := errors.Join(err, w.Commit()); err != nil {
			f.t.Error(err)
			return
		}
		refs := []blob.Ref{{ID: w.ID(), Size: 10_000, Place: w.Place()}}
		if err := errors.Join(f.blobs.Sync(background, refs), f.blobs.Delete(background, refs)); err != nil {
			f.t.Error(err)
		}
	}
	if err := f.compact(background); err != nil {
		f.t.Error(err)
	}
}

// packOf returns the pack that the blob of an object is in.
func (f *fixture) packOf(key meta.Key) uint32 {
	f.t.Helper()
	object, err := f.HeadObject(background, "b", key, "")
	if err != nil || len(object.Segments) != 1 {
		f.t.Fatalf("head %q: %d segments, error %v", key, len(object.Segments), err)
	}
	rows, err := f.meta.Blobs(background, []meta.BlobID{object.Segments[0].Blob})
	if err != nil {
		f.t.Fatal(err)
	}
	return packs.PackOf(blob.Place(rows[0].Place))
}

// A blob whose pack fills up while the commit that refers to it is under way is not compacted away. Once the commit has
// answered it is moved like any other.
func TestBlobsInFlightAreNotCompactedAway(t *testing.T) {
	for _, test := range []struct {
		name string
		put  func(f *fixture, content []byte)
	}{
		{"a put", func(f *fixture, content []byte) { f.put("k", content) }},
		{"a part", func(f *fixture, content []byte) {
			id := f.createUpload("k", meta.Upload{})
			part := f.part("k", id, 1, content)
			if _, err := f.tryComplete("k", id, part); err != nil {
				f.t.Error(err)
			}
		}},
		{"a part that is copied from a range", func(f *fixture, content []byte) {
			f.put("source", append(noise(200_000, 4), content...)) // no pack has it
			id := f.createUpload("k", meta.Upload{})
			part, err := f.UploadPartCopy(background, UploadPartCopyInput{
				Source: Source{Bucket: "b", Key: "source"}, Range: &Range{Offset: 200_000, Size: int64(len(content))},
				Bucket: "b", Key: "k", Upload: id, Number: 1,
			})
			if err != nil {
				f.t.Fatal(err)
			}
			named := CompletedPart{Number: 1, ETag: part.ETag}
			if _, err := f.tryComplete("k", id, named); err != nil {
				f.t.Error(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := &faults{}
			f := open(t, tinyPacks, withFaults(x))
			<-f.counted
			floods := 0
			x.set(func() {
				x.before = func(batch []meta.Mutation) error {
					for _, m := range batch {
						switch m := m.(type) {
						case meta.PutObject:
							if m.Key != "k" {
								continue
							}
						case meta.PutPart:
						default:
							continue
						}
						floods++
						f.flood()
					}
					return nil
				}
			})
			content := noise(5000, 2)
			test.put(f, content)
			x.set(func() { x.before = nil })
			if floods != 1 {
				t.Fatalf("%d commits were held, want one", floods)
			}
			f.wantContent("k", content)
			before := f.packOf("k")
			f.flood()
			if f.packOf("k") == before {
				t.Errorf("the pack of the blob is not compacted after its commit")
			}
			f.wantContent("k", content)
		})
	}
}

// A blob of which it is not certain whether metadata refers to it stays until the next start, whatever metadata says.
func TestBlobsOfUncertainCommitsAreNotCompactedAway(t *testing.T) {
	x := &faults{}
	f := open(t, tinyPacks, withFaults(x))
	f.dirtyStop = true
	<-f.counted
	x.set(func() { x.before = func([]meta.Mutation) error { return errors.New("the disk is gone") } })
	if err := f.tryPut("k", noise(5000, 2)); err == nil {
		t.Fatal("the put succeeded")
	}
	x.set(func() { x.before = nil })
	f.flood()
	found := false
	for _, ref := range f.blobRefs() {
		if ref.Size != 5000 {
			continue
		}
		found = true
		if err := f.blobs.Verify(background, ref); err != nil {
			t.Error(err)
		}
	}
	if !found {
		t.Error("the blob is gone: metadata might refer to it after a crash")
	}
}

// The blob of a put that was refused in the transaction keeps no pack.
func TestBlobsOfRefusedCommitsAreCompactedAway(t *testing.T) {
	f := open(t, tinyPacks)
	<-f.counted
	content := noise(5000, 2)
	_, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: "k", Owner: "ada", Precondition: meta.Precondition{IfNoneMatch: true},
		Body: Body{Size: int64(len(content)), Reader: io.MultiReader(
			bytes.NewReader(content), atEnd(func() { f.put("k", noise(100, 3)) }),
		)},
	})
	if !errors.Is(err, meta.ErrPreconditionFailed) {
		t.Fatalf("error %v, want a failed precondition", err)
	}
	f.flood()
	for _, ref := range f.blobRefs() {
		if ref.Size == int64(len(content)) {
			t.Errorf("blob %s of the refused put is still there", ref.ID)
		}
	}
	f.wantContent("k", noise(100, 3))
}

// atEnd is an empty reader that does something before it says so.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
