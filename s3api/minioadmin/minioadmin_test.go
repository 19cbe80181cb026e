package minioadmin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/minioadmin"
	"github.com/plimsoll/plimsoll/s3api/minioadmin/sealed"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const region = "us-east-1"

// root is who the server is started with.
var root = account{"rootkey", "rootsecret"}

// account is who sends a request.
type account struct{ key, secret string }

// fixture is a server with S3 and MinIO's admin API over an empty store, whose soundness is checked at the end.
type fixture struct {
	t     *testing.T
	store *backend.Store
	users *iam.Directory
	audit *audit.Log
	url   string
	http  *http.Client
}

func newFixture(t *testing.T) *fixture {
	t.Parallel()
	dir := t.TempDir()
	store, err := backend.Open(backend.Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := encryption.ParseKeyring(encryption.DefaultKeyName + " " + strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	directory, err := iam.Open(context.Background(), iam.Options{
		Records: store, Keyring: keyring, RootAccessKey: root.key, RootSecretKey: root.secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	config := s3api.Config{
		Store: store, Directory: directory, Keyring: keyring, Region: region, RetryAfter: time.Hour,
		IdleTimeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
		MinIOAdmin: minioadmin.New(minioadmin.Config{
			Store: store, Directory: directory, Region: region, Data: "/srv/data",
			Version: "v1", Commit: "c0ffee", Audit: log,
		}),
	}
	server := httptest.NewServer(s3api.New(config, s3api.NewMetrics()))
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(store.Close(), log.Close()); err != nil {
			t.Error(err)
		}
		report, err := backend.Check(context.Background(), dir, true)
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("check: %v, %v", report.Problems, err)
		}
	})
	return &fixture{t: t, store: store, users: directory, audit: log, url: server.URL, http: server.Client()}
}

// bucket makes a bucket of an owner.
func (f *fixture) bucket(name, owner string) {
	f.t.Helper()
	err := f.store.CreateBucket(context.Background(), backend.CreateBucketInput{Name: meta.BucketName(name), Owner: owner})
	if err != nil {
		f.t.Fatal(err)
	}
}

// answer is what a request got.
type answer struct {
	f      *fixture
	by     account
	what   string
	status int
	header http.Header
	body   []byte
}

// send sends a request that is signed as madmin-go signs it: with no region.
func (f *fixture) send(by account, method, path, body string) answer {
	f.t.Helper()
	return f.signed(by, "", method, path, body)
}

func (f *fixture) signed(by account, region, method, path, body string) answer {
	f.t.Helper()
	r, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	sigv4.Sign(r, by.key, by.secret, region, hex.EncodeToString(sum[:]), time.Now())
	return f.do(by, r)
}

func (f *fixture) do(by account, r *http.Request) answer {
	f.t.Helper()
	response, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{f, by, r.Method + " " + r.URL.RequestURI(), response.StatusCode, response.Header, raw}
}

// call sends a call of the third generation.
func (f *fixture) call(by account, method, name, body string) answer {
	f.t.Helper()
	return f.send(by, method, "/minio/admin/v3/"+name, body)
}

// sealed sends a call whose body is sealed under the secret of who sends it.
func (f *fixture) sealed(by account, method, name, body string) answer {
	f.t.Helper()
	return f.call(by, method, name, string(sealed.Seal(by.secret, []byte(body))))
}

// ok fails the test unless the answer is a success.
func (a answer) ok() answer {
	a.f.t.Helper()
	if a.status != http.StatusOK && a.status != http.StatusNoContent {
		a.f.t.Fatalf("%s: %d %s", a.what, a.status, a.body)
	}
	return a
}

// refused fails the test unless the answer is an error as madmin-go reads it: JSON with these names.
func (a answer) refused(status int, code, message string) {
	a.f.t.Helper()
	var e struct{ Code, Message, RequestID string }
	if err := json.Unmarshal(a.body, &e); err != nil {
		a.f.t.Errorf("%s: %d, %v: %s", a.what, a.status, err, a.body)
		return
	}
	if a.status != status || e.Code != code || !strings.Contains(e.Message, message) {
		a.f.t.Errorf("%s: %d %s %q, want %d %s %q", a.what, a.status, e.Code, e.Message, status, code, message)
	}
	if e.RequestID == "" || e.RequestID != a.header.Get("X-Amz-Request-Id") {
		a.f.t.Errorf("%s: request id %q in the body, %q in the header", a.what, e.RequestID, a.header.Get("X-Amz-Request-Id"))
	}
}

// opened is the answer with its body in the clear.
func (a answer) opened() answer {
	a.f.t.Helper()
	a.ok()
	text, err := sealed.Open(a.by.secret, a.body)
	if err != nil {
		a.f.t.Fatalf("%s: %v", a.what, err)
	}
	a.body = text
	return a
}

// document reads the answer's JSON.
func document[T any](a answer) T {
	a.f.t.Helper()
	a.ok()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.f.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
	return v
}

// is fails the test unless the answer's JSON says the same as this.
func (a answer) is(want string) {
	a.f.t.Helper()
	got, err := canonical(a.ok().body)
	if err != nil {
		a.f.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
	expected, err := canonical([]byte(want))
	if err != nil {
		a.f.t.Fatal(err)
	}
	if !bytes.Equal(got, expected) {
		a.f.t.Errorf("%s:\n got %s\nwant %s", a.what, got, expected)
	}
}

// canonical is a JSON document with its members in order.
func canonical(document []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// user makes a user with policies, as MinIO's clients do.
func (f *fixture) user(name string, policies ...string) account {
	f.t.Helper()
	u := account{name, name + "-secret"}
	f.sealed(root, "PUT", "add-user?accessKey="+name, `{"secretKey":"`+u.secret+`","status":"enabled"}`).ok()
	if len(policies) > 0 {
		f.call(root, "PUT", "set-user-or-group-policy?isGroup=false&userOrGroup="+name+"&policyName="+strings.Join(policies, ","), "").ok()
	}
	return u
}

// put stores an object over S3 and returns the status.
func (f *fixture) put(by account, key string) int {
	f.t.Helper()
	return f.signed(by, region, "PUT", "/"+key, "body of "+key).status
}

func TestAuthentication(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	const path = "/minio/admin/v3/get-bucket-quota?bucket=photos"
	f.send(root, "GET", path, "").ok()
	f.signed(root, region, "GET", path, "").ok() // as other libraries sign
	f.signed(root, "eu-west-1", "GET", path, "").refused(400, "AuthorizationHeaderMalformed", "expecting")
	f.send(account{root.key, "wrong"}, "GET", path, "").refused(403, "SignatureDoesNotMatch", "")
	f.send(account{"nobody", "wrong"}, "GET", path, "").refused(403, "InvalidAccessKeyId", "")

	request := func(method string) *http.Request {
		r, err := http.NewRequest(method, f.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	f.do(root, request("GET")).refused(403, "AccessDenied", "signed")
	r := request("GET")
	sigv4.Presign(r, root.key, root.secret, region, time.Minute, time.Now())
	f.do(root, r).refused(403, "AccessDenied", "presigned")
	r = request("GET")
	sigv4.Sign(r, root.key, root.secret, "", sigv4.UnsignedPayload, time.Now())
	f.do(root, r).refused(400, "InvalidRequest", "SHA-256")

	// A body that is not the one that was signed changes nothing.
	r, err := http.NewRequest("PUT", f.url+"/minio/admin/v3/set-bucket-quota?bucket=photos", strings.NewReader(`{"size":5}`))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(`{"size":6}`))
	sigv4.Sign(r, root.key, root.secret, "", hex.EncodeToString(sum[:]), time.Now())
	f.do(root, r).refused(400, "XAmzContentSHA256Mismatch", "")
	f.send(root, "PUT", "/minio/admin/v3/set-bucket-quota?bucket=photos", strings.Repeat(" ", 65<<10)).
		refused(413, "EntityTooLarge", "64 KiB")
	f.send(root, "GET", path, "").is(`{"quota":0,"size":0,"rate":0,"requests":0}`)

	// S3 goes on wanting a region.
	a := f.send(root, "GET", "/photos", "")
	if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), "AuthorizationHeaderMalformed") {
		t.Errorf("S3 without a region: %d %s", a.status, a.body)
	}
}

func TestAuthorization(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	alice := f.user("alice", "readwrite")
	f.user("bob")
	admin := f.user("admin1", "consoleAdmin")
	f.call(root, "PUT", "add-canned-policy?name=quotas",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:GetBucketQuota"]}]}`).ok()
	reader := f.user("reader", "quotas")

	f.call(alice, "GET", "get-bucket-quota?bucket=photos", "").refused(403, "AccessDenied", "")
	f.call(alice, "GET", "get-bucket-quota?bucket=none", "").refused(403, "AccessDenied", "")
	f.call(alice, "GET", "nonsense", "").refused(403, "AccessDenied", "")
	f.call(alice, "GET", "list-users", "").refused(403, "AccessDenied", "")
	f.call(alice, "GET", "user-info?accessKey=bob", "").refused(403, "AccessDenied", "")
	f.call(alice, "GET", "info-service-account?accessKey=none", "").refused(403, "AccessDenied", "")
	f.call(alice, "GET", "list-access-keys-bulk?all=true", "").refused(403, "AccessDenied", "")
	f.sealed(alice, "PUT", "add-service-account", `{}`).refused(403, "AccessDenied", "")
	f.call(alice, "GET", "user-info?accessKey=alice", "").ok()
	f.call(alice, "GET", "list-service-accounts", "").opened().is(`{"accounts":[]}`)

	f.call(admin, "GET", "get-bucket-quota?bucket=photos", "").ok()
	f.call(admin, "GET", "list-users", "").opened()
	f.call(reader, "GET", "get-bucket-quota?bucket=photos", "").ok()
	f.call(reader, "PUT", "set-bucket-quota?bucket=photos", `{"size":1}`).refused(403, "AccessDenied", "")

	// What a policy denies from somewhere it denies here as well.
	f.call(root, "PUT", "add-canned-policy?name=elsewhere", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*"]},
		{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}`).ok()
	f.call(f.user("elsewhere", "elsewhere"), "GET", "list-users", "").refused(403, "AccessDenied", "")

	// What one statement denies holds for who is allowed everything by another.
	f.call(root, "PUT", "add-canned-policy?name=all-but", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*"]},
		{"Effect":"Deny","Action":["admin:SetBucketQuota"]}]}`).ok()
	most := f.user("most", "all-but")
	f.call(most, "PUT", "set-bucket-quota?bucket=photos", `{"size":1}`).refused(403, "AccessDenied", "")
	f.call(most, "GET", "get-bucket-quota?bucket=photos", "").ok()

	// Only root makes keys that can do all that root can.
	f.sealed(admin, "PUT", "add-service-account", `{"targetUser":"rootkey"}`).refused(403, "XMinioIAMActionNotAllowed", "root")
	f.sealed(root, "PUT", "add-service-account", `{"accessKey":"spare","secretKey":"spare-secret"}`).ok()
	f.sealed(admin, "POST", "update-service-account?accessKey=spare", `{"newSecretKey":"taken-over"}`).
		refused(403, "XMinioIAMActionNotAllowed", "root")
	f.call(admin, "DELETE", "delete-service-account?accessKey=spare", "").refused(403, "XMinioIAMActionNotAllowed", "root")
	f.call(account{"spare", "spare-secret"}, "GET", "list-users", "").ok()
}

func TestUnknownCalls(t *testing.T) {
	f := newFixture(t)
	f.bucket("minio", iam.RootName)
	for _, call := range [][2]string{
		{"POST", "/minio/admin/v3/heal/photos"},
		{"GET", "/minio/admin/v3/"},
		{"GET", "/minio/admin/v3/export-iam"},
		{"PUT", "/minio/admin/v3/get-bucket-quota?bucket=minio"},
		{"GET", "/minio/admin/v2/info"},
		{"GET", "/minio/admin/v33/info"},
		{"PUT", "/minio/admin/v3/idp/ldap/policy/attach"},
	} {
		f.send(root, call[0], call[1], "").refused(501, "NotImplemented", "Plimsoll does not have")
	}
	for _, call := range []string{"GET groups", "GET group?group=g", "PUT update-group-members", "PUT set-group-status?group=g"} {
		method, name, _ := strings.Cut(call, " ")
		f.call(root, method, name, `{"group":"g","members":["alice"]}`).refused(501, "NotImplemented", "no groups")
	}
	f.call(root, "PUT", "set-user-or-group-policy?isGroup=true&userOrGroup=g&policyName=readonly", "").
		refused(501, "NotImplemented", "no groups")
	f.sealed(root, "POST", "idp/builtin/policy/attach", `{"policies":["readonly"],"group":"g"}`).
		refused(501, "NotImplemented", "no groups")
	// A bucket of that name keeps its other keys.
	if status := f.put(root, "minio/administration"); status != http.StatusOK {
		t.Errorf("PUT minio/administration: %d", status)
	}
}
