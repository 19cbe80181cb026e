package s3api_test

import (
	"net/http"
	"testing"
	"time"
)

func TestConditionalReads(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	etag := s.put("/photos/k", "hello").header.Get("Etag")
	past, future := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		name   string
		header map[string]string
		status int
	}{
		{"match", map[string]string{"If-Match": etag}, 200},
		{"match without quotes", map[string]string{"If-Match": etag[1 : len(etag)-1]}, 200},
		{"match any", map[string]string{"If-Match": "*"}, 200},
		{"match in a list", map[string]string{"If-Match": `"x", ` + etag}, 200},
		{"match fails", map[string]string{"If-Match": `"x"`}, 412},
		{"none match", map[string]string{"If-None-Match": etag}, 304},
		{"none match weak", map[string]string{"If-None-Match": "W/" + etag}, 304},
		{"none match any", map[string]string{"If-None-Match": "*"}, 304},
		{"none match other", map[string]string{"If-None-Match": `"x"`}, 200},
		{"modified since", map[string]string{"If-Modified-Since": past}, 200},
		{"not modified since", map[string]string{"If-Modified-Since": future}, 304},
		{"unmodified since", map[string]string{"If-Unmodified-Since": future}, 200},
		{"not unmodified since", map[string]string{"If-Unmodified-Since": past}, 412},
		{"match outranks unmodified", map[string]string{"If-Match": etag, "If-Unmodified-Since": past}, 200},
		{"none match outranks modified", map[string]string{"If-None-Match": `"x"`, "If-Modified-Since": future}, 200},
		{"a date that is none", map[string]string{"If-Modified-Since": "yesterday"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.header["x-amz-object-attributes"] = "ObjectSize" // which reads of the object itself ignore
			for _, read := range []call{
				{method: http.MethodGet, path: "/photos/k"},
				{method: http.MethodHead, path: "/photos/k"},
				{method: http.MethodGet, path: "/photos/k?attributes"},
			} {
				read.header = c.header
				a := s.do(read).want(t, c.status)
				if c.status == 304 && (a.header.Get("Etag") != etag || a.body != "") {
					t.Errorf("%s %s: ETag %q, body %q", read.method, read.path, a.header.Get("Etag"), a.body)
				}
			}
		})
	}
}

func TestConditionalWrites(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	put := func(body string, header map[string]string) answer {
		return s.do(call{method: http.MethodPut, path: "/photos/k", body: body, header: header})
	}
	put("x", map[string]string{"If-Match": `"x"`}).wantError(t, 404, "NoSuchKey")
	put("x", map[string]string{"If-Match": "*"}).wantError(t, 404, "NoSuchKey")
	etag := put("one", map[string]string{"If-None-Match": "*"}).want(t, 200).header.Get("Etag")
	put("two", map[string]string{"If-None-Match": "*"}).wantError(t, 412, "PreconditionFailed")
	put("two", map[string]string{"If-Match": `"x"`}).wantError(t, 412, "PreconditionFailed")
	put("two", map[string]string{"If-None-Match": `"x"`}).wantError(t, 501, "NotImplemented")
	if got := s.get("/photos/k").body; got != "one" {
		t.Errorf("%q", got)
	}
	put("two", map[string]string{"If-Match": etag}).want(t, 200)
	put("three", map[string]string{"If-Match": "*"}).want(t, 200) // any, by the RFC that S3's documentation leads to
}

func TestRanges(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "0123456789")
	s.put("/photos/empty", "")
	for _, c := range []struct {
		header, want, contentRange string
		status                     int
	}{
		{"bytes=0-0", "0", "bytes 0-0/10", 206},
		{"bytes=2-4", "234", "bytes 2-4/10", 206},
		{"bytes=5-", "56789", "bytes 5-9/10", 206},
		{"bytes=-3", "789", "bytes 7-9/10", 206},
		{"bytes=-100", "0123456789", "bytes 0-9/10", 206},
		{"bytes=8-100", "89", "bytes 8-9/10", 206},
		{"bytes=0-99999999999999999999", "0123456789", "bytes 0-9/10", 206},
		{"bytes=10-", "", "bytes */10", 416},
		{"bytes=-0", "", "bytes */10", 416},
		{"bytes=4-2", "0123456789", "", 200},
		{"bytes=a-b", "0123456789", "", 200},
		{"bytes=1-2,4-5", "0123456789", "", 200},
		{"items=1-2", "0123456789", "", 200},
		{"bytes=+1-2", "0123456789", "", 200},
	} {
		t.Run(c.header, func(t *testing.T) {
			header := map[string]string{"Range": c.header}
			a := s.do(call{method: http.MethodGet, path: "/photos/k", header: header})
			head := s.do(call{method: http.MethodHead, path: "/photos/k", header: header}).want(t, c.status)
			if a.header.Get("Content-Range") != c.contentRange || head.header.Get("Content-Range") != c.contentRange {
				t.Errorf("Content-Range %q and %q, want %q", a.header.Get("Content-Range"), head.header.Get("Content-Range"), c.contentRange)
			}
			if c.status == 416 {
				a.wantError(t, 416, "InvalidRange")
				return
			}
			if a.want(t, c.status); a.body != c.want {
				t.Errorf("%q, want %q", a.body, c.want)
			}
		})
	}
	s.do(call{
		method: http.MethodGet, path: "/photos/empty", header: map[string]string{"Range": "bytes=0-0"},
	}).wantError(t, 416, "InvalidRange")
}

func TestCopyObject(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.bucket("archive")
	source := s.do(call{
		method: http.MethodPut, path: "/photos/a%2Bb%20c", body: "hello",
		header: map[string]string{"x-amz-meta-colour": "red", "Content-Type": "text/plain"},
	}).want(t, 200)
	copyTo := func(path string, header map[string]string) answer {
		all := map[string]string{"x-amz-copy-source": "/photos/a%2Bb%20c"}
		for k, v := range header {
			all[k] = v
		}
		return s.do(call{method: http.MethodPut, path: path, header: all})
	}
	copyTo("/archive/copied", nil).want(t, 200)
	got := s.get("/archive/copied").want(t, 200)
	if got.body != "hello" || got.header.Get("X-Amz-Meta-Colour") != "red" || got.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%q %v", got.body, got.header)
	}
	copyTo("/archive/replaced", map[string]string{
		"x-amz-metadata-directive": "REPLACE", "x-amz-meta-shape": "round",
	}).want(t, 200)
	got = s.get("/archive/replaced")
	if got.header.Get("X-Amz-Meta-Colour") != "" || got.header.Get("X-Amz-Meta-Shape") != "round" {
		t.Errorf("%v", got.header)
	}
	copyTo("/photos/a%2Bb%20c", nil).wantError(t, 400, "InvalidRequest")
	copyTo("/photos/a%2Bb%20c", map[string]string{"x-amz-metadata-directive": "REPLACE"}).want(t, 200)
	copyTo("/archive/x", map[string]string{"x-amz-metadata-directive": "MERGE"}).wantError(t, 400, "InvalidArgument")
	copyTo("/absent/x", nil).wantError(t, 404, "NoSuchBucket")
	for source, code := range map[string]string{
		"photos/absent": "NoSuchKey", "absent/k": "NoSuchBucket", "photos": "InvalidArgument", "photos/": "InvalidArgument",
		"/photos/k?versionId=abc": "InvalidArgument",
	} {
		a := s.do(call{method: http.MethodPut, path: "/archive/x", header: map[string]string{"x-amz-copy-source": source}})
		a.wantError(t, map[bool]int{true: 404, false: 400}[code != "InvalidArgument"], code)
	}
	etag := source.header.Get("Etag")
	copyTo("/archive/x", map[string]string{"x-amz-copy-source-if-match": `"x"`}).wantError(t, 412, "PreconditionFailed")
	copyTo("/archive/x", map[string]string{"x-amz-copy-source-if-none-match": etag}).wantError(t, 412, "PreconditionFailed")
	copyTo("/archive/x", map[string]string{"x-amz-copy-source-if-match": etag}).want(t, 200)
	modified := s.get("/photos/a+b%20c").want(t, 200).header.Get("Last-Modified")
	future := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	copyTo("/archive/x", map[string]string{"x-amz-copy-source-if-modified-since": modified}).wantError(t, 412, "PreconditionFailed")
	copyTo("/archive/x", map[string]string{"x-amz-copy-source-if-modified-since": future}).want(t, 200) // is ignored
	copyTo("/archive/x", map[string]string{"x-amz-copy-source-if-unmodified-since": future}).want(t, 200)
	copyTo("/archive/x", map[string]string{"If-None-Match": "*"}).wantError(t, 412, "PreconditionFailed")
	copyTo("/archive/sha", map[string]string{"x-amz-checksum-algorithm": "SHA256"}).want(t, 200)
	head := s.do(call{method: http.MethodHead, path: "/archive/sha", header: map[string]string{"x-amz-checksum-mode": "ENABLED"}})
	if head.header.Get("X-Amz-Checksum-Sha256") != "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" {
		t.Errorf("%v", head.header)
	}
}
