package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// refusal is a change to a good request, and what must come of it.
type refusal struct {
	name   string
	edit   func(r *http.Request)
	code   string
	status int
	text   string // a part of the message or, as "Name=Value", an extra element
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
	}
}

func authorization(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}

func query(from, to string) func(*http.Request) {
	return func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, from, to, 1) }
}

func check(t *testing.T, v *Verifier, r *http.Request, tt refusal) {
	t.Helper()
	id, err := v.Verify(r)
	if code(err) != tt.code {
		t.Fatalf("got %+v, %v; want %s", id, describe(err), tt.code)
	}
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	ok := strings.Contains(e.Message, tt.text)
	for _, x := range e.Extra {
		ok = ok || x.Name+"="+x.Value == tt.text
	}
	if e.Status != tt.status || !ok {
		t.Errorf("got %d %s; want %d with %q", e.Status, describe(err), tt.status, tt.text)
	}
}

func TestRefuseHeader(t *testing.T) {
	const malformed, argument, denied = "AuthorizationHeaderMalformed", "InvalidArgument", "AccessDenied"
	const skewed, mismatch = "RequestTimeTooSkewed", "SignatureDoesNotMatch"
	tests := []refusal{
		{"no change", func(*http.Request) {}, "", 0, ""},
		{"the signature in upper case", func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-64]+strings.ToUpper(a[len(a)-64:]))
		}, "", 0, ""},
		{"anonymous", header("Authorization", ""), "anonymous", 0, ""},
		{"no SignedHeaders", authorization("SignedHeaders=", "Headers="), malformed, 400, "missing SignedHeaders."},
		{"a component without value", authorization("SignedHeaders=", "SignedHeaders-"), malformed, 400, "is malformed."},
		{"another terminal", authorization("aws4_request", "aws_request"), malformed, 400, `incorrect terminal "aws_request"`},
		{"session token", func(r *http.Request) {
			r.Header.Set("X-Amz-Security-Token", "x")
			authorization("SignedHeaders=", "SignedHeaders=x-amz-security-token;")(r)
		}, "InvalidToken", 400, "malformed"},
		{"bearer", header("Authorization", "Bearer x"), argument, 400, "ArgumentValue=Bearer"},
		{"no space", header("Authorization", "AWS4-HMAC-SHA256"), argument, 400, "one and only one"},
		{"two headers", func(r *http.Request) { r.Header.Add("Authorization", "x") }, argument, 400, "Only one auth"},
		{"version 2", header("Authorization", "AWS AK:sig="), "InvalidRequest", 400, "Please use AWS4-HMAC-SHA256."},
		{"version 4a", authorization("HMAC", "ECDSA-P256"), "NotImplemented", 501, "ECDSA"},
		{"query as well", query("?", "?X-Amz-Algorithm=AWS4-HMAC-SHA256&"), argument, 400, "Only one auth"},
		{"query of version 2 as well", query("?", "?AWSAccessKeyId=a&Signature=b&"), argument, 400, "Only one auth"},
		{"no credential", authorization("Credential=", "Cred="), malformed, 400, "missing Credential."},
		{"two credentials", authorization("Sign", "Credential=a, Sign"), malformed, 400, "three components"},
		{"no signature", authorization(", Signature=", ", Sig="), malformed, 400, "missing Signature."},
		{"four parts", authorization("/us-east-1/", "/"), malformed, 400, "YYYYMMDD/REGION/SERVICE"},
		{"six parts", authorization("/us-east-1/", "/us/east-1/"), malformed, 400, "YYYYMMDD/REGION/SERVICE"},
		{"ten parts", authorization("/us-east-1/", "/1/2/3/4/5/6/"), malformed, 400, "YYYYMMDD/REGION/SERVICE"},
		{"no access key", authorization(testKey, ""), malformed, 400, "YYYYMMDD/REGION/SERVICE"},
		{"bad date", authorization("/20130524/", "/20131324/"), malformed, 400, `incorrect date format "20131324"`},
		{"another date", authorization("/20130524/", "/20130523/"), malformed, 400, "Invalid credential date"},
		{"no region", authorization("/us-east-1/", "//"), malformed, 400, "non-empty region"},
		{"another region", authorization("us-east-1", "eu-west-1"), malformed, 400, "Region=us-east-1"},
		{
			"another region's message", authorization("us-east-1", "eu-west-1"), malformed, 400,
			`The authorization header is malformed; the region "eu-west-1" is wrong; expecting "us-east-1"`,
		},
		{"another service", authorization("/s3/", "/ec2/"), malformed, 400, `incorrect service "ec2"`},
		{"another terminator", authorization("aws4_", "aws5_"), malformed, 400, `incorrect terminal "aws5_request"`},
		{"unknown key", authorization(testKey, "AKIA"), "InvalidAccessKeyId", 403, "AWSAccessKeyId=AKIA"},
		{"no hash", header("X-Amz-Content-Sha256", ""), "InvalidRequest", 400, "this request: x-amz-content-sha256"},
		{"a short hash", header("X-Amz-Content-Sha256", EmptyPayload[1:]), argument, 400, "or a valid sha256"},
		{"a hash of no hex", header("X-Amz-Content-Sha256", EmptyPayload[1:]+"g"), argument, 400, "or a valid sha256"},
		{"another hash", header("X-Amz-Content-Sha256", strings.Repeat("0", 64)), mismatch, 403, ""},
		{"unsigned instead", header("X-Amz-Content-Sha256", UnsignedPayload), mismatch, 403, ""},
		{
			"streaming 4a", header("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
			"NotImplemented", 501, "ECDSA",
		},
		{"no date", header("X-Amz-Date", ""), denied, 403, "requires a valid Date or x-amz-date"},
		{"a date in another form", header("X-Amz-Date", "2013-05-24T00:00:00Z"), denied, 403, "valid Date or x-amz-date"},
		{"fractions", header("X-Amz-Date", "20130524T000000.1Z"), denied, 403, "valid Date or x-amz-date"},
		{"two dates", func(r *http.Request) { r.Header.Add("X-Amz-Date", testStamp) }, denied, 403, "valid Date"},
		{"too early", header("X-Amz-Date", "20130523T234459Z"), skewed, 403, "RequestTime=20130523T234459Z"},
		{"too late", header("X-Amz-Date", "20130524T001501Z"), skewed, 403, "ServerTime=2013-05-24T00:00:00Z"},
		{"far", header("X-Amz-Date", "99991231T235959Z"), skewed, 403, "MaxAllowedSkewMilliseconds=900000"},
		{"a little early", header("X-Amz-Date", "20130524T001500Z"), mismatch, 403, ""},
		{"host not signed", authorization("=host;", "="), denied, 403, "HeadersNotSigned=host"},
		{
			"more headers", func(r *http.Request) { r.Header["X-Amz-Meta-B"], r.Header["X-Amz-Acl"] = []string{"1"}, nil },
			denied, 403, "HeadersNotSigned=x-amz-acl, x-amz-meta-b",
		},
		{
			"a header in the wrong case", func(r *http.Request) { r.Header["x-AMZ-acl"] = []string{"1"} },
			denied, 403, "HeadersNotSigned=x-amz-acl",
		},
		{"Content-MD5", header("Content-Md5", "x"), denied, 403, "HeadersNotSigned=content-md5"},
		{"a signed header gone", header("X-Amz-Meta-A", ""), mismatch, 403, ""},
		{"a signed header twice", func(r *http.Request) { r.Header.Add("X-Amz-Meta-A", "2") }, mismatch, 403, ""},
		{"another value", header("X-Amz-Meta-A", "2"), mismatch, 403, ""},
		{"another method", func(r *http.Request) { r.Method = "PUT" }, mismatch, 403, ""},
		{"another host", func(r *http.Request) { r.Host = "x" }, mismatch, 403, ""},
		{"another path", query("/k", "/K"), mismatch, 403, ""},
		{"another query", query("a=1", "a=2"), mismatch, 403, ""},
		{"no signature at all", authorization("Signature=", "Signature=x"), mismatch, 403, "AWSAccessKeyId=" + testKey},
		{"a long signature", func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")+"00")
		}, mismatch, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := received("GET", "/k?a=1", "X-Amz-Meta-A", "1")
			Sign(r, testKey, testSecret, testRegion, EmptyPayload, testTime)
			tt.edit(r)
			check(t, newVerifier(), r, tt)
		})
	}
}

func TestRefuseQuery(t *testing.T) {
	const params, denied = "AuthorizationQueryParametersError", "AccessDenied"
	tests := []refusal{
		{"no change", func(*http.Request) {}, "", 0, ""},
		{"no algorithm", query("X-Amz-Algorithm", "y"), params, 400, "requires the X-Amz-Algorithm"},
		{"no credential", query("X-Amz-Credential", "y"), params, 400, "requires the X-Amz-Algorithm"},
		{"no date", query("X-Amz-Date", "y"), params, 400, "requires the X-Amz-Algorithm"},
		{"no expires", query("X-Amz-Expires", "y"), params, 400, "requires the X-Amz-Algorithm"},
		{"no signed headers", query("X-Amz-SignedHeaders", "y"), params, 400, "requires the X-Amz-Algorithm"},
		{"no signature", query("X-Amz-Signature", "y"), params, 400, "requires the X-Amz-Algorithm"},
		{"twice", query("?", "?X-Amz-Expires=1&"), params, 400, "X-Amz-Expires must be given only once"},
		{"twice, escaped", query("?", "?X%2DAmz-Date=1&"), params, 400, "X-Amz-Date must be given only once"},
		{"another algorithm", query("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), params, 400, "X-Amz-Algorithm only supports"},
		{"session token", query("?", "?X-Amz-Security-Token=x&"), "InvalidToken", 400, "malformed"},
		{"version 4a", query("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), params, 400, "only supports"},
		{"version 2 as well", query("?", "?AWSAccessKeyId=a&Signature=b&"), "InvalidArgument", 400, "Only one auth"},
		{"bad date", query("Date=2013", "Date=20x3"), params, 400, "ISO8601 Long Format"},
		{"expires is no number", query("Expires=60", "Expires=1h"), params, 400, "X-Amz-Expires should be a number"},
		{"expires is empty", query("Expires=60", "Expires="), params, 400, "X-Amz-Expires should be a number"},
		{"expires is huge", query("Expires=60", "Expires=9223372036854775808"), params, 400, "should be a number"},
		{"expires is negative", query("Expires=60", "Expires=-1"), params, 400, "X-Amz-Expires must be non-negative"},
		{"a second over a week", query("Expires=60", "Expires=604801"), params, 400, "must be less than 604800 seconds"},
		{"expires is 0", query("Expires=60", "Expires=0"), denied, 403, "Request has expired"},
		{"a week", query("Expires=60", "Expires=604800"), "SignatureDoesNotMatch", 403, ""},
		{"another date", query("/20130524/", "%2F20130523%2F"), params, 400, `Invalid credential date "20130523"`},
		{
			"another region", query("us-east-1", "eu-west-1"), params, 400,
			`Error parsing the X-Amz-Credential parameter; the region "eu-west-1" is wrong; expecting "us-east-1"`,
		},
		{"another service", query("%2Fs3%2F", "%2Fec2%2F"), params, 400, `incorrect service "ec2"`},
		{"unknown key", query(testKey, "AKIA"), "InvalidAccessKeyId", 403, "AWSAccessKeyId=AKIA"},
		{"a header not signed", header("X-Amz-Acl", "private"), denied, 403, "HeadersNotSigned=x-amz-acl"},
		{"host not signed", query("Headers=host", "Headers=x"), denied, 403, "HeadersNotSigned=host"},
		{"another payload", header("X-Amz-Content-Sha256", EmptyPayload), "SignatureDoesNotMatch", 403, ""},
		{"a bad payload", header("X-Amz-Content-Sha256", "x"), "InvalidArgument", 400, "or a valid sha256"},
		{"a signature that is no hex", query("Signature=", "Signature=z"), "SignatureDoesNotMatch", 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := received("GET", "/k?a=1")
			Presign(r, testKey, testSecret, testRegion, time.Minute, testTime)
			if strings.Contains(tt.name, "another date") {
				r.RequestURI = strings.Replace(r.RequestURI, "%2F20130524%2F", "/20130524/", 1)
			}
			tt.edit(r)
			check(t, newVerifier(), r, tt)
		})
	}
}

func TestPresignedTimes(t *testing.T) {
	tests := []struct {
		name string
		at   time.Duration
		want refusal
	}{
		{"at the last moment", time.Minute, refusal{}},
		{"expired", time.Minute + time.Second, refusal{
			code: "AccessDenied", status: 403, text: "Request has expired",
		}},
		{"when it expired", time.Hour, refusal{code: "AccessDenied", status: 403, text: "Expires=2013-05-24T00:01:00Z"}},
		{"how long it was", time.Hour, refusal{code: "AccessDenied", status: 403, text: "X-Amz-Expires=60"}},
		{"our time", time.Hour, refusal{code: "AccessDenied", status: 403, text: "ServerTime=2013-05-24T01:00:00Z"}},
		{"a little ahead", -15 * time.Minute, refusal{}},
		{"too far ahead", -15*time.Minute - time.Second, refusal{
			code: "AccessDenied", status: 403, text: "Request is not yet valid",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := received("GET", "/k")
			Presign(r, testKey, testSecret, testRegion, time.Minute, testTime)
			v := newVerifier()
			v.Now = func() time.Time { return testTime.Add(tt.at) }
			check(t, v, r, tt.want)
		})
	}
}

func TestOtherForms(t *testing.T) {
	t.Run("the query of version 2", func(t *testing.T) {
		check(t, newVerifier(), received("GET", "/k?AWSAccessKeyId=a&Signature=b&Expires=1"),
			refusal{code: "InvalidRequest", status: 400, text: "Please use AWS4-HMAC-SHA256."})
	})
	t.Run("a parameter of the caller's own", func(t *testing.T) {
		check(t, newVerifier(), received("GET", "/k?Signature=b"), refusal{code: "anonymous"})
	})
	t.Run("the Date header instead of X-Amz-Date", func(t *testing.T) {
		r := received("GET", "/k", "Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Content-Sha256", EmptyPayload)
		c := newClaim(testRegion, testTime)
		c.payload, c.signedHeaders = EmptyPayload, "date;host"
		r.Header.Set("Authorization", exampleAuth(c.signedHeaders, signature(r, "/k", "", &c, testSecret, testRegion)))
		check(t, newVerifier(), r, refusal{})
	})
	t.Run("the payload in the query", func(t *testing.T) {
		r := received("PUT", "/k?X-Amz-Content-Sha256="+EmptyPayload)
		Presign(r, testKey, testSecret, testRegion, time.Minute, testTime)
		id, err := newVerifier().Verify(r)
		if err != nil || id.Payload != EmptyPayload {
			t.Errorf("%+v, %v", id, describe(err))
		}
		// A header beside it is not the payload line, so it must be signed like any other.
		r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
		check(t, newVerifier(), r, refusal{
			code: "AccessDenied", status: 403, text: "HeadersNotSigned=x-amz-content-sha256",
		})
	})
	t.Run("the payload in an unsigned header", func(t *testing.T) {
		r := received("GET", "/k", "X-Amz-Content-Sha256", UnsignedPayload, "X-Amz-Date", testStamp)
		c := newClaim(testRegion, testTime)
		c.payload, c.signedHeaders = UnsignedPayload, "host;x-amz-date"
		r.Header.Set("Authorization", exampleAuth(c.signedHeaders, signature(r, "/k", "", &c, testSecret, testRegion)))
		check(t, newVerifier(), r, refusal{})
		r.Header.Set("X-Amz-Content-Sha256", EmptyPayload)
		check(t, newVerifier(), r, refusal{code: "SignatureDoesNotMatch", status: 403})
	})
	t.Run("a rotated secret", func(t *testing.T) {
		v, secret := newVerifier(), testSecret
		v.Secret = func(string) (string, bool) { return secret, true }
		r := received("GET", "/k")
		Sign(r, testKey, testSecret, testRegion, EmptyPayload, testTime)
		check(t, v, r, refusal{})
		secret = "other"
		check(t, v, r, refusal{code: "SignatureDoesNotMatch", status: 403})
	})
}

func TestMismatchShowsWhatWasSigned(t *testing.T) {
	r := received("GET", "/k?b&a=%7e", "X-Amz-Content-Sha256", UnsignedPayload, "X-Amz-Date", testStamp)
	r.Header.Set("Authorization", exampleAuth("host;x-amz-date", "beef"))
	_, err := newVerifier().Verify(r)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	canonical := "GET\n/k\na=~&b=\nhost:" + testHost + "\nx-amz-date:" + testStamp + "\n\nhost;x-amz-date\n" +
		UnsignedPayload
	sum := sha256.Sum256([]byte(canonical))
	toSign := "AWS4-HMAC-SHA256\n" + testStamp + "\n" + testScope + "\n" + hex.EncodeToString(sum[:])
	want := []Element{
		{"AWSAccessKeyId", testKey},
		{"StringToSign", toSign},
		{"SignatureProvided", "beef"},
		{"StringToSignBytes", strings.TrimSpace(fmt.Sprintf("% x", toSign))},
		{"CanonicalRequest", canonical},
		{"CanonicalRequestBytes", strings.TrimSpace(fmt.Sprintf("% x", canonical))},
	}
	if !slices.Equal(e.Extra, want) || e.Status != http.StatusForbidden {
		t.Errorf("%s", describe(err))
	}
}

// TestNoRegion: a verifier without a region takes scopes without one, and no others.
func TestNoRegion(t *testing.T) {
	t.Parallel()
	v := &Verifier{Secret: func(string) (string, bool) { return "secret", true }}
	for region, want := range map[string]bool{"": true, "us-east-1": false} {
		r := httptest.NewRequest("GET", "/minio/admin/v3/info", nil)
		Sign(r, "key", "secret", region, EmptyPayload, time.Now())
		if _, err := v.Verify(r); (err == nil) != want {
			t.Errorf("region %q: %v", region, err)
		}
	}
}
