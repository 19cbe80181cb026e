package s3api

import (
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// conditions are the conditional headers of a request, or of a copy's source.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html, RFC 9110 section 13.2.2
type conditions struct {
	prefix string // of the headers' names
	header http.Header
}

func (c conditions) get(name string) string {
	if c.prefix == "" {
		return headerOf(c.header, name)
	}
	return c.header.Get(c.prefix + name)
}

// check returns the precedence's verdict on an object: nil, PreconditionFailed or NotModified.
func (c conditions) check(o meta.Object) *Error {
	if match := c.get("If-Match"); match != "" {
		if !etagListed(match, o.ETag) {
			return preconditionFailed(c.prefix + "If-Match")
		}
	} else if since, ok := parseTime(c.get("If-Unmodified-Since")); ok && o.Modified.Truncate(time.Second).After(since) {
		return preconditionFailed(c.prefix + "If-Unmodified-Since")
	}
	if none := c.get("If-None-Match"); none != "" {
		if etagListed(none, o.ETag) {
			return c.notModified(o, "If-None-Match")
		}
	} else if since, ok := parseTime(c.get("If-Modified-Since")); ok && !o.Modified.Truncate(time.Second).After(since) {
		if c.prefix != "" && since.After(time.Now()) {
			return nil // as S3 does with a copy's source
		}
		return c.notModified(o, "If-Modified-Since")
	}
	return nil
}

// notModified is a 304 for a read; a copy has a 412.
func (c conditions) notModified(o meta.Object, name string) *Error {
	if c.prefix != "" {
		return preconditionFailed(c.prefix + name)
	}
	e := s3err("NotModified")
	e.Headers = map[string]string{
		"ETag":          quoteETag(o.ETag),
		"Last-Modified": o.Modified.UTC().Format(http.TimeFormat),
	}
	if cache := o.Attributes.CacheControl; cache != "" {
		e.Headers["Cache-Control"] = cache
	}
	if expires := o.Attributes.Expires; expires != "" {
		e.Headers["Expires"] = expires
	}
	return e
}

func preconditionFailed(header string) *Error {
	return s3err("PreconditionFailed").with("Condition", header)
}

// parseTime reads an HTTP date. One that cannot be read is ignored.
func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(s)
	return t, err == nil
}

// etagListed reports whether a list of entity tags, or "*", names etag. S3 takes tags without quotes too.
func etagListed(list string, etag meta.ETag) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || unquoteETag(strings.TrimPrefix(item, "W/")) == etag {
			return true
		}
	}
	return false
}

func quoteETag(e meta.ETag) string { return `"` + string(e) + `"` }

func unquoteETag(s string) meta.ETag {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	return meta.ETag(s)
}

// writePrecondition reads the conditions of a write: If-Match with an entity tag, If-None-Match with "*".
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func writePrecondition(header http.Header) (meta.Precondition, error) {
	var p meta.Precondition
	for _, name := range []string{"If-Modified-Since", "If-Unmodified-Since"} {
		if headerOf(header, name) != "" {
			return p, notImplementedHeader(name)
		}
	}
	match, none := headerOf(header, "If-Match"), headerOf(header, "If-None-Match")
	switch {
	case match != "" && none != "":
		return p, notImplementedHeader("If-Match, If-None-Match")
	case none == "*":
		p.IfNoneMatch = true
	case none != "":
		return p, notImplementedHeader("If-None-Match")
	case match != "":
		p.IfMatch = unquoteETag(match)
	}
	return p, nil
}

// conditionHeader names the header of a write's precondition, for its refusal.
func (rq *request) conditionHeader() string {
	if headerOf(rq.r.Header, "If-None-Match") != "" {
		return "If-None-Match"
	}
	return "If-Match"
}
