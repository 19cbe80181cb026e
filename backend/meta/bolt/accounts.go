package bolt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// account is a scope in memory, and the row of a bucket: what most mutations ask of it costs no look into a table. One
// whose rows are corrupt has err and refuses what would change it; the rest of the repository goes on.
type account struct {
	limit  quota.Limit
	usage  quota.Usage
	bucket meta.Bucket // of a bucket
	owned  int         // of an owner: how many buckets they have
	err    error
}

func (a account) public(scope quota.Scope) quota.Account {
	return quota.Account{Scope: scope, Limit: a.limit, Usage: a.usage}
}

// ledger holds the server's account, those of all buckets, and those of all owners.
type ledger map[quota.Scope]account

func loadLedger(s snapshot) (ledger, error) {
	l := ledger{quota.ServerScope: loadAccount(s, quota.ServerScope)}
	for _, table := range [][]byte{tableLimits, tableUsage} {
		for _, key := range keysUnder(s.table(table), []byte{ownerKey}) {
			if scope, err := parseScopeKey(key); err == nil { // else only a walk tells of the row
				l[scope] = loadAccount(s, scope)
			}
		}
	}
	err := s.table(tableBuckets).ForEach(func(name, value []byte) error {
		scope := quota.BucketScope(string(name))
		a := loadAccount(s, scope)
		if bucket, err := decodeBucket(name, value); err != nil {
			a.err = errors.Join(err, a.err)
		} else {
			a.bucket = bucket
			l.own(s, quota.OwnerScope(bucket.Owner))
		}
		l[scope] = a
		return nil
	})
	return l, err
}

// own counts a bucket of an owner.
func (l ledger) own(s snapshot, owner quota.Scope) {
	a, exists := l[owner]
	if !exists {
		a = loadAccount(s, owner)
	}
	a.owned++
	l[owner] = a
}

// loadAccount reads a scope's limit and usage. A new server has none; a bucket or an owner always has a usage row.
func loadAccount(s snapshot, scope quota.Scope) account {
	var (
		a         account
		err       error
		limitErr  error
		key       = scopeKey(scope)
		limitRow  = s.table(tableLimits).Get(key)
		usageRow  = s.table(tableUsage).Get(key)
		mustExist = scope.Kind != quota.Server
	)
	if limitRow != nil {
		a.limit, limitErr = decodeLimit(key, limitRow)
	}
	switch {
	case usageRow != nil:
		a.usage, err = decodeUsage(key, usageRow)
	case mustExist:
		err = corruptRow(tableUsage, key, errors.New("no row"))
	}
	a.err = errors.Join(limitErr, err)
	return a
}

// Accounts returns every scope in the order of quota.CompareScopes.
func (r *Repository) Accounts(ctx context.Context) ([]quota.Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.dbMu.RLock()
	defer r.dbMu.RUnlock()
	if r.db == nil {
		return nil, r.unusable
	}
	r.ledgerMu.RLock()
	defer r.ledgerMu.RUnlock()
	accounts := make([]quota.Account, 0, len(r.ledger))
	for scope, a := range r.ledger {
		if a.err != nil {
			return nil, a.err
		}
		accounts = append(accounts, a.public(scope))
	}
	slices.SortFunc(accounts, func(a, b quota.Account) int { return quota.CompareScopes(a.Scope, b.Scope) })
	return accounts, nil
}

// Bucket returns a bucket's row.
func (r *Repository) Bucket(ctx context.Context, name meta.BucketName) (meta.Bucket, error) {
	if err := ctx.Err(); err != nil {
		return meta.Bucket{}, err
	}
	r.dbMu.RLock()
	defer r.dbMu.RUnlock()
	if r.db == nil {
		return meta.Bucket{}, r.unusable
	}
	r.ledgerMu.RLock()
	defer r.ledgerMu.RUnlock()
	a, exists := r.ledger[quota.BucketScope(string(name))]
	switch {
	case !exists:
		return meta.Bucket{}, meta.ErrNoSuchBucket
	case a.bucket.Name == "":
		return meta.Bucket{}, a.err // the row could not be read
	}
	return a.bucket, nil
}

// entry is an account as a batch has changed it so far.
type entry struct {
	account
	removed bool
	// unwritten says that the usage row does not have the figures yet: rows are written once, when the batch ends.
	unwritten bool
}

// account returns a scope as it is at this point of the batch.
func (b *batch) account(scope quota.Scope) (account, bool) {
	if e, changed := b.entries[scope]; changed {
		return e.account, !e.removed
	}
	a, exists := b.ledger[scope]
	return a, exists
}

// bucket returns the row of a bucket that can be changed, or meta.ErrNoSuchBucket.
func (b *batch) bucket(name meta.BucketName) (meta.Bucket, error) {
	a, exists := b.account(quota.BucketScope(string(name)))
	if !exists {
		return meta.Bucket{}, meta.ErrNoSuchBucket
	}
	return a.bucket, a.err
}

// bill is what a mutation will have made of the accounts of the bucket, its owner and the server, once it is paid.
type bill [3]struct {
	scope quota.Scope
	after account
}

// charge computes what delta makes of the accounts of a bucket, its owner and the server. It changes nothing.
func (b *batch) charge(name meta.BucketName, delta quota.Delta) (bill, error) {
	bucket, err := b.bucket(name)
	if err != nil {
		return bill{}, err
	}
	var bl bill
	for i, scope := range [len(bl)]quota.Scope{
		quota.BucketScope(string(name)), quota.OwnerScope(bucket.Owner), quota.ServerScope,
	} {
		a, exists := b.account(scope)
		if !exists {
			return bill{}, fmt.Errorf("%w: %s has no account", meta.ErrCorrupt, scope)
		}
		if a.err != nil {
			return bill{}, a.err
		}
		usage, err := apply(a.usage, delta)
		if err != nil {
			return bill{}, fmt.Errorf("%s: %w", scope, err)
		}
		a.usage = usage
		bl[i].scope, bl[i].after = scope, a
	}
	return bl, nil
}

// admit is charge for an operation that a limit may refuse.
func (b *batch) admit(bucket meta.BucketName, op quota.Operation) (bill, error) {
	bl, err := b.charge(bucket, op.Delta)
	if err != nil {
		return bill{}, err
	}
	for _, line := range bl {
		before, _ := b.account(line.scope)
		if err := quota.Admit(before.public(line.scope), op); err != nil {
			return bill{}, err
		}
	}
	return bl, nil
}

// pay makes the bill's figures those of the batch, and returns them as a Result tells them: the bucket last.
func (b *batch) pay(bl bill) []quota.Account {
	accounts := make([]quota.Account, len(bl))
	for i, line := range bl {
		b.entries[line.scope] = entry{account: line.after, unwritten: true}
		accounts[len(bl)-1-i] = line.after.public(line.scope)
	}
	return accounts
}

// writeUsage writes the usage rows that the batch has changed.
func (b *batch) writeUsage() {
	for scope, e := range b.entries {
		if e.unwritten && !e.removed {
			key := scopeKey(scope)
			b.put(b.usage, key, encodeUsage(key, e.usage))
		}
	}
}

// apply returns usage after delta. quota.Usage.Apply panics below zero and holds at the top of int64, where a later
// credit would be wrong: both are refused here, the first because the rows contradict each other.
func apply(u quota.Usage, d quota.Delta) (quota.Usage, error) {
	for _, f := range [][2]int64{
		{u.Bytes, d.Bytes},
		{u.Objects, d.Objects},
		{u.PartBytes, d.PartBytes},
		{u.Uploads, d.Uploads},
		{u.Noncurrent, d.Noncurrent},
		{u.Markers, d.Markers},
	} {
		if f[1] > 0 && f[0] > math.MaxInt64-f[1] {
			return u, invalid("usage beyond the range of int64")
		}
		if f[0]+f[1] < 0 {
			return u, fmt.Errorf("%w: usage %+v is less than the %+v to be credited", meta.ErrCorrupt, u, d)
		}
	}
	return u.Apply(d), nil
}
