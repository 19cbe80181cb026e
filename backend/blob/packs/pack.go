package packs

import (
	"cmp"
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
	// writeAheadBytes is how much waits in memory until Commit writes it, so that Sync finds it on its way to the disk.
	writeAheadBytes = 256 << 10
	// maxPendingBytes is how much waits in memory to be written before Commit writes it itself.
	maxPendingBytes = 8 << 20
)

var zeros [64 << 10]byte

// errPending says that memory does not hold what it should: nothing of it is written.
var errPending = errors.New("pending records are not those that were committed")

// pack is one file. It is written from its first record to its last by one goroutine at a time, and synced by one at a
// time, which may be another: the next records are written while those before them are synced. Either is whoever found
// nobody else at it; the others wait, and find their records done. Two syncs at once are not to be: the system tells of a
// page that could not be written once for each open file, to one of them.
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
	mu      sync.Mutex
	changed *sync.Cond         // on mu: writing or syncing has ended
	writing bool               // somebody writes file, and owns preallocated and zeroed
	syncing bool               // somebody syncs file
	end     int64              // where the next record will stand
	durable int64              // where the records end that are on the disk, or in the file where nothing is synced
	pending []*buffer          // records that stand from written to end
	waiting int64              // their bytes
	retired bool               // no more records are taken
	sealed  bool               // the seal is written, or the pack was given up: nothing will be written
	failed  error              // why it was given up
	file    file               // nil where nothing will be written; closed by the last that writes or syncs
	flying  map[int64]struct{} // offsets of the records that are in flight, see Settle; nil for none

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
		var err error
		switch {
		case reached >= target && (!p.retired || p.sealed || !seals):
			return nil
		case p.failed != nil:
			return fmt.Errorf("packs: pack %08x was given up: %w", p.number, p.failed)
		case p.sealed:
			return fmt.Errorf("packs: pack %08x is not written any more: %w", p.number, blob.ErrNotFound)
		case p.retired && seals && !p.writing && !p.syncing:
			err = p.seal()
		case p.retired && seals:
			p.changed.Wait()
		case p.written.Load() < target && !p.writing:
			err = p.writePending()
		case p.written.Load() >= target && !p.syncing:
			err = p.syncWritten()
		default:
			p.changed.Wait()
		}
		if err != nil && reached < target {
			return err
		}
	}
}

// writeAhead writes what is pending and has the disk begin with it, while what is before it is synced: less is left to do
// for the sync that comes. It does nothing where somebody writes.
func (p *pack) writeAhead() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writing || p.sealed || len(p.pending) == 0 {
		return nil
	}
	from := p.written.Load()
	if err := p.writePending(); err != nil || p.failed != nil || !p.syncs {
		return err
	}
	return p.sendOut(from)
}

// writePending writes all pending records. It is called with mu held, which it gives up meanwhile, as are those below.
func (p *pack) writePending() error {
	batch, end := p.pending, p.end
	p.pending, p.waiting, p.writing = nil, 0, true
	f, synced := p.file, p.synced()
	p.mu.Unlock()
	_, err := p.write(f, batch, end, synced, false)
	p.mu.Lock()
	p.writing = false
	if err == nil && !p.syncs {
		p.durable = end
	}
	return p.ended(err)
}

// sendOut has the disk begin with what was written from an offset on.
func (p *pack) sendOut(from int64) error {
	f, n := p.file, p.written.Load()-from
	p.writing = true
	p.mu.Unlock()
	err := f.sendOut(from, n)
	p.mu.Lock()
	p.writing = false
	return p.ended(err)
}

// syncWritten makes durable what is written.
func (p *pack) syncWritten() error {
	f, end := p.file, p.written.Load()
	p.syncing = true
	p.mu.Unlock()
	err := f.sync()
	p.mu.Lock()
	p.syncing = false
	if err == nil {
		p.durable = end
	}
	return p.ended(err)
}

// seal writes all pending records and the seal, syncs them, and closes the file.
func (p *pack) seal() error {
	batch, end := p.pending, p.end
	p.pending, p.waiting, p.writing, p.syncing = nil, 0, true, true
	f, synced := p.file, p.synced()
	p.mu.Unlock()
	at, err := p.write(f, batch, end, synced, true)
	if err == nil && p.syncs {
		err = f.sync()
	}
	if err == nil {
		// The tail was preallocated in vain. Where giving it back fails, space is lost until the next start.
		_ = f.truncate(at)
	}
	p.mu.Lock()
	p.writing, p.syncing = false, false
	if err == nil {
		p.durable, p.sealed = end, true
	}
	return p.ended(err)
}

// synced is what a record that is written now says of those before it: 0 where nobody knows. It is called with mu held.
func (p *pack) synced() int64 {
	if !p.syncs {
		return 0
	}
	return p.durable
}

// ended is called with mu held by whoever has written or synced. An error is the end of the pack. The last closes the file
// of one that is not written any more, and gives mu up meanwhile: who asks for the figures of all packs waits for none.
func (p *pack) ended(err error) error {
	if err != nil {
		p.giveUp(err)
		err = fmt.Errorf("packs: write pack %08x: %w", p.number, err)
	}
	if p.sealed && !p.writing && !p.syncing && p.file != nil {
		f := p.file
		p.file = nil
		p.mu.Unlock()
		_ = f.close() // what it wrote is synced, or given up
		p.mu.Lock()
	}
	p.changed.Broadcast()
	return err
}

// giveUp ends a pack after a write or a sync has failed: the kernel may have dropped what it could not write, and
// a later sync that succeeds would prove nothing. Records that are on the disk by then stay. It is called with mu held.
func (p *pack) giveUp(err error) {
	for _, b := range p.pending {
		b.free()
	}
	p.pending, p.waiting = nil, 0
	p.retired, p.sealed, p.failed = true, true, cmp.Or(p.failed, err)
}

// write writes records up to end, and a seal behind them where the pack gets one, and frees them. It is done without mu, by
// one goroutine at a time. It returns where what it wrote ends.
func (p *pack) write(f file, batch []*buffer, end, synced int64, sealing bool) (at int64, err error) {
	defer func() {
		for _, b := range batch {
			b.free()
		}
	}()
	from := p.written.Load()
	vectors := make([][]byte, 0, len(batch)+1+aheadBytes/len(zeros))
	at = from
	for _, b := range batch {
		h, ok := parseHeader(b.p, placeOf(p.number, at))
		if !ok {
			return 0, errPending
		}
		h.synced = uint32(synced)
		putHeader(b.p, placeOf(p.number, at), h)
		n := recordBytes(h.length)
		vectors = append(vectors, b.p[:n])
		at += int64(n)
	}
	if at != end {
		return 0, errPending
	}
	switch {
	case sealing:
		seal := make([]byte, recordBytes(sealPayload))
		putSeal(seal, placeOf(p.number, end), uint32(synced), p.records.Load(), p.bytes.Load())
		vectors = append(vectors, seal)
		at += int64(len(seal))
	case len(batch) == 0:
		return at, nil
	case end > p.zeroed && end-from <= aheadBatchBytes:
		for at < min(end+aheadBytes, p.preallocated) {
			n := min(int64(len(zeros)), p.preallocated-at)
			vectors = append(vectors, zeros[:n])
			at += n
		}
	}
	p.zeroed = max(p.zeroed, at)
	if err := f.writeAt(vectors, from); err != nil {
		return 0, err
	}
	// From here on readers find the records in the file, also while it is being synced.
	p.written.Store(end)
	return at, nil
}

// lostTo returns why nothing in the pack was ever durable, or will be; nil where something is, or may be.
func (p *pack) lostTo() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.durable > packHeaderBytes || p.syncing {
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
