package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// keyRunes makes keys that are hard to sign: what clients escape differently, what proxies like to normalise.
var keyRunes = []rune("ab/. +%&=?#;:@!$'()*,~_-\"<>\\^`{|}[]é日\U0001F600")

// awsEscape is an independent version of S3's escaping, for the tests.
func awsEscape(s string, keepSlash bool) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	if keepSlash {
		s = strings.ReplaceAll(s, "%2F", "/")
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringOfN(rapid.SampledFrom(keyRunes), 1, 30, -1).Draw(t, "key")
		names := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom(keyRunes), 1, 5, -1), 0, 4).Draw(t, "names")
		value := rapid.StringOfN(rapid.SampledFrom(keyRunes), 0, 10, -1).Draw(t, "value")
		presign := rapid.Bool().Draw(t, "presign")

		u := &url.URL{Scheme: "http", Host: testHost, Path: "/" + key}
		q := url.Values{}
		for _, n := range names {
			q.Add(n, value)
		}
		u.RawQuery = q.Encode() // spaces as "+"
		r := &http.Request{Method: "PUT", URL: u, Header: http.Header{}, Host: testHost}
		r.Header.Set("X-Amz-Meta-V", "  a   b "+value+" ")
		if presign {
			Presign(r, testKey, testSecret, testRegion, time.Minute, testTime)
		} else {
			Sign(r, testKey, testSecret, testRegion, UnsignedPayload, testTime)
		}

		// Send it with another escaping of the same path: everything escaped, or as net/url does it.
		target := u.RequestURI()
		if rapid.Bool().Draw(t, "escape all") {
			target = "/" + awsEscape(key, true) + "?" + u.RawQuery
		}
		in := &http.Request{Method: r.Method, Host: r.Host, Header: r.Header, RequestURI: target}
		id, err := newVerifier().Verify(in)
		if err != nil {
			t.Fatalf("%s: %s", target, describe(err))
		}
		if id.AccessKey != testKey || id.Presigned != presign {
			t.Fatalf("%+v", id)
		}
		if want := reference(in, id, presign); id.Signature != want {
			t.Fatalf("signature %s, the reference has %s", id.Signature, want)
		}
		in.RequestURI = strings.Replace(target, "/", "/x", 1)
		if _, err := newVerifier().Verify(in); code(err) != "SignatureDoesNotMatch" {
			t.Fatalf("another path: %v", err)
		}
	})
}

// reference computes the signature of a request in the plainest way, sharing no code with the package.
func reference(r *http.Request, id *Identity, presigned bool) string {
	path, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return "bad path"
	}
	signed := ""
	var pairs [][2]string
	for _, p := range strings.Split(rawQuery, "&") {
		name, value, _ := strings.Cut(p, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return "bad query"
		}
		switch {
		case p == "":
		case presigned && name == "X-Amz-Signature":
		default:
			pairs = append(pairs, [2]string{awsEscape(name, false), awsEscape(value, false)})
		}
		if presigned && name == "X-Amz-SignedHeaders" {
			signed = value
		}
	}
	sort.Slice(pairs, func(i, j int) bool {
		return pairs[i][0] < pairs[j][0] || pairs[i][0] == pairs[j][0] && pairs[i][1] < pairs[j][1]
	})
	var query []string
	for _, p := range pairs {
		query = append(query, p[0]+"="+p[1])
	}
	if !presigned {
		_, signed, _ = strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
		signed, _, _ = strings.Cut(signed, ",")
		signed = strings.Trim(signed, " \t")
	}
	headers := ""
	for _, n := range strings.Split(signed, ";") {
		var values []string
		for _, v := range r.Header.Values(n) {
			for v = strings.TrimSpace(v); strings.Contains(v, "  "); {
				v = strings.ReplaceAll(v, "  ", " ")
			}
			values = append(values, v)
		}
		if n == "host" {
			values = []string{r.Host}
		}
		headers += n + ":" + strings.Join(values, ",") + "\n"
	}
	canonical := strings.Join([]string{
		r.Method, awsEscape(decoded, true), strings.Join(query, "&"), headers, signed, id.Payload,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{
		"AWS4-HMAC-SHA256", id.Time.Format("20060102T150405Z"), id.Scope, hex.EncodeToString(sum[:]),
	}, "\n")
	key := []byte("AWS4" + testSecret)
	for _, part := range append(strings.Split(id.Scope, "/"), toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// TestOverTheWire sends requests through net/http's client and server, which change what a handler sees of them.
func TestOverTheWire(t *testing.T) {
	v := newVerifier()
	v.Now = nil
	var got error
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, got = v.Verify(r)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	for _, path := range []string{"/b/k", "//b//../k", "/b/a+b c%é", "/b/k/?x=a+b&y&z=%2f", "/", "/b/%2F"} {
		r, err := http.NewRequest("PUT", srv.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		p, q, _ := strings.Cut(path, "?")
		r.URL.Path, r.URL.RawQuery = p, q
		r.Header.Set("Expect", "100-continue")
		r.Header.Set("Content-Type", "text/plain;  charset=utf-8")
		r.Header["X-Amz-Meta-A"] = []string{" 1", "2  3 "}
		c := newClaim(testRegion, time.Now().UTC())
		r.Header.Set("X-Amz-Date", c.timestamp)
		r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
		c.payload = UnsignedPayload
		c.signedHeaders = "content-length;content-type;expect;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a"
		wirePath, wireQuery := wire(r)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/"+c.scope+",SignedHeaders="+
			c.signedHeaders+",Signature="+signature(r, wirePath, wireQuery, &c, testSecret, testRegion))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if got != nil {
			t.Errorf("%s: %s", path, describe(got))
		}
	}
}

func TestKeyCacheIsBounded(t *testing.T) {
	v := newVerifier()
	v.Secret = func(string) (string, bool) { return testSecret, true }
	for i := range 2*maxCachedKeys + 10 {
		r := received("GET", "/k")
		Sign(r, testKey+strconv.Itoa(i), testSecret, testRegion, EmptyPayload, testTime)
		if _, err := v.Verify(r); err != nil {
			t.Fatal(describe(err))
		}
	}
	if len(v.keys) > maxCachedKeys {
		t.Errorf("%d keys cached", len(v.keys))
	}
}

func BenchmarkVerify(b *testing.B) {
	signed := received("GET", "/photos/2026/01/a%20file.jpg?versionId=abc&x-id=GetObject", "X-Amz-Meta-A", "1")
	presigned := received("GET", "/photos/2026/01/a%20file.jpg?x-id=GetObject")
	Sign(signed, testKey, testSecret, testRegion, UnsignedPayload, testTime)
	Presign(presigned, testKey, testSecret, testRegion, time.Hour, testTime)
	for name, r := range map[string]*http.Request{"header": signed, "query": presigned} {
		b.Run(name, func(b *testing.B) {
			v := newVerifier()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
