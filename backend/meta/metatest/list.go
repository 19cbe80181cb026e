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

func testList(f *fixture) {
	f.must(createBucket("a"), createBucket("b"), createBucket("c"))
	f.must(put("a", "zzz", object(1000)), put("c", "\x00", object(1001)))
	keys := []meta.Key{
		"a", "a/", "a/1", "a/2", "a//3", "b\x00", "b\xff", "b\xff\xff", "b\xff\xff/1", "c/d/e", "c/d/f", "c0",
	}
	for i, key := range keys {
		f.must(put("b", key, object(i+1, int64(i))))
	}
	for _, test := range []struct {
		prefix, delimiter, after string
		limit                    int
		want                     string // entries, quoted, common prefixes with a star
		truncated                bool
	}{
		{"", "", "", 3, `"a" "a/" "a//3"`, true},
		{"", "", "a//3", 100, `"a/1" "a/2" "b\x00" "b\xff" "b\xff\xff" "b\xff\xff/1" "c/d/e" "c/d/f" "c0"`, false},
		{"", "/", "", 100, `"a" "a/"* "b\x00" "b\xff" "b\xff\xff" "b\xff\xff/"* "c/"* "c0"`, false},
		{"", "/", "", 2, `"a" "a/"*`, true},
		{"", "/", "a/", 1, `"b\x00"`, true},
		{"", "/", "a/1", 1, `"b\x00"`, true},
		{"", "/", "a/zzzz", 1, `"b\x00"`, true},
		{"", "/", "a.", 1, `"a/"*`, true},
		{"", "/", "a\x00", 1, `"a/"*`, true},
		{"", "/", "c/", 1, `"c0"`, false},
		{"a/", "/", "", 100, `"a/" "a//"* "a/1" "a/2"`, false},
		{"a/", "/", "a/", 100, `"a//"* "a/1" "a/2"`, false},
		{"a/", "/", "a//3", 100, `"a/1" "a/2"`, false},
		{"a/", "", "a", 100, `"a/" "a//3" "a/1" "a/2"`, false},
		{"a", "//", "", 100, `"a" "a/" "a//"* "a/1" "a/2"`, false},
		{"a", "//", "a/", 1, `"a//"*`, true},
		{"a", "/1", "", 100, `"a" "a/" "a//3" "a/1"* "a/2"`, false},
		{"b\xff", "\xff", "", 100, `"b\xff" "b\xff\xff"*`, false},
		{"b", "\xff", "", 100, `"b\x00" "b\xff"*`, false},
		{"b\xff\xff", "", "b\xff\xff", 100, `"b\xff\xff/1"`, false},
		{"c/", "/", "", 1, `"c/d/"*`, false},
		{"c/d", "/", "", 100, `"c/d/"*`, false},
		{"c/d/", "/", "", 1, `"c/d/e"`, true},
		{"c/d/", "/", "z", 1, ``, false},
		{"c/d/", "/", "a", 2, `"c/d/e" "c/d/f"`, false},
		{"", "", "c0", 1, ``, false},
		{"", "", "\xff\xff\xff", 1, ``, false},
		{"x", "", "", 1, ``, false},
		{"a/2", "2", "", 1, `"a/2"`, false},
	} {
		page, err := f.repo.List(background, meta.ListRequest{
			Bucket: "b", Prefix: test.prefix, Delimiter: test.delimiter, After: test.after, Limit: test.limit,
		})
		var got []string
		for _, e := range page.Entries {
			if e.Head == nil {
				got = append(got, fmt.Sprintf("%q*", e.Key))
			} else {
				got = append(got, fmt.Sprintf("%q", e.Key))
			}
		}
		if s := strings.Join(got, " "); err != nil || s != test.want || page.Truncated != test.truncated {
			f.Errorf("%+v:\n%s, %t, %v", test, s, page.Truncated, err)
		}
	}
	if _, err := f.repo.List(background, meta.ListRequest{Bucket: "x", Limit: 1}); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("List of no bucket: %v", err)
	}
	if _, err := f.repo.List(background, meta.ListRequest{Bucket: "b"}); err == nil {
		f.Error("List with a limit of 0 succeeded")
	}
}

func testUploads(f *fixture) {
	f.must(createBucket("b"), createBucket("c"), createUpload("c", "a", "1"))
	for _, key := range []meta.Key{"k", "k\x00", "k/1", "k/2", "\x00", "l"} {
		f.must(createUpload("b", key, "1"), createUpload("b", key, "1\x00"), createUpload("b", key, "2"))
	}
	for _, test := range []struct {
		req  meta.UploadsRequest
		want string
		more bool
	}{
		{meta.UploadsRequest{Limit: 3}, `"\x00"-"1" "\x00"-"1\x00" "\x00"-"2"`, true},
		{meta.UploadsRequest{KeyMarker: "\x00", UploadMarker: "1", Limit: 2}, `"\x00"-"1\x00" "\x00"-"2"`, true},
		{meta.UploadsRequest{KeyMarker: "\x00", Limit: 1}, `"k"-"1"`, true},
		{meta.UploadsRequest{KeyMarker: "k", UploadMarker: "2", Limit: 1}, `"k\x00"-"1"`, true},
		{meta.UploadsRequest{KeyMarker: "k", UploadMarker: "9", Limit: 1}, `"k\x00"-"1"`, true},
		{meta.UploadsRequest{UploadMarker: "9", Limit: 1}, `"\x00"-"1"`, true},
		{meta.UploadsRequest{Prefix: "k", Delimiter: "/", KeyMarker: "k\x00", Limit: 5}, `"k/"*`, false},
		{meta.UploadsRequest{Delimiter: "/", KeyMarker: "k/", Limit: 5}, `"l"-"1" "l"-"1\x00" "l"-"2"`, false},
		{meta.UploadsRequest{Delimiter: "/", KeyMarker: "k/1", UploadMarker: "1", Limit: 1}, `"l"-"1"`, true},
		{
			meta.UploadsRequest{Prefix: "k/", Delimiter: "/", KeyMarker: "k/1", Limit: 9},
			`"k/2"-"1" "k/2"-"1\x00" "k/2"-"2"`, false,
		},
		{meta.UploadsRequest{Delimiter: "\x00", Limit: 2}, `"\x00"* "k"-"1"`, true},
		{meta.UploadsRequest{Prefix: "k", Delimiter: "\x00", KeyMarker: "k", Limit: 1}, `"k\x00"*`, true},
		{meta.UploadsRequest{KeyMarker: "z", Limit: 2}, ``, false},
	} {
		test.req.Bucket = "b"
		page, err := f.repo.Uploads(background, test.req)
		if got := describeUploads(page); err != nil || got != test.want || page.Truncated != test.more {
			f.Errorf("%+v:\n%s, %t, %v", test.req, got, page.Truncated, err)
		}
	}
	_, err := f.repo.Uploads(background, meta.UploadsRequest{Bucket: "x", Limit: 1})
	if !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("Uploads of no bucket: %v", err)
	}
}

func describeUploads(page meta.UploadsPage) string {
	var entries []string
	for _, e := range page.Entries {
		if e.Upload == nil {
			entries = append(entries, fmt.Sprintf("%q*", e.Prefix))
		} else {
			entries = append(entries, fmt.Sprintf("%q-%q", e.Upload.Key, e.Upload.ID))
		}
	}
	return strings.Join(entries, " ")
}

// maxPages is more than any listing of the models has: paging that does not get on fails instead of running for ever.
const maxPages = 1000

// text draws strings over an alphabet that is small, so that prefixes and delimiters meet, and nasty.
func text(lo, hi int) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{'a', '/', 0, 1, 0xff}), lo, hi), func(b []byte) string {
		return string(b)
	})
}

// item is a key or common prefix of a naive listing.
type item struct {
	name   string
	common bool
}

// roll lists sorted keys from scratch: what List must return, without any seeking.
func roll(keys []string, prefix, delimiter, after string) []item {
	var items []item
	for _, key := range keys {
		rest, found := strings.CutPrefix(key, prefix)
		if !found {
			continue
		}
		it := item{name: key}
		if delimiter != "" {
			if i := strings.Index(rest, delimiter); i >= 0 {
				it = item{name: prefix + rest[:i] + delimiter, common: true}
			}
		}
		if it.name > after && (len(items) == 0 || items[len(items)-1] != it) {
			items = append(items, it)
		}
	}
	return items
}

func testListModel(t *testing.T, open Open) {
	f := newFixture(t, t.TempDir(), open)
	f.must(createBucket("b"))
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		keys := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(text(1, 5), 0, 30).Draw(t, "keys"))))
		bucket := meta.BucketName(fmt.Sprintf("b%d", number))
		number++
		batch := []meta.Mutation{createBucket(bucket)}
		for _, key := range keys {
			batch = append(batch, put(bucket, meta.Key(key), object(1)))
		}
		f.commit(batch...)
		req := meta.ListRequest{
			Bucket: bucket, Prefix: text(0, 2).Draw(t, "prefix"), Delimiter: text(0, 2).Draw(t, "delimiter"),
			After: text(0, 4).Draw(t, "after"),
		}
		want := roll(keys, req.Prefix, req.Delimiter, req.After)
		for limit := 1; limit <= len(want)+1; limit++ {
			if got := listAll(t, f.repo, req, limit); !reflect.DeepEqual(got, want) {
				t.Fatalf("keys %q\n%+v in pages of %d:\n%+v, want\n%+v", keys, req, limit, got, want)
			}
		}
	})
}

// listAll lists page by page, and checks that a page is full unless it is the last.
func listAll(t TB, repo meta.Repository, req meta.ListRequest, limit int) (items []item) {
	t.Helper()
	req.Limit = limit
	for range maxPages {
		page, err := repo.List(background, req)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		for _, e := range page.Entries {
			items = append(items, item{name: string(e.Key), common: e.Head == nil})
		}
		if !page.Truncated {
			return items
		}
		if len(page.Entries) != limit {
			t.Fatalf("a truncated page of %d entries, the limit is %d", len(page.Entries), limit)
		}
		req.After = items[len(items)-1].name
	}
	t.Fatalf("more than %d pages", maxPages)
	return nil
}

func testUploadsModel(t *testing.T, open Open) {
	f := newFixture(t, t.TempDir(), open)
	number := 0
	type upload struct{ key, id string }
	rapid.Check(t, func(t *rapid.T) {
		bucket := meta.BucketName(fmt.Sprintf("b%d", number))
		number++
		var all []upload
		for _, key := range rapid.SliceOfN(text(1, 4), 0, 12).Draw(t, "keys") {
			for _, id := range rapid.SliceOfN(text(1, 2), 1, 3).Draw(t, "ids") {
				all = append(all, upload{key, id})
			}
		}
		slices.SortFunc(all, func(a, b upload) int {
			return slices.Compare([]string{a.key, a.id}, []string{b.key, b.id})
		})
		all = slices.Compact(all)
		batch := []meta.Mutation{createBucket(bucket)}
		for _, u := range all {
			batch = append(batch, createUpload(bucket, meta.Key(u.key), meta.UploadID(u.id)))
		}
		f.commit(batch...)
		req := meta.UploadsRequest{
			Bucket: bucket, Prefix: text(0, 2).Draw(t, "prefix"), Delimiter: text(0, 2).Draw(t, "delimiter"),
			KeyMarker: text(0, 3).Draw(t, "key marker"), UploadMarker: meta.UploadID(text(0, 2).Draw(t, "upload marker")),
		}
		var want []string
		for _, u := range all {
			// One key at a time, so that roll tells whether it is a key or a common prefix, and whether it comes after.
			its := roll([]string{u.key}, req.Prefix, req.Delimiter, "")
			if len(its) == 0 {
				continue
			}
			it, s := its[0], fmt.Sprintf("%q-%q", u.key, u.id)
			wanted := u.key > req.KeyMarker
			if it.common {
				wanted, s = it.name > req.KeyMarker, fmt.Sprintf("%q*", it.name)
			} else if u.key == req.KeyMarker && req.UploadMarker != "" {
				wanted = u.id > string(req.UploadMarker)
			}
			if wanted && (len(want) == 0 || want[len(want)-1] != s) {
				want = append(want, s)
			}
		}
		for limit := 1; limit <= len(want)+1; limit++ {
			if got := uploadsAll(t, f.repo, req, limit); got != strings.Join(want, " ") {
				t.Fatalf("uploads %+v\n%+v in pages of %d:\n%s, want\n%s", all, req, limit, got, want)
			}
		}
	})
}

func uploadsAll(t TB, repo meta.Repository, req meta.UploadsRequest, limit int) string {
	t.Helper()
	req.Limit = limit
	var pages []string
	for range maxPages {
		page, err := repo.Uploads(background, req)
		if err != nil {
			t.Fatalf("Uploads: %v", err)
		}
		if len(page.Entries) > 0 {
			pages = append(pages, describeUploads(page))
		}
		if !page.Truncated {
			return strings.Join(pages, " ")
		}
		if len(page.Entries) != limit {
			t.Fatalf("a truncated page of %d entries, the limit is %d", len(page.Entries), limit)
		}
		if last := page.Entries[limit-1]; last.Upload == nil {
			req.KeyMarker, req.UploadMarker = last.Prefix, ""
		} else {
			req.KeyMarker, req.UploadMarker = string(last.Upload.Key), last.Upload.ID
		}
	}
	t.Fatalf("more than %d pages", maxPages)
	return ""
}
