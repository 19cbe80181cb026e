package packs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

// flood fills packs with blobs that are refused.
func flood(s *Store) error {
	var refused []blob.Ref
	for range 20 {
		ref, err := commit(s, make([]byte, 2000))
		if err != nil {
			return err
		}
		refused = append(refused, ref)
	}
	return errors.Join(s.Sync(background, refused), s.Delete(background, refused))
}

// A pack that holds a blob in flight is not compacted, though nothing in it lives by what metadata knows.
func TestFlight(t *testing.T) {
	for _, test := range []struct {
		name  string
		lands func(s *Store, l *ledger, ref blob.Ref) error
		lives bool // afterwards
	}{
		{"settled", func(s *Store, l *ledger, ref blob.Ref) error {
			l.add(ref, 1)
			s.Settle([]blob.Ref{ref})
			return nil
		}, true},
		{"settled again and again", func(s *Store, l *ledger, ref blob.Ref) error {
			l.add(ref, 1)
			s.Settle([]blob.Ref{ref, ref})
			s.Settle([]blob.Ref{ref})
			return nil
		}, true},
		{"deleted", func(s *Store, _ *ledger, ref blob.Ref) error {
			return s.Delete(background, []blob.Ref{ref})
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, l := openIn(t, t.TempDir(), Options{PackBytes: 16 << 10}, newMemoryDisk()), newLedger()
			defer mustClose(t, s)
			s.SetLive(nil)
			ref := mustPut(t, s, blobtest.Bytes(1, 1000))
			number := PackOf(ref.Place)
			for range 2 {
				if err := errors.Join(flood(s), l.compactAll(s)); err != nil {
					t.Fatal(err)
				}
				wantContent(t, s, ref, blobtest.Bytes(1, 1000))
			}
			if err := s.Compact(background, number, l.live, l.move); !errors.Is(err, errInUse) {
				t.Errorf("Compact of a pack with a blob in flight: %v", err)
			}
			if got := s.Stats().InFlight; got != 1 {
				t.Errorf("%d blobs in flight, want one", got)
			}
			if err := errors.Join(test.lands(s, l, ref), l.compactAll(s), l.check(s)); err != nil {
				t.Fatal(err)
			}
			if _, err := get(s, ref); !errors.Is(err, blob.ErrNotFound) {
				t.Errorf("at its old place after compaction: %v", err)
			}
			if got := s.Stats(); got.InFlight != 0 || (got.Bytes-got.Dead == 1000) != test.lives {
				t.Errorf("in the end: %+v, lives: %v", got, test.lives)
			}
		})
	}
}

// Where it is not known whether a move was committed, both places stay readable until the next start.
func TestUncertainMove(t *testing.T) {
	for _, entered := range []bool{false, true} {
		t.Run(fmt.Sprintf("entered %v", entered), func(t *testing.T) {
			s, l := openIn(t, t.TempDir(), Options{PackBytes: 16 << 10}, newMemoryDisk()), newLedger()
			defer mustClose(t, s)
			s.SetLive(nil)
			ref := mustPut(t, s, blobtest.Bytes(1, 1000))
			l.add(ref, 1)
			s.Settle([]blob.Ref{ref})
			if err := flood(s); err != nil {
				t.Fatal(err)
			}
			var to []blob.Ref
			err := s.Compact(background, PackOf(ref.Place), l.live, func(ctx context.Context, moves []Move) ([]bool, error) {
				for _, m := range moves {
					to = append(to, blob.Ref{ID: m.ID, Size: m.Size, Place: m.To})
				}
				if entered {
					_, _ = l.move(ctx, moves)
				}
				return nil, fmt.Errorf("it is %w", ErrUncertain)
			})
			if !errors.Is(err, ErrUncertain) || len(to) != 1 {
				t.Fatalf("%d moves, error %v", len(to), err)
			}
			if err := errors.Join(flood(s), l.compactAll(s), l.check(s)); err != nil {
				t.Fatal(err)
			}
			wantContent(t, s, ref, blobtest.Bytes(1, 1000))
			wantContent(t, s, to[0], blobtest.Bytes(1, 1000))
		})
	}
}
