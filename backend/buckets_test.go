package backend

import (
	"errors"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func TestHeadBucketAfterCreateAndDelete(t *testing.T) {
	f := open(t)
	if err := f.HeadBucket(background, "c"); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("before it is made: %v", err)
	}
	f.createBucket("c", quota.Limit{})
	if err := f.HeadBucket(background, "c"); err != nil {
		t.Errorf("when it is made: %v", err)
	}
	if err := f.CreateBucket(background, CreateBucketInput{Name: "c", Owner: "bob"}); !errors.Is(err, meta.ErrBucketExists) {
		t.Errorf("made again: %v", err)
	}
	if row, err := f.GetBucket(background, "c"); err != nil || row.Owner != "ada" || row.Name != "c" {
		t.Errorf("%+v, error %v", row, err)
	}
	if err := f.DeleteBucket(background, "c"); err != nil {
		t.Fatal(err)
	}
	if err := f.HeadBucket(background, "c"); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("when it is gone: %v", err)
	}
	if err := f.DeleteBucket(background, "c"); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("deleted again: %v", err)
	}
	buckets, err := f.ListBuckets(background)
	if err != nil || len(buckets) != 1 || buckets[0].Name != "b" {
		t.Errorf("%+v, error %v", buckets, err)
	}
}

func TestDeleteBucketRefusesOneWithObjects(t *testing.T) {
	f := open(t)
	f.put("k", nil)
	if err := f.DeleteBucket(background, "b"); !errors.Is(err, meta.ErrBucketNotEmpty) {
		t.Error(err)
	}
	f.wantContent("k", nil)
}

func TestDeleteBucketAbortsItsUploads(t *testing.T) {
	f := open(t)
	id := f.createUpload("k", meta.Upload{})
	f.part("k", id, 1, noise(1000, 1))
	f.part("k", id, 2, noise(1000, 2))
	if err := f.DeleteBucket(background, "b"); err != nil {
		t.Fatal(err)
	}
	f.wantUsage(quota.ServerScope, quota.Usage{})
	f.garbage.wait()
	if n := len(f.blobIDs()); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
	if err := f.AbortMultipartUpload(background, "b", "k", id); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Error(err)
	}
}

// TestABodyThatArrivesWhileItsBucketIsDeleted stores nothing, also where a bucket of that name is made again.
func TestABodyThatArrivesWhileItsBucketIsDeleted(t *testing.T) {
	for _, again := range []bool{false, true} {
		f := open(t)
		meanwhile := func() {
			if err := f.DeleteBucket(background, "b"); err != nil {
				t.Error(err)
			}
			if again {
				f.createBucket("b", quota.Limit{MaxBytes: 50})
			}
		}
		content := noise(100, 1)
		b := Body{Size: 100, Reader: &prefixed{hook: hook{do: meanwhile}, content: content}}
		_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: b})
		if again {
			wantExceeded(t, err, bucketB, quota.Bytes)
		} else if !errors.Is(err, meta.ErrNoSuchBucket) {
			t.Error(err)
		}
		f.wantUsage(quota.ServerScope, quota.Usage{})
		f.wantIdle()
	}
}

func TestLimitsAndUsageSurviveReopening(t *testing.T) {
	f := open(t)
	f.createBucket("c", quota.Limit{MaxObjects: 3})
	f.limit(bucketB, quota.Limit{MaxBytes: 1000, MaxObjects: 10})
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: 5000})
	f.put("k", noise(700, 1))
	id := f.createUpload("u", meta.Upload{})
	f.part("u", id, 1, noise(200, 2))
	before := f.Accounts()
	f = f.reopen()
	after := f.Accounts()
	if len(before) != 4 || len(after) != 4 {
		t.Fatalf("accounts before: %+v, after: %+v", before, after)
	}
	for i := range after {
		if after[i] != before[i] {
			t.Errorf("account %+v became %+v", before[i], after[i])
		}
	}
	if after[0].Scope != quota.ServerScope || after[0].Usage != (quota.Usage{Bytes: 700, Objects: 1, PartBytes: 200, Uploads: 1}) {
		t.Errorf("the server first: %+v", after[0])
	}
	wantExceeded(t, f.tryPut("l", noise(301, 3)), bucketB, quota.Bytes)
	f.limit(bucketB, quota.Limit{})
	f.put("l", noise(301, 3))
	f.wantContent("k", noise(700, 1))
}

func TestSetLimitOfNoBucket(t *testing.T) {
	f := open(t)
	if err := f.SetLimit(background, quota.BucketScope("none"), quota.Limit{MaxBytes: 1}); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Error(err)
	}
	if _, ok := f.Account(quota.BucketScope("none")); ok {
		t.Error("there is an account of a bucket that does not exist")
	}
}

func TestAClosedStoreRefusesWrites(t *testing.T) {
	f := open(t)
	f.finish()
	if err := f.CreateBucket(background, CreateBucketInput{Name: "c", Owner: "ada"}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	for _, err := range f.deleteAll("b", []meta.Key{"k"}) {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestOneStoreAtATime(t *testing.T) {
	f := open(t)
	if _, err := Open(f.options); !errors.Is(err, meta.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := Check(background, f.options.Dir, false); !errors.Is(err, meta.ErrLocked) {
		t.Errorf("checked while open: %v", err)
	}
}

func TestTimesAreKeptToTheMillisecond(t *testing.T) {
	at := time.Date(2026, time.May, 4, 3, 2, 1, 987654321, time.FixedZone("east", 7200))
	f := open(t, func(o *Options) { o.Now = func() time.Time { return at } })
	out := f.put("k", nil)
	head, err := f.HeadObject(background, "b", "k", "")
	want := time.Date(2026, time.May, 4, 1, 2, 1, 987e6, time.UTC)
	if err != nil || !head.Modified.Equal(want) || !out.Modified.Equal(want) {
		t.Errorf("put says %v, head says %v, error %v; want %v", out.Modified, head.Modified, err, want)
	}
}
