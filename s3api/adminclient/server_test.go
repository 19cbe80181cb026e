package adminclient_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

func TestServer(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	if got, err := c.Server(ctx); err != nil || got.Region != region || !got.Ready || got.Disk.SizeBytes <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Description(ctx); err != nil || !bytes.Contains(got, []byte(`"openapi":"3.1.`)) {
		t.Errorf("%.100s, %v", got, err)
	}
}

// A client that is conditional changes what it knows only, whatever the resource.
func TestIfMatch(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	if _, err := c.CreateBucket(ctx, "docs", adminapi.Limit{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateUser(ctx, "alice", adminapi.UserSettings{}); err != nil {
		t.Fatal(err)
	}
	docs := quota.BucketScope("docs")
	one, two := int64(1), int64(2)
	before, err := c.Quota(ctx, docs)
	if err != nil || before.ETag == "" {
		t.Fatalf("%+v, %v", before, err)
	}
	after, err := c.IfMatch(before.ETag).ChangeQuota(ctx, docs, adminapi.Limit{MaxBytes: &one})
	if err != nil || after.ETag == before.ETag {
		t.Fatalf("%+v, %v", after, err)
	}
	stale := c.IfMatch(before.ETag)
	if _, err := stale.ReplaceQuota(ctx, docs, adminapi.Limit{MaxBytes: &two}); !isProblem(err, "PreconditionFailed") {
		t.Errorf("replace: %v", err)
	}
	if err := stale.ClearQuota(ctx, docs); !isProblem(err, "PreconditionFailed") {
		t.Errorf("clear: %v", err)
	}
	if got, err := stale.Quota(ctx, docs); err != nil || got.MaxBytes != 1 {
		t.Errorf("read: %+v, %v", got, err)
	}
	key, err := c.CreateKey(ctx, "alice", adminapi.NewKey{})
	if err != nil || key.ETag == "" {
		t.Fatalf("%+v, %v", key, err)
	}
	changed, err := c.IfMatch(key.ETag).ChangeKey(ctx, key.AccessKey, adminapi.KeySettings{Enabled: new(false)})
	if err != nil || changed.ETag == key.ETag {
		t.Fatalf("%+v, %v", changed, err)
	}
	if err := c.IfMatch(key.ETag).DeleteKey(ctx, key.AccessKey); !isProblem(err, "PreconditionFailed") {
		t.Errorf("delete the key: %v", err)
	}
	if got, err := c.Key(ctx, key.AccessKey); err != nil || got.ETag != changed.ETag {
		t.Errorf("%+v, %v", got, err)
	}
	bucket, err := c.Bucket(ctx, "docs")
	if err != nil || bucket.ETag == "" || bucket.Name != "docs" {
		t.Errorf("%+v, %v", bucket, err)
	}
	if err := c.IfMatch(`"other"`).DeleteBucket(ctx, "docs"); !isProblem(err, "PreconditionFailed") {
		t.Errorf("delete the bucket: %v", err)
	}
	if err := c.IfMatch(bucket.ETag).DeleteBucket(ctx, "docs"); err != nil {
		t.Error(err)
	}
}

func TestAudit(t *testing.T) {
	server := newServer(t)
	c, ctx := clientOf(t, server, accessKey, secretKey), t.Context()
	began := time.Now().Add(-time.Minute)
	for _, name := range []string{"bucket-a", "bucket-b", "bucket-c"} {
		if _, err := c.CreateBucket(ctx, name, adminapi.Limit{}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := c.AuditPage(ctx, adminclient.AuditQuery{Limit: 2})
	if err != nil || len(page.Records) != 2 || !page.More || page.Records[1].Resource != "buckets/bucket-b" {
		t.Errorf("%+v, %v", page, err)
	}
	for name, test := range map[string]struct {
		query adminclient.AuditQuery
		want  int
	}{
		"all, a page each": {adminclient.AuditQuery{Limit: 1}, 3},
		"after":            {adminclient.AuditQuery{After: page.Next}, 1},
		"user":             {adminclient.AuditQuery{User: "root", Since: began}, 3},
		"another user":     {adminclient.AuditQuery{User: "a&b", Limit: 1}, 0},
		"later":            {adminclient.AuditQuery{Since: time.Now().Add(time.Hour)}, 0},
	} {
		n := 0
		for r, err := range c.Audit(ctx, test.query) {
			if err != nil || r.Result != adminapi.AuditDone {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			n++
		}
		if n != test.want {
			t.Errorf("%s: %d records, want %d", name, n, test.want)
		}
	}
	for _, err := range c.Audit(ctx, adminclient.AuditQuery{}) {
		if err != nil {
			t.Error(err)
		}
		break // must not go on
	}
	stranger := clientOf(t, server, "nobody", "secret")
	for _, err := range stranger.Audit(ctx, adminclient.AuditQuery{}) {
		if !isProblem(err, "InvalidAccessKeyId") {
			t.Errorf("a stranger: %v", err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
