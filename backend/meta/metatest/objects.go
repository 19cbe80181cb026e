package metatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var background = context.Background()

func testBuckets(f *fixture) {
	if buckets, err := f.repo.Buckets(background); err != nil || len(buckets) != 0 {
		f.Fatalf("Buckets of an empty repository: %v, %v", buckets, err)
	}
	if got := f.accounts(); !slices.Equal(got, []quota.Account{{Scope: quota.ServerScope}}) {
		f.Errorf("accounts of an empty repository: %+v", got)
	}
	f.must(createBucket("b"), createBucket("a"), createBucket("a.b"))
	f.refused(createBucket("a"), meta.ErrBucketExists)
	buckets, err := f.repo.Buckets(background)
	if err != nil {
		f.Fatalf("Buckets: %v", err)
	}
	var want []meta.Bucket
	for _, name := range []meta.BucketName{"a", "a.b", "b"} {
		want = append(want, createBucket(name).Bucket)
	}
	if !slices.Equal(buckets, want) {
		f.Errorf("Buckets: %+v, want %+v", buckets, want)
	}
	if b, err := f.repo.Bucket(background, "a.b"); err != nil || b != want[1] {
		f.Errorf("Bucket: %+v, %v", b, err)
	}
	if _, err := f.repo.Bucket(background, "c"); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("Bucket of none: %v", err)
	}
	f.must(put("a", "k", object(1, 5)))
	f.refused(meta.DeleteBucket{Bucket: "a"}, meta.ErrBucketNotEmpty)
	f.refused(meta.DeleteBucket{Bucket: "c"}, meta.ErrNoSuchBucket)
	r := f.must(meta.DeleteBucket{Bucket: "a.b"})
	if !slices.Equal(r.RemovedScopes, []quota.Scope{quota.BucketScope("a.b")}) {
		f.Errorf("RemovedScopes are %v", r.RemovedScopes)
	}
	f.missing("a.b", "k", meta.ErrNoSuchBucket)
	f.missing("a", "j", meta.ErrNoSuchKey)
	if n := len(f.accounts()); n != 4 { // the server, the owner, and two buckets
		f.Errorf("%d accounts", n)
	}
}

func testLimits(f *fixture) {
	m := createBucket("b")
	m.Limit = quota.Limit{MaxBytes: 10, MaxObjects: 2}
	scope := quota.BucketScope("b")
	if r := f.must(m); !slices.Equal(r.Accounts, []quota.Account{{Scope: ada}, {Scope: scope, Limit: m.Limit}}) {
		f.Errorf("accounts after CreateBucket: %+v", r.Accounts)
	}
	f.must(put("b", "k", object(1, 7)))
	r := f.must(meta.SetLimit{Scope: scope, Limit: quota.Limit{MaxBytes: 3}})
	want := quota.Account{Scope: scope, Limit: quota.Limit{MaxBytes: 3}, Usage: quota.Usage{Bytes: 7, Objects: 1}}
	if !slices.Equal(r.Accounts, []quota.Account{want}) {
		f.Errorf("accounts after SetLimit: %+v", r.Accounts)
	}
	f.must(meta.SetLimit{Scope: quota.ServerScope, Limit: quota.Limit{MaxObjects: 1 << 40}})
	f.refused(meta.SetLimit{Scope: quota.BucketScope("c")}, meta.ErrNoSuchBucket)
	f.reopen()
	server := quota.Account{
		Scope: quota.ServerScope, Limit: quota.Limit{MaxObjects: 1 << 40}, Usage: quota.Usage{Bytes: 7, Objects: 1},
	}
	owner := quota.Account{Scope: ada, Usage: quota.Usage{Bytes: 7, Objects: 1}}
	if got := f.accounts(); !slices.Equal(got, []quota.Account{server, owner, want}) {
		f.Errorf("accounts: %+v", got)
	}
	f.must(meta.SetLimit{Scope: scope}, put("b", "k2", object(2, 1000)))
	f.must(meta.SetLimit{Scope: scope, Limit: quota.Limit{MaxBytes: 1}})
	// A bucket that is made again begins without the limit and the usage of the first.
	f.must(meta.DeleteObject{Bucket: "b", Key: "k"}, meta.DeleteObject{Bucket: "b", Key: "k2"})
	f.must(meta.DeleteBucket{Bucket: "b"}, createBucket("b"))
	f.reopen()
	if got := f.accounts(); len(got) != 3 || got[2] != (quota.Account{Scope: scope}) {
		f.Errorf("accounts of a bucket made again: %+v", got)
	}
}

func testObjects(f *fixture) {
	f.refused(put("b", "k", object(1, 1)), meta.ErrNoSuchBucket)
	f.refused(meta.DeleteObject{Bucket: "b", Key: "k"}, meta.ErrNoSuchBucket)
	f.must(createBucket("b"), createBucket("c"))
	r := f.must(put("b", "k", object(1, 10, 20)))
	f.wantGarbage(r)
	usage := quota.Usage{Bytes: 30, Objects: 1}
	want := []quota.Account{
		{Scope: quota.ServerScope, Usage: usage}, {Scope: ada, Usage: usage}, {Scope: quota.BucketScope("b"), Usage: usage},
	}
	if !slices.Equal(r.Accounts, want) {
		f.Errorf("accounts of the result: %+v, want %+v", r.Accounts, want)
	}
	f.must(put("c", "k", object(11, 5)))
	f.usage("", quota.Usage{Bytes: 35, Objects: 2})
	f.wantGarbage(f.must(put("b", "k", object(3, 4))), blob(1), blob(2))
	f.usage("b", quota.Usage{Bytes: 4, Objects: 1})
	f.must(put("b", "empty", object(9)))
	f.usage("b", quota.Usage{Bytes: 4, Objects: 2})
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "b", Key: "k"}), blob(3))
	f.missing("b", "k", meta.ErrNoSuchKey)
	if r := f.must(meta.DeleteObject{Bucket: "b", Key: "k"}); r.Garbage != nil {
		f.Errorf("deleting nothing freed %x", r.Garbage)
	}
	f.must(meta.DeleteObject{Bucket: "b", Key: "empty"})
	f.usage("b", quota.Usage{})
	f.usage("", quota.Usage{Bytes: 5, Objects: 1})
	for _, key := range []meta.Key{"\x00", "\x00\x01", "\xff\xff", "//", meta.Key(strings.Repeat("\x00", 1024))} {
		f.must(put("b", key, object(100+len(key)+int(key[0]))))
		f.stat("b", key)
	}
}

func testObjectKept(f *fixture) {
	o := object(1, 5, 0, 1<<40)
	o.ETag, o.Class, o.Owner = `d41d8cd98f00b204e9800998ecf8427e-2`, "GLACIER", "ada"
	o.Checksum = checksum.Checksum{Algorithm: checksum.SHA256, Type: checksum.Composite, Value: []byte{0, 1}, Parts: 2}
	o.Settings = meta.Settings{
		Tags: []meta.Tag{{Key: "z", Value: ""}, {Key: "a", Value: "1"}}, LegalHold: meta.LegalHoldOff,
		Retention: meta.Retention{Mode: meta.RetentionCompliance, Until: now}, ACL: []byte("acl"), Encryption: []byte{0},
	}
	o.Attributes = meta.Attributes{
		ContentType: "text/plain", CacheControl: "no-store", ContentDisposition: "inline", ContentEncoding: "gzip",
		ContentLanguage: "de", Expires: "never", StorageClass: "STANDARD_IA", WebsiteRedirect: "/",
		User: map[string]string{"z": "", "a": strings.Repeat("x", 2000), "": "empty name"},
	}
	o.Parts = []meta.PartHead{{Number: 1, Size: 5, Checksum: []byte{9}}, {Number: 10000, Size: 1 << 40}}
	f.must(createBucket("b"), put("b", "k", o), put("b", "plain", object(4, 1)))
	f.reopen()
	o.Version = meta.NullVersion
	f.wantObject(f.stat("b", "k"), o)
	plain := object(4, 1)
	plain.Version = meta.NullVersion
	f.wantObject(f.stat("b", "plain"), plain)
	page, err := f.repo.List(background, meta.ListRequest{Bucket: "b", Limit: 1})
	if err != nil || !reflect.DeepEqual(*page.Entries[0].Head, o.ObjectHead) {
		f.Errorf("List: %+v, %v", page, err)
	}
}

func testPreconditions(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 1)), createUpload("b", "k", "u"), createUpload("b", "none", "u"))
	match := func(etag meta.ETag) meta.Precondition { return meta.Precondition{IfMatch: etag} }
	never := meta.Precondition{IfNoneMatch: true}
	for _, test := range []struct {
		key  meta.Key
		p    meta.Precondition
		want error
	}{
		{"k", match("other"), meta.ErrPreconditionFailed},
		{"k", match("ETAG-1"), meta.ErrPreconditionFailed},
		{"k", never, meta.ErrPreconditionFailed},
		{"k", meta.Precondition{IfMatch: "*", IfNoneMatch: true}, meta.ErrPreconditionFailed},
		{"none", match("*"), meta.ErrNoSuchKey},
		{"none", match("etag-1"), meta.ErrNoSuchKey},
	} {
		m := put("b", test.key, object(10, 1))
		m.Precondition = test.p
		f.refused(m, test.want)
		f.refused(meta.DeleteObject{Bucket: "b", Key: test.key, Precondition: test.p}, test.want)
		c := complete("b", test.key, "u", "e")
		c.Precondition = test.p
		f.refused(c, test.want)
	}
	m := put("b", "k", object(10, 1))
	m.Precondition = match("etag-1")
	f.must(m)
	m = put("b", "k", object(11, 1))
	m.Precondition = match("*")
	f.must(m)
	m = put("b", "new", object(12, 1))
	m.Precondition = never
	f.must(m)
	f.must(meta.DeleteObject{Bucket: "b", Key: "k", Precondition: match("etag-11")})
	c := complete("b", "none", "u", "e")
	c.Precondition = never
	f.must(c)
	c = complete("b", "k", "u", "e")
	c.Precondition = never
	f.must(c)
}

func testShared(f *fixture) {
	f.must(createBucket("b"), createBucket("c"), put("b", "k", object(1, 10, 20)))
	share := func(bucket meta.BucketName, key meta.Key, o meta.Object) meta.PutObject {
		return meta.PutObject{Bucket: bucket, Key: key, Object: o, Shared: true}
	}
	f.must(share("c", "copy", object(1, 10, 20)))
	f.usage("", quota.Usage{Bytes: 60, Objects: 2})
	f.usage("c", quota.Usage{Bytes: 30, Objects: 1})
	f.wantGarbage(f.must(share("b", "k", object(1, 10, 20)))) // onto itself
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "b", Key: "k"}))
	f.must(createUpload("b", "u", "1"), meta.PutPart{
		Bucket: "b", Key: "u", Upload: "1", Part: part(1, 2, 20), Shared: true,
	})
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "c", Key: "copy"}), blob(1))
	f.refused(share("c", "copy", object(1, 10, 20)), meta.ErrStale)
	f.refused(meta.PutPart{Bucket: "b", Key: "u", Upload: "1", Part: part(2, 1, 10), Shared: true}, meta.ErrStale)
	f.wantGarbage(f.must(meta.AbortUpload{Bucket: "b", Key: "u", Upload: "1"}), blob(2))
	f.refused(share("c", "copy", object(2, 20)), meta.ErrStale)
	f.refused(share("c", "copy", object(77, 20)), meta.ErrStale)
	f.must(share("c", "nothing", object(1)))
}

func testBlobNamedTwice(f *fixture) {
	twice := object(1, 10, 10, 10)
	for i := range twice.Segments {
		twice.Segments[i].Blob = blob(1)
	}
	f.must(createBucket("b"), put("b", "k", object(1, 10)))
	f.must(meta.PutObject{Bucket: "b", Key: "copy", Object: twice, Shared: true})
	f.usage("b", quota.Usage{Bytes: 40, Objects: 2})
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "b", Key: "k"}))
	Recount(f, f.repo)
	// Two of the three references go, and one of them comes back, in one mutation.
	f.wantGarbage(f.must(meta.PutObject{Bucket: "b", Key: "copy", Object: object(1, 10), Shared: true}))
	Recount(f, f.repo)
	f.wantGarbage(f.must(meta.DeleteObject{Bucket: "b", Key: "copy"}), blob(1))
}

func testInvalid(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 10)), put("b", "gone", object(2, 1)), createUpload("b", "k", "u"))
	f.must(meta.DeleteObject{Bucket: "b", Key: "gone"})
	wrongSize, negative, huge := object(50, 10), object(50, -10, 20), object(50, math.MaxInt64, 1)
	wrongSize.Size++
	twice := object(50, 10, 10)
	twice.Segments[1].Blob = blob(50)
	noBlob := object(50, 10)
	noBlob.Segments[0].Blob = meta.BlobID{}
	encrypted, held, retained := object(50, 10), object(50, 10), object(50, 10)
	encrypted.Segments[0].Stored = 10
	held.LegalHold, retained.Retention.Mode = 3, meta.RetentionGovernance
	for i, m := range []meta.Mutation{
		put("b", "", object(50, 1)),
		put("b", meta.Key(strings.Repeat("k", 1025)), object(50, 1)),
		put("b", "x", wrongSize),
		put("b", "x", negative),
		put("b", "x", huge),
		put("b", "x", object(50, math.MaxInt64)), // usage would overflow
		put("b", "x", twice),
		put("b", "x", noBlob),
		put("b", "x", encrypted),
		put("b", "x", held),
		put("b", "x", retained),
		put("b", "x", object(1, 10)), // not new
		put("b", "x", object(2, 1)),  // garbage
		meta.PutObject{Bucket: "b", Key: "x", Object: object(1, 11), Shared: true},
		createBucket(""),
		createBucket("a\x00b"),
		meta.CreateBucket{Bucket: meta.Bucket{Name: "new", Owner: "ada"}, Limit: quota.Limit{MaxBytes: -1}},
		meta.CreateBucket{Bucket: meta.Bucket{Name: "new"}},
		meta.SetLimit{Scope: quota.OwnerScope(""), Limit: quota.Limit{MaxObjects: 1}},
		meta.SetLimit{Scope: quota.OwnerScope("bob"), Limit: quota.Limit{MaxObjects: -1}},
		meta.SetLimit{Scope: quota.BucketScope("b"), Limit: quota.Limit{MaxObjects: -1}},
		meta.SetLimit{Scope: quota.Scope{Kind: quota.Disk}},
		meta.SetLimit{Scope: quota.PrefixScope("b", ""), Limit: quota.Limit{MaxObjects: 1}},
		meta.SetLimit{Scope: quota.PrefixScope("b", strings.Repeat("k", 1025)), Limit: quota.Limit{MaxObjects: 1}},
		meta.SetLimit{Scope: quota.PrefixScope("b", "k"), Limit: quota.Limit{MaxObjects: -1}},
		meta.SetLimit{Scope: quota.Scope{Kind: quota.Owner, Name: "bob", Prefix: "k"}, Limit: quota.Limit{MaxObjects: 1}},
		createUpload("b", "k", "u"), // not new
		createUpload("b", "k", ""),
		createUpload("b", "", "u"),
		putPart("b", "k", "u", part(0, 50, 1)),
		putPart("b", "k", "u", part(10001, 50, 1)),
		putPart("b", "k", "u", part(1, 1, 10)),
		complete("b", "k", "u", "e", part(2, 3, 1), part(1, 4, 1)),
		nil,
	} {
		before := f.accounts()
		result := f.commit(m)[0]
		if result.Err == nil {
			f.Errorf("invalid mutation %d (%T) was committed", i, m)
		}
		f.untouched(result, before)
	}
	if results, err := f.repo.Commit(background, nil); err != nil || len(results) != 0 {
		f.Errorf("an empty batch: %v, %v", results, err)
	}
}

func testObjectQuota(f *fixture) {
	b, server := quota.BucketScope("b"), quota.ServerScope
	f.must(createBucket("b"), meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 100, MaxObjects: 2}})
	f.must(put("b", "k", object(1, 60)))
	f.exceeded(put("b", "l", object(2, 41)), b, quota.Bytes)
	f.must(put("b", "l", object(2, 40))) // exactly
	f.exceeded(put("b", "m", object(3)), b, quota.Objects)
	f.exceeded(put("b", "k", object(3, 61)), b, quota.Bytes)
	f.must(put("b", "k", object(3, 60)), meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 10, MaxObjects: 1}})
	f.must(put("b", "k", object(4, 60)), put("b", "k", object(5, 59))) // does not grow
	f.exceeded(put("b", "k", object(6, 60)), b, quota.Bytes)
	f.must(meta.DeleteObject{Bucket: "b", Key: "l"}) // deletes always pass
	f.usage("b", quota.Usage{Bytes: 59, Objects: 1})
	f.must(meta.SetLimit{Scope: b}, createBucket("c"), meta.SetLimit{Scope: server, Limit: quota.Limit{MaxBytes: 60}})
	f.exceeded(put("c", "k", object(6, 2)), server, quota.Bytes)
	f.must(createUpload("c", "u", "1"), putPart("c", "u", "1", part(1, 6, 1)))
	f.exceeded(put("c", "k", object(7, 1)), server, quota.Bytes) // parts count in full
	f.must(put("c", "k", object(7)))
	shared := meta.PutObject{Bucket: "c", Key: "copy", Object: object(5, 59), Shared: true}
	f.exceeded(shared, server, quota.Bytes) // a copy is charged in full
	f.must(meta.SetLimit{Scope: server, Limit: quota.Limit{MaxObjects: 2}})
	f.exceeded(shared, server, quota.Objects)
	f.must(meta.SetLimit{Scope: server}, shared)
	f.usage("", quota.Usage{Bytes: 118, Objects: 3, PartBytes: 1, Uploads: 1})
}

func testGarbage(f *fixture) {
	f.must(createBucket("b"))
	var all []meta.BlobID
	for i := range 10 {
		key := meta.Key(fmt.Sprint(i))
		f.must(put("b", key, object(i+1, 1)))
		all = append(all, blob(i+1))
	}
	for i := range 5 {
		f.must(meta.DeleteObject{Bucket: "b", Key: meta.Key(fmt.Sprint(i))})
	}
	page := func(after meta.BlobID, limit int, want []meta.BlobID) {
		f.Helper()
		if got, err := f.repo.Garbage(background, after, limit); err != nil || !slices.Equal(got, want) {
			f.Errorf("Garbage(%x, %d): %x, %v, want %x", after, limit, got, err, want)
		}
	}
	page(meta.BlobID{}, 3, all[:3])
	page(blob(3), 3, all[3:5])
	page(blob(5), 3, nil)
	page(meta.BlobID(bytes.Repeat([]byte{0xff}, 16)), 3, nil)
	f.must(meta.ForgetGarbage{Blobs: []meta.BlobID{blob(2), blob(3), blob(9), blob(99)}})
	page(meta.BlobID{}, 100, []meta.BlobID{blob(1), blob(4), blob(5)})
	known, err := f.repo.Known(background, []meta.BlobID{blob(1), blob(2), blob(9), blob(99)})
	if err != nil || !slices.Equal(known, []bool{true, false, true, false}) {
		f.Errorf("Known: %v, %v", known, err)
	}
	f.stat("b", "8")
}
