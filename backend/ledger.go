package backend

import (
	"maps"
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
		arriving: make(map[meta.UploadID]int64),
		refusals: newRefusalCounts(series),
	}
	for _, a := range accounts {
		l.accounts[a.Scope] = &a
	}
	return l
}

// hold is a reservation. It is released exactly once, by release or with a commit; later calls do nothing.
type hold struct {
	ledger    *ledger
	accounts  [3]*quota.Account // the bucket's, its owner's and the server's
	deltas    [3]quota.Delta    // what is held of each
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

// reserve admits an operation on a bucket, against what is committed and what is held, and holds what it would add.
// body is how many bytes it will write to the disk; upload is set for a part.
func (l *ledger) reserve(bucket meta.Bucket, op quota.Operation, body int64, upload meta.UploadID) (*hold, error) {
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
		upload:   upload,
	}
	if op.Kind == quota.Part {
		op.CompletedReserved = l.arriving[upload]
	}
	for _, a := range h.accounts {
		if err := quota.Admit(*a, op); err != nil {
			return nil, err
		}
	}
	for i, a := range h.accounts {
		a.Reserved = a.Reserved.Add(h.deltas[i])
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
	for _, a := range r.Accounts {
		if known, ok := l.accounts[a.Scope]; ok {
			known.Limit, known.Usage = a.Limit, a.Usage
		} else {
			l.accounts[a.Scope] = &a
		}
	}
	for _, scope := range r.RemovedScopes {
		delete(l.accounts, scope)
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
