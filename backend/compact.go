package backend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/packs"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// compactEvery is how often the packs are looked at.
const compactEvery = 2 * time.Second

// keepCompact counts what the packs hold for the metadata, and then compacts those that are worth it, beside the store's
// work.
func (s *Store) keepCompact(ctx context.Context) {
	err := s.countPacks(ctx)
	close(s.counted)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.log.Error("count packs: nothing is compacted", "error", err)
		}
		return
	}
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	for {
		if err := s.compact(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("compact", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// countPacks tells the packs how much of them earlier runs have left referred to.
func (s *Store) countPacks(ctx context.Context) error {
	live := make(map[uint32]int64)
	var after meta.BlobID
	for {
		rows, err := s.meta.ScanBlobs(ctx, after, sweepBatch)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			s.packs.SetLive(live)
			return nil
		}
		for _, r := range rows {
			if r.Place != 0 && blob.ID(r.Blob).Epoch() < s.packs.Epoch() {
				live[packs.PackOf(blob.Place(r.Place))] += r.Size
			}
		}
		after = rows[len(rows)-1].Blob
	}
}

// compact compacts packs until none is worth it.
func (s *Store) compact(ctx context.Context) error {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	for {
		pack, ok := s.packs.NextCompaction()
		if !ok {
			return nil
		}
		s.log.Debug("compacting", "pack", pack)
		if err := s.packs.Compact(ctx, pack, s.liveBlobs, s.moveBlobs); err != nil {
			return err
		}
		s.log.Debug("compacted", "pack", pack)
	}
}

// liveBlobs tells which blobs the metadata has where they are said to be.
func (s *Store) liveBlobs(ctx context.Context, refs []blob.Ref) ([]bool, error) {
	ids := make([]meta.BlobID, 0, len(refs))
	for _, ref := range refs {
		ids = append(ids, meta.BlobID(ref.ID))
	}
	rows, err := s.meta.Blobs(ctx, ids)
	if err != nil {
		return nil, err
	}
	live := make([]bool, len(refs))
	for i, row := range rows {
		live[i] = row.References > 0 && blob.Place(row.Place) == refs[i].Place
	}
	return live, nil
}

// moveBlobs commits the new places of blobs that have been copied. The copies are in flight until it returns.
func (s *Store) moveBlobs(_ context.Context, moves []packs.Move) ([]bool, error) {
	m := meta.MoveBlobs{Moves: make([]meta.Move, 0, len(moves))}
	for _, move := range moves {
		m.Moves = append(m.Moves, meta.Move{Blob: meta.BlobID(move.ID), From: uint64(move.From), To: uint64(move.To)})
	}
	result, err := s.commit(&proposal{mutation: m})
	var uncertain *uncertainError
	if errors.As(err, &uncertain) {
		err = fmt.Errorf("%w: %w", packs.ErrUncertain, err)
	}
	return result.Moved, err
}
