package s3api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxUserMetadataBytes is the largest sum of the names and values of an object's x-amz-meta- headers.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
const maxUserMetadataBytes = 2048

const userMetadataPrefix = "X-Amz-Meta-"

// storageClasses are those that S3 names; an object keeps the one it was given.
var storageClasses = []string{
	"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
	"OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP",
}

// attributesOf returns the headers of a request that S3 keeps with an object.
func attributesOf(header http.Header) (meta.Attributes, error) {
	a := meta.Attributes{
		ContentType:        headerOf(header, "Content-Type"),
		CacheControl:       headerOf(header, "Cache-Control"),
		ContentDisposition: headerOf(header, "Content-Disposition"),
		ContentEncoding:    withoutChunked(header.Values("Content-Encoding")),
		ContentLanguage:    headerOf(header, "Content-Language"),
		Expires:            headerOf(header, "Expires"),
		WebsiteRedirect:    headerOf(header, "X-Amz-Website-Redirect-Location"),
	}
	if err := checkRedirect(a.WebsiteRedirect); err != nil {
		return meta.Attributes{}, err
	}
	class, err := storageClass(header)
	if err != nil {
		return meta.Attributes{}, err
	}
	a.StorageClass = class
	size := 0
	for name, values := range header {
		if !strings.HasPrefix(name, userMetadataPrefix) {
			continue
		}
		if a.User == nil {
			a.User = make(map[string]string)
		}
		key, value := strings.ToLower(name[len(userMetadataPrefix):]), strings.Join(values, ",")
		a.User[key] = value
		size += len(key) + len(value)
	}
	if size > maxUserMetadataBytes {
		return meta.Attributes{}, s3err("MetadataTooLarge").with("Size", itoa(size)).
			with("MaxSizeAllowed", itoa(maxUserMetadataBytes))
	}
	return a, nil
}

// checkRedirect refuses a redirect location that is neither a path nor an address of the web.
func checkRedirect(location string) error {
	if location == "" || strings.HasPrefix(location, "/") || strings.HasPrefix(location, "http://") ||
		strings.HasPrefix(location, "https://") {
		return nil
	}
	return s3err("InvalidRedirectLocation").with("RedirectLocation", location)
}

// storageClass reads x-amz-storage-class; STANDARD is the empty one.
func storageClass(header http.Header) (string, error) {
	class := headerOf(header, "X-Amz-Storage-Class")
	switch {
	case class == "" || class == "STANDARD":
		return "", nil
	case !slices.Contains(storageClasses, class):
		return "", s3err("InvalidStorageClass").with("StorageClassRequested", class)
	}
	return class, nil
}

// withoutChunked returns a Content-Encoding less aws-chunked, which is of the transfer and not of the object.
func withoutChunked(values []string) string {
	var kept []string
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "aws-chunked") {
				kept = append(kept, coding)
			}
		}
	}
	return strings.Join(kept, ",")
}

// setObjectHeaders sets the headers that tell of an object, beside its length, its range and its user metadata.
// Response-* parameters of the query override what the object has.
func (rq *request) setObjectHeaders(o *meta.Object) {
	a := &o.Attributes
	rq.w.set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	rq.w.set("Accept-Ranges", "bytes")
	set := func(name, value, override string) {
		if v := rq.query.Get(override); v != "" {
			value = v
		}
		if value != "" {
			rq.w.set(name, value)
		}
	}
	set("Content-Type", cmp.Or(a.ContentType, "binary/octet-stream"), "response-content-type")
	set("Cache-Control", a.CacheControl, "response-cache-control")
	set("Content-Disposition", a.ContentDisposition, "response-content-disposition")
	set("Content-Encoding", a.ContentEncoding, "response-content-encoding")
	set("Content-Language", a.ContentLanguage, "response-content-language")
	set("Expires", a.Expires, "response-expires")
	if a.StorageClass != "" {
		rq.w.set("X-Amz-Storage-Class", a.StorageClass)
	}
	if a.WebsiteRedirect != "" {
		rq.w.set("X-Amz-Website-Redirect-Location", a.WebsiteRedirect)
	}
}

// overrides are the query's parameters that replace headers of an object in the answer.
var overrides = []string{
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires",
}

// checkOverrides refuses overrides to those who have not signed them: else anybody could have the server say what they
// like of a public object.
func (rq *request) checkOverrides() error {
	if rq.identity == nil && slices.ContainsFunc(overrides, rq.query.Has) {
		return s3err("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
	}
	return nil
}
