package backend

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/packs"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// crypt is how a test encrypts: not at all, or in one of the kinds.
type crypt struct {
	name   string
	wrap   WrapKey
	unwrap UnwrapKey
	hides  bool // its ETags are no MD5s
}

var testKeyring = mustParse("default " + strings.Repeat("A", 43) + "=\nphotos " + strings.Repeat("B", 42) + "A=")

func mustParse(text string) *encryption.Keyring {
	keyring, err := encryption.ParseKeyring(text)
	if err != nil {
		panic(err)
	}
	return keyring
}

// unwrapWith returns the UnwrapKey of a keyring or of a customer's key.
func unwrapWith(unwrap func(encryption.Envelope) (encryption.DataKey, error)) UnwrapKey {
	return func(envelope []byte) (*encryption.DataKey, error) {
		if len(envelope) == 0 {
			return nil, nil
		}
		e, err := encryption.UnmarshalEnvelope(envelope)
		if err != nil {
			return nil, err
		}
		key, err := unwrap(e)
		return &key, err
	}
}

func customerCrypt(t testing.TB, key string) crypt {
	t.Helper()
	customer, err := encryption.ParseCustomerKey("AES256", key, customerMD5[key])
	if err != nil {
		t.Fatal(err)
	}
	wrap := func(d encryption.DataKey) (encryption.Envelope, error) { return customer.Wrap(d), nil }
	return crypt{"SSE-C", wrap, unwrapWith(customer.Unwrap), true}
}

// The keys of customers, which are 32 times the same byte, with their MD5s.
const (
	customerA = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
	customerB = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="
)

var customerMD5 = map[string]string{customerA: md5Base64("a"), customerB: md5Base64("b")}

func md5Base64(letter string) string {
	sum := md5.Sum([]byte(strings.Repeat(letter, encryption.KeyBytes)))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func crypts(t testing.TB) []crypt {
	t.Helper()
	kms := func(d encryption.DataKey) (encryption.Envelope, error) { return testKeyring.WrapKMS("photos", d) }
	return []crypt{
		{"plain", nil, nil, false},
		s3Crypt(),
		{"SSE-KMS", kms, unwrapWith(testKeyring.Unwrap), true},
		customerCrypt(t, customerA),
	}
}

func s3Crypt() crypt {
	wrap := func(d encryption.DataKey) (encryption.Envelope, error) { return testKeyring.WrapS3(d), nil }
	return crypt{"SSE-S3", wrap, unwrapWith(testKeyring.Unwrap), false}
}

func (c crypt) choose(rng Range) func(meta.Object) (Selection, error) {
	return func(o meta.Object) (Selection, error) {
		key, err := c.unwrap.key(o.Encryption)
		return Selection{Range: rng, Key: key}, err
	}
}

func (f *fixture) putAs(c crypt, key meta.Key, content []byte) PutObjectOutput {
	f.t.Helper()
	out, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: key, Owner: "ada", Body: body(content), Wrap: c.wrap,
	})
	if err != nil {
		f.t.Fatalf("put %q: %v", key, err)
	}
	return out
}

// wantAs requires an object's bytes and ETag.
func (f *fixture) wantAs(c crypt, key meta.Key, want []byte) meta.Object {
	f.t.Helper()
	got, err := f.tryGet(key, c.choose(Range{Size: int64(len(want))}))
	if err != nil || !bytes.Equal(got, want) {
		f.t.Errorf("get %q as %s: %d bytes, error %v; want the %d bytes that were put", key, c.name, len(got), err, len(want))
	}
	o, err := f.HeadObject(background, "b", key, "")
	if err != nil {
		f.t.Fatal(err)
	}
	if raw, err := hex.DecodeString(string(o.ETag)); !isMultipart(o.ETag) &&
		(err != nil || len(raw) != 16 || (o.ETag == etag(want)) == c.hides) {
		f.t.Errorf("%q as %s has the ETag %s", key, c.name, o.ETag)
	}
	if o.Size != int64(len(want)) || (len(o.Encryption) > 0) != (c.wrap != nil) {
		f.t.Errorf("%q as %s: size %d, envelope %x", key, c.name, o.Size, o.Encryption)
	}
	return o
}

// onDisk returns the blobs on disk that are alive, as they are stored.
func (f *fixture) onDisk() []byte {
	f.t.Helper()
	refs := f.blobRefs()
	live, err := f.liveBlobs(background, refs)
	if err != nil {
		f.t.Fatal(err)
	}
	var all []byte
	for i, ref := range refs {
		if ref.Place != 0 && !live[i] {
			continue
		}
		r, err := f.blobs.Open(background, ref, 0, ref.Size)
		if err != nil {
			f.t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			f.t.Fatal(err)
		}
		all = append(all, raw...)
	}
	return all
}

// TestEncryptedObjects puts objects of sizes around those that matter, reads ranges of them, and finds nothing of them
// on the disk.
func TestEncryptedObjects(t *testing.T) {
	const chunk = encryption.ChunkBytes
	sizes := []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 2*chunk + 1}
	for _, d := range []int{-64, -63, 0, 1} { // the stored size crosses the threshold before the plain one
		sizes = append(sizes, packs.DefaultThreshold+d)
	}
	for _, c := range crypts(t)[1:] {
		t.Run(c.name, func(t *testing.T) {
			f := open(t)
			for _, size := range sizes {
				content := noise(size, 7)
				f.putAs(c, "k", content)
				o := f.wantAs(c, "k", content)
				if !bytes.Equal(o.Checksum.Value, sumOf(checksum.CRC64NVME, content)) {
					t.Errorf("%d bytes: the checksum is not that of the plain bytes", size)
				}
				f.garbage.wait()
				if want := int(storedSize(int64(size), new(encryption.DataKey))); len(f.onDisk()) != want {
					t.Errorf("%d bytes are stored as %d, want %d", size, len(f.onDisk()), want)
				}
				if size >= 16 && bytes.Contains(f.onDisk(), content[:16]) {
					t.Errorf("%d bytes: they are on the disk as they are", size)
				}
				for _, rng := range []Range{{0, 1}, {chunk - 1, 2}, {chunk, 1}, {int64(size) - 1, 1}, {1, int64(size) - 2}} {
					if rng.Offset < 0 || rng.Size < 0 || rng.Offset+rng.Size > int64(size) {
						continue
					}
					got, err := f.tryGet("k", c.choose(rng))
					if err != nil || !bytes.Equal(got, content[rng.Offset:rng.Offset+rng.Size]) {
						t.Errorf("%d bytes, range %+v: %d bytes, error %v", size, rng, len(got), err)
					}
				}
				f.wantUsage(bucketB, quota.Usage{Bytes: int64(size), Objects: 1})
			}
		})
	}
}

func TestEncryptedObjectNeedsItsKey(t *testing.T) {
	f := open(t)
	a, b := customerCrypt(t, customerA), customerCrypt(t, customerB)
	f.putAs(a, "k", []byte("content"))
	if _, err := f.tryGet("k", whole); !errors.Is(err, ErrNoDataKey) {
		t.Errorf("without a key: %v", err)
	}
	if _, err := f.tryGet("k", b.choose(Range{Size: 7})); !errors.Is(err, encryption.ErrCustomerKeyWrong) {
		t.Errorf("with another customer's key: %v", err)
	}
	other := encryption.NewDataKey()
	_, err := f.tryGet("k", func(o meta.Object) (Selection, error) {
		return Selection{Range: Range{Size: o.Size}, Key: &other}, nil
	})
	if !errors.Is(err, encryption.ErrCorrupt) {
		t.Errorf("with another data key: %v", err)
	}
	if err := f.copy("k", "l"); !errors.Is(err, ErrNoDataKey) {
		t.Errorf("copy without a key: %v", err)
	}
	f.wantGone("l")
}

func TestEncryptionIsRefusedBeforeTheBody(t *testing.T) {
	f, mine := open(t), errors.New("mine")
	_, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: "k", Body: Body{Reader: unread{t}, Size: 10},
		Wrap: func(encryption.DataKey) (encryption.Envelope, error) { return encryption.Envelope{}, mine },
	})
	if !errors.Is(err, mine) {
		t.Error(err)
	}
}

// TestEncryptedObjectsFillTheLimitExactly: what is charged is the plain size, to the byte.
func TestEncryptedObjectsFillTheLimitExactly(t *testing.T) {
	f, c := open(t), s3Crypt()
	f.limit(bucketB, quota.Limit{MaxBytes: 200_000})
	f.putAs(c, "k", noise(100_000, 1))
	f.putAs(c, "l", noise(100_000, 1))
	_, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: "m", Body: Body{Reader: unread{t}, Size: 1}, Wrap: c.wrap,
	})
	wantExceeded(t, err, bucketB, quota.Bytes)
	f.wantUsage(bucketB, quota.Usage{Bytes: 200_000, Objects: 2})
}

// reading calls a function before each read.
type reading struct {
	io.Reader
	before func()
}

func (r reading) Read(p []byte) (int, error) {
	r.before()
	return r.Reader.Read(p)
}

// TestEncryptedBodiesHoldWhatIsStored: the disk must have room for more than the bytes.
func TestEncryptedBodiesHoldWhatIsStored(t *testing.T) {
	f := open(t)
	for _, test := range []struct {
		wrap WrapKey
		want int64
	}{{nil, 1000}, {s3Crypt().wrap, encryption.StoredSize(1000)}} {
		var held []int64
		b := body(noise(1000, 1))
		b.Reader = reading{b.Reader, func() { held = append(held, f.ledger.unwritten.Load()) }}
		if _, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: b, Wrap: test.wrap}); err != nil {
			t.Fatal(err)
		}
		if len(held) == 0 || held[0] != test.want {
			t.Errorf("%d bytes are held of the disk, want %d at first", held, test.want)
		}
	}
}

// TestEncryptedBodiesThatFail leave nothing behind.
func TestEncryptedBodiesThatFail(t *testing.T) {
	content := noise(300_000, 1)
	for _, test := range []struct {
		name string
		body Body
		want error
	}{
		{"short", Body{Reader: bytes.NewReader(content[1:]), Size: 300_000}, ErrIncompleteBody},
		{"long", Body{Reader: bytes.NewReader(content), Size: 299_999}, ErrBodyTooLong},
		{"another MD5", Body{Reader: bytes.NewReader(content), Size: 300_000, MD5: make([]byte, 16)}, &BadDigestError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t, inFiles)
			_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: test.body, Wrap: s3Crypt().wrap})
			var digest *BadDigestError
			if !errors.Is(err, test.want) && !errors.As(err, &digest) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			f.wantGone("k")
		})
	}
}

// TestEncryptedBodyOfUnknownSize is a form's file, whose size is known at its end.
func TestEncryptedBodyOfUnknownSize(t *testing.T) {
	f, c := open(t), s3Crypt()
	for _, size := range []int{0, 10, 70_000, 70_010} {
		content := noise(size, 3)
		in := PutObjectInput{Bucket: "b", Key: "k", Body: body(content), Wrap: c.wrap}
		in.Body.Size, in.Body.Least, in.Body.Most = 70_000, 0, 70_010
		if _, err := f.PutObject(background, in); err != nil {
			t.Fatal(err)
		}
		f.wantAs(c, "k", content)
		f.wantUsage(bucketB, quota.Usage{Bytes: int64(size), Objects: 1})
	}
}

// TestFlippedBitOfAnEncryptedBlob is found where the blob's own checksums are right, too.
func TestFlippedBitOfAnEncryptedBlob(t *testing.T) {
	f, c := open(t), s3Crypt()
	content := noise(200_000, 1)
	f.putAs(c, "k", content)
	o, err := f.HeadObject(background, "b", "k", "")
	if err != nil {
		t.Fatal(err)
	}
	raw := f.onDisk()
	for _, at := range []int{0, 20, 40, 100_000, len(raw) - 1} {
		damaged := bytes.Clone(raw)
		damaged[at] ^= 1
		put, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "raw", Body: body(damaged)})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := f.HeadObject(background, "b", "raw", put.Version)
		if err != nil {
			t.Fatal(err)
		}
		key, err := c.unwrap.key(o.Encryption)
		if err != nil {
			t.Fatal(err)
		}
		ref := blob.Ref{ID: blob.ID(stored.Segments[0].Blob), Size: stored.Size}
		reader, err := f.openEncrypted(background, ref, run{plain: 200_000, size: 200_000, key: key})
		if err == nil {
			var got []byte
			got, err = io.ReadAll(reader)
			_ = reader.Close()
			if !bytes.HasPrefix(content, got) {
				t.Errorf("byte %d: what is not the content was read", at)
			}
		}
		if !errors.Is(err, encryption.ErrCorrupt) {
			t.Errorf("byte %d is another: error %v", at, err)
		}
	}
}
