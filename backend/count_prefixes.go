package backend

import (
	"context"
	"errors"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

const (
	// countRows is how many objects, versions and uploads are counted in one transaction: a millisecond's work or so, for
	// which everything else that is committed with it waits. Only a key that has more versions by itself takes longer.
	countRows = 1000
	// countRetry is how long a count rests that has failed, on a full disk or a damaged row.
	countRetry = time.Minute
)

// keepCounting counts what is under prefixes that have got limits, step by step. Each step is a mutation like others, and
// commits with what is queued beside it. Where a count was when the store was stopped, it goes on.
func (s *Store) keepCounting(ctx context.Context) {
	if s.countRows < 0 {
		return
	}
	timer := time.NewTimer(countRetry)
	defer timer.Stop()
	for {
		for _, scope := range s.ledger.counting() {
			s.countPrefix(ctx, scope)
		}
		timer.Reset(countRetry)
		select {
		case <-ctx.Done():
			return
		case <-s.toCount:
		case <-timer.C:
		}
	}
}

// wakeCounting has keepCounting look what there is to count.
func (s *Store) wakeCounting() {
	select {
	case s.toCount <- struct{}{}:
	default: // it will look anyway
	}
}

// countPrefix counts a prefix to its end, and takes no more than half of the time for it.
func (s *Store) countPrefix(ctx context.Context, scope quota.Scope) {
	for {
		started := time.Now()
		account, err := s.countStep(scope, s.countRows)
		switch {
		case errors.Is(err, meta.ErrNoSuchBucket), errors.Is(err, meta.ErrNoSuchPrefix):
			return // removed meanwhile
		case err != nil:
			s.log.Error("count what is under a prefix", "bucket", scope.Name, "prefix", scope.Prefix, "error", err)
			return
		case !account.Counting:
			s.log.Info("counted what is under a prefix",
				"bucket", scope.Name, "prefix", scope.Prefix, "bytes", account.Usage.Bytes, "objects", account.Usage.Objects)
			return
		}
		if rest(ctx, time.Since(started)) != nil {
			return
		}
	}
}

// countStep counts some rows on.
func (s *Store) countStep(scope quota.Scope, rows int) (quota.Account, error) {
	r, err := s.commit(&proposal{mutation: meta.CountPrefix{
		Bucket: meta.BucketName(scope.Name), Prefix: scope.Prefix, Rows: rows,
	}})
	if err != nil {
		return quota.Account{}, err
	}
	return r.Accounts[0], nil
}
