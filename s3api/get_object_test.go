package s3api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestBodyLengths reads objects around the ends of the buffers that an answer passes, several on one connection.
func TestBodyLengths(t *testing.T) {
	s := newServer(t)
	s.bucket("bucket")
	content := strings.Repeat("0123456789abcde", 1+(600<<10)/15)
	for _, size := range []int{0, 1, 2047, 3500, 3800, 4095, 4096, 4097, 8192, 64 << 10, 256<<10 + 1, 600 << 10} {
		body := content[:size]
		s.put("/bucket/k", body).want(t, 200)
		a := s.get("/bucket/k").want(t, 200)
		if a.body != body || a.header.Get("Content-Length") != strconv.Itoa(size) {
			t.Errorf("%d bytes: %d are served, Content-Length %s", size, len(a.body), a.header.Get("Content-Length"))
		}
		h := s.do(call{method: http.MethodHead, path: "/bucket/k"}).want(t, 200)
		if h.body != "" || h.header.Get("Content-Length") != strconv.Itoa(size) {
			t.Errorf("HEAD of %d bytes: body %q, Content-Length %s", size, h.body, h.header.Get("Content-Length"))
		}
		if size < 2 {
			continue
		}
		part := s.do(call{path: "/bucket/k", header: map[string]string{"Range": "bytes=1-"}}).want(t, 206)
		want := "bytes 1-" + strconv.Itoa(size-1) + "/" + strconv.Itoa(size)
		if part.body != body[1:] || part.header.Get("Content-Range") != want {
			t.Errorf("%d bytes: a range has %d, Content-Range %q, want %q", size, len(part.body),
				part.header.Get("Content-Range"), want)
		}
	}
}
