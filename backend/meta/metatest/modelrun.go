package metatest

import (
	"errors"
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// errMarker stands for a *meta.DeleteMarkerError.
var errMarker = errors.New("delete marker")

func testMutationsModel(t *testing.T, open Open) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		repo := open(t, dir)
		defer func() { _ = repo.Close() }()
		g := &generator{
			T: rt, model: newModel(),
			told: map[quota.Scope]quota.Account{quota.ServerScope: {Scope: quota.ServerScope}},
		}
		if g.odds(2, "versioned from the start") {
			g.commitBoth(repo, slices.Values([]meta.Mutation{versioned("b")}))
		}
		for range rapid.IntRange(1, 30).Draw(rt, "batches") {
			g.commitBoth(repo, g.batch())
		}
		compare(rt, repo, g.model)
		if err := repo.Close(); err != nil {
			rt.Fatalf("Close: %v", err)
		}
		repo = open(t, dir)
		compare(rt, repo, g.model)
	})
}

// commitBoth applies a batch to both and compares the results. The model goes first, one mutation at a time, since what
// is drawn next depends on it.
func (g *generator) commitBoth(repo meta.Repository, next iter.Seq[meta.Mutation]) {
	var (
		batch    []meta.Mutation
		outcomes []outcome
	)
	for mutation := range next {
		batch, outcomes = append(batch, mutation), append(outcomes, g.model.apply(mutation))
	}
	results, err := repo.Commit(background, batch)
	if err != nil {
		g.Fatalf("Commit: %v", err)
	}
	for i, want := range outcomes {
		got := results[i]
		if !sameError(got.Err, want.err) {
			g.Fatalf("%+v: %v, want %v", batch[i], got.Err, want.err)
		}
		if !slices.Equal(sortedBlobs(blobsOf(got.Garbage)), sortedBlobs(want.garbage)) {
			g.Fatalf("%+v: garbage %x, want %x", batch[i], got.Garbage, want.garbage)
		}
		g.compareVersion(batch[i], got, want)
	}
	g.compareTold(results)
}

// compareTold requires that who follows the accounts by the results alone knows all of them as they are.
func (g *generator) compareTold(results []meta.Result) {
	for _, r := range results {
		for _, a := range r.Accounts {
			g.told[a.Scope] = a
		}
		for _, scope := range r.RemovedScopes {
			delete(g.told, scope)
		}
	}
	told := slices.SortedFunc(maps.Values(g.told), func(a, b quota.Account) int {
		return quota.CompareScopes(a.Scope, b.Scope)
	})
	if want := g.model.accounts(); !slices.Equal(told, want) {
		g.Fatalf("the results tell of %+v, want %+v", told, want)
	}
}

func sameError(got, want error) bool {
	var (
		marker   *meta.DeleteMarkerError
		exceeded *quota.ExceededError
	)
	switch {
	case errors.As(want, &exceeded):
		return errors.As(got, &exceeded)
	case errors.Is(want, errMarker):
		return errors.As(got, &marker)
	default:
		return errors.Is(got, want)
	}
}

// compareVersion compares what a result tells of a version, and learns the ids of new ones: each is greater than all
// before it.
func (g *generator) compareVersion(m meta.Mutation, got meta.Result, want outcome) {
	if want.made != nil && !want.made.null {
		if id := want.made.object.Version; id != "" {
			want.version = id
		} else {
			id, err := meta.ParseVersionID(string(got.Version))
			if err != nil || id == meta.NullVersion || id <= g.newest {
				g.Fatalf("%+v: version %q after %q, %v", m, id, g.newest, err)
			}
			want.made.object.Version, want.version, g.newest = id, id, id
		}
	}
	if got.Version != want.version || got.DeleteMarker != want.marker {
		g.Fatalf("%+v: version %q, delete marker %t; want %q, %t",
			m, got.Version, got.DeleteMarker, want.version, want.marker)
	}
}

// compare checks everything that can be read against the model.
func compare(t TB, repo meta.Repository, m *model) {
	t.Helper()
	Recount(t, repo)
	accounts, err := repo.Accounts(background)
	if err != nil || !slices.Equal(accounts, m.accounts()) {
		t.Fatalf("accounts %+v, %v, want %+v", accounts, err, m.accounts())
	}
	garbage, err := repo.Garbage(background, meta.BlobID{}, 1<<20)
	want := sortedBlobs(slices.Collect(maps.Keys(m.garbage)))
	if err != nil || !slices.Equal(garbage, want) {
		t.Fatalf("garbage %x, %v, want %x", garbage, err, want)
	}
	compareEvents(t, repo, m)
	for r, value := range m.records {
		if got, err := repo.Record(background, r.kind, r.name); err != nil || string(got) != value {
			t.Fatalf("record %+v: %q, %v, want %q", r, got, err, value)
		}
	}
	for name, b := range m.buckets {
		row, err := repo.Bucket(background, name)
		if err != nil || row.Versioning != b.versioning || row.ObjectLock != b.lock {
			t.Fatalf("bucket %+v, %v, want versioning %d, lock %t", row, err, b.versioning, b.lock)
		}
		compareConfigs(t, repo, name, b)
		compareObjects(t, repo, name, b)
		compareVersions(t, repo, name, b)
		compareUploads(t, repo, name, b)
	}
}

func compareConfigs(t TB, repo meta.Repository, name meta.BucketName, b *modelBucket) {
	configs, err := repo.BucketConfigs(background, name)
	if err != nil || len(configs) != len(b.configs) {
		t.Fatalf("BucketConfigs: %+v, %v, want %+v", configs, err, b.configs)
	}
	for _, c := range configs {
		if want, exists := b.configs[c.Kind]; !exists || string(c.Value) != want {
			t.Fatalf("configuration %+v, want %q", c, want)
		}
	}
}

func compareObjects(t TB, repo meta.Repository, name meta.BucketName, b *modelBucket) {
	var keys []item
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		o, err := repo.Stat(background, name, key)
		latest := b.versions[key][0]
		if latest.marker {
			var marker *meta.DeleteMarkerError
			if !errors.As(err, &marker) || !errors.Is(err, meta.ErrNoSuchKey) || marker.Version != latest.object.Version {
				t.Fatalf("Stat(%s, %q): %v, want %+v", name, key, err, latest)
			}
			continue
		}
		keys = append(keys, item{name: string(key)})
		if err != nil || !reflect.DeepEqual(o, latest.object) {
			t.Fatalf("Stat(%s, %q): %+v, %v, want %+v", name, key, o, err, latest.object)
		}
	}
	if got := listAll(t, repo, meta.ListRequest{Bucket: name}, 2); !slices.Equal(got, keys) {
		t.Fatalf("List: %+v, want %+v", got, keys)
	}
}

func compareVersions(t TB, repo meta.Repository, name meta.BucketName, b *modelBucket) {
	entries := versionsAll(t, repo, meta.ListVersionsRequest{Bucket: name, Full: true}, 2)
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		for i, v := range b.versions[key] {
			if len(entries) == 0 {
				t.Fatalf("ListVersions has not %q %+v", key, v)
			}
			e := entries[0]
			entries = entries[1:]
			if e.Key != key || e.Latest != (i == 0) || e.Marker != v.marker || e.Head == nil ||
				!reflect.DeepEqual(*e.Head, v.object.ObjectHead) {
				t.Fatalf("ListVersions: %+v, want %q %+v", e, key, v)
			}
			o, err := repo.StatVersion(background, name, key, v.object.Version)
			if v.marker {
				var marker *meta.DeleteMarkerError
				if e.Object != nil || !errors.As(err, &marker) || errors.Is(err, meta.ErrNoSuchKey) ||
					!marker.Modified.Equal(v.object.Modified) {
					t.Fatalf("StatVersion: %+v, %v, want %+v", o, err, v)
				}
				continue
			}
			if err != nil || !reflect.DeepEqual(o, v.object) || e.Object == nil || !reflect.DeepEqual(*e.Object, o) {
				t.Fatalf("StatVersion: %+v, %v; listed %+v; want %+v", o, err, e.Object, v.object)
			}
		}
	}
	if len(entries) > 0 {
		t.Fatalf("ListVersions has %+v too many", entries)
	}
}

func compareUploads(t TB, repo meta.Repository, name meta.BucketName, b *modelBucket) {
	page, err := repo.Uploads(background, meta.UploadsRequest{Bucket: name, Limit: 1000})
	if err != nil || len(page.Entries) != len(b.uploads) {
		t.Fatalf("Uploads: %d, %v, want %d", len(page.Entries), err, len(b.uploads))
	}
	for u, stored := range b.uploads {
		parts, more, err := repo.Parts(background, name, u.key, u.id, 0, 100)
		if err != nil || more || len(parts) != len(stored) {
			t.Fatalf("Parts: %+v, %t, %v, want %+v", parts, more, err, stored)
		}
		for _, p := range parts {
			if !reflect.DeepEqual(p, stored[p.Number]) {
				t.Fatalf("part: %+v, want %+v", p, stored[p.Number])
			}
		}
	}
}
