package backend

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/plimsoll/plimsoll/quota"
)

func TestSeriesAreBounded(t *testing.T) {
	accounts := []quota.Account{{Scope: quota.ServerScope, Usage: quota.Usage{Bytes: 100, Objects: 4}}}
	for i := range int64(4) {
		name := fmt.Sprint(i)
		usage := quota.Usage{Bytes: 10 * i, Objects: 1}
		limit := quota.Limit{MaxBytes: 1000}
		held := quota.Delta{Bytes: 1}
		accounts = append(accounts,
			quota.Account{Scope: quota.BucketScope(name), Usage: usage, Limit: limit, Reserved: held},
			quota.Account{Scope: quota.OwnerScope(name), Usage: usage, Limit: limit, Reserved: held})
	}
	for _, test := range []struct {
		most int
		want []string // of each kind but the server: name, bytes, reserved bytes
	}{
		{5, []string{"3 30 1", "2 20 1", "1 10 1", "0 0 1"}},
		{4, []string{"3 30 1", "2 20 1", "1 10 1", "0 0 1"}},
		{3, []string{"3 30 1", "2 20 1", "1 10 1", "(other) 0 1"}},
		{1, []string{"3 30 1", "(other) 30 3"}},
	} {
		got := map[quota.ScopeKind][]string{}
		for _, a := range newSeriesSet(test.most).choose(slices.Clone(accounts)) {
			got[a.Scope.Kind] = append(got[a.Scope.Kind], fmt.Sprint(a.Scope.Name, " ", a.Usage.Bytes, " ", a.Reserved.Bytes))
			if a.Scope.Name == otherScopes && !a.Limit.Unlimited() {
				t.Errorf("the others together have a limit: %+v", a)
			}
		}
		for _, lines := range [][]string{got[quota.Bucket], got[quota.Owner], test.want} {
			slices.Sort(lines) // in no order
		}
		if !slices.Equal(got[quota.Bucket], test.want) || !slices.Equal(got[quota.Owner], test.want) ||
			!slices.Equal(got[quota.Server], []string{" 100 0"}) {
			t.Errorf("at most %d: %q, want %q", test.most, got, test.want)
		}
	}
}

// Which buckets have series of their own changes only where one has become larger by far.
func TestSeriesDoNotFlap(t *testing.T) {
	const mib = 1 << 20
	set := newSeriesSet(2)
	for i, step := range []struct {
		sizes map[string]int64 // in MiB
		want  string
	}{
		{map[string]int64{"a": 100, "b": 90, "c": 80}, "a b"},
		{map[string]int64{"a": 100, "b": 90, "c": 95}, "a b"},
		{map[string]int64{"a": 100, "b": 90, "c": 99}, "a b"},
		{map[string]int64{"a": 80, "b": 90, "c": 85, "d": 84}, "a b"},
		{map[string]int64{"a": 80, "b": 90, "c": 95, "d": 10}, "b c"},
		{map[string]int64{"a": 99, "b": 95, "c": 98, "d": 10}, "b c"},
		{map[string]int64{"a": 500, "b": 95, "c": 98, "d": 400}, "a d"},
		{map[string]int64{"b": 95, "c": 98, "d": 400}, "c d"},
		{map[string]int64{"b": 95, "c": 98}, "b c"},
		{map[string]int64{"x": 0, "y": 0, "z": 0}, "x y"},
		{map[string]int64{"x": 0, "y": 0, "z": 1}, "x y"}, // a mebibyte is no more than the margin
		{map[string]int64{"x": 0, "y": 0, "z": 2}, "x z"},
	} {
		var accounts []quota.Account
		var total int64
		for name, size := range step.sizes {
			total += size
			accounts = append(accounts, quota.Account{
				Scope: quota.BucketScope(name), Usage: quota.Usage{Bytes: size * mib},
			})
		}
		var names []string
		for _, a := range set.choose(accounts) {
			total -= a.Usage.Bytes / mib
			if a.Scope.Name != otherScopes {
				names = append(names, a.Scope.Name)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != step.want || total != 0 {
			t.Errorf("step %d: %q, want %q; %d MiB are in no series", i, got, step.want, total)
		}
	}
}

func TestRefusalsAreCountedInBoundedSeries(t *testing.T) {
	r := newRefusalCounts(2)
	for range 3 {
		for _, name := range []string{"a", "b", "c", "d"} {
			r.add(refusal{quota.OwnerScope(name), "bytes"})
			r.add(refusal{quota.BucketScope(name), "bytes"})
			r.add(refusal{quota.BucketScope(name), "objects"})
		}
		r.add(refusal{quota.ServerScope, "bytes"})
	}
	bucket := func(name, reason string) refusal { return refusal{quota.BucketScope(name), reason} }
	owner := func(name string) refusal { return refusal{quota.OwnerScope(name), "bytes"} }
	for what, want := range map[refusal]int64{
		{quota.ServerScope, "bytes"}: 3,
		owner("a"):                   3, owner("b"): 3, owner(otherScopes): 6,
		bucket("a", "bytes"): 3, bucket("b", "objects"): 3,
		bucket(otherScopes, "bytes"): 6, bucket(otherScopes, "objects"): 6,
	} {
		if r.counts[what] != want {
			t.Errorf("%v: %d, want %d", what, r.counts[what], want)
		}
	}
	if len(r.counts) != 10 {
		t.Errorf("%d series: %v", len(r.counts), r.counts)
	}
}

// TestMetrics: what the store measures has names as Prometheus wants them, and the figures of its scopes.
func TestMetrics(t *testing.T) {
	f := open(t)
	f.limit(bucketB, quota.Limit{MaxBytes: 10, MaxObjects: 4})
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: 40})
	f.put("a", noise(5, 1))
	wantExceeded(t, f.tryPut("b", noise(6, 1)), bucketB, quota.Bytes)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(f.Store)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	err = testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP plimsoll_limit_used_ratio How much of a limit is used, 1 for all of it; more where it was lowered. Absent where there is none.
# TYPE plimsoll_limit_used_ratio gauge
plimsoll_limit_used_ratio{bucket="b",owner="",resource="bytes",scope="bucket"} 0.5
plimsoll_limit_used_ratio{bucket="b",owner="",resource="objects",scope="bucket"} 0.25
plimsoll_limit_used_ratio{bucket="",owner="",resource="bytes",scope="server"} 0.125
# HELP plimsoll_limit_bytes Limit of stored bytes; absent where there is none.
# TYPE plimsoll_limit_bytes gauge
plimsoll_limit_bytes{bucket="b",owner="",scope="bucket"} 10
plimsoll_limit_bytes{bucket="",owner="",scope="server"} 40
# HELP plimsoll_quota_refusals_total Operations refused for want of space, by what refused them and why: bytes, objects, reserved (only bodies that were arriving stood in the way) or disk.
# TYPE plimsoll_quota_refusals_total counter
plimsoll_quota_refusals_total{bucket="",owner="",reason="bytes",scope="server"} 0
plimsoll_quota_refusals_total{bucket="",owner="",reason="disk",scope="disk"} 0
plimsoll_quota_refusals_total{bucket="b",owner="",reason="bytes",scope="bucket"} 1
plimsoll_quota_refusals_total{bucket="b",owner="",reason="objects",scope="bucket"} 0
`), "plimsoll_limit_used_ratio", "plimsoll_limit_bytes", "plimsoll_quota_refusals_total")
	if err != nil {
		t.Error(err)
	}
}
