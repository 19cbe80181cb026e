package backend

import (
	"context"
	"errors"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// sweepBatch is how many blobs are looked up at once.
const sweepBatch = 1000

// cleanUp deletes what earlier runs left behind: garbage that was listed and not deleted, and, after a stop that was
// not clean, blobs that nothing refers to. It runs beside the store's work.
func (s *Store) cleanUp(ctx context.Context, wasDirty bool) {
	if err := s.collectListed(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("collect garbage", "error", err)
	}
	if !wasDirty {
		return
	}
	s.log.Info("the last stop was not clean; sweeping blobs that nothing refers to")
	swept, err := s.sweep(ctx)
	if err != nil {
		// The next start sweeps again.
		s.uncertain.Store(true)
		if !errors.Is(err, context.Canceled) {
			s.log.Error("sweep", "error", err)
		}
		return
	}
	s.log.Info("swept", "blobs", swept)
}

func (s *Store) collectListed(ctx context.Context) error {
	var after meta.BlobID
	for {
		ids, err := s.meta.Garbage(ctx, after, sweepBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		listed := make([]meta.Segment, 0, len(ids))
		for _, id := range ids {
			listed = append(listed, meta.Segment{Blob: id})
		}
		s.garbage.add(listed)
		after = ids[len(ids)-1]
	}
}

// sweep deletes the files of earlier runs that no row refers to, and returns how many there were. Blobs of this run are
// not its business: those that are written now may not have their rows yet. Small blobs that no row refers to are dead
// bytes in their packs, which compaction takes away.
func (s *Store) sweep(ctx context.Context) (int, error) {
	swept := 0
	batch := make([]meta.BlobID, 0, sweepBatch)
	flush := func() error {
		known, err := s.meta.Known(ctx, batch)
		if err != nil {
			return err
		}
		var orphans []blob.Ref
		for i, id := range batch {
			if !known[i] {
				orphans = append(orphans, blob.Ref{ID: blob.ID(id)})
			}
		}
		batch = batch[:0]
		swept += len(orphans)
		return s.blobs.Delete(ctx, orphans)
	}
	err := s.files.Walk(ctx, func(id blob.ID, _ int64, _ error) error {
		if id == (blob.ID{}) || id.Epoch() >= s.blobs.Epoch() {
			return nil
		}
		if batch = append(batch, meta.BlobID(id)); len(batch) == cap(batch) {
			return flush()
		}
		return nil
	})
	if err != nil {
		return swept, err
	}
	return swept, flush()
}
