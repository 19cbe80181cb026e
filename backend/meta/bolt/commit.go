package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// batch is the write transaction of one Commit.
type batch struct {
	buckets, objects, uploads, parts, blobs, garbage, limits, usage *bbolt.Bucket

	// ledger is what was committed before the batch, entries what the batch has changed of it. They become the ledger's
	// when the transaction is committed, and are dropped when it is not.
	ledger  ledger
	entries map[quota.Scope]entry

	dirty bool  // something was written
	err   error // the first write that failed: nothing of the batch can be committed
}

// Commit applies the mutations in order, in one transaction.
func (r *Repository) Commit(ctx context.Context, mutations []meta.Mutation) ([]meta.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(mutations) == 0 {
		return nil, nil
	}
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	if r.unusable != nil {
		return nil, r.unusable
	}
	b, results, err := r.transact(mutations)
	if err != nil {
		return nil, fmt.Errorf("commit metadata: %w", err)
	}
	r.ledgerMu.Lock()
	defer r.ledgerMu.Unlock()
	for scope, e := range b.entries {
		if e.removed {
			delete(r.ledger, scope)
		} else {
			r.ledger[scope] = e.account
		}
	}
	return results, nil
}

// transact runs the transaction to its end: committed, or as if it had never been.
func (r *Repository) transact(mutations []meta.Mutation) (*batch, []meta.Result, error) {
	tx, err := r.db.Begin(true)
	if err != nil {
		return nil, nil, r.settle(0, err)
	}
	id := tx.ID()
	// Only Commit writes the ledger, and commitMu is held: reading needs no ledgerMu.
	b := newBatch(tx, r.ledger)
	results, err := b.run(mutations)
	if err != nil {
		return nil, nil, errors.Join(restoreCause(err), tx.Rollback())
	}
	if !b.dirty {
		return b, results, tx.Rollback()
	}
	if err := r.finish(tx); err != nil {
		return nil, nil, r.settle(id, restoreCause(err))
	}
	return b, results, nil
}

func newBatch(tx *bbolt.Tx, l ledger) *batch {
	return &batch{
		buckets: tx.Bucket(tableBuckets),
		objects: tx.Bucket(tableObjects),
		uploads: tx.Bucket(tableUploads),
		parts:   tx.Bucket(tableParts),
		blobs:   tx.Bucket(tableBlobs),
		garbage: tx.Bucket(tableGarbage),
		limits:  tx.Bucket(tableLimits),
		usage:   tx.Bucket(tableUsage),
		ledger:  l,
		entries: make(map[quota.Scope]entry),
	}
}

// run applies the mutations. An error means that the transaction must be rolled back.
func (b *batch) run(mutations []meta.Mutation) (results []meta.Result, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverCorrupt(&err)
	results = make([]meta.Result, len(mutations))
	for i, m := range mutations {
		result, err := b.apply(m)
		if b.err != nil {
			return nil, b.err
		}
		if err != nil {
			result = meta.Result{Err: err}
		}
		results[i] = result
	}
	b.writeUsage()
	return results, b.err
}

// apply applies one mutation. Where it returns an error it has written nothing.
func (b *batch) apply(m meta.Mutation) (meta.Result, error) {
	switch m := m.(type) {
	case meta.CreateBucket:
		return b.createBucket(m)
	case meta.DeleteBucket:
		return b.deleteBucket(m)
	case meta.SetLimit:
		return b.setLimit(m)
	case meta.PutObject:
		return b.putObject(m)
	case meta.DeleteObject:
		return b.deleteObject(m)
	case meta.CreateUpload:
		return b.createUpload(m)
	case meta.PutPart:
		return b.putPart(m)
	case meta.CompleteUpload:
		return b.completeUpload(m)
	case meta.AbortUpload:
		return b.abortUpload(m)
	case meta.MoveBlobs:
		return b.moveBlobs(m)
	case meta.ForgetGarbage:
		return b.forgetGarbage(m)
	default:
		return meta.Result{}, invalid("mutation of type %T", m)
	}
}

// put writes a row. bbolt keeps the value until the transaction ends: it must not be changed after.
func (b *batch) put(table *bbolt.Bucket, key, value []byte) {
	if b.err == nil {
		b.dirty = true
		b.err = table.Put(key, value)
	}
}

func (b *batch) delete(table *bbolt.Bucket, key []byte) {
	if b.err == nil {
		b.dirty = true
		b.err = table.Delete(key)
	}
}
