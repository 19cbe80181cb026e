package packs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
)

const (
	// moveBlobs and moveBytes bound what is copied between two calls of move: foreground commits wait for its sync, and
	// it is in memory.
	moveBlobs = 256
	moveBytes = 1 << 20
	// maxPause bounds how long compaction stands back after a batch.
	maxPause = 100 * time.Millisecond
)

// ErrUncertain is what the error of a move wraps where metadata may have the old places or the new ones. Then the copies
// stay in flight, so that neither they nor the originals are removed, until the next start.
var ErrUncertain = errors.New("it is not known where metadata has the blobs")

// Move says that a blob was copied. The metadata has it at From; the copy is durable, and not referred to.
type Move struct {
	ID       blob.ID
	Size     int64
	From, To blob.Place
}

// Compact copies the blobs that live out of a pack and removes it. It works in batches of at most 256 blobs and 1 MiB,
// and rests after each for as long as it took: foreground work has half of the time to itself, at least. Only one
// compaction runs at a time; a second one waits.
//
// live tells which of the refs metadata has at that id and place. move is told of copies that are durable, and commits
// their new places: for each it tells whether it did, which it must not if the blob was deleted, or was moved, meanwhile.
// Where move fails, the pack stays, and the copies count as dead, but see ErrUncertain. The copies are in flight until
// move has answered.
//
// After a crash, or an error, at any point every blob is where metadata has it: before move commits the copy is
// an orphan, afterwards the original is, and the pack is removed after all moves only. A blob that lives and is damaged,
// and a stretch of the pack that is no record, keep the pack from being removed: all else is moved, and Compact fails
// with blob.ErrCorrupt.
func (s *Store) Compact(
	ctx context.Context, pack uint32,
	live func(ctx context.Context, refs []blob.Ref) ([]bool, error),
	move func(ctx context.Context, moves []Move) (moved []bool, err error),
) error {
	s.compactMu.Lock()
	defer s.compactMu.Unlock()
	p, err := s.compactable(ctx, pack)
	if err != nil {
		return err
	}
	c := &compaction{store: s, pack: p, live: live, move: move}
	if err := c.run(ctx); err != nil {
		if errors.Is(err, blob.ErrCorrupt) || errors.Is(err, ErrUncertain) {
			p.stuck.Store(true) // trying again and again would help nobody
		}
		return fmt.Errorf("packs: compact pack %08x: %w", pack, err)
	}
	s.mu.Lock()
	delete(s.packs, pack)
	s.mu.Unlock()
	s.handles.drop(pack)
	if err := s.system.remove(p.path); err != nil {
		return fmt.Errorf("packs: compact pack %08x: %w", pack, err) // what stays is dead; the next start finds it
	}
	return nil
}

// compactable returns a pack that may be removed. The one with the highest number may not: its name keeps the number
// from being used again. Nor may one with blobs in flight, which metadata is about to refer to.
func (s *Store) compactable(ctx context.Context, number uint32) (*pack, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	p, highest := s.packs[number], s.highest
	s.mu.Unlock()
	switch {
	case p == nil:
		return nil, fmt.Errorf("packs: compact pack %08x: %w", number, blob.ErrNotFound)
	case number == highest || p.isBusy():
		return nil, fmt.Errorf("packs: compact pack %08x: %w", number, errInUse)
	}
	return p, nil
}

// compaction empties one pack.
type compaction struct {
	store *Store
	pack  *pack
	live  func(ctx context.Context, refs []blob.Ref) ([]bool, error)
	move  func(ctx context.Context, moves []Move) ([]bool, error)

	batch   []blob.Ref // to be asked about and copied
	bytes   int64      // of their payload
	damaged error      // the first damage that keeps the pack from being removed
}

func (c *compaction) run(ctx context.Context) error {
	h, err := c.store.openToScan(c.pack)
	if err != nil {
		return err
	}
	defer c.store.handles.release(h)
	number := c.pack.number
	_, err = scan(h.file, number, packHeaderBytes, c.pack.written.Load(), false, func(one found) error {
		switch one.kind {
		case kindNone:
			c.note(damageAt(number, one))
			return nil
		case kindBlob:
		default:
			return nil
		}
		if len(c.batch) > 0 && c.bytes+int64(one.length) > moveBytes {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
		c.batch = append(c.batch, one.ref(number))
		c.bytes += int64(one.length)
		if len(c.batch) == moveBlobs {
			return c.flush(ctx)
		}
		return nil
	})
	if err == nil {
		err = c.flush(ctx)
	}
	return errors.Join(err, c.damaged)
}

func (c *compaction) note(err error) {
	if c.damaged == nil {
		c.damaged = err
	}
}

// flush moves what lives in the batch, and then rests.
func (c *compaction) flush(ctx context.Context) error {
	if len(c.batch) == 0 {
		return nil
	}
	started := time.Now()
	refs := c.batch
	lives, err := c.live(ctx, refs)
	if err != nil {
		return fmt.Errorf("ask which blobs live: %w", err)
	}
	if len(lives) != len(refs) {
		return fmt.Errorf("asked about %d blobs and was told about %d: %w", len(refs), len(lives), errAnswer)
	}
	moves, copies, err := c.copy(ctx, refs, lives)
	if err == nil && len(moves) > 0 {
		err = c.commit(ctx, moves, copies)
	} else if err != nil {
		err = errors.Join(err, c.store.Delete(context.WithoutCancel(ctx), copies))
	}
	c.batch, c.bytes = c.batch[:0], 0
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(time.Since(started), maxPause)):
		return nil
	}
}

// copy appends those that live to the active pack. The copies it returns are durable if err is nil.
func (c *compaction) copy(
	ctx context.Context, refs []blob.Ref, lives []bool,
) (moves []Move, copies []blob.Ref, err error) {
	for i, ref := range refs {
		if !lives[i] {
			continue
		}
		if err := c.store.usable(ctx); err != nil {
			return nil, copies, err
		}
		b, err := c.store.read(ref)
		if errors.Is(err, blob.ErrCorrupt) {
			c.note(err)
			continue
		}
		if err != nil {
			return nil, copies, err
		}
		place, err := c.store.append(b, header{kind: kindBlob, length: int(ref.Size), id: ref.ID})
		if err != nil {
			return nil, copies, err
		}
		moves = append(moves, Move{ID: ref.ID, Size: ref.Size, From: ref.Place, To: place})
		copies = append(copies, blob.Ref{ID: ref.ID, Size: ref.Size, Place: place})
	}
	return moves, copies, c.store.Sync(ctx, copies)
}

// commit has the new places entered, and counts the copies as dead that were not.
func (c *compaction) commit(ctx context.Context, moves []Move, copies []blob.Ref) error {
	moved, err := c.move(ctx, moves)
	switch {
	case errors.Is(err, ErrUncertain):
		return fmt.Errorf("enter the new places: %w", err)
	case err != nil:
		return errors.Join(fmt.Errorf("enter the new places: %w", err), c.store.Delete(context.WithoutCancel(ctx), copies))
	case len(moved) != len(moves):
		return fmt.Errorf("told of %d moves and was answered %d: %w: %w", len(moves), len(moved), errAnswer, ErrUncertain)
	}
	var entered, dead []blob.Ref
	for i, ref := range copies {
		if !moved[i] {
			dead = append(dead, ref)
			continue
		}
		entered = append(entered, ref)
		c.pack.live.Add(-ref.Size)
	}
	c.store.Settle(entered)
	return c.store.Delete(context.WithoutCancel(ctx), dead)
}
