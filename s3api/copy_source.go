package s3api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/acl"
)

// copySource is what CopyObject and UploadPartCopy copy from.
type copySource struct {
	backend.Source
	// of is the request as one that reads the source: permissions are asked for by it. It answers nothing.
	of request
}

// copySource reads x-amz-copy-source and the conditions on it, and asks for the permission to read it.
func (rq *request) copySource() (*copySource, error) {
	if rq.access == nil {
		return nil, meta.ErrNoSuchBucket // there is nothing to copy to
	}
	source, err := parseCopySource(rq.r.Header)
	if err != nil {
		return nil, err
	}
	source.Unwrap = rq.sourceKey
	s := &copySource{Source: source, of: *rq}
	s.of.bucket, s.of.key, s.of.query = source.Bucket, source.Key, nil
	if source.Version != "" {
		s.of.query = url.Values{"versionId": {string(source.Version)}}
	}
	s.of.access, err = rq.handler.bucketAccess(source.Bucket)
	if errors.Is(err, meta.ErrNoSuchBucket) {
		return nil, s3err("NoSuchBucket").with("BucketName", string(source.Bucket))
	}
	if err != nil {
		return nil, err
	}
	if err := rq.checkExpectedOwner(expectedSourceOwnerHeader, s.of.access); err != nil {
		return nil, err
	}
	read := permission{action: "s3:GetObject", grant: acl.Read, ofObject: true}
	return s, s.of.allow(read.on(string(source.Version)), s.of.access, s.of.key)
}

// parseCopySource reads x-amz-copy-source: bucket/key, URL-encoded, with a version behind it where one is meant. S3 takes a
// plus for a space: who means a plus writes %2B.
func parseCopySource(header http.Header) (backend.Source, error) {
	value := headerOf(header, "X-Amz-Copy-Source")
	escaped, query, versioned := strings.Cut(value, "?")
	path, err := url.QueryUnescape(escaped)
	if err != nil || !utf8.ValidString(path) {
		return backend.Source{}, invalidArgument("x-amz-copy-source", value, "Invalid copy source encoding")
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ValidBucketName(bucket) {
		return backend.Source{}, invalidArgument("x-amz-copy-source", value, "Invalid copy source bucket name")
	}
	if key == "" || climbs(key) {
		return backend.Source{}, invalidArgument("x-amz-copy-source", key, "Invalid copy source object key")
	}
	if len(key) > backend.MaxKeyBytes {
		return backend.Source{}, s3err("KeyTooLongError")
	}
	source := backend.Source{Bucket: meta.BucketName(bucket), Key: meta.Key(key)}
	if versioned {
		values, err := url.ParseQuery(query)
		if err != nil || !values.Has("versionId") {
			return backend.Source{}, invalidArgument("x-amz-copy-source", value, "Invalid copy source encoding")
		}
		if source.Version, err = parseVersion(values.Get("versionId")); err != nil {
			return backend.Source{}, err
		}
	}
	check := conditions{prefix: "x-amz-copy-source-", header: header}
	source.Check = func(o meta.Object) error {
		if err := check.check(o); err != nil {
			return err
		}
		return nil
	}
	return source, nil
}

// climbs reports whether a key is a path that leads out of its bucket, or to nothing but the bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
func climbs(key string) bool {
	depth, named := 0, false
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "", ".":
			named = named || segment == ""
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth, named = depth+1, true
		}
	}
	return !named
}

// setSourceVersion tells which version was copied. Where the source's bucket never kept versions there is none to tell.
func (rq *request) setSourceVersion(s *copySource, version meta.VersionID) {
	if version != "" && s.of.access.Versioning != meta.VersioningOff {
		rq.w.set("X-Amz-Copy-Source-Version-Id", string(version))
	}
}

// explain makes a refusal name the source where that is what is missing.
func (s *copySource) explain(err error) error {
	var marker *meta.DeleteMarkerError
	switch {
	case errors.As(err, &marker) && !marker.Latest:
		return s3err("InvalidRequest", "The source of a copy request may not specifically refer to a delete marker by "+
			"version id.")
	case errors.Is(err, meta.ErrNoSuchVersion):
		return s3err("NoSuchVersion").with("Key", string(s.Key)).with("VersionId", string(s.Version))
	case errors.Is(err, meta.ErrNoSuchKey) && headerOf(s.of.r.Header, "If-Match") == "":
		list := permission{action: "s3:ListBucket", grant: acl.Read}
		if !s.of.who.Unbounded() && s.of.allow(list, s.of.access, "") != nil {
			return s3err("AccessDenied") // who may not list must not learn which keys there are
		}
		return s3err("NoSuchKey").with("Key", string(s.Key))
	}
	return err
}
