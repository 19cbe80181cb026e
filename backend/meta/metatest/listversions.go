package metatest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// versionsAll lists versions page by page, and checks that a page is full unless it is the last.
func versionsAll(t TB, repo meta.Repository, req meta.ListVersionsRequest, limit int) (entries []meta.VersionEntry) {
	t.Helper()
	req.Limit = limit
	for range maxPages {
		page, err := repo.ListVersions(background, req)
		if err != nil {
			t.Fatalf("ListVersions: %v", err)
		}
		entries = append(entries, page.Entries...)
		if !page.Truncated {
			return entries
		}
		if len(page.Entries) != limit {
			t.Fatalf("a truncated page of %d entries, the limit is %d", len(page.Entries), limit)
		}
		last := entries[len(entries)-1]
		req.KeyMarker, req.VersionMarker = string(last.Key), ""
		if last.Head != nil {
			req.VersionMarker = last.Head.Version
		}
	}
	t.Fatalf("more than %d pages", maxPages)
	return nil
}

// describeVersions tells a page of versions: keys quoted, with the number that names gives the version, a plus where it
// is the latest, a dash where it is a delete marker; common prefixes with a star.
func describeVersions(entries []meta.VersionEntry, names map[meta.VersionID]int) string {
	var all []string
	for _, e := range entries {
		s := fmt.Sprintf("%q*", e.Key)
		if e.Head != nil {
			s = fmt.Sprintf("%q-%d", e.Key, names[e.Head.Version])
		}
		if e.Latest {
			s += "+"
		}
		if e.Marker {
			s += "-"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func testListVersions(f *fixture) {
	f.must(versioned("a"), createBucket("b"), versioned("c"))
	f.must(put("a", "zz", object(1)), put("c", "\x00", object(1)), put("b", "k", object(1)), enable("b"))
	names, ids := map[meta.VersionID]int{meta.NullVersion: 1}, []meta.VersionID{"", meta.NullVersion}
	for _, key := range []meta.Key{"k", "k/1", "k/1", "k\x00", "k", "l"} {
		id := f.made(put("b", key, object(1)))
		names[id], ids = len(ids), append(ids, id)
	}
	for _, key := range []meta.Key{"k", "k\x00", "m/1"} {
		id := f.made(remove("b", key, ""))
		names[id], ids = len(ids), append(ids, id)
	}
	// The keys are k: 8- 6 2 1, k 00: 9- 5, k/1: 4 3, l: 7, m/1: 10-.
	for _, test := range []struct {
		req  meta.ListVersionsRequest
		want string
		more bool
	}{
		{meta.ListVersionsRequest{Limit: 99}, `"k"-8+- "k"-6 "k"-2 "k"-1 "k\x00"-9+- "k\x00"-5 ` +
			`"k/1"-4+ "k/1"-3 "l"-7+ "m/1"-10+-`, false},
		{meta.ListVersionsRequest{Limit: 2}, `"k"-8+- "k"-6`, true},
		{meta.ListVersionsRequest{KeyMarker: "k", Limit: 1}, `"k\x00"-9+-`, true},
		{meta.ListVersionsRequest{KeyMarker: "k", VersionMarker: ids[8], Limit: 1}, `"k"-6`, true},
		{meta.ListVersionsRequest{KeyMarker: "k", VersionMarker: ids[6], Limit: 2}, `"k"-2 "k"-1`, true},
		{meta.ListVersionsRequest{KeyMarker: "k", VersionMarker: ids[5], Limit: 1}, `"k"-2`, true}, // of another key
		{meta.ListVersionsRequest{KeyMarker: "k", VersionMarker: meta.NullVersion, Limit: 1}, `"k\x00"-9+-`, true},
		{meta.ListVersionsRequest{KeyMarker: "k/1", VersionMarker: meta.NullVersion, Limit: 1}, `"k/1"-4+`, true},
		{meta.ListVersionsRequest{KeyMarker: "k/1", VersionMarker: ids[4], Limit: 9}, `"k/1"-3 "l"-7+ "m/1"-10+-`, false},
		{meta.ListVersionsRequest{KeyMarker: "k/1", VersionMarker: ids[10], Limit: 2}, `"k/1"-4+ "k/1"-3`, true},
		{meta.ListVersionsRequest{KeyMarker: "k/1", VersionMarker: ids[1+1], Limit: 9}, `"l"-7+ "m/1"-10+-`, false},
		{meta.ListVersionsRequest{KeyMarker: "j", VersionMarker: ids[2], Limit: 1}, `"k"-8+-`, true},
		{meta.ListVersionsRequest{VersionMarker: ids[2], Limit: 1}, `"k"-8+-`, true},
		{meta.ListVersionsRequest{Delimiter: "/", Limit: 99}, `"k"-8+- "k"-6 "k"-2 "k"-1 "k\x00"-9+- "k\x00"-5 ` +
			`"k/"* "l"-7+ "m/"*`, false},
		{meta.ListVersionsRequest{Delimiter: "/", KeyMarker: "k\x00", VersionMarker: ids[5], Limit: 1}, `"k/"*`, true},
		{meta.ListVersionsRequest{Delimiter: "/", KeyMarker: "k/", Limit: 1}, `"l"-7+`, true},
		{meta.ListVersionsRequest{Delimiter: "/", KeyMarker: "k/1", VersionMarker: ids[4], Limit: 1}, `"l"-7+`, true},
		{meta.ListVersionsRequest{Prefix: "k/", Delimiter: "/", Limit: 9}, `"k/1"-4+ "k/1"-3`, false},
		{meta.ListVersionsRequest{Prefix: "k/", KeyMarker: "k", VersionMarker: ids[8], Limit: 1}, `"k/1"-4+`, true},
		{meta.ListVersionsRequest{Prefix: "l", KeyMarker: "m", Limit: 1}, ``, false},
		{meta.ListVersionsRequest{Prefix: "k\x00", Limit: 2}, `"k\x00"-9+- "k\x00"-5`, false},
		{meta.ListVersionsRequest{Prefix: "m", Delimiter: "/", Limit: 1}, `"m/"*`, false},
	} {
		test.req.Bucket = "b"
		page, err := f.repo.ListVersions(background, test.req)
		if got := describeVersions(page.Entries, names); err != nil || got != test.want || page.Truncated != test.more {
			f.Errorf("%+v:\n%s, %t, %v", test.req, got, page.Truncated, err)
		}
	}
	if _, err := f.repo.ListVersions(background, meta.ListVersionsRequest{Bucket: "b"}); err == nil {
		f.Error("ListVersions with a limit of 0 succeeded")
	}
	_, err := f.repo.ListVersions(background, meta.ListVersionsRequest{Bucket: "x", Limit: 1})
	if !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("ListVersions of no bucket: %v", err)
	}
	// The latest is told also where a page begins behind one that is gone.
	f.must(remove("b", "k", ids[8]), remove("b", "k\x00", ids[9]), remove("b", "k\x00", ids[5]), remove("b", "k", ""))
	page, err := f.repo.ListVersions(background, meta.ListVersionsRequest{
		Bucket: "b", KeyMarker: "k/1", VersionMarker: f.removed("b", "k/1", ids[4]), Limit: 1,
	})
	if got := describeVersions(page.Entries, names); err != nil || got != `"k/1"-3+` {
		f.Errorf("after a version that is gone: %s, %v", got, err)
	}
}

// removed removes a version and returns its id.
func (f *fixture) removed(bucket meta.BucketName, key meta.Key, version meta.VersionID) meta.VersionID {
	f.Helper()
	f.must(remove(bucket, key, version))
	return version
}

func testListVersionsFull(f *fixture) {
	f.must(versioned("b"))
	o := object(1, 5, 6)
	o.Tags, o.Attributes.User = []meta.Tag{{Key: "k", Value: "v"}}, map[string]string{"a": "b"}
	o.Version = f.made(put("b", "k", o))
	plain := object(3, 1)
	plain.Version = f.made(put("b", "k", plain))
	marker := f.made(remove("b", "k", ""))
	page, err := f.repo.ListVersions(background, meta.ListVersionsRequest{Bucket: "b", Limit: 9, Full: true})
	want := []meta.VersionEntry{
		{Key: "k", Latest: true, Marker: true, Head: &meta.ObjectHead{Modified: now, Owner: "bob", Version: marker}},
		{Key: "k", Head: &plain.ObjectHead, Object: &plain},
		{Key: "k", Head: &o.ObjectHead, Object: &o},
	}
	if err != nil || !reflect.DeepEqual(page.Entries, want) {
		f.Errorf("ListVersions: %+v, %v, want %+v", page.Entries, err, want)
	}
}

// testWalkVersions compares walks with listings, also of more versions than a page has, and while others commit.
func testWalkVersions(f *fixture) {
	f.must(versioned("a"), versioned("b"), versioned("c"), put("a", "z", object(1)), put("c", "a", object(1)))
	var batch []meta.Mutation
	for i := range 2500 {
		batch = append(batch, put("b", meta.Key(fmt.Sprintf("k%d", i/2)), object(1)))
	}
	batch = append(batch, remove("b", "k7", ""), remove("b", "none", ""))
	f.commit(batch...)
	for _, prefix := range []string{"", "k1", "k7", "n", "x"} {
		want := versionsAll(f, f.repo, meta.ListVersionsRequest{Bucket: "b", Prefix: prefix}, 1000)
		var got []meta.VersionEntry
		err := f.repo.WalkVersions(background, "b", prefix, func(page []meta.VersionEntry) error {
			got = append(got, page...)
			f.commitBeside(put("b", meta.Key(fmt.Sprintf("%s-%d", prefix, len(got))), object(1)), remove("b", "k1", ""))
			return nil
		})
		if err != nil || !reflect.DeepEqual(got, want) {
			f.Errorf("walk of %q: %d versions, %v; want the %d that were there when it began", prefix, len(got), err, len(want))
		}
	}
	stop := errors.New("stop")
	calls := 0
	err := f.repo.WalkVersions(background, "b", "", func([]meta.VersionEntry) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		f.Errorf("visit was called %d times, and WalkVersions returned %v", calls, err)
	}
	if err := f.repo.WalkVersions(background, "none", "", nil); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("walk of no bucket: %v", err)
	}
}

// commitBeside commits from another goroutine, and waits for it: a walk holds up no commit.
func (f *fixture) commitBeside(batch ...meta.Mutation) {
	f.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := f.repo.Commit(background, batch)
		done <- err
	}()
	if err := <-done; err != nil {
		f.Errorf("commit beside a walk: %v", err)
	}
}

// testListVersionsModel compares pages of every size with a naive listing, from markers that are there and others.
func testListVersionsModel(t *testing.T, open Open) {
	f := newFixture(t, t.TempDir(), open)
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		bucket := meta.BucketName(fmt.Sprintf("b%d", number))
		number++
		keys := rapid.SliceOfN(text(1, 3), 1, 12).Draw(t, "keys")
		batch := []meta.Mutation{createBucket(bucket)}
		made := []string{""} // the key that each mutation makes a version of
		for _, key := range keys {
			batch, made = append(batch, put(bucket, meta.Key(key), object(1))), append(made, key)
		}
		for _, state := range []meta.SetVersioning{enable(bucket), suspend(bucket), enable(bucket)} {
			batch, made = append(batch, state), append(made, "")
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				key := rapid.SampledFrom(keys).Draw(t, "key")
				made = append(made, key)
				if rapid.Bool().Draw(t, "marker") {
					batch = append(batch, remove(bucket, meta.Key(key), ""))
				} else {
					batch = append(batch, put(bucket, meta.Key(key), object(1)))
				}
			}
		}
		results := f.commit(batch...)
		all := naiveVersions(batch, made, results)
		req := meta.ListVersionsRequest{
			Bucket: bucket, Prefix: text(0, 2).Draw(t, "prefix"), Delimiter: text(0, 1).Draw(t, "delimiter"),
			KeyMarker: text(0, 3).Draw(t, "key marker"),
		}
		if len(all) > 0 && rapid.Bool().Draw(t, "marker") {
			at := rapid.SampledFrom(all).Draw(t, "at")
			req.KeyMarker, req.VersionMarker = at.key, at.id
		}
		want := rollVersions(all, req)
		for limit := 1; limit <= len(want)+1; limit++ {
			entries := versionsAll(t, f.repo, req, limit)
			var got []naiveVersion
			for _, e := range entries {
				v := naiveVersion{key: string(e.Key), latest: e.Latest, marker: e.Marker}
				if e.Head != nil {
					v.id = e.Head.Version
				}
				got = append(got, v)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("versions %+v\n%+v in pages of %d:\n%+v, want\n%+v", all, req, limit, got, want)
			}
		}
	})
}

// naiveVersion is an entry of a naive listing: a version or, without an id, a common prefix.
type naiveVersion struct {
	key            string
	id             meta.VersionID
	latest, marker bool
}

// naiveVersions returns the versions that a batch has left, in order.
func naiveVersions(batch []meta.Mutation, made []string, results []meta.Result) (all []naiveVersion) {
	for i := range batch {
		if made[i] == "" {
			continue
		}
		v := naiveVersion{key: made[i], id: results[i].Version, marker: results[i].DeleteMarker}
		if v.id == "" {
			v.id = meta.NullVersion
		}
		all = slices.DeleteFunc(all, func(old naiveVersion) bool {
			return v.id == meta.NullVersion && old.id == v.id && old.key == v.key
		})
		all = slices.Insert(all, 0, v)
	}
	slices.SortStableFunc(all, func(a, b naiveVersion) int { return strings.Compare(a.key, b.key) })
	for i := range all {
		all[i].latest = i == 0 || all[i-1].key != all[i].key
	}
	return all
}

// rollVersions is what ListVersions must return, without any seeking.
func rollVersions(all []naiveVersion, req meta.ListVersionsRequest) (want []naiveVersion) {
	passed := false // the version marker
	for _, v := range all {
		its := roll([]string{v.key}, req.Prefix, req.Delimiter, "")
		behind := passed && v.key == req.KeyMarker
		if v.key == req.KeyMarker && v.id == req.VersionMarker {
			passed = true
		}
		if len(its) == 0 {
			continue
		}
		if its[0].common {
			v = naiveVersion{key: its[0].name}
			behind = false
		}
		if (behind || v.key > req.KeyMarker) && (len(want) == 0 || want[len(want)-1] != v) {
			want = append(want, v)
		}
	}
	return want
}
