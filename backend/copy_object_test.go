package backend

import (
	"bytes"
	"errors"
	"testing"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (f *fixture) mustCopy(from, to meta.Key) {
	f.t.Helper()
	if err := f.copy(from, to); err != nil {
		f.t.Fatalf("copy %q to %q: %v", from, to, err)
	}
}

func TestCopyObjectMovesNoBytesAndIsChargedInFull(t *testing.T) {
	f := open(t)
	content := noise(100_000, 1)
	f.put("from", content)
	f.mustCopy("from", "to")
	if n := len(f.blobIDs()); n != 1 {
		t.Errorf("%d blobs are on disk, want the one that both share", n)
	}
	f.wantUsage(bucketB, quota.Usage{Bytes: 200_000, Objects: 2})
	f.wantContent("to", content)
}

func TestDeletingTheSourceLeavesTheCopy(t *testing.T) {
	f := open(t)
	content := f.putPieces("from", 1000, 2000)
	f.mustCopy("from", "to")
	f.mustCopy("to", "third")
	f.delete("from")
	f.put("third", nil)
	f.garbage.wait()
	f.wantContent("to", content)
	f.wantUsage(bucketB, quota.Usage{Bytes: 3000, Objects: 2})
	f.delete("to")
	f.garbage.wait()
	if n := len(f.blobIDs()); n != 0 {
		t.Errorf("%d blobs outlive the last object that shared them", n)
	}
}

func TestCopyObjectKeepsWhatIsNotReplaced(t *testing.T) {
	f := open(t)
	attributes := meta.Attributes{ContentType: "text/plain", User: map[string]string{"a": "b"}}
	if _, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: "from", Owner: "ada", Attributes: attributes, Body: checked([]byte("content"), checksum.SHA256),
	}); err != nil {
		t.Fatal(err)
	}
	in := CopyObjectInput{Source: Source{Bucket: "b", Key: "from"}, Bucket: "b", Key: "to", Owner: "bob"}
	kept, err := f.CopyObject(background, in)
	if err != nil || kept.Attributes.ContentType != "text/plain" || kept.Attributes.User["a"] != "b" || kept.Owner != "bob" ||
		kept.ETag != etag([]byte("content")) || kept.Checksum.Algorithm != checksum.SHA256 {
		t.Errorf("%+v, error %v", kept, err)
	}
	in.Attributes = &meta.Attributes{ContentType: "image/png"}
	in.Algorithm = checksum.CRC32C
	replaced, err := f.CopyObject(background, in)
	if err != nil || replaced.Attributes.ContentType != "image/png" || len(replaced.Attributes.User) != 0 ||
		!bytes.Equal(replaced.Checksum.Value, sumOf(checksum.CRC32C, []byte("content"))) {
		t.Errorf("%+v, error %v", replaced, err)
	}
	if n := len(f.blobIDs()); n != 1 {
		t.Errorf("%d blobs are on disk: a copy has moved bytes", n)
	}
}

// A checksum of the parts' checksums would say of a copy that it has parts. S3 gives the copy one of its bytes; that of a
// CRC follows from those of the parts.
func TestCopyOfCompositeChecksum(t *testing.T) {
	for _, a := range []checksum.Algorithm{checksum.CRC32, checksum.SHA256} {
		t.Run(a.String(), func(t *testing.T) {
			f := open(t)
			pieces := [][]byte{noise(MinPartBytes, 1), noise(1000, 2)}
			id := f.createUpload("from", meta.Upload{Algorithm: a, Type: checksum.Composite})
			var parts []CompletedPart
			for i, piece := range pieces {
				part, err := f.UploadPart(background, UploadPartInput{
					Bucket: "b", Key: "from", Upload: id, Number: i + 1, Body: checked(piece, a),
				})
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, CompletedPart{Number: i + 1, ETag: part.ETag, Algorithm: a, Checksum: sumOf(a, piece)})
			}
			if _, err := f.tryComplete("from", id, parts...); err != nil {
				t.Fatal(err)
			}
			blobs := len(f.blobIDs())
			whole := bytes.Join(pieces, nil)
			copied, err := f.CopyObject(background, CopyObjectInput{Source: Source{Bucket: "b", Key: "from"}, Bucket: "b", Key: "to"})
			if err != nil || copied.Checksum.Type != checksum.FullObject || !bytes.Equal(copied.Checksum.Value, sumOf(a, whole)) ||
				len(copied.Parts) != 0 {
				t.Errorf("%+v, error %v", copied.ObjectHead, err)
			}
			f.wantContent("to", whole)
			if n := len(f.blobIDs()); n != blobs {
				t.Errorf("%d blobs are on disk, and were %d: a copy has moved bytes", n, blobs)
			}
		})
	}
}

func TestCopyObjectOntoItself(t *testing.T) {
	f := open(t)
	f.put("k", []byte("content"))
	f.limit(bucketB, quota.Limit{MaxBytes: 7, MaxObjects: 1})
	f.mustCopy("k", "k")
	f.wantContent("k", []byte("content"))
	f.wantUsage(bucketB, quota.Usage{Bytes: 7, Objects: 1})
}

func TestCopyObjectBetweenBuckets(t *testing.T) {
	f := open(t)
	f.createBucket("c", quota.Limit{MaxBytes: 7})
	f.put("k", []byte("content"))
	in := CopyObjectInput{Source: Source{Bucket: "b", Key: "k"}, Bucket: "c", Key: "k"}
	if _, err := f.CopyObject(background, in); err != nil {
		t.Fatal(err)
	}
	in.Key = "l"
	_, err := f.CopyObject(background, in)
	wantExceeded(t, err, quota.BucketScope("c"), quota.Bytes)
	f.wantUsage(quota.BucketScope("c"), quota.Usage{Bytes: 7, Objects: 1})
	f.wantUsage(quota.ServerScope, quota.Usage{Bytes: 14, Objects: 2})
}

func TestCopyObjectRefusals(t *testing.T) {
	f, mine := open(t), errors.New("mine")
	f.put("k", []byte("content"))
	source := Source{Bucket: "b", Key: "k"}
	for _, test := range []struct {
		name string
		in   CopyObjectInput
		want error
	}{
		{"no such source", CopyObjectInput{Source: Source{Bucket: "b", Key: "none"}, Bucket: "b", Key: "l"}, meta.ErrNoSuchKey},
		{"no such source bucket", CopyObjectInput{Source: Source{Bucket: "none", Key: "k"}, Bucket: "b", Key: "l"}, meta.ErrNoSuchBucket},
		{"no such bucket", CopyObjectInput{Source: source, Bucket: "none", Key: "l"}, meta.ErrNoSuchBucket},
		{"a source that is refused", CopyObjectInput{
			Source: Source{Bucket: "b", Key: "k", Check: func(meta.Object) error { return mine }}, Bucket: "b", Key: "l",
		}, mine},
		{"a precondition on the destination", CopyObjectInput{
			Source: source, Bucket: "b", Key: "k", Precondition: meta.Precondition{IfNoneMatch: true},
		}, meta.ErrPreconditionFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := f.CopyObject(background, test.in); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
	f.wantUsage(bucketB, quota.Usage{Bytes: 7, Objects: 1})
}

// TestCopyObjectStartsAgainWhenItsSourceIsReplaced replaces the source between its row and the copy's commit.
func TestCopyObjectStartsAgainWhenItsSourceIsReplaced(t *testing.T) {
	f := open(t)
	f.put("from", []byte("old"))
	tries := 0
	_, err := f.CopyObject(background, CopyObjectInput{
		Source: Source{Bucket: "b", Key: "from", Check: func(meta.Object) error {
			if tries++; tries == 1 {
				f.put("from", []byte("new"))
				f.garbage.wait()
			}
			return nil
		}},
		Bucket: "b", Key: "to",
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries, error %v", tries, err)
	}
	f.wantContent("to", []byte("new"))
}

// partCopy copies a range of an object of the bucket "b", or all of it where rng is nil, as part 1 of an upload.
func (f *fixture) partCopy(from meta.Key, rng *Range, id meta.UploadID) (meta.Part, error) {
	out, err := f.UploadPartCopy(background, UploadPartCopyInput{
		Source: Source{Bucket: "b", Key: from}, Range: rng, Bucket: "b", Key: "to", Upload: id, Number: 1,
	})
	return out.Part, err
}

func TestUploadPartCopy(t *testing.T) {
	f := open(t)
	single := noise(200_000, 1)
	f.put("single", single)
	f.put("empty", nil)
	multi := f.putPieces("multi", 70_000, 1, 130_000)
	const sourceBlobs = 4
	for _, test := range []struct {
		name    string
		from    meta.Key
		content []byte
		rng     *Range
		moved   int // blobs that the copy adds
	}{
		{"a whole object shares its blob", "single", single, nil, 0},
		{"a whole multipart object shares its blobs", "multi", multi, nil, 0},
		{"an empty object", "empty", nil, nil, 0},
		{"a range of the whole object shares its blob", "single", single, &Range{0, 200_000}, 0},
		{"a range of a whole segment shares it", "multi", multi, &Range{70_000, 1}, 0},
		{"a range of whole segments shares them", "multi", multi, &Range{70_000, 130_001}, 0},
		{"a range of one blob is copied", "single", single, &Range{10, 100_000}, 1},
		{"a range across segments is copied", "multi", multi, &Range{69_999, 3}, 1},
		{"a range that ends within a segment is copied", "multi", multi, &Range{0, 70_002}, 1},
	} {
		for _, a := range []checksum.Algorithm{checksum.None, checksum.SHA1} {
			t.Run(test.name+" "+a.String(), func(t *testing.T) {
				u := meta.Upload{Algorithm: a}
				if a != checksum.None {
					u.Type = checksum.DefaultType(a)
				}
				id := f.createUpload("to", u)
				part, err := f.partCopy(test.from, test.rng, id)
				if err != nil {
					t.Fatal(err)
				}
				want := test.content
				if test.rng != nil {
					want = want[test.rng.Offset : test.rng.Offset+test.rng.Size]
				}
				var sum []byte
				if a != checksum.None {
					sum = sumOf(a, want)
				}
				if part.ETag != etag(want) || part.Size != int64(len(want)) || !bytes.Equal(part.Checksum.Value, sum) {
					t.Errorf("part %+v of %d bytes with ETag %s", part, len(want), etag(want))
				}
				f.garbage.wait()
				if n := len(f.blobIDs()); n != sourceBlobs+test.moved {
					t.Errorf("%d blobs are on disk, want the source's %d and %d more", n, sourceBlobs, test.moved)
				}
				object, err := f.tryComplete("to", id, CompletedPart{Number: 1, ETag: part.ETag, Algorithm: a, Checksum: sum})
				if err != nil {
					t.Fatal(err)
				}
				if a == checksum.None && !bytes.Equal(object.Checksum.Value, sumOf(checksum.CRC64NVME, want)) {
					t.Errorf("checksum %+v", object.Checksum)
				}
				f.wantContent("to", want)
				f.delete("to")
				f.garbage.wait()
			})
		}
	}
	f.wantContent("single", single)
	f.wantContent("multi", multi)
}

func TestUploadPartCopyRefusals(t *testing.T) {
	f := open(t)
	f.put("from", noise(100, 1))
	id := f.createUpload("to", meta.Upload{})
	for _, rng := range []Range{{0, 0}, {-1, 5}, {0, 101}, {100, 1}, {1 << 62, 1 << 62}} {
		if _, err := f.partCopy("from", &rng, id); !errors.Is(err, ErrInvalidRange) {
			t.Errorf("%+v: %v, want an invalid range", rng, err)
		}
	}
	if _, err := f.partCopy("from", nil, "none"); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Error(err)
	}
	if _, err := f.partCopy("none", nil, id); !errors.Is(err, meta.ErrNoSuchKey) {
		t.Error(err)
	}
	f.limit(bucketB, quota.Limit{MaxBytes: 199})
	_, err := f.partCopy("from", nil, id)
	wantExceeded(t, err, bucketB, quota.Bytes)
	_, err = f.partCopy("from", &Range{0, 100}, id)
	wantExceeded(t, err, bucketB, quota.Bytes)
	_, err = f.partCopy("from", &Range{1, 99}, id)
	if err != nil {
		t.Errorf("a range that reaches the limit exactly: %v", err)
	}
}
