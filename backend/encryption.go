package backend

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// The store encrypts and decrypts; which key that is done with is for the caller to say. Every encrypted object, or
// upload, has a data key of its own, and its row has the envelope of that: Settings.Encryption. An encrypted blob takes
// more of the disk than it has bytes: quotas count the bytes, and Segment.Stored and the disk what is stored.

// WrapKey makes the envelope of a new data key; an error of it ends the operation, which returns it. A nil WrapKey is
// that of what is not encrypted.
type WrapKey func(encryption.DataKey) (encryption.Envelope, error)

// UnwrapKey returns the data key of an object or an upload. It is given Settings.Encryption, also where that is empty:
// then it returns nil. An error of it ends the operation, which returns it. A nil UnwrapKey has no keys.
type UnwrapKey func(envelope []byte) (*encryption.DataKey, error)

// ErrNoDataKey says that an encrypted object or upload is used without its key.
var ErrNoDataKey = errors.New("encrypted, and no key was given")

// key returns the data key of an object or an upload, nil where it is not encrypted.
func (u UnwrapKey) key(envelope []byte) (*encryption.DataKey, error) {
	if u == nil {
		return nil, checkKey(envelope, nil)
	}
	key, err := u(envelope)
	if err != nil {
		return nil, err
	}
	return key, checkKey(envelope, key)
}

// checkKey makes sure that encrypted bytes are never taken for plain ones.
func checkKey(envelope []byte, key *encryption.DataKey) error {
	if len(envelope) > 0 && key == nil {
		return ErrNoDataKey
	}
	return nil
}

// newKey returns a new data key and its envelope; neither where wrap is nil.
func (wrap WrapKey) newKey() (*encryption.DataKey, []byte, error) {
	if wrap == nil {
		return nil, nil, nil
	}
	key := encryption.NewDataKey()
	envelope, err := wrap(key)
	if err != nil {
		return nil, nil, err
	}
	return &key, envelope.Marshal(), nil
}

// NewEnvelope returns the envelope of a new data key, as CreateMultipartUpload takes it in the upload's Settings.
func NewEnvelope(wrap WrapKey) ([]byte, error) {
	_, envelope, err := wrap.newKey()
	return envelope, err
}

// storedSize is how many bytes the blob store keeps for size bytes. Where there are none, there is no blob.
func storedSize(size int64, key *encryption.DataKey) int64 {
	if key == nil || size == 0 {
		return size
	}
	return encryption.StoredSize(size)
}

// segmentOf is the segment of a new blob.
func segmentOf(ref blob.Ref, size int64) meta.Segment {
	segment := meta.Segment{Blob: meta.BlobID(ref.ID), Size: size, Place: uint64(ref.Place)}
	if ref.Size != size {
		segment.Stored = ref.Size
	}
	return segment
}

// fill streams a body into a blob, and finishes both.
func (in *incoming) fill(w io.Writer, key *encryption.DataKey) error {
	if key == nil {
		if err := in.copyTo(w); err != nil {
			return err
		}
		return in.finish()
	}
	sealed := encryption.NewWriter(w, *key) // one that is not closed is just dropped
	if err := in.copyTo(sealed); err != nil {
		return err
	}
	if err := in.finish(); err != nil {
		return err
	}
	return sealed.Close()
}

// openEncrypted opens a run of an encrypted blob. It fails as openRun does.
func (s *Store) openEncrypted(ctx context.Context, ref blob.Ref, r run) (io.ReadCloser, error) {
	open := func(offset, length int64) (io.ReadCloser, error) { return s.blobs.Open(ctx, ref, offset, length) }
	reader, err := encryption.NewReader(open, *r.key, r.plain, r.offset, r.size)
	if err != nil {
		return nil, err
	}
	return reader, nil
}

// hidesMD5 reports whether what has this envelope has an ETag that is not its MD5: under SSE-C and SSE-KMS who may list
// a bucket learns nothing of what is in its objects.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
func hidesMD5(envelope []byte) bool {
	if len(envelope) == 0 {
		return false
	}
	e, err := encryption.UnmarshalEnvelope(envelope)
	return err != nil || e.Kind() != encryption.S3
}

// newETag is the ETag of an object, or a part, that was put in one piece. One that is not the MD5 looks like one, since
// that of an upload is computed of those of its parts.
func newETag(md5 []byte, envelope []byte) meta.ETag {
	if !hidesMD5(envelope) {
		return meta.ETag(hex.EncodeToString(md5))
	}
	var opaque [16]byte
	_, _ = rand.Read(opaque[:]) // it never fails: it ends the program instead
	return meta.ETag(hex.EncodeToString(opaque[:]))
}
