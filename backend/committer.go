package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// maxBatch is how many mutations one transaction takes at most. More would make the first of them wait for the last.
const maxBatch = 1024

// proposal is a mutation on its way to the committer.
type proposal struct {
	mutation meta.Mutation
	blobs    []blob.Ref // to be made durable before the mutation refers to them
	bytes    int64      // how much the mutation would store, for the words of a refusal
	hold     *hold      // released with the commit; may be nil
	notice   *notice    // what is to be told of it; nil for nothing, as a rule
	answer   chan answer
}

type answer struct {
	result meta.Result
	err    error
}

// committer owns the write transaction, in two stages of one goroutine each. gather takes all that is queued and makes its
// blobs durable; run commits what gather has ready, in one transaction, and answers. So the blobs of one batch are synced
// while the batch before it is committed, and a third gathers in the queue. Neither waits for a timer.
type committer struct {
	store *Store
	queue chan *proposal
	ready chan []*proposal // batches whose blobs are durable; closed by gather
	done  chan struct{}    // closed when run has returned

	mu     sync.RWMutex
	closed bool // guarded by mu: nothing is sent on queue afterwards

	// settling is held by run from before a commit until the ledger knows of it. Whoever holds it shared sees a ledger
	// and metadata that agree.
	settling sync.RWMutex

	lazyMu sync.Mutex
	lazy   []meta.BlobID // garbage rows to forget with the next batch; guarded by lazyMu

	// delivered is the last event that nobody needs any more.
	delivered atomic.Uint64
	// What follows is run's, and after it stop's: up to forgotten the events are gone, and how far limits are filled.
	// silent says that nothing is to be told of a batch.
	forgotten  uint64
	thresholds thresholds
	silent     bool
}

func newCommitter(s *Store, t thresholds) *committer {
	c := &committer{
		thresholds: t,
		store:      s, queue: make(chan *proposal, maxBatch), ready: make(chan []*proposal), done: make(chan struct{}),
	}
	go c.gather()
	go c.run()
	return c
}

// commit hands p to the committer and waits for its answer.
func (c *committer) commit(p *proposal) (meta.Result, error) {
	if err := c.enqueue(p); err != nil {
		return meta.Result{}, err
	}
	return p.wait()
}

// enqueue hands p to the committer; where it returns nil, p.wait gives the answer.
func (c *committer) enqueue(p *proposal) error {
	p.answer = make(chan answer, 1)
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return ErrClosed
	}
	c.queue <- p
	return nil
}

// wait returns the committer's answer. It does not end early: a mutation that is queued may be committed, and only the
// answer tells who owns its blobs.
func (p *proposal) wait() (meta.Result, error) {
	a := <-p.answer
	return a.result, a.err
}

// forget leaves garbage rows to be removed with the next batch: they are worth no transaction of their own.
func (c *committer) forget(ids []meta.BlobID) {
	c.lazyMu.Lock()
	defer c.lazyMu.Unlock()
	c.lazy = append(c.lazy, ids...)
}

func (c *committer) takeLazy() []meta.BlobID {
	c.lazyMu.Lock()
	defer c.lazyMu.Unlock()
	ids := c.lazy
	c.lazy = nil
	return ids
}

// stop commits what is queued and ends run. It is called once.
func (c *committer) stop() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.queue)
	<-c.done
	err := c.tryBatch(nil, c.takeLazy())
	if isDiskFull(err) {
		// Rows of garbage that is gone do no harm: the next start finds nothing to delete, and forgets them.
		c.store.log.Warn("forget garbage", "error", err)
		return nil
	}
	return err
}

// gather ends when stop closes the queue. While run is busy it waits with its batch, and the queue fills: more and
// smaller syncs in that time would only hold up the commit's own.
func (c *committer) gather() {
	defer close(c.ready)
	for first := range c.queue {
		c.ready <- c.syncBlobs(c.takeQueued([]*proposal{first}))
	}
}

// takeQueued adds what is queued to a batch, and does not wait for more.
func (c *committer) takeQueued(batch []*proposal) []*proposal {
	for len(batch) < maxBatch {
		select {
		case p, ok := <-c.queue:
			if !ok {
				return batch
			}
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

// run ends when gather has closed ready.
func (c *committer) run() {
	defer close(c.done)
	for batch := range c.ready {
		if len(batch) > 0 {
			c.store.metrics.batchSize.Observe(float64(len(batch)))
			c.commitBatch(batch)
		}
	}
}

// syncBlobs makes the blobs of a batch durable and returns the proposals that may go on. Where the sync fails, those
// that have blobs are answered with its error.
func (c *committer) syncBlobs(batch []*proposal) []*proposal {
	var refs []blob.Ref
	for _, p := range batch {
		refs = append(refs, p.blobs...)
	}
	if len(refs) == 0 {
		return batch
	}
	started := time.Now()
	err := c.store.blobs.Sync(context.Background(), refs)
	c.store.metrics.blobSync.Observe(time.Since(started).Seconds())
	if err == nil {
		return batch
	}
	going := make([]*proposal, 0, len(batch))
	for _, p := range batch {
		if len(p.blobs) == 0 {
			going = append(going, p)
			continue
		}
		p.answer <- answer{err: c.failure(p, fmt.Errorf("sync blobs: %w", err))}
	}
	return going
}

// commitBatch commits the proposals in one transaction. On a full disk it refuses those that store something, and goes
// on with the others.
func (c *committer) commitBatch(batch []*proposal) {
	err := c.tryBatch(batch, c.takeLazy())
	if err == nil {
		return
	}
	if !isDiskFull(err) {
		c.fail(batch, err)
		return
	}
	freeing := make([]*proposal, 0, len(batch))
	for _, p := range batch {
		if frees(p.mutation) {
			freeing = append(freeing, p)
			continue
		}
		p.answer <- answer{err: c.failure(p, err)}
	}
	c.commitFreeing(freeing)
}

// commitFreeing commits proposals that give space back, on a disk that has none: without the garbage rows, which can
// wait, and with the ballast's space, which lets the metadata go on from their full journal to the database. Where there
// is still no room, smaller batches may find some: what they write is smaller.
func (c *committer) commitFreeing(batch []*proposal) {
	if len(batch) == 0 {
		return
	}
	err := c.tryBatch(batch, nil)
	if isDiskFull(err) && c.store.ballast.drop() {
		err = c.tryBatch(batch, nil)
	}
	switch half := len(batch) / 2; {
	case err == nil:
	case isDiskFull(err) && half > 0:
		c.commitFreeing(batch[:half])
		c.commitFreeing(batch[half:])
	case isDiskFull(err) && !c.silent:
		// Not for want of room for an event is something not deleted.
		c.silent = true
		c.commitFreeing(batch)
		c.silent = false
	default:
		c.fail(batch, err)
	}
}

func (c *committer) fail(batch []*proposal, err error) {
	for _, p := range batch {
		p.answer <- answer{err: c.failure(p, err)}
	}
}

// tryBatch commits the proposals, and forgets garbage rows with them. It answers every proposal and returns nil, or
// returns the error of the whole transaction, answers none, and leaves the garbage rows to a later batch.
func (c *committer) tryBatch(batch []*proposal, lazy []meta.BlobID) error {
	if len(batch)+len(lazy) == 0 {
		return nil
	}
	mutations := make([]meta.Mutation, 0, len(batch)+3)
	for _, p := range batch {
		mutations = append(mutations, p.mutation)
	}
	if len(lazy) > 0 {
		mutations = append(mutations, meta.ForgetGarbage{Blobs: lazy})
	}
	mutations, events := c.addEvents(mutations, batch)
	c.settling.Lock()
	defer c.settling.Unlock()
	started := time.Now()
	results, err := c.store.meta.Commit(context.Background(), mutations)
	c.store.metrics.commit.Observe(time.Since(started).Seconds())
	if err != nil {
		c.forget(lazy)
		return fmt.Errorf("commit: %w", err)
	}
	c.refreshBuckets(batch, results)
	events.committed(results)
	if c.silent {
		c.thresholds.untold(results)
	}
	for i, p := range batch {
		r := results[i]
		if r.Err != nil {
			var exceeded *quota.ExceededError
			if errors.As(r.Err, &exceeded) {
				c.store.ledger.exceeded(exceeded)
			}
			p.answer <- answer{err: r.Err}
			continue
		}
		c.store.blobs.Settle(p.blobs)
		c.store.ledger.committed(r, p.hold)
		c.store.recorder.removed(r.RemovedScopes)
		c.store.garbage.add(r.Garbage)
		p.answer <- answer{result: r}
	}
	return nil
}

// refreshBuckets takes over what a commit has changed of buckets, before anybody is told that it did. A state that cannot
// be read stays as it was until the next change, or the next start.
func (c *committer) refreshBuckets(batch []*proposal, results []meta.Result) {
	for i, p := range batch {
		name, changed := changedBucket(p.mutation)
		if !changed || results[i].Err != nil {
			continue
		}
		if err := c.store.buckets.refresh(context.Background(), c.store.meta, name); err != nil {
			c.store.log.Error("read a bucket's state after its change", "bucket", name, "error", err)
		}
	}
}

// failure is the answer to a proposal whose batch could not be stored. Where it is not certain that nothing of it is on
// disk, its blobs stay, unsettled, and the next start sweeps what is not referred to.
func (c *committer) failure(p *proposal, err error) error {
	if isDiskFull(err) && !errors.Is(err, meta.ErrUncertain) {
		return c.store.diskFull(p.bytes, err)
	}
	c.store.log.Error("commit failed", "error", err)
	c.store.uncertain.Store(true)
	return &uncertainError{err}
}

// uncertainError is a failed commit of which something may be on disk.
type uncertainError struct{ error }

func (e *uncertainError) Unwrap() error { return e.error }

// frees reports whether a mutation gives space back, so that it is let through on a full disk.
func frees(m meta.Mutation) bool {
	switch m.(type) {
	case meta.DeleteObject, meta.AbortUpload, meta.DeleteBucket, meta.ForgetGarbage, meta.MoveBlobs, meta.CompleteUpload,
		meta.SetLimit:
		return true
	default:
		return false
	}
}
