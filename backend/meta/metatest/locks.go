package metatest

import (
	"errors"
	"reflect"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

func locked(name meta.BucketName) meta.CreateBucket {
	m := versioned(name)
	m.Bucket.ObjectLock = true
	return m
}

func testObjectLock(f *fixture) {
	m := createBucket("b")
	m.Bucket.ObjectLock = true
	f.refused(m, meta.ErrLockNeedsVersioning)
	f.must(createBucket("b"), locked("c"))
	f.refused(meta.SetObjectLock{Bucket: "x"}, meta.ErrNoSuchBucket)
	f.refused(meta.SetObjectLock{Bucket: "b"}, meta.ErrLockNeedsVersioning)
	f.must(suspend("b"))
	f.refused(meta.SetObjectLock{Bucket: "b"}, meta.ErrLockNeedsVersioning)
	f.must(enable("b"), meta.SetObjectLock{Bucket: "b"}, meta.SetObjectLock{Bucket: "b"}, enable("b"))
	f.reopen()
	for _, name := range []meta.BucketName{"b", "c"} {
		if b, err := f.repo.Bucket(background, name); err != nil || !b.ObjectLock {
			f.Errorf("bucket %+v, %v", b, err)
		}
		f.refused(suspend(name), meta.ErrLockNeedsVersioning)
	}
}

const (
	governance = meta.RetentionGovernance
	compliance = meta.RetentionCompliance
)

func until(mode meta.RetentionMode, d time.Duration) meta.Retention {
	return meta.Retention{Mode: mode, Until: now.Add(d)}
}

func testLockedRemoval(f *fixture) {
	for _, test := range []struct {
		name     string
		settings meta.Settings
		bypass   bool
		removed  bool
	}{
		{"nothing", meta.Settings{}, false, true},
		{"a hold", meta.Settings{LegalHold: meta.LegalHoldOn}, true, false},
		{"a hold that is off", meta.Settings{LegalHold: meta.LegalHoldOff}, false, true},
		{"governance", meta.Settings{Retention: until(governance, time.Second)}, false, false},
		{"governance, bypassed", meta.Settings{Retention: until(governance, time.Second)}, true, true},
		{"governance that is over", meta.Settings{Retention: until(governance, 0)}, false, true},
		{"compliance", meta.Settings{Retention: until(compliance, time.Millisecond)}, true, false},
		{"compliance that is over", meta.Settings{Retention: until(compliance, 0)}, false, true},
		{"both", meta.Settings{Retention: until(governance, time.Second), LegalHold: meta.LegalHoldOn}, true, false},
	} {
		bucket := meta.BucketName(test.name)
		o := object(1)
		o.Settings = test.settings
		f.must(locked(bucket))
		id := f.made(put(bucket, "k", o))
		f.must(remove(bucket, "k", "")) // a marker removes nothing
		m := remove(bucket, "k", id)
		m.Bypass = test.bypass
		before := f.accounts()
		r := f.commit(m)[0]
		switch {
		case test.removed && r.Err != nil, !test.removed && !errors.Is(r.Err, meta.ErrObjectLocked):
			f.Errorf("%s: %v", test.name, r.Err)
		case !test.removed:
			f.untouched(r, before)
		}
	}
	// A null version that is locked is neither replaced nor removed; that is not what buckets with object lock do.
	held := object(1)
	held.LegalHold = meta.LegalHoldOn
	f.must(createBucket("b"), put("b", "k", held), createUpload("b", "k", "u"))
	for _, change := range []meta.SetVersioning{{}, suspend("b")} {
		if change.Bucket != "" {
			f.must(change)
		}
		f.refused(put("b", "k", object(2)), meta.ErrObjectLocked)
		f.refused(complete("b", "k", "u", "e"), meta.ErrObjectLocked)
		f.refused(remove("b", "k", ""), meta.ErrObjectLocked)
	}
	f.must(enable("b"), put("b", "k", object(2)), suspend("b"))
	f.refused(put("b", "k", object(3)), meta.ErrObjectLocked)
	f.versions("b", "k:etag-2 k:etag-1!")
}

func testRetentionRules(f *fixture) {
	for _, test := range []struct {
		name     string
		old, new meta.Retention
		bypass   bool
		allowed  bool
	}{
		{"none becomes any", meta.Retention{}, until(compliance, time.Hour), false, true},
		{"governance lasts longer", until(governance, time.Hour), until(governance, 2*time.Hour), false, true},
		{"governance as it is", until(governance, time.Hour), until(governance, time.Hour), false, true},
		{"governance ends sooner", until(governance, time.Hour), until(governance, time.Minute), false, false},
		{"governance ends sooner, bypassed", until(governance, time.Hour), until(governance, time.Minute), true, true},
		{"governance is taken away", until(governance, time.Hour), meta.Retention{}, false, false},
		{"governance is taken away, bypassed", until(governance, time.Hour), meta.Retention{}, true, true},
		{"governance becomes compliance", until(governance, time.Hour), until(compliance, 2*time.Hour), false, false},
		{"governance becomes compliance, bypassed", until(governance, time.Hour), until(compliance, time.Hour), true, true},
		{"compliance lasts longer", until(compliance, time.Hour), until(compliance, 2*time.Hour), false, true},
		{"compliance ends sooner", until(compliance, time.Hour), until(compliance, time.Minute), true, false},
		{"compliance becomes governance", until(compliance, time.Hour), until(governance, 2*time.Hour), true, false},
		{"compliance is taken away", until(compliance, time.Hour), meta.Retention{}, true, false},
		{"compliance that is over", until(compliance, -time.Hour), meta.Retention{}, false, true},
		{"governance that is over", until(governance, -time.Hour), until(compliance, time.Minute), false, true},
	} {
		bucket := meta.BucketName(test.name)
		o := object(1)
		o.Retention = test.old
		f.must(locked(bucket), put(bucket, "k", o))
		m := meta.UpdateObject{Bucket: bucket, Key: "k", Retention: &test.new, Bypass: test.bypass, Now: now}
		want := test.new
		if test.allowed {
			f.must(m)
		} else {
			f.refused(m, meta.ErrObjectLocked)
			want = test.old
		}
		if got := f.stat(bucket, "k").Retention; got != want {
			f.Errorf("%s: retention %+v, want %+v", test.name, got, want)
		}
	}
	f.must(locked("b"), put("b", "k", object(1)))
	for _, r := range []meta.Retention{{Until: now}, {Mode: 3, Until: now}, {Mode: governance}} {
		if result := f.commit(meta.UpdateObject{Bucket: "b", Key: "k", Retention: &r, Now: now})[0]; result.Err == nil {
			f.Errorf("retention %+v was stored", r)
		}
	}
}

func testUpdateObject(f *fixture) {
	f.refused(meta.UpdateObject{Bucket: "b", Key: "k"}, meta.ErrNoSuchBucket)
	f.must(createBucket("b"))
	f.refused(meta.UpdateObject{Bucket: "b", Key: "k"}, meta.ErrNoSuchKey)
	f.refused(meta.UpdateObject{Bucket: "b", Key: "k", Version: meta.NullVersion}, meta.ErrNoSuchVersion)
	first := object(1, 10)
	first.Settings = meta.Settings{
		Tags: []meta.Tag{{Key: "z", Value: "1"}, {Key: "a", Value: "2"}}, LegalHold: meta.LegalHoldOff,
		Retention: until(governance, 0), ACL: []byte("acl"), Encryption: []byte("key"),
	}
	f.must(put("b", "k", first))
	if r := f.must(meta.UpdateObject{Bucket: "b", Key: "k", Tags: &[]meta.Tag{{Key: "b"}}}); r.Version != "" {
		f.Errorf("result %+v", r)
	}
	first.Tags, first.Version = []meta.Tag{{Key: "b"}}, meta.NullVersion
	f.wantObject(f.stat("b", "k"), first)
	f.must(enable("b"))
	second := f.made(put("b", "k", object(2, 20)))
	hold := meta.LegalHoldOn
	for _, m := range []meta.UpdateObject{{}, {Version: second}} {
		m.Bucket, m.Key, m.LegalHold = "b", "k", &hold
		if r := f.must(m); r.Version != second {
			f.Errorf("result %+v, want version %s", r, second)
		}
	}
	noTags, noACL := []meta.Tag(nil), []byte(nil)
	r := f.must(meta.UpdateObject{Bucket: "b", Key: "k", Version: meta.NullVersion, Tags: &noTags, ACL: &noACL})
	if r.Version != meta.NullVersion || r.Accounts != nil {
		f.Errorf("result %+v", r)
	}
	first.Tags, first.ACL = nil, nil
	o, err := f.repo.StatVersion(background, "b", "k", meta.NullVersion)
	if err != nil {
		f.Errorf("StatVersion: %v", err)
	}
	f.wantObject(o, first)
	want := object(2, 20)
	want.LegalHold, want.Version = meta.LegalHoldOn, second
	f.reopen()
	f.wantObject(f.stat("b", "k"), want)
	marker := f.made(remove("b", "k", ""))
	for _, version := range []meta.VersionID{"", marker} {
		r := f.commit(meta.UpdateObject{Bucket: "b", Key: "k", Version: version, Tags: &noTags})[0]
		var e *meta.DeleteMarkerError
		if !errors.As(r.Err, &e) || e.Version != marker || errors.Is(r.Err, meta.ErrNoSuchKey) != (version == "") {
			f.Errorf("an update of a delete marker: %v", r.Err)
		}
	}
	f.refused(
		meta.UpdateObject{Bucket: "b", Key: "k", Version: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, meta.ErrNoSuchVersion,
	)
}

func (f *fixture) wantObject(got, want meta.Object) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Errorf("object\n%+v, want\n%+v", got, want)
	}
}
