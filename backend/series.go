package backend

import (
	"cmp"
	"slices"

	"github.com/plimsoll/plimsoll/quota"
)

const (
	// maxSeries is how many buckets, and how many owners, have series of their own in each metric: whoever may make
	// buckets must not fill the memory of what scrapes the metrics.
	maxSeries = 1000
	// otherScopes names the rest of a kind together. No bucket and no user can have the name.
	otherScopes = "(other)"
)

// scopeLabels are the names of the labels that tell a scope.
var scopeLabels = []string{"scope", "bucket", "owner"}

// labelsOf are the values of scopeLabels.
func labelsOf(s quota.Scope) []string {
	labels := []string{string(s.Kind), "", ""}
	switch s.Kind {
	case quota.Bucket:
		labels[1] = s.Name
	case quota.Owner:
		labels[2] = s.Name
	}
	return labels
}

// seriesOf returns at most most accounts of a kind, those that hold the most bytes, and with them the sum of the others,
// which has no limit. It reorders accounts.
func seriesOf(accounts []quota.Account, most int) []quota.Account {
	slices.SortFunc(accounts, func(a, b quota.Account) int {
		return cmp.Or(
			cmp.Compare(a.Scope.Kind, b.Scope.Kind),
			cmp.Compare(b.Usage.Bytes, a.Usage.Bytes),
			cmp.Compare(a.Scope.Name, b.Scope.Name),
		)
	})
	var (
		series []quota.Account
		other  *quota.Account
		shown  int
	)
	for i, a := range accounts {
		if i == 0 || a.Scope.Kind != accounts[i-1].Scope.Kind {
			shown, other = 0, nil
		}
		if shown++; shown <= most {
			series = append(series, a)
			continue
		}
		if other == nil {
			series = append(series, quota.Account{Scope: quota.Scope{Kind: a.Scope.Kind, Name: otherScopes}})
			other = &series[len(series)-1]
		}
		other.Usage = quota.Usage(quota.Delta(other.Usage).Add(quota.Delta(a.Usage)))
	}
	return series
}

// refusalCounts counts refusals by scope, in at most so many series of each kind: those that were refused first. The
// rest is counted together, for a counter must not move from one series to another.
type refusalCounts struct {
	most   int
	counts map[quota.Scope]int64
	series map[quota.ScopeKind]int
}

func newRefusalCounts(most int) refusalCounts {
	return refusalCounts{most: most, counts: make(map[quota.Scope]int64), series: make(map[quota.ScopeKind]int)}
}

func (r *refusalCounts) add(scope quota.Scope) {
	if _, known := r.counts[scope]; !known {
		if r.series[scope.Kind]++; r.series[scope.Kind] > r.most {
			scope.Name = otherScopes
		}
	}
	r.counts[scope]++
}
