package s3api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestObjectRoundTrip(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	put := s.do(call{
		method: http.MethodPut, path: "/photos/a/b.txt", body: "hello",
		header: map[string]string{
			"Content-Type": "text/plain", "x-amz-meta-Colour": "Red", "Cache-Control": "no-cache",
			"Content-Encoding": "aws-chunked,gzip",
		},
	}).want(t, 200)
	if got, want := put.header.Get("ETag"), `"5d41402abc4b2a76b9719d911017c592"`; got != want {
		t.Errorf("ETag %s, want %s", got, want)
	}
	if put.header.Get("X-Amz-Checksum-Crc64nvme") == "" || put.header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" {
		t.Errorf("no default checksum: %v", put.header)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a := s.do(call{method: method, path: "/photos/a/b.txt"}).want(t, 200)
		want := map[string]string{
			"ETag": `"5d41402abc4b2a76b9719d911017c592"`, "Content-Type": "text/plain", "X-Amz-Meta-Colour": "Red",
			"Cache-Control": "no-cache", "Content-Encoding": "gzip", "Content-Length": "5", "Accept-Ranges": "bytes",
			"Server": "Plimsoll",
		}
		for name, value := range want {
			if got := a.header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", method, name, got, value)
			}
		}
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") || name == "X-Amz-Content-Sha256" || name == "X-Amz-Date" {
				t.Errorf("%s answers with %s", method, name)
			}
		}
		if method == http.MethodGet && a.body != "hello" {
			t.Errorf("body %q", a.body)
		}
	}
	s.do(call{method: http.MethodDelete, path: "/photos/a/b.txt"}).want(t, 204)
	s.get("/photos/a/b.txt").wantError(t, 404, "NoSuchKey")
	s.do(call{method: http.MethodDelete, path: "/photos/a/b.txt"}).want(t, 204)
	s.do(call{method: http.MethodDelete, path: "/photos"}).want(t, 204)
	s.get("/photos").wantError(t, 404, "NoSuchBucket")
}
