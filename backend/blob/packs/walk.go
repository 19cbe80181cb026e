package packs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// Walk calls visit for every blob, in no order, with its size and place, until visit returns an error, which Walk
// returns. Deleted small blobs are visited as long as compaction has not removed them: they are like orphans. Of packs
// it reads the headers, so that a blob is visited whose payload is damaged; Verify finds that. A stretch of a pack that
// is no record is visited with the zero ID, its place and blob.ErrCorrupt, and so is a damaged header of a pack; a file
// that is no pack, and a damaged file of a large blob, without a place.
func (s *Store) Walk(ctx context.Context, visit func(ref blob.Ref, err error) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	err := s.large.Walk(ctx, func(id blob.ID, size int64, err error) error {
		return visit(blob.Ref{ID: id, Size: size}, err)
	})
	if err != nil {
		return err
	}
	if err := s.walkStrangers(visit); err != nil {
		return err
	}
	for _, p := range s.sorted() {
		if err := s.walkPack(ctx, p, visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) walkStrangers(visit func(ref blob.Ref, err error) error) error {
	entries, err := s.system.list(s.dir)
	if err != nil {
		return fmt.Errorf("packs: walk: %w", err)
	}
	for _, entry := range entries {
		if _, ok := parseFileName(entry.Name()); ok && entry.Type().IsRegular() {
			continue
		}
		err := fmt.Errorf("packs: %s is no pack: %w", filepath.Join(s.dir, entry.Name()), blob.ErrCorrupt)
		if err := visit(blob.Ref{}, err); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) walkPack(ctx context.Context, p *pack, visit func(ref blob.Ref, err error) error) error {
	h, err := s.openToScan(p)
	if errors.Is(err, blob.ErrNotFound) {
		return nil // compacted meanwhile
	}
	if err != nil {
		return visit(blob.Ref{Place: placeOf(p.number, 0)}, err)
	}
	defer s.handles.release(h)
	var head [packHeaderBytes]byte
	n, err := h.file.readAt(head[:], 0)
	if err == nil {
		err = checkPackHeader(head[:n], p.number)
	}
	if err != nil {
		if err := visit(blob.Ref{Place: placeOf(p.number, 0)}, err); err != nil {
			return err
		}
	}
	_, err = scan(h.file, p.number, packHeaderBytes, p.written.Load(), false, func(one found) error {
		if err := s.usable(ctx); err != nil {
			return err
		}
		switch one.kind {
		case kindNone:
			return visit(blob.Ref{Place: placeOf(p.number, one.offset)}, damageAt(p.number, one))
		case kindBlob:
			return visit(one.ref(p.number), nil)
		}
		return nil
	})
	return err
}

func damageAt(number uint32, one found) error {
	return fmt.Errorf("packs: pack %08x: the %d bytes at %d are no record: %w",
		number, one.bytes, one.offset, blob.ErrCorrupt)
}

// openToScan writes what is pending in a pack, as far as that can be done, and opens it.
func (s *Store) openToScan(p *pack) (*handle, error) {
	p.mu.Lock()
	end := p.end
	p.mu.Unlock()
	if err := p.writeOut(end); err != nil {
		s.giveUp(p) // whoever waits for those records hears it from Sync
	}
	h, err := s.handles.acquire(p.number, p.path)
	if errors.Is(err, os.ErrNotExist) && s.pack(p.number) == nil {
		return nil, fmt.Errorf("packs: pack %08x is gone: %w", p.number, blob.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("packs: read pack %08x: %w", p.number, err)
	}
	return h, nil
}
