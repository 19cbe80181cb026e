package metatest

import (
	"errors"
	"reflect"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func testMultipart(f *fixture) {
	f.refused(createUpload("b", "k", "1"), meta.ErrNoSuchBucket)
	f.must(createBucket("b"), createUpload("b", "k", "1"))
	f.usage("b", quota.Usage{Uploads: 1})
	u, err := f.repo.Upload(background, "b", "k", "1")
	if err != nil || !reflect.DeepEqual(u, createUpload("b", "k", "1").Upload) {
		f.Errorf("Upload: %+v, %v", u, err)
	}
	for _, other := range []meta.Upload{
		{Bucket: "b", Key: "k", ID: "2"},
		{Bucket: "b", Key: "l", ID: "1"},
		{Bucket: "c", Key: "k", ID: "1"},
		{Bucket: "b", Key: "k\x00", ID: "1"},
		{Bucket: "b", Key: "k", ID: ""},
	} {
		if _, err := f.repo.Upload(background, other.Bucket, other.Key, other.ID); !errors.Is(err, meta.ErrNoSuchUpload) {
			f.Errorf("Upload of %+v: %v", other, err)
		}
		_, _, err := f.repo.Parts(background, other.Bucket, other.Key, other.ID, 0, 10)
		if !errors.Is(err, meta.ErrNoSuchUpload) {
			f.Errorf("Parts of %+v: %v", other, err)
		}
		f.refused(putPart(other.Bucket, other.Key, other.ID, part(1, 1, 1)), meta.ErrNoSuchUpload)
		f.refused(complete(other.Bucket, other.Key, other.ID, "e"), meta.ErrNoSuchUpload)
		f.refused(meta.AbortUpload{Bucket: other.Bucket, Key: other.Key, Upload: other.ID}, meta.ErrNoSuchUpload)
	}
	f.must(putPart("b", "k", "1", part(1, 1, 10, 20)))
	f.usage("b", quota.Usage{Uploads: 1, PartBytes: 30})
	if u, err := f.repo.Upload(background, "b", "k", "1"); err != nil || u.PartBytes != 30 {
		f.Errorf("the upload has %d bytes of parts, %v; want 30", u.PartBytes, err)
	}
	f.wantGarbage(f.must(putPart("b", "k", "1", part(1, 3, 7))), blob(1), blob(2))
	f.usage("", quota.Usage{Uploads: 1, PartBytes: 7})
}

func testParts(f *fixture) {
	f.must(createBucket("b"))
	// Uploads whose keys and ids are prefixes of each other's, with bytes that look like their terminators.
	ids := []meta.UploadID{"u", "u\x00", "u\x00\x01", "u\x00\x01\x00\x01", "uu"}
	for i, id := range ids {
		f.must(createUpload("b", "k", id), putPart("b", "k", id, part(i+1, 100+i, 1)))
	}
	for i, id := range ids {
		parts, more, err := f.repo.Parts(background, "b", "k", id, 0, 10)
		if err != nil || more || len(parts) != 1 || parts[0].Number != i+1 {
			f.Errorf("Parts of %q: %+v, %t, %v", id, parts, more, err)
		}
	}
	f.must(createUpload("b", "p", "1"))
	numbers := []int{10000, 1, 256, 255, 300}
	for i, n := range numbers {
		f.must(putPart("b", "p", "1", part(n, i+1, int64(n))))
	}
	for _, test := range []struct {
		after, limit int
		want         []int
		more         bool
	}{
		{0, 10, []int{1, 255, 256, 300, 10000}, false},
		{-1, 2, []int{1, 255}, true},
		{255, 3, []int{256, 300, 10000}, false},
		{255, 2, []int{256, 300}, true},
		{254, 1, []int{255}, true},
		{9999, 1, []int{10000}, false},
		{10000, 1, nil, false},
		{1 << 40, 1, nil, false},
	} {
		parts, more, err := f.repo.Parts(background, "b", "p", "1", test.after, test.limit)
		var got []int
		for _, p := range parts {
			got = append(got, p.Number)
			if p.Size != int64(p.Number) {
				f.Errorf("part %d has %d bytes", p.Number, p.Size)
			}
		}
		if err != nil || more != test.more || !reflect.DeepEqual(got, test.want) {
			f.Errorf("Parts(%d, %d): %v, %t, %v", test.after, test.limit, got, more, err)
		}
	}
}

func testComplete(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 100)), createUpload("b", "k", "1"))
	parts := []meta.Part{part(1, 11, 10), part(2, 12, 20, 5), part(5, 14, 30), part(6, 15, 0)}
	for _, p := range parts {
		f.must(putPart("b", "k", "1", p))
	}
	f.usage("b", quota.Usage{Bytes: 100, Objects: 1, PartBytes: 65, Uploads: 1})
	m := complete("b", "k", "1", "e-3", parts[1], parts[2], parts[3])
	f.wantGarbage(f.must(m), blob(1), blob(11))
	f.usage("b", quota.Usage{Bytes: 55, Objects: 1})
	want := m.Object
	want.Version = meta.NullVersion
	want.Segments = []meta.Segment{
		{Blob: blob(12), Size: 20}, {Blob: blob(13), Size: 5}, {Blob: blob(14), Size: 30}, {Blob: blob(15), Size: 0},
	}
	f.wantObject(f.stat("b", "k"), want)
	if _, err := f.repo.Upload(background, "b", "k", "1"); !errors.Is(err, meta.ErrNoSuchUpload) {
		f.Errorf("Upload after its completion: %v", err)
	}
	f.refused(m, meta.ErrNoSuchUpload)
	// Parts that share a blob with each other and with the object that they replace.
	f.must(createUpload("b", "k", "2"))
	for n := 1; n <= 3; n++ {
		f.must(meta.PutPart{Bucket: "b", Key: "k", Upload: "2", Part: part(n, 12, 20), Shared: true})
	}
	f.wantGarbage(f.must(complete("b", "k", "2", "e-2", part(1, 12, 20), part(3, 12, 20))), blob(13), blob(14), blob(15))
	f.usage("", quota.Usage{Bytes: 40, Objects: 1})
	Recount(f, f.repo)
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "b", Key: "k"}), blob(12))
}

func testCompleteStale(f *fixture) {
	f.must(createBucket("b"), createUpload("b", "k", "1"))
	f.must(putPart("b", "k", "1", part(1, 1, 10)), putPart("b", "k", "1", part(3, 3, 10)))
	f.refused(complete("b", "k", "1", "e", part(1, 2, 10)), meta.ErrStale)
	f.refused(complete("b", "k", "1", "e", part(1, 1, 10, 0)), meta.ErrStale)
	f.refused(complete("b", "k", "1", "e", part(1, 1, 10), part(2, 2, 10)), meta.ErrStale)
	f.refused(complete("b", "k", "1", "e", part(3, 3, 10), part(4, 4, 10)), meta.ErrStale)
	f.must(putPart("b", "k", "1", part(1, 5, 10)))
	f.refused(complete("b", "k", "1", "e", part(1, 1, 10)), meta.ErrStale)
	f.must(complete("b", "k", "1", "e", part(1, 5, 10), part(3, 3, 10)))
}

func testAbort(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(9, 9)), createUpload("b", "k", "1"), createUpload("b", "k", "2"))
	f.must(putPart("b", "k", "1", part(1, 1, 10)), putPart("b", "k", "1", part(2, 2, 10)))
	f.must(putPart("b", "k", "2", part(1, 3, 10)))
	f.wantGarbage(f.must(meta.AbortUpload{Bucket: "b", Key: "k", Upload: "1"}), blob(1), blob(2))
	f.usage("b", quota.Usage{Bytes: 9, Objects: 1, PartBytes: 10, Uploads: 1})
	if _, _, err := f.repo.Parts(background, "b", "k", "1", 0, 1); !errors.Is(err, meta.ErrNoSuchUpload) {
		f.Errorf("Parts of an aborted upload: %v", err)
	}
	f.stat("b", "k")
}

func testDeleteBucketUploads(f *fixture) {
	f.must(createBucket("b"), createBucket("b.c"), createUpload("b", "k", "1"), createUpload("b", "l", "1"))
	f.must(createUpload("b.c", "k", "1"), putPart("b.c", "k", "1", part(1, 9, 9)))
	f.must(putPart("b", "k", "1", part(1, 1, 10)), putPart("b", "l", "1", part(1, 2, 10)))
	f.must(put("b", "o", object(5, 1)))
	f.refused(meta.DeleteBucket{Bucket: "b"}, meta.ErrBucketNotEmpty)
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "b", Key: "o"}), blob(5))
	r := f.must(meta.DeleteBucket{Bucket: "b"})
	f.wantGarbage(r, blob(1), blob(2))
	usage := quota.Usage{PartBytes: 9, Uploads: 1}
	want := []quota.Account{{Scope: quota.ServerScope, Usage: usage}, {Scope: ada, Usage: usage}}
	if !reflect.DeepEqual(r.Accounts, want) {
		f.Errorf("accounts: %+v, want %+v", r.Accounts, want)
	}
	f.usage("b.c", usage)
	f.refused(putPart("b", "k", "1", part(2, 20, 1)), meta.ErrNoSuchUpload)
}

func testPartQuota(f *fixture) {
	b := quota.BucketScope("b")
	f.must(createBucket("b"), put("b", "k", object(1, 60)), put("b", "other", object(2, 30)))
	f.must(meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 100, MaxObjects: 2}})
	f.must(createUpload("b", "k", "1"), createUpload("b", "k", "2"), createUpload("b", "new", "3")) // never refused
	f.exceeded(putPart("b", "k", "1", part(1, 10, 71)), b, quota.Bytes)
	f.must(putPart("b", "k", "1", part(1, 10, 70))) // 90 - 60 + 70 is exactly the limit
	f.exceeded(putPart("b", "k", "1", part(2, 11, 1)), b, quota.Bytes)
	f.must(putPart("b", "k", "1", part(1, 11, 50)), putPart("b", "k", "1", part(2, 12, 20)))
	f.exceeded(putPart("b", "k", "2", part(1, 13, 31)), b, quota.Bytes) // all parts of the bucket: 101
	f.must(putPart("b", "k", "2", part(1, 13, 30)))
	f.exceeded(putPart("b", "new", "3", part(1, 14, 0)), b, quota.Objects)
	f.must(meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 120}})
	f.exceeded(putPart("b", "new", "3", part(1, 14, 31)), b, quota.Bytes) // 90 + 31
	f.usage("b", quota.Usage{Bytes: 90, Objects: 2, PartBytes: 100, Uploads: 3})
	f.must(meta.SetLimit{Scope: b}, meta.SetLimit{Scope: quota.ServerScope, Limit: quota.Limit{MaxBytes: 200}})
	f.exceeded(putPart("b", "k", "1", part(2, 14, 31)), quota.ServerScope, quota.Bytes) // 190 - 20 + 31
	f.must(putPart("b", "k", "1", part(2, 14, 30)))
}

func testCompleteQuota(f *fixture) {
	b := quota.BucketScope("b")
	f.must(createBucket("b"), put("b", "k", object(1, 60)), createUpload("b", "k", "1"), createUpload("b", "new", "2"))
	f.must(putPart("b", "k", "1", part(1, 2, 70)), putPart("b", "k", "1", part(2, 3, 50)))
	f.must(putPart("b", "new", "2", part(1, 4, 1)))
	f.must(meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 69, MaxObjects: 1}})
	f.exceeded(complete("b", "k", "1", "e", part(1, 2, 70)), b, quota.Bytes)
	f.exceeded(complete("b", "new", "2", "e", part(1, 4, 1)), b, quota.Objects)
	f.must(meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 49}})
	f.exceeded(complete("b", "k", "1", "e", part(2, 3, 50)), b, quota.Bytes) // shrinks, but stays above
	f.must(meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 50}})
	f.must(meta.SetLimit{Scope: quota.ServerScope, Limit: quota.Limit{MaxBytes: 50}})
	f.exceeded(complete("b", "k", "1", "e", part(2, 3, 50)), quota.ServerScope, quota.Bytes) // the other upload's part
	f.must(meta.AbortUpload{Bucket: "b", Key: "new", Upload: "2"})
	f.wantGarbage(f.must(complete("b", "k", "1", "e", part(2, 3, 50))), blob(1), blob(2))
	f.usage("", quota.Usage{Bytes: 50, Objects: 1})
}
