package packs

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// Writer takes a blob's bytes. It is used by one goroutine and ended by exactly one of Commit and Abort.
type Writer struct {
	store  *Store
	id     blob.ID
	place  blob.Place
	buffer *buffer // nil before the first byte, after the end, and where large has the blob
	size   int
	hint   int
	large  blob.Writer // not nil once the blob is larger than a pack takes
	ctx    context.Context
	ended  bool
	err    error // what failed; the blob cannot be completed any more
}

// Create begins a blob. size is how many bytes will follow, or -1 where that is not known. It is a hint: a blob that
// was announced as small and is not goes to the large store while it is written. Until then it is kept in memory.
func (s *Store) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if size < 0 || size > s.options.Threshold {
		large, err := s.large.Create(ctx, size)
		if err != nil {
			return nil, err
		}
		return &Writer{store: s, id: large.ID(), large: large}, nil
	}
	return &Writer{store: s, id: s.nextID(), hint: int(size), ctx: ctx}, nil
}

var _ blob.Writer = (*Writer)(nil)

// nextID returns an id that no file has: its sequence number has the highest bit set.
func (s *Store) nextID() blob.ID {
	var id blob.ID
	binary.BigEndian.PutUint32(id[0:4], s.Epoch())
	binary.BigEndian.PutUint64(id[4:12], s.sequence.Add(1)|1<<63)
	copy(id[12:16], s.nonce[:])
	return id
}

// isPacked says whether a blob of that id is in a pack.
func isPacked(id blob.ID) bool { return id[4]&0x80 != 0 }

// ID is the blob's id. It is final after Commit: a blob that turns out to be large gets another.
func (w *Writer) ID() blob.ID { return w.id }

// Place is where the blob is, after Commit.
func (w *Writer) Place() blob.Place { return w.place }

// Preallocated is how many bytes of the disk the blob was given when it was created; 0 for a small one, whose pack had
// them before.
func (w *Writer) Preallocated() int64 {
	if w.large == nil {
		return 0
	}
	return w.large.Preallocated()
}

// Write appends to the blob. It does not keep p. After an error every later Write and Commit fails with it.
func (w *Writer) Write(p []byte) (int, error) {
	switch {
	case w.ended:
		return 0, fmt.Errorf("packs: write blob %s: %w", w.id, os.ErrClosed)
	case w.err != nil:
		return 0, w.err
	case w.large != nil:
		return w.large.Write(p)
	}
	n := w.size + len(p)
	if int64(n) > w.store.options.Threshold {
		if w.err = w.spill(); w.err != nil {
			return 0, w.err
		}
		return w.large.Write(p)
	}
	if w.buffer == nil {
		w.buffer = newBuffer(max(n, w.hint))
	}
	w.buffer = w.buffer.grown(n, w.size)
	copy(w.buffer.p[headerBytes+w.size:], p)
	w.size = n
	return len(p), nil
}

var _ io.ReaderFrom = (*Writer)(nil)

// ReadFrom implements io.ReaderFrom. A blob that stays small is read into its record: its bytes are not copied. After
// an error, which is r's as it is or one as Write's, the blob can only be aborted.
func (w *Writer) ReadFrom(r io.Reader) (total int64, err error) {
	if w.ended {
		return 0, fmt.Errorf("packs: write blob %s: %w", w.id, os.ErrClosed)
	}
	if w.buffer == nil && w.large == nil && w.err == nil {
		w.buffer = newBuffer(w.hint)
	}
	for w.large == nil && w.err == nil {
		// Behind the payload there is always the room of its checksum: enough to meet io.EOF.
		n, err := r.Read(w.buffer.p[headerBytes+w.size:])
		w.size += n
		total += int64(n)
		if int64(w.size) > w.store.options.Threshold {
			w.err = w.spill()
		} else {
			w.buffer = w.buffer.grown(w.size, w.size)
		}
		if err == io.EOF {
			return total, w.err
		}
		w.err = cmp.Or(w.err, err)
	}
	if w.err != nil {
		return total, w.err
	}
	p := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(p)
	n, err := io.CopyBuffer(w.large, onlyReader{r}, *p)
	w.err = err
	return total + n, err
}

// onlyReader hides other methods: io.CopyBuffer is to use the buffer that it is given.
type onlyReader struct{ io.Reader }

// spill hands the blob over to the large store.
func (w *Writer) spill() error {
	large, err := w.store.large.Create(w.ctx, -1)
	if err != nil {
		return err
	}
	if w.buffer != nil {
		if _, err := large.Write(w.buffer.p[headerBytes : headerBytes+w.size]); err != nil {
			large.Abort()
			return err
		}
		w.buffer.free()
		w.buffer = nil
	}
	w.large, w.id = large, large.ID()
	return nil
}

// Commit ends the blob: its bytes are complete and readable, and have a place. It is durable after Sync. Where Commit
// fails, nothing is left behind; it wraps the system's error where no pack could be begun (syscall.ENOSPC among them).
func (w *Writer) Commit() error {
	if w.ended {
		return fmt.Errorf("packs: commit blob %s: %w", w.id, os.ErrClosed)
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.ended = true
	if w.large != nil {
		return w.large.Commit()
	}
	if w.buffer == nil {
		w.buffer = newBuffer(0)
	}
	b := w.buffer
	w.buffer = nil
	copy(b.p[8:24], w.id[:])
	putPayloadCRC(b.p, w.size)
	place, err := w.store.append(b, header{kind: kindBlob, length: w.size, id: w.id})
	w.place = place
	return err
}

// Abort drops the blob, and leaves nothing behind. It does nothing after Commit, whether that succeeded or not.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	if w.large != nil {
		w.large.Abort()
	}
	if w.buffer != nil {
		w.buffer.free()
		w.buffer = nil
	}
}

// append gives a finished record, which it takes over, its place in the active pack.
func (s *Store) append(b *buffer, h header) (blob.Place, error) {
	p, full, place, waiting, err := s.reserve(b, h)
	if full != nil {
		// Whoever began a new pack ends the old one. Where that fails, those whose records are lost hear it from Sync.
		if err := full.flush(full.written.Load(), s.options.Sync); err != nil {
			s.giveUp(full)
		}
	}
	if err != nil {
		b.free()
		return 0, err
	}
	// Where writing fails, Sync fails for what was not yet durable.
	switch {
	case waiting > maxPendingBytes: // nobody syncs, and memory is to stay bounded
		_, offset := splitPlace(place)
		err = p.flush(offset+int64(recordBytes(h.length)), false)
	case waiting >= writeAheadBytes:
		err = p.writeAhead()
	}
	if err != nil {
		s.giveUp(p)
	}
	return place, nil
}

// reserve puts a record into the active pack. Where that is full it begins a new one, and returns the full one, retired.
func (s *Store) reserve(b *buffer, h header) (p, full *pack, place blob.Place, waiting int64, err error) {
	s.activeMu.Lock()
	defer s.activeMu.Unlock()
	if s.closed.Load() {
		return nil, nil, 0, 0, s.closedError()
	}
	if s.active != nil {
		place, waiting, ok := s.active.reserve(b, h, s.options.PackBytes)
		if ok {
			return s.active, nil, place, waiting, nil
		}
		full = s.active
		full.retire()
		s.active = nil
	}
	p, err = s.nextPack()
	if err != nil {
		return nil, full, 0, 0, err
	}
	s.active = p
	place, waiting, ok := p.reserve(b, h, s.options.PackBytes)
	if !ok { // the pack that was resumed is full
		full, s.active = p, nil
		p.retire()
		if p, err = s.nextPack(); err != nil {
			return nil, full, 0, 0, err
		}
		s.active = p
		place, waiting, _ = p.reserve(b, h, s.options.PackBytes)
	}
	return p, full, place, waiting, nil
}

// nextPack returns the pack to go on with: the last of the run before, if it has room, or a new one. It is called with
// activeMu held: nobody can commit before there is one.
func (s *Store) nextPack() (*pack, error) {
	if p := s.resume; p != nil {
		s.resume = nil
		if s.reopen(p) {
			return p, nil
		}
	}
	s.mu.Lock()
	number := s.last + 1
	if number == 0 {
		s.mu.Unlock()
		return nil, errNumbers
	}
	s.last = number // even if it cannot be made: its name may be taken
	s.mu.Unlock()
	p, err := s.createPack(number)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.packs[number] = p
	s.highest = number
	s.mu.Unlock()
	return p, nil
}

// reopen lets a sealed pack take more records: they overwrite the seal. It says false where that cannot be; the pack is
// as good as before then.
func (s *Store) reopen(p *pack) bool {
	f, err := s.system.open(p.path, true)
	if err != nil {
		return false
	}
	end := p.written.Load()
	preallocated, err := s.preallocate(f, end+int64(recordBytes(sealPayload)))
	if err != nil {
		_ = f.close() // nothing was written
		return false
	}
	p.startAt(f, end, preallocated)
	return true
}

// giveUp takes a pack that has failed out of use. Where nothing in it was ever durable it is removed as soon as a later
// one is there, whose name keeps the number from being used again: a full disk would leave one such behind for every
// attempt.
func (s *Store) giveUp(p *pack) {
	s.activeMu.Lock()
	if s.active == p {
		s.active = nil
	}
	s.activeMu.Unlock()
	var lost []*pack
	s.mu.Lock()
	for number, p := range s.packs {
		if cause := p.lostTo(); cause != nil {
			s.lost = cause
			if number < s.highest {
				delete(s.packs, number)
				lost = append(lost, p)
			}
		}
	}
	s.mu.Unlock()
	for _, p := range lost {
		s.handles.drop(p.number)
		_ = s.system.remove(p.path) // what stays has no record that anybody was promised
	}
}
