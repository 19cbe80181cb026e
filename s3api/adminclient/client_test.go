package adminclient_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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
	"github.com/plimsoll/plimsoll/s3api/adminclient"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	accessKey = "root"
	secretKey = "secret"
	region    = "eu-central-1"
)

// testServer is a server with an empty store.
type testServer struct {
	*httptest.Server
	url, accessKey, secretKey string

	close func() error
}

func (s *testServer) stop() {
	if err := s.close(); err != nil {
		panic(err)
	}
}

// startServer starts a server in a directory of its own, which stop removes.
func startServer() *testServer { return startIn("us-east-1") }

func startIn(region string) *testServer {
	dir, err := os.MkdirTemp("", "adminclient-")
	if err != nil {
		panic(err)
	}
	store, err := backend.Open(backend.Options{Dir: dir, NoSync: true})
	if err != nil {
		panic(err)
	}
	keyring, err := encryption.ParseKeyring(encryption.DefaultKeyName + " " + strings.Repeat("A", 43) + "=")
	if err != nil {
		panic(err)
	}
	directory, err := iam.Open(context.Background(), iam.Options{
		Records: store, Keyring: keyring, RootAccessKey: accessKey, RootSecretKey: secretKey,
	})
	if err != nil {
		panic(err)
	}
	log, err := audit.Open(audit.Options{Dir: dir, NoSync: true})
	if err != nil {
		panic(err)
	}
	webhooks, err := webhook.Open(context.Background(), webhook.Options{Store: store, Keyring: keyring, Region: region})
	if err != nil {
		panic(err)
	}
	s := &testServer{accessKey: accessKey, secretKey: secretKey}
	s.Server = httptest.NewServer(admin.New(admin.Config{
		Store: store, Directory: directory, Webhooks: webhooks, Gatherer: prometheus.NewRegistry(), Audit: log,
		Verifier: s3api.NewVerifier(s3api.Config{Directory: directory, Region: region}),
		About:    adminapi.About{Version: "v1", Region: region},
	}))
	s.url = s.URL
	s.close = func() error {
		http.DefaultClient.CloseIdleConnections()
		s.Server.Close()
		return errors.Join(store.Close(), log.Close(), os.RemoveAll(dir))
	}
	return s
}

func newServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := startIn(region)
	t.Cleanup(func() {
		if err := server.close(); err != nil {
			t.Error(err)
		}
	})
	return server.Server
}

func newClient(t *testing.T) *adminclient.Client {
	t.Helper()
	return clientOf(t, newServer(t), accessKey, secretKey)
}

func clientOf(t *testing.T, server *httptest.Server, accessKey, secretKey string) *adminclient.Client {
	t.Helper()
	client, err := adminclient.New(server.URL+"/", accessKey, secretKey, region, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// isProblem reports whether err is the problem of that code.
func isProblem(err error, code string) bool {
	var p *adminclient.Problem
	return errors.As(err, &p) && p.Code() == code
}

func TestClient(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	created, err := c.CreateBucket(ctx, "photos", adminapi.Limit{MaxBytes: new(int64(100))})
	if err != nil || created.Name != "photos" || created.MaxBytes != 100 {
		t.Fatalf("create: %+v, %v", created, err)
	}
	if _, err := c.CreateBucket(ctx, "photos", adminapi.Limit{}); !isProblem(err, "BucketAlreadyExists") {
		t.Errorf("create again: %v", err)
	}
	if _, err := c.CreateBucket(ctx, "a/b", adminapi.Limit{}); !isProblem(err, "InvalidBucketName") {
		t.Errorf("create with a slash: %v", err)
	}
	if buckets, err := c.Buckets(ctx); err != nil || len(buckets) != 1 || buckets[0].Owner != accessKey ||
		time.Since(buckets[0].Created) > time.Hour {
		t.Errorf("buckets: %+v, %v", buckets, err)
	}

	photos := quota.BucketScope("photos")
	for _, scope := range []quota.Scope{photos, quota.OwnerScope(accessKey), quota.ServerScope} {
		if _, err := c.ReplaceQuota(ctx, scope, adminapi.Limit{MaxBytes: new(int64(5))}); err != nil {
			t.Fatal(err)
		}
		got, err := c.ChangeQuota(ctx, scope, adminapi.Limit{MaxObjects: new(int64(7))})
		if err != nil || got.MaxBytes != 5 || got.MaxObjects != 7 {
			t.Errorf("change %v: %+v, %v", scope, got, err)
		}
		if got, err = c.ReplaceQuota(ctx, scope, adminapi.Limit{MaxObjects: new(int64(8))}); err != nil || got.MaxBytes != 0 {
			t.Errorf("replace %v: %+v, %v", scope, got, err)
		}
		if got, err = c.Quota(ctx, scope); err != nil || got.MaxObjects != 8 {
			t.Errorf("get %v: %+v, %v", scope, got, err)
		}
	}
	if all, err := c.Quotas(ctx); err != nil || all.Server.MaxObjects != 8 || len(all.Buckets) != 1 ||
		len(all.Owners) != 1 || all.Owners[0].MaxObjects != 8 {
		t.Errorf("quotas: %+v, %v", all, err)
	}
	if err := c.ClearQuota(ctx, photos); err != nil {
		t.Error(err)
	}
	if got, err := c.OwnerUsage(ctx, accessKey); err != nil || got.Name != accessKey || got.MaxObjects != 8 {
		t.Errorf("usage of an owner: %+v, %v", got, err)
	}
	if _, err := c.OwnerUsage(ctx, ""); err == nil {
		t.Error("the usage of an owner without a name")
	}
	if _, err := c.Quota(ctx, quota.OwnerScope("no/body")); !isProblem(err, "NoSuchUser") {
		t.Errorf("quota of nobody: %v", err)
	}
	if got, err := c.Usage(ctx, "photos"); err != nil || got.MaxObjects != 0 {
		t.Errorf("usage: %+v, %v", got, err)
	}
	if all, err := c.Overview(ctx); err != nil || len(all.Buckets) != 1 || all.DiskSizeBytes <= 0 {
		t.Errorf("overview: %+v, %v", all, err)
	}
	if err := c.DeleteBucket(ctx, "photos"); err != nil {
		t.Error(err)
	}
	if err := c.DeleteBucket(ctx, "photos"); !isProblem(err, "NoSuchBucket") {
		t.Errorf("delete again: %v", err)
	}
}

func TestPrefixesDefaultsAndChecks(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	if _, err := c.ChangeDefault(ctx, quota.Bucket, adminapi.Limit{MaxBytes: new(int64(100))}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ChangeDefault(ctx, quota.Owner, adminapi.Limit{MaxObjects: new(int64(9))}); err != nil {
		t.Fatal(err)
	}
	if err := c.ClearDefault(ctx, quota.Owner); err != nil {
		t.Error(err)
	}
	if d, err := c.Defaults(ctx); err != nil || d.Bucket.MaxBytes != 100 || d.Owner != (adminapi.DefaultLimit{}) {
		t.Errorf("defaults: %+v, %v", d, err)
	}
	if _, err := c.ChangeDefault(ctx, quota.Server, adminapi.Limit{}); err == nil {
		t.Error("the server has a default")
	}
	if a, err := c.CreateBucket(ctx, "photos", adminapi.Limit{}); err != nil || a.MaxBytes != 100 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, prefix := range []string{"raw/", "..", "../../server", "a b", "%2e", "ä?#"} {
		scope := quota.PrefixScope("photos", prefix)
		a, err := c.ChangeQuota(ctx, scope, adminapi.Limit{MaxBytes: new(int64(5))})
		if err != nil || a.Prefix != prefix || a.MaxBytes != 5 {
			t.Errorf("%q: %+v, %v", prefix, a, err)
		}
		if all, err := c.Prefixes(ctx, "photos"); err != nil || len(all) != 1 || all[0].Prefix != prefix {
			t.Errorf("%q: %+v, %v", prefix, all, err)
		}
		question := adminclient.QuotaQuestion{Bucket: "photos", Key: prefix + " +", Bytes: 6}
		if check, err := c.CheckQuota(ctx, question); err != nil || check.Fits || check.Scopes[0].Prefix != prefix {
			t.Errorf("%q: %+v, %v", prefix, check, err)
		}
		if err := c.ClearQuota(ctx, scope); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
		if _, err := c.Quota(ctx, scope); !isProblem(err, "NoSuchPrefix") {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	if err := c.ClearQuota(ctx, quota.PrefixScope("photos", "")); err == nil {
		t.Error("an empty prefix has a limit")
	}
	if check, err := c.CheckQuota(ctx, adminclient.QuotaQuestion{Bucket: "photos", Bytes: 50, Objects: 3}); err != nil || !check.Fits || check.RequestedObjects != 3 {
		t.Errorf("%+v, %v", check, err)
	}
}

// Names that would make another path must not reach another resource.
func TestNames(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	if err := c.DeleteBucket(ctx, ""); err == nil {
		t.Error("a bucket without a name is deleted")
	}
	if _, err := c.Usage(ctx, ""); err == nil {
		t.Error("a bucket without a name has usage")
	}
	if err := c.ClearQuota(ctx, quota.BucketScope("")); err == nil {
		t.Error("a bucket without a name has a limit")
	}
	if err := c.ClearQuota(ctx, quota.Scope{Kind: quota.Disk}); err == nil {
		t.Error("the disk has a limit")
	}
	for _, name := range []string{"../server", "..", "a?b", "a#b", "a b", "%2e", "ä", "a/../../server"} {
		if err := c.ClearQuota(ctx, quota.BucketScope(name)); !isProblem(err, "NoSuchBucket") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{
		"", "127.0.0.1:9000", "localhost", "ftp://h", "http://", "http://h/path", "http://u:p@h", "http://h?a=b", "http://[",
	} {
		if _, err := adminclient.New(endpoint, "a", "s", region, nil); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
}

func TestAnswersOfOthers(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"S3 error", "application/xml", "<Error/>", 403},
		{"a page", "text/html", "<html>", 200},
		{"broken JSON", "application/json", "{", 200},
		{"broken problem", "application/problem+json", "{", 400},
		{"another API", "application/json", "{}", 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			client, err := adminclient.New(server.URL, "a", "s", region, server.Client())
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Overview(t.Context())
			var p *adminclient.Problem
			if err == nil || errors.As(err, &p) || !strings.Contains(err.Error(), server.URL) {
				t.Errorf("error is %v", err)
			}
		})
	}
}
