package admin_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func TestQuotas(t *testing.T) {
	f := newFixture(t)
	f.account(http.MethodPut, "buckets/photos", "", http.StatusCreated)
	for _, target := range []struct {
		path  string
		scope quota.Scope
	}{
		{"quotas/server", quota.ServerScope},
		{"quotas/buckets/photos", quota.BucketScope("photos")},
		{"quotas/owners/root", quota.OwnerScope("root")},
	} {
		for _, step := range []struct {
			name, method, body string
			want               quota.Limit
		}{
			{"set both", "PUT", `{"max_bytes": 100, "max_objects": 7}`, quota.Limit{MaxBytes: 100, MaxObjects: 7}},
			{"change one", "PATCH", `{"max_objects": 8}`, quota.Limit{MaxBytes: 100, MaxObjects: 8}},
			{"change nothing", "PATCH", `{}`, quota.Limit{MaxBytes: 100, MaxObjects: 8}},
			{"remove one with 0", "PATCH", `{"max_bytes": 0}`, quota.Limit{MaxObjects: 8}},
			{"the largest", "PATCH", `{"max_bytes": 9223372036854775807}`, quota.Limit{MaxBytes: math.MaxInt64, MaxObjects: 8}},
			{"remove one with null", "PATCH", `{"max_objects": null}`, quota.Limit{MaxBytes: math.MaxInt64}},
			{"replace", "PUT", `{"max_objects": 3}`, quota.Limit{MaxObjects: 3}},
			{"remove both", "PUT", `{}`, quota.Limit{}},
		} {
			got := f.account(step.method, target.path, step.body, http.StatusOK)
			if limit := (quota.Limit{MaxBytes: got.MaxBytes, MaxObjects: got.MaxObjects}); limit != step.want {
				t.Errorf("%s, %s: answered %+v, want %+v", target.path, step.name, limit, step.want)
			}
			if limit := f.limit(target.scope); limit != step.want {
				t.Errorf("%s, %s: stored %+v, want %+v", target.path, step.name, limit, step.want)
			}
		}
		f.account(http.MethodPut, target.path, `{"max_bytes": 1}`, http.StatusOK)
		got := f.do(f.signed(http.MethodDelete, target.path, ""))
		if got.status != http.StatusNoContent || len(got.body) > 0 || !f.limit(target.scope).Unlimited() {
			t.Errorf("%s, delete: %d %q, %+v", target.path, got.status, got.body, f.limit(target.scope))
		}
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		f.refused(f.signed(method, "quotas/buckets/nope", "{}"), http.StatusNotFound, "NoSuchBucket")
	}
}

func TestLimitBodies(t *testing.T) {
	f := newFixture(t)
	f.account(http.MethodPut, "quotas/server", `{"max_bytes": 5}`, http.StatusOK)
	for _, body := range []string{
		``, ` `, `null x`, `[]`, `5`, `"a"`, `{`, `{"max_bytes": 1`, `{"max_bytes": 1} {}`, `{"max_bytes": 1}]`,
		`{"max_byte": 1}`, `{"max_bytes": 1, "limit": 2}`, `{"max_bytes": -1}`, `{"max_bytes": 1.5}`,
		`{"max_bytes": "10MiB"}`, `{"max_bytes": 9223372036854775808}`, `{"max_bytes": {}}`, `{"max_objects": -1}`,
		strings.Repeat("[", 10_000),
	} {
		for _, method := range []string{"PUT", "PATCH"} {
			f.refused(f.signed(method, "quotas/server", body), http.StatusBadRequest, "InvalidArgument")
		}
	}
	if got, want := f.limit(quota.ServerScope), (quota.Limit{MaxBytes: 5}); got != want {
		t.Errorf("refused bodies have made %+v of %+v", got, want)
	}
	p := f.refused(f.signed("PUT", "quotas/server", `{"max_byte": 1}`), http.StatusBadRequest, "InvalidArgument")
	if !strings.Contains(p.Detail, "max_byte") {
		t.Errorf("the problem does not name the unknown field: %s", p.Detail)
	}
}

// Two that change different figures must not undo each other.
func TestConcurrentPatches(t *testing.T) {
	f := newFixture(t)
	for round := range int64(20) {
		want := quota.Limit{MaxBytes: round + 1, MaxObjects: round + 100}
		var group sync.WaitGroup
		for name, value := range map[string]int64{"max_bytes": want.MaxBytes, "max_objects": want.MaxObjects} {
			body, _ := json.Marshal(map[string]int64{name: value})
			r := f.signed("PATCH", "quotas/server", string(body))
			group.Go(func() { f.do(r) })
		}
		group.Wait()
		if got := f.limit(quota.ServerScope); got != want {
			t.Fatalf("limit is %+v, want %+v", got, want)
		}
	}
}

func TestBuckets(t *testing.T) {
	f := newFixture(t)
	if got := f.account("PUT", "buckets/docs", "", http.StatusCreated); got.Name != "docs" || got.Scope != "bucket" {
		t.Errorf("created %+v", got)
	}
	if got := f.account("PUT", "buckets/photos", `{"max_bytes": 9}`, http.StatusCreated); got.MaxBytes != 9 {
		t.Errorf("created %+v", got)
	}
	f.refused(f.signed("PUT", "buckets/photos", `{"max_bytes": 10}`), http.StatusConflict, "BucketAlreadyExists")
	if got := f.limit(quota.BucketScope("photos")); got.MaxBytes != 9 {
		t.Errorf("a refused creation has set the limit %+v", got)
	}
	for _, name := range []string{"ab", "Photos", "a_b", "192.168.0.1", "a%2Fb", "..", "%00", strings.Repeat("a", 64)} {
		f.refused(f.signed("PUT", "buckets/"+name, ""), http.StatusBadRequest, "InvalidBucketName")
	}
	f.refused(f.signed("PUT", "buckets/tmp", `{"size": 1}`), http.StatusBadRequest, "InvalidArgument")

	body := f.do(f.signed("GET", "buckets", "")).body
	var all adminapi.Buckets
	if err := json.Unmarshal(body, &all); err != nil || len(all.Buckets) != 2 || all.Buckets[0].Name != "docs" ||
		all.Buckets[0].Owner != accessKey || all.Buckets[0].Created.IsZero() {
		t.Errorf("list: %s, %v", body, err)
	}
	if got := f.do(f.signed("GET", "buckets/docs", "")); got.status != http.StatusOK ||
		!strings.Contains(string(got.body), `"name":"docs"`) {
		t.Errorf("get: %d %s", got.status, got.body)
	}
	f.refused(f.signed("GET", "buckets/nope", ""), http.StatusNotFound, "NoSuchBucket")

	f.put("docs", "a", 3)
	f.refused(f.signed("DELETE", "buckets/docs", ""), http.StatusConflict, "BucketNotEmpty")
	if got := f.do(f.signed("DELETE", "buckets/photos", "")); got.status != http.StatusNoContent {
		t.Errorf("delete: %d", got.status)
	}
	f.refused(f.signed("DELETE", "buckets/photos", ""), http.StatusNotFound, "NoSuchBucket")
}

func (f *fixture) put(bucket, key string, size int) {
	f.t.Helper()
	_, err := f.store.PutObject(f.t.Context(), backend.PutObjectInput{
		Bucket: meta.BucketName(bucket), Key: meta.Key(key),
		Body: backend.Body{Reader: strings.NewReader(strings.Repeat("x", size)), Size: int64(size)},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestUsage(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/docs", `{"max_bytes": 10, "max_objects": 2}`, http.StatusCreated)
	f.account("PUT", "buckets/photos", "", http.StatusCreated)
	f.put("docs", "a", 7)
	f.put("photos", "a", 5)

	got := f.account("GET", "usage/docs", "", http.StatusOK)
	if got.UsedBytes != 7 || got.Objects != 1 || got.AvailableBytes == nil || *got.AvailableBytes != 3 ||
		got.AvailableObjects == nil || *got.AvailableObjects != 1 {
		t.Errorf("docs: %+v", got)
	}
	// Over a lowered limit nothing is left, and not less than nothing.
	if got = f.account("PATCH", "quotas/buckets/docs", `{"max_bytes": 1}`, http.StatusOK); *got.AvailableBytes != 0 {
		t.Errorf("docs over its limit: %+v", got)
	}
	got = f.account("GET", "usage/photos", "", http.StatusOK)
	if got.UsedBytes != 5 || got.AvailableBytes != nil || got.AvailableObjects != nil {
		t.Errorf("photos: %+v", got)
	}
	f.refused(f.signed("GET", "usage/nope", ""), http.StatusNotFound, "NoSuchBucket")

	body := f.do(f.signed("GET", "usage", "")).body
	var all adminapi.Overview
	if err := json.Unmarshal(body, &all); err != nil || all.Server.Scope != "server" || all.Server.UsedBytes != 12 ||
		len(all.Buckets) != 2 || all.Buckets[1].Name != "photos" || all.DiskSizeBytes <= 0 {
		t.Errorf("overview: %s, %v", body, err)
	}
	body = f.do(f.signed("GET", "quotas", "")).body
	var quotas adminapi.Quotas
	if err := json.Unmarshal(body, &quotas); err != nil || quotas.Server.Scope != "server" || len(quotas.Buckets) != 1 ||
		quotas.Buckets[0].Name != "docs" {
		t.Errorf("quotas: %s, %v", body, err)
	}
}

func TestStoreThatIsStopping(t *testing.T) {
	f := newFixture(t)
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	f.refused(f.signed("PUT", "quotas/server", `{"max_bytes": 1}`), http.StatusServiceUnavailable, "ServiceUnavailable")
	f.refused(f.signed("PUT", "buckets/docs", ""), http.StatusServiceUnavailable, "ServiceUnavailable")
}
