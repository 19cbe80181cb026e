package sigv4

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The credentials, the clock and the bucket of the examples in AWS's documentation of S3's signatures.
const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testRegion = "us-east-1"
	testHost   = "examplebucket.s3.amazonaws.com"
	testStamp  = "20130524T000000Z"
	testScope  = "20130524/us-east-1/s3/aws4_request"
)

var testTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func newVerifier() *Verifier {
	return &Verifier{
		Region: testRegion,
		Secret: func(accessKey string) (string, bool) { return testSecret, accessKey == testKey },
		Now:    func() time.Time { return testTime },
	}
}

// received makes a request as a server sees it.
func received(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Host = testHost
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// exampleAuth writes an Authorization header in the form of AWS's examples.
func exampleAuth(signedHeaders, signature string) string {
	return "AWS4-HMAC-SHA256 Credential=" + testKey + "/" + testScope + ",SignedHeaders=" + signedHeaders +
		",Signature=" + signature
}

// TestAWSExamples holds the examples of
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, of .../sigv4-query-string-auth.html,
// .../sigv4-streaming.html and .../sigv4-streaming-trailers.html.
func TestAWSExamples(t *testing.T) {
	const short = "host;x-amz-content-sha256;x-amz-date"
	const putHash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
	const streaming = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;" +
		"x-amz-decoded-content-length;x-amz-storage-class"
	tests := []struct {
		name, method, target string
		header               []string
		signed, signature    string
		payload              string
		host                 string
	}{
		{
			name: "GET object with a range", method: "GET", target: "/test.txt",
			header:    []string{"Range", "bytes=0-9", "X-Amz-Content-Sha256", EmptyPayload},
			signed:    "host;range;x-amz-content-sha256;x-amz-date",
			signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
			payload:   EmptyPayload,
		},
		{
			name: "PUT object", method: "PUT", target: "/test$file.text",
			header: []string{
				"Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Content-Sha256", putHash,
				"X-Amz-Storage-Class", "REDUCED_REDUNDANCY",
			},
			signed:    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
			payload:   putHash,
		},
		{
			name: "GET lifecycle", method: "GET", target: "/?lifecycle",
			header: []string{"X-Amz-Content-Sha256", EmptyPayload}, signed: short,
			signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
			payload:   EmptyPayload,
		},
		{
			name: "list objects", method: "GET", target: "/?max-keys=2&prefix=J",
			header: []string{"X-Amz-Content-Sha256", EmptyPayload}, signed: short,
			signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
			payload:   EmptyPayload,
		},
		{
			name: "streaming PUT", method: "PUT", target: "/examplebucket/chunkObject.txt", host: "s3.amazonaws.com",
			header: []string{
				"X-Amz-Content-Sha256", StreamingPayload, "Content-Encoding", "aws-chunked", "Content-Length", "66824",
				"X-Amz-Decoded-Content-Length", "66560", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY",
			},
			signed:    streaming,
			signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			payload:   StreamingPayload,
		},
		{
			name: "streaming PUT with trailer", method: "PUT", target: "/examplebucket/chunkObject.txt",
			host: "s3.amazonaws.com",
			header: []string{
				"X-Amz-Content-Sha256", StreamingPayloadTrailer, "Content-Encoding", "aws-chunked",
				"X-Amz-Decoded-Content-Length", "66560", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY",
				"X-Amz-Trailer", "x-amz-checksum-crc32c",
			},
			signed: "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;" +
				"x-amz-storage-class;x-amz-trailer",
			signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			payload:   StreamingPayloadTrailer,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, sep := range []string{",", ", ", " ,\t"} {
				r := received(tt.method, tt.target, tt.header...)
				if tt.host != "" {
					r.Host = tt.host
				}
				r.Header.Set("X-Amz-Date", testStamp)
				r.Header.Set("Authorization", strings.ReplaceAll(exampleAuth(tt.signed, tt.signature), ",", sep))
				id, err := newVerifier().Verify(r)
				if err != nil {
					t.Fatalf("separator %q: %v", sep, describe(err))
				}
				if id.AccessKey != testKey || id.Presigned || id.Payload != tt.payload || !id.Time.Equal(testTime) ||
					id.Scope != testScope || id.Signature != tt.signature ||
					string(id.SigningKey) != string(DeriveKey(testSecret, "20130524", testRegion)) {
					t.Errorf("identity %+v", id)
				}
			}
		})
	}
}

func TestAWSPresignedExample(t *testing.T) {
	const sig = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	const target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=" + sig
	v := newVerifier()
	for _, at := range []time.Duration{-15 * time.Minute, 0, 24 * time.Hour} {
		v.Now = func() time.Time { return testTime.Add(at) }
		id, err := v.Verify(received("GET", target))
		if err != nil {
			t.Fatalf("at %v: %v", at, describe(err))
		}
		if !id.Presigned || id.Payload != UnsignedPayload || id.Signature != sig || id.Scope != testScope {
			t.Errorf("identity %+v", id)
		}
	}
	if _, err := v.Verify(received("GET", target+"&versionId=1")); code(err) != "SignatureDoesNotMatch" {
		t.Errorf("with one more parameter: %v", describe(err))
	}

	r := httptest.NewRequest("GET", "https://"+testHost+"/test.txt", nil)
	Presign(r, testKey, testSecret, testRegion, 24*time.Hour, testTime)
	if got := r.URL.Query().Get("X-Amz-Signature"); got != sig {
		t.Errorf("Presign made %s", got)
	}
}

func TestSignExamples(t *testing.T) {
	r := received("GET", "/?prefix=J&max-keys=2")
	Sign(r, testKey, testSecret, testRegion, EmptyPayload, testTime)
	if want := "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"; !strings.HasSuffix(
		r.Header.Get("Authorization"), "Signature="+want) {
		t.Errorf("Authorization: %s", r.Header.Get("Authorization"))
	}
}

// code returns the code of an *Error, "anonymous" for ErrAnonymous, "" for nil.
func code(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, ErrAnonymous):
		return "anonymous"
	}
	return "unexpected: " + err.Error()
}

func describe(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "error " + code(err)
	}
	s := e.Error()
	for _, x := range e.Extra {
		s += "\n\t" + x.Name + ": " + x.Value
	}
	return s
}
