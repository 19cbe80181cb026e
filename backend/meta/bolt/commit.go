package bolt

import (
	"context"
	"fmt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
	"github.com/plimsoll/plimsoll/quota"
)

// batch is the mutations of one Commit at work: they see, and add to, the rows that it writes.
type batch struct {
	buckets, objects, uploads, parts, blobs, garbage, limits, usage table

	versions, nulls, configs, records, events table

	clock *versionClock

	// ledger is what was committed before the batch, entries what the batch has changed of it. They become the ledger's
	// when the transaction is committed, and are dropped when it is not.
	ledger  ledger
	entries map[quota.Scope]entry

	// outbox is what was committed before the batch and is changed by it, as the ledger is by entries.
	// Up to forgotten no events are left: what was deleted need not be passed again.
	outbox    meta.Outbox
	forgotten uint64

	lines []line          // room for bill.prefixes
	told  []quota.Account // room for the accounts of results, which have parts of it for good

	dirty bool // something was written
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
	r.outbox, r.forgotten = b.outbox, b.forgotten
	return results, nil
}

// transact runs the batch to its end: durable and seen by readers, or as if it had never been.
func (r *Repository) transact(mutations []meta.Mutation) (b *batch, results []meta.Result, err error) {
	r.writes.reset()
	err = r.view(context.Background(), func(s snapshot) error {
		s.writes = &r.writes
		// Only Commit writes the ledger, and commitMu is held: reading needs no ledgerMu.
		b = newBatch(s, r.ledger, &r.clock)
		b.outbox, b.forgotten = r.outbox, r.forgotten
		results = b.run(mutations)
		return nil
	})
	if err != nil || !b.dirty {
		return b, results, err
	}
	if err := r.makeRoom(); err != nil {
		return nil, nil, err
	}
	if err := r.journal.Append(&r.writes.record); err != nil {
		return nil, nil, err
	}
	r.publish()
	return b, results, nil
}

// publish shows the rows of a batch, which are durable, to readers.
func (r *Repository) publish() {
	r.layersMu.Lock()
	defer r.layersMu.Unlock()
	l := *r.layers.Load()
	l[0].version++
	r.writes.record.Rows(func(row journal.Row) { addRow(l[0], row) })
	r.layers.Store(&l)
}

// addRow adds a row of a record to the layer of its file, in the layer's last version.
func addRow(l layer, row journal.Row) {
	if row.Deleted {
		l.rows.Delete(l.version, row.Table, row.Key)
	} else {
		l.rows.Put(l.version, row.Table, row.Key, row.Value)
	}
}

func newBatch(s snapshot, l ledger, clock *versionClock) *batch {
	return &batch{
		buckets: s.table(tableBuckets),
		objects: s.table(tableObjects),
		uploads: s.table(tableUploads),
		parts:   s.table(tableParts),
		blobs:   s.table(tableBlobs),
		garbage: s.table(tableGarbage),
		limits:  s.table(tableLimits),
		usage:   s.table(tableUsage),

		versions: s.table(tableVersions),
		nulls:    s.table(tableNulls),
		configs:  s.table(tableConfigs),
		records:  s.table(tableRecords),
		events:   s.table(tableEvents),

		clock:   clock,
		ledger:  l,
		entries: make(map[quota.Scope]entry),
	}
}

// run applies the mutations.
func (b *batch) run(mutations []meta.Mutation) []meta.Result {
	results := make([]meta.Result, len(mutations))
	for i, m := range mutations {
		result, err := b.applyAfter(m, results[:i])
		if err != nil {
			result = meta.Result{Err: err}
		}
		results[i] = result
	}
	b.writeUsage()
	return results
}

// applyAfter is apply for a mutation that may tell of those before it.
func (b *batch) applyAfter(m meta.Mutation, before []meta.Result) (meta.Result, error) {
	if m, ok := m.(meta.AppendEvents); ok {
		return b.appendEvents(m, before)
	}
	return b.apply(m)
}

// apply applies one mutation. Where it returns an error it has written nothing.
func (b *batch) apply(m meta.Mutation) (meta.Result, error) {
	switch m := m.(type) {
	case meta.CreateBucket:
		return b.createBucket(m)
	case meta.DeleteBucket:
		return b.deleteBucket(m)
	case meta.SetVersioning:
		return b.setVersioning(m)
	case meta.SetObjectLock:
		return b.setObjectLock(m)
	case meta.PutBucketConfig:
		return b.putBucketConfig(m)
	case meta.SetLimit:
		return b.setLimit(m)
	case meta.CountPrefix:
		return b.countPrefix(m)
	case meta.PutRecord:
		return b.putRecords(meta.PutRecords{Records: []meta.PutRecord{m}})
	case meta.PutRecords:
		return b.putRecords(m)
	case meta.PutObject:
		return b.putObject(m)
	case meta.DeleteObject:
		return b.deleteObject(m)
	case meta.UpdateObject:
		return b.updateObject(m)
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
	case meta.RestoreBlobs:
		return b.restoreBlobs(m)
	case meta.RestoreUsage:
		return b.restoreUsage(m)
	case meta.ForgetEvents:
		return b.forgetEvents(m)
	default:
		return meta.Result{}, invalid("mutation of type %T", m)
	}
}

func (b *batch) put(table table, key, value []byte) {
	b.dirty = true
	table.Put(key, value)
}

func (b *batch) delete(table table, key []byte) {
	b.dirty = true
	table.Delete(key)
}
