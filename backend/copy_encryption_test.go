package backend

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// copyAs copies an object of the bucket "b" into another encryption.
func (f *fixture) copyAs(from, to crypt, in CopyObjectInput) (CopyObjectOutput, error) {
	in.Source.Bucket, in.Bucket, in.Owner = "b", "b", "ada"
	in.Source.Unwrap = from.unwrap
	in.Wrap = func(meta.Object) WrapKey { return to.wrap }
	return f.CopyObject(background, in)
}

func copied(from, to meta.Key) CopyObjectInput {
	return CopyObjectInput{Source: Source{Key: from}, Key: to}
}

// uploadAs makes an object of parts, the last of which has 10 bytes, and returns its content.
func (f *fixture) uploadAs(c crypt, key meta.Key, u meta.Upload) []byte {
	f.t.Helper()
	var err error
	if u.Encryption, err = NewEnvelope(c.wrap); err != nil {
		f.t.Fatal(err)
	}
	id := f.createUpload(key, u)
	content := noise(MinPartBytes+10, 9)
	var named []CompletedPart
	for i, piece := range [][]byte{content[:MinPartBytes], content[MinPartBytes:]} {
		part, err := f.UploadPart(background, UploadPartInput{
			Bucket: "b", Key: key, Upload: id, Number: i + 1, Body: body(piece), Unwrap: c.unwrap,
		})
		if err != nil {
			f.t.Fatal(err)
		}
		if (part.ETag == etag(piece)) == c.hides {
			f.t.Errorf("the part's ETag as %s is %s", c.name, part.ETag)
		}
		named = append(named, CompletedPart{Number: i + 1, ETag: part.ETag})
	}
	if _, err := f.tryComplete(key, id, named...); err != nil {
		f.t.Fatal(err)
	}
	return content
}

// TestCopiesBetweenEncryptions copies in every direction: between objects that are encrypted the blobs are shared, and
// else the bytes are written again.
func TestCopiesBetweenEncryptions(t *testing.T) {
	content := noise(150_000, 1)
	all := crypts(t)
	for _, from := range all {
		for _, to := range append(all, customerCrypt(t, customerB)) {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				f := open(t)
				f.putAs(from, "from", content)
				source := f.wantAs(from, "from", content)
				if _, err := f.copyAs(from, to, copied("from", "to")); err != nil {
					t.Fatal(err)
				}
				f.wantUsage(bucketB, quota.Usage{Bytes: 300_000, Objects: 2})
				blobs := 1
				if (from.wrap == nil) != (to.wrap == nil) {
					blobs = 2
				}
				if n := len(f.blobIDs()); n != blobs {
					t.Errorf("%d blobs are on disk, want %d", n, blobs)
				}
				f.delete("from")
				f.garbage.wait()
				o := f.wantAs(to, "to", content)
				if from.hides == to.hides && o.ETag != source.ETag {
					t.Errorf("the ETag was %s and is %s", source.ETag, o.ETag)
				}
				if !bytes.Equal(o.Checksum.Value, source.Checksum.Value) {
					t.Error("the copy has another checksum")
				}
			})
		}
	}
}

func TestCopiesOfMultipartObjectsBetweenEncryptions(t *testing.T) {
	all := crypts(t)
	for _, from := range all {
		f := open(t)
		content := f.uploadAs(from, "from", meta.Upload{Algorithm: checksum.CRC32, Type: checksum.FullObject})
		source := f.wantAs(from, "from", content)
		if !bytes.Equal(source.Checksum.Value, sumOf(checksum.CRC32, content)) {
			t.Errorf("%s: the checksum is not that of the plain bytes", from.name)
		}
		for _, to := range all {
			if _, err := f.copyAs(from, to, copied("from", "to")); err != nil {
				t.Fatal(err)
			}
			o := f.wantAs(to, "to", content)
			if o.ETag != source.ETag || len(o.Parts) != 2 {
				t.Errorf("%s to %s: ETag %s, %d parts", from.name, to.name, o.ETag, len(o.Parts))
			}
			got, err := f.tryGet("to", to.choose(Range{MinPartBytes - 1, 3}))
			if err != nil || !bytes.Equal(got, content[MinPartBytes-1:][:3]) {
				t.Errorf("%s to %s: a range across parts: %x, error %v", from.name, to.name, got, err)
			}
		}
		f.finish()
	}
}

func TestCopyWithAnotherChecksumBetweenEncryptions(t *testing.T) {
	content := noise(1000, 1)
	all := crypts(t)
	for _, from := range all {
		f := open(t)
		f.putAs(from, "from", content)
		for _, to := range all {
			in := copied("from", "to")
			in.Algorithm = checksum.SHA256
			out, err := f.copyAs(from, to, in)
			if err != nil || !bytes.Equal(out.Checksum.Value, sumOf(checksum.SHA256, content)) {
				t.Errorf("%s to %s: %+v, error %v", from.name, to.name, out.Checksum, err)
			}
			f.wantAs(to, "to", content)
		}
		f.finish()
	}
}

// TestCopyOntoItselfEncrypts at a limit that is reached exactly.
func TestCopyOntoItselfEncrypts(t *testing.T) {
	f := open(t)
	content := noise(100_000, 1)
	f.put("k", content)
	f.limit(bucketB, quota.Limit{MaxBytes: 100_000, MaxObjects: 1})
	for _, c := range append(crypts(t)[1:], crypts(t)[0]) {
		o, err := f.HeadObject(background, "b", "k", "")
		if err != nil {
			t.Fatal(err)
		}
		from := crypt{unwrap: unwrapAny(t)}
		if _, err := f.copyAs(from, c, copied("k", "k")); err != nil {
			t.Fatalf("from %x to %s: %v", o.Encryption, c.name, err)
		}
		f.wantAs(c, "k", content)
		f.wantUsage(bucketB, quota.Usage{Bytes: 100_000, Objects: 1})
	}
	_, err := f.copyAs(crypts(t)[0], s3Crypt(), copied("k", "l"))
	wantExceeded(t, err, bucketB, quota.Bytes)
}

// unwrapAny has the keys of all crypts.
func unwrapAny(t *testing.T) UnwrapKey {
	return func(envelope []byte) (*encryption.DataKey, error) {
		key, err := unwrapWith(testKeyring.Unwrap)(envelope)
		if errors.Is(err, encryption.ErrCustomerKeyRequired) {
			return customerCrypt(t, customerA).unwrap(envelope)
		}
		return key, err
	}
}

// TestFailedRecryptionLeavesNothingBehind: the source is damaged, so that its copy fails half-way.
func TestFailedRecryptionLeavesNothingBehind(t *testing.T) {
	f := open(t, inFiles)
	f.put("from", noise(3_000_000, 1))
	flipBit(t, blobFile(t, f.options.Dir), 2_000_000)
	if _, err := f.copyAs(crypt{}, s3Crypt(), copied("from", "to")); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("error %v", err)
	}
	f.wantGone("to")
	if n := len(f.blobIDs()); n != 1 {
		t.Errorf("%d blobs are on disk", n)
	}
	f.delete("from")
	f.wantUsage(bucketB, quota.Usage{})
}

func flipBit(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := file.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

func TestUploadPartCopyBetweenEncryptions(t *testing.T) {
	content := noise(150_000, 1)
	all := crypts(t)
	for _, from := range all {
		f := open(t)
		f.putAs(from, "from", content)
		f.putAs(from, "empty", nil)
		for _, to := range all {
			for _, test := range []struct {
				from meta.Key
				rng  *Range
				want []byte
			}{
				{"from", nil, content},
				{"from", &Range{70_000, 10}, content[70_000:70_010]},
				{"empty", nil, nil},
			} {
				envelope, err := NewEnvelope(to.wrap)
				if err != nil {
					t.Fatal(err)
				}
				id := f.createUpload("to", meta.Upload{Settings: meta.Settings{Encryption: envelope}})
				out, err := f.UploadPartCopy(background, UploadPartCopyInput{
					Source: Source{Bucket: "b", Key: test.from, Unwrap: from.unwrap}, Range: test.rng,
					Bucket: "b", Key: "to", Upload: id, Number: 1, Unwrap: to.unwrap,
				})
				if err != nil || (out.ETag == etag(test.want)) == to.hides {
					t.Fatalf("%s to %s: ETag %s, error %v", from.name, to.name, out.ETag, err)
				}
				if _, err := f.tryComplete("to", id, CompletedPart{Number: 1, ETag: out.ETag}); err != nil {
					t.Fatal(err)
				}
				f.wantAs(to, "to", test.want)
			}
		}
		f.wantUsage(bucketB, quota.Usage{Bytes: 150_000, Objects: 3})
		f.finish()
	}
}

func TestPartsNeedTheKeyOfTheUpload(t *testing.T) {
	f := open(t)
	a, b := customerCrypt(t, customerA), customerCrypt(t, customerB)
	envelope, err := NewEnvelope(a.wrap)
	if err != nil {
		t.Fatal(err)
	}
	id := f.createUpload("k", meta.Upload{Settings: meta.Settings{Encryption: envelope}})
	in := UploadPartInput{Bucket: "b", Key: "k", Upload: id, Number: 1, Body: Body{Reader: unread{t}, Size: 1}}
	if _, err := f.UploadPart(background, in); !errors.Is(err, ErrNoDataKey) {
		t.Error(err)
	}
	in.Unwrap = b.unwrap
	if _, err := f.UploadPart(background, in); !errors.Is(err, encryption.ErrCustomerKeyWrong) {
		t.Error(err)
	}
}

// TestCheckFindsRowsWhoseEncryptionIsLost: their blobs would be served as they are stored.
func TestCheckFindsRowsWhoseEncryptionIsLost(t *testing.T) {
	o := meta.Object{ObjectHead: meta.ObjectHead{Size: 10}, Segments: []meta.Segment{{Size: 10, Stored: 58}}}
	for _, test := range []struct {
		name     string
		envelope []byte
		stored   int64
		problems int
	}{
		{"encrypted", []byte{1}, 58, 0},
		{"plain", nil, 0, 0},
		{"plain, and stored as encrypted", nil, 58, 1},
		{"encrypted, and stored as plain", []byte{1}, 0, 1},
		{"of another stored size", []byte{1}, 59, 1},
	} {
		c := newChecker(false)
		o.Encryption, o.Segments[0].Stored = test.envelope, test.stored
		c.encryption("object", &o)
		if n := len(c.report.Problems); n != test.problems {
			t.Errorf("%s: %q", test.name, c.report.Problems)
		}
	}
}
