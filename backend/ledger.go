package backend

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// ledger is what the store knows of its scopes without asking the metadata: what is committed, and what is held for
// bodies that are arriving. It decides early; the metadata transaction decides finally.
//
// A commit and the release of its reservation change the ledger in one step, so that no byte is ever counted twice or
// not at all. Between the commit and that step the rows of the metadata are ahead of the ledger: see Store.decide.
type ledger struct {
	mu sync.Mutex
	// accounts holds every scope, with its reservations; guarded by mu. A bucket exists where its scope does. One that
	// is deleted and made again has a new account: the holds of the old one do not touch it.
	accounts map[quota.Scope]*quota.Account
	// prefixes are the accounts of the prefixes of each bucket that has some, outer ones first; guarded by mu.
	prefixes map[string][]*quota.Account
	// arriving is how many bytes of parts are arriving, by upload; guarded by mu.
	arriving map[meta.UploadID]int64
	// refusals counts what was refused; guarded by mu.
	refusals refusalCounts

	// unwritten is how many bytes of the bodies that are arriving have not reached the disk yet.
	unwritten atomic.Int64
	// written is how many have, since the store was opened.
	written atomic.Int64
	// holds is how many reservations there are.
	holds atomic.Int64
}

func newLedger(accounts []quota.Account, series int) *ledger {
	l := &ledger{
		accounts: make(map[quota.Scope]*quota.Account, len(accounts)),
		prefixes: make(map[string][]*quota.Account),
		arriving: make(map[meta.UploadID]int64),
		refusals: newRefusalCounts(series),
	}
	for _, a := range accounts {
		l.addLocked(&a)
	}
	return l
}

// addLocked adds the account of a new scope.
func (l *ledger) addLocked(a *quota.Account) {
	l.accounts[a.Scope] = a
	if a.Scope.Kind == quota.Prefix {
		of := append(l.prefixes[a.Scope.Name], a)
		slices.SortFunc(of, func(x, y *quota.Account) int { return quota.CompareScopes(x.Scope, y.Scope) })
		l.prefixes[a.Scope.Name] = of
	}
}

func (l *ledger) removeLocked(scope quota.Scope) {
	delete(l.accounts, scope)
	if scope.Kind != quota.Prefix {
		return
	}
	of := slices.DeleteFunc(l.prefixes[scope.Name], func(a *quota.Account) bool { return a.Scope == scope })
	if l.prefixes[scope.Name] = of; len(of) == 0 {
		delete(l.prefixes, scope.Name)
	}
}

// prefixesLocked returns the accounts of the prefixes of a key, outer ones first. It is nil, and costs next to nothing,
// where no bucket has any.
func (l *ledger) prefixesLocked(bucket meta.BucketName, key meta.Key) (accounts []*quota.Account) {
	if len(l.prefixes) == 0 {
		return nil
	}
	for _, a := range l.prefixes[string(bucket)] {
		if strings.HasPrefix(string(key), a.Scope.Prefix) {
			accounts = append(accounts, a)
		}
	}
	return accounts
}

// hold is a reservation. It is released exactly once, by release or with a commit; later calls do nothing.
type hold struct {
	ledger    *ledger
	accounts  [3]*quota.Account // the bucket's, its owner's and the server's
	deltas    [3]quota.Delta    // what is held of each
	prefixes  []*quota.Account  // of the key; what is held of the bucket is held of each
	upload    meta.UploadID
	unwritten atomic.Int64
	released  bool // guarded by ledger.mu
}

// wrote tells that n bytes of the body have reached the disk.
func (h *hold) wrote(n int64) {
	h.ledger.written.Add(n) // first: see Store.hasAmpleSpace
	h.unwritten.Add(-n)
	h.ledger.unwritten.Add(-n)
}

func (h *hold) release() {
	h.ledger.mu.Lock()
	defer h.ledger.mu.Unlock()
	h.ledger.releaseLocked(h)
}

// reserve admits an operation on a key of a bucket, against what is committed and what is held, and holds what it would
// add. The innermost scope that refuses it is told. body is how many bytes it will write to the disk; upload is set for a
// part.
func (l *ledger) reserve(
	bucket meta.Bucket, key meta.Key, op quota.Operation, body int64, upload meta.UploadID,
) (*hold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account, exists := l.accounts[quota.BucketScope(string(bucket.Name))]
	owner, owned := l.accounts[quota.OwnerScope(bucket.Owner)]
	if !exists || !owned { // only one of them where the bucket is being made or deleted at this moment
		return nil, meta.ErrNoSuchBucket
	}
	held := growth(op.Delta)
	h := &hold{
		ledger:   l,
		accounts: [3]*quota.Account{account, owner, l.accounts[quota.ServerScope]},
		deltas:   [3]quota.Delta{held, held, growth(onServer(op))},
		prefixes: l.prefixesLocked(bucket.Name, key),
		upload:   upload,
	}
	if op.Kind == quota.Part {
		op.CompletedReserved = l.arriving[upload]
	}
	for _, a := range slices.Backward(h.prefixes) {
		if err := quota.Admit(*a, op); err != nil {
			return nil, err
		}
	}
	for _, a := range h.accounts {
		if err := quota.Admit(*a, op); err != nil {
			return nil, err
		}
	}
	for i, a := range h.accounts {
		a.Reserved = a.Reserved.Add(h.deltas[i])
	}
	for _, a := range h.prefixes {
		a.Reserved = a.Reserved.Add(h.deltas[0])
	}
	if upload != "" {
		l.arriving[upload] += h.deltas[0].PartBytes
	}
	l.holds.Add(1)
	h.unwritten.Store(body)
	l.unwritten.Add(body)
	return h, nil
}

// committed takes over what a commit did, and releases its reservation, which may be nil.
func (l *ledger) committed(r meta.Result, h *hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h != nil {
		l.releaseLocked(h)
	}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		if known, ok := l.accounts[a.Scope]; ok {
			known.Limit, known.Usage = a.Limit, a.Usage
			known.Counting, known.CountedTo = a.Counting, a.CountedTo
		} else {
			added := *a
			l.addLocked(&added)
		}
	}
	for _, scope := range r.RemovedScopes {
		l.removeLocked(scope)
	}
}

// refused counts a refusal by the disk.
func (l *ledger) refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals.add(refusal{diskScope, reasonDisk})
}

// exceeded counts a refusal by a limit.
func (l *ledger) exceeded(e *quota.ExceededError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusals.add(refusal{e.Scope, reasonOf(e)})
}

func (l *ledger) releaseLocked(h *hold) {
	if h.released {
		return
	}
	h.released = true
	for i, a := range h.accounts {
		a.Reserved = a.Reserved.Add(h.deltas[i].Negate())
	}
	for _, a := range h.prefixes {
		a.Reserved = a.Reserved.Add(h.deltas[0].Negate())
	}
	if h.upload != "" {
		if l.arriving[h.upload] -= h.deltas[0].PartBytes; l.arriving[h.upload] == 0 {
			delete(l.arriving, h.upload)
		}
	}
	l.holds.Add(-1)
	l.unwritten.Add(-h.unwritten.Swap(0))
}

// onServer is what an operation changes on the server, where the bytes of parts count: a completion only moves them.
func onServer(op quota.Operation) quota.Delta {
	d := op.Delta
	if op.Kind == quota.Complete {
		d.Bytes, d.PartBytes = d.Bytes+d.PartBytes, 0
	}
	return d
}

// growth is what of a delta needs space: its negative figures are credits that come only with the commit.
func growth(d quota.Delta) quota.Delta {
	return quota.Delta{Bytes: max(d.Bytes, 0), Objects: max(d.Objects, 0), PartBytes: max(d.PartBytes, 0)}
}

func (l *ledger) account(scope quota.Scope) (quota.Account, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.accounts[scope]
	if !ok {
		return quota.Account{}, false
	}
	return *a, true
}

// binding returns the accounts that an operation on a key of a bucket has to fit in, the innermost first; none where the
// bucket is not there.
func (l *ledger) binding(bucket meta.Bucket, key meta.Key) (accounts []quota.Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range slices.Backward(l.prefixesLocked(bucket.Name, key)) {
		accounts = append(accounts, *a)
	}
	for _, scope := range []quota.Scope{
		quota.BucketScope(string(bucket.Name)), quota.OwnerScope(bucket.Owner), quota.ServerScope,
	} {
		a, exists := l.accounts[scope]
		if !exists {
			return nil
		}
		accounts = append(accounts, *a)
	}
	return accounts
}

// counting returns the prefixes that are being counted.
func (l *ledger) counting() (scopes []quota.Scope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.prefixes {
		for _, a := range of {
			if a.Counting {
				scopes = append(scopes, a.Scope)
			}
		}
	}
	return scopes
}

func (l *ledger) snapshot() []quota.Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]quota.Account, 0, len(l.accounts))
	for _, a := range l.accounts {
		all = append(all, *a)
	}
	return all
}

// refusalCounts returns what was refused. The accounts that are given show before anything was refused them, so that the
// first step of the counter is seen.
func (l *ledger) refusalCounts(shown []*quota.Account) map[refusal]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := maps.Clone(l.refusals.counts)
	counts[refusal{diskScope, reasonDisk}] += 0
	for _, a := range shown {
		if !l.refusals.mayName(a.Scope) {
			continue
		}
		if a.Limit.MaxBytes > 0 {
			counts[refusal{a.Scope, string(quota.Bytes)}] += 0
		}
		if a.Limit.MaxObjects > 0 {
			counts[refusal{a.Scope, string(quota.Objects)}] += 0
		}
	}
	return counts
}
