package sigv2_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv2"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// The keys and signatures of AWS's examples.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func verifier(now time.Time) *sigv2.Verifier {
	return &sigv2.Verifier{
		Secret: func(key string) (string, bool) { return secret, key == accessKey },
		Now:    func() time.Time { return now },
	}
}

func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1"+target, nil)
	r.RequestURI = target
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func code(err error) string {
	var e *sigv4.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestAWSExamples(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, target, bucket, signature string
		header                                  []string
	}{
		{"get", "GET", "/photos/puppy.jpg", "johnsmith", "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", []string{"Date", "Tue, 27 Mar 2007 19:36:42 +0000"}},
		{"path style", "GET", "/johnsmith/photos/puppy.jpg", "", "bWq2s1WEIj+Ydj0vQ697zp+IXMU=", []string{"Date", "Tue, 27 Mar 2007 19:36:42 +0000"}},
		{
			"put", "PUT", "/photos/puppy.jpg", "johnsmith", "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
			[]string{"Content-Type", "image/jpeg", "Date", "Tue, 27 Mar 2007 21:15:45 +0000"},
		},
		{"list", "GET", "/?prefix=photos&max-keys=50&marker=puppy", "johnsmith", "htDYFYduRNen8P9ZfE/s9SuKy0U=", []string{"Date", "Tue, 27 Mar 2007 19:42:41 +0000"}},
		{"list, path style without a slash", "GET", "/johnsmith?prefix=photos", "", "htDYFYduRNen8P9ZfE/s9SuKy0U=", []string{"Date", "Tue, 27 Mar 2007 19:42:41 +0000"}},
		{"sub-resource", "GET", "/?acl", "johnsmith", "c2WLPFtWHVgbEmeEG93a4cG37dM=", []string{"Date", "Tue, 27 Mar 2007 19:44:46 +0000"}},
	} {
		date, err := time.Parse(time.RFC1123Z, test.header[len(test.header)-1])
		if err != nil {
			t.Fatal(err)
		}
		r := request(test.method, test.target, append(test.header, "Authorization", "AWS "+accessKey+":"+test.signature)...)
		id, err := verifier(date.Add(time.Minute)).Verify(r, test.bucket)
		if err != nil || id.AccessKey != accessKey || id.Presigned || id.Version != "AWS" {
			t.Errorf("%s: %+v, %v", test.name, id, err)
		}
	}
	// The example of query string authentication.
	r := request("GET", "/photos/puppy.jpg?AWSAccessKeyId="+accessKey+"&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620")
	id, err := verifier(time.Unix(1175139620, 0)).Verify(r, "johnsmith")
	if err != nil || !id.Presigned {
		t.Errorf("query: %+v, %v", id, err)
	}
	if _, err := verifier(time.Unix(1175139621, 0)).Verify(r, "johnsmith"); code(err) != "AccessDenied" {
		t.Errorf("expired: %v", err)
	}
}

const date = "Thu, 26 Nov 2026 12:00:00 GMT"

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// signedHeader signs what is written out by hand, so that the test does not repeat the code.
func signedHeader(r *http.Request, toSign string) *http.Request {
	r.Header.Set("Authorization", "AWS "+accessKey+":"+sigv2.Sign(secret, toSign))
	return r
}

// What headers are covered by, and how: the order of their names, several of a name, x-amz-date in place of Date.
func TestHeadersAreSigned(t *testing.T) {
	t.Parallel()
	r := request("PUT", "/b/k", "Content-Md5", "m", "X-Amz-Meta-B", " x ", "X-Amz-Meta-B", "y", "X-Amz-Acl", "private",
		"X-Amz-Date", date, "Date", "yesterday")
	signedHeader(r, "PUT\nm\n\n\nx-amz-acl:private\nx-amz-date:"+date+"\nx-amz-meta-b:x,y\n/b/k")
	if _, err := verifier(now).Verify(r, ""); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*http.Request){
		"another value":  func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") },
		"another header": func(r *http.Request) { r.Header.Set("X-Amz-Tagging", "a=b") },
		"content type":   func(r *http.Request) { r.Header.Set("Content-Type", "text/html") },
		"digest":         func(r *http.Request) { r.Header.Set("Content-Md5", "n") },
		"method":         func(r *http.Request) { r.Method = "DELETE" },
		"path":           func(r *http.Request) { r.RequestURI = "/b/l" },
		"sub-resource":   func(r *http.Request) { r.RequestURI = "/b/k?acl" },
	} {
		changed := r.Clone(t.Context())
		changed.RequestURI = r.RequestURI
		edit(changed)
		if _, err := verifier(now).Verify(changed, ""); code(err) != "SignatureDoesNotMatch" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Clients disagree on newer sub-resources; a presigned URL that does not cover one could be made into another operation.
func TestNewerSubresources(t *testing.T) {
	t.Parallel()
	without, with := "GET\n\n\n"+date+"\n/b/k", "GET\n\n\n"+date+"\n/b/k?retention&versionId=a b"
	for name, toSign := range map[string]string{"not signed": without + "?versionId=a b", "signed": with} {
		r := signedHeader(request("GET", "/b/k?versionId=a%20b&retention", "Date", date), toSign)
		if _, err := verifier(now).Verify(r, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	presigned := func(extra string) error {
		signature := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(sigv2.Sign(secret, "PUT\n\n\n1900000000\n/b/k"))
		_, err := verifier(now).Verify(request("PUT", "/b/k?AWSAccessKeyId="+accessKey+"&Expires=1900000000&Signature="+signature+extra), "")
		return err
	}
	if err := presigned("&x-id=PutObject"); err != nil {
		t.Error(err)
	}
	for _, extra := range []string{"&acl", "&retention", "&legal-hold", "&tagging", "&uploads", "&versionId=x", "&x-amz-meta-a=b", "&response-expires=x"} {
		if err := presigned(extra); code(err) != "SignatureDoesNotMatch" {
			t.Errorf("%s: %v", extra, err)
		}
	}
}

// boto3 moves headers into the query of a URL, and signs them as headers.
func TestPresignedHeaders(t *testing.T) {
	t.Parallel()
	signature := sigv2.Sign(secret, "PUT\n\ntext/plain\n1900000000\nx-amz-meta-k:v\n/b/k")
	target := "/b/k?AWSAccessKeyId=" + accessKey + "&Expires=1900000000&x-amz-meta-k=v&content-type=text/plain&Signature=" +
		strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(signature)
	if _, err := verifier(now).Verify(request("PUT", target), ""); err != nil {
		t.Error(err)
	}
	// What is added must not stand beside what is signed, whatever is read first.
	for range 20 {
		for _, extra := range []string{"&X-Amz-Meta-K=w", "&Content-Type=text/html", "&x-amz-meta-k=w", "&content-type=text/html"} {
			_, err := verifier(now).Verify(request("PUT", target+extra), "")
			if code(err) != "InvalidRequest" && code(err) != "SignatureDoesNotMatch" {
				t.Errorf("%s: %v", extra, err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	good := "AWS " + accessKey + ":" + sigv2.Sign(secret, "GET\n\n\n"+date+"\n/b/")
	for _, test := range []struct{ name, target, authorization, date, want string }{
		{"good", "/b/", good, date, ""},
		{"no colon", "/b/", "AWS HAHAHA", date, "InvalidArgument"},
		{"no signature", "/b/", "AWS " + accessKey + ":", date, "InvalidArgument"},
		{"not base64", "/b/", "AWS " + accessKey + ":#", date, "SignatureDoesNotMatch"},
		{"unknown key", "/b/", "AWS nobody:c2ln", date, "InvalidAccessKeyId"},
		{"no date", "/b/", good, "", "AccessDenied"},
		{"not a date", "/b/", good, "Bad Date", "AccessDenied"},
		{"before the epoch", "/b/", good, "Fri, 07 Jul 1950 21:53:04 GMT", "AccessDenied"},
		{"long ago", "/b/", good, "Wed, 07 Jul 2010 21:53:04 GMT", "RequestTimeTooSkewed"},
		{"far ahead", "/b/", good, "Fri, 31 Dec 9999 23:59:59 GMT", "RequestTimeTooSkewed"},
		{"session token", "/b/k?AWSAccessKeyId=" + accessKey + "&Signature=c2ln&Expires=1900000000&x-amz-security-token=x", "", "", "InvalidToken"},
		{"query without an end", "/b/k?AWSAccessKeyId=" + accessKey + "&Signature=c2ln", "", "", "AccessDenied"},
		{"query with two", "/b/k?AWSAccessKeyId=" + accessKey + "&Signature=c2ln&Expires=1&Expires=1900000000", "", "", "AccessDenied"},
		{"query with words", "/b/k?AWSAccessKeyId=" + accessKey + "&Signature=c2ln&Expires=soon", "", "", "AccessDenied"},
		{"escapes", "/b/k?AWSAccessKeyId=%zz&Signature=c2ln&Expires=1900000000", "", "", "InvalidURI"},
	} {
		r := request("GET", test.target)
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		if test.date != "" {
			r.Header.Set("Date", test.date)
		}
		if _, err := verifier(now).Verify(r, ""); code(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	// The chunks of a body cannot be signed with this version.
	streaming := "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	r := signedHeader(request("PUT", "/b/k", "Date", date, "X-Amz-Content-Sha256", streaming),
		"PUT\n\n\n"+date+"\nx-amz-content-sha256:"+streaming+"\n/b/k")
	if _, err := verifier(now).Verify(r, ""); code(err) != "InvalidRequest" {
		t.Errorf("signed chunks: %v", err)
	}
}

// Temporary credentials sign with their own secret, and their token is signed.
func TestSession(t *testing.T) {
	t.Parallel()
	v := verifier(now)
	v.Session = func(key, token string) (string, error) {
		switch {
		case key == accessKey && token == "good":
			return "temporary", nil
		case token == "old":
			return "", sigv4.ErrExpiredToken
		}
		return "", errors.New("no")
	}
	verify := func(token, secret, signed string) (*sigv4.Identity, error) {
		r := request("GET", "/b/k", "Date", date, "X-Amz-Security-Token", token)
		r.Header.Set("Authorization", "AWS "+accessKey+":"+sigv2.Sign(secret, "GET\n\n\n"+date+"\n"+signed+"/b/k"))
		return v.Verify(r, "")
	}
	if id, err := verify("good", "temporary", "x-amz-security-token:good\n"); err != nil || id.Token != "good" {
		t.Errorf("%+v, %v", id, err)
	}
	for _, test := range []struct{ name, token, secret, signed, want string }{
		{"the key's own secret", "good", secret, "x-amz-security-token:good\n", "SignatureDoesNotMatch"},
		{"a token that is not signed", "good", "temporary", "", "SignatureDoesNotMatch"},
		{"another token", "other", "temporary", "x-amz-security-token:other\n", "InvalidToken"},
		{"an old token", "old", "temporary", "x-amz-security-token:old\n", "ExpiredToken"},
	} {
		if _, err := verify(test.token, test.secret, test.signed); code(err) != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	presigned := "/b/k?AWSAccessKeyId=" + accessKey + "&Expires=1900000000&x-amz-security-token=good&Signature=" +
		strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(sigv2.Sign("temporary", "GET\n\n\n1900000000\nx-amz-security-token:good\n/b/k"))
	if id, err := v.Verify(request("GET", presigned), ""); err != nil || id.Token != "good" || !id.Presigned {
		t.Errorf("presigned: %+v, %v", id, err)
	}
	if id, err := v.VerifyPolicy(sigv2.PolicyAuth{Policy: "e30=", AccessKey: accessKey, Token: "good", Signature: sigv2.Sign("temporary", "e30=")}); err != nil || id.Token != "good" {
		t.Errorf("policy: %+v, %v", id, err)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	good := sigv2.PolicyAuth{Policy: "e30=", AccessKey: accessKey, Signature: sigv2.Sign(secret, "e30=")}
	if id, err := verifier(now).VerifyPolicy(good); err != nil || id.AccessKey != accessKey {
		t.Errorf("%+v, %v", id, err)
	}
	other, unknown := good, good
	other.Policy, unknown.AccessKey = "e31=", "nobody"
	if _, err := verifier(now).VerifyPolicy(other); code(err) != "SignatureDoesNotMatch" {
		t.Errorf("another policy: %v", err)
	}
	if _, err := verifier(now).VerifyPolicy(unknown); code(err) != "InvalidAccessKeyId" {
		t.Errorf("unknown key: %v", err)
	}
}

// FuzzVerify: whatever is sent, without the secret it is refused, and nothing panics.
func FuzzVerify(f *testing.F) {
	f.Add("GET", "/b/k?acl&AWSAccessKeyId="+accessKey+"&Signature=c2ln&Expires=1900000000", "", "")
	f.Add("PUT", "/b", "AWS "+accessKey+":c2ln", date)
	f.Fuzz(func(t *testing.T, method, target, authorization, date string) {
		r := &http.Request{Method: method, RequestURI: target, Header: http.Header{}, URL: httptest.NewRequest("GET", "/", nil).URL}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		r.Header.Set("Date", date)
		if id, err := verifier(now).Verify(r, ""); err == nil {
			t.Fatalf("accepted: %+v", id)
		}
	})
}
