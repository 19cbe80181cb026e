package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
)

// DiskReserve is the free space that the store leaves alone: growth that would go below it is refused, so that deletes
// and metadata always have room.
type DiskReserve struct {
	// Bytes is the reserve in bytes; Percent is it in percent of the disk, 0 to 100. The larger of both counts.
	Bytes   int64
	Percent float64
}

// ParseDiskReserve reads "256MiB", "1048576" or "5%".
func ParseDiskReserve(s string) (DiskReserve, error) {
	if p, ok := strings.CutSuffix(strings.TrimSpace(s), "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return DiskReserve{}, fmt.Errorf("%q is not a percentage from 0%% to 100%%", s)
		}
		return DiskReserve{Percent: percent}, nil
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n > 1<<62 {
		return DiskReserve{}, fmt.Errorf("%q is neither a size like 256MiB nor a percentage like 5%%", s)
	}
	return DiskReserve{Bytes: int64(n)}, nil
}

func (r DiskReserve) of(total int64) int64 {
	return max(r.Bytes, int64(float64(total)*r.Percent/100))
}

// admitDisk refuses growth that would go below the reserve: by size bytes that the ledger counts as arriving already,
// or, where size is 0, by metadata. What other bodies still have to write is taken to be gone.
func (s *Store) admitDisk(size int64) error {
	if s.hasAmpleSpace() {
		return nil
	}
	available, total, err := s.askSpace()
	if err != nil {
		return err
	}
	return s.admitFree(size, available-s.diskReserve.of(total), total)
}

// admitPassing is admitDisk for what does not grow usage: a body that takes the place of another as long or longer. It
// may pass through the reserve, which it gives back, but the disk must have room for both.
func (s *Store) admitPassing(size int64) error {
	if s.hasAmpleSpace() {
		return nil
	}
	available, total, err := s.askSpace()
	if err != nil {
		return err
	}
	return s.admitFree(size, available, total)
}

// A disk with ample space is asked again only after spaceAge. In that time the store takes, but for bodies, which are
// counted, far less than ampleBytes: new packs and what metadata grows by. So the answer is the one that the disk would
// give. Near the reserve the disk is asked every time.
const (
	spaceAge   = 10 * time.Millisecond
	ampleBytes = 1 << 30
)

// space is what the disk said when it was asked.
type space struct {
	at               time.Time
	available, total int64
	written          int64 // of ledger.written, before it was asked
}

// hasAmpleSpace reports whether it was certain a moment ago that all bodies that are arriving fit, by far.
func (s *Store) hasAmpleSpace() bool {
	known := s.space.Load()
	if known == nil || time.Since(known.at) > spaceAge {
		return false
	}
	unwritten := s.ledger.unwritten.Load() // before written: what moves in between counts twice, and never not at all
	taken := unwritten + s.ledger.written.Load() - known.written + ballastBytes
	return known.available-s.diskReserve.of(known.total)-taken > ampleBytes
}

// askSpace asks the disk, and remembers the answer.
func (s *Store) askSpace() (available, total int64, err error) {
	now := &space{at: time.Now(), written: s.ledger.written.Load()}
	if now.available, now.total, err = s.blobs.Free(); err != nil {
		return 0, 0, fmt.Errorf("free space: %w", err)
	}
	s.space.Store(now)
	return now.available, now.total, nil
}

func (s *Store) admitFree(size, left, total int64) error {
	if !s.ballast.isHeld() {
		left -= ballastBytes // deletes may need it, and it is not yet taken, or used up
	}
	others := s.ledger.unwritten.Load() - size
	if left > 0 && left-others >= size {
		return nil
	}
	s.ledger.refused()
	return &InsufficientStorageError{
		Total: total, Available: max(0, left-others), Requested: size,
		Transient: left > 0 && left >= size,
	}
}

// diskFull turns the system's refusal to write into the store's.
func (s *Store) diskFull(size int64, cause error) error {
	s.ledger.refused()
	e := &InsufficientStorageError{Requested: size, Cause: cause}
	if available, total, err := s.blobs.Free(); err == nil {
		e.Total, e.Available = total, max(0, available-s.diskReserve.of(total))
	}
	return e
}

// ballastBytes is the space that is kept for metadata: what a transaction of deletes needs on a full disk.
const ballastBytes = 4 << 20

const ballastFile = "ballast"

// ballast is a file that holds space on the disk, to be dropped when a transaction that frees space finds none. It is
// taken again when there is enough.
type ballast struct {
	path string

	mu   sync.Mutex
	held bool // guarded by mu
}

// drop gives the space back to the disk, and reports whether there was any.
func (b *ballast) drop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.held
	b.held = false
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return held
}

// take holds the space where the disk has it and more. Without it the store works, but for deletes on a full disk.
func (b *ballast) take(available int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.held && available >= 4*ballastBytes {
		b.holdLocked()
	}
}

// hold holds the space where the disk has it.
func (b *ballast) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holdLocked()
}

// isHeld reports whether the space is held.
func (b *ballast) isHeld() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func (b *ballast) holdLocked() {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	err = allocate(f, ballastBytes)
	if closeErr := f.Close(); err != nil || closeErr != nil {
		_ = os.Remove(b.path)
		return
	}
	b.held = true
}

// dirtyMark is the file that is there while a store is open: found at the start, it tells that the last stop was not
// clean.
const dirtyMark = "dirty"

func markDirty(dir string) (wasDirty bool, err error) {
	path := filepath.Join(dir, dirtyMark)
	if _, err := os.Stat(path); err == nil {
		return true, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	return false, errors.Join(f.Close(), syncDir(dir))
}

func markClean(dir string) error {
	if err := os.Remove(filepath.Join(dir, dirtyMark)); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
