package backend

import (
	"fmt"
	"slices"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
)

func TestSeriesAreBounded(t *testing.T) {
	accounts := []quota.Account{{Scope: quota.ServerScope, Usage: quota.Usage{Bytes: 100, Objects: 4}}}
	for i := range int64(4) {
		name := fmt.Sprint(i)
		usage := quota.Usage{Bytes: 10 * i, Objects: 1}
		limit := quota.Limit{MaxBytes: 1000}
		accounts = append(accounts,
			quota.Account{Scope: quota.BucketScope(name), Usage: usage, Limit: limit},
			quota.Account{Scope: quota.OwnerScope(name), Usage: usage, Limit: limit})
	}
	for _, test := range []struct {
		most int
		want []string // of each kind but the server
	}{
		{5, []string{"3 30", "2 20", "1 10", "0 0"}},
		{4, []string{"3 30", "2 20", "1 10", "0 0"}},
		{3, []string{"3 30", "2 20", "1 10", "(other) 0"}},
		{1, []string{"3 30", "(other) 30"}},
	} {
		got := map[quota.ScopeKind][]string{}
		for _, a := range seriesOf(slices.Clone(accounts), test.most) {
			got[a.Scope.Kind] = append(got[a.Scope.Kind], fmt.Sprint(a.Scope.Name, " ", a.Usage.Bytes))
			if a.Scope.Name == otherScopes && !a.Limit.Unlimited() {
				t.Errorf("the others together have a limit: %+v", a)
			}
		}
		if !slices.Equal(got[quota.Bucket], test.want) || !slices.Equal(got[quota.Owner], test.want) ||
			!slices.Equal(got[quota.Server], []string{" 100"}) {
			t.Errorf("at most %d: %q, want %q", test.most, got, test.want)
		}
	}
}

func TestRefusalsAreCountedInBoundedSeries(t *testing.T) {
	r := newRefusalCounts(2)
	for range 3 {
		for _, name := range []string{"a", "b", "c", "d"} {
			r.add(quota.OwnerScope(name))
			r.add(quota.BucketScope(name))
		}
		r.add(quota.ServerScope)
	}
	for scope, want := range map[quota.Scope]int64{
		quota.ServerScope: 3, quota.OwnerScope("a"): 3, quota.OwnerScope("b"): 3, quota.OwnerScope(otherScopes): 6,
		quota.BucketScope("a"): 3, quota.BucketScope(otherScopes): 6,
	} {
		if r.counts[scope] != want {
			t.Errorf("%s: %d, want %d", scope, r.counts[scope], want)
		}
	}
	if len(r.counts) != 7 {
		t.Errorf("%d series: %v", len(r.counts), r.counts)
	}
}
