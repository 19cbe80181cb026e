package s3api_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/checksum"
)

func escapeKey(key string) string {
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

func md5Base64(s string) string {
	sum := md5.Sum([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func checksumOf(a checksum.Algorithm, s string) string {
	h := checksum.New(a)
	h.Write([]byte(s))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func TestChecksumHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, a := range checksum.Algorithms() {
		t.Run(a.String(), func(t *testing.T) {
			path := "/photos/" + a.String()
			sum := checksumOf(a, "hello")
			put := s.do(call{
				method: http.MethodPut, path: path, body: "hello", header: map[string]string{a.Header(): sum},
			}).want(t, 200)
			if got := put.header.Get(a.Header()); got != sum {
				t.Errorf("answered %q, want %q", got, sum)
			}
			for mode, want := range map[string]string{"": "", "ENABLED": sum} {
				got := s.do(call{method: http.MethodHead, path: path, header: map[string]string{"x-amz-checksum-mode": mode}})
				if got.header.Get(a.Header()) != want {
					t.Errorf("mode %q: %q, want %q", mode, got.header.Get(a.Header()), want)
				}
			}
			ranged := s.do(call{
				method: http.MethodGet, path: path,
				header: map[string]string{"x-amz-checksum-mode": "ENABLED", "Range": "bytes=0-1"},
			}).want(t, 206)
			if got := ranged.header.Get(a.Header()); got != "" {
				t.Errorf("a part of the object has the checksum of the whole: %q", got)
			}
			for _, everything := range []string{"bytes=0-4", "bytes=0-100", "bytes=-100"} {
				all := s.do(call{
					method: http.MethodGet, path: path,
					header: map[string]string{"x-amz-checksum-mode": "ENABLED", "Range": everything},
				}).want(t, 206)
				if got := all.header.Get(a.Header()); got != sum {
					t.Errorf("%s is all of it, and has checksum %q, want %q", everything, got, sum)
				}
			}
			s.do(call{
				method: http.MethodPut, path: path + "x", body: "hallo", header: map[string]string{a.Header(): sum},
			}).wantError(t, 400, "BadDigest")
			s.do(call{
				method: http.MethodPut, path: path + "x", body: "hello", header: map[string]string{a.Header(): "AAAA"},
			}).wantError(t, 400, "InvalidRequest")
			s.get(path+"x").wantError(t, 404, "NoSuchKey")
		})
	}
}

func TestDeclaredIntegrity(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	good := checksumOf(checksum.CRC32, "hello")
	for _, c := range []struct {
		name   string
		header map[string]string
		sha    string
		status int
		code   string
	}{
		{"Content-MD5", map[string]string{"Content-MD5": md5Base64("hello")}, "", 200, ""},
		{"wrong Content-MD5", map[string]string{"Content-MD5": md5Base64("hallo")}, "", 400, "BadDigest"},
		{"short Content-MD5", map[string]string{"Content-MD5": "aGVsbG8="}, "", 400, "InvalidDigest"},
		{"empty Content-MD5", map[string]string{"Content-MD5": ""}, "", 400, "InvalidDigest"},
		{"wrong sha256", nil, strings.Repeat("0", 64), 400, "XAmzContentSHA256Mismatch"},
		{"unsigned", nil, "UNSIGNED-PAYLOAD", 200, ""},
		{"two checksums", map[string]string{"x-amz-checksum-crc32": good, "x-amz-checksum-sha1": checksumOf(checksum.SHA1, "hello")}, "", 400, "InvalidRequest"},
		{"algorithm without a checksum", map[string]string{"x-amz-sdk-checksum-algorithm": "CRC32"}, "", 400, "InvalidRequest"},
		{"algorithm of another checksum", map[string]string{"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": good}, "", 400, "InvalidRequest"},
		{"unknown checksum", map[string]string{"x-amz-checksum-crc33": "AAAA"}, "", 400, "InvalidRequest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.do(call{method: http.MethodPut, path: "/photos/k", body: "hello", header: c.header, payload: c.sha})
			if c.code != "" {
				a.wantError(t, c.status, c.code)
				s.get("/photos/k").wantError(t, 404, "NoSuchKey")
				return
			}
			a.want(t, c.status)
			s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204)
		})
	}
}

// TestBadDigestTellsBoth sends a body that is not what Content-MD5 says, as an object and as a part.
func TestBadDigestTellsBoth(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	part := "/photos/k?partNumber=1&uploadId=" + s.createUpload("/photos/k")
	for _, path := range []string{"/photos/k", part} {
		for _, body := range []string{"", "hello", strings.Repeat("x", 4096), strings.Repeat("x", 300_000)} {
			a := s.do(call{
				method: http.MethodPut, path: path, body: body, header: map[string]string{"Content-MD5": md5Base64("hallo")},
			})
			a.wantError(t, 400, "BadDigest")
			got := decode[struct{ ExpectedDigest, CalculatedDigest string }](t, a)
			if got.ExpectedDigest != "598d4c200461b81522a3328565c25f7c" || got.CalculatedDigest != md5Base64(body) {
				t.Errorf("%s, %d bytes: %+v", path, len(body), got)
			}
		}
	}
	s.get("/photos/k").wantError(t, 404, "NoSuchKey")
	if list := s.get(strings.Replace(part, "partNumber=1&", "", 1)).want(t, 200); strings.Contains(list.body, "<Part>") {
		t.Errorf("a part was stored: %s", list.body)
	}
}

// TestETag is the MD5 of the body, however that is sent: gofakes3 computes one too, of nothing.
func TestETag(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	part := "/photos/k?partNumber=1&uploadId=" + s.createUpload("/photos/k")
	for _, path := range []string{"/photos/k", part} {
		for _, body := range []string{"", "hello", strings.Repeat("x", 4096), strings.Repeat("x", 300_000)} {
			for _, payload := range []string{"", "UNSIGNED-PAYLOAD"} {
				for _, header := range []map[string]string{nil, {"Content-MD5": md5Base64(body)}} {
					a := s.do(call{method: http.MethodPut, path: path, body: body, payload: payload, header: header}).want(t, 200)
					if want := fmt.Sprintf(`"%x"`, md5.Sum([]byte(body))); a.header.Get("Etag") != want {
						t.Errorf("%s, %d bytes: ETag %s, want %s", path, len(body), a.header.Get("Etag"), want)
					}
				}
			}
		}
	}
}

// The unsigned streaming payload with a trailer is what today's SDKs send by default.
func TestTrailer(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	body := func(data string, sum uint32) string {
		raw := []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
		return fmt.Sprintf("%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", len(data), data,
			base64.StdEncoding.EncodeToString(raw))
	}
	send := func(key, body string, decoded int) answer {
		return s.do(call{
			method: http.MethodPut, path: "/photos/" + key, body: body, payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
			header: map[string]string{
				"x-amz-decoded-content-length": fmt.Sprint(decoded), "x-amz-trailer": "x-amz-checksum-crc32",
				"Content-Encoding": "aws-chunked", "x-amz-sdk-checksum-algorithm": "CRC32",
			},
		})
	}
	sum := crc32.ChecksumIEEE([]byte("hello"))
	send("good", body("hello", sum), 5).want(t, 200)
	got := s.get("/photos/good").want(t, 200)
	if got.body != "hello" || got.header.Get("Content-Encoding") != "" {
		t.Errorf("%q, Content-Encoding %q", got.body, got.header.Get("Content-Encoding"))
	}
	send("bad", body("hello", sum+1), 5).wantError(t, 400, "BadDigest")
	send("bad", body("hello", sum), 6).wantError(t, 400, "IncompleteBody")
	send("bad", body("hello", sum), 4).wantError(t, 400, "IncompleteBody")
	send("bad", "5\r\nhello\r\n0\r\n\r\n", 5).wantError(t, 400, "MalformedTrailerError")
	send("bad", "zz\r\nhello\r\n0\r\n\r\n", 5).wantError(t, 400, "IncompleteBody")
	s.get("/photos/bad").wantError(t, 404, "NoSuchKey")
}
