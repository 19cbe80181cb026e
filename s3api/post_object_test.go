package s3api_test

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

const testBoundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

// form is a browser's form, as it goes over the wire.
type form struct {
	fields   [][2]string
	filename string
	file     string
	noFile   bool
	after    [][2]string // fields behind the file
	bare     bool        // without the CRLF at the end
}

func (f *form) add(name, value string) *form {
	f.fields = append(f.fields, [2]string{name, value})
	return f
}

func (f *form) body() string {
	var b strings.Builder
	field := func(name, value string) {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", testBoundary, name, value)
	}
	for _, pair := range f.fields {
		field(pair[0], pair[1])
	}
	if !f.noFile {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n"+
			"Content-Type: text/plain\r\n\r\n%s\r\n", testBoundary, f.filename, f.file)
	}
	for _, pair := range f.after {
		field(pair[0], pair[1])
	}
	b.WriteString("--" + testBoundary + "--")
	if !f.bare {
		b.WriteString("\r\n")
	}
	return b.String()
}

// sign adds a policy that allows the form's fields, and more conditions, and who signs it; root where as is nil.
func (f *form) sign(t *testing.T, bucket string, as *user, conditions ...any) *form {
	t.Helper()
	if as == nil {
		as = &user{key: testAccessKey, secret: testSecretKey}
	}
	all := append([]any{map[string]string{"bucket": bucket}}, conditions...)
	for _, pair := range f.fields {
		all = append(all, []string{"starts-with", "$" + pair[0], ""})
	}
	signed := sigv4.SignPolicy("", as.key, as.secret, testRegion, time.Now())
	for _, pair := range [][2]string{
		{"x-amz-algorithm", signed.Algorithm}, {"x-amz-credential", signed.Credential}, {"x-amz-date", signed.Date},
	} {
		f.add(pair[0], pair[1])
		all = append(all, map[string]string{pair[0]: pair[1]})
	}
	raw, err := json.Marshal(map[string]any{"expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "conditions": all})
	if err != nil {
		t.Fatal(err)
	}
	return f.signDocument(string(raw), as)
}

// signDocument adds a policy as it is.
func (f *form) signDocument(document string, as *user) *form {
	encoded := base64.StdEncoding.EncodeToString([]byte(document))
	signed := sigv4.SignPolicy(encoded, as.key, as.secret, testRegion, time.Now())
	return f.add("Policy", encoded).add("X-Amz-Signature", signed.Signature)
}

func (s *server) post(bucket, body string) answer {
	s.t.Helper()
	return s.do(call{method: http.MethodPost, path: "/" + bucket, body: body, anonymous: true, header: map[string]string{
		"Content-Type": "multipart/form-data; boundary=" + testBoundary,
	}})
}

func TestPostObject(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	sum := md5.Sum([]byte("hello"))
	f := (&form{file: "hello", filename: `C:\dir\übung 1.txt`}).
		add("key", "dir/${filename}").add("Content-Type", "text/plain").add("Cache-Control", "no-cache").
		add("Content-Disposition", "inline").add("Content-Encoding", "gzip").add("Expires", "Thu, 01 Dec 2044 16:00:00 GMT").
		add("x-amz-meta-Name", "${filename}!").add("x-amz-storage-class", "STANDARD_IA").add("acl", "bucket-owner-full-control").
		add("Content-MD5", base64.StdEncoding.EncodeToString(sum[:])).add("x-amz-checksum-crc32", "NhCmhg==").
		add("x-ignore-this", "1").add("success_action_status", "201")
	a := s.post("photos", f.sign(t, "photos", nil).body()).want(t, 201)
	got := decode[struct{ Location, Bucket, Key, ETag string }](t, a)
	if got.Bucket != "photos" || got.Key != "dir/übung 1.txt" || got.ETag != `"5d41402abc4b2a76b9719d911017c592"` ||
		got.Location != a.header.Get("Location") || a.header.Get("ETag") != got.ETag || got.Location == "" {
		t.Errorf("%+v, %v", got, a.header)
	}
	o := s.get("/photos/dir/"+url.PathEscape("übung 1.txt")).want(t, 200)
	if o.body != "hello" {
		t.Errorf("body %q", o.body)
	}
	wantHeaders(t, o, map[string]string{
		"Content-Type": "text/plain", "Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "gzip",
		"Expires": "Thu, 01 Dec 2044 16:00:00 GMT", "X-Amz-Meta-Name": "übung 1.txt!", "X-Amz-Storage-Class": "STANDARD_IA",
		"X-Amz-Date": "", "X-Amz-Algorithm": "", "X-Amz-Signature": "",
	})
	if located, err := s.client.Get(got.Location); err != nil || located.StatusCode != 403 {
		t.Errorf("the location is not one: %v, %v", located, err)
	} else {
		located.Body.Close()
	}
}

func TestPostObjectAnswers(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	etag := url.QueryEscape(`"5d41402abc4b2a76b9719d911017c592"`)
	for _, test := range []struct {
		name, field, value string
		status             int
		location           string
	}{
		{"none", "x-ignore-me", "", 204, ""},
		{"200", "success_action_status", "200", 200, ""},
		{"204", "success_action_status", "204", 204, ""},
		{"another status", "success_action_status", "404", 204, ""},
		{
			"redirect", "success_action_redirect", "https://example.com/done?x=%20y#f", 303,
			"https://example.com/done?x=%20y&bucket=photos&key=a+b%26c&etag=" + etag + "#f",
		},
		{"the old name", "redirect", "http://example.com", 303, "http://example.com?bucket=photos&key=a+b%26c&etag=" + etag},
		{"a script", "success_action_redirect", "javascript:alert(1)", 204, ""},
		{"a path", "success_action_redirect", "//example.com/", 204, ""},
		{"a header", "success_action_redirect", "http://example.com/\r\nSet-Cookie: a=b", 204, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := (&form{file: "hello"}).add("key", "a b&c").add(test.field, test.value)
			a := s.post("photos", f.sign(t, "photos", nil).body()).want(t, test.status)
			if got := a.header.Get("Location"); (test.location != "" && got != test.location) || got == "" {
				t.Errorf("location %q, want %q", got, test.location)
			}
			if a.body != "" || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%q, %v", a.body, a.header)
			}
		})
	}
	t.Run("tagging and grants", func(t *testing.T) {
		f := (&form{file: "x"}).add("key", "tagged").
			add("tagging", "<Tagging><TagSet><Tag><Key>a+</Key><Value>b c</Value></Tag></TagSet></Tagging>")
		s.post("photos", f.sign(t, "photos", nil).body()).want(t, 204)
		o, err := s.store.HeadObject(t.Context(), "photos", "tagged", "")
		if err != nil || len(o.Tags) != 1 || o.Tags[0].Key != "a+" || o.Tags[0].Value != "b c" {
			t.Errorf("%+v, %v", o.Tags, err)
		}
		f = (&form{file: "x"}).add("key", "public").add("acl", "public-read")
		s.post("photos", f.sign(t, "photos", nil).body()).wantError(t, 400, "AccessControlListNotSupported")
	})
	t.Run("a virtual host", func(t *testing.T) {
		f := (&form{file: "x"}).add("key", "of a host")
		a := s.do(call{
			method: "POST", path: "/", host: "photos.localhost", anonymous: true,
			body: f.sign(t, "photos", nil).body(), header: map[string]string{
				"Content-Type": "multipart/form-data; boundary=" + testBoundary,
			},
		}).want(t, 204)
		if got := a.header.Get("Location"); got != "http://photos.localhost/of%20a%20host" {
			t.Errorf("location %q", got)
		}
	})
}

// What is wrong with a form is told as S3 does, and nothing is stored.
func TestPostObjectRefusals(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	simple := func() *form { return (&form{file: "hello", filename: "f"}).add("key", "k") }
	signed := func(conditions ...any) *form { return simple().sign(t, "photos", nil, conditions...) }
	with := func(name, value string) *form { return simple().add(name, value).sign(t, "photos", nil) }
	without := func(name string) *form {
		f := signed()
		for i, pair := range f.fields {
			if strings.EqualFold(pair[0], name) {
				f.fields = append(f.fields[:i:i], f.fields[i+1:]...)
				break
			}
		}
		return f
	}
	replaced := func(name, value string) *form { return without(name).add(name, value) }
	for _, test := range []struct {
		name    string
		form    *form
		status  int
		code    string
		message string
	}{
		{"anonymous", simple(), 403, "AccessDenied", ""},
		{"no policy", without("policy"), 400, "InvalidArgument", "named 'policy'"},
		{"no credential", without("x-amz-credential"), 400, "InvalidArgument", "named 'x-amz-credential'"},
		{"no signature", without("x-amz-signature"), 400, "InvalidArgument", "named 'x-amz-signature'"},
		{"no date", without("x-amz-date"), 400, "InvalidArgument", "named 'x-amz-date'"},
		{"no algorithm", without("x-amz-algorithm"), 400, "InvalidArgument", "named 'x-amz-algorithm'"},
		{"version 2", simple().add("AWSAccessKeyId", "x").add("policy", "e30=").add("signature", "x"), 400, "InvalidRequest", "AWS4-HMAC-SHA256"},
		{"another algorithm", replaced("x-amz-algorithm", "AWS3"), 400, "InvalidArgument", ""},
		{"credential", replaced("x-amz-credential", "a/b"), 400, "InvalidArgument", "Credential is mal-formed"},
		{"another region", replaced("x-amz-credential", "a/20260101/mars/s3/aws4_request"), 400, "InvalidArgument", "is wrong; expecting"},
		{"date", replaced("x-amz-date", "today"), 400, "InvalidArgument", ""},
		{"another date", replaced("x-amz-date", "20200101T000000Z"), 400, "InvalidArgument", "not the same"},
		{"unknown key", simple().sign(t, "photos", &user{key: "who", secret: "x"}), 403, "InvalidAccessKeyId", ""},
		{"wrong secret", simple().sign(t, "photos", &user{key: testAccessKey, secret: "x"}), 403, "SignatureDoesNotMatch", ""},
		{"wrong signature", replaced("x-amz-signature", "zz"), 403, "SignatureDoesNotMatch", ""},
		{"changed policy", replaced("policy", base64.StdEncoding.EncodeToString([]byte("{}"))), 403, "SignatureDoesNotMatch", ""},
		{"another bucket", simple().sign(t, "videos", nil), 403, "AccessDenied", "Policy Condition failed"},
		{"another key", signed([]string{"starts-with", "$key", "user/"}), 403, "AccessDenied", "Policy Condition failed"},
		{"extra field", signed().add("x-amz-meta-late", "1"), 403, "AccessDenied", "Extra input fields: x-amz-meta-late"},
		{"expired", simple().signAll(t, `{"expiration":"2020-01-01T00:00:00Z","conditions":[]}`), 403, "AccessDenied", "Policy expired."},
		{"no JSON", simple().signAll(t, `{`), 400, "InvalidPolicyDocument", "Invalid JSON"},
		{"no conditions", simple().signAll(t, `{"expiration":"`+future+`"}`), 400, "InvalidPolicyDocument", "missing conditions"},
		{"no key", (&form{file: "x"}).sign(t, "photos", nil), 400, "InvalidArgument", "named 'key'"},
		{"file first", (&form{file: "x", after: [][2]string{{"key", "k"}}}), 400, "InvalidArgument", "named 'key'"},
		{"empty key", (&form{file: "x"}).add("key", "${filename}").sign(t, "photos", nil), 400, "InvalidArgument", "User key must have"},
		{"long key", (&form{file: "x"}).add("key", strings.Repeat("k", 1025)).sign(t, "photos", nil), 400, "KeyTooLongError", ""},
		{"key twice", simple().add("KEY", "other").sign(t, "photos", nil), 400, "MalformedPOSTRequest", ""},
		{"no file", (&form{noFile: true}).add("key", "k").sign(t, "photos", nil), 400, "InvalidArgument", "exactly one file"},
		{"two files", func() *form { f := signed(); f.after = [][2]string{{"file", "other"}}; return f }(), 400, "InvalidArgument", "exactly one file"},
		{"too small", signed([]any{"content-length-range", 6, 10}), 400, "EntityTooSmall", ""},
		{"too large", signed([]any{"content-length-range", 0, 4}), 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed"},
		{"another MD5", with("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="), 400, "BadDigest", ""},
		{"not an MD5", with("Content-MD5", "x"), 400, "InvalidDigest", ""},
		{"another checksum", with("x-amz-checksum-crc32", "AAAAAA=="), 400, "BadDigest", ""},
		{"storage class", with("x-amz-storage-class", "TAPE"), 400, "InvalidStorageClass", ""},
		{"not implemented", with("x-amz-write-offset-bytes", "1"), 501, "NotImplemented", ""},
		{"no tags", with("tagging", "a=b"), 400, "MalformedXML", ""},
		{"a tag", with("tagging", "<Tagging><TagSet><Tag><Key>aws:x</Key><Value>1</Value></Tag></TagSet></Tagging>"), 400, "InvalidTag", ""},
		{"no tag set", with("tagging", "<Tagging/>"), 400, "MalformedXML", ""},
		{"metadata", with("x-amz-meta-a", strings.Repeat("x", 2048)), 400, "MetadataTooLarge", ""},
		{"a header in a field", with("x-amz-meta-a", "b\r\nc: d"), 400, "InvalidArgument", ""},
		{"a name that is no header's", with("x-amz-meta-a b", "c"), 400, "InvalidArgument", ""},
		{"fields that are too long", with("x-ignore-a", strings.Repeat("x", 20<<10)), 400, "MaxPostPreDataLengthExceeded", ""},
		{"a megabyte of a name", with(strings.Repeat("n", 1<<20), ""), 400, "MaxPostPreDataLengthExceeded", ""},
		{"file names that multiply", (&form{file: "x", filename: strings.Repeat("f", 8<<10)}).
			add("key", strings.Repeat("${filename}", 500)).sign(t, "photos", nil), 400, "MaxPostPreDataLengthExceeded", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.post("photos", test.form.body()).wantError(t, test.status, test.code)
			if !strings.Contains(e.Message, test.message) {
				t.Errorf("message %q", e.Message)
			}
		})
	}
	s.post("absent", signed().body()).wantError(t, 404, "NoSuchBucket")
	if a, _ := s.store.Account(quota.BucketScope("photos")); a.Usage != (quota.Usage{}) {
		t.Errorf("refused forms left %+v", a.Usage)
	}
}

// signAll signs a policy document as it is, with all fields of a signature.
func (f *form) signAll(t *testing.T, document string) *form {
	t.Helper()
	f.sign(t, "photos", nil)
	kept := f.fields[:0]
	for _, pair := range f.fields {
		if !strings.EqualFold(pair[0], "policy") && !strings.EqualFold(pair[0], "x-amz-signature") {
			kept = append(kept, pair)
		}
	}
	f.fields = kept
	return f.signDocument(document, &user{key: testAccessKey, secret: testSecretKey})
}

func TestPostObjectBodies(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	good := (&form{file: "x"}).add("key", "k").sign(t, "photos", nil).body()
	post := func(contentType, body string, edit func(*http.Request)) answer {
		return s.do(call{
			method: http.MethodPost, path: "/photos", body: body, anonymous: true, edit: edit,
			header: map[string]string{"Content-Type": contentType},
		})
	}
	const multipart = "multipart/form-data; boundary=" + testBoundary
	for _, test := range []struct {
		name, contentType, body string
		edit                    func(*http.Request)
		status                  int
		code                    string
	}{
		{"not a form", "application/x-www-form-urlencoded", "key=k", nil, 412, "PreconditionFailed"},
		{"no type", "", good, nil, 412, "PreconditionFailed"},
		{"no boundary", "multipart/form-data", good, nil, 400, "MalformedPOSTRequest"},
		{"another boundary", "multipart/form-data; boundary=other", good, nil, 400, "MalformedPOSTRequest"},
		{"a boundary without end", "multipart/form-data; boundary=" + strings.Repeat("b", 1000), good, nil, 400, "MalformedPOSTRequest"},
		{"empty", multipart, "", nil, 400, "MalformedPOSTRequest"},
		{"not ended", multipart, strings.TrimSuffix(good, "--\r\n"), nil, 400, "MalformedPOSTRequest"},
		{"ends in the file", multipart, good[:strings.LastIndex(good, "x\r\n--")], nil, 400, "MalformedPOSTRequest"},
		{"only line feeds", multipart, strings.ReplaceAll(good, "\r\n", "\n"), nil, 400, "MalformedPOSTRequest"},
		{"a part without a name", multipart, "--" + testBoundary + "\r\n\r\nx\r\n--" + testBoundary + "--", nil, 400, "MalformedPOSTRequest"},
		{"no length", multipart, good, func(r *http.Request) { r.ContentLength = -1 }, 411, "MissingContentLength"},
		{"much behind the file", multipart, good + strings.Repeat("x", 32<<10), nil, 400, "MalformedPOSTRequest"},
		{"signed as a request", multipart, good, func(r *http.Request) {
			sigv4.Sign(r, testAccessKey, testSecretKey, testRegion, sigv4.UnsignedPayload, time.Now())
		}, 400, "InvalidRequest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			post(test.contentType, test.body, test.edit).wantError(t, test.status, test.code)
		})
	}
	s.get("/photos/k").wantError(t, 404, "NoSuchKey")
	preamble := "This is a form.\r\n"
	post(multipart, preamble+good+"and an epilogue", nil).want(t, 204)
	if got := s.get("/photos/k").want(t, 200).body; got != "x" {
		t.Errorf("%q", got)
	}
}

// Files of all kinds come out as they went in.
func TestPostObjectFiles(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	large := bytes.Repeat([]byte("0123456789abcde\r\n--"+testBoundary[:20]), 100_000)
	for _, test := range []struct{ name, file string }{
		{"empty", ""},
		{"one byte", "x"},
		{"line ends", "\r\n\r\n"},
		{"a CRLF at its end", "x\r\n"},
		{"almost a delimiter", "\r\n--" + testBoundary + "x"},
		{"a boundary within a line", "--" + testBoundary + "--"},
		{"half a delimiter at its end", "x\r\n--" + testBoundary[:10]},
		{"a buffer", strings.Repeat("x", 32<<10)},
		{"large", string(large)},
	} {
		for _, bare := range []bool{false, true} {
			for _, after := range [][][2]string{nil, {{"submit", "Upload"}, {"x", strings.Repeat("y", 10_000)}}} {
				t.Run(fmt.Sprintf("%s, bare %t, %d behind", test.name, bare, len(after)), func(t *testing.T) {
					size := len(test.file)
					f := (&form{file: test.file, bare: bare, after: after}).add("key", "k").
						sign(t, "photos", nil, []any{"content-length-range", size, size})
					a := s.post("photos", f.body()).want(t, 204)
					sum := md5.Sum([]byte(test.file))
					if got := a.header.Get("ETag"); got != `"`+hex.EncodeToString(sum[:])+`"` {
						t.Errorf("ETag %s", got)
					}
					if got := s.get("/photos/k").want(t, 200).body; got != test.file {
						t.Errorf("%d bytes, want %d", len(got), size)
					}
				})
			}
		}
	}
}

func TestPostObjectQuota(t *testing.T) {
	for _, size := range []int{100, 1 << 20} {
		for _, bare := range []bool{false, true} {
			for _, after := range [][][2]string{nil, {{"submit", "Upload"}}} {
				t.Run(fmt.Sprintf("%d, bare %t, %d behind", size, bare, len(after)), func(t *testing.T) {
					s := newServer(t)
					s.bucket("photos")
					s.limit("photos", quota.Limit{MaxBytes: int64(size), MaxObjects: 1})
					post := func(key string, size int) answer {
						f := (&form{file: strings.Repeat("x", size), bare: bare, after: after}).add("key", key)
						return s.post("photos", f.sign(t, "photos", nil).body())
					}
					e := post("k", size+1).wantError(t, 507, "QuotaExceeded")
					if e.Scope != "bucket" || e.Total != int64(size) || e.Used != 0 || e.Resource != "/photos/k" ||
						e.Requested != int64(size)+1 {
						t.Errorf("%+v", e)
					}
					if e := post("k", 2*size+100_000).wantError(t, 507, "QuotaExceeded"); e.Requested < int64(2*size+100_000-2) {
						t.Errorf("%+v", e)
					}
					s.get("/photos/k").wantError(t, 404, "NoSuchKey")
					post("k", size).want(t, 204)
					post("k", size).want(t, 204)
					post("other", 0).wantError(t, 507, "QuotaExceeded")
					if a, _ := s.store.Account(quota.BucketScope("photos")); a.Usage.Bytes != int64(size) || a.Usage.Objects != 1 {
						t.Errorf("%+v", a.Usage)
					}
				})
			}
		}
	}
}

// Whose the policy is decides what the form may do.
func TestPostObjectPermissions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	nobody, writer := s.user("nobody"), s.user("writer", "readwrite")
	post := func(key string, as *user) answer {
		f := (&form{file: "x"}).add("key", key)
		if as != nil {
			f.sign(t, "photos", as)
		}
		return s.post("photos", f.body())
	}
	post("k", nobody).wantError(t, 403, "AccessDenied")
	post("k", writer).want(t, 204)
	post("public/k", nil).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodPut, path: "/photos?policy", body: `{"Version":"2012-10-17","Statement":[{
		"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/public/*",
		"Condition":{"StringEquals":{"s3:authType":"POST"}}}]}`}).want(t, 204)
	post("public/k", nil).want(t, 204)
	post("private/k", nil).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodPut, path: "/photos/public/put", body: "x", anonymous: true}).wantError(t, 403, "AccessDenied")
	post("k", nobody).wantError(t, 403, "AccessDenied")
}

// A browser sees why its upload was refused: the answer carries the headers of the bucket's rules.
func TestPostObjectCORS(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.putCORS("photos", `<CORSConfiguration><CORSRule><AllowedOrigin>https://example.com</AllowedOrigin>
		<AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>`).want(t, 200)
	for status, f := range map[int]*form{
		204: (&form{file: "x"}).add("key", "k").sign(t, "photos", nil), 403: (&form{file: "x"}).add("key", "k"),
	} {
		a := s.do(call{method: "POST", path: "/photos", body: f.body(), anonymous: true, header: map[string]string{
			"Content-Type": "multipart/form-data; boundary=" + testBoundary, "Origin": "https://example.com",
		}}).want(t, status)
		wantHeaders(t, a, map[string]string{"Access-Control-Allow-Origin": "https://example.com"})
	}
}

// A file that cannot fit is refused when the fields have come, not when it has.
func TestPostObjectEarlyRefusal(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 1000})
	for name, test := range map[string]struct {
		conditions []any
		want       string
	}{
		"quota":  {nil, "<Code>QuotaExceeded</Code>"},
		"policy": {[]any{[]any{"content-length-range", 0, 1000}}, "<Code>EntityTooLarge</Code>"},
	} {
		t.Run(name, func(t *testing.T) {
			body := (&form{file: strings.Repeat("x", 1<<20)}).add("key", "k").sign(t, "photos", nil, test.conditions...).body()
			conn := s.postRaw(len(body), body[:strings.Index(body, "xxxx")])
			defer conn.Close()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(response.Body)
			if err != nil || !strings.Contains(string(raw), test.want) {
				t.Errorf("%v, %s", err, raw)
			}
			response.Body.Close()
		})
	}
}

// postRaw sends the beginning of a form whose length is announced.
func (s *server) postRaw(length int, begin string) *net.TCPConn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "POST /photos HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n%s", testBoundary, length, begin)
	if err != nil {
		s.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// A client that goes away in the middle leaves nothing behind: the harness looks at reservations and blobs.
func TestPostObjectHangUp(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	body := (&form{file: strings.Repeat("x", 4<<20)}).add("key", "k").sign(t, "photos", nil).body()
	for _, sent := range []int{0, 100, 2 << 20, len(body) - 1} {
		conn := s.postRaw(len(body), body[:sent])
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(conn) // the server has done with it
		if err != nil || (len(raw) > 0 && !bytes.Contains(raw, []byte("IncompleteBody"))) {
			t.Errorf("after %d bytes: %v, %s", sent, err, raw)
		}
		conn.Close()
	}
	s.get("/photos/k").wantError(t, 404, "NoSuchKey")
	if a, _ := s.store.Account(quota.BucketScope("photos")); a.Usage != (quota.Usage{}) || a.Reserved != (quota.Delta{}) {
		t.Errorf("%+v", a)
	}
}
