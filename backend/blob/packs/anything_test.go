package packs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
	"github.com/plimsoll/plimsoll/backend/blob/files"
)

// TestAnything does random things, and holds the store to: what was synced and not deleted reads back, at any time and
// after any stop, where metadata has it and where metadata may come to have it.
func TestAnything(t *testing.T) {
	dir := t.TempDir()
	large, err := files.Open(filepath.Join(dir, "files"), files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	rapid.Check(t, func(r *rapid.T) {
		m := &anything{
			dir: dir, disk: newMemoryDisk(), large: large,
			ledger: newLedger(), seeds: make(map[blob.ID]uint64), elsewhere: make(map[blob.ID]blob.Ref),
			options: Options{Sync: rapid.Bool().Draw(r, "sync"), PackBytes: 20_000, Threshold: 3000},
		}
		m.open(r)
		r.Repeat(map[string]func(*rapid.T){
			"":              m.check,
			"commit":        m.commit,
			"sync":          m.sync,
			"enter":         m.enter,
			"refuse":        m.refuse,
			"doubt":         m.doubt,
			"delete":        m.delete,
			"flood":         m.flood,
			"compact":       m.compact,
			"doubtfulMoves": m.doubtfulMoves,
			"walk":          m.walk,
			"stop":          m.stop,
			"crash":         m.crash,
		})
		m.must(r, m.store.Close())
	})
}

// anything is a store with what is known of its blobs.
type anything struct {
	dir     string
	disk    *memoryDisk
	large   blob.ByID // of all stores: its blobs outlive every stop
	options Options
	opened  uint32 // how often
	store   *Store

	ledger    *ledger              // blobs that metadata refers to
	committed []blob.Ref           // in flight, and not synced
	synced    []blob.Ref           // in flight, and synced: metadata will refer to them, or refuse them
	doubtful  []blob.Ref           // in flight for ever: metadata refers to them or not, which the next start tells
	elsewhere map[blob.ID]blob.Ref // where blobs are if a move was committed of which that is not certain, or was not

	seeds map[blob.ID]uint64 // of their bytes
	next  uint64
}

// stillOpen is a large store that outlives the one that it is in, of another epoch each time.
type stillOpen struct {
	blob.ByID
	epoch uint32
}

func (s stillOpen) Epoch() uint32 { return s.epoch }
func (stillOpen) Close() error    { return nil }

func (m *anything) must(r *rapid.T, err error) {
	if err != nil {
		r.Fatal(err)
	}
}

func (m *anything) open(r *rapid.T) {
	m.opened++
	store, err := open(m.dir, stillOpen{m.large, m.opened}, m.options, m.disk)
	m.must(r, err)
	m.store = store
	for _, ref := range m.doubtful {
		if rapid.Bool().Draw(r, "refers") {
			m.ledger.add(ref, m.seeds[ref.ID])
		}
	}
	for id, ref := range m.ledger.all() {
		other, ok := m.elsewhere[id]
		if ok && ref != other && rapid.Bool().Draw(r, "moved") {
			m.ledger.add(other, m.seeds[id])
		}
	}
	m.committed, m.synced, m.doubtful = nil, nil, nil
	clear(m.elsewhere)
	if rapid.IntRange(0, 3).Draw(r, "count") > 0 {
		m.store.SetLive(m.ledger.livePerPack(m.store))
	}
}

func (m *anything) check(r *rapid.T) { m.must(r, m.readAll()) }

// readAll reads all that metadata refers to, or may come to refer to.
func (m *anything) readAll() error {
	for _, refs := range [][]blob.Ref{m.committed, m.synced, m.doubtful} {
		for _, ref := range refs {
			if err := m.read(ref); err != nil {
				return err
			}
		}
	}
	known := m.ledger.all()
	for id, ref := range m.elsewhere {
		if _, ok := known[id]; !ok {
			continue // deleted since
		}
		if err := m.read(ref); err != nil {
			return err
		}
	}
	return m.ledger.check(m.store)
}

func (m *anything) read(ref blob.Ref) error {
	got, err := get(m.store, ref)
	if err == nil && !bytes.Equal(got, blobtest.Bytes(m.seeds[ref.ID], int(ref.Size))) {
		err = blob.ErrCorrupt
	}
	if err != nil {
		return fmt.Errorf("blob %s at %x, in flight: %w", ref.ID, ref.Place, err)
	}
	return nil
}

func (m *anything) commit(r *rapid.T) {
	for range rapid.IntRange(1, 10).Draw(r, "blobs") {
		m.next++
		ref, err := commit(m.store, blobtest.Bytes(m.next, rapid.IntRange(0, 3100).Draw(r, "size")))
		m.must(r, err)
		m.seeds[ref.ID] = m.next
		m.committed = append(m.committed, ref)
	}
}

func (m *anything) sync(r *rapid.T) {
	m.must(r, m.store.Sync(background, m.committed))
	m.synced = append(m.synced, m.committed...)
	m.committed = nil
}

func (m *anything) enter(*rapid.T) {
	for _, ref := range m.synced {
		m.ledger.add(ref, m.seeds[ref.ID])
	}
	m.store.Settle(m.synced)
	m.synced = nil
}

func (m *anything) refuse(r *rapid.T) {
	refused := &m.synced
	if rapid.Bool().Draw(r, "early") {
		refused = &m.committed
	}
	m.must(r, m.store.Delete(background, *refused))
	*refused = nil
}

func (m *anything) doubt(*rapid.T) {
	m.doubtful = append(m.doubtful, m.synced...)
	m.synced = nil
}

func (m *anything) delete(r *rapid.T) {
	n := rapid.IntRange(1, 20).Draw(r, "blobs")
	for id := range m.ledger.all() {
		if n--; n < 0 {
			break
		}
		m.must(r, m.store.Delete(background, []blob.Ref{m.ledger.remove(id)}))
	}
}

func (m *anything) flood(r *rapid.T) { m.must(r, flood(m.store)) }

func (m *anything) compact(r *rapid.T) {
	read := make(chan error, 1)
	go func() { read <- m.readAll() }() // ends by itself
	err := m.ledger.compactAll(m.store)
	m.must(r, errors.Join(err, <-read))
}

// doubtfulMoves compacts a pack, and leaves it open whether metadata has entered the new places.
func (m *anything) doubtfulMoves(r *rapid.T) {
	number, ok := m.store.NextCompaction()
	if !ok {
		return
	}
	entered := rapid.Bool().Draw(r, "entered")
	move := func(ctx context.Context, moves []Move) ([]bool, error) {
		for _, one := range moves {
			other := one.To
			if entered {
				other = one.From
			}
			m.elsewhere[one.ID] = blob.Ref{ID: one.ID, Size: one.Size, Place: other}
		}
		if entered {
			_, err := m.ledger.move(ctx, moves)
			return nil, errors.Join(ErrUncertain, err)
		}
		return nil, ErrUncertain
	}
	if err := m.store.Compact(background, number, m.ledger.live, move); !errors.Is(err, ErrUncertain) {
		m.must(r, err)
	}
}

func (m *anything) walk(r *rapid.T) {
	found := make(map[blob.Ref]bool)
	m.must(r, m.store.Walk(background, func(ref blob.Ref, err error) error {
		found[ref] = true
		return err
	}))
	for _, ref := range m.ledger.all() {
		if !found[ref] {
			r.Fatalf("Walk misses %v", ref)
		}
	}
}

func (m *anything) stop(r *rapid.T) {
	m.must(r, m.store.Close())
	m.open(r)
}

func (m *anything) crash(r *rapid.T) {
	crashed := m.disk.crashed(m.options.Sync && rapid.Bool().Draw(r, "lost"))
	m.must(r, m.store.Close())
	m.disk = crashed
	m.open(r)
}
