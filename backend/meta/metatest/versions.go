package metatest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func versioned(name meta.BucketName) meta.CreateBucket {
	m := createBucket(name)
	m.Bucket.Versioning = meta.VersioningEnabled
	return m
}

func suspend(name meta.BucketName) meta.SetVersioning {
	return meta.SetVersioning{Bucket: name, Versioning: meta.VersioningSuspended}
}

func enable(name meta.BucketName) meta.SetVersioning {
	return meta.SetVersioning{Bucket: name, Versioning: meta.VersioningEnabled}
}

func remove(bucket meta.BucketName, key meta.Key, version meta.VersionID) meta.DeleteObject {
	return meta.DeleteObject{Bucket: bucket, Key: key, Version: version, Now: now, Owner: "bob"}
}

// made commits a mutation that makes a version and returns its id.
func (f *fixture) made(m meta.Mutation) meta.VersionID {
	f.Helper()
	r := f.must(m)
	if _, err := meta.ParseVersionID(string(r.Version)); err != nil {
		f.Errorf("%T: %v", m, err)
	}
	return r.Version
}

// latestMarker returns the id of the delete marker that hides a key.
func (f *fixture) latestMarker(bucket meta.BucketName, key meta.Key) meta.VersionID {
	f.Helper()
	_, err := f.repo.Stat(background, bucket, key)
	var marker *meta.DeleteMarkerError
	if !errors.As(err, &marker) {
		f.Fatalf("Stat(%s, %q): error is %v, want a delete marker", bucket, key, err)
	}
	return marker.Version
}

// versions checks the versions of a bucket, newest first within a key: an object by its ETag, a delete marker by a
// dash, the null version with an exclamation mark.
func (f *fixture) versions(bucket meta.BucketName, want string) {
	f.Helper()
	var got []string
	for _, e := range versionsAll(f, f.repo, meta.ListVersionsRequest{Bucket: bucket}, 3) {
		s := string(e.Key) + ":" + string(e.Head.ETag)
		if e.Marker {
			s = string(e.Key) + ":-"
		}
		if e.Head.Version == meta.NullVersion {
			s += "!"
		}
		got = append(got, s)
	}
	if s := strings.Join(got, " "); s != want {
		f.Errorf("versions: %s, want %s", s, want)
	}
}

func testVersioning(f *fixture) {
	f.refused(enable("b"), meta.ErrNoSuchBucket)
	f.must(createBucket("b"))
	state := func(want meta.Versioning) {
		f.Helper()
		b, err := f.repo.Bucket(background, "b")
		if err != nil || b.Versioning != want {
			f.Errorf("bucket %+v, %v, want versioning %d", b, err, want)
		}
		if all, err := f.repo.Buckets(background); err != nil || len(all) != 1 || all[0] != b {
			f.Errorf("buckets %+v, %v, want %+v", all, err, b)
		}
	}
	state(meta.VersioningOff)
	f.must(suspend("b"))
	state(meta.VersioningSuspended)
	f.must(enable("b"), enable("b"))
	f.reopen()
	state(meta.VersioningEnabled)
	for _, v := range []meta.Versioning{meta.VersioningOff, 3} {
		if r := f.commit(meta.SetVersioning{Bucket: "b", Versioning: v})[0]; r.Err == nil {
			f.Errorf("versioning was set to %d", v)
		}
	}
	// Within a batch, and taken back with the bucket.
	f.commit(meta.DeleteBucket{Bucket: "b"}, createBucket("b"), put("b", "k", object(1, 1)))
	state(meta.VersioningOff)
	results := f.commit(enable("b"), put("b", "k", object(2, 1)), suspend("b"), put("b", "k", object(3, 1)))
	for i, want := range []meta.VersionID{"", "*", "", meta.NullVersion} {
		got := results[i].Version
		if want == "*" && got != "" && got != meta.NullVersion {
			continue
		}
		if got != want {
			f.Errorf("result %d has version %q, want %q", i, got, want)
		}
	}
	f.versions("b", "k:etag-3! k:etag-2")
}

func testVersionsEnabled(f *fixture) {
	f.must(createBucket("b"))
	if r := f.must(put("b", "k", object(1, 1))); r.Version != "" {
		f.Errorf("a bucket without versions has made version %q", r.Version)
	}
	f.must(enable("b"))
	second := f.made(put("b", "k", object(2, 20)))
	r := f.must(put("b", "k", object(3, 300)))
	f.wantGarbage(r)
	f.versions("b", "k:etag-3 k:etag-2 k:etag-1!")
	f.usage("b", quota.Usage{Bytes: 321, Objects: 3, Noncurrent: 2})
	if o := f.stat("b", "k"); o.Version != r.Version || o.Size != 300 {
		f.Errorf("latest: %+v, want version %s", o, r.Version)
	}
	f.statVersion("b", "k", second, 20)
	f.statVersion("b", "k", meta.NullVersion, 1)
	// A delete marker hides the key and frees nothing.
	r = f.must(remove("b", "k", ""))
	if !r.DeleteMarker || len(r.Garbage) > 0 {
		f.Errorf("a delete marker has the result %+v", r)
	}
	f.missing("b", "k", meta.ErrNoSuchKey)
	if page, err := f.repo.List(background, meta.ListRequest{Bucket: "b", Limit: 9}); err != nil || len(page.Entries) > 0 {
		f.Errorf("a hidden key is listed: %+v, %v", page, err)
	}
	f.usage("b", quota.Usage{Bytes: 321, Objects: 3, Noncurrent: 3, Markers: 1})
	f.must(remove("b", "k", ""), remove("b", "never", "")) // also twice, and where there is nothing
	f.versions("b", "k:- k:- k:etag-3 k:etag-2 k:etag-1! never:-")
	f.usage("", quota.Usage{Bytes: 321, Objects: 3, Noncurrent: 3, Markers: 3})
	f.made(put("b", "never", object(4, 1)))
	// A bucket is not empty while a delete marker is left.
	f.must(versioned("c"), remove("c", "k", ""))
	f.refused(meta.DeleteBucket{Bucket: "c"}, meta.ErrBucketNotEmpty)
	f.must(remove("c", "k", f.latestMarker("c", "k")), meta.DeleteBucket{Bucket: "c"})
	f.reopen()
	f.versions("b", "k:- k:- k:etag-3 k:etag-2 k:etag-1! never:etag-4 never:-")
}

func testVersionsRemoved(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 1)), enable("b"))
	second := f.made(put("b", "k", object(2, 20)))
	marker := f.made(remove("b", "k", ""))
	third := f.made(put("b", "k", object(3, 300)))
	steps := []struct {
		version meta.VersionID
		marker  bool
		garbage []meta.BlobID
		want    string
		usage   quota.Usage
	}{
		{
			"01ARZ3NDEKTSV4RRFFQ69G5FAV", false, nil, "k:etag-3 k:- k:etag-2 k:etag-1!",
			quota.Usage{Bytes: 321, Objects: 3, Noncurrent: 2, Markers: 1},
		},
		{
			third, false,
			[]meta.BlobID{blob(3)},
			"k:- k:etag-2 k:etag-1!",
			quota.Usage{Bytes: 21, Objects: 2, Noncurrent: 2, Markers: 1},
		},
		{third, false, nil, "k:- k:etag-2 k:etag-1!", quota.Usage{Bytes: 21, Objects: 2, Noncurrent: 2, Markers: 1}},
		{marker, true, nil, "k:etag-2 k:etag-1!", quota.Usage{Bytes: 21, Objects: 2, Noncurrent: 1}},
		{second, false, []meta.BlobID{blob(2)}, "k:etag-1!", quota.Usage{Bytes: 1, Objects: 1}},
		{meta.NullVersion, false, []meta.BlobID{blob(1)}, "", quota.Usage{}},
		{meta.NullVersion, false, nil, "", quota.Usage{}},
	}
	for i, step := range steps {
		r := f.must(remove("b", "k", step.version))
		if r.Version != step.version || r.DeleteMarker != step.marker {
			f.Errorf("step %d: result %+v", i, r)
		}
		f.wantGarbage(r, step.garbage...)
		f.versions("b", step.want)
		f.usage("b", step.usage)
		Recount(f, f.repo)
	}
	f.missing("b", "k", meta.ErrNoSuchKey)
	f.must(meta.DeleteBucket{Bucket: "b"})
	// A version is named in a bucket that never had any.
	f.must(createBucket("b"), put("b", "k", object(9, 1)))
	f.must(remove("b", "k", second))
	f.wantGarbage(f.must(remove("b", "k", meta.NullVersion)), blob(9))
	f.must(meta.DeleteBucket{Bucket: "b"})
}

func testVersionsSuspended(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 1)), enable("b"), put("b", "k", object(2, 20)), suspend("b"))
	// The null version is replaced although it is not the latest, and the new one is.
	r := f.must(put("b", "k", object(3, 300)))
	f.wantGarbage(r, blob(1))
	if r.Version != meta.NullVersion {
		f.Errorf("a put into a suspended bucket has made %q", r.Version)
	}
	f.versions("b", "k:etag-3! k:etag-2")
	f.usage("b", quota.Usage{Bytes: 320, Objects: 2, Noncurrent: 1})
	f.wantGarbage(f.must(put("b", "k", object(4, 5))), blob(3))
	f.versions("b", "k:etag-4! k:etag-2")
	// It is among the others once those are made again, in the order of time.
	f.must(enable("b"), put("b", "k", object(5, 1)), suspend("b"))
	f.versions("b", "k:etag-5 k:etag-4! k:etag-2")
	r = f.must(remove("b", "k", ""))
	f.wantGarbage(r, blob(4))
	if r.Version != meta.NullVersion || !r.DeleteMarker {
		f.Errorf("a deletion in a suspended bucket has the result %+v", r)
	}
	f.versions("b", "k:-! k:etag-5 k:etag-2")
	f.usage("b", quota.Usage{Bytes: 21, Objects: 2, Noncurrent: 2, Markers: 1})
	f.must(remove("b", "k", "")) // takes the place of the first
	f.versions("b", "k:-! k:etag-5 k:etag-2")
	f.must(put("b", "k", object(6, 1)))
	f.versions("b", "k:etag-6! k:etag-5 k:etag-2")
	f.usage("b", quota.Usage{Bytes: 22, Objects: 3, Noncurrent: 2})
	f.must(remove("b", "k", meta.NullVersion))
	f.versions("b", "k:etag-5 k:etag-2")
	f.must(remove("b", "none", ""))
	f.versions("b", "k:etag-5 k:etag-2 none:-!")
	f.must(enable("b"), put("b", "none", object(7, 1)))
	f.versions("b", "k:etag-5 k:etag-2 none:etag-7 none:-!")
	f.must(remove("b", "none", meta.NullVersion))
	f.versions("b", "k:etag-5 k:etag-2 none:etag-7")
}

func testVersionIDs(f *fixture) {
	f.must(versioned("b"))
	var last meta.VersionID
	for i, modified := range []time.Time{now, now, now.Add(-time.Hour), now.Add(time.Hour), now, {}} {
		key := meta.Key(fmt.Sprint(i % 2))
		o := object(i+1, 1)
		o.Modified = modified
		id := f.made(put("b", key, o))
		if id <= last {
			f.Errorf("version %s was made after %s", id, last)
		}
		if last = id; i == 3 {
			f.reopen() // what a process has made does not bind the next, but what a key has does
			last = ""
		}
	}
	old := object(10, 1)
	old.Modified = now.Add(-24 * time.Hour)
	f.must(put("b", "1", old))
	f.versions("b", "0:etag-5 0:etag-3 0:etag-1 1:etag-10 1:etag-6 1:etag-4 1:etag-2")
	for _, id := range []meta.VersionID{"x", "NULL", "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FAVX"} {
		f.refused(remove("b", "0", id), meta.ErrInvalidVersion)
		f.refused(meta.UpdateObject{Bucket: "b", Key: "0", Version: id}, meta.ErrInvalidVersion)
		if _, err := f.repo.StatVersion(background, "b", "0", id); !errors.Is(err, meta.ErrInvalidVersion) {
			f.Errorf("StatVersion of %q: %v", id, err)
		}
		_, err := f.repo.ListVersions(background, meta.ListVersionsRequest{
			Bucket: "b", KeyMarker: "0", VersionMarker: id, Limit: 1,
		})
		if !errors.Is(err, meta.ErrInvalidVersion) {
			f.Errorf("ListVersions after %q: %v", id, err)
		}
	}
	_, err := f.repo.StatVersion(background, "b", "0", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	if !errors.Is(err, meta.ErrNoSuchVersion) {
		f.Errorf("StatVersion of none: %v", err)
	}
	if _, err := f.repo.StatVersion(background, "x", "0", meta.NullVersion); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("StatVersion in no bucket: %v", err)
	}
}

func testVersionPreconditions(f *fixture) {
	f.must(versioned("b"))
	first := object(1, 1)
	first.Modified = now.Add(-time.Minute)
	old := f.made(put("b", "k", first))
	latest := f.made(put("b", "k", object(2, 1)))
	f.must(put("b", "gone", object(3, 1)))
	marker := f.made(remove("b", "gone", ""))
	match := func(etag meta.ETag) meta.Precondition { return meta.Precondition{IfMatch: etag} }
	at := func(t time.Time) meta.Precondition { return meta.Precondition{IfModified: t} }
	noncurrent := meta.Precondition{IfNoncurrent: true}
	for i, test := range []struct {
		key     meta.Key
		version meta.VersionID
		p       meta.Precondition
		want    error
	}{
		{"k", "", match("etag-1"), meta.ErrPreconditionFailed},
		{"k", old, match("etag-2"), meta.ErrPreconditionFailed},
		{"k", "01ARZ3NDEKTSV4RRFFQ69G5FAV", match("*"), meta.ErrNoSuchVersion},
		{"gone", "", match("*"), meta.ErrNoSuchKey},
		{"gone", marker, match("*"), meta.ErrPreconditionFailed},
		{"k", "", at(now.Add(-time.Minute)), meta.ErrPreconditionFailed},
		{"k", old, at(now), meta.ErrPreconditionFailed},
		{"gone", "", at(now), meta.ErrPreconditionFailed},
		{"none", "", at(now), meta.ErrPreconditionFailed},
		{"k", latest, noncurrent, meta.ErrPreconditionFailed},
		{"gone", marker, noncurrent, meta.ErrPreconditionFailed},
	} {
		m := remove("b", test.key, test.version)
		m.Precondition = test.p
		before := f.accounts()
		r := f.commit(m)[0]
		if !errors.Is(r.Err, test.want) {
			f.Errorf("test %d: %v, want %v", i, r.Err, test.want)
		}
		f.untouched(r, before)
	}
	// A delete marker is no object to a put.
	m := put("b", "gone", object(4, 1))
	m.Precondition = match("*")
	f.refused(m, meta.ErrNoSuchKey)
	m.Precondition = meta.Precondition{IfNoneMatch: true}
	f.must(m)
	for _, ok := range []struct {
		key     meta.Key
		version meta.VersionID
		p       meta.Precondition
	}{
		{"gone", marker, at(now)},
		{"k", old, meta.Precondition{IfNoncurrent: true, IfModified: first.Modified, IfMatch: "etag-1"}},
		{"k", old, noncurrent}, // not there
		{"k", "", meta.Precondition{IfMatch: "etag-2", IfModified: now}},
	} {
		m := remove("b", ok.key, ok.version)
		m.Precondition = ok.p
		f.must(m)
	}
	f.versions("b", "gone:etag-4 gone:etag-3 k:- k:etag-2")
}

func testVersionQuota(f *fixture) {
	b := quota.BucketScope("b")
	f.must(createBucket("b"), put("b", "k", object(1, 60)), enable("b"))
	f.must(meta.SetLimit{Scope: b, Limit: quota.Limit{MaxBytes: 100, MaxObjects: 2}})
	f.exceeded(put("b", "k", object(2, 41)), b, quota.Bytes) // nothing is credited
	f.must(put("b", "k", object(2, 40)))
	f.exceeded(put("b", "k", object(3)), b, quota.Objects)
	f.must(remove("b", "k", ""), remove("b", "l", "")) // markers are charged nothing
	f.must(suspend("b"), put("b", "k", object(3, 60))) // in the place of the first
	f.exceeded(put("b", "k", object(4, 61)), b, quota.Bytes)
	f.usage("b", quota.Usage{Bytes: 100, Objects: 2, Noncurrent: 1, Markers: 2})
	f.must(createUpload("b", "k", "1"), putPart("b", "k", "1", part(1, 5, 60)))
	f.exceeded(putPart("b", "k", "1", part(1, 6, 61)), b, quota.Bytes)
	f.must(enable("b"))
	f.exceeded(putPart("b", "k", "1", part(1, 6, 60)), b, quota.Bytes)
	f.exceeded(complete("b", "k", "1", "e", part(1, 5, 60)), b, quota.Bytes)
	f.must(suspend("b"))
	f.wantGarbage(f.must(complete("b", "k", "1", "e", part(1, 5, 60))), blob(3))
	f.versions("b", "k:e! k:- k:etag-2 l:-")
	f.usage("b", quota.Usage{Bytes: 100, Objects: 2, Noncurrent: 1, Markers: 2})
}

// testVersionBlobs: a blob that versions share is garbage when the last of them is gone.
func testVersionBlobs(f *fixture) {
	encrypted := object(1, 10)
	encrypted.Segments[0].Stored = 26
	f.must(versioned("b"))
	first := f.made(put("b", "k", encrypted))
	shared := meta.PutObject{Bucket: "b", Key: "k", Object: encrypted, Shared: true}
	second := f.made(shared)
	f.usage("b", quota.Usage{Bytes: 20, Objects: 2, Noncurrent: 1})
	rows, err := f.repo.Blobs(background, []meta.BlobID{blob(1)})
	if err != nil || rows[0] != (meta.BlobRow{Blob: blob(1), Size: 26, References: 2}) {
		f.Errorf("Blobs: %+v, %v", rows, err)
	}
	f.statVersion("b", "k", first, 10)
	f.wantGarbage(f.must(remove("b", "k", second)))
	r := f.must(remove("b", "k", first))
	f.wantGarbage(r, blob(1))
	if r.Garbage[0].Size != 26 {
		f.Errorf("garbage %+v", r.Garbage)
	}
}

func (f *fixture) statVersion(bucket meta.BucketName, key meta.Key, version meta.VersionID, size int64) {
	f.Helper()
	o, err := f.repo.StatVersion(background, bucket, key, version)
	if err != nil || o.Size != size || o.Version != version {
		f.Errorf("StatVersion(%s, %q, %s): %+v, %v", bucket, key, version, o, err)
	}
}
