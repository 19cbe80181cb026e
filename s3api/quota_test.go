package s3api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
)

// TestMessageOfALimitJustBelowAUnit: 1024.0 KiB is nothing that anybody says, and no command of ours does.
func TestMessageOfALimitJustBelowAUnit(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 1<<20 - 1})
	refused := s.do(call{method: http.MethodPut, path: "/photos/a", body: strings.Repeat("x", 1<<20)})
	want := `Bucket "photos" has a limit of 1.0 MiB and holds 0 B; this request needs 1 B more than is left.`
	if e := refused.wantError(t, 507, "QuotaExceeded"); e.Message != want {
		t.Errorf("message %q, want %q", e.Message, want)
	}
}

func TestQuotaToTheByte(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 10, MaxObjects: 2})
	s.put("/photos/a", "1234567")
	refused := s.do(call{method: http.MethodPut, path: "/photos/b", body: "1234"})
	e := refused.wantError(t, 507, "QuotaExceeded")
	if e.Scope != "bucket" || e.Total != 10 || e.Used != 7 || e.Available != 3 || e.Requested != 4 {
		t.Errorf("figures: %+v", e)
	}
	if e.Resource != "/photos/b" {
		t.Errorf("resource %q", e.Resource)
	}
	if want := `Bucket "photos" has a limit of 10 B and holds 7 B; this request needs 1 B more than is left.`; e.Message != want {
		t.Errorf("message %q, want %q", e.Message, want)
	}
	if got := refused.header.Get("Retry-After"); got != "3600" {
		t.Errorf("Retry-After %q", got)
	}
	s.get("/photos/b").wantError(t, 404, "NoSuchKey")
	s.put("/photos/b", "123")

	t.Run("objects", func(t *testing.T) {
		e := s.do(call{method: http.MethodPut, path: "/photos/c"}).wantError(t, 507, "QuotaExceeded")
		if e.Total != 2 || e.Used != 2 || e.Requested != 1 || !strings.Contains(e.Message, "2 objects") {
			t.Errorf("%+v", e)
		}
	})
	t.Run("overwrite is credited", func(t *testing.T) {
		s.put("/photos/a", "7654321")
		s.do(call{method: http.MethodPut, path: "/photos/a", body: "87654321"}).wantError(t, 507, "QuotaExceeded")
		if got := s.get("/photos/a").body; got != "7654321" {
			t.Errorf("a refused overwrite left %q", got)
		}
	})
	t.Run("copy", func(t *testing.T) {
		s.limit("photos", quota.Limit{MaxBytes: 16})
		copied := map[string]string{"x-amz-copy-source": "/photos/a"}
		s.do(call{method: http.MethodPut, path: "/photos/copy", header: copied}).wantError(t, 507, "QuotaExceeded")
		s.limit("photos", quota.Limit{MaxBytes: 17})
		s.do(call{method: http.MethodPut, path: "/photos/copy", header: copied}).want(t, 200)
	})
	t.Run("of the bucket's owner", func(t *testing.T) {
		s.limit("photos", quota.Limit{})
		root := quota.OwnerScope("root")
		if err := s.store.SetLimit(t.Context(), root, quota.Limit{MaxBytes: 18}); err != nil {
			t.Fatal(err)
		}
		s.bucket("other")
		refused := s.do(call{method: http.MethodPut, path: "/other/a", body: "12"})
		e := refused.wantError(t, 507, "QuotaExceeded")
		if e.Scope != "owner" || e.Total != 18 || e.Used != 17 || e.Available != 1 || e.Requested != 2 {
			t.Errorf("figures: %+v", e)
		}
		want := `User "root" has a limit of 18 B and holds 17 B; this request needs 1 B more than is left.`
		if e.Message != want {
			t.Errorf("message %q, want %q", e.Message, want)
		}
		s.put("/other/a", "1")
		s.do(call{method: http.MethodDelete, path: "/other/a"}).want(t, 204)
		if err := s.store.SetLimit(t.Context(), root, quota.Limit{}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a lowered limit stops growth only", func(t *testing.T) {
		s.limit("photos", quota.Limit{MaxBytes: 1})
		s.put("/photos/a", "123456")
		s.do(call{method: http.MethodPut, path: "/photos/a", body: "1234567"}).wantError(t, 507, "QuotaExceeded")
		s.do(call{method: http.MethodDelete, path: "/photos/a"}).want(t, 204)
	})
}

func TestQuotaAsJSON(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 3})
	a := s.do(call{
		method: http.MethodPut, path: "/photos/b", body: "1234", header: map[string]string{"Accept": "application/json"},
	}).want(t, 507)
	var got map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"error": "QuotaExceeded", "scope": "bucket", "quota_total": 3.0, "quota_used": 0.0, "quota_available": 3.0,
		"quota_requested": 4.0,
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	for _, name := range []string{"message", "suggested_action"} {
		if got[name] == "" || got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestMultipartQuota(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	const mib = 1 << 20
	part := strings.Repeat("x", 5*mib)
	s.limit("photos", quota.Limit{MaxBytes: 10 * mib})
	id := s.createUpload("/photos/big")
	one := s.uploadPart("/photos/big", id, 1, part).want(t, 200).header.Get("Etag")
	two := s.uploadPart("/photos/big", id, 2, part).want(t, 200).header.Get("Etag")
	s.uploadPart("/photos/big", id, 3, "x").wantError(t, 507, "QuotaExceeded")
	t.Run("complete is the last word", func(t *testing.T) {
		s.limit("photos", quota.Limit{MaxBytes: 10*mib - 1})
		s.complete("/photos/big", id, one, two).wantError(t, 507, "QuotaExceeded")
		s.limit("photos", quota.Limit{MaxBytes: 10 * mib})
		s.complete("/photos/big", id, one, two).want(t, 200)
	})
	t.Run("parts left out are credited", func(t *testing.T) {
		s.limit("photos", quota.Limit{MaxBytes: 20 * mib})
		id := s.createUpload("/photos/second")
		one := s.uploadPart("/photos/second", id, 1, part).want(t, 200).header.Get("Etag")
		s.uploadPart("/photos/second", id, 2, part).want(t, 200)
		s.complete("/photos/second", id, one).want(t, 200)
		a, _ := s.store.Account(quota.BucketScope("photos"))
		if a.Usage.Bytes != 15*mib || a.Usage.PartBytes != 0 {
			t.Errorf("usage %+v", a.Usage)
		}
	})
	t.Run("overwritten object is credited to its upload", func(t *testing.T) {
		s.limit("photos", quota.Limit{MaxBytes: 15 * mib})
		id := s.createUpload("/photos/big")
		a := s.uploadPart("/photos/big", id, 1, part).want(t, 200).header.Get("Etag")
		b := s.uploadPart("/photos/big", id, 2, part).want(t, 200).header.Get("Etag")
		s.complete("/photos/big", id, a, b).want(t, 200)
	})
	t.Run("unfinished parts of the bucket together", func(t *testing.T) {
		s.limit("photos", quota.Limit{MaxBytes: 17 * mib})
		first, second := s.createUpload("/photos/big"), s.createUpload("/photos/second")
		s.uploadPart("/photos/big", first, 1, part).want(t, 200)
		s.uploadPart("/photos/big", first, 2, part).want(t, 200)
		s.uploadPart("/photos/second", second, 1, part).want(t, 200)
		s.uploadPart("/photos/second", second, 2, part[:2*mib+1]).wantError(t, 507, "QuotaExceeded")
		for key, id := range map[string]string{"big": first, "second": second} {
			s.do(call{method: http.MethodDelete, path: "/photos/" + key + "?uploadId=" + id}).want(t, 204)
		}
	})
}
