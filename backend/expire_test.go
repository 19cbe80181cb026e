package backend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

const day = 24 * time.Hour

// clock is a clock that stands still until it is moved.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) options(o *Options)   { o.Now = func() time.Time { return time.UnixMilli(c.now.Load()) } }
func (c *clock) move(d time.Duration) { c.now.Add(d.Milliseconds()) }

// listHook calls listed after each page of versions.
type listHook struct {
	meta.Repository
	listed func()
}

func (h *listHook) ListVersions(ctx context.Context, r meta.ListVersionsRequest) (meta.VersionsPage, error) {
	page, err := h.Repository.ListVersions(ctx, r)
	h.listed()
	return page, err
}

func (f *fixture) rules(bucket meta.BucketName, rules ...lifecycle.Rule) {
	f.t.Helper()
	for i := range rules {
		rules[i].Enabled = true
	}
	c := lifecycle.Configuration{Rules: rules}
	if err := f.PutBucketConfig(background, bucket, ConfigLifecycle, c.Marshal()); err != nil {
		f.t.Fatal(err)
	}
}

// contents are the versions of a bucket, newest first, as "key" with an exclamation mark for a delete marker.
func (f *fixture) contents(bucket meta.BucketName) []string {
	f.t.Helper()
	page, err := f.ListObjectVersions(background, meta.ListVersionsRequest{Bucket: bucket, Limit: 10_000})
	if err != nil {
		f.t.Fatal(err)
	}
	var names []string
	for _, v := range page.Entries {
		name := string(v.Key)
		if v.Marker {
			name += "!"
		}
		names = append(names, name)
	}
	return names
}

func (f *fixture) wantContents(bucket meta.BucketName, want ...string) {
	f.t.Helper()
	if got := f.contents(bucket); !slices.Equal(got, want) {
		f.t.Errorf("%s holds %q, want %q", bucket, got, want)
	}
}

// tagged puts an object with tags.
func (f *fixture) tagged(key meta.Key, tags ...meta.Tag) {
	f.t.Helper()
	_, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: key, Owner: "ada", Body: body([]byte(key)), Settings: meta.Settings{Tags: tags},
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// wantExpired requires what has been removed, by the metric.
func (f *fixture) wantExpired(want map[string]float64) {
	f.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(f.metrics.expired)
	families, err := registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, m := range families[0].Metric {
		if kind, got := m.Label[0].GetValue(), m.Counter.GetValue(); got != want[kind] {
			f.t.Errorf("%v of %s have expired by the metric, want %v", got, kind, want[kind])
		}
	}
}

func TestExpireUnversioned(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	bytes := func(n int64) *int64 { return &n }
	f.put("logs/1", noise(100, 1))
	f.put("logs/large", noise(5000, 2))
	f.put("other", noise(100, 3))
	f.tagged("logs/red", meta.Tag{Key: "colour", Value: "red"}, meta.Tag{Key: "size", Value: "s"})
	f.tagged("logs/blue", meta.Tag{Key: "colour", Value: "blue"})
	f.rules("b",
		lifecycle.Rule{ID: "large", ExpireDays: 1, Filter: lifecycle.Filter{Prefix: "logs/", SizeGreaterThan: bytes(4999)}},
		lifecycle.Rule{
			ID: "red", ExpireDays: 2,
			Filter: lifecycle.Filter{Prefix: "logs/", Tags: []lifecycle.Tag{{Key: "colour", Value: "red"}}},
		},
		lifecycle.Rule{ID: "logs", ExpireDays: 3, Filter: lifecycle.Filter{Prefix: "logs/"}},
	)
	f.expire(background)
	f.wantContents("b", "logs/1", "logs/blue", "logs/large", "logs/red", "other")
	c.move(36 * time.Hour) // midnight after a day
	f.expire(background)
	f.wantContents("b", "logs/1", "logs/blue", "logs/red", "other")
	c.move(day)
	f.expire(background)
	f.wantContents("b", "logs/1", "logs/blue", "other")
	c.move(day)
	f.expire(background)
	f.wantContents("b", "other")
	f.wantUsage(bucketB, quota.Usage{Bytes: 100, Objects: 1})
	f.wantUsage(quota.ServerScope, quota.Usage{Bytes: 100, Objects: 1})
	f.wantExpired(map[string]float64{expiredObject: 4})
}

func TestExpireVersions(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.setVersioning(meta.VersioningEnabled)
	for i := range 4 {
		f.put("k", noise(100, uint64(i)))
		c.move(time.Minute)
	}
	f.rules("b", lifecycle.Rule{ID: "all", ExpireDays: 10, NoncurrentDays: 3, NewerNoncurrent: 1})
	c.move(4 * day)
	f.expire(background)
	f.wantContents("b", "k", "k")
	f.wantUsage(bucketB, quota.Usage{Bytes: 200, Objects: 2, Noncurrent: 1})

	c.move(7 * day)
	f.expire(background)
	f.wantContents("b", "k!", "k", "k") // the rule keeps one noncurrent version; the other is one since now
	f.wantGone("k")
	f.wantUsage(bucketB, quota.Usage{Bytes: 200, Objects: 2, Noncurrent: 2, Markers: 1})

	c.move(4 * day)
	f.expire(background)
	f.wantContents("b", "k!", "k")
	f.rules("b", lifecycle.Rule{ID: "all", NoncurrentDays: 3}, lifecycle.Rule{ID: "markers", ExpireMarkers: true})
	f.expire(background)
	f.wantContents("b", "k!")
	f.expire(background)
	f.wantContents("b")
	f.wantUsage(bucketB, quota.Usage{})
	f.wantExpired(map[string]float64{expiredObject: 1, expiredVersion: 4, expiredMarker: 1})
}

// Whatever a bucket holds, and wherever its pages end, a pass removes what lifecycle.Expired says of each key.
func TestExpireDecidesByKey(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	r := rand.New(rand.NewPCG(1, 2))
	for _, state := range []meta.Versioning{meta.VersioningOff, meta.VersioningEnabled, meta.VersioningSuspended} {
		if state != meta.VersioningOff {
			f.setVersioning(state)
		}
		f.delete(meta.Key(fmt.Sprintf("k00-%d", state))) // a marker that hides nothing, between other keys
		for range 60 {
			key := meta.Key(fmt.Sprintf("k%02d", r.IntN(10)))
			if r.IntN(4) == 0 {
				f.delete(key)
			} else {
				f.tagged(key, meta.Tag{Key: "n", Value: fmt.Sprint(r.IntN(2))})
			}
			c.move(time.Hour)
		}
	}
	rules := lifecycle.Configuration{Rules: []lifecycle.Rule{
		{ID: "tag", Enabled: true, ExpireDays: 2, Filter: lifecycle.Filter{Tags: []lifecycle.Tag{{Key: "n", Value: "1"}}}},
		{ID: "old", Enabled: true, NoncurrentDays: 1, NewerNoncurrent: 2},
		{ID: "markers", Enabled: true, ExpireMarkers: true},
	}}
	f.rules("b", rules.Rules...)
	before, err := f.ListObjectVersions(background, meta.ListVersionsRequest{Bucket: "b", Limit: 1000, Full: true})
	if err != nil || len(before.Entries) <= 2*expireRowsPage {
		t.Fatalf("%d versions, %v", len(before.Entries), err)
	}
	var want []string
	removed := 0
	name := func(v meta.VersionEntry) string { return fmt.Sprint(v.Key, " ", v.Head.Version, " ", v.Head.Modified) }
	for i := 0; i < len(before.Entries); {
		var versions []lifecycle.Version
		first := i
		for ; i < len(before.Entries) && before.Entries[i].Key == before.Entries[first].Key; i++ {
			e := &before.Entries[i]
			v := lifecycle.Version{Key: string(e.Key), Modified: e.Head.Modified, Marker: e.Marker}
			if o := e.Object; o != nil {
				v.Tags = append(v.Tags, lifecycle.Tag(o.Tags[0]))
			}
			versions = append(versions, v)
		}
		expired := rules.Expired(versions, f.timestamp())
		removed += len(expired)
		for n := range versions {
			// An object that was the latest is hidden by a marker, and stays, but for one that the marker replaces.
			v := before.Entries[first+n]
			hidden := n == 0 && !v.Marker && v.Head.Version != meta.NullVersion
			if hidden || !slices.Contains(expired, n) {
				want = append(want, name(v))
			}
		}
	}
	if removed < 10 {
		t.Fatalf("only %d versions expire", removed)
	}
	f.expire(background)
	after, err := f.ListObjectVersions(background, meta.ListVersionsRequest{Bucket: "b", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range after.Entries {
		if !v.Marker || !v.Head.Modified.Equal(f.timestamp()) {
			got = append(got, name(v))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("left are\n%q, want\n%q", got, want)
	}
}

func TestExpireUploads(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	old := f.createUpload("raw/1", meta.Upload{})
	f.part("raw/1", old, 1, noise(1000, 1))
	other := f.createUpload("kept", meta.Upload{})
	c.move(2 * day)
	young := f.createUpload("raw/1", meta.Upload{})
	f.rules("b", lifecycle.Rule{ID: "raw", AbortDays: 2, Filter: lifecycle.Filter{Prefix: "raw/"}})
	c.move(day / 2)
	f.expire(background)
	page, err := f.ListMultipartUploads(background, meta.UploadsRequest{Bucket: "b", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var left []meta.UploadID
	for _, u := range page.Entries {
		left = append(left, u.Upload.ID)
	}
	if !slices.Equal(left, []meta.UploadID{other, young}) {
		t.Errorf("left are %q, want %q and %q", left, other, young)
	}
	f.wantUsage(bucketB, quota.Usage{Uploads: 2})
}

// A locked version stays until its time, and does not keep others from expiring.
func TestExpireRespectsLocks(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	if err := f.CreateBucket(background, CreateBucketInput{Name: "locked", Owner: "ada", ObjectLock: true}); err != nil {
		t.Fatal(err)
	}
	put := func(key meta.Key, s meta.Settings) {
		t.Helper()
		_, err := f.PutObject(background, PutObjectInput{Bucket: "locked", Key: key, Body: body([]byte("x")), Settings: s})
		if err != nil {
			t.Fatal(err)
		}
		c.move(time.Minute)
	}
	until := f.timestamp().Add(20 * day)
	put("k", meta.Settings{Retention: meta.Retention{Mode: meta.RetentionGovernance, Until: until}})
	put("k", meta.Settings{LegalHold: meta.LegalHoldOn})
	put("k", meta.Settings{})
	put("k", meta.Settings{LegalHold: meta.LegalHoldOn})
	f.rules("locked", lifecycle.Rule{ID: "all", ExpireDays: 1, NoncurrentDays: 1})
	c.move(3 * day)
	f.expire(background)
	f.wantContents("locked", "k!", "k", "k", "k")
	c.move(18 * day)
	f.expire(background)
	f.wantContents("locked", "k!", "k", "k")
}

// What is written, restored or taken out of the rules between decision and deletion stays.
func TestExpireRaces(t *testing.T) {
	for name, test := range map[string]struct {
		versioning meta.Versioning
		meanwhile  func(f *fixture)
		want       []string
	}{
		"the object is overwritten": {meta.VersioningOff, func(f *fixture) { f.put("k", []byte("new")) }, []string{"k"}},
		"a version is put on top": {
			meta.VersioningEnabled, func(f *fixture) { f.put("k", []byte("new")) }, []string{"k", "k"},
		},
		"the object is deleted":  {meta.VersioningOff, func(f *fixture) { f.delete("k") }, nil},
		"the bucket has no rule": {meta.VersioningOff, func(f *fixture) { f.unrule() }, []string{"k"}},
		"the noncurrent version becomes the latest": {meta.VersioningEnabled, func(f *fixture) {
			page, err := f.ListObjectVersions(background, meta.ListVersionsRequest{Bucket: "b", Limit: 1})
			if err != nil {
				f.t.Fatal(err)
			}
			_, err = f.DeleteObject(background, DeleteObjectInput{Bucket: "b", Key: "k", Version: page.Entries[0].Head.Version})
			if err != nil {
				f.t.Fatal(err)
			}
		}, []string{"k"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			hook := &listHook{listed: func() {}}
			f := open(t, c.options, func(o *Options) {
				o.wrap = func(m meta.Repository, b blob.Store) (meta.Repository, blob.Store) {
					hook.Repository = m
					return hook, b
				}
			})
			if test.versioning != meta.VersioningOff {
				f.setVersioning(test.versioning)
			}
			f.put("k", []byte("old"))
			c.move(time.Minute)
			if name == "the noncurrent version becomes the latest" {
				f.put("k", []byte("newer"))
				f.rules("b", lifecycle.Rule{ID: "all", NoncurrentDays: 1})
			} else {
				f.rules("b", lifecycle.Rule{ID: "all", ExpireDays: 1})
			}
			c.move(3 * day)
			hook.listed = func() {
				hook.listed = func() {}
				test.meanwhile(f)
			}
			f.expire(background)
			f.wantContents("b", test.want...)
		})
	}
}

func (f *fixture) unrule() {
	f.t.Helper()
	if err := f.PutBucketConfig(background, "b", ConfigLifecycle, nil); err != nil {
		f.t.Fatal(err)
	}
}

// A pass ends with its context, and one bucket's fault does not keep it from the others.
func TestExpireGoesOn(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.createBucket("a", quota.Limit{})
	if err := f.PutBucketConfig(background, "a", ConfigLifecycle, []byte("<not rules>")); err != nil {
		t.Fatal(err)
	}
	f.put("k", []byte("x"))
	f.rules("b", lifecycle.Rule{ID: "all", ExpireDays: 1})
	c.move(3 * day)
	over, cancel := context.WithCancel(background)
	cancel()
	f.expire(over)
	f.wantContents("b", "k")
	f.expire(background)
	f.wantContents("b")
}
