package s3api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

const (
	testAccessKey = "testaccess"
	testSecretKey = "testsecret"
	testRegion    = "us-east-1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// server is a handler on a listener, over a store in a temporary directory. At the end of the test nothing is reserved
// and the store is sound.
type server struct {
	t      *testing.T
	url    string
	store  *backend.Store
	users  *iam.Directory
	client *http.Client
}

func newServer(t *testing.T, change ...func(*s3api.Config)) *server {
	t.Helper()
	dir := t.TempDir()
	store, err := backend.Open(backend.Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	config := s3api.Config{
		Store: store, Directory: newDirectory(t, store), Keyring: newKeyring(t), Region: testRegion,
		RetryAfter: time.Hour, IdleTimeout: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, c := range change {
		c(&config)
	}
	listener := httptest.NewUnstartedServer(s3api.New(config, s3api.NewMetrics()))
	listener.Listener = s3api.Listener(listener.Listener)
	listener.Config.ConnContext = s3api.ConnContext
	listener.Config.MaxHeaderBytes = 64 << 10
	listener.Start()
	listener.Client().Transport.(*http.Transport).DisableCompression = true // an object may be called gzip
	s := &server{t: t, url: listener.URL, store: store, users: config.Directory, client: listener.Client()}
	t.Cleanup(func() {
		listener.Close()
		for _, a := range store.Accounts() {
			if a.Reserved != (quota.Delta{}) {
				t.Errorf("%s still reserves %+v", a.Scope, a.Reserved)
			}
		}
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		report, err := backend.Check(context.Background(), dir, true)
		if err != nil {
			t.Errorf("check: %v", err)
		}
		for _, p := range report.Problems {
			t.Errorf("check: %s", p)
		}
	})
	return s
}

// newKeyring returns a keyring with the keys "default" and "photos".
func newKeyring(t testing.TB) *encryption.Keyring {
	t.Helper()
	keyring, err := encryption.ParseKeyring(
		encryption.DefaultKeyName + " " + strings.Repeat("A", 43) + "=,photos " + strings.Repeat("B", 42) + "A=")
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

// newDirectory returns a directory with root's credentials, and a keyring for those of others.
func newDirectory(t testing.TB, store *backend.Store) *iam.Directory {
	t.Helper()
	directory, err := iam.Open(context.Background(), iam.Options{
		Records: store, Keyring: newKeyring(t), RootAccessKey: testAccessKey, RootSecretKey: testSecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// call is a request to be signed and sent.
type call struct {
	method, path string // path with its query, as on the wire
	body         string
	header       map[string]string
	payload      string // of x-amz-content-sha256; the body's hash where empty
	host         string
	anonymous    bool
	as           *user // who signs; root where nil
	length       int64 // Content-Length; of the body where 0
	edit         func(*http.Request)
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (s *server) do(c call) answer {
	s.t.Helper()
	r, err := http.NewRequest(c.method, s.url, io.NopCloser(strings.NewReader(c.body)))
	if err != nil {
		s.t.Fatal(err)
	}
	path, query, _ := strings.Cut(c.path, "?")
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = unescape(s.t, path), path, query
	r.ContentLength = int64(len(c.body))
	if c.length != 0 {
		r.ContentLength = c.length
	}
	if c.body == "" && c.length == 0 {
		r.Body = http.NoBody
	}
	if c.host != "" {
		r.Host = c.host
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if !c.anonymous {
		s.sign(r, c)
	}
	if c.edit != nil {
		c.edit(r)
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: read the answer: %v", c.method, c.path, err)
	}
	if response.Header.Get("X-Amz-Request-Id") == "" || response.Header.Get("X-Amz-Id-2") == "" {
		s.t.Errorf("%s %s: an answer without request ids", c.method, c.path)
	}
	return answer{status: response.StatusCode, header: response.Header, body: string(body)}
}

func (s *server) sign(r *http.Request, c call) {
	payload := c.payload
	if payload == "" {
		sum := sha256.Sum256([]byte(c.body))
		payload = hex.EncodeToString(sum[:])
	}
	signer := c.as
	if signer == nil {
		signer = &user{key: testAccessKey, secret: testSecretKey}
	}
	sigv4.Sign(r, signer.key, signer.secret, testRegion, payload, time.Now())
}

// user is somebody who signs requests.
type user struct{ name, key, secret string }

// user makes a user with policies, and a key.
func (s *server) user(name string, policies ...string) *user {
	s.t.Helper()
	if _, err := s.users.CreateUser(context.Background(), iam.NewUser{Name: name, Policies: policies}); err != nil {
		s.t.Fatal(err)
	}
	key, secret, err := s.users.CreateKey(context.Background(), iam.NewKey{User: name})
	if err != nil {
		s.t.Fatal(err)
	}
	return &user{name, key.ID, secret}
}

func unescape(t *testing.T, path string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://host"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.URL.Path
}

// want checks an answer's status and returns it.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// s3Error is S3's error document.
type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
	Scope     string
	Total     int64 `xml:"QuotaTotal"`
	Used      int64 `xml:"QuotaUsed"`
	Available int64 `xml:"QuotaAvailable"`
	Requested int64 `xml:"QuotaRequested"`
}

// wantError checks that an answer is S3's error document of a code.
func (a answer) wantError(t *testing.T, status int, code string) s3Error {
	t.Helper()
	var e s3Error
	if err := xml.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("status %d, not an error document: %v\n%s", a.status, err, a.body)
	}
	if a.status != status || e.Code != code {
		t.Fatalf("status %d and code %s, want %d and %s: %s", a.status, e.Code, status, code, a.body)
	}
	if e.Message == "" || e.Resource == "" || e.RequestID != a.header.Get("X-Amz-Request-Id") || e.HostID == "" {
		t.Errorf("an error document that lacks something: %s", a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/xml" {
		t.Errorf("Content-Type %q", got)
	}
	return e
}

func (s *server) bucket(name string) {
	s.t.Helper()
	s.do(call{method: http.MethodPut, path: "/" + name}).want(s.t, http.StatusOK)
}

func (s *server) put(path, body string) answer {
	s.t.Helper()
	return s.do(call{method: http.MethodPut, path: path, body: body}).want(s.t, http.StatusOK)
}

func (s *server) get(path string) answer {
	s.t.Helper()
	return s.do(call{method: http.MethodGet, path: path})
}

func (s *server) limit(bucket string, l quota.Limit) {
	s.t.Helper()
	if err := s.store.SetLimit(context.Background(), quota.BucketScope(bucket), l); err != nil {
		s.t.Fatal(err)
	}
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var out T
	if err := xml.NewDecoder(bytes.NewReader([]byte(a.body))).Decode(&out); err != nil {
		t.Fatalf("%v\n%s", err, a.body)
	}
	return out
}
