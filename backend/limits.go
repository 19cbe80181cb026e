package backend

import (
	"context"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// SetLimit replaces the limit of a bucket, of a prefix in it, of an owner or of the server, at once and for good; the zero
// limit removes it. A limit below what is stored stops growth and deletes nothing. An owner need not have a bucket yet.
// What is under a prefix when it gets its first limit is counted in the background (see keepCounting) if it is much:
// quota.Account says what holds meanwhile. It fails with meta.ErrNoSuchBucket and meta.ErrTooManyPrefixes.
func (s *Store) SetLimit(_ context.Context, scope quota.Scope, limit quota.Limit) error {
	r, err := s.commit(&proposal{mutation: meta.SetLimit{Scope: scope, Limit: limit, Rows: s.countRows}})
	for _, a := range r.Accounts {
		if a.Counting {
			s.wakeCounting()
		}
	}
	return err
}

// ChangeLimit sets the limit of a scope to what edit makes of it, under the LimitLock: no other change comes in between.
// Where edit fails nothing changes, and its error is returned. An owner who has no bucket and no limit is shown as one
// without a limit. It fails with meta.ErrNoSuchBucket.
func (s *Store) ChangeLimit(
	ctx context.Context, scope quota.Scope, edit func(quota.Limit) (quota.Limit, error),
) error {
	s.limits.Lock()
	defer s.limits.Unlock()
	account, ok := s.Account(scope)
	if !ok && scope.Kind == quota.Bucket {
		return meta.ErrNoSuchBucket
	}
	limit, err := edit(account.Limit)
	if err != nil || limit == account.Limit {
		return err
	}
	return s.SetLimit(ctx, scope, limit)
}

// Account returns what a scope holds, may hold, and has reserved, as of the last commit; false where there is no such
// scope. An owner is one while they have a bucket or a limit, a prefix while it has a limit.
func (s *Store) Account(scope quota.Scope) (quota.Account, bool) { return s.ledger.account(scope) }

// Accounts returns every scope in the order of quota.CompareScopes: the server, the owners, the buckets, the
// prefixes that have limits.
func (s *Store) Accounts() []quota.Account {
	all := s.ledger.snapshot()
	slices.SortFunc(all, func(a, b quota.Account) int { return quota.CompareScopes(a.Scope, b.Scope) })
	return all
}

// Free returns how many bytes the disk has left above the reserve, and its size.
func (s *Store) Free() (available, total int64, err error) {
	available, total, err = s.blobs.Free()
	return max(0, available-s.diskReserve.of(total)), total, err
}

// DiskSpace is the space of the disk under the store, in bytes.
type DiskSpace struct {
	// Size is that of the disk, Free what nobody has taken, Reserve what growth leaves alone of it, and Available what is
	// left for growth, never negative.
	Size, Free, Reserve, Available int64
}

// Disk returns the space of the disk.
func (s *Store) Disk() (d DiskSpace, err error) {
	d.Free, d.Size, err = s.blobs.Free()
	d.Reserve = s.diskReserve.of(d.Size)
	d.Available = max(0, d.Free-d.Reserve)
	return d, err
}

// timestamp is now, as rows keep it: to the millisecond, UTC.
func (s *Store) timestamp() time.Time { return s.now().UTC().Truncate(time.Millisecond) }
