package s3api_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// SDKs move headers into the query of presigned URLs: those that S3 takes there mean the same; tags and checksums do
// not, and aws-sdk-js has the checksum of an empty body there.
func TestPresignedHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	presign := func(query string) string {
		r, err := http.NewRequest(http.MethodPut, s.url+"/photos/k?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		sigv4.Presign(r, testAccessKey, testSecretKey, testRegion, time.Hour, time.Now())
		return strings.TrimPrefix(r.URL.String(), s.url)
	}
	path := presign("x-amz-meta-a=b%20c&x-amz-storage-class=STANDARD_IA&x-amz-server-side-encryption=AES256&x-amz-tagging=a%3Db&x-amz-checksum-crc32=AAAAAA%3D%3D")
	s.do(call{method: http.MethodPut, path: path, body: "hello", anonymous: true}).want(t, 200)
	wantHeaders(t, s.get("/photos/k"), map[string]string{
		"X-Amz-Meta-A": "b c", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Tagging-Count": "",
	})
	s.do(call{method: http.MethodPut, path: presign("x-amz-meta-a=%0Ab"), body: "hello", anonymous: true}).wantError(t, 400, "InvalidArgument")
	s.do(call{method: http.MethodPut, path: presign("x-amz-acl=public-read"), body: "hello", anonymous: true}).
		wantError(t, 400, "AccessControlListNotSupported")
	// What asks for encryption is not passed over.
	s.do(call{method: http.MethodPut, path: presign("x-amz-server-side-encryption-customer-algorithm=AES256"), body: "hello", anonymous: true}).
		wantError(t, 400, "InvalidArgument")
	// A request that is signed in its header has its headers there.
	s.put("/photos/k?x-amz-meta-a=b", "hello")
	wantHeaders(t, s.get("/photos/k"), map[string]string{"X-Amz-Meta-A": ""})
}

// TestLogHasNoURLThatIsGood: the log of requests has presigned URLs without what makes them good.
func TestLogHasNoURLThatIsGood(t *testing.T) {
	var log bytes.Buffer
	var handler http.Handler
	s := newServer(t, func(c *s3api.Config) {
		logged := *c
		logged.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		handler = s3api.New(logged, s3api.NewMetrics())
	})
	s.bucket("photos")
	session, err := s.users.NewSession(iam.NewSession{Key: testAccessKey, Duration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/photos?prefix=a&X-Amz-Security-Token="+url.QueryEscape(session.Token), nil)
	sigv4.Presign(r, session.AccessKey, session.Secret, testRegion, time.Hour, time.Now())
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	text := log.String()
	for _, secret := range []string{r.URL.Query().Get("X-Amz-Signature"), session.Token, url.QueryEscape(session.Token)} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %s", secret)
		}
	}
	if !strings.Contains(text, "/photos?prefix=a&") || !strings.Contains(text, session.AccessKey) {
		t.Errorf("the log lacks something: %s", text)
	}
}
