package backend

import (
	"context"
	"sync"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// faults stand between a store and its engines. Each hook may be nil, and is set while the store is idle.
type faults struct {
	meta.Repository
	mu sync.Mutex
	// before is called with every batch before it is committed; its error is that of the commit.
	before func([]meta.Mutation) error // guarded by mu
	// after is called when a batch is committed, before the store knows.
	after func([]meta.Mutation) // guarded by mu
	// sync is called before blobs are synced; its error is that of Sync.
	sync func([]blob.Ref) error // guarded by mu
}

func (x *faults) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
}

func (x *faults) Commit(ctx context.Context, batch []meta.Mutation) ([]meta.Result, error) {
	x.mu.Lock()
	before, after := x.before, x.after
	x.mu.Unlock()
	if before != nil {
		if err := before(batch); err != nil {
			return nil, err
		}
	}
	results, err := x.Repository.Commit(ctx, batch)
	if after != nil {
		after(batch)
	}
	return results, err
}

type faultyBlobs struct {
	blob.Store
	faults *faults
}

func (b faultyBlobs) Sync(ctx context.Context, refs []blob.Ref) error {
	b.faults.mu.Lock()
	sync := b.faults.sync
	b.faults.mu.Unlock()
	if sync != nil {
		if err := sync(refs); err != nil {
			return err
		}
	}
	return b.Store.Sync(ctx, refs)
}

// withFaults opens a store whose engines can be made to fail.
func withFaults(x *faults) func(*Options) {
	return func(o *Options) {
		o.wrap = func(m meta.Repository, b blob.Store) (meta.Repository, blob.Store) {
			x.Repository = m
			return x, faultyBlobs{b, x}
		}
	}
}
