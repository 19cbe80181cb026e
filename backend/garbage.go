package backend

import (
	"context"
	"log/slog"
	"sync"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// garbage deletes blobs that lost their last reference. Their rows in the metadata outlive a crash: what is not deleted
// when the store stops is deleted after its next start.
//
// A download of several blobs pins them: a pinned blob is deleted when the last pin is gone. (A download of one blob
// holds it open, which keeps it readable.)
type garbage struct {
	blobs  blob.Store
	forget func([]meta.BlobID)
	log    *slog.Logger

	mu      sync.Mutex
	wake    *sync.Cond               // on mu: pending or closed has changed
	pending []blob.Ref               // to be deleted; guarded by mu
	pins    map[meta.BlobID]int      // downloads under way; guarded by mu
	waiting map[meta.BlobID]blob.Ref // garbage that is pinned; guarded by mu
	closed  bool                     // guarded by mu
	idle    bool                     // run waits for work; guarded by mu
	done    chan struct{}            // closed when run has returned
}

func newGarbage(blobs blob.Store, forget func([]meta.BlobID), log *slog.Logger) *garbage {
	g := &garbage{
		blobs: blobs, forget: forget, log: log,
		pins:    make(map[meta.BlobID]int),
		waiting: make(map[meta.BlobID]blob.Ref),
		done:    make(chan struct{}),
	}
	g.wake = sync.NewCond(&g.mu)
	go g.run()
	return g
}

// add takes blobs to be deleted.
func (g *garbage) add(blobs []meta.Segment) {
	if len(blobs) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range blobs {
		ref := blob.Ref{ID: blob.ID(b.Blob), Size: b.Size, Place: blob.Place(b.Place)}
		if g.pins[b.Blob] > 0 {
			g.waiting[b.Blob] = ref
		} else {
			g.pending = append(g.pending, ref)
		}
	}
	g.wake.Broadcast()
}

// pin keeps blobs from being deleted until unpin. The caller then makes sure that they are still referred to: what was
// given to add before is not kept.
func (g *garbage) pin(segments []meta.Segment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range segments {
		g.pins[s.Blob]++
	}
}

func (g *garbage) unpin(segments []meta.Segment) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range segments {
		if g.pins[s.Blob]--; g.pins[s.Blob] > 0 {
			continue
		}
		delete(g.pins, s.Blob)
		if ref, ok := g.waiting[s.Blob]; ok {
			delete(g.waiting, s.Blob)
			g.pending = append(g.pending, ref)
		}
	}
	g.wake.Broadcast()
}

// stop deletes what is pending and ends run.
func (g *garbage) stop() {
	g.mu.Lock()
	g.closed = true
	g.wake.Broadcast()
	g.mu.Unlock()
	<-g.done
}

// run ends when stop has been called.
func (g *garbage) run() {
	defer close(g.done)
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		for len(g.pending) == 0 {
			if g.closed {
				return
			}
			g.idle = true
			g.wake.Broadcast()
			g.wake.Wait()
		}
		g.idle = false
		refs := g.pending
		g.pending = nil
		g.mu.Unlock()
		g.delete(refs)
		g.mu.Lock()
	}
}

func (g *garbage) delete(refs []blob.Ref) {
	if err := g.blobs.Delete(context.Background(), refs); err != nil {
		// Their garbage rows stay: the next start tries again.
		g.log.Error("delete garbage", "blobs", len(refs), "error", err)
		return
	}
	var listed []meta.BlobID
	for _, ref := range refs {
		if ref.Place == 0 {
			listed = append(listed, meta.BlobID(ref.ID))
		}
	}
	g.forget(listed)
}
