package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// scratch is the memory of one verification; the pool keeps it, so that a request costs few allocations.
type scratch struct {
	canonical []byte // the canonical request
	toSign    []byte // the string to sign
	sum       []byte // its HMAC
	query     []byte // the encoded parameters, in the order sent
	pairs     []pair
}

// pair is an encoded parameter within scratch.query: the name is [start:eq], the value (eq:end).
type pair struct {
	start, eq, end int
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// wire returns the request's path and query as they came over the wire. Handlers in front may have changed r.URL; the
// signature is over what was sent. A request that was not received, or that was sent to a proxy, has them in r.URL.
func wire(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	path = r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return path, r.URL.RawQuery
}

// canonicalRequest builds the canonical request of the claim:
//
//	method \n path \n query \n (name:value \n)... \n signed headers \n payload
func (s *scratch) canonicalRequest(r *http.Request, path, query string, c *claim) {
	b := append(s.canonical[:0], r.Method...)
	b = append(b, '\n')
	b = appendPath(b, path)
	b = append(b, '\n')
	b = s.appendQuery(b, query, c.presigned)
	b = append(b, '\n')
	for list, more := c.signedHeaders, true; more; {
		var name string
		name, list, more = strings.Cut(list, ";")
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, c.signedHeaders...)
	b = append(b, '\n')
	s.canonical = append(b, c.payload...)
}

// stringToSign builds the string to sign of the canonical request.
func (s *scratch) stringToSign(c *claim) {
	sum := sha256.Sum256(s.canonical)
	b := append(s.toSign[:0], algorithm+"\n"...)
	b = append(b, c.timestamp...)
	b = append(b, '\n')
	b = append(b, c.scope...)
	b = append(b, '\n')
	s.toSign = hex.AppendEncode(b, sum[:])
}

// appendQuery appends the parameters, each decoded and encoded again, sorted by name and then by value. Parameters
// without "=" get one. The signature of a presigned URL is left out.
func (s *scratch) appendQuery(b []byte, raw string, presigned bool) []byte {
	s.query, s.pairs = s.query[:0], s.pairs[:0]
	for more := raw != ""; more; {
		var sent string
		sent, raw, more = strings.Cut(raw, "&")
		if sent == "" {
			continue
		}
		name, value, _ := strings.Cut(sent, "=")
		if presigned && unescapeQuery(name) == "X-Amz-Signature" {
			continue
		}
		p := pair{start: len(s.query)}
		s.query = appendQueryPart(s.query, name)
		p.eq = len(s.query)
		s.query = append(s.query, '=')
		s.query = appendQueryPart(s.query, value)
		p.end = len(s.query)
		s.pairs = append(s.pairs, p)
	}
	slices.SortFunc(s.pairs, func(x, y pair) int {
		if n := bytes.Compare(s.query[x.start:x.eq], s.query[y.start:y.eq]); n != 0 {
			return n
		}
		return bytes.Compare(s.query[x.eq:x.end], s.query[y.eq:y.end])
	})
	for i, p := range s.pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, s.query[p.start:p.end]...)
	}
	return b
}

// appendPath appends a path, decoded and encoded again: every byte but the unreserved ones and "/" as %XX.
func appendPath(b []byte, path string) []byte {
	for i := 0; i < len(path); i++ {
		ch, width := decodeByte(path[i:])
		i += width - 1
		if ch == '/' {
			b = append(b, '/')
		} else {
			b = appendEscaped(b, ch)
		}
	}
	return b
}

// appendQueryPart appends a name or a value of a query, decoded and encoded again.
func appendQueryPart(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		ch, width := decodeByte(s[i:])
		if width == 1 && ch == '+' {
			ch = ' '
		}
		i += width - 1
		b = appendEscaped(b, ch)
	}
	return b
}

// unescapeQuery decodes a name or a value of a query.
func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		ch, width := decodeByte(s[i:])
		if width == 1 && ch == '+' {
			ch = ' '
		}
		i += width - 1
		b = append(b, ch)
	}
	return string(b)
}

// decodeByte returns the first byte of s, which is not empty, with a %XX decoded, and the width of what it read. A "%"
// that starts no escape stands for itself.
func decodeByte(s string) (ch byte, width int) {
	if s[0] == '%' && len(s) >= 3 {
		hi, ok1 := unhex(s[1])
		lo, ok2 := unhex(s[2])
		if ok1 && ok2 {
			return hi<<4 | lo, 3
		}
	}
	return s[0], 1
}

func unhex(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}

func appendEscaped(b []byte, ch byte) []byte {
	const digits = "0123456789ABCDEF"
	if 'A' <= ch && ch <= 'Z' || 'a' <= ch && ch <= 'z' || '0' <= ch && ch <= '9' ||
		ch == '-' || ch == '.' || ch == '_' || ch == '~' {
		return append(b, ch)
	}
	return append(b, '%', digits[ch>>4], digits[ch&15])
}

// appendHeader appends the values of a header, by its lower-case name, joined with commas. A header that the request
// does not have is empty: if the client signed one with a value, the signatures will differ.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	values := lookup(r.Header, name)
	switch {
	case name == "host":
		return appendTrimmed(b, r.Host)
	case len(values) > 0:
	case name == "content-length" && r.ContentLength > 0:
		// The server keeps the header; a request made by hand, as in tests, may have the field alone.
		return strconv.AppendInt(b, r.ContentLength, 10)
	case name == "transfer-encoding": // net/http moves it
		values = r.TransferEncoding
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// lookup returns a header's values by its lower-case name. It makes the canonical name on the stack.
func lookup(h http.Header, name string) []string {
	var buf [64]byte
	if len(name) > len(buf) {
		return h[http.CanonicalHeaderKey(name)]
	}
	upper := true
	for i := range len(name) {
		ch := name[i]
		if upper && 'a' <= ch && ch <= 'z' {
			ch -= 'a' - 'A'
		}
		upper = ch == '-'
		buf[i] = ch
	}
	return h[string(buf[:len(name)])]
}

// appendTrimmed appends a value without blanks at its ends and with runs of spaces made one.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t\r\n")
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' { // v starts with another character: i > 0
			continue
		}
		b = append(b, v[i])
	}
	return b
}
