package sigv4

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// sane reports whether a fuzzed request line is one that net/http's server lets through.
func sane(path, query string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path+query, " \r\n\t") && !strings.Contains(path, "?")
}

// verifyFuzzed verifies a request and, should it be accepted, has the reference agree.
func verifyFuzzed(t *testing.T, r *http.Request) {
	id, err := newVerifier().Verify(r)
	if err != nil {
		if strings.HasPrefix(code(err), "unexpected") {
			t.Fatal(err)
		}
		return
	}
	switch want := reference(r, id, id.Presigned); want {
	case "bad path", "bad query": // the reference does not take stray percent signs
	case id.Signature:
	default:
		t.Fatalf("accepted %s, the reference has %s", id.Signature, want)
	}
	if !strings.HasPrefix(id.Scope, id.Time.Format("20060102")+"/us-east-1/s3/") || checkPayload(id.Payload) != nil {
		t.Fatalf("identity %+v", id)
	}
}

func FuzzVerifyHeader(f *testing.F) {
	for _, path := range []string{"/k", "/a%20b//../c?x=1+2&y", "/?lifecycle"} {
		r := received("GET", path, "X-Amz-Meta-A", "1  2")
		Sign(r, testKey, testSecret, testRegion, EmptyPayload, testTime)
		p, q, _ := strings.Cut(path, "?")
		f.Add(r.Header.Get("Authorization"), p, q, r.Header.Get("X-Amz-Date"), EmptyPayload, "1  2")
	}
	f.Add("AWS AK:sig", "/", "", testStamp, UnsignedPayload, "")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=;;,Signature==", "/%", "%", "", "x", "")
	f.Fuzz(func(t *testing.T, authorization, path, query, date, payload, meta string) {
		if !sane(path, query) {
			t.Skip()
		}
		r := &http.Request{Method: "GET", Host: testHost, RequestURI: path + "?" + query, Header: http.Header{
			"Authorization":        {authorization},
			"X-Amz-Date":           {date},
			"X-Amz-Content-Sha256": {payload},
			"X-Amz-Meta-A":         {meta},
		}}
		verifyFuzzed(t, r)
	})
}

func FuzzVerifyQuery(f *testing.F) {
	for _, path := range []string{"/k", "/a%20b//../c?x=1+2&y", "/?lifecycle"} {
		r := received("GET", path, "X-Amz-Meta-A", "1")
		Presign(r, testKey, testSecret, testRegion, time.Minute, testTime)
		p, q, _ := strings.Cut(r.RequestURI, "?")
		f.Add(p, q, "1", "")
	}
	f.Add("/", "AWSAccessKeyId=a&Signature=b", "", "")
	f.Add("/%zz", "X-Amz-Algorithm=%&X-Amz-Expires=1", "", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
	f.Fuzz(func(t *testing.T, path, query, meta, payload string) {
		if !sane(path, query) {
			t.Skip()
		}
		r := &http.Request{Method: "GET", Host: testHost, RequestURI: path + "?" + query, Header: http.Header{
			"X-Amz-Meta-A": {meta},
		}}
		if payload != "" {
			r.Header.Set("X-Amz-Content-Sha256", payload)
		}
		verifyFuzzed(t, r)
	})
}
