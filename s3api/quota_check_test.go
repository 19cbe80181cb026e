package s3api_test

import (
	"net/http"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
)

// TestHeadBucketAsksWhetherSomethingFits: a 507 without a body says in headers what another's body does.
func TestHeadBucketAsksWhetherSomethingFits(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/raw/ä", "1234")
	s.limit("photos", quota.Limit{MaxBytes: 10, MaxObjects: 2})
	err := s.store.SetLimit(t.Context(), quota.PrefixScope("photos", "raw/"), quota.Limit{MaxBytes: 6})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, bytes, objects, key         string
		status                            int
		scope, requested, available, unit string
	}{
		{name: "nothing is asked", status: 200},
		{name: "only a key", key: "raw/b", status: 200},
		{name: "exactly", bytes: "6", status: 200},
		{name: "a byte more", bytes: "7", status: 507, scope: "bucket", requested: "7", available: "6", unit: "Bytes"},
		{name: "under a prefix", bytes: "2", key: "raw/b", status: 200},
		{name: "a byte more under a prefix", bytes: "3", key: "raw/b", status: 507, scope: "prefix", requested: "3", available: "2", unit: "Bytes"},
		{name: "overwriting", bytes: "6", key: "raw/%C3%A4", status: 200},
		{name: "an object", objects: "1", status: 200},
		{name: "objects", bytes: "1", objects: "2", status: 507, scope: "bucket", requested: "2", available: "1", unit: "Objects"},
		{name: "no number", bytes: "many", status: 400},
		{name: "less than nothing", bytes: "-1", status: 400},
		{name: "no objects", bytes: "1", objects: "0", status: 400},
		{name: "a key that is not encoded", bytes: "1", key: "%", status: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{}
			for name, value := range map[string]string{"bytes": test.bytes, "objects": test.objects, "key": test.key} {
				if value != "" {
					header["x-plimsoll-quota-check-"+name] = value
				}
			}
			got := s.do(call{method: http.MethodHead, path: "/photos", header: header}).want(t, test.status)
			if scope := got.header.Get("x-plimsoll-quota-scope"); scope != test.scope {
				t.Errorf("scope %q, want %q", scope, test.scope)
			}
			for name, want := range map[string]string{
				"X-Plimsoll-Quota-Requested-" + test.unit: test.requested, "X-Plimsoll-Quota-Available-" + test.unit: test.available,
			} {
				if got := got.header.Get(name); test.unit != "" && got != want {
					t.Errorf("%s %q, want %q", name, got, want)
				}
			}
			if retry := got.header.Get("Retry-After"); (retry != "") != (test.status == 507) {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
	s.do(call{method: http.MethodHead, path: "/nope", header: map[string]string{"x-plimsoll-quota-check-bytes": "1"}}).want(t, 404)
}

// TestWhoAsksWhetherAKeyFits: what is stored under a key can be told from whether more would fit in its place, so that only
// who may write it is told.
func TestWhoAsksWhetherAKeyFits(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/secret", "12345678")
	s.limit("photos", quota.Limit{MaxBytes: 10})
	alice := s.user("alice")
	s.policy("photos", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"},
		{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/hers/*"}]}`)
	for _, test := range []struct {
		key    string
		status int
	}{{"secret", 403}, {"missing", 403}, {"hers/a", 507}, {"", 507}} {
		header := map[string]string{"x-plimsoll-quota-check-bytes": "5"}
		if test.key != "" {
			header["x-plimsoll-quota-check-key"] = test.key
		}
		if got := s.do(call{method: http.MethodHead, path: "/photos", header: header, as: alice}); got.status != test.status {
			t.Errorf("key %q: %d, want %d", test.key, got.status, test.status)
		}
	}
}

func TestPrefixQuota(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	err := s.store.SetLimit(t.Context(), quota.PrefixScope("photos", "raw/"), quota.Limit{MaxBytes: 6})
	if err != nil {
		t.Fatal(err)
	}
	e := s.do(call{method: http.MethodPut, path: "/photos/raw/a", body: "1234567"}).wantError(t, 507, "QuotaExceeded")
	want := `Prefix "raw/" of bucket "photos" has a limit of 6 B and holds 0 B; this request needs 1 B more than is left.`
	if e.Scope != "prefix" || e.Total != 6 || e.Used != 0 || e.Available != 6 || e.Requested != 7 || e.Message != want {
		t.Errorf("%+v", e)
	}
	s.put("/photos/raw/a", "123456")
	s.put("/photos/raw", "1234567")
}
