package backend

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// naive sums versions by prefix, with all of them in memory.
func naive(versions []meta.VersionEntry, in BreakdownInput) map[string]Space {
	sums := map[string]Space{}
	for _, v := range versions {
		elements := strings.SplitAfter(strings.TrimPrefix(string(v.Key), in.Prefix), in.Delimiter)
		prefix := in.Prefix + strings.Join(elements[:min(in.Depth, len(elements)-1)], "")
		s := sums[prefix]
		s.addVersion(&v)
		sums[prefix] = s
	}
	return sums
}

func TestBreakdown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := BreakdownInput{
			Prefix: rapid.StringMatching(`[ab/]{0,2}`).Draw(t, "prefix"), Depth: rapid.IntRange(1, 4).Draw(t, "depth"),
			Delimiter: rapid.SampledFrom([]string{"/", "//", "b"}).Draw(t, "delimiter"),
			Largest:   rapid.IntRange(0, 5).Draw(t, "largest"),
		}
		keys := rapid.SliceOfN(rapid.StringMatching(`[abc/]{1,7}`), 0, 60).Draw(t, "keys")
		slices.Sort(keys)
		var versions []meta.VersionEntry
		b := newBreakdown(in)
		b.closed.most = rapid.IntRange(1, 6).Draw(t, "most")
		for i, key := range keys {
			if !strings.HasPrefix(key, in.Prefix) {
				continue
			}
			v := meta.VersionEntry{
				Key: meta.Key(key), Latest: i == 0 || keys[i-1] != key, Marker: rapid.IntRange(0, 5).Draw(t, "marker") == 0,
				Head: &meta.ObjectHead{Size: rapid.Int64Range(0, 20).Draw(t, "size")},
			}
			versions = append(versions, v)
			b.next(&v)
		}
		got := b.finish()
		sums := naive(versions, in)
		sum := got.Other
		for i, p := range got.Prefixes {
			if sums[p.Prefix] != p.Space {
				t.Fatalf("%q has %+v, want %+v", p.Prefix, p.Space, sums[p.Prefix])
			}
			if i > 0 && got.Prefixes[i-1].Bytes < p.Bytes {
				t.Fatalf("%+v is not in order", got.Prefixes)
			}
			sum.add(p.Space)
			delete(sums, p.Prefix)
		}
		for prefix, s := range sums {
			if n := len(got.Prefixes); n < b.closed.most || s.Bytes > got.Prefixes[n-1].Bytes {
				t.Fatalf("%q with %+v is left out of %+v", prefix, s, got.Prefixes)
			}
		}
		if sum != got.Total || got.OtherPrefixes != int64(len(sums)) {
			t.Fatalf("all prefixes have %+v, with %d others; total is %+v", sum, got.OtherPrefixes, got.Total)
		}
		var sizes, want []int64
		for _, v := range got.Largest {
			sizes = append(sizes, v.Size)
		}
		for _, v := range versions {
			if !v.Marker {
				want = append(want, v.Head.Size)
			}
		}
		slices.SortFunc(want, func(a, b int64) int { return int(b - a) })
		if want = want[:min(len(want), in.Largest)]; !slices.Equal(sizes, want) {
			t.Fatalf("the largest are %v, want %v", sizes, want)
		}
	})
}

// walkHook calls walked with each page of a walk, within it.
type walkHook struct {
	meta.Repository
	walked func()
}

func (h *walkHook) WalkVersions(
	ctx context.Context, bucket meta.BucketName, prefix string, visit func([]meta.VersionEntry) error,
) error {
	return h.Repository.WalkVersions(ctx, bucket, prefix, func(page []meta.VersionEntry) error {
		h.walked()
		return visit(page)
	})
}

func hooked(walked func()) func(*Options) {
	return func(o *Options) {
		o.wrap = func(m meta.Repository, b blob.Store) (meta.Repository, blob.Store) {
			return &walkHook{m, walked}, b
		}
	}
}

// await returns a report once it is finished.
func (f *fixture) await(id string) Report {
	f.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		r, err := f.Report(id)
		if err != nil || r.State.finished() {
			return r
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the report does not end: %+v", r)
		}
	}
}

func (f *fixture) report(in BreakdownInput) Report {
	f.t.Helper()
	r, err := f.CreateReport(in)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// While a report is being made, as many writes are committed as one likes, and it tells the bucket as it was.
func TestReportIsOneStateAndHoldsUpNoWrite(t *testing.T) {
	var f *fixture
	writes := atomic.Int64{}
	f = open(t, hooked(func() {
		for range 50 {
			n := writes.Add(1)
			f.put(meta.Key(fmt.Sprintf("b/new-%d", n)), noise(1000, 1))
			f.delete(meta.Key(fmt.Sprintf("c/%d", n)))
		}
	}))
	const each = 1500
	for _, dir := range []string{"a/", "b/", "c/"} {
		var batch []*proposal
		for i := range each {
			p := &proposal{mutation: meta.PutObject{
				Bucket: "b", Key: meta.Key(fmt.Sprintf("%s%d", dir, i)), Object: meta.Object{ObjectHead: meta.ObjectHead{Modified: f.timestamp()}},
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
	}
	before, _ := f.Account(bucketB)
	r := f.await(f.report(BreakdownInput{Bucket: "b", Depth: 1, Delimiter: "/"}).ID)
	if r.State != ReportDone || r.Read != 3*each || r.Of != 3*each || r.Breakdown.Total.Objects != before.Usage.Objects {
		t.Errorf("%+v, want the %d objects that were there", r, before.Usage.Objects)
	}
	for _, p := range r.Breakdown.Prefixes {
		if p.Objects != each || p.Bytes != 0 {
			t.Errorf("%+v, want %d empty objects", p, each)
		}
	}
	if writes.Load() < 200 { // five pages
		t.Errorf("only %d writes were committed meanwhile", writes.Load())
	}
}

func TestReportCountsVersions(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.put("a/1", noise(300, 1))
	f.setVersioning(meta.VersioningEnabled)
	f.put("a/1", noise(200, 1))
	f.put("top", noise(50, 1))
	f.put("b/c/d/2", noise(10, 1))
	f.delete("b/c/d/2")
	r := f.await(f.report(BreakdownInput{Bucket: "b", Depth: 2, Delimiter: "/", Largest: 2}).ID)
	want := &Breakdown{
		Total: Space{Bytes: 560, Objects: 4, NoncurrentBytes: 310, Noncurrent: 2, Markers: 1},
		Prefixes: []PrefixSpace{
			{"a/", Space{Bytes: 500, Objects: 2, NoncurrentBytes: 300, Noncurrent: 1}},
			{"", Space{Bytes: 50, Objects: 1}},
			{"b/c/", Space{Bytes: 10, Objects: 1, NoncurrentBytes: 10, Noncurrent: 1, Markers: 1}},
		},
	}
	largest := r.Breakdown.Largest
	r.Breakdown.Largest = nil
	if !reflect.DeepEqual(r.Breakdown, want) {
		t.Errorf("%+v, want %+v", r.Breakdown, want)
	}
	if len(largest) != 2 || largest[0].Key != "a/1" || largest[0].Size != 300 || !largest[0].Noncurrent ||
		largest[0].Version != meta.NullVersion || largest[1].Size != 200 || largest[1].Noncurrent {
		t.Errorf("the largest are %+v", largest)
	}
	account, _ := f.Account(bucketB)
	if u := account.Usage; u.Bytes != want.Total.Bytes || u.Objects != want.Total.Objects ||
		u.Noncurrent != want.Total.Noncurrent || u.Markers != want.Total.Markers {
		t.Errorf("the bucket holds %+v", u)
	}
	r = f.await(f.report(BreakdownInput{Bucket: "b", Prefix: "b/", Depth: 1, Delimiter: "/"}).ID)
	if p := r.Breakdown.Prefixes; len(p) != 1 || p[0].Prefix != "b/c/" {
		t.Errorf("under a prefix: %+v", p)
	}
}

func TestReportsAreBounded(t *testing.T) {
	c := newClock()
	held := make(chan struct{})
	f := open(t, c.options, hooked(func() { <-held }))
	f.put("k", noise(10, 1))
	in := BreakdownInput{Bucket: "b", Largest: 1}
	if _, err := f.CreateReport(BreakdownInput{Bucket: "none"}); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("a report of no bucket: %v", err)
	}
	var ids []string
	for range maxPendingReports {
		ids = append(ids, f.report(in).ID)
	}
	if _, err := f.CreateReport(in); !errors.Is(err, ErrTooManyReports) {
		t.Errorf("one more: %v", err)
	}
	// The one that is deleted while it waits is not made.
	if err := f.DeleteReport(ids[3]); err != nil {
		t.Error(err)
	}
	if _, err := f.Report(ids[3]); !errors.Is(err, ErrNoSuchReport) {
		t.Errorf("deleted: %v", err)
	}
	close(held)
	for _, id := range ids[:3] {
		if r := f.await(id); r.State != ReportDone {
			t.Errorf("%+v", r)
		}
	}
	for range MaxReports {
		f.await(f.report(in).ID)
	}
	all := f.Reports()
	if len(all) != MaxReports || all[0].ID < all[1].ID {
		t.Errorf("%d reports are kept", len(all))
	}
	if _, err := f.Report(ids[0]); !errors.Is(err, ErrNoSuchReport) {
		t.Errorf("the oldest: %v", err)
	}
	c.move(keepReports + time.Minute)
	if all := f.Reports(); len(all) != 0 {
		t.Errorf("%d reports are kept for longer than an hour", len(all))
	}
}

// TestADeletedReportDoesNotWait: whoever makes reports and deletes them leaves nothing behind one that takes long.
func TestADeletedReportDoesNotWait(t *testing.T) {
	held := make(chan struct{})
	f := open(t, hooked(func() { <-held }))
	defer close(held)
	f.put("k", noise(10, 1))
	first := f.report(BreakdownInput{Bucket: "b", Largest: 1})
	for r := first; r.State == ReportWaiting; time.Sleep(time.Millisecond) {
		r, _ = f.Report(first.ID)
	}
	second := f.report(BreakdownInput{Bucket: "b", Largest: 1})
	f.reports.mu.Lock()
	job := f.reports.all[1]
	f.reports.mu.Unlock()
	if err := f.DeleteReport(second.ID); err != nil {
		t.Fatal(err)
	}
	ended := false
	for deadline := time.Now().Add(5 * time.Second); !ended && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		f.reports.mu.Lock()
		ended = job.State == ReportCanceled
		f.reports.mu.Unlock()
	}
	if !ended {
		t.Error("it still waits for its turn")
	}
}

func TestReportEndsWithTheStore(t *testing.T) {
	walking, held := make(chan struct{}), make(chan struct{})
	f := open(t, hooked(func() {
		close(walking)
		<-held
	}))
	f.put("k", noise(10, 1))
	first, second := f.report(BreakdownInput{Bucket: "b", Largest: 1}), f.report(BreakdownInput{Bucket: "b", Largest: 1})
	<-walking
	go func() { // Close cancels the report, and waits for it
		defer close(held)
		for closed := false; !closed; time.Sleep(time.Millisecond) {
			f.reports.mu.Lock()
			closed = f.reports.closed
			f.reports.mu.Unlock()
		}
	}()
	f.finish()
	for _, id := range []string{first.ID, second.ID} {
		if r, err := f.Report(id); err != nil || r.State != ReportCanceled || r.Breakdown != nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, err := f.CreateReport(BreakdownInput{Bucket: "b"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A bucket that is removed while its report waits is a failed report, and nothing more.
func TestReportOfWhatIsGone(t *testing.T) {
	held := make(chan struct{})
	f := open(t, hooked(func() { <-held }))
	f.put("k", noise(10, 1))
	f.createBucket("gone", quota.Limit{})
	first := f.report(BreakdownInput{Bucket: "b", Largest: 1})
	for r := first; r.State == ReportWaiting; time.Sleep(time.Millisecond) {
		r, _ = f.Report(first.ID)
	}
	second := f.report(BreakdownInput{Bucket: "gone", Largest: 1})
	if err := f.DeleteBucket(background, "gone"); err != nil {
		t.Fatal(err)
	}
	close(held)
	if r := f.await(first.ID); r.State != ReportDone {
		t.Errorf("%+v", r)
	}
	if r := f.await(second.ID); r.State != ReportFailed || !errors.Is(r.Err, meta.ErrNoSuchBucket) {
		t.Errorf("%+v", r)
	}
}
