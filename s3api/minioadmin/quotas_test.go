package minioadmin_test

import (
	"context"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// TestBucketQuota sends what the two generations of madmin-go send: mc and older Terraform providers the one, newer
// providers the other. Both read the same answer.
func TestBucketQuota(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	scope := quota.BucketScope("photos")
	if err := f.store.SetLimit(context.Background(), scope, quota.Limit{MaxObjects: 7}); err != nil {
		t.Fatal(err)
	}
	const none, some = `{"quota":0,"size":0,"rate":0,"requests":0}`,
		`{"quota":1073741824,"size":1073741824,"rate":0,"requests":0,"quotatype":"hard"}`
	for _, c := range []struct{ version, set, clear string }{
		{
			"v3", `{"quota":1073741824,"size":0,"rate":0,"requests":0,"quotatype":"hard"}`,
			`{"quota":0,"size":0,"rate":0,"requests":0}`,
		},
		{"v4", `{"size":1073741824,"rate":0,"requests":0,"quotatype":"hard"}`, `{"size":0,"rate":0,"requests":0}`},
		{"v3", `{"quota":1073741824,"quotatype":"hard"}`, `{"quota":0}`},
		{"v4", `{"quota":1073741824,"size":1073741824,"quotatype":"hard","more":"than is known"}`, `{}`},
	} {
		get, set := "/minio/admin/"+c.version+"/get-bucket-quota?bucket=photos", "/minio/admin/"+c.version+"/set-bucket-quota?bucket=photos"
		f.send(root, "GET", get, "").is(none)
		f.send(root, "PUT", set, c.set).ok()
		f.send(root, "GET", get, "").is(some)
		if a, _ := f.store.Account(scope); a.Limit != (quota.Limit{MaxBytes: 1 << 30, MaxObjects: 7}) {
			t.Errorf("%s: the limit is %+v", c.set, a.Limit)
		}
		f.send(root, "PUT", set, c.clear).ok()
	}
	if a, _ := f.store.Account(scope); a.Limit != (quota.Limit{MaxObjects: 7}) {
		t.Errorf("cleared, the limit is %+v", a.Limit)
	}
}

func TestBucketQuotaRefuses(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	// The provider looks for the text to find out that the bucket is gone.
	f.call(root, "GET", "get-bucket-quota?bucket=gone", "").refused(404, "NoSuchBucket", "does not exist")
	f.call(root, "PUT", "set-bucket-quota?bucket=gone", `{"size":1,"quotatype":"hard"}`).refused(404, "NoSuchBucket", "does not exist")
	f.call(root, "GET", "get-bucket-quota", "").refused(404, "NoSuchBucket", "does not exist")
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, "XMinioAdminConfigBadJSON"},
		{`{"size":-1}`, 400, "XMinioAdminConfigBadJSON"},
		{`{"size":1.5}`, 400, "XMinioAdminConfigBadJSON"},
		{`{"size":18446744073709551616}`, 400, "XMinioAdminConfigBadJSON"},
		{`{"size":9223372036854775808}`, 400, "XMinioAdminInvalidArgument"},
		{`{"size":1,"quota":2}`, 400, "XMinioAdminInvalidArgument"},
		{`{"size":1,"quotatype":"fifo"}`, 400, "XMinioAdminInvalidArgument"},
		{`{"size":1,"rate":100}`, 501, "NotImplemented"},
		{`{"size":1,"requests":100}`, 501, "NotImplemented"},
	} {
		f.call(root, "PUT", "set-bucket-quota?bucket=photos", c.body).refused(c.status, c.code, "")
	}
	f.call(root, "GET", "get-bucket-quota?bucket=photos", "").is(`{"quota":0,"size":0,"rate":0,"requests":0}`)
	f.call(root, "PUT", "set-bucket-quota?bucket=photos", `{"size":9223372036854775807}`).ok()
}

func TestInfo(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	f.bucket("empty", iam.RootName)
	f.signed(root, region, "PUT", "/photos?versioning",
		`<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`).ok()
	for _, key := range []string{"photos/a", "photos/a", "photos/b", "photos/gone"} {
		f.put(root, key)
	}
	f.signed(root, region, "DELETE", "/photos/gone", "")
	const bytes = 2*len("body of photos/a") + len("body of photos/b") + len("body of photos/gone")

	type counted struct{ Count, Size int }
	info := document[struct {
		Mode, Region                              string
		Buckets, Objects, Versions, DeleteMarkers counted
		Usage                                     counted
		Backend                                   struct{ BackendType string }
		Servers                                   []struct {
			State, Endpoint, Version, CommitID string
			Drives                             []struct {
				Path, State                       string
				TotalSpace, UsedSpace, AvailSpace int64
			}
		}
		Pools map[string]map[string]struct{ Usage, ObjectsCount, VersionsCount int }
	}](f.call(root, "GET", "info?metrics=false", ""))
	if info.Mode != "online" || info.Region != region || info.Buckets.Count != 2 || info.Backend.BackendType != "Erasure" {
		t.Errorf("info: %+v", info)
	}
	if info.Objects.Count != 2 || info.Versions.Count != 4 || info.DeleteMarkers.Count != 1 || info.Usage.Size != bytes {
		t.Errorf("figures: %+v, want 2 objects in 4 versions of %d bytes, and a marker", info, bytes)
	}
	if pool := info.Pools["0"]["0"]; pool.Usage != bytes || pool.ObjectsCount != 2 || pool.VersionsCount != 4 {
		t.Errorf("pool: %+v", pool)
	}
	server := info.Servers[0]
	if server.State != "online" || server.Version != "Plimsoll v1" || server.CommitID != "c0ffee" || "http://"+server.Endpoint != f.url {
		t.Errorf("server: %+v", server)
	}
	drive := server.Drives[0]
	if drive.Path != "/srv/data" || drive.State != "ok" || drive.TotalSpace <= 0 || drive.UsedSpace+drive.AvailSpace != drive.TotalSpace {
		t.Errorf("drive: %+v", drive)
	}

	usage := document[struct {
		ObjectsCount, ObjectsTotalSize, BucketsCount int
		BucketsUsageInfo                             map[string]struct{ Size, ObjectsCount, VersionsCount, DeleteMarkersCount int }
		BucketsSizes                                 map[string]int
	}](f.call(root, "GET", "datausageinfo", ""))
	photos := usage.BucketsUsageInfo["photos"]
	if photos.Size != bytes || photos.ObjectsCount != 2 || photos.VersionsCount != 4 || photos.DeleteMarkersCount != 1 {
		t.Errorf("usage of photos: %+v", photos)
	}
	if usage.BucketsCount != 2 || usage.ObjectsTotalSize != bytes || usage.BucketsSizes["photos"] != bytes || usage.BucketsSizes["empty"] != 0 {
		t.Errorf("usage: %+v", usage)
	}
	storage := document[struct {
		Disks   []struct{ TotalSpace int64 }
		Backend struct{ OnlineDisks map[string]int }
	}](f.call(root, "GET", "storageinfo", ""))
	if len(storage.Disks) != 1 || storage.Disks[0].TotalSpace != drive.TotalSpace || storage.Backend.OnlineDisks["/srv/data"] != 1 {
		t.Errorf("storage: %+v", storage)
	}
}

// TestAccountInfo: everybody sees their own buckets, administrators all of them.
func TestAccountInfo(t *testing.T) {
	f := newFixture(t)
	alice := f.user("alice", "readwrite")
	f.bucket("hers", "alice")
	f.bucket("other", iam.RootName)
	f.put(alice, "hers/key")
	type accountInfo struct {
		AccountName string
		Policy      struct{ Statement []any }
		Buckets     []struct {
			Name          string
			Size, Objects int
		}
	}
	info := document[accountInfo](f.call(alice, "GET", "accountinfo", ""))
	if info.AccountName != "alice" || len(info.Policy.Statement) != 1 || len(info.Buckets) != 1 ||
		info.Buckets[0].Name != "hers" || info.Buckets[0].Size != len("body of hers/key") || info.Buckets[0].Objects != 1 {
		t.Errorf("alice: %+v", info)
	}
	info = document[accountInfo](f.call(root, "GET", "accountinfo", ""))
	if info.AccountName != root.key || len(info.Buckets) != 2 {
		t.Errorf("root: %+v", info)
	}
}
