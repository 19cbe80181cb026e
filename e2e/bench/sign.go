package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"time"
)

// The credentials of every server under test.
const (
	accessKey = "benchmarkaccess"
	secretKey = "benchmarksecretkey"
	region    = "us-east-1"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	stampFormat     = "20060102T150405Z"
	dateDigits      = 8
	signedHeaders   = "host;x-amz-content-sha256;x-amz-date"
)

// signer makes the heads of signed requests to one host. It keeps the signing key of the day and its buffers, so that
// a request costs two SHA-256 blocks' work and no allocation: the client's time is taken from the server's. Not safe
// for concurrent use.
type signer struct {
	host      string
	second    int64  // the time that stamp says
	stamp     string // in stampFormat
	scope     string // date/region/service/terminator
	mac       hash.Hash
	canonical []byte
	toSign    []byte
	sum       [sha256.Size]byte
}

func newSigner(host string) *signer { return &signer{host: host} }

// at brings the date and the signing key to now.
func (s *signer) at(now time.Time) {
	if s.second == now.Unix() {
		return
	}
	s.second = now.Unix()
	s.stamp = now.UTC().Format(stampFormat)
	date := s.stamp[:dateDigits]
	scope := date + "/" + region + "/s3/aws4_request"
	if scope == s.scope {
		return
	}
	s.scope = scope
	key := []byte("AWS4" + secretKey)
	for _, step := range []string{date, region, "s3", "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(step))
		key = mac.Sum(nil)
	}
	s.mac = hmac.New(sha256.New, key)
}

// appendHead appends the head of a signed request. The path and the query must be in canonical form already: nothing in
// them that needs escaping, parameters sorted. A negative length sends no Content-Length.
func (s *signer) appendHead(b []byte, method, path, query string, length int64, now time.Time) []byte {
	s.at(now)
	c := append(append(s.canonical[:0], method...), '\n')
	c = append(append(c, path...), '\n')
	c = append(append(c, query...), "\nhost:"...)
	c = append(append(c, s.host...), "\nx-amz-content-sha256:"+unsignedPayload+"\nx-amz-date:"...)
	c = append(append(c, s.stamp...), "\n\n"+signedHeaders+"\n"+unsignedPayload...)
	s.canonical = c
	sum := sha256.Sum256(c)

	t := append(append(s.toSign[:0], "AWS4-HMAC-SHA256\n"...), s.stamp...)
	t = append(append(append(t, '\n'), s.scope...), '\n')
	t = hex.AppendEncode(t, sum[:])
	s.toSign = t
	s.mac.Reset()
	s.mac.Write(t)

	b = append(append(append(b, method...), ' '), path...)
	if query != "" {
		b = append(append(b, '?'), query...)
	}
	b = append(append(b, " HTTP/1.1\r\nHost: "...), s.host...)
	b = append(append(b, "\r\nX-Amz-Date: "...), s.stamp...)
	b = append(b, "\r\nX-Amz-Content-Sha256: "+unsignedPayload+
		"\r\nAuthorization: AWS4-HMAC-SHA256 Credential="+accessKey+"/"...)
	b = append(append(b, s.scope...), ", SignedHeaders="+signedHeaders+", Signature="...)
	b = hex.AppendEncode(b, s.mac.Sum(s.sum[:0]))
	if length >= 0 {
		b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), length, 10)
	}
	return append(b, "\r\n\r\n"...)
}
