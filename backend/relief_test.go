package backend

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (f *fixture) prune(in PruneInput) PruneOutput {
	f.t.Helper()
	in.Bucket = "b"
	out, err := f.PruneVersions(background, in)
	if err != nil || out.Next != nil {
		f.t.Fatalf("%+v, %v", out, err)
	}
	return out
}

func TestPruneVersions(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.setVersioning(meta.VersioningEnabled)
	for i := range 4 { // each is noncurrent since the next was put
		f.put("a/k", noise(100+i, 1))
		c.move(day)
	}
	f.delete("a/k")
	c.move(day)
	f.put("a/k", noise(50, 1))
	f.put("b/k", noise(1000, 1))
	f.put("b/k", noise(7, 1))
	c.move(day)

	older := func(days int) lifecycle.Pruning { return lifecycle.Pruning{OlderThan: time.Duration(days) * day} }
	usage := quota.Usage{Bytes: 100 + 101 + 102 + 103 + 50 + 1007, Objects: 7, Noncurrent: 5, Markers: 1}
	for _, test := range []struct {
		name string
		in   PruneInput
		want PruneOutput
	}{
		// The first was made 6 days ago, and replaced 5 days ago.
		{"none is as old", PruneInput{Pruning: older(6)}, PruneOutput{}},
		{"exactly as old", PruneInput{Pruning: older(5)}, PruneOutput{Versions: 1, Bytes: 100}},
		{"two", PruneInput{Pruning: older(4)}, PruneOutput{Versions: 2, Bytes: 201}},
		{"all", PruneInput{}, PruneOutput{Versions: 5, Bytes: 1406, Markers: 1}},
		{"a prefix", PruneInput{Prefix: "a/"}, PruneOutput{Versions: 4, Bytes: 406, Markers: 1}},
		{"but for two", PruneInput{Pruning: lifecycle.Pruning{Keep: 2}}, PruneOutput{Versions: 2, Bytes: 201}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.in.DryRun = true
			got := f.prune(test.in)
			if got.Versions != test.want.Versions || got.Bytes != test.want.Bytes || got.Markers != test.want.Markers {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			f.wantUsage(bucketB, usage)
		})
	}
	got := f.prune(PruneInput{Pruning: older(4)})
	if got.Versions != 2 || got.Bytes != 201 || got.Read != 8 {
		t.Errorf("%+v", got)
	}
	usage.Bytes, usage.Objects, usage.Noncurrent = usage.Bytes-201, 5, 3
	f.wantUsage(bucketB, usage)
	f.prune(PruneInput{})
	f.wantContents("b", "a/k", "b/k")
	f.wantContent("a/k", noise(50, 1))
	if _, err := f.PruneVersions(background, PruneInput{Bucket: "none"}); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("no bucket: %v", err)
	}
}

func TestPruneRespectsLocks(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	if err := f.CreateBucket(background, CreateBucketInput{Name: "locked", Owner: "ada", ObjectLock: true}); err != nil {
		t.Fatal(err)
	}
	until := f.timestamp().Add(20 * day)
	for i, s := range []meta.Settings{
		{Retention: meta.Retention{Mode: meta.RetentionGovernance, Until: until}}, {LegalHold: meta.LegalHoldOn}, {}, {}, {},
	} {
		_, err := f.PutObject(background, PutObjectInput{
			Bucket: "locked", Key: "k", Body: body(noise(10+i, 1)), Settings: s,
		})
		if err != nil {
			t.Fatal(err)
		}
		c.move(time.Minute)
	}
	for _, dry := range []bool{true, false} {
		out, err := f.PruneVersions(background, PruneInput{Bucket: "locked", DryRun: dry})
		if err != nil || out.Versions != 2 || out.Bytes != 25 || out.LockedVersions != 2 || out.LockedBytes != 21 {
			t.Fatalf("%+v, %v", out, err)
		}
		if l := out.Locked; len(l) != 2 || !l[0].LegalHold || l[0].Size != 11 || !l[1].Retention.Until.Equal(until) {
			t.Errorf("kept are %+v", l)
		}
	}
	f.wantContents("locked", "k", "k", "k")
	c.move(21 * day)
	out, err := f.PruneVersions(background, PruneInput{Bucket: "locked"})
	if err != nil || out.Versions != 1 || out.LockedVersions != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

// Wherever a call ends, the next goes on as if it had not.
func TestPruneGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		var versions []lifecycle.Version
		at := now
		for range rapid.IntRange(1, 12).Draw(t, "versions") {
			at = at.Add(-time.Duration(rapid.IntRange(0, 50).Draw(t, "hours")) * time.Hour)
			versions = append(versions, lifecycle.Version{Modified: at, Marker: rapid.Bool().Draw(t, "marker")})
		}
		p := lifecycle.Pruning{
			OlderThan: time.Duration(rapid.IntRange(0, 100).Draw(t, "older")) * time.Hour,
			Keep:      rapid.IntRange(0, 3).Draw(t, "keep"),
		}
		var whole, parts []bool
		judge := p.Judge(now)
		for i := range versions {
			whole = append(whole, judge.Next(&versions[i], false))
		}
		judge = p.Judge(now)
		for i := range versions {
			parts = append(parts, judge.Next(&versions[i], false))
			judge = p.Resume(now, judge.Position())
		}
		if !slices.Equal(whole, parts) || whole[0] {
			t.Fatalf("%v in one go, %v in steps", whole, parts)
		}
		objects := 0
		for i, v := range versions {
			want := i > 0 && objects >= p.Keep && now.Sub(versions[i-1].Modified) >= p.OlderThan
			if whole[i] != want {
				t.Fatalf("version %d: %t", i, whole[i])
			}
			if i > 0 && !v.Marker {
				objects++
			}
		}
	})
}

// A key with more versions than a page has is pruned to the end.
func TestPruneLongKey(t *testing.T) {
	f := open(t)
	f.setVersioning(meta.VersioningEnabled)
	var batch []*proposal
	for range expirePage + 50 {
		p := &proposal{mutation: meta.PutObject{
			Bucket: "b", Key: "k", Object: meta.Object{ObjectHead: meta.ObjectHead{Modified: f.timestamp()}},
		}}
		if err := f.committer.enqueue(p); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, p)
	}
	for _, p := range batch {
		if _, err := p.wait(); err != nil {
			t.Fatal(err)
		}
	}
	if out := f.prune(PruneInput{Pruning: lifecycle.Pruning{Keep: 3}}); out.Versions != expirePage+50-1-3 {
		t.Errorf("%+v", out)
	}
	f.wantUsage(bucketB, quota.Usage{Objects: 4, Noncurrent: 3})
}

func TestAbortUploads(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	var ids []meta.UploadID
	for i := range 5 {
		id := f.createUpload(meta.Key(fmt.Sprintf("dir/%d", i%2)), meta.Upload{})
		f.part(meta.Key(fmt.Sprintf("dir/%d", i%2)), id, 1, noise(100+i, 1))
		ids = append(ids, id)
		c.move(time.Hour)
	}
	f.createBucket("empty", quota.Limit{})
	for scope, scopes := range map[quota.Scope]int{
		quota.ServerScope: 3, ownerAda: 3, bucketB: 3, quota.BucketScope("empty"): 0, quota.OwnerScope("bob"): 0,
	} {
		oldest, err := f.OldestUploads(background, scope)
		if err != nil || len(oldest) != scopes {
			t.Errorf("%s: %v, %v", scope, oldest, err)
		}
		if at := oldest[scope]; scopes > 0 && !at.Equal(f.timestamp().Add(-5*time.Hour)) {
			t.Errorf("%s: %v", scope, at)
		}
	}
	find := func(filter UploadFilter, limit int) (found []meta.UploadID) {
		t.Helper()
		filter.Bucket = "b"
		for {
			page, err := f.FindUploads(background, filter, limit)
			if err != nil || len(page.Uploads) > limit {
				t.Fatalf("%+v, %v", page, err)
			}
			for _, u := range page.Uploads {
				found = append(found, u.ID)
			}
			if page.Next == nil {
				return found
			}
			filter.After = *page.Next
		}
	}
	for _, test := range []struct {
		filter UploadFilter
		want   []meta.UploadID
	}{
		{UploadFilter{}, []meta.UploadID{ids[0], ids[2], ids[4], ids[1], ids[3]}},
		{UploadFilter{OlderThan: 3 * time.Hour}, []meta.UploadID{ids[0], ids[2], ids[1]}},
		{UploadFilter{OlderThan: 9 * time.Hour}, nil},
		{UploadFilter{Prefix: "dir/1"}, []meta.UploadID{ids[1], ids[3]}},
		{UploadFilter{Key: "dir/"}, nil},
		{UploadFilter{Key: "dir/0", ID: ids[2]}, []meta.UploadID{ids[2]}},
		{UploadFilter{Key: "dir/1", ID: ids[2]}, nil},
	} {
		for limit := 1; limit < 7; limit++ {
			if got := find(test.filter, limit); !slices.Equal(got, test.want) {
				t.Errorf("%+v by %d: %q, want %q", test.filter, limit, got, test.want)
			}
		}
	}
	abort := func(filter UploadFilter, dry bool) (AbortedUploads, error) {
		filter.Bucket = "b"
		return f.AbortUploads(background, filter, dry)
	}
	for _, dry := range []bool{true, false} {
		got, err := abort(UploadFilter{OlderThan: 3 * time.Hour}, dry)
		if err != nil || got != (AbortedUploads{Uploads: 3, Bytes: 303}) {
			t.Errorf("dry run %t: %+v, %v", dry, got, err)
		}
	}
	f.wantUsage(bucketB, quota.Usage{PartBytes: 207, Uploads: 2})
	if _, err := abort(UploadFilter{Key: "dir/0", ID: ids[0]}, false); !errors.Is(err, meta.ErrNoSuchUpload) {
		t.Errorf("one that is aborted: %v", err)
	}
	if got, err := abort(UploadFilter{Key: "dir/1", ID: ids[3]}, false); err != nil || got.Bytes != 103 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := abort(UploadFilter{}, false); err != nil || got.Bytes != 104 {
		t.Errorf("%+v, %v", got, err)
	}
	f.wantUsage(bucketB, quota.Usage{})
	if _, err := f.FindUploads(background, UploadFilter{Bucket: "none"}, 1); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("no bucket: %v", err)
	}
}
