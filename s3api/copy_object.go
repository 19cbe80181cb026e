package s3api

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// copyObject answers CopyObject: gofakes3 mixes headers into metadata and has no conditions and no directives.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func copyObject(rq *request) error {
	source, err := rq.copySource()
	if err != nil {
		return err
	}
	in := backend.CopyObjectInput{
		Source: source, Bucket: rq.bucket, Key: rq.key, Owner: rq.handler.owner.name,
	}
	if in.Precondition, err = writePrecondition(rq.r.Header); err != nil {
		return err
	}
	switch directive := rq.r.Header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		attributes, err := attributesOf(rq.r.Header)
		if err != nil {
			return err
		}
		in.Attributes = &attributes
	default:
		return invalidArgument("x-amz-metadata-directive", directive, "Unknown metadata directive.")
	}
	if err := rq.checkTaggingDirective(); err != nil {
		return err
	}
	if in.StorageClass, err = storageClass(rq.r.Header); err != nil {
		return err
	}
	changes := in.Attributes != nil || rq.r.Header.Get("X-Amz-Storage-Class") != ""
	if !changes && source.Bucket == rq.bucket && source.Key == rq.key {
		return s3err("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself "+
			"without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if in.Algorithm, err = rq.checksumAlgorithm(); err != nil {
		return err
	}
	object, err := rq.store().CopyObject(rq.r.Context(), in)
	if err != nil {
		return rq.ofSource(err, source)
	}
	x := newXML(512)
	x.root("CopyObjectResult")
	x.timestamp("LastModified", object.Modified)
	x.text("ETag", quoteETag(object.ETag))
	writeChecksum(x, object.Checksum)
	x.close("CopyObjectResult")
	return rq.writeXML(x)
}

func (rq *request) checkTaggingDirective() error {
	switch directive := rq.r.Header.Get("X-Amz-Tagging-Directive"); directive {
	case "", "COPY", "REPLACE":
		return nil // there are no tags: nothing is copied, and nothing replaces it
	default:
		return invalidArgument("x-amz-tagging-directive", directive, "Unknown tagging directive.")
	}
}

// checksumAlgorithm reads x-amz-checksum-algorithm.
func (rq *request) checksumAlgorithm() (checksum.Algorithm, error) {
	name := rq.r.Header.Get("X-Amz-Checksum-Algorithm")
	if name == "" {
		return checksum.None, nil
	}
	a, ok := checksum.ParseAlgorithm(name)
	if !ok {
		return checksum.None, s3err("InvalidRequest", "Checksum algorithm provided is unsupported. "+
			"Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}
	return a, nil
}

// copySource reads x-amz-copy-source and the conditions on it.
func (rq *request) copySource() (backend.Source, error) {
	header := rq.r.Header.Get("X-Amz-Copy-Source")
	invalid := invalidArgument("x-amz-copy-source", header,
		"Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	path, query, _ := strings.Cut(header, "?")
	path, err := url.PathUnescape(path)
	if err != nil {
		return backend.Source{}, invalid
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || bucket == "" || key == "" || !utf8.ValidString(path) {
		return backend.Source{}, invalid
	}
	if len(key) > backend.MaxKeyBytes {
		return backend.Source{}, s3err("KeyTooLongError")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return backend.Source{}, invalid
	}
	if values.Has("versionId") && values.Get("versionId") != "null" {
		return backend.Source{}, invalidArgument("versionId", values.Get("versionId"), "Invalid version id specified")
	}
	check := conditions{prefix: "x-amz-copy-source-", header: rq.r.Header}
	return backend.Source{
		Bucket: meta.BucketName(bucket),
		Key:    meta.Key(key),
		Check: func(o meta.Object) error {
			if err := check.check(o); err != nil {
				return err
			}
			return nil
		},
	}, nil
}

// ofSource makes a NoSuchBucket or NoSuchKey name what is missing: the source, or the destination.
func (rq *request) ofSource(err error, source backend.Source) error {
	e := rq.toError(err)
	if e.Status != http.StatusNotFound {
		return err
	}
	switch e.Code {
	case "NoSuchBucket":
		if rq.store().HeadBucket(rq.r.Context(), rq.bucket) == nil {
			e.Extra = []element{{"BucketName", string(source.Bucket)}}
		}
	case "NoSuchKey":
		if rq.r.Header.Get("If-Match") == "" {
			e.Extra = []element{{"Key", string(source.Key)}}
		}
	}
	return e
}

// writeChecksum writes the elements that tell of a checksum.
func writeChecksum(x *xmlWriter, c checksum.Checksum) {
	if c.Algorithm == checksum.None {
		return
	}
	x.text("Checksum"+c.Algorithm.String(), c.String())
	x.text("ChecksumType", c.Type.String())
}
