package bolt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

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

	prefixes []string // of a bucket: those that have limits, in order; what is in the slice does not change
	counting *string  // of a prefix: the last key that is counted, nil where all are; what it points at does not change
}

func (a account) public(scope quota.Scope) quota.Account {
	p := quota.Account{Scope: scope, Limit: a.limit, Usage: a.usage}
	if a.counting != nil {
		p.Counting, p.CountedTo = true, *a.counting
	}
	return p
}

// ledger holds the server's account, and those of all buckets, owners, and prefixes with limits.
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
	l.loadPrefixes(s)
	return l, err
}

// loadPrefixes reads the accounts of the prefixes of buckets that are there. Of others only a walk tells. A prefix whose
// usage cannot be read is counted anew: what it holds is in other rows as well, and no reason not to open a store.
func (l ledger) loadPrefixes(s snapshot) {
	for _, key := range keysUnder(s.table(tableLimits), []byte{prefixKey}) {
		scope, err := parseScopeKey(key)
		if err != nil {
			continue
		}
		of := quota.BucketScope(scope.Name)
		if bucket, exists := l[of]; exists {
			a := loadAccount(s, scope)
			if limit, err := readLimit(s.table(tableLimits), key); err == nil && a.err != nil {
				a = account{limit: limit, counting: new(string)}
			}
			bucket.prefixes = append(bucket.prefixes, scope.Prefix)
			l[of], l[scope] = bucket, a
		}
	}
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

// loadAccount reads a scope's limit and usage.
func loadAccount(s snapshot, scope quota.Scope) account {
	var (
		a                  account
		limitErr, usageErr error
		key                = scopeKey(scope)
	)
	a.limit, limitErr = readLimit(s.table(tableLimits), key)
	a.usage, a.counting, usageErr = readUsage(s.table(tableUsage), key)
	a.err = errors.Join(limitErr, usageErr)
	return a
}

// readLimit reads a scope's limit; no row is no limit.
func readLimit(limits table, key []byte) (quota.Limit, error) {
	row := limits.Get(key)
	if row == nil {
		return quota.Limit{}, nil
	}
	return decodeLimit(key, row)
}

// readUsage reads a scope's usage. A new server has none; all others always have a row.
func readUsage(usage table, key []byte) (quota.Usage, *string, error) {
	row := usage.Get(key)
	switch {
	case row != nil:
		return decodeUsage(key, row)
	case key[0] == serverKey:
		return quota.Usage{}, nil, nil
	default:
		return quota.Usage{}, nil, corruptRow(tableUsage, key, errors.New("no row"))
	}
}

// readLedger calls read when the ledger, and what else ledgerMu guards, can be read.
func (r *Repository) readLedger(ctx context.Context, read func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.dbMu.RLock()
	defer r.dbMu.RUnlock()
	if r.db == nil {
		return r.unusable
	}
	r.ledgerMu.RLock()
	defer r.ledgerMu.RUnlock()
	return read()
}

// Accounts returns every scope in the order of quota.CompareScopes.
func (r *Repository) Accounts(ctx context.Context) ([]quota.Account, error) {
	var accounts []quota.Account
	err := r.readLedger(ctx, func() error {
		accounts = make([]quota.Account, 0, len(r.ledger))
		for scope, a := range r.ledger {
			if a.err != nil {
				return a.err
			}
			accounts = append(accounts, a.public(scope))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(accounts, func(a, b quota.Account) int { return quota.CompareScopes(a.Scope, b.Scope) })
	return accounts, nil
}

// Bucket returns a bucket's row.
func (r *Repository) Bucket(ctx context.Context, name meta.BucketName) (bucket meta.Bucket, err error) {
	err = r.readLedger(ctx, func() error {
		a, exists := r.ledger[quota.BucketScope(string(name))]
		switch {
		case !exists:
			return meta.ErrNoSuchBucket
		case a.bucket.Name == "":
			return a.err // the row could not be read
		}
		bucket = a.bucket
		return nil
	})
	return bucket, err
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

// toldAtOnce is for how many accounts of results room is made at a time.
const toldAtOnce = 32

// bill is what a mutation will have made of the accounts that it touches, once it is paid.
type bill struct {
	lines [3]line // the bucket's, its owner's, and the server's
	// prefixes are those with limits that the key begins with, outer ones first; nil where there are none. They are in
	// batch.lines, and good until the next charge.
	prefixes []line
}

// line is what a bill makes of one account.
type line struct {
	scope quota.Scope
	used  quota.Usage // before
	after account
	// uncounted says that the account has not been counted up to the key: its figures stay as they are.
	uncounted bool
}

// charge computes what delta, of a key, makes of the accounts of its prefixes, its bucket, the owner and the server. An
// empty key has no prefixes. It changes nothing.
func (b *batch) charge(name meta.BucketName, key meta.Key, delta quota.Delta) (bill, error) {
	scope := quota.BucketScope(string(name))
	bucket, exists := b.account(scope)
	if !exists {
		return bill{}, meta.ErrNoSuchBucket
	}
	if bucket.err != nil {
		return bill{}, bucket.err
	}
	var (
		bl  bill
		err error
	)
	for i, s := range [len(bl.lines)]quota.Scope{scope, quota.OwnerScope(bucket.bucket.Owner), quota.ServerScope} {
		if err = b.line(&bl.lines[i], s, key, delta); err != nil {
			return bill{}, err
		}
	}
	if len(bucket.prefixes) == 0 {
		return bl, nil
	}
	bl.prefixes = b.lines[:0]
	for _, prefix := range bucket.prefixes {
		if !strings.HasPrefix(string(key), prefix) {
			continue
		}
		bl.prefixes = append(bl.prefixes, line{})
		last := &bl.prefixes[len(bl.prefixes)-1]
		if err = b.line(last, quota.PrefixScope(string(name), prefix), key, delta); err != nil {
			return bill{}, err
		}
	}
	b.lines = bl.prefixes
	return bl, nil
}

// line computes what delta, of a key, makes of an account.
func (b *batch) line(l *line, scope quota.Scope, key meta.Key, delta quota.Delta) error {
	a, exists := b.account(scope)
	if !exists {
		return fmt.Errorf("%w: %s has no account", meta.ErrCorrupt, scope)
	}
	if a.err != nil {
		return a.err
	}
	l.scope, l.used, l.after = scope, a.usage, a
	if l.uncounted = a.counting != nil && string(key) > *a.counting; l.uncounted {
		return nil
	}
	var err error
	if l.after.usage, err = apply(a.usage, delta); err != nil {
		return fmt.Errorf("%s: %w", scope, err)
	}
	return nil
}

// admit is charge for an operation that a limit may refuse. The innermost scope that does is told.
func (b *batch) admit(bucket meta.BucketName, key meta.Key, op quota.Operation) (bill, error) {
	bl, err := b.charge(bucket, key, op.Delta)
	if err != nil {
		return bill{}, err
	}
	for i := range bl.prefixes {
		if err := bl.prefixes[len(bl.prefixes)-1-i].admit(op); err != nil {
			return bill{}, err
		}
	}
	for i := range bl.lines {
		if err := bl.lines[i].admit(op); err != nil {
			return bill{}, err
		}
	}
	return bl, nil
}

func (l *line) admit(op quota.Operation) error {
	return quota.Admit(quota.Account{Scope: l.scope, Limit: l.after.limit, Usage: l.used}, op)
}

// pay makes the bill's figures those of the batch, and returns them as a Result tells them: the server first, then the
// owner, the bucket, and the prefixes.
func (b *batch) pay(bl bill) []quota.Account {
	if most := len(bl.lines) + len(bl.prefixes); cap(b.told)-len(b.told) < most {
		b.told = make([]quota.Account, 0, max(most, toldAtOnce))
	}
	begin := len(b.told)
	for i := range bl.lines {
		b.payLine(&bl.lines[len(bl.lines)-1-i])
	}
	for i := range bl.prefixes {
		if l := &bl.prefixes[i]; !l.uncounted {
			b.payLine(l)
		}
	}
	return slices.Clip(b.told[begin:])
}

func (b *batch) payLine(l *line) {
	b.entries[l.scope] = entry{account: l.after, unwritten: true}
	b.told = append(b.told, l.after.public(l.scope))
}

// writeUsage writes the usage rows that the batch has changed.
func (b *batch) writeUsage() {
	for scope, e := range b.entries {
		if e.unwritten && !e.removed {
			key := scopeKey(scope)
			b.put(b.usage, key, encodeUsage(key, e.usage, e.counting))
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
