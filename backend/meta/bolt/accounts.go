package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// account is a scope in memory. One whose rows are corrupt has err and refuses what would change it; the rest of the
// repository goes on.
type account struct {
	limit quota.Limit
	usage quota.Usage
	err   error
}

func (a account) public(scope quota.Scope) quota.Account {
	return quota.Account{Scope: scope, Limit: a.limit, Usage: a.usage}
}

// ledger holds the server's account and those of all buckets.
type ledger map[quota.Scope]account

func loadLedger(tx *bbolt.Tx) (ledger, error) {
	l := ledger{quota.ServerScope: loadAccount(tx, quota.ServerScope)}
	err := tx.Bucket(tableBuckets).ForEach(func(name, _ []byte) error {
		scope := quota.BucketScope(string(name))
		l[scope] = loadAccount(tx, scope)
		return nil
	})
	return l, err
}

// loadAccount reads a scope's rows. A new server has none; a bucket always has a usage row.
func loadAccount(tx *bbolt.Tx, scope quota.Scope) account {
	var (
		a         account
		err       error
		limitErr  error
		key       = scopeKey(scope)
		limitRow  = tx.Bucket(tableLimits).Get(key)
		usageRow  = tx.Bucket(tableUsage).Get(key)
		mustExist = scope.Kind == quota.Bucket
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

// Accounts returns every scope: the server first, then the buckets by name.
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
	slices.SortFunc(accounts, func(a, b quota.Account) int {
		return cmp.Compare(a.Scope.Name, b.Scope.Name) // the server has no name
	})
	return accounts, nil
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

func (b *batch) bucketExists(name meta.BucketName) bool {
	_, exists := b.account(quota.BucketScope(string(name)))
	return exists
}

// bill is what a mutation will have made of the bucket's and the server's account, once it is paid.
type bill [2]struct {
	scope quota.Scope
	after account
}

// charge computes what delta makes of a bucket's and the server's account. It changes nothing.
func (b *batch) charge(bucket meta.BucketName, delta quota.Delta) (bill, error) {
	var bl bill
	for i, scope := range [2]quota.Scope{quota.BucketScope(string(bucket)), quota.ServerScope} {
		a, exists := b.account(scope)
		if !exists {
			return bill{}, meta.ErrNoSuchBucket
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

// pay makes the bill's figures those of the batch, and returns them as a Result tells them: the server first.
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
		{u.Bytes, d.Bytes}, {u.Objects, d.Objects}, {u.PartBytes, d.PartBytes}, {u.Uploads, d.Uploads},
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
