package backend

import (
	"errors"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// brim is an operation that needs exactly what is left below a limit, and one that needs one byte, or one object, more.
// Each begins with an object "p/old" of 40 bytes, and an upload to "p/new" with parts of 30.
type brim struct {
	name string
	// bucket and server are the limits that the operation reaches exactly, as a bucket, a prefix and the owner count and
	// as the server does, which counts the bytes of parts in full.
	bucket, server int64
	resource       quota.Resource
	do             func(f *fixture, id meta.UploadID, part CompletedPart) error
	// more is do with one byte or object more.
	more func(f *fixture, id meta.UploadID, part CompletedPart) error
}

const (
	oldBytes  = 40
	partBytes = 30
)

func putOf(key meta.Key, size int) func(*fixture, meta.UploadID, CompletedPart) error {
	return func(f *fixture, _ meta.UploadID, _ CompletedPart) error { return f.tryPut(key, noise(size, 3)) }
}

func partOf(number, size int) func(*fixture, meta.UploadID, CompletedPart) error {
	return func(f *fixture, id meta.UploadID, _ CompletedPart) error {
		_, err := f.tryPart("p/new", id, number, body(noise(size, 4)))
		return err
	}
}

func copyOld(to meta.Key) func(*fixture, meta.UploadID, CompletedPart) error {
	return func(f *fixture, _ meta.UploadID, _ CompletedPart) error { return f.copy("p/old", to) }
}

func completeNew(f *fixture, id meta.UploadID, part CompletedPart) error {
	_, err := f.tryComplete("p/new", id, part)
	return err
}

// brims are the operations that a limit decides. A nil more says that the same operation is refused under a limit that
// is lower by one.
var brims = []brim{
	{"put", oldBytes + 60, oldBytes + partBytes + 60, quota.Bytes, putOf("p/k", 60), putOf("p/k", 61)},
	{"put of one object more", 2, 2, quota.Objects, putOf("p/k", 0), nil},
	{"overwrite", 100, 100 + partBytes, quota.Bytes, putOf("p/old", 100), putOf("p/old", 101)},
	{"overwrite where all objects are taken", 1, 1, quota.Objects, putOf("p/old", 100), putOf("p/k", 0)},
	{"copy", 2 * oldBytes, 2*oldBytes + partBytes, quota.Bytes, copyOld("p/k"), nil},
	{"copy of one object more", 2, 2, quota.Objects, copyOld("p/k"), nil},
	{"part", oldBytes + partBytes + 50, oldBytes + partBytes + 50, quota.Bytes, partOf(2, 50), partOf(2, 51)},
	{"part that replaces one", oldBytes + 50, oldBytes + 50, quota.Bytes, partOf(1, 50), partOf(1, 51)},
	{"part of one object more", 2, 2, quota.Objects, partOf(2, 0), nil},
	{"complete of one object more", 2, 2, quota.Objects, completeNew, nil},
}

// prepare makes what every brim begins with.
func prepareBrim(f *fixture) (meta.UploadID, CompletedPart) {
	f.put("p/old", noise(oldBytes, 1))
	id := f.createUpload("p/new", meta.Upload{})
	return id, f.part("p/new", id, 1, noise(partBytes, 2))
}

func limitOf(r quota.Resource, n int64) quota.Limit {
	if r == quota.Objects {
		return quota.Limit{MaxObjects: n}
	}
	return quota.Limit{MaxBytes: n}
}

func TestExactlyAtTheLimitIsStoredAndOneMoreIsRefused(t *testing.T) {
	for _, test := range brims {
		for scope, limit := range map[quota.Scope]int64{
			bucketB: test.bucket, ownerAda: test.bucket, quota.ServerScope: test.server,
			quota.PrefixScope("b", "p"): test.bucket, quota.PrefixScope("b", "p/"): test.bucket,
		} {
			t.Run(test.name+", "+string(scope.Kind)+" "+scope.Prefix, func(t *testing.T) {
				f := open(t)
				id, part := prepareBrim(f)
				f.limit(scope, limitOf(test.resource, limit))
				if test.more != nil {
					wantExceeded(t, test.more(f, id, part), scope, test.resource)
				} else {
					f.limit(scope, limitOf(test.resource, limit-1))
					wantExceeded(t, test.do(f, id, part), scope, test.resource)
					f.limit(scope, limitOf(test.resource, limit))
				}
				if err := test.do(f, id, part); err != nil {
					t.Errorf("what reaches the limit exactly: %v", err)
				}
			})
		}
	}
}

// TestCompleteReachesALimitThatWasLoweredMeanwhile decides by what the bucket would hold, not by what the parts were
// admitted under. On the server a completion only moves bytes: it cannot pass a limit that its parts were within.
func TestCompleteReachesALimitThatWasLoweredMeanwhile(t *testing.T) {
	f := open(t)
	id, part := prepareBrim(f)
	for _, scope := range []quota.Scope{quota.PrefixScope("b", "p/"), bucketB, ownerAda} {
		f.limit(scope, quota.Limit{MaxBytes: oldBytes + partBytes - 1})
		e := wantExceeded(t, completeNew(f, id, part), scope, quota.Bytes)
		if e.Used != oldBytes || e.Requested != partBytes || e.Transient {
			t.Errorf("%+v", e)
		}
		f.limit(scope, quota.Limit{MaxBytes: oldBytes + partBytes})
	}
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: oldBytes + partBytes - 1})
	wantExceeded(t, completeNew(f, id, part), quota.ServerScope, quota.Bytes)
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: oldBytes + partBytes})
	if err := completeNew(f, id, part); err != nil {
		t.Errorf("what reaches the limit exactly: %v", err)
	}
	f.wantUsage(bucketB, quota.Usage{Bytes: oldBytes + partBytes, Objects: 2})
}

func TestAllUnfinishedPartsOfABucketTogetherStayWithinItsLimit(t *testing.T) {
	f := open(t)
	f.limit(bucketB, quota.Limit{MaxBytes: 100})
	one, two := f.createUpload("one", meta.Upload{}), f.createUpload("two", meta.Upload{})
	f.part("one", one, 1, noise(60, 1))
	_, err := f.tryPart("two", two, 1, Body{Reader: unread{t}, Size: 41})
	if e := wantExceeded(t, err, bucketB, quota.Bytes); e.Used != 60 || e.Requested != 41 {
		t.Errorf("%+v", e)
	}
	f.part("two", two, 1, noise(40, 2))
	f.abort("one", one)
	f.part("two", two, 2, noise(60, 3))
}

// TestAnOwnersBucketsTogetherStayWithinTheirLimit counts what is stored, and the parts, of two buckets; a third is
// another owner's.
func TestAnOwnersBucketsTogetherStayWithinTheirLimit(t *testing.T) {
	f := open(t)
	f.createBucket("c", quota.Limit{})
	if err := f.CreateBucket(background, CreateBucketInput{Name: "bobs", Owner: "bob"}); err != nil {
		t.Fatal(err)
	}
	putInto := func(bucket meta.BucketName, size int) error {
		_, err := f.PutObject(background, PutObjectInput{Bucket: bucket, Key: "k", Owner: "eve", Body: body(noise(size, 1))})
		return err
	}
	f.limit(ownerAda, quota.Limit{MaxBytes: 100})
	f.put("k", noise(60, 1))
	if e := wantExceeded(t, putInto("c", 41), ownerAda, quota.Bytes); e.Used != 60 || e.Requested != 41 || e.Transient {
		t.Errorf("%+v", e)
	}
	if err := errors.Join(putInto("c", 40), putInto("bobs", 1000)); err != nil {
		t.Error(err)
	}
	f.wantUsage(ownerAda, quota.Usage{Bytes: 100, Objects: 2})
	f.wantUsage(quota.OwnerScope("bob"), quota.Usage{Bytes: 1000, Objects: 1})
	f.delete("k")
	one := f.createUpload("one", meta.Upload{})
	f.part("one", one, 1, noise(60, 1))
	two, err := f.CreateMultipartUpload(background, meta.Upload{Bucket: "c", Key: "k"}) // it would overwrite 40
	if err != nil {
		t.Fatal(err)
	}
	partOfTwo := func(b Body) error {
		_, err := f.UploadPart(background, UploadPartInput{Bucket: "c", Key: "k", Upload: two, Number: 1, Body: b})
		return err
	}
	if e := wantExceeded(t, partOfTwo(Body{Reader: unread{t}, Size: 41}), ownerAda, quota.Bytes); e.Used != 60 {
		t.Errorf("%+v", e)
	}
	if err := partOfTwo(body(noise(40, 2))); err != nil {
		t.Error(err)
	}
	f.wantUsage(ownerAda, quota.Usage{Bytes: 40, Objects: 1, PartBytes: 100, Uploads: 2})
}

// TestALimitBeforeTheFirstBucket holds for it, and stays after the last.
func TestALimitBeforeTheFirstBucket(t *testing.T) {
	f := open(t)
	bob := quota.OwnerScope("bob")
	if _, ok := f.Account(bob); ok {
		t.Error("an account of nobody")
	}
	f.limit(bob, quota.Limit{MaxObjects: 1})
	f = f.reopen()
	for range 2 {
		if err := f.CreateBucket(background, CreateBucketInput{Name: "bobs", Owner: "bob"}); err != nil {
			t.Fatal(err)
		}
		put := func(key meta.Key) error {
			_, err := f.PutObject(background, PutObjectInput{Bucket: "bobs", Key: key, Body: body(nil)})
			return err
		}
		if err := put("k"); err != nil {
			t.Error(err)
		}
		wantExceeded(t, put("l"), bob, quota.Objects)
		if err := errors.Join(f.tryDelete("bobs", "k"), f.DeleteBucket(background, "bobs")); err != nil {
			t.Error(err)
		}
		f.wantUsage(bob, quota.Usage{})
	}
	if a, _ := f.Account(bob); a.Limit.MaxObjects != 1 {
		t.Errorf("%+v", a)
	}
	f.limit(bob, quota.Limit{})
	if _, ok := f.Account(bob); ok {
		t.Error("an account without buckets and limit")
	}
}

func TestOverALoweredLimitOnlyWhatShrinksIsStored(t *testing.T) {
	for _, scope := range []quota.Scope{bucketB, ownerAda, quota.ServerScope, quota.PrefixScope("b", "k")} {
		t.Run(string(scope.Kind), func(t *testing.T) {
			f := open(t)
			f.put("k", noise(100, 1))
			f.limit(scope, quota.Limit{MaxBytes: 10, MaxObjects: 1})
			wantExceeded(t, f.tryPut("k", noise(101, 1)), scope, quota.Bytes)
			wantExceeded(t, f.tryPut("k2", nil), scope, quota.Objects)
			f.put("k", noise(100, 2))
			f.put("k", noise(99, 2))
			wantExceeded(t, f.tryPut("k", noise(100, 2)), scope, quota.Bytes)
			f.wantUsage(bucketB, quota.Usage{Bytes: 99, Objects: 1})
		})
	}
}
