package sts_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
	"github.com/plimsoll/plimsoll/s3api/sts"
)

const (
	rootKey, rootSecret = "rootkey", "rootsecret"
	region              = "us-east-1"
)

// newHandler returns a handler over an empty store, whose scopes name the service "s3": that is what this module signs for.
// End-to-end tests have the other side.
func newHandler(t *testing.T) (*sts.Handler, *iam.Directory) {
	store, err := backend.Open(backend.Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	keyring, err := encryption.ParseKeyring(encryption.DefaultKeyName + " " + strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	directory, err := iam.Open(context.Background(), iam.Options{
		Records: store, Keyring: keyring, RootAccessKey: rootKey, RootSecretKey: rootSecret,
	})
	if err != nil {
		t.Fatal(err)
	}
	verifier := s3api.NewVerifier(s3api.Config{Directory: directory, Region: region})
	unregional := s3api.NewVerifier(s3api.Config{Directory: directory})
	return &sts.Handler{Directory: directory, Verifier: verifier, Unregional: unregional, Log: slog.New(slog.DiscardHandler)}, directory
}

func request(form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// send returns the code of the error that a request gets, or nothing, and its credentials where it gets some.
func send(t *testing.T, h http.Handler, r *http.Request) (code string, s iam.Session) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	type credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
	}
	var answer struct {
		Code  string      `xml:"Error>Code"`
		Token credentials `xml:"GetSessionTokenResult>Credentials"`
		Role  credentials `xml:"AssumeRoleResult>Credentials"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if (answer.Code == "") != (w.Code == http.StatusOK) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s: %s", w.Code, w.Header(), w.Body)
	}
	c := answer.Token
	if c.AccessKeyID == "" {
		c = answer.Role
	}
	return answer.Code, iam.Session{AccessKey: c.AccessKeyID, Secret: c.SecretAccessKey, Token: c.SessionToken}
}

// TestBodiesAreSigned: nobody gets credentials for a form that was not signed as it came, or by a URL that was passed on.
func TestBodiesAreSigned(t *testing.T) {
	h, _ := newHandler(t)
	form := url.Values{"Action": {"GetSessionToken"}, "Version": {"2011-06-15"}}
	narrow := url.Values{"Action": {"AssumeRole"}, "RoleArn": {"arn:aws:iam::000000000000:role/readonly"}, "RoleSessionName": {"laptop"}}
	for _, test := range []struct {
		name, code string
		make       func() *http.Request
	}{
		{"signed", "", func() *http.Request {
			r := request(form)
			sigv4.Sign(r, rootKey, rootSecret, region, hashOf(form.Encode()), time.Now())
			return r
		}},
		{"not signed", "MissingAuthenticationToken", func() *http.Request { return request(form) }},
		{"presigned", "MissingAuthenticationToken", func() *http.Request {
			r := request(form)
			sigv4.Presign(r, rootKey, rootSecret, region, time.Hour, time.Now())
			return r
		}},
		{"presigned, beside a header", "InvalidArgument", func() *http.Request {
			r := request(form)
			sigv4.Presign(r, rootKey, rootSecret, region, time.Hour, time.Now())
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x")
			return r
		}},
		{"an unsigned body", "SignatureDoesNotMatch", func() *http.Request {
			r := request(form)
			sigv4.Sign(r, rootKey, rootSecret, region, sigv4.UnsignedPayload, time.Now())
			return r
		}},
		{"a body in chunks", "SignatureDoesNotMatch", func() *http.Request {
			r := request(form)
			sigv4.Sign(r, rootKey, rootSecret, region, sigv4.StreamingPayload, time.Now())
			return r
		}},
		{"another body", "SignatureDoesNotMatch", func() *http.Request {
			r := request(form)
			sigv4.Sign(r, rootKey, rootSecret, region, hashOf(narrow.Encode()), time.Now())
			return r
		}},
		{"another body, whose hash was taken away", "SignatureDoesNotMatch", func() *http.Request {
			r := request(form)
			sigv4.Sign(r, rootKey, rootSecret, region, hashOf(narrow.Encode()), time.Now())
			r.Header.Del("X-Amz-Content-Sha256")
			return r
		}},
		{"a long body", "RequestEntityTooLarge", func() *http.Request {
			r := request(url.Values{"Action": {strings.Repeat("x", 65<<10)}})
			sigv4.Sign(r, rootKey, rootSecret, region, hashOf(""), time.Now())
			return r
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, s := send(t, h, test.make())
			if code != test.code || (s.Token == "") != (test.code != "") {
				t.Errorf("code %q, want %q; token %q", code, test.code, s.Token)
			}
		})
	}
}

// TestSessionsGetNoOthers: what a session is held to does not end where it asks for another.
func TestSessionsGetNoOthers(t *testing.T) {
	h, directory := newHandler(t)
	role := url.Values{"Action": {"AssumeRole"}, "RoleArn": {"arn:aws:iam::000000000000:role/readonly"}, "RoleSessionName": {"laptop"}}
	r := request(role)
	sigv4.Sign(r, rootKey, rootSecret, region, hashOf(role.Encode()), time.Now())
	code, s := send(t, h, r)
	if code != "" {
		t.Fatal(code)
	}
	c, err := directory.LookupSession(s.AccessKey, s.Token)
	if err != nil || len(c.Identity.Bounds) != 1 {
		t.Fatalf("%+v, %v", c.Identity, err)
	}
	for _, form := range []url.Values{{"Action": {"GetSessionToken"}}, {"Action": {"AssumeRole"}}, role} {
		r := request(form)
		r.Header.Set("X-Amz-Security-Token", s.Token)
		sigv4.Sign(r, s.AccessKey, s.Secret, region, hashOf(form.Encode()), time.Now())
		if code, more := send(t, h, r); code != "AccessDenied" || more.Token != "" {
			t.Errorf("%v: code %q", form, code)
		}
	}
}

// TestPolicyIsNotPassedOver: a policy that is empty, or one of two, would leave the session with more than was asked for.
func TestPolicyIsNotPassedOver(t *testing.T) {
	h, _ := newHandler(t)
	const narrow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	for name, test := range map[string]struct {
		form url.Values
		code string
	}{
		"one":       {url.Values{"Action": {"AssumeRole"}, "Policy": {narrow}}, ""},
		"empty":     {url.Values{"Action": {"AssumeRole"}, "Policy": {""}}, "ValidationError"},
		"two":       {url.Values{"Action": {"AssumeRole"}, "Policy": {narrow, narrow}}, "ValidationError"},
		"two roles": {url.Values{"Action": {"AssumeRole"}, "RoleArn": {"", "arn:aws:iam::000000000000:role/readonly"}}, "ValidationError"},
		"ARNs":      {url.Values{"Action": {"AssumeRole"}, "PolicyArns.member.1.arn": {"x"}}, "InvalidParameterValue"},
	} {
		r := request(test.form)
		sigv4.Sign(r, rootKey, rootSecret, region, hashOf(test.form.Encode()), time.Now())
		if code, s := send(t, h, r); code != test.code || (s.Token == "") != (test.code != "") {
			t.Errorf("%s: code %q, want %q", name, code, test.code)
		}
	}
}

// TestScopesWithoutARegion: MinIO's SDKs sign for no region unless they are told one. Another one is refused, as by STS.
func TestScopesWithoutARegion(t *testing.T) {
	h, _ := newHandler(t)
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "DurationSeconds": {"3600"}}
	for _, test := range []struct{ name, region, secret, code string }{
		{"the server's", region, rootSecret, ""},
		{"none", "", rootSecret, ""},
		{"none, and a wrong secret", "", "wrong", "SignatureDoesNotMatch"},
		{"another", "mars-1", rootSecret, "AuthorizationHeaderMalformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(form)
			sigv4.Sign(r, rootKey, test.secret, test.region, hashOf(form.Encode()), time.Now())
			code, s := send(t, h, r)
			if code != test.code || (s.Token == "") != (test.code != "") {
				t.Errorf("code %q, want %q; token %q", code, test.code, s.Token)
			}
		})
	}
}
