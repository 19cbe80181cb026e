package packs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

// ledger is what metadata knows: blobs that were synced and are not deleted.
type ledger struct {
	mu    sync.Mutex // guards what follows
	refs  map[blob.ID]blob.Ref
	seeds map[blob.ID]uint64

	asked, moved       int // calls
	failLive, failMove int // the call that fails, from 1; 0 for none
	beforeMove         func()
}

var errCut = errors.New("cut off here")

func newLedger() *ledger {
	return &ledger{refs: make(map[blob.ID]blob.Ref), seeds: make(map[blob.ID]uint64)}
}

func (l *ledger) live(_ context.Context, refs []blob.Ref) ([]bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked++; l.asked == l.failLive {
		return nil, errCut
	}
	lives := make([]bool, len(refs))
	for i, ref := range refs {
		lives[i] = l.refs[ref.ID] == ref
	}
	return lives, nil
}

func (l *ledger) move(_ context.Context, moves []Move) ([]bool, error) {
	if l.beforeMove != nil {
		l.beforeMove()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.moved++; l.moved == l.failMove {
		return nil, errCut
	}
	moved := make([]bool, len(moves))
	for i, m := range moves {
		if ref, ok := l.refs[m.ID]; ok && ref.Place == m.From {
			ref.Place = m.To
			l.refs[m.ID], moved[i] = ref, true
		}
	}
	return moved, nil
}

func (l *ledger) add(ref blob.Ref, seed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refs[ref.ID], l.seeds[ref.ID] = ref, seed
}

func (l *ledger) remove(id blob.ID) blob.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	ref := l.refs[id]
	delete(l.refs, id)
	return ref
}

func (l *ledger) all() map[blob.ID]blob.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[blob.ID]blob.Ref, len(l.refs))
	for id, ref := range l.refs {
		all[id] = ref
	}
	return all
}

func (l *ledger) copy() *ledger {
	c := newLedger()
	c.refs = l.all()
	c.seeds = l.seeds
	return c
}

// check reads everything that the ledger has. A blob that has moved in between is looked up again.
func (l *ledger) check(s *Store) error {
	for id := range l.all() {
		for {
			l.mu.Lock()
			ref, ok := l.refs[id]
			seed := l.seeds[id]
			l.mu.Unlock()
			if !ok {
				break
			}
			got, err := get(s, ref)
			if errors.Is(err, blob.ErrNotFound) && l.all()[id] != ref {
				continue
			}
			if err != nil || !bytes.Equal(got, blobtest.Bytes(seed, int(ref.Size))) {
				return fmt.Errorf("blob %s at %x: %d bytes, %w", id, ref.Place, len(got), errors.Join(err, errCut))
			}
			break
		}
	}
	return nil
}

// livePerPack counts what SetLive is told after a start.
func (l *ledger) livePerPack(s *Store) map[uint32]int64 {
	live := make(map[uint32]int64)
	for id, ref := range l.all() {
		if number, _ := splitPlace(ref.Place); id.Epoch() < s.Epoch() && isPacked(id) {
			live[number] += ref.Size
		}
	}
	return live
}

// compactAll compacts while there is something to be.
func (l *ledger) compactAll(s *Store) error {
	for {
		number, ok := s.NextCompaction()
		if !ok {
			return nil
		}
		if err := s.Compact(background, number, l.live, l.move); err != nil {
			return err
		}
	}
}

// halfDead returns a store with some packs in which every second blob is deleted.
func halfDead(t *testing.T, dir string, system fileSystem) (*Store, *ledger) {
	s, l := openIn(t, dir, Options{Sync: true, PackBytes: 64 << 10}, system), newLedger()
	s.SetLive(nil)
	var batch []blob.Ref
	for i := range 400 {
		ref := mustCommit(t, s, blobtest.Bytes(uint64(i), 1000))
		batch = append(batch, ref)
		l.add(ref, uint64(i))
		if len(batch) < 40 {
			continue
		}
		if err := s.Sync(background, batch); err != nil {
			t.Fatal(err)
		}
		s.Settle(batch)
		for _, ref := range batch {
			if l.seeds[ref.ID]%2 == 0 {
				continue
			}
			if err := s.Delete(background, []blob.Ref{l.remove(ref.ID)}); err != nil {
				t.Fatal(err)
			}
		}
		batch = nil
	}
	return s, l
}

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	s, l := halfDead(t, dir, diskFileSystem{})
	before := s.Stats()
	if before.Dead != 200_000 || before.Bytes != 400_000 {
		t.Errorf("before: %+v", before)
	}
	// Readers that are open before, and such that come meanwhile.
	var readers []io.ReadCloser
	var ids []blob.ID
	for id, ref := range l.all() {
		r, err := s.Open(background, ref, 0, ref.Size)
		if err != nil {
			t.Fatal(err)
		}
		readers, ids = append(readers, r), append(ids, id)
	}
	var wg sync.WaitGroup // the goroutine ends when stop is closed
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := l.check(s); err != nil {
				t.Errorf("beside compaction: %v", err)
				return
			}
		}
	})
	if err := l.compactAll(s); err != nil {
		t.Fatal(err)
	}
	close(stop)
	wg.Wait()
	for i, r := range readers {
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, blobtest.Bytes(l.seeds[ids[i]], 1000)) {
			t.Fatalf("a reader that was open before: %d bytes, %v", len(got), err)
		}
		_ = r.Close()
	}
	after := s.Stats()
	if after.Packs >= before.Packs || after.Bytes-after.Dead != 200_000 || after.Dead*4 > after.Bytes {
		t.Errorf("after: %+v", after)
	}
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != after.Packs {
		t.Errorf("%d files, %d packs, %v", len(entries), after.Packs, err)
	}
	mustClose(t, s)
	s = openIn(t, dir, Options{Sync: true, PackBytes: 64 << 10}, diskFileSystem{})
	defer mustClose(t, s)
	if _, ok := s.NextCompaction(); ok {
		t.Error("something is to be compacted before SetLive")
	}
	s.SetLive(l.livePerPack(s))
	if again := s.Stats(); again.Bytes != after.Bytes || again.Dead != after.Dead {
		t.Errorf("after a restart: %+v, before it: %+v", again, after)
	}
	if err := l.check(s); err != nil {
		t.Error(err)
	}
}

// TestCompactDeletedMeanwhile deletes blobs between the copy and the move.
func TestCompactDeletedMeanwhile(t *testing.T) {
	s, l := halfDead(t, t.TempDir(), diskFileSystem{})
	defer mustClose(t, s)
	l.beforeMove = func() {
		deleted := 0
		for id := range l.all() {
			if deleted++; deleted > 5 {
				return
			}
			if err := s.Delete(background, []blob.Ref{l.remove(id)}); err != nil {
				t.Error(err)
			}
		}
	}
	if err := l.compactAll(s); err != nil {
		t.Fatal(err)
	}
	if err := l.check(s); err != nil {
		t.Error(err)
	}
	if got, want := s.Stats(), int64(1000*len(l.all())); got.Bytes-got.Dead != want {
		t.Errorf("%+v, want %d live", got, want)
	}
}

// TestCompactCutOff ends a compaction at every step. What the directory then holds is opened as after a crash, and so
// is the store that goes on: nothing is lost, and the next compaction does the rest.
func TestCompactCutOff(t *testing.T) {
	for _, step := range []int{1, 2, 3, 6} {
		for _, what := range []string{"live", "move", "after move", "write", "sync", "read", "remove"} {
			t.Run(fmt.Sprintf("%s/%d", what, step), func(t *testing.T) { testCutOff(t, what, step) })
		}
	}
}

func testCutOff(t *testing.T, what string, step int) {
	disk, dir := newFaultyDisk(), t.TempDir()
	s, l := halfDead(t, dir, disk)
	defer mustClose(t, s)
	var crashed string
	var then *ledger
	calls := 0
	switch what {
	case "live":
		l.failLive = step
	case "move":
		l.failMove = step
	}
	move := func(ctx context.Context, moves []Move) ([]bool, error) {
		if calls++; calls == step && what != "live" && what != "move" && what != "after move" {
			defer disk.fail(what, syscall.EIO) // the next pack's
		}
		if calls == step {
			crashed, then = copyDir(t, dir), l.copy()
		}
		moved, err := l.move(ctx, moves)
		if calls == step && what == "after move" {
			crashed, then = copyDir(t, dir), l.copy()
			return nil, fmt.Errorf("%w: %w", ErrUncertain, errCut) // it was committed, and nobody knows
		}
		return moved, err
	}
	var err error
	for err == nil {
		number, ok := s.NextCompaction()
		if !ok {
			break
		}
		err = s.Compact(background, number, l.live, move)
	}
	disk.fail(what, nil)
	if err == nil && (what == "live" || what == "move" || what == "after move") {
		t.Error("nothing failed")
	}
	if crashed == "" {
		crashed, then = copyDir(t, dir), l.copy()
	}
	again := openIn(t, crashed, Options{Sync: true, PackBytes: 64 << 10}, diskFileSystem{})
	defer mustClose(t, again)
	again.SetLive(then.livePerPack(again))
	for store, ledger := range map[*Store]*ledger{s: l, again: then} {
		if err := ledger.check(store); err != nil {
			t.Error(err)
		}
		if err := ledger.compactAll(store); err != nil {
			t.Error(err)
		}
		if err := ledger.check(store); err != nil {
			t.Error(err)
		}
	}
}

// TestCompactKeepsDamage: a pack with a damaged blob that lives, or a stretch that nobody can read, stays; the rest of
// it moves.
func TestCompactKeepsDamage(t *testing.T) {
	for _, at := range []int64{0, headerBytes + 3} {
		dir := t.TempDir()
		s, l := halfDead(t, dir, diskFileSystem{})
		var victim blob.Ref
		for _, ref := range l.all() {
			if number, _ := splitPlace(ref.Place); number == 2 {
				victim = ref
			}
		}
		path := filepath.Join(dir, "packs", fileName(2))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, offset := splitPlace(victim.Place)
		whole[offset+at] ^= 1
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.compactAll(s); !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("the damaged one: %v", err)
		}
		if err := l.compactAll(s); err != nil {
			t.Errorf("after the damaged one: %v", err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the damaged pack: %v", err)
		}
		if got := l.remove(victim.ID); got != victim {
			t.Errorf("the damaged blob has moved")
		}
		if err := l.check(s); err != nil {
			t.Error(err)
		}
		for _, ref := range l.all() {
			if number, _ := splitPlace(ref.Place); number == 2 {
				t.Errorf("blob %s is still in the damaged pack", ref.ID)
			}
		}
		mustClose(t, s)
	}
}

// TestNumbersAreNotUsedAgain empties all packs but the last, again and again.
func TestNumbersAreNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	used := make(map[uint32]bool)
	for round := range 5 {
		s := openIn(t, dir, Options{PackBytes: 8 << 10}, diskFileSystem{})
		s.SetLive(nil) // nothing lives
		for range 30 {
			ref := mustPut(t, s, make([]byte, 1000))
			number, offset := splitPlace(ref.Place)
			if offset == packHeaderBytes && used[number] {
				t.Fatalf("round %d: pack %d is begun again", round, number)
			}
			used[number] = true
			if err := s.Delete(background, []blob.Ref{ref}); err != nil {
				t.Fatal(err)
			}
		}
		if err := newLedger().compactAll(s); err != nil {
			t.Fatal(err)
		}
		if got := s.Stats().Packs; got > 2 {
			t.Errorf("round %d: %d packs are left", round, got)
		}
		mustClose(t, s)
	}
}
