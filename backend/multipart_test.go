package backend

import (
	"bytes"
	"crypto/md5"
	"errors"
	"testing"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// createUpload begins an upload in the bucket "b"; u says what the client asks of it.
func (f *fixture) createUpload(key meta.Key, u meta.Upload) meta.UploadID {
	f.t.Helper()
	u.Bucket, u.Key, u.Owner = "b", key, "ada"
	id, err := f.CreateMultipartUpload(background, u)
	if err != nil {
		f.t.Fatalf("create upload of %q: %v", key, err)
	}
	return id
}

func (f *fixture) tryPart(key meta.Key, id meta.UploadID, number int, b Body) (meta.Part, error) {
	return f.UploadPart(background, UploadPartInput{Bucket: "b", Key: key, Upload: id, Number: number, Body: b})
}

// part uploads a part and names it as a client would.
func (f *fixture) part(key meta.Key, id meta.UploadID, number int, content []byte) CompletedPart {
	f.t.Helper()
	part, err := f.tryPart(key, id, number, body(content))
	if err != nil {
		f.t.Fatalf("part %d of %q: %v", number, key, err)
	}
	return CompletedPart{Number: number, ETag: part.ETag}
}

func (f *fixture) tryComplete(key meta.Key, id meta.UploadID, parts ...CompletedPart) (meta.Object, error) {
	return f.CompleteMultipartUpload(background, CompleteMultipartUploadInput{
		Bucket: "b", Key: key, Upload: id, Parts: parts, Size: -1,
	})
}

func (f *fixture) abort(key meta.Key, id meta.UploadID) {
	f.t.Helper()
	if err := f.AbortMultipartUpload(background, "b", key, id); err != nil {
		f.t.Fatalf("abort: %v", err)
	}
}

// putPieces makes an object of several blobs, whose sizes may be smaller than those of parts that a client completes,
// and returns its content.
func (f *fixture) putPieces(key meta.Key, sizes ...int) []byte {
	f.t.Helper()
	id := f.createUpload(key, meta.Upload{})
	var content []byte
	for i, size := range sizes {
		piece := noise(size, uint64(i))
		f.part(key, id, i+1, piece)
		content = append(content, piece...)
	}
	upload, parts, _, err := f.ListParts(background, "b", key, id, 0, MaxPartNumber)
	if err != nil {
		f.t.Fatal(err)
	}
	object, err := assemble(upload, parts)
	if err != nil {
		f.t.Fatal(err)
	}
	object.Modified = f.timestamp()
	_, err = f.commit(&proposal{mutation: meta.CompleteUpload{Bucket: "b", Key: key, Upload: id, Parts: parts, Object: object}})
	if err != nil {
		f.t.Fatal(err)
	}
	return content
}

// full is the content of a part that may be followed by another.
var full = noise(MinPartBytes, 1)

func TestCompleteMultipartUploadJoinsPartsInOrder(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{Attributes: meta.Attributes{ContentType: "text/plain"}})
	last := f.part("k", id, 9, noise(100, 2))
	first := f.part("k", id, 3, full)
	f.wantUsage(bucketB, quota.Usage{PartBytes: MinPartBytes + 100, Uploads: 1})
	object, err := f.tryComplete("k", id, first, last)
	if err != nil {
		t.Fatal(err)
	}
	content := append(bytes.Clone(full), noise(100, 2)...)
	f.wantContent("k", content)
	f.wantUsage(bucketB, quota.Usage{Bytes: int64(len(content)), Objects: 1})
	head, err := f.HeadObject(background, "b", "k", "")
	if err != nil || head.ETag != object.ETag || head.Attributes.ContentType != "text/plain" || head.Owner != "ada" {
		t.Errorf("%+v, error %v", head, err)
	}
	// The ETag of a multipart object is the MD5 of its parts' MD5s, and how many there are.
	sums := append(rawMD5(full), rawMD5(noise(100, 2))...)
	if want := etag(sums) + "-2"; head.ETag != want {
		t.Errorf("ETag %s, want %s", head.ETag, want)
	}
	if sum := sumOf(checksum.CRC64NVME, content); !bytes.Equal(head.Checksum.Value, sum) || head.Checksum.Type != checksum.FullObject {
		t.Errorf("checksum %+v, want the CRC64NVME of all bytes", head.Checksum)
	}
	if len(head.Parts) != 2 || head.Parts[0].Number != 3 || head.Parts[1].Number != 9 || head.Parts[1].Size != 100 {
		t.Errorf("parts %+v", head.Parts)
	}
}

func TestCompleteMultipartUploadChecksums(t *testing.T) {
	f := open(t)
	second := noise(1000, 2)
	all := append(bytes.Clone(full), second...)
	for _, a := range checksum.Algorithms() {
		for _, typ := range []checksum.Type{checksum.FullObject, checksum.Composite} {
			if !checksum.Supports(a, typ) {
				continue
			}
			t.Run(a.String()+" "+typ.String(), func(t *testing.T) {
				id := f.createUpload("k", meta.Upload{Algorithm: a, Type: typ})
				var parts []CompletedPart
				for i, content := range [][]byte{full, second} {
					stored, err := f.tryPart("k", id, i+1, checked(content, a))
					if err != nil || !bytes.Equal(stored.Checksum.Value, sumOf(a, content)) {
						t.Fatalf("part %+v, error %v", stored.Checksum, err)
					}
					parts = append(parts, CompletedPart{Number: i + 1, ETag: stored.ETag, Algorithm: a, Checksum: stored.Checksum.Value})
				}
				want := checksum.Checksum{Algorithm: a, Type: typ, Value: sumOf(a, all)}
				if typ == checksum.Composite {
					want.Value, want.Parts = sumOf(a, sumOf(a, full), sumOf(a, second)), 2
				}
				object, err := f.CompleteMultipartUpload(background, CompleteMultipartUploadInput{
					Bucket: "b", Key: "k", Upload: id, Parts: parts, Checksum: want, Size: int64(len(all)),
				})
				if err != nil || object.Checksum.String() != want.String() {
					t.Errorf("%s, error %v; want %s", object.Checksum, err, want)
				}
			})
		}
	}
}

func rawMD5(content []byte) []byte {
	sum := md5.Sum(content)
	return sum[:]
}

// TestCompleteMultipartUploadRefusals leave the upload as it was: it completes afterwards.
func TestCompleteMultipartUploadRefusals(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{Algorithm: checksum.CRC32})
	one := f.part("k", id, 1, full)
	small := f.part("k", id, 2, noise(10, 2))
	three := f.part("k", id, 3, noise(20, 3))
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	with := func(p CompletedPart, change func(*CompletedPart)) CompletedPart { change(&p); return p }
	for _, test := range []struct {
		name  string
		parts []CompletedPart
		in    CompleteMultipartUploadInput
		want  func(error) bool
	}{
		{"no parts", nil, CompleteMultipartUploadInput{}, is(ErrNoParts)},
		{"descending", []CompletedPart{three, one}, CompleteMultipartUploadInput{}, is(ErrInvalidPartOrder)},
		{"one part twice", []CompletedPart{one, one}, CompleteMultipartUploadInput{}, is(ErrInvalidPartOrder)},
		{"a part that is missing", []CompletedPart{one, {Number: 4, ETag: one.ETag}}, CompleteMultipartUploadInput{}, invalidPart(4)},
		{"another ETag", []CompletedPart{one, {Number: 3, ETag: one.ETag}}, CompleteMultipartUploadInput{}, invalidPart(3)},
		{"a part too small to be followed", []CompletedPart{one, small, three}, CompleteMultipartUploadInput{}, func(err error) bool {
			var e *EntityTooSmallError
			return errors.As(err, &e) && e.PartNumber == 2 && e.Size == 10 && e.ETag == small.ETag
		}},
		{"another checksum of a part", []CompletedPart{with(one, func(p *CompletedPart) {
			p.Algorithm, p.Checksum = checksum.CRC32, []byte{1, 2, 3, 4}
		})}, CompleteMultipartUploadInput{}, invalidPart(1)},
		{"another algorithm of a part", []CompletedPart{with(one, func(p *CompletedPart) {
			p.Algorithm, p.Checksum = checksum.CRC32C, []byte{1, 2, 3, 4}
		})}, CompleteMultipartUploadInput{}, func(err error) bool {
			var e *PartChecksumError
			return errors.As(err, &e) && e.PartNumber == 1 && e.Algorithm == checksum.CRC32C
		}},
		{"another checksum of the object", []CompletedPart{one, three}, CompleteMultipartUploadInput{
			Checksum: checksum.Checksum{Algorithm: checksum.CRC32, Value: []byte{1, 2, 3, 4}},
		}, func(err error) bool {
			var e *ChecksumMismatchError
			return errors.As(err, &e) && e.Algorithm == checksum.CRC32
		}},
		{"another algorithm of the object", []CompletedPart{one, three}, CompleteMultipartUploadInput{
			Checksum: checksum.Checksum{Algorithm: checksum.SHA256, Value: make([]byte, 32)},
		}, checksumType(checksum.CRC32, checksum.SHA256)},
		{"parts of a checksum that has none", []CompletedPart{one, three}, CompleteMultipartUploadInput{
			Checksum: checksum.Checksum{
				Algorithm: checksum.CRC32, Value: sumOf(checksum.CRC32, full, noise(20, 3)), Parts: 2,
			},
		}, func(err error) bool { var e *ChecksumMismatchError; return errors.As(err, &e) }},
		{"another type of the checksum", []CompletedPart{one, three}, CompleteMultipartUploadInput{
			Type: new(checksum.Composite),
		}, func(err error) bool {
			var e *ChecksumModeError
			return errors.As(err, &e) && e.Expected == checksum.FullObject
		}},
		{"another size", []CompletedPart{one, three}, CompleteMultipartUploadInput{Size: MinPartBytes + 21}, func(err error) bool {
			var e *SizeMismatchError
			return errors.As(err, &e) && e.Expected == MinPartBytes+21 && e.Actual == MinPartBytes+20
		}},
		{"an unknown upload", []CompletedPart{one}, CompleteMultipartUploadInput{Upload: "none"}, is(meta.ErrNoSuchUpload)},
		{"an upload of another key", []CompletedPart{one}, CompleteMultipartUploadInput{Key: "l"}, is(meta.ErrNoSuchUpload)},
		{"a precondition on nothing", []CompletedPart{one}, CompleteMultipartUploadInput{
			Precondition: meta.Precondition{IfMatch: "*"},
		}, is(meta.ErrNoSuchKey)},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := test.in
			in.Bucket, in.Parts = "b", test.parts
			if in.Key == "" {
				in.Key = "k"
			}
			if in.Upload == "" {
				in.Upload = id
			}
			if in.Size == 0 {
				in.Size = -1
			}
			if _, err := f.CompleteMultipartUpload(background, in); !test.want(err) {
				t.Errorf("error %v", err)
			}
			f.wantGone("k")
		})
	}
	if _, err := f.tryComplete("k", id, one, three); err != nil {
		t.Error(err)
	}
	f.wantUsage(bucketB, quota.Usage{Bytes: MinPartBytes + 20, Objects: 1})
}

func invalidPart(number int) func(error) bool {
	return func(err error) bool {
		var e *InvalidPartError
		return errors.As(err, &e) && e.PartNumber == number
	}
}

func checksumType(expected, actual checksum.Algorithm) func(error) bool {
	return func(err error) bool {
		var e *ChecksumTypeError
		return errors.As(err, &e) && e.Expected == expected && e.Actual == actual
	}
}

// TestPartChecksumsOfUploads: what of a part's checksum an upload asks for, computes, and keeps.
func TestPartChecksumsOfUploads(t *testing.T) {
	f := open(t)
	content := noise(1000, 1)
	tests := []struct {
		name         string
		upload       meta.Upload
		sent         checksum.Algorithm
		shown        checksum.Algorithm // of the part that is returned
		refused      bool
		missingIsBad bool // CompleteMultipartUpload wants the part's checksum
	}{
		{name: "nothing asked"},
		{name: "nothing asked, something sent", sent: checksum.SHA1},
		{name: "full object", upload: meta.Upload{Algorithm: checksum.CRC32}, shown: checksum.CRC32},
		{
			name: "full object, sent", upload: meta.Upload{Algorithm: checksum.CRC32}, sent: checksum.CRC32,
			shown: checksum.CRC32,
		},
		{name: "full object, another", upload: meta.Upload{Algorithm: checksum.CRC32}, sent: checksum.SHA1, refused: true},
		{
			name: "composite", upload: meta.Upload{Algorithm: checksum.XXHASH3, Type: checksum.Composite}, refused: true,
		},
		{
			name: "composite, sent", upload: meta.Upload{Algorithm: checksum.XXHASH3, Type: checksum.Composite},
			sent: checksum.XXHASH3, shown: checksum.XXHASH3, missingIsBad: true,
		},
		{
			name: "composite, another", upload: meta.Upload{Algorithm: checksum.XXHASH3, Type: checksum.Composite},
			sent: checksum.XXHASH64, refused: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := f.createUpload("k", tt.upload)
			b := body(content)
			if tt.sent != checksum.None {
				b = checked(content, tt.sent)
			}
			part, err := f.tryPart("k", id, 1, b)
			if tt.refused {
				if !checksumType(tt.upload.Algorithm, tt.sent)(err) {
					t.Errorf("error %v", err)
				}
				f.abort("k", id)
				return
			}
			if err != nil || part.Checksum.Algorithm != tt.shown {
				t.Fatalf("checksum %+v, error %v", part.Checksum, err)
			}
			named := CompletedPart{Number: 1, ETag: part.ETag}
			if tt.missingIsBad {
				_, err := f.tryComplete("k", id, named)
				var missing *MissingPartChecksumError
				if !errors.As(err, &missing) || missing.PartNumber != 1 || missing.Algorithm != tt.upload.Algorithm {
					t.Errorf("without the part's checksum: error %v", err)
				}
				named.Algorithm, named.Checksum = tt.shown, part.Checksum.Value
			}
			object, err := f.tryComplete("k", id, named)
			if err != nil {
				t.Fatal(err)
			}
			if kept := len(object.Parts[0].Checksum) > 0; kept != (tt.shown != checksum.None) {
				t.Errorf("the object's parts %+v", object.Parts)
			}
		})
	}
}

func TestCompleteMultipartUploadFreesPartsLeftOutAndTheOldObject(t *testing.T) {
	f := open(t)
	f.put("k", noise(500, 5))
	id := f.createUpload("k", meta.Upload{})
	f.part("k", id, 1, noise(1000, 1))
	two := f.part("k", id, 2, noise(200, 2))
	if _, err := f.tryComplete("k", id, two); err != nil {
		t.Fatal(err)
	}
	f.wantContent("k", noise(200, 2))
	f.wantUsage(bucketB, quota.Usage{Bytes: 200, Objects: 1})
	f.garbage.wait()
	if n := len(f.blobIDs()); n != 1 {
		t.Errorf("%d blobs are on disk, want that of the part that was taken", n)
	}
}

// A client that has missed the answer asks again, and is told what it made; not once that object is gone.
func TestCompleteMultipartUploadTwice(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{})
	one := f.part("k", id, 1, noise(1000, 1))
	first, err := f.tryComplete("k", id, one)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.tryComplete("k", id, one)
	if err != nil || again.ETag != first.ETag || again.Size != first.Size {
		t.Errorf("completed twice: %+v, %v; want %+v", again, err, first)
	}
	other := one
	other.ETag = "00000000000000000000000000000000"
	if _, err := f.tryComplete("k", id, other); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Errorf("completed again with another part: %v", err)
	}
	f.put("k", noise(10, 3))
	if _, err := f.tryComplete("k", id, one); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Errorf("completed again after an overwrite: %v", err)
	}
}

func TestUploadPartReplacesThePartOfTheSameNumber(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{})
	old := f.part("k", id, 1, noise(1000, 1))
	now := f.part("k", id, 1, noise(300, 2))
	f.wantUsage(bucketB, quota.Usage{PartBytes: 300, Uploads: 1})
	if _, err := f.tryComplete("k", id, old); !invalidPart(1)(err) {
		t.Errorf("completed with the part that was replaced: %v", err)
	}
	if _, err := f.tryComplete("k", id, now); err != nil {
		t.Error(err)
	}
	f.wantContent("k", noise(300, 2))
}

func TestAbortMultipartUploadFreesItsParts(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{})
	f.part("k", id, 1, noise(1000, 1))
	f.part("k", id, 2, noise(1000, 2))
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: 1})
	f.abort("k", id)
	f.wantUsage(bucketB, quota.Usage{})
	f.wantNoOrphans()
	if err := f.AbortMultipartUpload(background, "b", "k", id); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Errorf("aborted twice: %v", err)
	}
	if _, err := f.tryPart("k", id, 1, Body{Reader: unread{t}, Size: 1}); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Errorf("a part of an aborted upload: %v", err)
	}
}

// TestAPartThatArrivesWhileItsUploadEnds leaves nothing behind.
func TestAPartThatArrivesWhileItsUploadEnds(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{})
	content := noise(100, 1)
	b := Body{Size: 100, Reader: &prefixed{hook: hook{do: func() { f.abort("k", id) }}, content: content}}
	if _, err := f.tryPart("k", id, 1, b); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Error(err)
	}
	f.wantIdle()
	f.wantNoOrphans()
}

func TestUploadPartOfABadBodyLeavesNothingBehind(t *testing.T) {
	for name, test := range badBodies() {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			id := f.createUpload("k", meta.Upload{})
			f.part("k", id, 1, []byte("old"))
			if _, err := f.tryPart("k", id, 1, test.body); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			f.wantIdle()
			f.wantNoOrphans()
			f.wantUsage(bucketB, quota.Usage{PartBytes: 3, Uploads: 1})
		})
	}
}

func TestUploadPartRefusals(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{Algorithm: checksum.CRC32})
	b := Body{Reader: unread{t}, Size: 10, Algorithm: checksum.SHA1}
	if _, err := f.tryPart("k", id, 1, b); !checksumType(checksum.CRC32, checksum.SHA1)(err) {
		t.Errorf("another algorithm than the upload's: %v", err)
	}
	var large *EntityTooLargeError
	if _, err := f.tryPart("k", id, 1, Body{Reader: unread{t}, Size: MaxPutBytes + 1}); !errors.As(err, &large) {
		t.Errorf("a part that is too large: %v", err)
	}
}

func TestListPartsInPages(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{})
	for _, number := range []int{7, 1, 10_000} {
		f.part("k", id, number, noise(number%100, 1))
	}
	for _, test := range []struct {
		after, limit int
		want         []int
		more         bool
	}{
		{0, 10, []int{1, 7, 10_000}, false},
		{0, 2, []int{1, 7}, true},
		{1, 2, []int{7, 10_000}, false},
		{7, 1, []int{10_000}, false},
		{10_000, 1, nil, false},
	} {
		upload, parts, more, err := f.ListParts(background, "b", "k", id, test.after, test.limit)
		if err != nil || more != test.more || len(parts) != len(test.want) || upload.ID != id {
			t.Errorf("after %d: %d parts, more: %v, error %v", test.after, len(parts), more, err)
			continue
		}
		for i, p := range parts {
			if p.Number != test.want[i] || p.Size != int64(p.Number%100) {
				t.Errorf("after %d: part %+v, want number %d", test.after, p, test.want[i])
			}
		}
	}
	if _, _, _, err := f.ListParts(background, "b", "k", "none", 0, 1); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Error(err)
	}
	f.abort("k", id)
}

func TestListMultipartUploads(t *testing.T) {
	f := open(t)
	one, two := f.createUpload("k", meta.Upload{}), f.createUpload("k", meta.Upload{})
	page, err := f.ListMultipartUploads(background, meta.UploadsRequest{Bucket: "b", Limit: 10})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Upload.ID != min(one, two) || page.Entries[1].Upload.ID != max(one, two) {
		t.Errorf("%+v, error %v", page, err)
	}
	if _, err := f.CreateMultipartUpload(background, meta.Upload{Bucket: "none", Key: "k"}); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Error(err)
	}
}
