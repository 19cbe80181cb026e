package minioadmin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// What is changed is in the audit log, under the names of our own admin API, without secrets; so are attempts that are
// denied. What only reads is not.
func TestChangesAreRecorded(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	alice := f.user("alice", "readwrite")
	f.call(root, "PUT", "set-bucket-quota?bucket=photos", `{"size":5,"quotatype":"hard"}`).ok()
	f.call(root, "GET", "get-bucket-quota?bucket=photos", "").ok()
	f.call(root, "PUT", "set-bucket-quota?bucket=gone", `{"size":5,"quotatype":"hard"}`).
		refused(404, "NoSuchBucket", "does not exist")
	f.sealed(root, "PUT", "add-user?accessKey=bob", `{"secretKey":"a secret of bob","status":"enabled"}`).ok()
	f.call(alice, "PUT", "set-bucket-quota?bucket=photos", `{"size":6}`).refused(403, "AccessDenied", "")
	f.call(alice, "GET", "user-info?accessKey=alice", "").ok()
	f.call(alice, "GET", "user-info?accessKey=bob", "").refused(403, "AccessDenied", "")
	page, err := f.audit.Read(t.Context(), 0, 100, audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range page.Records {
		got = append(got, strings.TrimSpace(strings.Join([]string{r.User, r.Via, r.Action, r.Resource, r.Result, r.Code}, " ")))
		if r.AccessKey == "" || strings.Contains(string(r.Before)+string(r.After), "secret") {
			t.Errorf("%+v", r)
		}
	}
	want := []string{
		"root minio PUT add-user users/alice done",
		"root minio PUT set-user-or-group-policy users/alice done",
		"root minio PUT set-bucket-quota quotas/buckets/photos done",
		"root minio PUT set-bucket-quota quotas/buckets/gone refused NoSuchBucket",
		"root minio PUT add-user users/bob done",
		"alice minio PUT set-bucket-quota quotas/buckets/photos denied AccessDenied",
		"alice minio GET user-info users/bob denied AccessDenied",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(page.Records) < 3 {
		t.Fatal("there are too few records")
	}
	if before, after := string(page.Records[2].Before), string(page.Records[2].After); !strings.Contains(before, `"max_bytes":0`) ||
		!strings.Contains(after, `"max_bytes":5`) {
		t.Errorf("before %s, after %s", before, after)
	}
	if err := f.audit.Close(); err != nil {
		t.Fatal(err)
	}
	f.call(root, "PUT", "set-bucket-quota?bucket=photos", `{"size":7}`).refused(503, "XMinioServerNotInitialized", "audit log")
}
