package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func TestPrefixes(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/photos", "", http.StatusCreated)
	f.put("photos", "raw/a", 4)
	f.put("photos", "raw/b", 5)
	const path = "quotas/buckets/photos/prefixes/raw%2F"
	f.refused(f.signed("GET", path, ""), http.StatusNotFound, "NoSuchPrefix")
	got := f.account("PUT", path, `{"max_bytes": 10}`, http.StatusOK)
	if got.Scope != adminapi.ScopePrefix || got.Name != "photos" || got.Prefix != "raw/" || got.MaxBytes != 10 ||
		got.UsedBytes != 9 || got.Objects != 2 || *got.AvailableBytes != 1 || got.Counting {
		t.Errorf("set: %+v", got)
	}
	got = f.account("PATCH", path, `{"max_objects": 3}`, http.StatusOK)
	if got.MaxBytes != 10 || got.MaxObjects != 3 || *got.AvailableObjects != 1 {
		t.Errorf("change: %+v", got)
	}
	// One that has none yet may be changed, too. Prefixes are names: of other buckets, with odd letters, as they are.
	odd := " %/?#ä\x00"
	f.account("PATCH", "quotas/buckets/photos/prefixes/"+url.PathEscape(odd), `{"max_objects": 1}`, http.StatusOK)
	all, _ := document[adminapi.Prefixes](f, f.signed("GET", "quotas/buckets/photos/prefixes", ""), http.StatusOK)
	if len(all.Prefixes) != 2 || all.Prefixes[0].Prefix != odd || all.Prefixes[1].Prefix != "raw/" {
		t.Errorf("prefixes: %+v", all)
	}
	quotas, _ := document[adminapi.Quotas](f, f.signed("GET", "quotas", ""), http.StatusOK)
	if len(quotas.Prefixes) != 2 || len(quotas.Buckets) != 0 || quotas.Prefixes[1].MaxBytes != 10 {
		t.Errorf("quotas: %+v", quotas)
	}
	// Without a limit there is nothing to tell, whichever way it went.
	if got := f.account("PUT", path, `{"max_bytes": null}`, http.StatusOK); got.Prefix != "raw/" || got.MaxBytes != 0 {
		t.Errorf("no limit: %+v", got)
	}
	f.refused(f.signed("GET", path, ""), http.StatusNotFound, "NoSuchPrefix")
	for range 2 {
		f.deleted(f.signed("DELETE", path, ""))
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		f.refused(f.signed(method, "quotas/buckets/nope/prefixes/raw", "{}"), http.StatusNotFound, "NoSuchBucket")
	}
	f.refused(f.signed("GET", "quotas/buckets/nope/prefixes", ""), http.StatusNotFound, "NoSuchBucket")
	for _, prefix := range []string{"%ff", strings.Repeat("k", 1025)} {
		f.refused(f.signed("PUT", "quotas/buckets/photos/prefixes/"+prefix, `{"max_bytes": 1}`), http.StatusBadRequest, "InvalidArgument")
	}
	for i := range meta.MaxPrefixes - 1 {
		f.account("PUT", fmt.Sprint("quotas/buckets/photos/prefixes/", i), `{"max_bytes": 1}`, http.StatusOK)
	}
	f.refused(f.signed("PUT", path, `{"max_bytes": 1}`), http.StatusConflict, "TooManyPrefixes")
}

func TestDefaults(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/before", "", http.StatusCreated)
	get := func(method, path, body string) adminapi.DefaultLimit {
		t.Helper()
		limit, _ := document[adminapi.DefaultLimit](f, f.signed(method, path, body), http.StatusOK)
		return limit
	}
	if got := get("PUT", "quotas/defaults/buckets", `{"max_bytes": 10, "max_objects": 3}`); got != (adminapi.DefaultLimit{MaxBytes: 10, MaxObjects: 3}) {
		t.Errorf("set: %+v", got)
	}
	if got := get("PATCH", "quotas/defaults/buckets", `{"max_bytes": 11}`); got != (adminapi.DefaultLimit{MaxBytes: 11, MaxObjects: 3}) {
		t.Errorf("change: %+v", got)
	}
	get("PUT", "quotas/defaults/owners", `{"max_objects": 5}`)
	all, _ := document[adminapi.Defaults](f, f.signed("GET", "quotas/defaults", ""), http.StatusOK)
	if all.Bucket != get("GET", "quotas/defaults/buckets", "") || all.Owner != get("GET", "quotas/defaults/owners", "") || all.Owner.MaxObjects != 5 {
		t.Errorf("all: %+v", all)
	}
	for body, want := range map[string]quota.Limit{
		"": {MaxBytes: 11, MaxObjects: 3}, `{"max_bytes": 7}`: {MaxBytes: 7, MaxObjects: 3},
		`{"max_bytes": 0, "max_objects": null}`: {}, // explicitly none
	} {
		f.account("PUT", "buckets/after", body, http.StatusCreated)
		if got := f.limit(quota.BucketScope("after")); got != want {
			t.Errorf("a bucket made with %q has %+v, want %+v", body, got, want)
		}
		f.deleted(f.signed("DELETE", "buckets/after", ""))
	}
	f.user("PUT", "users/alice", "", http.StatusCreated)
	if got := f.limit(quota.OwnerScope("alice")); got.MaxObjects != 5 {
		t.Errorf("a new user has %+v", got)
	}
	f.deleted(f.signed("DELETE", "users/alice", ""))
	if _, ok := f.store.Account(quota.OwnerScope("alice")); ok {
		t.Error("a user who is removed keeps the default limit")
	}
	f.deleted(f.signed("DELETE", "quotas/defaults/owners", ""))
	f.user("PUT", "users/alice", "", http.StatusCreated)
	if _, ok := f.store.Account(quota.OwnerScope("alice")); ok {
		t.Error("a removed default is given")
	}
	if got := f.limit(quota.BucketScope("before")); !got.Unlimited() {
		t.Errorf("a bucket that was there has got %+v", got)
	}
	f.refused(f.signed("PUT", "quotas/defaults/buckets", `{"max_bytes": -1}`), http.StatusBadRequest, "InvalidArgument")
	f.refused(f.signed("PUT", "quotas/defaults/buckets", ""), http.StatusBadRequest, "InvalidArgument")
}

func TestCheck(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/photos", `{"max_bytes": 10, "max_objects": 2}`, http.StatusCreated)
	f.account("PUT", "quotas/buckets/photos/prefixes/raw%2F", `{"max_bytes": 6}`, http.StatusOK)
	f.put("photos", "raw/a b", 4)
	ask := func(query string) adminapi.QuotaCheck {
		t.Helper()
		check, _ := document[adminapi.QuotaCheck](f, f.signed("GET", "quotas/check?"+query, ""), http.StatusOK)
		return check
	}
	if got := ask("bucket=photos&bytes=6"); !got.Fits || got.RequestedBytes != 6 || got.RequestedObjects != 1 ||
		len(got.Scopes) != 4 || got.Scopes[3].Scope != adminapi.ScopeDisk || *got.Scopes[3].AvailableBytes <= 0 {
		t.Errorf("%+v", got)
	}
	got := ask("bucket=photos&bytes=7&key=raw%2Fb")
	if got.Fits || got.Scopes[0].Fits || got.Scopes[0].Prefix != "raw/" || *got.Scopes[0].AvailableBytes != 2 ||
		got.Scopes[1].Fits || *got.Scopes[1].AvailableBytes != 6 || !got.Scopes[2].Fits {
		t.Errorf("%+v", got)
	}
	if got := ask("bucket=photos&bytes=6&key=raw%2Fa%20b"); !got.Fits || got.RequestedBytes != 2 || got.RequestedObjects != 0 {
		t.Errorf("%+v", got)
	}
	if got := ask("bucket=photos&bytes=0&objects=2"); got.Fits || got.RequestedObjects != 2 {
		t.Errorf("%+v", got)
	}
	f.refused(f.signed("GET", "quotas/check?bucket=nope&bytes=1", ""), http.StatusNotFound, "NoSuchBucket")
	for _, query := range []string{
		"", "bucket=photos", "bytes=1", "bucket=photos&bytes=-1", "bucket=photos&bytes=1MiB", "bucket=photos&bytes=1&objects=0",
		"bucket=photos&bytes=1&size=1", "bucket=photos&bytes=1&bytes=2", "bucket=photos&bytes=1&key=" + strings.Repeat("k", 1025),
		"bucket=photos&bytes=9223372036854775808",
	} {
		f.refused(f.signed("GET", "quotas/check?"+query, ""), http.StatusBadRequest, "InvalidArgument")
	}
}
