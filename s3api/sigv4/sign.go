package sigv4

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sign signs an outgoing request in its header: it sets X-Amz-Date, X-Amz-Content-Sha256 and Authorization. The
// payload hash is the body's SHA-256 in hex, EmptyPayload, UnsignedPayload, or a Streaming constant if the caller
// encodes the body. Host, Content-Type, Content-MD5, Date, Range and every x-amz-* header are signed: set them before.
func Sign(r *http.Request, accessKey, secret, region, payloadHash string, now time.Time) {
	now = now.UTC()
	r.Header.Set("X-Amz-Date", now.Format(timeFormat))
	r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	c := newClaim(region, now)
	c.payload = payloadHash
	c.signedHeaders = strings.Join(headersToSign(r, true), ";")
	path, query := wire(r)
	r.Header.Set("Authorization", algorithm+" Credential="+accessKey+"/"+c.scope+", SignedHeaders="+c.signedHeaders+
		", Signature="+signature(r, path, query, &c, secret, region))
}

// Presign signs an outgoing request in its query: whoever has the URL can send the request within expires, which is
// rounded down to seconds, from now on. Host and the x-amz-* headers that are set are signed, and must be sent so. The
// payload is unsigned, unless the query or the header has an X-Amz-Content-Sha256.
func Presign(r *http.Request, accessKey, secret, region string, expires time.Duration, now time.Time) {
	c := newClaim(region, now.UTC())
	c.presigned = true
	c.payload = UnsignedPayload
	c.signedHeaders = strings.Join(headersToSign(r, false), ";")
	path, query := wire(r)
	if params, err := parseQueryAuth(query); err == nil && params.payload.seen {
		c.payload = params.payload.value
	} else if sent, ok := singleHeader(r, "X-Amz-Content-Sha256"); ok {
		c.payload = sent
	}
	b := []byte(query)
	for _, p := range [][2]string{
		{"X-Amz-Algorithm", algorithm},
		{"X-Amz-Credential", accessKey + "/" + c.scope},
		{"X-Amz-Date", c.timestamp},
		{"X-Amz-Expires", strconv.FormatInt(int64(expires/time.Second), 10)},
		{"X-Amz-SignedHeaders", c.signedHeaders},
	} {
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = append(append(b, p[0]...), '=')
		for i := range len(p[1]) {
			b = appendEscaped(b, p[1][i])
		}
	}
	query = string(b)
	query += "&X-Amz-Signature=" + signature(r, path, query, &c, secret, region)
	r.URL.RawQuery = query
	if r.RequestURI != "" {
		// The request looks received, as httptest makes them: keep both views of it the same.
		uri, _, _ := strings.Cut(r.RequestURI, "?")
		r.RequestURI = uri + "?" + query
	}
}

func newClaim(region string, now time.Time) claim {
	timestamp := now.Format(timeFormat)
	date := timestamp[:dateDigits]
	return claim{date: date, timestamp: timestamp, scope: date + "/" + region + "/" + service + "/" + terminator}
}

func signature(r *http.Request, path, query string, c *claim, secret, region string) string {
	if r.Host == "" && r.URL.Host != "" { // net/http's client sends that of the URL
		withHost := *r
		withHost.Host = r.URL.Host
		r = &withHost
	}
	var s scratch
	s.canonicalRequest(r, path, query, c)
	s.stringToSign(c)
	key := deriveKey(secret, c.date, region, service)
	sum := hmacSHA256(key[:], s.toSign)
	return hex.EncodeToString(sum[:])
}

// headersToSign returns the lower-case names of the headers that are worth signing: those that must be, and in the
// header form those that change what a request means and that nothing on the way rewrites.
func headersToSign(r *http.Request, all bool) []string {
	names := []string{"host"}
	for name := range r.Header {
		name = strings.ToLower(name)
		switch name {
		case "content-type", "date", "range":
			if all {
				names = append(names, name)
			}
		default:
			if mustBeSigned(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
