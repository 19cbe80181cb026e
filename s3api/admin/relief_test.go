package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func (f *fixture) remove(bucket, key string) {
	f.t.Helper()
	_, err := f.store.DeleteObject(f.t.Context(), backend.DeleteObjectInput{
		Bucket: meta.BucketName(bucket), Key: meta.Key(key), Owner: "root",
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// upload begins an upload with a part.
func (f *fixture) upload(bucket, key string, size int) meta.Upload {
	f.t.Helper()
	b, k := meta.BucketName(bucket), meta.Key(key)
	id, err := f.store.CreateMultipartUpload(f.t.Context(), meta.Upload{Bucket: b, Key: k, Owner: "root"})
	if err != nil {
		f.t.Fatal(err)
	}
	_, err = f.store.UploadPart(f.t.Context(), backend.UploadPartInput{
		Bucket: b, Key: k, Upload: id, Number: 1,
		Body: backend.Body{Reader: bytes.NewReader(make([]byte, size)), Size: int64(size)},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	u, _, _, err := f.store.ListParts(f.t.Context(), b, k, id, 0, 1)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestUploads(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/docs", "", http.StatusCreated)
	f.account("PUT", "buckets/photos", "", http.StatusCreated)
	var begun []meta.Upload
	for i := range 4 {
		begun = append(begun, f.upload("photos", fmt.Sprintf("dir&/%d", i/2), 10+i))
		f.moved.Add(int64(time.Hour))
	}
	all, _ := document[adminapi.UploadSummaries](f, f.signed("GET", "uploads", ""), http.StatusOK)
	if len(all.Buckets) != 1 || all.Buckets[0].Bucket != "photos" || all.Buckets[0].Uploads != 4 ||
		all.Buckets[0].Bytes != 46 || !all.Buckets[0].Oldest.Equal(begun[0].Initiated) {
		t.Errorf("summaries: %+v", all)
	}
	empty, _ := document[adminapi.Uploads](f, f.signed("GET", "uploads/docs", ""), http.StatusOK)
	if empty.Uploads == nil || len(empty.Uploads) > 0 || empty.Next != nil {
		t.Errorf("of none: %+v", empty)
	}
	// Page by page.
	query, found := url.Values{"limit": {"3"}, "prefix": {"dir&/"}, "older_than_seconds": {"7199"}}, 0
	for {
		page, _ := document[adminapi.Uploads](f, f.signed("GET", "uploads/photos?"+query.Encode(), ""), http.StatusOK)
		for _, u := range page.Uploads {
			if want := begun[found]; u.UploadID != string(want.ID) || u.Key != string(want.Key) || u.Bytes != want.PartBytes ||
				!u.Initiated.Equal(want.Initiated) || u.Owner != "root" {
				t.Errorf("%+v, want %+v", u, want)
			}
			found++
		}
		if page.Next == nil {
			break
		}
		query.Set("after_key", page.Next.Key)
		query.Set("after_upload_id", page.Next.UploadID)
	}
	if found != 3 {
		t.Errorf("%d uploads are two hours old", found)
	}
	abort := func(body string) adminapi.AbortedUploads {
		t.Helper()
		out, _ := document[adminapi.AbortedUploads](f, f.signed("POST", "uploads/photos/abort", body), http.StatusOK)
		return out
	}
	if out := abort(`{"older_than_seconds": 10800, "dry_run": true}`); out != (adminapi.AbortedUploads{Uploads: 2, Bytes: 21, DryRun: true}) {
		t.Errorf("dry run: %+v", out)
	}
	recorded := f.records("")
	if after := string(recorded[len(recorded)-1].After); !strings.Contains(after, `"dry_run":true`) ||
		!strings.Contains(after, `"asked":{"older_than_seconds":10800`) {
		t.Errorf("recorded is %s", after)
	}
	if out := abort(`{"older_than_seconds": 10800}`); out != (adminapi.AbortedUploads{Uploads: 2, Bytes: 21}) {
		t.Errorf("abort: %+v", out)
	}
	one := marshal(t, map[string]any{"key": begun[3].Key, "upload_id": begun[3].ID})
	if out := abort(one); out.Uploads != 1 || out.Bytes != 13 {
		t.Errorf("abort one: %+v", out)
	}
	f.refused(f.signed("POST", "uploads/photos/abort", one), http.StatusNotFound, "NoSuchUpload")
	if out := abort(`{"key": "dir&/1"}`); out.Uploads != 1 {
		t.Errorf("abort those of a key: %+v", out)
	}
	for _, body := range []string{
		"", "{}", `{"dry_run": true}`, `{"older_than_seconds": -1}`, `{"older_than_seconds": 1.5}`, `{"prefix": "a"}`,
		`{"upload_id": "x", "older_than_seconds": 0}`, `{"older_than": 5}`, `{"key": "a", "prefix": "a"}`,
		`{"older_than_seconds": 99999999999999}`, `{"older_than_seconds": 0, "after": {"key": "a", "upload_id": "nope"}}`,
	} {
		f.refused(f.signed("POST", "uploads/photos/abort", body), http.StatusBadRequest, "InvalidArgument")
	}
	for _, query := range []string{
		"limit=0", "limit=1001", "limit=x", "older=5", "limit=1&limit=2", "older_than_seconds=-1", "after_upload_id=x",
		"upload_id=x", "prefix=%ff",
	} {
		f.refused(f.signed("GET", "uploads/photos?"+query, ""), http.StatusBadRequest, "InvalidArgument")
	}
	f.refused(f.signed("GET", "uploads/none", ""), http.StatusNotFound, "NoSuchBucket")
	f.refused(f.signed("POST", "uploads/none/abort", `{"older_than_seconds": 0}`), http.StatusNotFound, "NoSuchBucket")
}

func TestPrune(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/photos", "", http.StatusCreated)
	if err := f.store.SetVersioning(t.Context(), "photos", meta.VersioningEnabled); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		f.put("photos", "a", 10+i)
		f.moved.Add(int64(time.Hour))
	}
	f.put("photos", "b", 1)
	f.put("photos", "b", 1)
	prune := func(p adminapi.Prune) adminapi.Pruned {
		t.Helper()
		out, _ := document[adminapi.Pruned](f, f.signed("POST", "versions/photos/prune", marshal(t, p)), http.StatusOK)
		return out
	}
	old := int64(3600)
	if out := prune(adminapi.Prune{OlderThanSeconds: &old, DryRun: true}); out.Versions != 3 || out.Bytes != 33 || !out.DryRun ||
		out.Read != 6 {
		t.Errorf("dry run: %+v", out)
	}
	if out := prune(adminapi.Prune{OlderThanSeconds: &old, Keep: 1, Prefix: "a"}); out.Versions != 2 || out.Bytes != 21 {
		t.Errorf("but for one: %+v", out)
	}
	// From where another call could have ended: behind the latest version of a.
	latest, err := f.store.HeadObject(t.Context(), "photos", "a", "")
	if err != nil {
		t.Fatal(err)
	}
	after := &adminapi.PrunePosition{Key: "a", VersionID: string(latest.Version), Since: latest.Modified, Newer: 1}
	if out := prune(adminapi.Prune{OlderThanSeconds: &old, Keep: 2, After: after, DryRun: true}); out.Versions != 0 || out.Read != 3 {
		t.Errorf("with what was before: %+v", out)
	}
	if out := prune(adminapi.Prune{OlderThanSeconds: &old, Keep: 1, After: after}); out.Versions != 1 {
		t.Errorf("goes on: %+v", out)
	}
	if a := f.account("GET", "usage/photos", "", http.StatusOK); a.Objects != 3 || a.UsedBytes != 15 || a.NoncurrentObjects != 1 {
		t.Errorf("left is %+v", a)
	}
	for _, body := range []string{
		"", "{}", `{"older_than_seconds": null}`, `{"older_than_seconds": -1}`, `{"older_than_seconds": 0, "keep": -1}`,
		`{"older_than_seconds": 0, "after": {"key": "a"}}`, `{"older_than_seconds": 0, "days": 1}`,
		`{"older_than_seconds": 0, "after": {"key": "a", "version_id": "nope"}}`,
	} {
		f.refused(f.signed("POST", "versions/photos/prune", body), http.StatusBadRequest, "InvalidArgument")
	}
	f.refused(f.signed("POST", "versions/none/prune", `{"older_than_seconds": 0}`), http.StatusNotFound, "NoSuchBucket")
}

func TestPruneTellsLocked(t *testing.T) {
	f := newFixture(t)
	err := f.store.CreateBucket(t.Context(), backend.CreateBucketInput{Name: "vault", Owner: "root", ObjectLock: true})
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	for _, s := range []meta.Settings{
		{Retention: meta.Retention{Mode: meta.RetentionCompliance, Until: until}}, {LegalHold: meta.LegalHoldOn}, {},
	} {
		_, err := f.store.PutObject(t.Context(), backend.PutObjectInput{
			Bucket: "vault", Key: "k", Body: backend.Body{Reader: bytes.NewReader([]byte("xy")), Size: 2}, Settings: s,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	out, _ := document[adminapi.Pruned](f, f.signed("POST", "versions/vault/prune", `{"older_than_seconds": 0}`), http.StatusOK)
	if out.Versions != 0 || out.LockedVersions != 2 || out.LockedBytes != 4 || len(out.Locked) != 2 ||
		!out.Locked[0].LegalHold || out.Locked[0].Mode != "" || out.Locked[1].Mode != "COMPLIANCE" ||
		!out.Locked[1].RetainUntil.Equal(until) {
		t.Errorf("%+v", out)
	}
}

func TestReports(t *testing.T) {
	f := newFixture(t)
	f.account("PUT", "buckets/photos", "", http.StatusCreated)
	f.put("photos", "2025/a", 10)
	f.put("photos", "2026/a", 20)
	f.put("photos", "2026/b", 30)
	body := `{"bucket": "photos", "depth": 1, "largest": 1}`
	begun, header := document[adminapi.Report](f, f.signed("POST", "reports", body), http.StatusAccepted)
	if header.Get("Location") != adminapi.Prefix+"reports/"+begun.ID || begun.Delimiter != "/" {
		t.Errorf("%+v at %s", begun, header.Get("Location"))
	}
	var r adminapi.Report
	for deadline := time.Now().Add(10 * time.Second); !r.Ended() || r.State == ""; time.Sleep(time.Millisecond) {
		r, _ = document[adminapi.Report](f, f.signed("GET", "reports/"+begun.ID, ""), http.StatusOK)
		if time.Now().After(deadline) {
			t.Fatalf("the report does not end: %+v", r)
		}
	}
	if r.State != adminapi.ReportDone || r.Read != 3 || r.Of != 3 || r.Snapshot == nil || r.Finished == nil {
		t.Fatalf("%+v", r)
	}
	want := adminapi.PrefixSpace{Prefix: "2026/", Space: adminapi.Space{Bytes: 50, Objects: 2}}
	if b := r.Result; len(b.Prefixes) != 2 || b.Prefixes[0] != want || b.Total.Bytes != 60 || len(b.Largest) != 1 ||
		b.Largest[0].Key != "2026/b" || b.Largest[0].Bytes != 30 || b.Largest[0].VersionID != "null" {
		t.Errorf("%+v", b)
	}
	all, _ := document[adminapi.Reports](f, f.signed("GET", "reports", ""), http.StatusOK)
	if len(all.Reports) != 1 || all.Reports[0].Result != nil {
		t.Errorf("%+v", all)
	}
	f.deleted(f.signed("DELETE", "reports/"+begun.ID, ""))
	f.refused(f.signed("GET", "reports/"+begun.ID, ""), http.StatusNotFound, "NoSuchReport")
	f.refused(f.signed("DELETE", "reports/"+begun.ID, ""), http.StatusNotFound, "NoSuchReport")
	for _, body := range []string{
		"", "{}", `{"bucket": "photos"}`, `{"bucket": "photos", "depth": -1}`, `{"bucket": "photos", "depth": 17}`,
		`{"bucket": "photos", "largest": 1001}`, `{"bucket": "photos", "deep": 1}`,
	} {
		f.refused(f.signed("POST", "reports", body), http.StatusBadRequest, "InvalidArgument")
	}
	p := f.refused(f.signed("POST", "reports", `{"bucket": "none", "depth": 1}`), http.StatusNotFound, "NoSuchBucket")
	if p.Detail != `There is no bucket "none".` {
		t.Errorf("%+v", p)
	}
}
