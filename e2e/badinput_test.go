package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/plimsoll/plimsoll/s3api/awschunked/awschunkedtest"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// canary is an object that nothing in these tests may touch.
var canary = []byte("still here")

// startBad starts a server with a bucket "bad" that holds the canary under "canary", and at the end of the test sees
// that it holds nothing else.
func startBad(t *testing.T) *server {
	t.Helper()
	s := start(t, "--bucket", "bad")
	put(t, s.sdk(), "bad", "canary", canary)
	t.Cleanup(func() { // runs before the verdict: the server is still there
		wantObject(t, s.sdk(), "bad", "canary", canary)
		s.awaitNoReservations()
		s.wantUsage("bad", int64(len(canary)), 1, 0)
	})
	return s
}

func TestBadAuthentication(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	path := "/bad/k"
	for _, c := range []struct {
		name   string
		rq     request
		status int
		code   string
	}{
		{"anonymous", request{unsigned: true}, 403, "AccessDenied"},
		{"unknown key", request{accessKey: "nobody"}, 403, "InvalidAccessKeyId"},
		{"wrong secret", request{secret: "wrong"}, 403, "SignatureDoesNotMatch"},
		{"clock an hour behind", request{skew: -time.Hour}, 403, "RequestTimeTooSkewed"},
		{"clock an hour ahead", request{skew: time.Hour}, 403, "RequestTimeTooSkewed"},
		{"clock 14 minutes behind", request{skew: -14 * time.Minute, path: "/bad/absent", method: http.MethodGet}, 404, "NoSuchKey"},
		{"another body than was signed", request{payloadHash: strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch"},
		{"SigV2", request{unsigned: true, header: map[string]string{"Authorization": "AWS " + accessKey + ":c2lnbmF0dXJl"}}, 400, "InvalidRequest"},
		{"no algorithm at all", request{unsigned: true, header: map[string]string{"Authorization": "Bearer x"}}, 400, "InvalidArgument"},
	} {
		if c.rq.method == "" {
			c.rq.method, c.rq.path, c.rq.body = http.MethodPut, path, []byte("bad")
		}
		s.send(c.rq).want(t, c.name, c.status, c.code)
	}
	// What is changed on the way is noticed.
	r := s.build(request{method: http.MethodPut, path: path, body: []byte("bad"), header: map[string]string{"X-Amz-Meta-A": "1"}})
	r.Header.Set("X-Amz-Meta-A", "2")
	s.do(r).want(t, "changed header", 403, "SignatureDoesNotMatch")
	r = s.build(request{method: http.MethodPut, path: path, body: []byte("bad")})
	r.Header.Set("X-Amz-Meta-A", "added")
	s.do(r).want(t, "header that is not signed", 403, "AccessDenied")
	r = s.build(request{method: http.MethodGet, path: "/bad/canary"})
	r.Method = http.MethodDelete
	s.do(r).want(t, "changed method", 403, "SignatureDoesNotMatch")
}

// do sends a request that is already built.
func (s *server) do(r *http.Request) answer {
	s.t.Helper()
	response, err := s.http.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return s.read(response)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	u := startUpload(t, s.sdk(), "bad", "upload")
	t.Cleanup(func() {
		if err := u.abort(); err != nil {
			t.Error(err)
		}
	})
	header := func(pairs ...string) map[string]string {
		h := make(map[string]string)
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = pairs[i+1]
		}
		return h
	}
	crc := func(s string) string {
		sum := crc32.ChecksumIEEE([]byte(s))
		return base64Of([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	}
	md5Of := func(s string) string {
		sum := quotedMD5([]byte(s)) // in hex; only its length matters where it is wrong
		return base64.StdEncoding.EncodeToString([]byte(sum[1:17]))
	}
	bomb := `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "` + strings.Repeat("x", 1000) + `">` +
		`<!ENTITY b "` + strings.Repeat("&a;", 1000) + `"><!ENTITY c "` + strings.Repeat("&b;", 1000) + `">]>` +
		`<Delete><Object><Key>&c;</Key></Object></Delete>`
	withMD5 := func(body string) request {
		return request{method: http.MethodPost, path: "/bad?delete", body: []byte(body), header: header("X-Amz-Checksum-Crc32", crc(body))}
	}
	var many, parts strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "<Object><Key>k%d</Key></Object>", i)
	}
	for i := range 10_001 {
		fmt.Fprintf(&parts, "<Part><PartNumber>%d</PartNumber><ETag>x</ETag></Part>", i+1)
	}
	uploadID := "uploadId=" + *u.id
	object := func(h ...string) request {
		return request{method: http.MethodPut, path: "/bad/k", body: []byte("bad"), header: header(h...)}
	}
	for _, c := range []struct {
		name   string
		rq     request
		status int
		code   string
	}{
		{"wrong CRC32", object("X-Amz-Checksum-Crc32", crc("other")), 400, "BadDigest"},
		{"malformed CRC32", object("X-Amz-Checksum-Crc32", "zzz"), 400, "InvalidRequest"},
		{"two checksums", object("X-Amz-Checksum-Crc32", crc("bad"), "X-Amz-Checksum-Sha1", base64Of(make([]byte, 20))), 400, "InvalidRequest"},
		{"wrong Content-MD5", object("Content-MD5", md5Of("other")), 400, "BadDigest"},
		{"malformed Content-MD5", object("Content-MD5", "zzz"), 400, "InvalidDigest"},
		{"metadata of 2 KiB and one", object("X-Amz-Meta-A", strings.Repeat("x", 2048)), 400, "MetadataTooLarge"},
		{"key of 1,025 bytes", request{method: http.MethodPut, path: "/bad/" + strings.Repeat("k", 1025)}, 400, "KeyTooLongError"},
		{"range past the end", request{method: http.MethodGet, path: "/bad/canary", header: header("Range", "bytes=10-")}, 416, "InvalidRange"},

		{"bucket too short", request{method: http.MethodPut, path: "/ab"}, 400, "InvalidBucketName"},
		{"bucket too long", request{method: http.MethodPut, path: "/" + strings.Repeat("b", 64)}, 400, "InvalidBucketName"},
		{"bucket in capitals", request{method: http.MethodPut, path: "/Bucket"}, 400, "InvalidBucketName"},
		{"bucket with an underscore", request{method: http.MethodPut, path: "/a_b"}, 400, "InvalidBucketName"},
		{"bucket like an address", request{method: http.MethodPut, path: "/192.168.0.1"}, 400, "InvalidBucketName"},
		{"bucket with two dots", request{method: http.MethodPut, path: "/a..b"}, 400, "InvalidBucketName"},
		{"bucket twice", request{method: http.MethodPut, path: "/bad"}, 409, "BucketAlreadyOwnedByYou"},

		{"part 0", request{method: http.MethodPut, path: "/bad/upload?partNumber=0&" + uploadID}, 400, "InvalidArgument"},
		{"part 10,001", request{method: http.MethodPut, path: "/bad/upload?partNumber=10001&" + uploadID}, 400, "InvalidArgument"},
		{"part of letters", request{method: http.MethodPut, path: "/bad/upload?partNumber=one&" + uploadID}, 400, "InvalidArgument"},
		{"unknown upload", request{method: http.MethodPut, path: "/bad/upload?partNumber=1&uploadId=unknown", body: []byte("bad")}, 404, "NoSuchUpload"},
		{"upload of another key", request{method: http.MethodPut, path: "/bad/other?partNumber=1&" + uploadID, body: []byte("bad")}, 404, "NoSuchUpload"},
		{"abort of an unknown upload", request{method: http.MethodDelete, path: "/bad/upload?uploadId=unknown"}, 404, "NoSuchUpload"},
		{"complete without parts", request{method: http.MethodPost, path: "/bad/upload?" + uploadID, body: []byte("<CompleteMultipartUpload/>")}, 400, "MalformedXML"},
		{"complete with an unknown part", request{method: http.MethodPost, path: "/bad/upload?" + uploadID, body: []byte(
			"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>")}, 400, "InvalidPart"},
		{"complete with 10,001 parts", request{method: http.MethodPost, path: "/bad/upload?" + uploadID, body: []byte(
			"<CompleteMultipartUpload>" + parts.String() + "</CompleteMultipartUpload>")}, 400, "MalformedXML"},
		{"complete that is not XML", request{method: http.MethodPost, path: "/bad/upload?" + uploadID, body: []byte("{}")}, 400, "MalformedXML"},

		{"XML bomb", withMD5(bomb), 400, "MalformedXML"},
		{"XML without an end", withMD5("<Delete><Object><Key>canary</Key>"), 400, "MalformedXML"},
		{"XML nested a thousand deep", withMD5(strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000)), 400, "MalformedXML"},
		{"1,001 keys at once", withMD5("<Delete>" + many.String() + "</Delete>"), 400, "MalformedXML"},
		{"delete without a checksum", request{method: http.MethodPost, path: "/bad?delete", body: []byte(
			"<Delete><Object><Key>canary</Key></Object></Delete>")}, 400, "InvalidRequest"},

		// What would fall through to the plain operation in a router that does not know it.
		{"DELETE ?metadataTable=", request{method: http.MethodDelete, path: "/bad?metadataTable="}, 501, "NotImplemented"},
		{"DELETE ?uploads", request{method: http.MethodDelete, path: "/bad?uploads"}, 501, "NotImplemented"},
		{"PUT ?tagging", request{method: http.MethodPut, path: "/bad/canary?tagging", body: []byte("<Tagging/>")}, 400, "MalformedXML"},
		{"PUT ?acl", request{method: http.MethodPut, path: "/bad/canary?acl"}, 400, "AccessControlListNotSupported"},
		{"PUT ?versioning", request{method: http.MethodPut, path: "/bad?versioning", body: []byte("<VersioningConfiguration/>")}, 400, "MalformedXML"},
		{"PUT ?policy", request{method: http.MethodPut, path: "/bad?policy", body: []byte("{}")}, 400, "MalformedPolicy"},
		{"PUT ?lifecycle without a checksum", request{method: http.MethodPut, path: "/bad?lifecycle", body: []byte("<LifecycleConfiguration/>")}, 400, "InvalidRequest"},
		{"PUT with SSE-C without a key", object("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"), 400, "InvalidArgument"},
		{"force delete", request{method: http.MethodDelete, path: "/bad", header: header("X-Minio-Force-Delete", "true")}, 409, "BucketNotEmpty"},
		{"a method that S3 does not have", request{method: http.MethodPatch, path: "/bad/canary"}, 405, "MethodNotAllowed"},
	} {
		s.send(c.rq).want(t, c.name, c.status, c.code)
	}

	// 20 MiB of XML are refused without being kept: S3's documents are a megabyte at most.
	huge := s.send(withMD5("<Delete>" + strings.Repeat(" ", 20*mib) + "</Delete>"))
	if huge.status != 400 || huge.err.Code != "MaxMessageLengthExceeded" && huge.err.Code != "MalformedXML" && huge.err.Code != "EntityTooLarge" {
		t.Errorf("20 MiB of XML: %d %s", huge.status, huge.err.Code)
	}
	// Metadata of exactly 2 KiB, names included, is allowed: S3 counts what follows x-amz-meta-.
	exact := request{method: http.MethodPut, path: "/bad/exact", header: header("X-Amz-Meta-A", strings.Repeat("x", 2047))}
	s.send(exact).want(t, "metadata of 2 KiB", 200, "")
	if _, err := s.sdk().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bad"), Key: aws.String("exact")}); err != nil {
		t.Error(err)
	}
}

// chunkedPut is a PutObject in aws-chunked with an unsigned trailer, around a body that may be anything.
func (s *server) chunkedPut(body []byte, decoded int, more ...string) request {
	h := map[string]string{
		"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": fmt.Sprint(decoded),
		"X-Amz-Trailer": "x-amz-checksum-crc32",
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return request{method: http.MethodPut, path: "/bad/chunked", body: body, header: h, payloadHash: sigv4.StreamingUnsignedTrailer}
}

func TestBadChunks(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	data := random(1, 100_000)
	sum := crc32.ChecksumIEEE(data)
	right := base64Of([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	encode := func(value string) []byte {
		return awschunkedtest.Encode(data, awschunkedtest.Options{
			Trailers: []awschunkedtest.Trailer{{Name: "x-amz-checksum-crc32", Value: value}},
		})
	}
	good := encode(right)
	for _, c := range []struct {
		name   string
		rq     request
		status int
		code   string
	}{
		{"wrong trailer", s.chunkedPut(encode(base64Of(make([]byte, 4))), len(data)), 400, "BadDigest"},
		{"malformed trailer value", s.chunkedPut(encode("zzz"), len(data)), 400, "InvalidRequest"},
		{"another trailer than declared", s.chunkedPut(bytes.Replace(good, []byte("crc32:"), []byte("crc99:"), 1), len(data)), 400, "MalformedTrailerError"},
		{"size that is not hexadecimal", s.chunkedPut([]byte("xyz\r\nabc\r\n0\r\n\r\n"), 3), 400, "IncompleteBody"},
		{"size beyond int64", s.chunkedPut([]byte("ffffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 3), 400, "IncompleteBody"},
		{"chunk without its line end", s.chunkedPut([]byte("3\r\nabcX0\r\n\r\n"), 3), 400, "IncompleteBody"},
		{"no last chunk", s.chunkedPut([]byte("3\r\nabc\r\n"), 3), 400, "IncompleteBody"},
		{"less than declared", s.chunkedPut(good, len(data)+1), 400, "IncompleteBody"},
		{"more than declared", s.chunkedPut(good, len(data)-1), 400, "IncompleteBody"},
		{"decoded length of letters", s.chunkedPut(good, 0, "X-Amz-Decoded-Content-Length", "many"), 411, "MissingContentLength"},
		{"negative decoded length", s.chunkedPut(good, -1), 411, "MissingContentLength"},
	} {
		s.send(c.rq).want(t, c.name, c.status, c.code)
	}
	// Transfer-Encoding: chunked without a decoded length tells no size to reserve: S3 wants one.
	r := s.build(request{method: http.MethodPut, path: "/bad/k", body: data, payloadHash: sigv4.UnsignedPayload})
	r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	s.do(r).want(t, "no length", 411, "MissingContentLength")
	r = s.build(s.chunkedPut(good, len(data)))
	r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	s.do(r).want(t, "decoded length alone", 200, "")
	wantObject(t, s.sdk(), "bad", "chunked", data)
	s.send(request{method: http.MethodDelete, path: "/bad/chunked"}).want(t, "delete", 204, "")

	// Signed chunks are verified one by one.
	signed := s.build(request{
		method: http.MethodPut, path: "/bad/chunked", payloadHash: sigv4.StreamingPayload,
		header: map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "3"},
	})
	body := "3;chunk-signature=" + strings.Repeat("0", 64) + "\r\nabc\r\n0;chunk-signature=" + strings.Repeat("0", 64) + "\r\n\r\n"
	signed.Body, signed.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	s.do(signed).want(t, "forged chunk", 403, "SignatureDoesNotMatch")
}
