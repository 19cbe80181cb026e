package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

// webhook sends a request that must be answered with a webhook.
func (f *fixture) webhook(method, path, body string, status int) adminapi.CreatedWebhook {
	f.t.Helper()
	w, header := document[adminapi.CreatedWebhook](f, f.signed(method, path, body), status)
	w.ETag = header.Get("ETag")
	return w
}

func TestWebhooks(t *testing.T) {
	f := newFixture(t)
	made := f.webhook("PUT", "webhooks/alerts", `{"url": "http://127.0.0.1:1/a"}`, http.StatusCreated)
	if made.Secret == "" || made.ARN != "arn:minio:sqs::alerts:webhook" || !made.Enabled || made.Created.IsZero() ||
		!slices.Equal(made.Events, []string{"quota.refused", "quota.threshold"}) {
		t.Errorf("made %+v", made)
	}
	f.webhook("PUT", "webhooks/other", `{"url": "http://127.0.0.1:1/b", "events": [], "enabled": false}`, http.StatusCreated)
	got := f.webhook("GET", "webhooks/alerts", "", http.StatusOK)
	if got.Secret != "" || got.ETag != made.ETag || got.Delivery == nil || got.Delivery.Failing {
		t.Errorf("got %+v", got)
	}
	all, _ := document[adminapi.Webhooks](f, f.signed("GET", "webhooks", ""), http.StatusOK)
	if len(all.Webhooks) != 2 || all.Webhooks[1].Enabled || all.Webhooks[1].Events == nil || len(all.Webhooks[1].Events) > 0 {
		t.Errorf("list: %+v", all)
	}
	changed := f.webhook("PATCH", "webhooks/alerts", `{"events": ["*"], "secret": "0123456789abcdef"}`, http.StatusOK)
	if changed.URL != "http://127.0.0.1:1/a" || !slices.Equal(changed.Events, []string{"*"}) || changed.ETag == made.ETag ||
		changed.Secret != "" {
		t.Errorf("changed %+v", changed)
	}
	// Two administrators do not overwrite each other.
	for _, r := range []*http.Request{
		with(f.signed("PATCH", "webhooks/alerts", `{"enabled": false}`), "If-Match", made.ETag),
		with(f.signed("PUT", "webhooks/alerts", `{"url": "http://a/"}`), "If-Match", made.ETag),
		with(f.signed("DELETE", "webhooks/alerts", ""), "If-Match", made.ETag),
		with(f.signed("PUT", "webhooks/none", `{"url": "http://a/"}`), "If-Match", "*"),
	} {
		f.refused(r, http.StatusPreconditionFailed, "PreconditionFailed")
	}
	f.refused(with(f.signed("PUT", "webhooks/alerts", `{"url": "http://a/"}`), "If-None-Match", "*"), 412, "PreconditionFailed")
	replaced, _ := document[adminapi.Webhook](f,
		with(f.signed("PUT", "webhooks/alerts", `{"url": "http://127.0.0.1:1/c"}`), "If-Match", changed.ETag), http.StatusOK)
	if replaced.URL != "http://127.0.0.1:1/c" || len(replaced.Events) != 2 {
		t.Errorf("replaced %+v", replaced)
	}
	for _, refused := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"PUT", "webhooks/alerts", `{"url": "http://a/"}`, 409, "WebhookExists"},
		{"PUT", "webhooks/new", ``, 400, "InvalidArgument"},
		{"PUT", "webhooks/new", `{}`, 400, "InvalidArgument"},
		{"PUT", "webhooks/new", `{"url": "ftp://a/"}`, 400, "InvalidArgument"},
		{"PUT", "webhooks/new", `{"url": "http://a/", "secret": "short"}`, 400, "InvalidArgument"},
		{"PUT", "webhooks/new", `{"url": "http://a/", "events": ["quota"]}`, 400, "InvalidArgument"},
		{"PUT", "webhooks/a%3Ab", `{"url": "http://a/"}`, 400, "InvalidArgument"},
		{"PATCH", "webhooks/alerts", `{"url": null}`, 400, "InvalidArgument"},
		{"GET", "webhooks/none", "", 404, "NoSuchWebhook"},
		{"PATCH", "webhooks/none", "{}", 404, "NoSuchWebhook"},
		{"DELETE", "webhooks/none", "", 404, "NoSuchWebhook"},
		{"POST", "webhooks/none/test", "", 404, "NoSuchWebhook"},
		{"POST", "webhooks/alerts", "", 405, "MethodNotAllowed"},
		{"GET", "events?after=x", "", 400, "InvalidArgument"},
		{"GET", "events?limit=1001", "", 400, "InvalidArgument"},
		{"GET", "events?limit=0", "", 400, "InvalidArgument"},
		{"GET", "events?before=3", "", 400, "InvalidArgument"},
	} {
		f.refused(f.signed(refused.method, refused.path, refused.body), refused.status, refused.code)
	}
	// A bucket that tells a webhook is in the way.
	rules := event.Rules{Rules: []event.Rule{{ID: "1", Webhook: "alerts", Events: []string{"s3:ObjectCreated:*"}}}}
	err := f.store.CreateBucket(context.Background(), backend.CreateBucketInput{
		Name: "photos", Owner: "root", Configs: []meta.Config{{Kind: backend.ConfigNotification, Value: rules.Marshal()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := f.refused(f.signed("DELETE", "webhooks/alerts", ""), 409, "WebhookInUse"); !slices.Equal(p.Buckets, []string{"photos"}) {
		t.Errorf("in the way are %v", p.Buckets)
	}
	f.deleted(f.signed("DELETE", "webhooks/other", ""))
}

func TestWebhookTest(t *testing.T) {
	f := newFixture(t)
	status := http.StatusOK
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer receiver.Close()
	f.webhook("PUT", "webhooks/alerts", fmt.Sprintf(`{"url": %q}`, receiver.URL), http.StatusCreated)
	result, _ := document[adminapi.WebhookTest](f, f.signed("POST", "webhooks/alerts/test", ""), http.StatusOK)
	if result.Status != 200 || result.Error != "" {
		t.Errorf("%+v", result)
	}
	status = http.StatusTeapot
	result, _ = document[adminapi.WebhookTest](f, f.signed("POST", "webhooks/alerts/test", ""), http.StatusOK)
	if result.Status != http.StatusTeapot || result.Error == "" {
		t.Errorf("%+v", result)
	}
}

// TestWebhookRecords: the audit log has what was changed of webhooks, and neither their secrets nor the tokens that URLs
// have. A test changes nothing, and is not in it.
func TestWebhookRecords(t *testing.T) {
	f := newFixture(t)
	const (
		given, replaced = "a-secret-of-theirs", "whsec_QW5vdGhlciBzZWNyZXQgb2YgdGhlaXJz"
		token           = "T0KEN"
	)
	address := `"url": "http://127.0.0.1:1/` + token + `?key=` + token + `"`
	made := f.webhook("PUT", "webhooks/made", `{"url": "http://127.0.0.1:1/"}`, http.StatusCreated)
	n := len(f.records(""))
	for _, step := range []struct {
		method, path, body    string
		status                int
		before, after, refuse string // parts of what is recorded
	}{
		{"PUT", "webhooks/a", `{` + address + `, "secret": "` + given + `"}`, 201, "", `"url":"http://127.0.0.1:1"`, ""},
		{"PUT", "webhooks/a", `{` + address + `, "secret": "` + given + `"}`, 409, "", "", "WebhookExists"},
		{"PUT", "webhooks/b", `{` + address + `, "secret": "whsec_` + given + `"}`, 400, "", "", "InvalidArgument"},
		{"PATCH", "webhooks/a", `{"secret": "` + replaced + `"}`, 200, `"name":"a"`, `"secret_changed":true`, ""},
		{"PATCH", "webhooks/a", `{"enabled": false}`, 200, `"enabled":true`, `"enabled":false`, ""},
		{"PATCH", "webhooks/a", `{"secret": 1, "secret_key": "` + replaced + `"}`, 400, "", "", "InvalidArgument"},
		{"POST", "webhooks/a/test", "", 200, "", "", ""},
		{"DELETE", "webhooks/a", "", 204, `"enabled":false`, "", ""},
	} {
		if got := f.do(f.signed(step.method, step.path, step.body)); got.status != step.status {
			t.Fatalf("%s %s: %d %s", step.method, step.path, got.status, got.body)
		}
		all := f.records("")
		if step.method == "POST" {
			if len(all) != n {
				t.Errorf("a test is recorded: %+v", all[len(all)-1])
			}
			continue
		}
		if n++; len(all) != n {
			t.Fatalf("%s %s: %d records, want %d", step.method, step.path, len(all), n)
		}
		r := all[n-1]
		if r.Action != step.method || r.Resource != step.path || r.Code != step.refuse {
			t.Errorf("%s %s: %+v", step.method, step.path, r)
		}
		for name, pair := range map[string][2]string{"before": {string(r.Before), step.before}, "after": {string(r.After), step.after}} {
			if (pair[0] == "") != (pair[1] == "") || !strings.Contains(pair[0], pair[1]) {
				t.Errorf("%s %s: %s is %s, want %s", step.method, step.path, name, pair[0], pair[1])
			}
		}
		if step.method == "PATCH" && step.refuse == "" && strings.Contains(step.body, "enabled") &&
			strings.Contains(string(r.After), "secret_changed") {
			t.Errorf("the secret has not changed: %s", r.After)
		}
	}
	log, err := os.ReadFile(filepath.Join(f.dir, "audit.log"))
	if err != nil || !bytes.Contains(log, []byte("webhooks/a")) {
		t.Fatalf("%.200s, %v", log, err)
	}
	for _, secret := range []string{made.Secret, given, replaced, token} {
		if bytes.Contains(log, []byte(secret)) || bytes.Contains(log, []byte(strings.TrimPrefix(secret, "whsec_"))) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// The description lists what a webhook may subscribe to.
func TestDescribedEvents(t *testing.T) {
	var described []string
	for _, pattern := range mustDescribe(t).Components.Schemas["WebhookEvents"].Value.Items.Value.Enum {
		described = append(described, fmt.Sprint(pattern))
	}
	if want := event.Patterns(); !slices.Equal(described, want) {
		t.Errorf("%q, want %q", described, want)
	}
}

func TestEvents(t *testing.T) {
	f := newFixture(t)
	rules := event.Rules{Rules: []event.Rule{{ID: "1", Webhook: "alerts", Events: []string{"s3:ObjectCreated:*"}}}}
	err := f.store.CreateBucket(context.Background(), backend.CreateBucketInput{
		Name: "photos", Owner: "root", Configs: []meta.Config{{Kind: backend.ConfigNotification, Value: rules.Marshal()}},
	})
	for _, key := range []meta.Key{"1", "2", "3"} {
		if err == nil {
			_, err = f.store.PutObject(context.Background(), backend.PutObjectInput{
				Bucket: "photos", Key: key, Owner: "root", Body: backend.Body{Reader: bytes.NewReader(nil)},
			})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	subjects := func(path string) (subjects []string, page adminapi.Events) {
		page, _ = document[adminapi.Events](f, f.signed("GET", path, ""), http.StatusOK)
		for _, raw := range page.Events {
			var e webhook.CloudEvent
			if err := json.Unmarshal(raw, &e); err != nil || e.SpecVersion != "1.0" || e.Type != event.ObjectCreatedPut {
				t.Errorf("%s: %v", raw, err)
			}
			subjects = append(subjects, e.Subject)
		}
		return subjects, page
	}
	if got, page := subjects("events"); !slices.Equal(got, []string{"1", "2", "3"}) || page.LastSequence != 3 || page.Next != 3 {
		t.Errorf("%v, %+v", got, page)
	}
	if got, page := subjects("events?after=1&limit=1"); !slices.Equal(got, []string{"2"}) || page.Next != 2 {
		t.Errorf("%v, %+v", got, page)
	}
	if got, page := subjects("events?after=3"); got != nil || page.Events == nil || page.Next != 3 {
		t.Errorf("%v, %+v", got, page)
	}
}

// TestEventsOfQuotas: they are told as well, and are as they are described.
func TestEventsOfQuotas(t *testing.T) {
	f := newFixture(t)
	f.webhook("PUT", "webhooks/alerts", `{"url": "http://127.0.0.1:1/"}`, http.StatusCreated)
	f.account("PUT", "buckets/photos", `{"max_bytes": 10}`, http.StatusCreated)
	f.account("PUT", "quotas/buckets/photos/prefixes/a", `{"max_bytes": 10}`, http.StatusOK)
	f.account("PUT", "quotas/buckets/photos/prefixes/b", `{"max_bytes": 1}`, http.StatusOK)
	f.put("photos", "a", 9)
	_, err := f.store.PutObject(t.Context(), backend.PutObjectInput{
		Bucket: "photos", Key: "b", Owner: "root", Body: backend.Body{Reader: strings.NewReader("12"), Size: 2},
	})
	if err == nil {
		t.Error("2 bytes fit into 1, and 11 into 10")
	}
	f.store.Refused(t.Context(), "PutObject", "photos", "b", err)
	for { // a refusal is told of with a later commit
		page, _ := document[adminapi.Events](f, f.signed("GET", "events", ""), http.StatusOK)
		told := map[string]bool{} // types and scopes
		for _, raw := range page.Events {
			var e struct {
				Type string
				Data struct{ Scope string }
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			told[e.Type+" "+e.Data.Scope] = true
		}
		if told["quota.threshold bucket"] && told["quota.threshold prefix"] && told["quota.refused prefix"] {
			return
		}
		select {
		case <-f.store.EventsChanged():
		case <-time.After(10 * time.Second):
			t.Fatalf("told of %v", told)
		}
	}
}
