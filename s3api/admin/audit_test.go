package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/admin"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/audit"
)

// records reads the audit log over the API.
func (f *fixture) records(query string) []adminapi.AuditRecord {
	f.t.Helper()
	page, _ := document[adminapi.AuditPage](f, f.signed("GET", "audit?limit=1000&"+query, ""), http.StatusOK)
	if page.More {
		f.t.Error("a small log has more than a page")
	}
	return page.Records
}

// line is what tests compare of a record.
func line(r adminapi.AuditRecord) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", r.User, r.Action, r.Resource, r.Result, r.Code))
}

// TestEveryChangeIsRecorded goes through every method that changes something: what it was, what it is, what came of it,
// and no secrets.
func TestEveryChangeIsRecorded(t *testing.T) {
	f := newFixture(t)
	policyDocument := statement("s3:GetObject")
	const secret = "a secret of alice"
	for _, step := range []struct {
		method, path, body    string
		status                int
		before, after, refuse string // parts of what is recorded
	}{
		{"PUT", "buckets/docs", `{"max_bytes": 9}`, 201, "", `"name":"docs"`, ""},
		{"PUT", "buckets/docs", "", 409, "", "", "BucketAlreadyExists"},
		{"PUT", "quotas/buckets/docs", `{"max_bytes": 5}`, 200, `"max_bytes":9`, `"max_bytes":5`, ""},
		{"PATCH", "quotas/buckets/docs", `{"max_objects": 7}`, 200, `"max_objects":0`, `"max_bytes":5,"max_objects":7`, ""},
		{"PATCH", "quotas/buckets/docs", `{`, 400, "", "", "InvalidArgument"},
		{"DELETE", "quotas/buckets/docs", "", 204, `"max_bytes":5,"max_objects":7`, `"max_bytes":0,"max_objects":0`, ""},
		{"PUT", "quotas/server", `{"max_bytes": 500}`, 200, `"scope":"server","max_bytes":0`, `"max_bytes":500`, ""},
		{"DELETE", "buckets/docs", "", 204, `"name":"docs"`, "", ""},
		{"DELETE", "buckets/docs", "", 404, "", "", "NoSuchBucket"},
		{"PUT", "policies/p", policyDocument, 201, "", "s3:GetObject", ""},
		{"PUT", "policies/p", statement("s3:PutObject"), 200, "s3:GetObject", "s3:PutObject", ""},
		{"PUT", "users/alice", "", 201, "", `"name":"alice"`, ""},
		{"PATCH", "users/alice", `{"enabled": false}`, 200, `"enabled":true`, `"enabled":false`, ""},
		{"PUT", "quotas/owners/alice", `{"max_bytes": 5}`, 200, `"name":"alice","max_bytes":0`, `"max_bytes":5`, ""},
		{"PUT", "users/alice/policies/p", "", 200, `"policies":[]`, `"policies":["p"]`, ""},
		{"DELETE", "policies/p", "", 409, "", "", "PolicyInUse"},
		{"DELETE", "users/alice/policies/p", "", 200, `"policies":["p"]`, `"policies":[]`, ""},
		{"DELETE", "policies/p", "", 204, "s3:PutObject", "", ""},
		{"POST", "users/alice/keys", `{"access_key": "AK1", "secret_key": "` + secret + `"}`, 201, "", `"access_key":"AK1"`, ""},
		{"PATCH", "keys/AK1", `{"enabled": false}`, 200, `"enabled":true`, `"enabled":false`, ""},
		{"POST", "keys/AK1/rotate", "", 201, `"access_key":"AK1"`, `"access_key":"PLIM`, ""},
		{"DELETE", "keys/AK1", "", 204, `"access_key":"AK1"`, "", ""},
		{"DELETE", "users/alice", "", 204, `"name":"alice"`, "", ""},
	} {
		got := f.do(f.signed(step.method, step.path, step.body))
		if got.status != step.status {
			t.Fatalf("%s %s: %d %s", step.method, step.path, got.status, got.body)
		}
		all := f.records("")
		r := all[len(all)-1]
		result := adminapi.AuditDone
		if step.refuse != "" {
			result = adminapi.AuditRefused
		}
		if r.User != "root" || r.AccessKey != accessKey || r.Remote == "" || r.Via != "admin" || r.Action != step.method ||
			r.Resource != step.path || r.Result != result || r.Code != step.refuse || r.Time.IsZero() || r.Ended.IsZero() ||
			r.RequestID != got.header.Get("x-amz-request-id") {
			t.Errorf("%s %s: %+v", step.method, step.path, r)
		}
		for name, pair := range map[string][2]string{"before": {string(r.Before), step.before}, "after": {string(r.After), step.after}} {
			if (pair[0] == "") != (pair[1] == "") || !strings.Contains(pair[0], pair[1]) {
				t.Errorf("%s %s: %s is %s, want %s", step.method, step.path, name, pair[0], pair[1])
			}
		}
	}
	n := len(f.records(""))
	for _, path := range []string{"usage", "users", "audit", "quotas/server", "nothing"} {
		f.do(f.signed("GET", path, ""))
	}
	body := f.do(f.signed("GET", "audit", "")).body
	if got := len(f.records("")); got != n || strings.Contains(string(body), secret) || strings.Contains(string(body), "secret_key") {
		t.Errorf("%d records, were %d: %s", got, n, body)
	}
}

// What no method has said is taken from GET of the same path: a resource that is added is recorded by itself.
func TestChangesAreRecordedByThemselves(t *testing.T) {
	f := newFixture(t)
	state := `{"n": 1}`
	f.handler.Handle("test/{}", map[string]func(http.ResponseWriter, *http.Request) error{
		"GET": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.Write([]byte(state))
			return err
		},
		"PUT": func(w http.ResponseWriter, _ *http.Request) error {
			state = `{"n": 2}`
			w.Header().Set("X-Test", "kept")
			w.WriteHeader(http.StatusAccepted)
			return nil
		},
		"POST": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
	})
	response, err := f.http.Do(f.signed("PUT", "test/a", ""))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted || response.Header.Get("X-Test") != "kept" {
		t.Errorf("%s %s", response.Status, response.Header)
	}
	if response, err := f.http.Do(f.signed("POST", "test/a", "")); err == nil {
		response.Body.Close()
		t.Errorf("a panic is answered %s", response.Status)
	}
	all := f.records("")
	if len(all) != 2 || string(all[0].Before) != `{"n":1}` || string(all[0].After) != `{"n":2}` {
		t.Errorf("%+v", all)
	}
	if got := line(all[1]); got != "root POST test/a failed InternalError" {
		t.Error(got)
	}
}

// TestDeniedAttempts: who could not show who they are, or may not, is in the log; who only asked wrongly is not.
func TestDeniedAttempts(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	k := f.key("users/alice/keys", `{"access_key": "AK1"}`)
	before := f.records("")
	last := before[len(before)-1].Seq
	f.refused(f.request("GET", adminapi.Prefix+"users", ""), 401, "AccessDenied")
	f.refused(f.signedBy("AK1", k.SecretKey, "DELETE", "users/alice", ""), 403, "AccessDenied")
	f.refused(f.signedBy("AK1", "wrong", "GET", "users/me", ""), 403, "SignatureDoesNotMatch")
	f.refused(f.signedBy("nobody", "wrong", "GET", "users/me", ""), 403, "InvalidAccessKeyId")
	document[adminapi.Self](f, f.signedBy("AK1", k.SecretKey, "GET", "users/me", ""), http.StatusOK)
	var got []string
	for _, r := range f.records(fmt.Sprintf("after=%d", last)) {
		got = append(got, r.AccessKey+" "+line(r))
	}
	want := []string{
		" GET users denied AccessDenied", "AK1 alice DELETE users/alice denied AccessDenied",
		"AK1 GET users/me denied SignatureDoesNotMatch", "nobody GET users/me denied InvalidAccessKeyId",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	f.user("GET", "users/alice", "", http.StatusOK)
	if got := f.records("user=alice"); len(got) != 1 || got[0].Action != "DELETE" {
		t.Errorf("of alice: %+v", got)
	}
	if got := f.records("since=2999-01-01T00:00:00Z"); len(got) > 0 {
		t.Errorf("of the future: %+v", got)
	}
	for _, query := range []string{
		"after=-1", "after=x", "limit=0", "limit=1001", "limit=x", "since=yesterday", "until=x", "after=%zz", "limit=",
	} {
		f.refused(f.signed("GET", "audit?"+query, ""), http.StatusBadRequest, "InvalidArgument")
	}
	f.refused(f.signedBy("AK1", k.SecretKey, "GET", "audit", ""), http.StatusForbidden, "AccessDenied")
}

// What cannot be recorded is not done, and the rest of the API goes on.
func TestChangesNeedTheLog(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "quotas/server", `{"max_bytes": 5}`, http.StatusOK)
	if err := f.audit.Close(); err != nil {
		t.Fatal(err)
	}
	f.refused(f.signed("PUT", "quotas/server", `{"max_bytes": 6}`), http.StatusServiceUnavailable, "AuditUnavailable")
	f.refused(f.signed("PUT", "users/alice", ""), http.StatusServiceUnavailable, "AuditUnavailable")
	f.refused(f.signed("GET", "users/alice", ""), http.StatusNotFound, "NoSuchUser")
	f.refused(f.signed("GET", "audit", ""), http.StatusServiceUnavailable, "AuditUnavailable")
	if got := f.account("GET", "quotas/server", "", http.StatusOK); got.MaxBytes != 5 {
		t.Errorf("%+v", got)
	}
	for cause, want := range map[error]int{syscall.ENOSPC: 507, syscall.EDQUOT: 507, errors.New("other"): 503} {
		if p := admin.Problem(fmt.Errorf("%w: %w", audit.ErrUnavailable, cause)); p.Status != want {
			t.Errorf("%v: %+v", cause, p)
		}
	}
}

func TestServer(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "quotas/server", `{"max_bytes": 5}`, http.StatusOK)
	got, _ := document[adminapi.Server](f, f.signed("GET", "server", ""), http.StatusOK)
	if got.Version != "v1" || got.Region != region || got.Sync != "none" || !got.Ready || got.Started.IsZero() ||
		got.Limits.MaxBytes != 5 || got.Limits.MaxPutBytes != 5<<30 || got.Limits.MaxParts != 10_000 ||
		got.Disk.SizeBytes < got.Disk.FreeBytes || got.Disk.AvailableBytes > got.Disk.FreeBytes || got.Disk.SizeBytes <= 0 {
		t.Errorf("%+v", got)
	}
	f.user("PUT", "users/alice", "", http.StatusCreated)
	k := f.key("users/alice/keys", "")
	f.refused(f.signedBy(k.AccessKey, k.SecretKey, "GET", "server", ""), http.StatusForbidden, "AccessDenied")
}

// TestTwoAdministrators: both read, both change what they have read. The second is told, for every resource that can be
// changed, and what the first has made of it stays.
func TestTwoAdministrators(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/boss", `{"policies": ["consoleAdmin"]}`, http.StatusCreated)
	boss := f.key("users/boss/keys", "")
	f.user("PUT", "users/alice", "", http.StatusCreated)
	f.key("users/alice/keys", `{"access_key": "AK1"}`)
	f.account("PUT", "buckets/docs", "", http.StatusCreated)
	document[adminapi.Policy](f, f.signed("PUT", "policies/p", statement("s3:*")), http.StatusCreated)
	f.webhook("PUT", "webhooks/w", `{"url": "http://127.0.0.1:1/w"}`, http.StatusCreated)
	for _, test := range []struct {
		path                    string // of the GET that both begin with
		method, change          string // of the first
		secondPath              string // of the second, where it is another
		secondMethod, secondTry string
	}{
		{"quotas/server", "PATCH", `{"max_bytes": 900}`, "", "PATCH", `{"max_bytes": 800}`},
		{"quotas/server", "PUT", `{"max_objects": 70}`, "", "PUT", `{"max_objects": 80}`},
		{"quotas/buckets/docs", "PUT", `{"max_bytes": 90}`, "", "PUT", `{"max_bytes": 80}`},
		{"quotas/buckets/docs", "PATCH", `{"max_bytes": 91}`, "", "DELETE", ""},
		{"quotas/owners/alice", "PUT", `{"max_bytes": 90}`, "", "PATCH", `{"max_bytes": 80}`},
		{"users/alice", "PATCH", `{"enabled": false}`, "", "PATCH", `{"policies": []}`},
		{"users/alice", "PATCH", `{"enabled": true}`, "users/alice/policies/p", "PUT", ""},
		{"keys/AK1", "PATCH", `{"enabled": false}`, "", "PATCH", `{"enabled": true}`},
		{"keys/AK1", "PATCH", `{"enabled": true}`, "", "PATCH", `{}`},
		{"keys/AK1", "PATCH", `{"enabled": false}`, "", "DELETE", ""},
		{"keys/AK1", "PATCH", `{"enabled": true}`, "keys/AK1/rotate", "POST", ""},
		{"policies/p", "PUT", statement("s3:Get*"), "", "PUT", statement("s3:Put*")},
		{"policies/p", "PUT", statement("s3:List*"), "", "DELETE", ""},
		{"webhooks/w", "PATCH", `{"enabled": false}`, "", "PUT", `{"url": "http://127.0.0.1:1/"}`},
		{"webhooks/w", "PATCH", `{"secret": "0123456789abcdef"}`, "", "PATCH", `{"secret": "another of theirs"}`},
		{"webhooks/w", "PUT", `{"url": "http://127.0.0.1:1/"}`, "", "DELETE", ""},
	} {
		if test.secondPath == "" {
			test.secondPath = test.path
		}
		first := f.do(f.signed("GET", test.path, ""))
		etag := first.header.Get("ETag")
		if again := f.do(f.signedBy(boss.AccessKey, boss.SecretKey, "GET", test.path, "")); etag == "" ||
			again.header.Get("ETag") != etag {
			t.Fatalf("%s: ETags %q and %q", test.path, etag, again.header.Get("ETag"))
		}
		changed := f.do(with(f.signed(test.method, test.path, test.change), "If-Match", etag))
		now := f.do(f.signed("GET", test.path, ""))
		if changed.status != http.StatusOK || changed.header.Get("ETag") == etag ||
			changed.header.Get("ETag") != now.header.Get("ETag") {
			t.Errorf("%s %s: %d, ETag %q, was %q, is %q", test.method, test.path, changed.status, changed.header.Get("ETag"),
				etag, now.header.Get("ETag"))
		}
		second := f.signedBy(boss.AccessKey, boss.SecretKey, test.secondMethod, test.secondPath, test.secondTry)
		f.refused(with(second, "If-Match", etag), http.StatusPreconditionFailed, "PreconditionFailed")
		if after := f.do(f.signed("GET", test.path, "")); string(after.body) != string(now.body) {
			t.Errorf("%s is %s, was %s", test.path, after.body, now.body)
		}
	}
	// What is stored meanwhile changes no limit.
	etag := f.do(f.signed("GET", "quotas/buckets/docs", "")).header.Get("ETag")
	f.put("docs", "a", 7)
	r := with(f.signed("PATCH", "quotas/buckets/docs", `{"max_objects": 4}`), "If-Match", etag)
	if a, _ := document[adminapi.Account](f, r, http.StatusOK); a.MaxObjects != 4 || a.UsedBytes != 7 {
		t.Errorf("%+v", a)
	}
	f.refused(with(f.signed("DELETE", "quotas/server", ""), "If-None-Match", "*"), 412, "PreconditionFailed")
	if limit := f.limit(quota.ServerScope); limit.Unlimited() {
		t.Error("a refused request has removed the limit")
	}
}

// A bucket that was made again under its name is another.
func TestBucketConditions(t *testing.T) {
	f := newFixture(t)
	f.refused(with(f.signed("PUT", "buckets/docs", ""), "If-Match", "*"), 412, "PreconditionFailed")
	_, header := document[adminapi.Account](f, f.signed("PUT", "buckets/docs", ""), http.StatusCreated)
	old := header.Get("ETag")
	if got := f.do(f.signed("GET", "buckets/docs", "")).header.Get("ETag"); got != old || old == "" {
		t.Errorf("ETags %q and %q", old, got)
	}
	f.refused(with(f.signed("PUT", "buckets/docs", ""), "If-Match", old), 409, "BucketAlreadyExists")
	f.refused(with(f.signed("PUT", "buckets/docs", ""), "If-Match", `"other"`), 412, "PreconditionFailed")
	f.refused(with(f.signed("PUT", "buckets/docs", ""), "If-None-Match", "*"), 412, "PreconditionFailed")
	f.user("PUT", "users/boss", `{"policies": ["consoleAdmin"]}`, http.StatusCreated)
	f.refused(with(f.signed("PUT", "users/boss", ""), "If-None-Match", "*"), 412, "PreconditionFailed")
	boss := f.key("users/boss/keys", "")
	f.deleted(f.signed("DELETE", "buckets/docs", ""))
	document[adminapi.Account](f, f.signedBy(boss.AccessKey, boss.SecretKey, "PUT", "buckets/docs", ""), http.StatusCreated)
	f.refused(with(f.signed("DELETE", "buckets/docs", ""), "If-Match", old), 412, "PreconditionFailed")
	got := f.do(f.signed("GET", "buckets/docs", ""))
	var b adminapi.Bucket
	if err := json.Unmarshal(got.body, &b); err != nil || b.Owner != "boss" {
		t.Errorf("%s, %v", got.body, err)
	}
	f.deleted(with(f.signed("DELETE", "buckets/docs", ""), "If-Match", got.header.Get("ETag")))
}
