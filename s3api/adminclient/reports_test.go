package adminclient_test

import (
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// What the calls do is the handlers' to test; here they reach what they mean.
func TestReportsAndRelief(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	if _, err := c.CreateBucket(ctx, "photos", adminapi.Limit{}); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []quota.Scope{quota.ServerScope, quota.OwnerScope("root"), quota.BucketScope("photos")} {
		h, err := c.History(ctx, scope)
		if err != nil || h.Scope != string(scope.Kind) || h.Name != scope.Name {
			t.Errorf("%s: %+v, %v", scope, h, err)
		}
	}
	if _, err := c.History(ctx, quota.BucketScope("none")); !isProblem(err, "NoSuchBucket") {
		t.Errorf("history of nothing: %v", err)
	}
	raw := quota.PrefixScope("photos", "raw/")
	if _, err := c.ChangeQuota(ctx, raw, adminapi.Limit{MaxBytes: new(int64(5))}); err != nil {
		t.Fatal(err)
	}
	if h, err := c.History(ctx, raw); err == nil {
		t.Errorf("a prefix, which has no history, has %+v", h)
	}
	if _, err := c.History(ctx, quota.BucketScope("")); err == nil {
		t.Error("history of no name")
	}

	r, err := c.CreateReport(ctx, adminapi.NewReport{Bucket: "photos", Depth: 2})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !r.Ended(); time.Sleep(time.Millisecond) {
		if r, err = c.Report(ctx, r.ID); err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r.State != adminapi.ReportDone || r.Result == nil || r.Depth != 2 {
		t.Errorf("%+v", r)
	}
	if all, err := c.Reports(ctx); err != nil || len(all) != 1 || all[0].ID != r.ID {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.DeleteReport(ctx, r.ID); err != nil {
		t.Error(err)
	}
	if _, err := c.Report(ctx, r.ID); !isProblem(err, "NoSuchReport") {
		t.Errorf("deleted: %v", err)
	}

	day := int64(86400)
	if all, err := c.UploadSummaries(ctx); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	filter := adminapi.UploadFilter{Prefix: "a b&", OlderThanSeconds: &day}
	if page, err := c.Uploads(ctx, "photos", filter, 7); err != nil || len(page.Uploads) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := c.Uploads(ctx, "photos", adminapi.UploadFilter{}, 5000); !isProblem(err, "InvalidArgument") {
		t.Errorf("a page too long: %v", err)
	}
	if out, err := c.AbortUploads(ctx, "photos", adminapi.AbortUploads{UploadFilter: filter, DryRun: true}); err != nil || !out.DryRun {
		t.Errorf("%+v, %v", out, err)
	}
	one := adminapi.UploadFilter{Key: "k", UploadID: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
	if _, err := c.AbortUploads(ctx, "photos", adminapi.AbortUploads{UploadFilter: one}); !isProblem(err, "NoSuchUpload") {
		t.Errorf("abort what is not there: %v", err)
	}
	if out, err := c.PruneVersions(ctx, "photos", adminapi.Prune{OlderThanSeconds: &day}); err != nil || out.Next != nil {
		t.Errorf("%+v, %v", out, err)
	}
	for _, call := range []func() error{
		func() error { _, err := c.Uploads(ctx, "", filter, 0); return err },
		func() error { _, err := c.AbortUploads(ctx, "", adminapi.AbortUploads{}); return err },
		func() error { _, err := c.PruneVersions(ctx, "", adminapi.Prune{}); return err },
		func() error { _, err := c.Report(ctx, ""); return err },
	} {
		if call() == nil {
			t.Error("an empty name is taken")
		}
	}
}
