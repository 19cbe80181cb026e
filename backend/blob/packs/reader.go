package packs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// Open returns a reader of size bytes of a blob from offset; the caller closes it, and one goroutine uses it. A small
// blob is read and checked as a whole by this call, by one read of the disk, and needs its pack no more.
//
// It fails with blob.ErrNotFound where the pack is gone: compaction has moved the blob, or it is deleted, and the
// metadata knows which. It fails with blob.ErrCorrupt where the pack is there and has something else in that place, or
// the range is not in the blob. A blob that was committed and not synced is written first, so that it can be read.
func (s *Store) Open(ctx context.Context, ref blob.Ref, offset, size int64) (io.ReadCloser, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if !isPacked(ref.ID) {
		return s.large.Open(ctx, ref.ID, offset, size)
	}
	b, err := s.read(ref)
	if err != nil {
		return nil, err
	}
	if offset < 0 || size < 0 || offset > ref.Size || size > ref.Size-offset {
		b.free()
		return nil, fmt.Errorf("packs: open blob %s: it has %d bytes, not %d from %d: %w",
			ref.ID, ref.Size, size, offset, blob.ErrCorrupt)
	}
	return &reader{id: ref.ID, buffer: b, rest: b.p[headerBytes+offset : headerBytes+offset+size]}, nil
}

// Verify reads a blob and checks its checksums. It fails with blob.ErrNotFound or blob.ErrCorrupt, as Open does.
func (s *Store) Verify(ctx context.Context, ref blob.Ref) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if !isPacked(ref.ID) {
		return s.large.Verify(ctx, ref.ID)
	}
	b, err := s.read(ref)
	if err != nil {
		return err
	}
	b.free()
	return nil
}

// read returns the whole record of a blob, checked.
func (s *Store) read(ref blob.Ref) (*buffer, error) {
	number, offset := splitPlace(ref.Place)
	p := s.pack(number)
	if p == nil {
		return nil, fmt.Errorf("packs: read blob %s: there is no pack %08x: %w", ref.ID, number, blob.ErrNotFound)
	}
	if ref.Size < 0 || ref.Size > maxPayload {
		return nil, fmt.Errorf("packs: read blob %s: no pack holds %d bytes of one: %w", ref.ID, ref.Size, blob.ErrCorrupt)
	}
	n := recordBytes(int(ref.Size))
	if end := offset + int64(n); end > p.written.Load() {
		if err := p.writeOut(end); err != nil {
			return nil, fmt.Errorf("packs: read blob %s: %w", ref.ID, err)
		}
	}
	h, err := s.handles.acquire(number, p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("packs: read blob %s: pack %08x is gone: %w", ref.ID, number, blob.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("packs: read blob %s: %w", ref.ID, err)
	}
	defer s.handles.release(h)
	b := newBuffer(int(ref.Size))
	got, err := h.file.readAt(b.p[:n], offset)
	if err != nil {
		b.free()
		return nil, fmt.Errorf("packs: read blob %s: %w", ref.ID, err)
	}
	if err := checkRecord(b.p[:got], ref); err != nil {
		b.free()
		return nil, err
	}
	return b, nil
}

// writeOut writes a record that ends at end and is still pending. A place where nothing was committed is no error here:
// the read finds nothing there.
func (p *pack) writeOut(end int64) error {
	p.mu.Lock()
	pending := end <= p.end && p.failed == nil
	p.mu.Unlock()
	if !pending {
		return nil
	}
	return p.flush(end, false)
}

// checkRecord checks that raw is the record of a blob.
func checkRecord(raw []byte, ref blob.Ref) error {
	number, offset := splitPlace(ref.Place)
	h, ok := parseHeader(raw, ref.Place)
	switch {
	case !ok:
		return fmt.Errorf("packs: blob %s: no whole header of a record in pack %08x at %d: %w",
			ref.ID, number, offset, blob.ErrCorrupt)
	case h.kind != kindBlob, h.id != ref.ID, int64(h.length) != ref.Size:
		return fmt.Errorf("packs: blob %s: in pack %08x at %d is blob %s of %d bytes: %w",
			ref.ID, number, offset, h.id, h.length, blob.ErrCorrupt)
	case !checkPayload(raw, h.length):
		return fmt.Errorf("packs: blob %s: its %d bytes in pack %08x at %d are not what was written: %w",
			ref.ID, h.length, number, offset, blob.ErrCorrupt)
	}
	return nil
}

// reader serves a range of a blob that was read and checked.
type reader struct {
	id     blob.ID
	buffer *buffer // nil after Close
	rest   []byte  // of the range, in buffer
}

var (
	_ io.ReadCloser = (*reader)(nil)
	_ io.WriterTo   = (*reader)(nil)
)

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	switch {
	case r.buffer == nil:
		return 0, r.closed()
	case len(p) == 0:
		return 0, nil
	case len(r.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo, in one write straight from the buffer.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	if r.buffer == nil {
		return 0, r.closed()
	}
	if len(r.rest) == 0 {
		return 0, nil
	}
	want := len(r.rest)
	n, err := w.Write(r.rest)
	r.rest = r.rest[n:]
	if err == nil && n < want {
		err = io.ErrShortWrite
	}
	return int64(n), err
}

// Close implements io.Closer. It may be called again. Reads fail after it.
func (r *reader) Close() error {
	if r.buffer != nil {
		r.buffer.free()
		r.buffer, r.rest = nil, nil
	}
	return nil
}

func (r *reader) closed() error { return fmt.Errorf("packs: read blob %s: %w", r.id, os.ErrClosed) }
