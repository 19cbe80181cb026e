package s3api

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/johannesboyne/gofakes3"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// bound is the backend that gofakes3 sees: the store, bound to one request. gofakes3's methods take no context; this
// gives them one. An error is recorded with its type and returned as gofakes3's, which discards it.
//
// Only the operations that front serves reach it. The others are answered by s3api itself and return errUnreached here.
type bound struct {
	rq      *request
	request *http.Request // what gofakes3 sees

	payload      *payload        // of PutObject and UploadPart
	attributes   meta.Attributes // of PutObject
	precondition meta.Precondition

	headers []headerField     // to be set on a success, over gofakes3's
	user    map[string]string // user metadata of the object that is read
	err     error             // what went wrong, as the store said it
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

// PutObject implements gofakes3.Backend. input computes the MD5 of what passes, and verifies Content-MD5.
func (b *bound) PutObject(
	_, _ string, _ map[string]string, input io.Reader, size int64, _ *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	out, err := b.rq.store().PutObject(b.rq.r.Context(), backend.PutObjectInput{
		Bucket: b.rq.bucket, Key: b.rq.key, Owner: b.rq.handler.owner.name,
		Attributes: b.attributes, Precondition: b.precondition,
		Body: b.body(input, size),
	})
	if err != nil {
		return gofakes3.PutObjectResult{}, b.fail(b.withDigests(err, input))
	}
	b.setChecksum(out.Checksum)
	return gofakes3.PutObjectResult{}, nil
}

// withDigests makes gofakes3's refusal of a body that is not what Content-MD5 says S3's, with both digests.
func (b *bound) withDigests(err error, input io.Reader) error {
	hashed, ok := input.(interface{ Sum([]byte) []byte })
	if !ok || !errors.Is(err, gofakes3.ErrBadDigest) {
		return err
	}
	return s3err("BadDigest").with("ExpectedDigest", b.rq.r.Header.Get("Content-Md5")).
		with("CalculatedDigest", base64.StdEncoding.EncodeToString(hashed.Sum(nil)))
}

// body is the payload as the store takes it, read through gofakes3's hashing reader.
func (b *bound) body(input io.Reader, size int64) backend.Body {
	body := backend.Body{Reader: input, Size: size}
	if b.payload.algorithm != checksum.None {
		sum := b.payload.sum
		body.Algorithm = b.payload.algorithm
		body.Sum = func() []byte { return sum.Sum(nil) }
	}
	return body
}

// UploadPart implements gofakes3.MultipartBackend.
func (b *bound) UploadPart(
	_, _ string, id gofakes3.UploadID, number int, size int64, input io.Reader,
) (string, error) {
	part, err := b.rq.store().UploadPart(b.rq.r.Context(), backend.UploadPartInput{
		Bucket: b.rq.bucket, Key: b.rq.key, Upload: meta.UploadID(id), Number: number, Body: b.body(input, size),
	})
	if err != nil {
		return "", b.fail(b.withDigests(err, input))
	}
	if b.payload.algorithm == part.Checksum.Algorithm {
		b.set(canonicalChecksumHeader(part.Checksum.Algorithm), part.Checksum.String())
	} else if b.payload.algorithm != checksum.None {
		sum := checksum.Checksum{Algorithm: b.payload.algorithm, Value: b.payload.sum.Sum(nil)}
		b.set(canonicalChecksumHeader(sum.Algorithm), sum.String())
	}
	return quoteETag(part.ETag), nil
}

// GetObject implements gofakes3.Backend.
func (b *bound) GetObject(_, _ string, _ *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	var chosen selection
	object, contents, err := b.rq.store().GetObject(b.rq.r.Context(), b.rq.bucket, b.rq.key,
		func(o meta.Object) (backend.Range, error) {
			if err := (conditions{header: b.rq.r.Header}).check(o); err != nil {
				return backend.Range{}, err
			}
			var err error
			chosen, err = b.rq.choose(o)
			return chosen.rng, err
		})
	if err != nil {
		return nil, b.fail(err)
	}
	out := b.object(object, chosen)
	out.Contents = &recordedReader{ReadCloser: contents, bound: b}
	if chosen.partial {
		out.Range = &gofakes3.ObjectRange{Start: chosen.rng.Offset, Length: chosen.rng.Size}
	}
	return out, nil
}

// HeadObject implements gofakes3.Backend. gofakes3 reads the Range header after it: it gets the range that holds.
func (b *bound) HeadObject(_, _ string) (*gofakes3.Object, error) {
	object, err := b.rq.store().HeadObject(b.rq.r.Context(), b.rq.bucket, b.rq.key)
	if err != nil {
		return nil, b.fail(err)
	}
	if err := (conditions{header: b.rq.r.Header}).check(object); err != nil {
		return nil, b.fail(err)
	}
	chosen, err := b.rq.choose(object)
	if err != nil {
		return nil, b.fail(err)
	}
	if chosen.partial {
		b.request.Header.Set("Range",
			"bytes="+itoa64(chosen.rng.Offset)+"-"+itoa64(chosen.rng.Offset+chosen.rng.Size-1))
	}
	out := b.object(object, chosen)
	out.Contents = http.NoBody
	// An empty part of an object that is not empty.
	if chosen.part != nil && !chosen.partial {
		out.Size = 0
	}
	return out, nil
}

// object is an object's row as gofakes3 has it, without a hash: that cannot say "-N", and the ETag goes over it in a
// header.
func (b *bound) object(o meta.Object, chosen selection) *gofakes3.Object {
	b.user = o.Attributes.User
	b.setObjectHeaders(&o)
	b.set("Etag", quoteETag(o.ETag))
	if chosen.part != nil {
		b.set("X-Amz-Mp-Parts-Count", itoa(len(o.Parts)))
	}
	if strings.EqualFold(b.rq.r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		b.setChecksum(chosenChecksum(o, chosen))
	}
	return &gofakes3.Object{Name: string(b.rq.key), Size: o.Size}
}

// chosenChecksum is the checksum of what was asked for: the object's, or the part's. A range has none.
func chosenChecksum(o meta.Object, chosen selection) checksum.Checksum {
	switch {
	case chosen.part != nil && len(chosen.part.Checksum) > 0:
		return checksum.Checksum{
			Algorithm: o.Checksum.Algorithm, Type: o.Checksum.Type, Value: chosen.part.Checksum,
		}
	case chosen.part == nil && !chosen.ranged:
		return o.Checksum
	}
	return checksum.Checksum{}
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

// recordedReader records an error of reading: gofakes3 would only append a document to what has been sent.
type recordedReader struct {
	io.ReadCloser
	bound *bound
}

func (r *recordedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		r.bound.err = err
	}
	return n, err
}

// WriteTo lets the store write its own buffers.
func (r *recordedReader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, r.ReadCloser)
	if err != nil {
		r.bound.err = err
	}
	return n, err
}

// DeleteObject implements gofakes3.Backend.
func (b *bound) DeleteObject(_, _ string) (gofakes3.ObjectDeleteResult, error) {
	err := b.rq.store().DeleteObject(b.rq.r.Context(), b.rq.bucket, b.rq.key)
	return gofakes3.ObjectDeleteResult{}, b.fail(err)
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (b *bound) AbortMultipartUpload(_, _ string, id gofakes3.UploadID) error {
	return b.fail(b.rq.store().AbortMultipartUpload(b.rq.r.Context(), b.rq.bucket, b.rq.key, meta.UploadID(id)))
}

// DeleteBucket implements gofakes3.Backend.
func (b *bound) DeleteBucket(string) error {
	return b.fail(b.rq.store().DeleteBucket(b.rq.r.Context(), b.rq.bucket))
}

// What follows is answered by s3api itself.

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
