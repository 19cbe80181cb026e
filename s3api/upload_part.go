package s3api

import (
	"math"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// uploadPart prepares UploadPart for gofakes3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
func uploadPart(rq *request) error {
	if err := rq.refuseEncryption(); err != nil {
		return err
	}
	if _, err := rq.partNumber(); err != nil {
		return err
	}
	f, err := rq.prepareUpload()
	if err != nil {
		return err
	}
	// gofakes3 refuses a length of 0, which S3 takes, and does not use it beyond that: the length that counts is the
	// request's own.
	f.header.Set("Content-Length", itoa64(max(f.bound.payload.size, 1)))
	return f.serve(rq.pick("uploadId", "partNumber"))
}

func (rq *request) partNumber() (int, error) {
	value := rq.query.Get("partNumber")
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > backend.MaxPartNumber {
		return 0, invalidPartNumber("partNumber", value)
	}
	return n, nil
}

// uploadPartCopy answers UploadPartCopy, which gofakes3 does not have.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
func uploadPartCopy(rq *request) error {
	if err := rq.refuseEncryption(); err != nil {
		return err
	}
	number, err := rq.partNumber()
	if err != nil {
		return err
	}
	source, err := rq.copySource()
	if err != nil {
		return err
	}
	in := backend.UploadPartCopyInput{
		Source: source.Source, Bucket: rq.bucket, Key: rq.key, Upload: meta.UploadID(rq.query.Get("uploadId")), Number: number,
	}
	if header := headerOf(rq.r.Header, "X-Amz-Copy-Source-Range"); header != "" {
		// The range must lie within the source, unlike that of a GetObject, which is cut.
		r, ok := parseRange(header)
		if !ok || r.suffix >= 0 || r.last == math.MaxInt64 || strings.HasSuffix(header, "-") {
			return invalidArgument("x-amz-copy-source-range", header,
				"The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "+
					"zero-based offsets of the first and last bytes to copy")
		}
		in.Range = &backend.Range{Offset: r.first, Size: r.last - r.first + 1}
		in.Source.Check = checkWithin(source.Source, r)
	}
	var envelope []byte // of the upload
	in.Unwrap = func(of []byte) (*encryption.DataKey, error) {
		envelope = of
		return rq.uploadKey(of)
	}
	part, err := rq.store().UploadPartCopy(rq.r.Context(), in)
	if err != nil {
		return source.explain(err)
	}
	rq.setSourceVersion(source, part.SourceVersion)
	rq.setEncryption(envelope)
	rq.setRoom()
	x := newXML(512)
	x.root("CopyPartResult")
	x.timestamp("LastModified", part.Modified)
	x.text("ETag", quoteETag(part.ETag))
	if part.Checksum.Algorithm != checksum.None {
		x.text("Checksum"+part.Checksum.Algorithm.String(), part.Checksum.String())
	}
	x.close("CopyPartResult")
	return rq.writeXML(x)
}

// checkWithin adds to a source's check that a range lies within it.
func checkWithin(source backend.Source, r byteRange) func(meta.Object) error {
	return func(o meta.Object) error {
		if err := source.Check(o); err != nil {
			return err
		}
		if r.last >= o.Size {
			return invalidArgument("x-amz-copy-source-range", "bytes="+itoa64(r.first)+"-"+itoa64(r.last),
				"Range specified is not valid for source object of size: "+itoa64(o.Size))
		}
		return nil
	}
}
