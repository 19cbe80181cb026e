package admin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/admin"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	accessKey = "root"
	secretKey = "secret"
	region    = "us-east-1"
)

// fixture is a server with an empty store, whose soundness is checked at the end.
type fixture struct {
	t     *testing.T
	store *backend.Store
	users *iam.Directory
	audit *audit.Log
	// dir is where the store and the audit log are.
	dir string
	// handler is what the server at url serves.
	handler *admin.Handler
	url     string
	http    *http.Client
	ready   bool
	ahead   atomic.Int64 // of the real clock, as the directory sees it
	moved   atomic.Int64 // of the real clock, as the store sees it
}

func newFixture(t *testing.T) *fixture {
	dir := t.TempDir()
	f := &fixture{t: t, dir: dir, ready: true}
	store, err := backend.Open(backend.Options{
		Dir: dir, NoSync: true, Thresholds: backend.DefaultThresholds(), Now: func() time.Time { return time.Now().Add(time.Duration(f.moved.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.store = store
	registry := prometheus.NewRegistry()
	registry.MustRegister(store)
	keyring, err := encryption.ParseKeyring(encryption.DefaultKeyName + " " + strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	directory, err := iam.Open(context.Background(), iam.Options{
		Records: store, Keyring: keyring, RootAccessKey: accessKey, RootSecretKey: secretKey,
		Now: func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	webhooks, err := webhook.Open(context.Background(), webhook.Options{Store: store, Keyring: keyring, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	if f.audit, err = audit.Open(audit.Options{Dir: dir, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	f.users = directory
	f.handler = admin.New(admin.Config{
		Store: store, Directory: directory, Webhooks: webhooks, Gatherer: registry, Ready: func() bool { return f.ready },
		Verifier: s3api.NewVerifier(s3api.Config{Directory: directory, Region: region}), Audit: f.audit,
		About: adminapi.About{
			Version: "v1", Go: "go", Platform: "any", Region: region, Domains: []string{}, Sync: adminapi.SyncNone,
			Features: map[string]bool{"tls": false},
		},
	})
	server := httptest.NewServer(f.handler)
	f.url, f.http = server.URL, server.Client()
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(store.Close(), f.audit.Close()); err != nil {
			t.Error(err)
		}
		report, err := backend.Check(context.Background(), dir, true)
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("check: %v, %v", report.Problems, err)
		}
	})
	return f
}

// request returns an unsigned request.
func (f *fixture) request(method, path, body string) *http.Request {
	r, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// signed returns a signed request for a path of the admin API.
func (f *fixture) signed(method, path, body string) *http.Request {
	return f.signedBy(accessKey, secretKey, method, path, body)
}

// signedBy is signed with a key of another than root.
func (f *fixture) signedBy(accessKey, secretKey, method, path, body string) *http.Request {
	r := f.request(method, adminapi.Prefix+path, body)
	sum := sha256.Sum256([]byte(body))
	sigv4.Sign(r, accessKey, secretKey, region, hex.EncodeToString(sum[:]), time.Now())
	return r
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request, and checks what every answer must have. Both must be as the API is described.
func (f *fixture) do(r *http.Request) answer {
	f.t.Helper()
	var sent []byte
	if r.GetBody != nil {
		copied, err := r.GetBody()
		if err != nil {
			f.t.Fatal(err)
		}
		if sent, err = io.ReadAll(copied); err != nil {
			f.t.Fatal(err)
		}
	}
	response, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if response.Header.Get("x-amz-request-id") == "" || response.Header.Get("Server") != "Plimsoll" {
		f.t.Errorf("%s %s: headers %v", r.Method, r.URL, response.Header)
	}
	got := answer{response.StatusCode, response.Header, body}
	conform(f.t, r, sent, got)
	return got
}

// refused sends a request that must be refused with a problem.
func (f *fixture) refused(r *http.Request, status int, code string) adminapi.Problem {
	f.t.Helper()
	got := f.do(r)
	var p adminapi.Problem
	if err := json.Unmarshal(got.body, &p); err != nil {
		f.t.Fatalf("%s %s: %d %q: %v", r.Method, r.URL, got.status, got.body, err)
	}
	if got.status != status || p.Status != status || p.Code() != code || p.Title != http.StatusText(status) ||
		p.Detail == "" || p.Instance != got.header.Get("x-amz-request-id") ||
		got.header.Get("Content-Type") != "application/problem+json" {
		f.t.Errorf("%s %s: %d %s %s; want %d %s", r.Method, r.URL, got.status, got.header, got.body, status, code)
	}
	return p
}

// account sends a request that must be answered with an account.
func (f *fixture) account(method, path, body string, status int) adminapi.Account {
	f.t.Helper()
	got := f.do(f.signed(method, path, body))
	var a adminapi.Account
	if err := json.Unmarshal(got.body, &a); err != nil || got.status != status {
		f.t.Fatalf("%s %s: %d %s, %v", method, path, got.status, got.body, err)
	}
	return a
}

func (f *fixture) limit(scope quota.Scope) quota.Limit {
	f.t.Helper()
	account, ok := f.store.Account(scope)
	if !ok {
		f.t.Fatalf("no %v", scope)
	}
	return account.Limit
}

func TestHealthAndMetrics(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{
		"/_plimsoll/health/live", "/_plimsoll/health/ready",
		"/minio/health/live", "/minio/health/ready", "/minio/health/cluster",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got := f.do(f.request(method, path, "")); got.status != http.StatusOK {
				t.Errorf("%s %s: %d", method, path, got.status)
			}
		}
	}
	got := f.do(f.request(http.MethodGet, "/_plimsoll/metrics", ""))
	if !bytes.Contains(got.body, []byte(`plimsoll_usage_bytes{bucket="",owner="",scope="server"} 0`)) {
		t.Errorf("metrics: %s", got.body)
	}
	f.ready = false
	f.refused(f.request(http.MethodGet, "/_plimsoll/health/ready", ""),
		http.StatusServiceUnavailable, "ServiceUnavailable")
	if got := f.do(f.request(http.MethodGet, "/_plimsoll/health/live", "")); got.status != http.StatusOK {
		t.Errorf("live while stopping: %d", got.status)
	}
}

func TestAuthentication(t *testing.T) {
	f := newFixture(t)
	path := adminapi.Prefix + "usage"
	sign := func(access, secret, region, payload string, now time.Time) *http.Request {
		r := f.request(http.MethodGet, path, "")
		sigv4.Sign(r, access, secret, region, payload, now)
		return r
	}
	now := time.Now()
	early := now.Add(-time.Hour)
	tampered := f.signed(http.MethodPut, "quotas/server", `{"max_bytes":1}`)
	tampered.Body = io.NopCloser(strings.NewReader(`{"max_bytes":2}`))
	presigned := f.request(http.MethodGet, path, "")
	sigv4.Presign(presigned, accessKey, secretKey, region, time.Minute, now)
	large := f.signed(http.MethodPut, "quotas/server", strings.Repeat(" ", adminapi.MaxBodyBytes+1))
	for _, test := range []struct {
		name    string
		request *http.Request
		status  int
		code    string
	}{
		{"anonymous", f.request(http.MethodGet, path, ""), 401, "AccessDenied"},
		{"anonymous, of what does not exist", f.request(http.MethodGet, adminapi.Prefix+"x", ""), 401, "AccessDenied"},
		{"unknown key", sign("other", secretKey, region, sigv4.EmptyPayload, now), 403, "InvalidAccessKeyId"},
		{"wrong secret", sign(accessKey, "other", region, sigv4.EmptyPayload, now), 403, "SignatureDoesNotMatch"},
		{"skewed clock", sign(accessKey, secretKey, region, sigv4.EmptyPayload, early), 403, "RequestTimeTooSkewed"},
		{"wrong region", sign(accessKey, secretKey, "x", sigv4.EmptyPayload, now), 400, "AuthorizationHeaderMalformed"},
		{"unsigned body", sign(accessKey, secretKey, region, sigv4.UnsignedPayload, now), 400, "InvalidRequest"},
		{"streaming body", sign(accessKey, secretKey, region, sigv4.StreamingPayload, now), 400, "InvalidRequest"},
		{"presigned", presigned, 403, "AccessDenied"},
		{"another body than the one signed", tampered, 400, "XAmzContentSHA256Mismatch"},
		{"body too large", large, 413, "EntityTooLarge"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := fixture{t: t, store: f.store, url: f.url, http: f.http}
			g.refused(test.request, test.status, test.code)
		})
	}
	if limit := f.limit(quota.ServerScope); !limit.Unlimited() {
		t.Errorf("a refused request has set a limit: %+v", limit)
	}
	if f.do(f.request(http.MethodGet, path, "")).header.Get("WWW-Authenticate") == "" {
		t.Error("a 401 without WWW-Authenticate")
	}
}

func TestPathsAndMethods(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{
		"", "usage/", "usage/a/b", "quotas/", "quotas/buckets", "quotas/buckets/", "quotas/other", "quotas/owners",
		"quotas/owners/", "quotas/buckets/photos/", "quotas/buckets/photos/prefixes/", "quotas/buckets/photos/prefixes/raw/",
		"quotas/buckets/photos/other", "quotas/defaults/", "quotas/defaults/server", "usage/owners/", "usage/owners/a/b", "buckets/",
		"buckets/a/b", "/usage", "../v1/usage", "Usage", "users/", "users/a/b", "users/a/policies", "users/a/policies/",
		"users/a/policies/b/c", "keys/", "keys/a/rotate/", "policies/", "policies/a/b", "history", "history/buckets/",
		"history/photos", "reports/", "uploads/", "uploads/a/b", "versions", "versions/a", "versions/a/b", "server/", "server/x", "audit/1",
	} {
		f.refused(f.signed(http.MethodGet, path, ""), http.StatusNotFound, "NotFound")
	}
	for _, path := range []string{
		"/_plimsoll/", "/_plimsoll", "/_plimsoll/health", "/_plimsoll/admin", "/minio/health/x",
	} {
		f.refused(f.request(http.MethodGet, path, ""), http.StatusNotFound, "NotFound")
	}
	for path, methods := range map[string]string{
		"usage": "GET, HEAD", "usage/photos": "GET, HEAD", "quotas": "GET, HEAD", "server": "GET, HEAD",
		"audit": "GET, HEAD", "openapi.json": "GET, HEAD", "buckets": "GET, HEAD",
		"quotas/server": "DELETE, GET, HEAD, PATCH, PUT", "quotas/buckets/photos": "DELETE, GET, HEAD, PATCH, PUT",
		"quotas/buckets/photos/prefixes":        "GET, HEAD",
		"quotas/buckets/photos/prefixes/raw%2F": "DELETE, GET, HEAD, PATCH, PUT",
		"quotas/defaults":                       "GET, HEAD", "quotas/defaults/buckets": "DELETE, GET, HEAD, PATCH, PUT",
		"quotas/defaults/owners": "DELETE, GET, HEAD, PATCH, PUT", "quotas/check": "GET, HEAD",
		"quotas/owners/a": "DELETE, GET, HEAD, PATCH, PUT", "usage/owners/a": "GET, HEAD",
		"history/server": "GET, HEAD", "history/buckets/a": "GET, HEAD", "history/owners/a": "GET, HEAD",
		"reports": "GET, HEAD, POST", "reports/a": "DELETE, GET, HEAD", "uploads": "GET, HEAD", "uploads/a": "GET, HEAD",
		"uploads/a/abort": "POST", "versions/a/prune": "POST",
		"buckets/photos": "DELETE, GET, HEAD, PUT",
		"users":          "GET, HEAD", "users/me": "GET, HEAD", "users/a": "DELETE, GET, HEAD, PATCH, PUT",
		"users/a/policies/b": "DELETE, PUT", "users/a/keys": "GET, HEAD, POST", "keys": "GET, HEAD",
		"keys/a": "DELETE, GET, HEAD, PATCH", "keys/a/rotate": "POST",
		"policies": "GET, HEAD", "policies/a": "DELETE, GET, HEAD, PUT",
	} {
		f.refused(f.signed(http.MethodOptions, path, ""), http.StatusMethodNotAllowed, "MethodNotAllowed")
		if got := f.do(f.signed(http.MethodOptions, path, "")).header.Get("Allow"); got != methods {
			t.Errorf("%s allows %q, want %q", path, got, methods)
		}
	}
	f.refused(f.request(http.MethodPost, "/_plimsoll/metrics", ""), http.StatusMethodNotAllowed, "MethodNotAllowed")
}
