package admin_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// document sends a request that must be answered with a T.
func document[T any](f *fixture, r *http.Request, status int) (d T, header http.Header) {
	f.t.Helper()
	got := f.do(r)
	if err := json.Unmarshal(got.body, &d); err != nil || got.status != status {
		f.t.Fatalf("%s %s: %d %s, %v", r.Method, r.URL, got.status, got.body, err)
	}
	return d, got.header
}

// with returns a request with a header.
func with(r *http.Request, name, value string) *http.Request {
	r.Header.Add(name, value)
	return r
}

// user sends a request that must be answered with a user.
func (f *fixture) user(method, path, body string, status int) adminapi.User {
	f.t.Helper()
	u, header := document[adminapi.User](f, f.signed(method, path, body), status)
	u.ETag = header.Get("ETag")
	return u
}

// key makes a key.
func (f *fixture) key(path, body string) adminapi.CreatedKey {
	f.t.Helper()
	k, header := document[adminapi.CreatedKey](f, f.signed("POST", path, body), http.StatusCreated)
	if location := header.Get("Location"); location != adminapi.Prefix+"keys/"+k.AccessKey || k.SecretKey == "" {
		f.t.Errorf("made %+v at %s", k, location)
	}
	return k
}

func (f *fixture) deleted(r *http.Request) {
	f.t.Helper()
	if got := f.do(r); got.status != http.StatusNoContent || len(got.body) > 0 {
		f.t.Errorf("%s %s: %d %s", r.Method, r.URL, got.status, got.body)
	}
}

func TestUsers(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/bob", "", http.StatusCreated)
	both := []string{"readonly", "readwrite"}
	for _, step := range []struct {
		name, method, path, body string
		status                   int
		enabled                  bool
		policies                 []string
	}{
		{"create", "PUT", "users/alice", `{"policies": ["readwrite", "readonly"]}`, 201, true, both},
		{"get", "GET", "users/alice", "", 200, true, both},
		{"disable", "PATCH", "users/alice", `{"enabled": false}`, 200, false, both},
		{"change nothing", "PATCH", "users/alice", `{}`, 200, false, both},
		{"replace the policies", "PATCH", "users/alice", `{"policies": ["writeonly"]}`, 200, false, []string{"writeonly"}},
		{"remove all", "PATCH", "users/alice", `{"enabled": true, "policies": []}`, 200, true, []string{}},
		{"attach", "PUT", "users/alice/policies/readonly", "", 200, true, []string{"readonly"}},
		{"attach again", "PUT", "users/alice/policies/readonly", "", 200, true, []string{"readonly"}},
		{"detach", "DELETE", "users/alice/policies/readonly", "", 200, true, []string{}},
		{"create a disabled one", "PUT", "users/carol", `{"enabled": false}`, 201, false, []string{}},
	} {
		u := f.user(step.method, step.path, step.body, step.status)
		if name := strings.Split(step.path, "/")[1]; u.Name != name || u.Enabled != step.enabled ||
			u.Policies == nil || !slices.Equal(u.Policies, step.policies) || u.ID == "" || u.Created.IsZero() ||
			!strings.HasSuffix(u.ARN, ":user/"+name) {
			t.Errorf("%s: %+v", step.name, u)
		}
	}
	all, _ := document[adminapi.Users](f, f.signed("GET", "users", ""), http.StatusOK)
	if len(all.Users) != 3 || all.Users[0].Name != "alice" || all.Users[1].Name != "bob" {
		t.Errorf("list: %+v", all)
	}
	f.deleted(f.signed("DELETE", "users/alice", ""))

	for _, refused := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"PUT", "users/bob", "", 409, "UserExists"},
		{"GET", "users/alice", "", 404, "NoSuchUser"},
		{"PATCH", "users/alice", "{}", 404, "NoSuchUser"},
		{"DELETE", "users/alice", "", 404, "NoSuchUser"},
		{"GET", "users/alice/keys", "", 404, "NoSuchUser"},
		{"POST", "users/alice/keys", "", 404, "NoSuchUser"},
		{"PUT", "users/alice/policies/readonly", "", 404, "NoSuchUser"},
		{"PUT", "users/bob/policies/nope", "", 404, "NoSuchPolicy"},
		{"PUT", "users/alice", `{"policies": ["nope"]}`, 404, "NoSuchPolicy"},
		{"DELETE", "users/bob/policies/readonly", "", 404, "PolicyNotAttached"},
		{"PUT", "users/root", "", 409, "ReservedName"},
		{"PUT", "users/a%20b", "", 400, "InvalidArgument"},
		{"PUT", "users/a%2Fb", "", 400, "InvalidArgument"},
		{"PUT", "users/alice", `{"enable": false}`, 400, "InvalidArgument"},
		{"PATCH", "users/bob", ``, 400, "InvalidArgument"},
		{"PATCH", "users/bob", `{"enabled": "no"}`, 400, "InvalidArgument"},
		{"PATCH", "users/bob", `{"enabled": null}`, 400, "InvalidArgument"},
		{"PATCH", "users/bob", `{"policies": null}`, 400, "InvalidArgument"},
		{"PATCH", "users/bob", `{"policies": "readonly"}`, 400, "InvalidArgument"},
		{"PATCH", "users/bob", `{} {}`, 400, "InvalidArgument"},
	} {
		f.refused(f.signed(refused.method, refused.path, refused.body), refused.status, refused.code)
	}
	if u := f.user("GET", "users/bob", "", http.StatusOK); !u.Enabled || len(u.Policies) > 0 {
		t.Errorf("refused requests have made %+v", u)
	}
}

func TestUserConditions(t *testing.T) {
	f := newFixture(t)
	first := f.user("PUT", "users/alice", "", http.StatusCreated)
	got := f.user("GET", "users/alice", "", http.StatusOK)
	if got.ETag != first.ETag || !strings.HasPrefix(got.ETag, `"`) {
		t.Errorf("ETags %q and %q", first.ETag, got.ETag)
	}
	second := f.user("PATCH", "users/alice", `{"policies": ["readonly"]}`, http.StatusOK)
	if second.ETag == first.ETag {
		t.Error("another user, the same ETag")
	}
	for _, r := range []*http.Request{
		with(f.signed("PATCH", "users/alice", `{"enabled": false}`), "If-Match", first.ETag),
		with(f.signed("PUT", "users/alice", ""), "If-Match", first.ETag),
		with(f.signed("PUT", "users/alice", ""), "If-Match", `"a,b"`),
		with(f.signed("PUT", "users/bob", ""), "If-Match", "*"),
		with(f.signed("DELETE", "users/alice", ""), "If-Match", first.ETag),
		with(f.signed("DELETE", "users/alice", ""), "If-Match", "W/"+second.ETag),
		with(f.signed("DELETE", "users/alice", ""), "If-Match", ""),
		with(f.signed("DELETE", "users/alice", ""), "If-None-Match", "*"),
	} {
		f.refused(r, http.StatusPreconditionFailed, "PreconditionFailed")
	}
	f.refused(with(f.signed("PATCH", "users/bob", `{}`), "If-Match", "*"), http.StatusNotFound, "NoSuchUser")
	if got := f.user("GET", "users/alice", "", http.StatusOK); got.ETag != second.ETag {
		t.Errorf("refused requests have made %+v", got)
	}
	r := with(f.signed("PUT", "users/alice", `{"enabled": false}`), "If-Match", first.ETag+", "+second.ETag)
	if u, _ := document[adminapi.User](f, r, http.StatusOK); u.Enabled || len(u.Policies) > 0 || u.ID != first.ID {
		t.Errorf("replaced: %+v", u)
	}
	f.deleted(with(f.signed("DELETE", "users/alice", ""), "If-Match", "*"))
}

// Of many who change what they all have read, one succeeds.
func TestConcurrentConditions(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	f.key("users/alice/keys", `{"access_key": "AK1"}`)
	for path, body := range map[string]string{
		"users/alice":         `{"enabled": false}`,
		"keys/AK1":            `{"enabled": false}`,
		"quotas/server":       `{"max_bytes": 100}`,
		"quotas/owners/alice": `{"max_bytes": 100}`,
	} {
		etag := f.do(f.signed("GET", path, "")).header.Get("ETag")
		var (
			group sync.WaitGroup
			mu    sync.Mutex
			got   = map[int]int{} // by status, guarded by mu
		)
		for range 8 {
			r := with(f.signed("PATCH", path, body), "If-Match", etag)
			group.Go(func() {
				status := f.do(r).status
				mu.Lock()
				defer mu.Unlock()
				got[status]++
			})
		}
		group.Wait()
		if got[http.StatusOK] != 1 || got[http.StatusPreconditionFailed] != 7 {
			t.Errorf("%s: statuses %v", path, got)
		}
	}
}

func TestDeleteUserWithBuckets(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	k := f.key("users/alice/keys", "")
	names := []string{"b1", "b2", "b3", "b4", "b5", "b6"}
	for _, name := range names {
		name = "bucket-" + name
		if err := f.store.CreateBucket(t.Context(), backend.CreateBucketInput{
			Name: meta.BucketName(name), Owner: "alice",
		}); err != nil {
			t.Fatal(err)
		}
	}
	f.account("PUT", "buckets/of-root", "", http.StatusCreated)
	p := f.refused(f.signed("DELETE", "users/alice", ""), http.StatusConflict, "UserOwnsBuckets")
	if len(p.Buckets) != 6 || p.Buckets[5] != "bucket-b6" || !strings.Contains(p.Detail, "bucket-b5 and 1 more.") {
		t.Errorf("%+v", p)
	}
	f.user("GET", "users/alice", "", http.StatusOK)
	for _, name := range names {
		f.deleted(f.signed("DELETE", "buckets/bucket-"+name, ""))
	}
	f.deleted(f.signed("DELETE", "users/alice", ""))
	f.refused(f.signedBy(k.AccessKey, k.SecretKey, "GET", "users/me", ""), http.StatusForbidden, "InvalidAccessKeyId")
}

func TestKeys(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	f.user("PUT", "users/bob", "", http.StatusCreated)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	given := f.key("users/alice/keys", `{"access_key": "alice-1", "secret_key": "given secret", "description": "laptop",
		"expires": "`+expires.Format(time.RFC3339)+`"}`)
	if given.AccessKey != "alice-1" || given.SecretKey != "given secret" || given.User != "alice" || !given.Enabled ||
		given.Description != "laptop" || !given.Expires.Equal(expires) || given.Created.IsZero() {
		t.Errorf("%+v", given)
	}
	random := f.key("users/bob/keys", "")
	if len(random.AccessKey) != 20 || len(random.SecretKey) != 40 || !random.Expires.IsZero() {
		t.Errorf("%+v", random)
	}
	for path, want := range map[string]int{"keys": 2, "users/alice/keys": 1, "users/bob/keys": 1} {
		got := f.do(f.signed("GET", path, ""))
		var keys adminapi.Keys
		if err := json.Unmarshal(got.body, &keys); err != nil || len(keys.Keys) != want ||
			strings.Contains(string(got.body), "secret") {
			t.Errorf("%s: %s, %v", path, got.body, err)
		}
	}
	for _, enabled := range []bool{false, true} {
		k, _ := document[adminapi.Key](f, f.signed("PATCH", "keys/alice-1",
			`{"enabled": `+map[bool]string{true: "true", false: "false"}[enabled]+`}`), http.StatusOK)
		again, _ := document[adminapi.Key](f, f.signed("PATCH", "keys/alice-1", `{}`), http.StatusOK)
		if k.Enabled != enabled || again.Enabled != enabled {
			t.Errorf("enabled %v: %+v, %+v", enabled, k, again)
		}
		status := f.do(f.signedBy("alice-1", "given secret", "GET", "users/me", "")).status
		if (status == http.StatusOK) != enabled {
			t.Errorf("enabled %v: a request is answered %d", enabled, status)
		}
	}
	for _, refused := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "users/bob/keys", `{"access_key": "alice-1"}`, 409, "KeyExists"},
		{"POST", "users/bob/keys", `{"access_key": "` + accessKey + `"}`, 409, "ReservedName"},
		{"POST", "users/bob/keys", `{"access_key": "a/b"}`, 400, "InvalidArgument"},
		{"POST", "users/bob/keys", `{"secret_key": "short"}`, 400, "InvalidArgument"},
		{"POST", "users/bob/keys", `{"expires": "2020-01-01T00:00:00Z"}`, 400, "InvalidArgument"},
		{"POST", "users/bob/keys", `{"expires": "tomorrow"}`, 400, "InvalidArgument"},
		{"POST", "users/bob/keys", `{"user": "alice"}`, 400, "InvalidArgument"},
		{"PATCH", "keys/alice-1", `{"enabled": null}`, 400, "InvalidArgument"},
		{"PATCH", "keys/alice-1", ``, 400, "InvalidArgument"},
		{"GET", "keys/nope", "", 404, "NoSuchKey"},
		{"PATCH", "keys/nope", `{}`, 404, "NoSuchKey"},
		{"PATCH", "keys/nope", `{"enabled": true}`, 404, "NoSuchKey"},
		{"DELETE", "keys/nope", "", 404, "NoSuchKey"},
		{"POST", "keys/nope/rotate", "", 404, "NoSuchKey"},
		{"DELETE", "keys/" + accessKey, "", 404, "NoSuchKey"},
		{"POST", "keys/alice-1/rotate", `{"grace_seconds": -1}`, 400, "InvalidArgument"},
		{"POST", "keys/alice-1/rotate", `{"grace_seconds": 9223372036854775807}`, 400, "InvalidArgument"},
		{"POST", "keys/alice-1/rotate", `{"grace": "1h"}`, 400, "InvalidArgument"},
	} {
		f.refused(f.signed(refused.method, refused.path, refused.body), refused.status, refused.code)
	}
	f.deleted(f.signed("DELETE", "keys/alice-1", ""))
	f.refused(f.signed("GET", "keys/alice-1", ""), http.StatusNotFound, "NoSuchKey")
}

// A rotated key works beside the new one within its grace, and not after.
func TestRotation(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	first := f.key("users/alice/keys", `{"description": "laptop"}`)
	usable := func(step string, k adminapi.CreatedKey, want bool) {
		t.Helper()
		r := f.signedBy(k.AccessKey, k.SecretKey, "GET", "users/me", "")
		if want {
			document[adminapi.Self](f, r, http.StatusOK)
		} else {
			f.refused(r, http.StatusForbidden, "InvalidAccessKeyId")
		}
	}
	second := f.key("keys/"+first.AccessKey+"/rotate", `{"grace_seconds": 3600}`)
	if second.User != "alice" || second.Description != "laptop" || second.AccessKey == first.AccessKey {
		t.Errorf("%+v", second)
	}
	if k, _ := document[adminapi.Key](f, f.signed("GET", "keys/"+first.AccessKey, ""), 200); k.Expires.IsZero() {
		t.Errorf("the old key: %+v", k)
	}
	f.ahead.Store(int64(30 * time.Minute))
	usable("old, within its grace", first, true)
	usable("new", second, true)
	f.ahead.Store(int64(time.Hour))
	usable("old, after its grace", first, false)
	usable("new, after the old one's grace", second, true)
	third := f.key("keys/"+second.AccessKey+"/rotate", "")
	usable("without grace", second, false)
	usable("the last", third, true)
}

func TestSelf(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", `{"policies": ["readwrite"]}`, http.StatusCreated)
	f.user("PUT", "users/boss", `{"policies": ["consoleAdmin"]}`, http.StatusCreated)
	alice, boss := f.key("users/alice/keys", ""), f.key("users/boss/keys", "")
	root, _ := document[adminapi.Self](f, f.signed("GET", "users/me", ""), http.StatusOK)
	if root.Name != "root" || !root.Administrator || !root.Enabled || root.ARN == "" || root.Keys == nil {
		t.Errorf("root: %+v", root)
	}
	byAlice := func(method, path string) *http.Request {
		return f.signedBy(alice.AccessKey, alice.SecretKey, method, path, "")
	}
	byBoss := func(method, path string) *http.Request {
		return f.signedBy(boss.AccessKey, boss.SecretKey, method, path, "")
	}
	self, _ := document[adminapi.Self](f, byAlice("GET", "users/me"), http.StatusOK)
	if self.Name != "alice" || self.Administrator || len(self.Keys) != 1 || self.Keys[0].AccessKey != alice.AccessKey ||
		!slices.Equal(self.Policies, []string{"readwrite"}) {
		t.Errorf("alice: %+v", self)
	}
	self, _ = document[adminapi.Self](f, byBoss("GET", "users/me"), http.StatusOK)
	if self.Name != "boss" || !self.Administrator {
		t.Errorf("boss: %+v", self)
	}
	// Who is not an administrator learns nothing else, and not even what there is.
	for _, request := range [][2]string{
		{"GET", "users"},
		{"GET", "users/alice"},
		{"GET", "users/alice/keys"},
		{"POST", "users/alice/keys"},
		{"GET", "keys/" + alice.AccessKey},
		{"POST", "keys/" + alice.AccessKey + "/rotate"},
		{"DELETE", "keys/" + boss.AccessKey},
		{"PUT", "users/alice/policies/consoleAdmin"},
		{"PUT", "users/mallory"},
		{"GET", "policies"},
		{"PUT", "policies/p"},
		{"GET", "usage"},
		{"DELETE", "quotas/server"},
		{"GET", "nothing"},
		{"PUT", "users/me/policies/consoleAdmin"},
		{"POST", "users/me/keys"},
	} {
		f.refused(byAlice(request[0], request[1]), http.StatusForbidden, "AccessDenied")
	}
	f.refused(byAlice("PUT", "users/me"), http.StatusMethodNotAllowed, "MethodNotAllowed")
	f.refused(f.request("GET", adminapi.Prefix+"users/me", ""), http.StatusUnauthorized, "AccessDenied")
	// Who is, may do what root may; a bucket belongs to them.
	document[adminapi.Account](f, byBoss("PUT", "buckets/of-boss"), http.StatusCreated)
	b, _ := document[adminapi.Bucket](f, f.signed("GET", "buckets/of-boss", ""), http.StatusOK)
	if b.Owner != "boss" {
		t.Errorf("%+v", b)
	}
	f.user("PATCH", "users/boss", `{"policies": []}`, http.StatusOK)
	f.refused(byBoss("GET", "users"), http.StatusForbidden, "AccessDenied")
}

// TestKeysOfRootAreRoots: another administrator sees them, and changes nothing of them.
func TestKeysOfRootAreRoots(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/boss", `{"policies": ["consoleAdmin"]}`, http.StatusCreated)
	boss := f.key("users/boss/keys", "")
	if _, _, err := f.users.CreateKey(t.Context(), iam.NewKey{User: iam.RootName, ID: "spare", OfRoot: true}); err != nil {
		t.Fatal(err)
	}
	document[adminapi.Key](f, f.signed("PATCH", "keys/spare", `{"enabled": false}`), http.StatusOK)
	for _, request := range [][3]string{
		{"PATCH", "keys/spare", `{"enabled": true}`}, {"DELETE", "keys/spare", ""}, {"POST", "keys/spare/rotate", ""},
	} {
		f.refused(f.signedBy(boss.AccessKey, boss.SecretKey, request[0], request[1], request[2]), http.StatusForbidden, "AccessDenied")
	}
	k, _ := document[adminapi.Key](f, f.signedBy(boss.AccessKey, boss.SecretKey, "GET", "keys/spare", ""), http.StatusOK)
	if k.Enabled {
		t.Error("what root has disabled is enabled")
	}
	f.deleted(f.signed("DELETE", "keys/spare", ""))
}

// TestBoundedKey: with a key that is held to a policy nobody reads what is told to its user, but who they are.
func TestBoundedKey(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", `{"policies": ["readwrite"]}`, http.StatusCreated)
	f.key("users/alice/keys", "")
	for _, user := range []string{"alice", iam.RootName} {
		k, secret, err := f.users.CreateKey(t.Context(), iam.NewKey{
			User: user, OfRoot: true,
			Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::photos/*"}]}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"usage/owners/", "quotas/owners/", "history/owners/"} {
			f.refused(f.signedBy(k.ID, secret, "GET", path+user, ""), http.StatusForbidden, "AccessDenied")
		}
		self, _ := document[adminapi.Self](f, f.signedBy(k.ID, secret, "GET", "users/me", ""), http.StatusOK)
		if self.Name != user || self.Administrator {
			t.Errorf("%+v", self)
		}
		for _, other := range self.Keys {
			if other.AccessKey != k.ID {
				t.Errorf("%s is told of %s", k.ID, other.AccessKey)
			}
		}
	}
}

// TestAdministratorsPolicyHasConditions: what a policy denies from somewhere, or from a day on, it denies here as well.
func TestAdministratorsPolicyHasConditions(t *testing.T) {
	const allow = `{"Effect":"Allow","Action":"admin:*","Resource":"*"}`
	f := newFixture(t)
	if _, err := f.users.PutPolicy(t.Context(), "admins", `{"Version":"2012-10-17","Statement":[`+allow+`]}`); err != nil {
		t.Fatal(err)
	}
	f.user("PUT", "users/boss", `{"policies": ["admins"]}`, http.StatusCreated)
	boss := f.key("users/boss/keys", "")
	for _, test := range []struct {
		name, statements string
		status           int
	}{
		{"allowed from here", `{"Effect":"Allow","Action":"admin:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`, 200},
		{"allowed from elsewhere", `{"Effect":"Allow","Action":"admin:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`, 403},
		{"denied from here", allow + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`, 403},
		{"denied but from here", allow + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`, 200},
		{"denied without TLS", allow + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`, 403},
		{"over", allow + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}`, 403},
		{"not over", allow + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}}}`, 200},
	} {
		if _, err := f.users.PutPolicy(t.Context(), "admins", `{"Version":"2012-10-17","Statement":[`+test.statements+`]}`); err != nil {
			t.Fatal(err)
		}
		if got := f.do(f.signedBy(boss.AccessKey, boss.SecretKey, "GET", "users", "")); got.status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.name, got.status, test.status, got.body)
		}
	}
}
