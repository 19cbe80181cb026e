package admin_test

import (
	"net/http"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func TestOwners(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", `{"policies": ["readwrite", "consoleAdmin"]}`, http.StatusCreated)
	f.user("PUT", "users/bob", "", http.StatusCreated)
	k := f.key("users/alice/keys", "")
	alice := quota.OwnerScope("alice")

	// A user has figures before the first bucket, and a limit may come before it, too.
	for _, path := range []string{"usage/owners/alice", "quotas/owners/alice", "quotas/owners/root"} {
		if got := f.account("GET", path, "", http.StatusOK); got.Scope != adminapi.ScopeOwner || got.Name == "" ||
			got.MaxBytes != 0 || got.AvailableBytes != nil {
			t.Errorf("%s: %+v", path, got)
		}
	}
	f.deleted(f.signed("DELETE", "quotas/owners/alice", "")) // nothing to remove
	if got := f.account("PUT", "quotas/owners/alice", `{"max_bytes": 10}`, http.StatusOK); got.MaxBytes != 10 {
		t.Errorf("set: %+v", got)
	}
	document[adminapi.Account](f, f.signedBy(k.AccessKey, k.SecretKey, "PUT", "buckets/docs", ""), http.StatusCreated)
	document[adminapi.Account](f, f.signedBy(k.AccessKey, k.SecretKey, "PUT", "buckets/photos", ""), http.StatusCreated)
	f.account("PUT", "buckets/of-root", "", http.StatusCreated)
	f.put("docs", "a", 4)
	f.put("photos", "a", 5)
	f.put("of-root", "a", 50)
	got := f.account("GET", "usage/owners/alice", "", http.StatusOK)
	if got.UsedBytes != 9 || got.Objects != 2 || got.AvailableBytes == nil || *got.AvailableBytes != 1 {
		t.Errorf("usage: %+v", got)
	}
	if got := f.account("PATCH", "quotas/owners/alice", `{"max_objects": 2}`, http.StatusOK); got.MaxBytes != 10 ||
		*got.AvailableObjects != 0 {
		t.Errorf("change: %+v", got)
	}
	overview, _ := document[adminapi.Overview](f, f.signed("GET", "usage", ""), http.StatusOK)
	if len(overview.Owners) != 2 || overview.Owners[0].Name != "alice" || overview.Owners[0].UsedBytes != 9 ||
		overview.Owners[1].Name != "root" || overview.Owners[1].UsedBytes != 50 || len(overview.Buckets) != 3 {
		t.Errorf("overview: %+v", overview)
	}
	quotas, _ := document[adminapi.Quotas](f, f.signed("GET", "quotas", ""), http.StatusOK)
	if len(quotas.Owners) != 1 || quotas.Owners[0].Name != "alice" || len(quotas.Buckets) != 0 {
		t.Errorf("quotas: %+v", quotas)
	}
	f.deleted(f.signed("DELETE", "quotas/owners/alice", ""))
	if limit := f.limit(alice); !limit.Unlimited() {
		t.Errorf("removed: %+v", limit)
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		f.refused(f.signed(method, "quotas/owners/nobody", "{}"), http.StatusNotFound, "NoSuchUser")
	}
	f.refused(f.signed("GET", "usage/owners/nobody", ""), http.StatusNotFound, "NoSuchUser")
	if _, ok := f.store.Account(quota.OwnerScope("nobody")); ok {
		t.Error("a refused limit has made an account")
	}
	quotas, _ = document[adminapi.Quotas](f, f.signed("GET", "quotas", ""), http.StatusOK)
	if quotas.Owners == nil || len(quotas.Owners) != 0 {
		t.Errorf("no quotas: %+v", quotas.Owners)
	}
}

// TestOwnersReadTheirOwn: who is not an administrator reads their own figures, changes nothing, and learns nothing of
// others.
func TestOwnersReadTheirOwn(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	f.user("PUT", "users/bob", "", http.StatusCreated)
	k := f.key("users/alice/keys", "")
	f.account("PUT", "quotas/owners/alice", `{"max_bytes": 10}`, http.StatusOK)
	byAlice := func(method, path string) *http.Request {
		return f.signedBy(k.AccessKey, k.SecretKey, method, path, "")
	}
	for _, path := range []string{"usage/owners/alice", "quotas/owners/alice"} {
		if a, _ := document[adminapi.Account](f, byAlice("GET", path), http.StatusOK); a.Name != "alice" || a.MaxBytes != 10 {
			t.Errorf("%s: %+v", path, a)
		}
		if got := f.do(byAlice("HEAD", path)); got.status != http.StatusOK {
			t.Errorf("HEAD %s: %d", path, got.status)
		}
	}
	for _, request := range [][2]string{
		{"PUT", "quotas/owners/alice"},
		{"PATCH", "quotas/owners/alice"},
		{"DELETE", "quotas/owners/alice"},
		{"OPTIONS", "quotas/owners/alice"},
		{"GET", "quotas/owners/bob"},
		{"GET", "usage/owners/bob"},
		{"GET", "usage/owners/nobody"},
		{"GET", "usage/owners/root"},
		{"GET", "usage/alice"},
		{"GET", "quotas/buckets/alice"},
		{"GET", "users/alice"},
	} {
		f.refused(byAlice(request[0], request[1]), http.StatusForbidden, "AccessDenied")
	}
	if limit := f.limit(quota.OwnerScope("alice")); limit.MaxBytes != 10 {
		t.Errorf("the limit is %+v", limit)
	}
}

// TestALimitGoesWithItsUser: one who gets the name later begins without it, and a refused removal keeps it.
func TestALimitGoesWithItsUser(t *testing.T) {
	f := newFixture(t)
	u := f.user("PUT", "users/alice", "", http.StatusCreated)
	f.account("PUT", "quotas/owners/alice", `{"max_bytes": 10}`, http.StatusOK)
	f.refused(with(f.signed("DELETE", "users/alice", ""), "If-Match", `"other"`), 412, "PreconditionFailed")
	if limit := f.limit(quota.OwnerScope("alice")); limit.MaxBytes != 10 {
		t.Errorf("the limit is %+v", limit)
	}
	f.deleted(with(f.signed("DELETE", "users/alice", ""), "If-Match", u.ETag))
	f.refused(f.signed("GET", "quotas/owners/alice", ""), http.StatusNotFound, "NoSuchUser")
	f.user("PUT", "users/alice", "", http.StatusCreated)
	if got := f.account("GET", "quotas/owners/alice", "", http.StatusOK); got.MaxBytes != 0 {
		t.Errorf("inherited: %+v", got)
	}
}
