package packs

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/plimsoll/plimsoll/backend/blob"
)

const (
	// aheadBytes of zeros are written behind a small batch once it reaches what was never written: the batches after it
	// then overwrite blocks that the file system need not allocate or convert, which saves its journal's commit.
	aheadBytes = 1 << 20
	// aheadBatchBytes is the largest batch that this pays for.
	aheadBatchBytes = 128 << 10
	// maxPendingBytes is how much waits in memory to be written before Commit writes it itself.
	maxPendingBytes = 8 << 20
)

var zeros [64 << 10]byte

// errPending says that memory does not hold what it should: nothing of it is written.
var errPending = errors.New("pending records are not those that were committed")

// pack is one file. It is written from its first record to its last by one goroutine at a time, the flusher, which is
// whoever found nobody else at it; the others wait for it and find their records written.
type pack struct {
	number uint32
	path   string
	syncs  bool // Options.Sync

	bytes   atomic.Int64 // payload of all blobs
	records atomic.Int64 // blobs
	live    atomic.Int64 // payload of those not deleted, as far as it was counted; below 0 before SetLive
	stuck   atomic.Bool  // compaction cannot empty it
	// resumable says that the file ends with its seal, and may go on where that is. It is not changed after Open.
	resumable bool
	written   atomic.Int64 // where the records that are in the file end

	// mu guards what follows. It is never held during a system call.
	mu       sync.Mutex
	changed  *sync.Cond         // on mu: flushing has ended
	flushing bool               // somebody writes file, and owns it, preallocated and zeroed
	end      int64              // where the next record will stand
	durable  int64              // where the records end that are on the disk, or in the file where nothing is synced
	pending  []*buffer          // records that stand from written to end
	waiting  int64              // their bytes
	retired  bool               // no more records are taken
	sealed   bool               // the seal is written, or the pack was given up: nothing will be written
	failed   error              // why it was given up
	flying   map[int64]struct{} // offsets of the records that are in flight, see Settle; nil for none

	file         file  // nil where nothing will be written
	preallocated int64 // the length that the file has been given ahead
	zeroed       int64 // the file was written up to here at some time
}

func (s *Store) newPack(number uint32) *pack {
	p := &pack{number: number, path: s.path(number), syncs: s.options.Sync}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// startAt makes p take records from end on, into f.
func (p *pack) startAt(f file, end, preallocated int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file, p.preallocated, p.zeroed = f, preallocated, end
	p.end, p.durable = end, end
	p.retired, p.sealed = false, false
	p.written.Store(end)
}

// reserve gives a record its place and takes it over. ok is false where the pack takes none any more, or has no room
// for it in limit bytes.
func (p *pack) reserve(b *buffer, h header, limit int64) (place blob.Place, waiting int64, ok bool) {
	n := int64(recordBytes(h.length))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired || p.failed != nil || (p.end+n > limit && p.end > packHeaderBytes) {
		return 0, 0, false
	}
	place = placeOf(p.number, p.end)
	putHeader(b.p, place, h) // the flusher puts in what was durable
	p.pending = append(p.pending, b)
	p.end += n
	p.waiting += n
	p.bytes.Add(int64(h.length))
	p.records.Add(1)
	p.live.Add(int64(h.length))
	if p.flying == nil {
		p.flying = make(map[int64]struct{})
	}
	p.flying[p.end-n] = struct{}{}
	return place, p.waiting, true
}

// retire lets the pack take no more records. The next flush seals it.
func (p *pack) retire() {
	p.mu.Lock()
	p.retired = true
	p.mu.Unlock()
}

// flush returns when the records that end at or before target are in the file, and on the disk if durable is set, or
// with the error for which the pack was given up. A pack that is retired is sealed by it too, unless that would close the
// file before it is synced.
func (p *pack) flush(target int64, durable bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if target > p.end {
		return fmt.Errorf("packs: nothing was committed to pack %08x at %d: %w", p.number, target, blob.ErrNotFound)
	}
	for {
		reached := p.written.Load()
		if durable {
			reached = p.durable
		}
		seals := durable || !p.syncs
		switch {
		case reached >= target && (!p.retired || p.sealed || !seals):
			return nil
		case p.failed != nil:
			return fmt.Errorf("packs: pack %08x was given up: %w", p.number, p.failed)
		case p.sealed:
			return fmt.Errorf("packs: pack %08x is not written any more: %w", p.number, blob.ErrNotFound)
		case p.flushing:
			p.changed.Wait()
			continue
		}
		if err := p.flushOnce(durable); err != nil && reached < target {
			return err
		}
	}
}

// flushOnce writes all pending records. It is called with mu held, which it gives up meanwhile.
func (p *pack) flushOnce(durable bool) error {
	batch, from, end := p.pending, p.written.Load(), p.end
	synced, sealing := p.durable, p.retired && (durable || !p.syncs)
	if !p.syncs {
		synced = 0 // nobody knows
	}
	p.pending, p.waiting, p.flushing = nil, 0, true
	p.mu.Unlock()

	err := p.write(batch, from, end, synced, sealing)
	for _, b := range batch {
		b.free()
	}
	if err == nil {
		// From here on readers find the records in the file, also while it is being synced.
		p.written.Store(end)
		if durable {
			err = p.file.sync()
		}
	}
	if err == nil && sealing {
		// The tail was preallocated in vain. Where giving it back fails, space is lost until the next start.
		_ = p.file.truncate(end + int64(recordBytes(sealPayload)))
	}
	if sealing || err != nil {
		_ = p.file.close() // what it wrote is synced, or given up
	}

	p.mu.Lock()
	p.flushing = false
	p.changed.Broadcast()
	if err != nil {
		p.giveUp(err)
		return fmt.Errorf("packs: write pack %08x: %w", p.number, err)
	}
	if durable || !p.syncs {
		p.durable = end
	}
	if sealing {
		p.sealed, p.file = true, nil
	}
	return nil
}

// giveUp ends a pack after a write or a sync has failed: the kernel may have dropped what it could not write, and
// a later sync that succeeds would prove nothing. Records that are on the disk by then stay. It is called with mu held.
func (p *pack) giveUp(err error) {
	for _, b := range p.pending {
		b.free()
	}
	p.pending, p.waiting = nil, 0
	p.retired, p.sealed, p.failed, p.file = true, true, err, nil
}

// write is done by the flusher, without mu.
func (p *pack) write(batch []*buffer, from, end, synced int64, sealing bool) error {
	vectors := make([][]byte, 0, len(batch)+1+aheadBytes/len(zeros))
	at := from
	for _, b := range batch {
		h, ok := parseHeader(b.p, placeOf(p.number, at))
		if !ok {
			return errPending
		}
		h.synced = uint32(synced)
		putHeader(b.p, placeOf(p.number, at), h)
		n := recordBytes(h.length)
		vectors = append(vectors, b.p[:n])
		at += int64(n)
	}
	if at != end {
		return errPending
	}
	switch {
	case sealing:
		seal := make([]byte, recordBytes(sealPayload))
		putSeal(seal, placeOf(p.number, end), uint32(synced), p.records.Load(), p.bytes.Load())
		vectors = append(vectors, seal)
		at += int64(len(seal))
	case len(batch) == 0:
		return nil
	case end > p.zeroed && end-from <= aheadBatchBytes:
		for at < min(end+aheadBytes, p.preallocated) {
			n := min(int64(len(zeros)), p.preallocated-at)
			vectors = append(vectors, zeros[:n])
			at += n
		}
	}
	p.zeroed = max(p.zeroed, at)
	return p.file.writeAt(vectors, from)
}

// lostTo returns why nothing in the pack was ever durable, or will be; nil where something is, or may be.
func (p *pack) lostTo() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.durable > packHeaderBytes {
		return nil
	}
	return p.failed
}

// isOpen says whether records may still be written.
func (p *pack) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.sealed
}

// createPack makes the file of a new pack, durably, with space for limit bytes where the disk has it.
func (s *Store) createPack(number uint32) (*pack, error) {
	p := s.newPack(number)
	f, err := s.system.create(p.path)
	if err != nil {
		return nil, fmt.Errorf("packs: create pack %08x: %w", number, err)
	}
	fail := func(err error) (*pack, error) {
		// A file that cannot be removed holds no record: the next start removes it.
		return nil, errors.Join(fmt.Errorf("packs: create pack %08x: %w", number, err), f.close(), s.system.remove(p.path))
	}
	preallocated, err := s.preallocate(f, packHeaderBytes)
	if err != nil {
		return fail(err)
	}
	head := make([]byte, packHeaderBytes)
	putPackHeader(head, number, s.Epoch())
	if err := f.writeAt([][]byte{head}, 0); err != nil {
		return fail(err)
	}
	if s.options.Sync {
		if err := f.sync(); err != nil {
			return fail(err)
		}
		if err := s.system.syncDir(s.dir); err != nil {
			return fail(err)
		}
	}
	p.startAt(f, packHeaderBytes, preallocated)
	return p, nil
}

// preallocate gives a pack its full length, and returns it. A disk that cannot, or has not that much left, gets a pack
// that grows as it is written: slower, and it finds the disk full when it is.
func (s *Store) preallocate(f file, end int64) (int64, error) {
	if s.options.PackBytes <= end {
		return 0, nil
	}
	err := f.preallocate(s.options.PackBytes)
	switch {
	case err == nil:
		return s.options.PackBytes, nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG),
		errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL):
		// What it has reserved before it failed is given back.
		return 0, f.truncate(end)
	}
	return 0, err
}
