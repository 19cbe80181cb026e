package bolt

import (
	"errors"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// restoreUsage writes usage as it is told. An account whose other rows cannot be read goes on refusing what would change
// it.
func (b *batch) restoreUsage(m meta.RestoreUsage) (meta.Result, error) {
	accounts := slices.SortedFunc(slices.Values(m.Accounts), func(x, y quota.Account) int {
		return quota.CompareScopes(x.Scope, y.Scope)
	})
	for i, a := range accounts {
		if err := b.validateRestored(a); err != nil {
			return meta.Result{}, err
		}
		if i > 0 && a.Scope == accounts[i-1].Scope {
			return meta.Result{}, invalid("%s is named twice", a.Scope)
		}
	}
	var strays []quota.Scope // that have accounts all the same
	for _, key := range m.Strays {
		scope, err := parseScopeKey(key)
		if err != nil {
			continue
		}
		if b.hasAccount(scope) {
			return meta.Result{}, invalid("the usage of %s is no stray", scope)
		}
		if _, loaded := b.account(scope); loaded {
			strays = append(strays, scope)
		}
	}
	for _, key := range m.Strays {
		b.delete(b.usage, key)
	}
	for _, scope := range strays {
		b.entries[scope] = entry{removed: true}
	}
	for i, restored := range accounts {
		a := b.restored(restored)
		b.entries[restored.Scope] = entry{account: a, unwritten: true}
		accounts[i] = a.public(restored.Scope)
	}
	return meta.Result{Accounts: accounts, RemovedScopes: strays}, nil
}

// hasAccount tells whether a scope should have an account. An owner has one in the ledger for the sake of a row alone.
func (b *batch) hasAccount(scope quota.Scope) bool {
	a, exists := b.account(scope)
	return exists && (scope.Kind != quota.Owner || a.owned > 0 || b.limits.Get(scopeKey(scope)) != nil)
}

func (b *batch) validateRestored(a quota.Account) error {
	u := a.Usage
	if min(u.Bytes, u.Objects, u.PartBytes, u.Uploads, u.Noncurrent, u.Markers) < 0 {
		return invalid("usage %+v of %s", u, a.Scope)
	}
	if a.Counting && a.Scope.Kind != quota.Prefix {
		return invalid("%s is being counted", a.Scope)
	}
	if b.hasAccount(a.Scope) {
		return nil
	}
	switch a.Scope.Kind {
	case quota.Bucket:
		return meta.ErrNoSuchBucket
	case quota.Prefix:
		if _, exists := b.account(quota.BucketScope(a.Scope.Name)); !exists {
			return meta.ErrNoSuchBucket
		}
		return meta.ErrNoSuchPrefix
	case quota.Owner:
		return meta.ErrNoSuchOwner
	default:
		return invalid("the usage of scope %+v", a.Scope)
	}
}

// restored is an account with other usage. What else cannot be read of it is read again, to be told again.
func (b *batch) restored(restored quota.Account) account {
	a, _ := b.account(restored.Scope)
	a.usage, a.counting = restored.Usage, nil
	if restored.Counting {
		a.counting = &restored.CountedTo
	}
	if a.err == nil {
		return a
	}
	_, a.err = readLimit(b.limits, scopeKey(restored.Scope))
	if restored.Scope.Kind == quota.Bucket {
		name := []byte(restored.Scope.Name)
		_, err := decodeBucket(name, b.buckets.Get(name))
		a.err = errors.Join(err, a.err)
	}
	return a
}
