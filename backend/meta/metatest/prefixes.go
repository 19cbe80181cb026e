package metatest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// modelPrefix is a limit on a prefix. What is under it is counted anew each time, but only up to a key.
type modelPrefix struct {
	limit    quota.Limit
	counting bool
	upTo     meta.Key // while counting
}

func (m *model) prefixAccounts() (accounts []quota.Account) {
	for _, name := range slices.Sorted(maps.Keys(m.buckets)) {
		b := m.buckets[name]
		for _, prefix := range slices.Sorted(maps.Keys(b.prefixes)) {
			p := b.prefixes[prefix]
			accounts = append(accounts, quota.Account{
				Scope: quota.PrefixScope(string(name), prefix), Limit: p.limit, Usage: b.prefixUsage(prefix, p),
				Counting: p.counting, CountedTo: string(p.upTo),
			})
		}
	}
	return accounts
}

func (b *modelBucket) prefixUsage(prefix string, p *modelPrefix) (u quota.Usage) {
	counted := func(key meta.Key) bool {
		return strings.HasPrefix(string(key), prefix) && (!p.counting || key <= p.upTo)
	}
	for key, versions := range b.versions {
		if counted(key) {
			u = u.Apply(countVersions(versions))
		}
	}
	for upload, parts := range b.uploads {
		if counted(upload.key) {
			u = u.Apply(quota.Delta{PartBytes: sizeOf(parts), Uploads: 1})
		}
	}
	return u
}

func (m *model) setPrefixLimit(x meta.SetLimit) error {
	b := m.buckets[meta.BucketName(x.Scope.Name)]
	if b == nil {
		return meta.ErrNoSuchBucket
	}
	p := b.prefixes[x.Scope.Prefix]
	switch {
	case x.Limit.Unlimited():
		delete(b.prefixes, x.Scope.Prefix)
		return nil
	case p == nil:
		p = &modelPrefix{counting: true}
		b.prefixes[x.Scope.Prefix] = p
		b.count(x.Scope.Prefix, p, x.Rows)
	}
	p.limit = x.Limit
	return nil
}

func (m *model) countPrefix(x meta.CountPrefix) error {
	b := m.buckets[x.Bucket]
	if b == nil {
		return meta.ErrNoSuchBucket
	}
	p := b.prefixes[x.Prefix]
	if p == nil {
		return meta.ErrNoSuchPrefix
	}
	if p.counting {
		b.count(x.Prefix, p, x.Rows)
	}
	return nil
}

// count counts on, key by key.
func (b *modelBucket) count(prefix string, p *modelPrefix, rows int) {
	keys := map[meta.Key]int{} // with how many rows each has
	for key, versions := range b.versions {
		keys[key] += len(versions)
	}
	for upload := range b.uploads {
		keys[upload.key]++
	}
	n := 0
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !strings.HasPrefix(string(key), prefix) || key <= p.upTo {
			continue
		}
		if n >= rows {
			return
		}
		n += keys[key]
		p.upTo = key
	}
	p.counting, p.upTo = false, ""
}

func (g *generator) prefix() string {
	return rapid.SampledFrom([]string{"k", "k", "k\x00", "l", "l/", "\xff", "z"}).Draw(g.T, "prefix")
}

func (g *generator) rows() int { return rapid.IntRange(0, 3).Draw(g.T, "rows") }

// countPrefix counts a prefix on that has something left to count, if there is one.
func (g *generator) countPrefix() meta.Mutation {
	for _, a := range g.model.prefixAccounts() {
		if a.Counting && g.odds(2, "this") {
			return meta.CountPrefix{Bucket: meta.BucketName(a.Scope.Name), Prefix: a.Scope.Prefix, Rows: g.rows()}
		}
	}
	return meta.CountPrefix{Bucket: g.bucket(), Prefix: g.prefix(), Rows: g.rows()}
}

// prefixLimit limits a prefix of the bucket "b", and counts rows of it.
func prefixLimit(prefix string, limit quota.Limit, rows int) meta.SetLimit {
	return meta.SetLimit{Scope: quota.PrefixScope("b", prefix), Limit: limit, Rows: rows}
}

func (f *fixture) prefixAccounts() (accounts []quota.Account) {
	f.Helper()
	for _, a := range f.accounts() {
		if a.Scope.Kind == quota.Prefix {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// testPrefixes: a prefix has an account while it has a limit.
func testPrefixes(f *fixture) {
	limit := quota.Limit{MaxBytes: 100}
	raw, day := quota.PrefixScope("b", "raw/"), quota.PrefixScope("b", "raw/2024-")
	f.refused(prefixLimit("raw/", limit, 0), meta.ErrNoSuchBucket)
	f.refused(meta.CountPrefix{Bucket: "b", Prefix: "raw/"}, meta.ErrNoSuchBucket)
	f.must(createBucket("b"), createBucket("b.c"))
	f.refused(meta.CountPrefix{Bucket: "b", Prefix: "raw/"}, meta.ErrNoSuchPrefix)
	if r := f.must(prefixLimit("raw/", quota.Limit{}, 0)); r.Accounts != nil || r.RemovedScopes != nil {
		f.Errorf("no limit for a prefix that has none: %+v", r)
	}
	// Where nothing is under it, it is exact at once.
	r := f.must(prefixLimit("raw/2024-", limit, 0))
	if want := []quota.Account{{Scope: day, Limit: limit}}; !slices.Equal(r.Accounts, want) {
		f.Errorf("accounts after SetLimit: %+v, want %+v", r.Accounts, want)
	}
	f.must(prefixLimit("raw/", limit, 0))
	f.must(meta.SetLimit{Scope: quota.PrefixScope("b.c", "raw/"), Limit: limit})
	f.must(put("b", "raw/2024-05", object(1, 10)), put("b", "raw/2023", object(2, 5)), put("b", "raw", object(3, 70)))
	f.must(put("b.c", "raw/", object(4, 1)))
	f.must(prefixLimit("raw/", quota.Limit{MaxObjects: 2}, 0)) // the count stays
	check := func() {
		f.Helper()
		want := []quota.Account{
			{Scope: raw, Limit: quota.Limit{MaxObjects: 2}, Usage: quota.Usage{Bytes: 15, Objects: 2}},
			{Scope: day, Limit: limit, Usage: quota.Usage{Bytes: 10, Objects: 1}},
			{Scope: quota.PrefixScope("b.c", "raw/"), Limit: limit, Usage: quota.Usage{Bytes: 1, Objects: 1}},
		}
		if got := f.prefixAccounts(); !slices.Equal(got, want) {
			f.Errorf("accounts %+v, want %+v", got, want)
		}
	}
	check()
	f.reopen()
	check()
	f.wantRemoved(f.must(prefixLimit("raw/", quota.Limit{}, 0)), raw)
	f.must(prefixLimit("raw/", limit, 0))
	f.scopeUsage(raw, quota.Usage{}) // counted anew
	f.must(meta.CountPrefix{Bucket: "b", Prefix: "raw/", Rows: 10})
	f.scopeUsage(raw, quota.Usage{Bytes: 15, Objects: 2})
	for _, key := range []meta.Key{"raw/2024-05", "raw/2023", "raw"} {
		f.must(meta.DeleteObject{Bucket: "b", Key: key})
	}
	// A bucket that is made again begins without them; unfinished uploads of the first are no matter.
	f.must(createUpload("b", "raw/u", "1"), putPart("b", "raw/u", "1", part(1, 20, 9)))
	f.wantRemoved(f.must(meta.DeleteBucket{Bucket: "b"}), quota.BucketScope("b"), raw, day)
	f.must(createBucket("b"))
	f.reopen()
	if got := f.prefixAccounts(); len(got) != 1 || got[0].Scope.Name != "b.c" {
		f.Errorf("accounts of removed prefixes: %+v", got)
	}
	// A hundred of them, and not one more, but in another bucket.
	for i := range meta.MaxPrefixes {
		f.must(prefixLimit(fmt.Sprintf("%03d", i), limit, 0))
	}
	f.refused(prefixLimit("more", limit, 0), meta.ErrTooManyPrefixes)
	f.must(prefixLimit("050", quota.Limit{MaxObjects: 1}, 0), prefixLimit("051", quota.Limit{}, 0))
	f.must(prefixLimit("more", limit, 0))
	f.must(meta.SetLimit{Scope: quota.PrefixScope("b.c", "more"), Limit: limit})
}

// testPrefixQuota: all prefixes of a key bind, and parts of uploads follow the rule of a bucket.
func testPrefixQuota(f *fixture) {
	outer, inner := quota.PrefixScope("b", "a/"), quota.PrefixScope("b", "a/b/")
	f.must(createBucket("b"))
	f.must(prefixLimit("a/", quota.Limit{MaxBytes: 100, MaxObjects: 3}, 0), prefixLimit("a/b/", quota.Limit{MaxBytes: 50}, 0))
	f.exceeded(put("b", "a/b/1", object(1, 51)), inner, quota.Bytes)
	f.must(put("b", "a/b/1", object(1, 50)), put("b", "a/2", object(2, 50)), put("b", "a", object(3, 500)))
	f.exceeded(put("b", "a/2", object(4, 51)), outer, quota.Bytes)
	f.exceeded(put("b", "a/b/1", object(4, 51)), inner, quota.Bytes) // both do: the inner one is told
	f.exceeded(meta.PutObject{Bucket: "b", Key: "a/3", Object: object(3, 500), Shared: true}, outer, quota.Bytes)
	f.must(put("b", "a/2", object(5, 10)), put("b", "a/3", object(6)))
	f.exceeded(put("b", "a/4", object(7)), outer, quota.Objects)
	f.must(meta.DeleteObject{Bucket: "b", Key: "a/3"})

	f.must(createUpload("b", "a/b/u", "1"), createUpload("b", "a/b/1", "2"))
	f.exceeded(putPart("b", "a/b/u", "1", part(1, 10, 1)), inner, quota.Bytes)
	f.must(putPart("b", "a/b/1", "2", part(1, 10, 50))) // it would overwrite 50
	f.exceeded(putPart("b", "a/b/1", "2", part(2, 11, 1)), inner, quota.Bytes)
	f.scopeUsage(inner, quota.Usage{Bytes: 50, Objects: 1, PartBytes: 50, Uploads: 2})
	f.scopeUsage(outer, quota.Usage{Bytes: 60, Objects: 2, PartBytes: 50, Uploads: 2})
	f.must(prefixLimit("a/b/", quota.Limit{MaxBytes: 49}, 0))
	f.exceeded(complete("b", "a/b/1", "2", "e", part(1, 10, 50)), inner, quota.Bytes)
	f.must(prefixLimit("a/b/", quota.Limit{MaxBytes: 50}, 0), complete("b", "a/b/1", "2", "e", part(1, 10, 50)))
	f.must(meta.AbortUpload{Bucket: "b", Key: "a/b/u", Upload: "1"})
	f.scopeUsage(inner, quota.Usage{Bytes: 50, Objects: 1})
}

// testPrefixCounting: what is counted is exact up to a key, through restarts and within batches.
func testPrefixCounting(f *fixture) {
	k := quota.PrefixScope("b", "k")
	f.must(versioned("b"), put("b", "k1", object(1, 1)), put("b", "k1", object(2, 2)), put("b", "k2", object(3, 4)))
	f.must(meta.DeleteObject{Bucket: "b", Key: "k2", Now: now}, put("b", "k4", object(4, 8)), put("b", "l", object(5, 1000)))
	f.must(createUpload("b", "k3", "1"), putPart("b", "k3", "1", part(1, 6, 16)), put("b", "j", object(7, 1000)))
	want := func(to string, usage quota.Usage) {
		f.Helper()
		want := quota.Account{
			Scope: k, Limit: quota.Limit{MaxBytes: 100}, Usage: usage, Counting: to != "all", CountedTo: to,
		}
		if !want.Counting {
			want.CountedTo = ""
		}
		if got := f.prefixAccounts(); !slices.Equal(got, []quota.Account{want}) {
			f.Errorf("accounts %+v, want %+v", got, want)
		}
		Recount(f, f.repo)
	}
	count := func(rows int) meta.CountPrefix { return meta.CountPrefix{Bucket: "b", Prefix: "k", Rows: rows} }
	f.must(prefixLimit("k", quota.Limit{MaxBytes: 100}, 0))
	want("", quota.Usage{})
	f.must(count(0))
	want("", quota.Usage{})
	f.must(count(1)) // a key in whole
	want("k1", quota.Usage{Bytes: 3, Objects: 2, Noncurrent: 1})
	// Above, at, and below what is counted.
	f.must(put("b", "k4", object(8, 32)), put("b", "k1", object(9, 64)), put("b", "k0", object(10)))
	counted := quota.Usage{Bytes: 67, Objects: 4, Noncurrent: 2}
	want("k1", counted)
	f.reopen()
	want("k1", counted)
	// What is counted decides; what comes later is not known yet, and admitted.
	f.exceeded(put("b", "k9", object(11, 34)), k, quota.Bytes)
	f.must(put("b", "k9", object(11, 33)))
	want("k1", counted)
	f.must(meta.DeleteObject{Bucket: "b", Key: "k9", Now: now})
	// A batch sees what was written in it, and counts it once.
	for _, r := range f.commit(put("b", "k11", object(12, 1)), count(2), put("b", "k11", object(13, 1)), count(0)) {
		if r.Err != nil {
			f.Errorf("%v", r.Err)
		}
	}
	counted = quota.Usage{Bytes: 73, Objects: 7, Noncurrent: 4, Markers: 1}
	want("k2", counted)
	f.must(count(1))
	counted.PartBytes, counted.Uploads = 16, 1
	want("k3", counted)
	f.must(prefixLimit("k", quota.Limit{MaxBytes: 100}, 100)) // another limit does not count on
	want("k3", counted)
	f.reopen()
	f.must(count(100))
	counted = quota.Usage{Bytes: 146, Objects: 10, Noncurrent: 6, Markers: 2, PartBytes: 16, Uploads: 1}
	want("all", counted)
	f.must(count(100))
	want("all", counted)
	f.exceeded(put("b", "k5", object(14, 1)), k, quota.Bytes)
	// Removed and set again, it begins anew, in one batch too.
	f.commit(prefixLimit("k", quota.Limit{}, 0), prefixLimit("k", quota.Limit{MaxBytes: 100}, 1))
	want("k0", quota.Usage{Objects: 1})
}

// testRecordsWithLimit: the limit of an owner is set with records, or neither is.
func testRecordsWithLimit(f *fixture) {
	record := meta.PutRecord{Kind: "user", Name: "bob", Value: []byte("1"), Condition: meta.RecordCondition{Absent: true}}
	limit := meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 10}}
	r := f.must(meta.PutRecords{Records: []meta.PutRecord{record}, Limit: &limit})
	if want := []quota.Account{{Scope: bob, Limit: limit.Limit}}; !slices.Equal(r.Accounts, want) {
		f.Errorf("%+v, want %+v", r.Accounts, want)
	}
	f.refused(meta.PutRecords{Records: []meta.PutRecord{record}, Limit: &meta.SetLimit{Scope: ada}}, meta.ErrRecordConflict)
	record.Name = "eve"
	for _, wrong := range []meta.SetLimit{
		{Scope: quota.ServerScope}, {Scope: bob, Limit: quota.Limit{MaxBytes: -1}},
	} {
		before := f.accounts()
		r := f.commit(meta.PutRecords{Records: []meta.PutRecord{record}, Limit: &wrong})[0]
		if _, err := f.repo.Record(background, "user", "eve"); r.Err == nil || !errors.Is(err, meta.ErrNoSuchRecord) {
			f.Errorf("%+v: %v; the record: %v", wrong, r.Err, err)
		}
		f.untouched(r, before)
	}
	f.reopen()
	f.scopeUsage(bob, quota.Usage{})
}
