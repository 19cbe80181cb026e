package backend

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/plimsoll/plimsoll/quota"
)

const (
	// DefaultMetricsBuckets is how many buckets, and how many owners, have series of their own in each metric: whoever may
	// make buckets must not fill the memory of what scrapes the metrics.
	DefaultMetricsBuckets = 1000
	// otherScopes names the rest of a kind together. No bucket and no user can have the name; "other" is one that a bucket
	// could have.
	otherScopes = "(other)"
)

// The reasons of a refusal beside the resources of a limit.
const (
	reasonReserved = "reserved"
	reasonDisk     = "disk"
)

// scopeLabels are the names of the labels that tell a scope.
var scopeLabels = []string{"scope", "bucket", "owner"}

// scopeSeries are the labels that tell a scope, shared by all of its series.
type scopeSeries struct{ bucket, owner, scope *dto.LabelPair }

var (
	noBucket, noOwner = labelPair("bucket", ""), labelPair("owner", "")
	kindPairs         = pairsOf("scope", string(quota.Prefix), string(quota.Bucket), string(quota.Owner), string(quota.Server), string(quota.Disk))
	resourcePairs     = pairsOf("resource", string(quota.Bytes), string(quota.Objects))
	reasonPairs       = pairsOf("reason", string(quota.Bytes), string(quota.Objects), reasonReserved, reasonDisk)
)

func pairsOf(name string, values ...string) map[string]*dto.LabelPair {
	pairs := make(map[string]*dto.LabelPair, len(values))
	for _, v := range values {
		pairs[v] = labelPair(name, v)
	}
	return pairs
}

func labelPair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func seriesOf(s quota.Scope) scopeSeries {
	of := scopeSeries{noBucket, noOwner, kindPairs[string(s.Kind)]}
	switch s.Kind {
	case quota.Bucket, quota.Prefix:
		of.bucket = labelPair("bucket", s.Name)
	case quota.Owner:
		of.owner = labelPair("owner", s.Name)
	}
	return of
}

// labels are by name, as prometheus.Metric wants them.
func (s scopeSeries) labels() []*dto.LabelPair { return []*dto.LabelPair{s.bucket, s.owner, s.scope} }

// with are the labels and another, whose name comes after "owner" and before "scope".
func (s scopeSeries) with(another *dto.LabelPair) []*dto.LabelPair {
	return []*dto.LabelPair{s.bucket, s.owner, another, s.scope}
}

// byLabels orders scopes as their labels do: what is collected in this order need not be sorted.
func byLabels(a, b *quota.Account) int {
	if a.Scope.Kind == b.Scope.Kind {
		return strings.Compare(a.Scope.Name, b.Scope.Name)
	}
	return quota.CompareScopes(a.Scope, b.Scope)
}

// sample is a prometheus.Metric that shares its labels with others: there are tens of thousands in a scrape.
type sample struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []*dto.LabelPair
}

// Desc implements prometheus.Metric.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *sample) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.kind == prometheus.CounterValue {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// seriesSet chooses the accounts that have series of their own: at most so many of a kind, those that hold the most
// bytes. One that was chosen stays so until one that was not has become larger by a margin, so that series do not come
// and go where two are about as large.
type seriesSet struct {
	most int

	mu     sync.Mutex           // guards chosen
	chosen map[quota.Scope]bool // by the last scrape, of kinds that have more than most
}

func newSeriesSet(most int) *seriesSet {
	return &seriesSet{most: most, chosen: make(map[quota.Scope]bool)}
}

// seriesMargin is by how much one has to be larger to take the place of another: by a tenth, and by a mebibyte.
func seriesMargin(bytes int64) int64 { return bytes/10 + 1<<20 }

// choose returns the accounts that have series of their own, and with them the sum of the others of each kind, which has
// no limit. They are in the order of their labels.
func (s *seriesSet) choose(accounts []quota.Account) []*quota.Account {
	kinds := make(map[quota.ScopeKind][]*quota.Account)
	for i := range accounts {
		kind := accounts[i].Scope.Kind
		kinds[kind] = append(kinds[kind], &accounts[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown []*quota.Account
	chosen := make(map[quota.Scope]bool)
	for _, of := range kinds {
		shown = append(shown, s.chooseLocked(of, chosen)...)
	}
	s.chosen = chosen
	slices.SortFunc(shown, byLabels)
	return shown
}

// larger orders accounts from the one that holds the most bytes on.
func larger(a, b *quota.Account) int {
	return cmp.Or(cmp.Compare(b.Usage.Bytes, a.Usage.Bytes), strings.Compare(a.Scope.Name, b.Scope.Name))
}

// chooseLocked chooses among the accounts of a kind.
func (s *seriesSet) chooseLocked(accounts []*quota.Account, chosen map[quota.Scope]bool) []*quota.Account {
	if len(accounts) <= s.most {
		return accounts
	}
	slices.SortFunc(accounts, larger)
	var members, others []*quota.Account // each from the largest on
	for _, a := range accounts {
		if s.chosen[a.Scope] && len(members) < s.most {
			members = append(members, a)
		} else {
			others = append(others, a)
		}
	}
	free := s.most - len(members)
	members, others = append(members, others[:free]...), others[free:]
	if free > 0 {
		slices.SortFunc(members, larger)
	}
	// The largest of the others takes the place of the smallest member, the second that of the second, and so on.
	for i := range min(len(others), len(members)) {
		smallest := &members[len(members)-1-i]
		if bytes := (*smallest).Usage.Bytes; others[i].Usage.Bytes <= bytes+seriesMargin(bytes) {
			break
		}
		*smallest, others[i] = others[i], *smallest
	}
	for _, m := range members {
		chosen[m.Scope] = true
	}
	rest := &quota.Account{Scope: quota.Scope{Kind: accounts[0].Scope.Kind, Name: otherScopes}}
	for _, o := range others {
		rest.Usage = quota.Usage(quota.Delta(rest.Usage).Add(quota.Delta(o.Usage)))
		rest.Reserved = rest.Reserved.Add(o.Reserved)
	}
	return append(members, rest)
}

// refusal is what was refused by what, and why.
type refusal struct {
	scope  quota.Scope
	reason string
}

// reasonOf says why a limit refuses.
func reasonOf(e *quota.ExceededError) string {
	if e.Transient {
		return reasonReserved
	}
	return string(e.Resource)
}

// refusalCounts counts refusals, in series for at most so many scopes of each kind: those that were refused first. The
// rest is counted together, for a counter must not move from one series to another.
type refusalCounts struct {
	most   int
	counts map[refusal]int64
	named  map[quota.Scope]bool
	series map[quota.ScopeKind]int // how many are named
}

func newRefusalCounts(most int) refusalCounts {
	return refusalCounts{
		most: most, counts: make(map[refusal]int64), named: make(map[quota.Scope]bool), series: make(map[quota.ScopeKind]int),
	}
}

// mayName reports whether what is refused a scope is counted under its name.
func (r *refusalCounts) mayName(scope quota.Scope) bool {
	return r.named[scope] || r.series[scope.Kind] < r.most
}

func (r *refusalCounts) add(what refusal) {
	what.scope.Prefix = "" // those of a bucket's prefixes are counted together
	switch {
	case !r.mayName(what.scope):
		what.scope.Name = otherScopes
	case !r.named[what.scope]:
		r.named[what.scope] = true
		r.series[what.scope.Kind]++
	}
	r.counts[what]++
}
