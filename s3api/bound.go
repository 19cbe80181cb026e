package s3api

import (
	"errors"
	"io"
	"net/http"

	"github.com/johannesboyne/gofakes3"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// bound is the backend that gofakes3 sees: the store, bound to one request. gofakes3's methods take no context; this
// gives them one. An error is recorded with its type and returned as gofakes3's, which discards it.
//
// Only the operations that front serves reach it. The others are answered by s3api itself and return errUnreached here.
type bound struct {
	rq *request

	payload   *payload                  // of PutObject and UploadPart
	newObject                           // of PutObject
	deletion  backend.DeleteObjectInput // of DeleteObject

	headers []headerField // to be set on a success, over gofakes3's
	err     error         // what went wrong, as the store said it
}

// headerField is a header of an answer, its name in the canonical form.
type headerField struct{ name, value string }

// set sets a header of a success.
func (b *bound) set(name, value string) { b.headers = append(b.headers, headerField{name, value}) }

var (
	_ gofakes3.Backend          = (*bound)(nil)
	_ gofakes3.MultipartBackend = (*bound)(nil)
)

// errUnreached says that gofakes3 called what s3api does not leave to it.
var errUnreached = errors.New("s3api: gofakes3 called an operation that is not its own")

// fail records an error and returns one that gofakes3 takes.
func (b *bound) fail(err error) error {
	if err == nil {
		return nil
	}
	b.err = err
	return gofakes3.ErrInternal
}

// BucketExists answers yes: each operation finds out by itself, in the same step as the rest of its work.
func (b *bound) BucketExists(string) (bool, error) { return true, nil }

// PutObject implements gofakes3.Backend. The body is the payload: gofakes3's reader has nothing, see front.serve.
func (b *bound) PutObject(
	_, _ string, _ map[string]string, _ io.Reader, _ int64, _ *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	out, err := b.rq.store().PutObject(b.rq.r.Context(), backend.PutObjectInput{
		Bucket: b.rq.bucket, Key: b.rq.key, Owner: b.rq.newOwner(),
		Attributes: b.attributes, Settings: b.settings, Precondition: b.precondition,
		Body: b.payload.body(), Wrap: b.wrap,
	})
	if err != nil {
		return gofakes3.PutObjectResult{}, b.fail(err)
	}
	b.set("Etag", quoteETag(out.ETag)) // over gofakes3's, which is of nothing
	b.setChecksum(out.Checksum)
	b.rq.tellEncryption(out.Encryption, b.set)
	if expiration := b.rq.expiration(out.Size, out.Modified, b.settings.Tags); expiration != "" {
		b.set("X-Amz-Expiration", expiration)
	}
	if version := b.rq.madeVersion(out.Version); version != "" {
		b.set("X-Amz-Version-Id", string(version))
	}
	b.rq.setRoom()
	return gofakes3.PutObjectResult{}, nil
}

// UploadPart implements gofakes3.MultipartBackend.
func (b *bound) UploadPart(
	_, _ string, id gofakes3.UploadID, number int, _ int64, _ io.Reader,
) (string, error) {
	part, err := b.rq.store().UploadPart(b.rq.r.Context(), backend.UploadPartInput{
		Bucket: b.rq.bucket, Key: b.rq.key, Upload: meta.UploadID(id), Number: number, Body: b.payload.body(),
		Unwrap: func(envelope []byte) (*encryption.DataKey, error) {
			b.rq.tellEncryption(envelope, b.set)
			return b.rq.uploadKey(envelope)
		},
	})
	if err != nil {
		return "", b.fail(err)
	}
	sum := part.Checksum
	if sum.Algorithm == checksum.None && b.payload.algorithm != checksum.None {
		sum = checksum.Checksum{Algorithm: b.payload.algorithm, Value: b.payload.sum.Sum(nil)} // verified, and not kept
	}
	if sum.Algorithm != checksum.None {
		b.set(canonicalChecksumHeader(sum.Algorithm), sum.String())
	}
	b.rq.setRoom()
	return quoteETag(part.ETag), nil
}

// setChecksum sets the headers that tell of a stored checksum.
func (b *bound) setChecksum(c checksum.Checksum) {
	if c.Algorithm == checksum.None {
		return
	}
	b.set(canonicalChecksumHeader(c.Algorithm), c.String())
	b.set("X-Amz-Checksum-Type", c.Type.String())
}

func canonicalChecksumHeader(a checksum.Algorithm) string { return http.CanonicalHeaderKey(a.Header()) }

// DeleteObject implements gofakes3.Backend.
func (b *bound) DeleteObject(_, _ string) (gofakes3.ObjectDeleteResult, error) {
	deleted, err := b.rq.store().DeleteObject(b.rq.r.Context(), b.deletion)
	if err == nil {
		b.setDeletion(deleted)
		b.rq.setRoom()
	}
	return gofakes3.ObjectDeleteResult{}, b.fail(err)
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (b *bound) AbortMultipartUpload(_, _ string, id gofakes3.UploadID) error {
	err := b.rq.store().AbortMultipartUpload(b.rq.r.Context(), b.rq.bucket, b.rq.key, meta.UploadID(id))
	if err == nil {
		b.rq.setRoom()
	}
	return b.fail(err)
}

// DeleteBucket implements gofakes3.Backend.
func (b *bound) DeleteBucket(string) error {
	return b.fail(b.rq.store().DeleteBucket(b.rq.r.Context(), b.rq.bucket))
}

// What follows is answered by s3api itself.

// GetObject is not reached.
func (b *bound) GetObject(_, _ string, _ *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	return nil, b.fail(errUnreached)
}

// HeadObject is not reached.
func (b *bound) HeadObject(_, _ string) (*gofakes3.Object, error) { return nil, b.fail(errUnreached) }

// ListBuckets is not reached.
func (b *bound) ListBuckets() ([]gofakes3.BucketInfo, error) { return nil, b.fail(errUnreached) }

// ListBucket is not reached.
func (b *bound) ListBucket(string, *gofakes3.Prefix, gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	return nil, b.fail(errUnreached)
}

// CreateBucket is not reached.
func (b *bound) CreateBucket(string) error { return b.fail(errUnreached) }

// ForceDeleteBucket is not reached: the header that asks for it is not passed on.
func (b *bound) ForceDeleteBucket(string) error { return b.fail(errUnreached) }

// DeleteMulti is not reached.
func (b *bound) DeleteMulti(string, ...string) (gofakes3.MultiDeleteResult, error) {
	return gofakes3.MultiDeleteResult{}, b.fail(errUnreached)
}

// CopyObject is not reached.
func (b *bound) CopyObject(_, _, _, _ string, _ map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, b.fail(errUnreached)
}

// CreateMultipartUpload is not reached.
func (b *bound) CreateMultipartUpload(_, _ string, _ map[string]string) (gofakes3.UploadID, error) {
	return "", b.fail(errUnreached)
}

// ListMultipartUploads is not reached.
func (b *bound) ListMultipartUploads(
	string, *gofakes3.UploadListMarker, gofakes3.Prefix, int64,
) (*gofakes3.ListMultipartUploadsResult, error) {
	return nil, b.fail(errUnreached)
}

// ListParts is not reached.
func (b *bound) ListParts(
	_, _ string, _ gofakes3.UploadID, _ int, _ int64,
) (*gofakes3.ListMultipartUploadPartsResult, error) {
	return nil, b.fail(errUnreached)
}

// CompleteMultipartUpload is not reached.
func (b *bound) CompleteMultipartUpload(
	_, _ string, _ gofakes3.UploadID, _ *gofakes3.CompleteMultipartUploadRequest,
) (gofakes3.VersionID, string, error) {
	return "", "", b.fail(errUnreached)
}
