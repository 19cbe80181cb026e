package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// record lets hours pass, in each of which a bucket grows.
func (f *fixture) record(bucket string, hours, size int) {
	f.t.Helper()
	for i := range hours {
		f.put(bucket, fmt.Sprintf("k%d", i), size)
		if err := f.store.RecordUsage(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		f.moved.Add(int64(time.Hour))
	}
}

func TestHistory(t *testing.T) {
	f := newFixture(t)
	f.user("PUT", "users/alice", "", http.StatusCreated)
	k := f.key("users/alice/keys", "")
	f.account("PUT", "buckets/photos", `{"max_bytes": 100000}`, http.StatusCreated)
	for _, path := range []string{"history/server", "history/buckets/photos", "history/owners/root", "history/owners/alice"} {
		h, _ := document[adminapi.History](f, f.signed("GET", path, ""), http.StatusOK)
		if h.Hours == nil || h.Days == nil || len(h.Hours) > 0 || h.Growth.EnoughHistory || h.Growth.Bytes != nil {
			t.Errorf("%s before there is any: %+v", path, h)
		}
	}
	f.record("photos", 30, 1000)
	for _, path := range []string{"history/server", "history/buckets/photos", "history/owners/root"} {
		h, _ := document[adminapi.History](f, f.signed("GET", path, ""), http.StatusOK)
		if len(h.Hours) != 30 || h.Hours[0].Bytes != 1000 || h.Hours[29].Objects != 30 {
			t.Fatalf("%s: %+v", path, h.Hours)
		}
		g := h.Growth
		if !g.EnoughHistory || g.Points != 30 || g.SpanSeconds != 29*3600 || g.Bytes.PerDay < 23_900 || g.Bytes.PerDay > 24_100 {
			t.Errorf("%s: %+v %+v", path, g, g.Bytes)
		}
		if (g.BytesFull != nil) != (h.Scope == adminapi.ScopeBucket) || g.ObjectsFull != nil {
			t.Errorf("%s forecasts %+v", path, g.BytesFull)
		}
	}
	usage := f.account("GET", "usage/photos", "", http.StatusOK)
	full := usage.Growth.BytesFull
	// 70 hours of 1,000 bytes are left; what happened within the minutes of the hours is not known.
	left := full.At.Sub(time.Now().Add(time.Duration(f.moved.Load())))
	if full.Confidence != adminapi.ConfidenceLow || left < 69*time.Hour || left > 71*time.Hour {
		t.Errorf("it is full in %v: %+v", left, full)
	}
	overview, _ := document[adminapi.Overview](f, f.signed("GET", "usage", ""), http.StatusOK)
	if g := overview.Buckets[0].Growth; g == nil || g.BytesFull == nil || overview.Server.Growth == nil {
		t.Errorf("overview: %+v", overview)
	}
	if got := f.account("GET", "quotas/buckets/photos", "", http.StatusOK); got.Growth != nil {
		t.Errorf("a limit has %+v", got.Growth)
	}

	metrics := string(f.do(f.request(http.MethodGet, "/_plimsoll/metrics", "")).body)
	for _, want := range []string{
		`plimsoll_usage_growth_bytes_per_day{bucket="",owner="",scope="server"} 2`,
		`plimsoll_usage_growth_bytes_per_day{bucket="photos",owner="",scope="bucket"} 2`,
		`plimsoll_limit_bytes_reached_timestamp_seconds{bucket="photos",owner="",scope="bucket"} `,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(metrics, `reached_timestamp_seconds{bucket="",owner="root"`) {
		t.Error("the metrics forecast the limit of who has none")
	}

	f.refused(f.signed("GET", "history/buckets/none", ""), http.StatusNotFound, "NoSuchBucket")
	f.refused(f.signed("GET", "history/owners/none", ""), http.StatusNotFound, "NoSuchUser")
	by := func(path string) *http.Request { return f.signedBy(k.AccessKey, k.SecretKey, "GET", path, "") }
	document[adminapi.History](f, by("history/owners/alice"), http.StatusOK)
	for _, path := range []string{
		"history/owners/root", "history/buckets/photos", "history/server", "reports", "uploads", "uploads/photos",
	} {
		f.refused(by(path), http.StatusForbidden, "AccessDenied")
	}
}

func TestUsageTellsVersionsAndUploads(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/photos", "", http.StatusCreated)
	if err := f.store.SetVersioning(t.Context(), "photos", meta.VersioningEnabled); err != nil {
		t.Fatal(err)
	}
	f.put("photos", "a", 1)
	f.put("photos", "a", 2)
	f.remove("photos", "a")
	begun := f.upload("photos", "b", 5)
	for _, path := range []string{"usage/photos", "usage/owners/root"} {
		a := f.account("GET", path, "", http.StatusOK)
		if a.NoncurrentObjects != 2 || a.DeleteMarkers != 1 || a.Uploads != 1 || a.PartBytes != 5 || a.OldestUpload == nil ||
			!a.OldestUpload.Equal(begun.Initiated) {
			t.Errorf("%s: %+v", path, a)
		}
	}
}
