package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// reader serves a range of a blob. It reads a run of blocks at a time, and checks all of them before it serves any.
// The file is closed as soon as its last run was read, so that a slow client of a small blob holds none open.
type reader struct {
	id     blob.ID
	seed   uint32
	file   file    // nil once nothing is left to read
	buffer *buffer // nil before the first run and after Close
	at     int64   // the next byte of the blob to serve
	end    int64   // the end of the range
	first  int64   // the index of the first block in buffer
	base   int     // where in buffer that block begins
	ready  int64   // bytes of the blob before this one, and in buffer, are checked
	err    error   // what ended reading early
}

var (
	_ io.ReadCloser = (*reader)(nil)
	_ io.WriterTo   = (*reader)(nil)
)

// newReader checks the header, reads the first run and makes sure that the blob is long enough. It takes over f.
func newReader(id blob.ID, f file, offset, size int64) (*reader, error) {
	r := &reader{id: id, seed: blockSeed(id), file: f, at: offset, end: offset + size}
	if err := r.begin(); err != nil {
		_ = r.Close() // it was opened to be read only: closing has nothing to lose
		return nil, err
	}
	return r, nil
}

func (r *reader) begin() error {
	at := r.at
	if at == r.end && at > 0 {
		at-- // an empty range is in the blob if the byte before it is
	}
	if at >= BlockSize {
		var header [headerBytes]byte
		n, err := r.file.readAt(header[:], 0)
		if err != nil {
			return r.failed(err)
		}
		if err := checkHeader(header[:n], r.id); err != nil {
			return err
		}
	}
	if lastBlock(r.end)-at/BlockSize >= runBlocks {
		// A blob that is too short is found before the first byte is served, not after the last that it has.
		length, err := r.file.size()
		if err != nil {
			return r.failed(err)
		}
		if err := r.checkLength(length); err != nil {
			return err
		}
	}
	return r.fill(at)
}

// fill reads and checks the run of blocks from the one that has byte at. The header comes with block 0.
func (r *reader) fill(at int64) error {
	r.first, r.base = at/BlockSize, 0
	blocks := min(lastBlock(r.end)-r.first+1, runBlocks)
	offset := headerBytes + r.first*frameBytes
	if r.first == 0 {
		r.base, offset = headerBytes, 0
	}
	// One byte more than the blocks have tells whether the file goes on behind them.
	want := r.base + int(blocks)*frameBytes + 1
	size := want
	if r.first == 0 && r.end < BlockSize {
		size = int(fileBytes(r.end)) + 1 // if the blob ends where the range does, as it mostly does, this is all of it
	}
	if r.buffer == nil {
		r.buffer = newBuffer(size)
	}
	for n := 0; ; {
		m, err := r.file.readAt(r.buffer.p[n:size], offset+int64(n))
		if err != nil {
			return r.failed(err)
		}
		n += m
		if n == size && size < want {
			size = want
			r.buffer = r.buffer.grown(size, n)
			continue
		}
		// A short read is taken for the end of the file, which spares a system call. Only where the blocks do not
		// fit that, the file is asked again.
		err = r.check(r.buffer.p[:n], blocks, offset+int64(n), n < want)
		if err != nil && m > 0 && n < want {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	r.ready = min(r.end, (r.first+blocks)*BlockSize)
	if r.ready == r.end {
		_ = r.file.close() // its bytes are here, and they are right
		r.file = nil
	}
	return nil
}

// check verifies blocks that were read: raw is what the file has from r.first (or from its header) up to length, which
// is the whole length of the file if it ended there.
func (r *reader) check(raw []byte, blocks, length int64, ended bool) error {
	if r.base > 0 {
		if err := checkHeader(raw, r.id); err != nil {
			return err
		}
	}
	size := int64(math.MaxInt64)
	if ended {
		if err := r.checkLength(length); err != nil {
			return err
		}
		size, _ = blobBytes(length)
	}
	for i := r.first; i < r.first+blocks; i++ {
		frame := raw[r.base+int(i-r.first)*frameBytes:]
		payload := frame[:min(BlockSize, size-i*BlockSize)]
		if binary.BigEndian.Uint32(frame[len(payload):]) != blockCRC(r.seed, i, i == lastBlock(size), payload) {
			return fmt.Errorf("files: blob %s: block %d is not what was written: %w", r.id, i, blob.ErrCorrupt)
		}
	}
	return nil
}

// checkLength checks that a file of length bytes has the whole range.
func (r *reader) checkLength(length int64) error {
	size, ok := blobBytes(length)
	if !ok {
		return badLength(r.id, length)
	}
	if size < r.end {
		return fmt.Errorf("files: blob %s: has %d bytes, and %d were to be read: %w", r.id, size, r.end, blob.ErrCorrupt)
	}
	return nil
}

func (r *reader) failed(err error) error { return fmt.Errorf("files: read blob %s: %w", r.id, err) }

// next returns the checked bytes from r.at to the end of their block or of the range. At the end of the range it
// returns io.EOF.
func (r *reader) next() ([]byte, error) {
	switch {
	case r.err != nil:
		return nil, r.err
	case r.at == r.end:
		return nil, io.EOF
	case r.at == r.ready:
		if r.err = r.fill(r.at); r.err != nil {
			return nil, r.err
		}
	}
	block := r.at / BlockSize
	start := r.base + int(block-r.first)*frameBytes + int(r.at%BlockSize)
	end := min((block+1)*BlockSize, r.ready)
	return r.buffer.p[start : start+int(end-r.at)], nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	ready, err := r.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, ready)
	r.at += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo, in writes of a block each, straight from the buffer.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		ready, err := r.next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(ready)
		r.at += int64(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
		if n < len(ready) {
			return total, io.ErrShortWrite
		}
	}
}

// Close implements io.Closer. It may be called again. Reads fail after it.
func (r *reader) Close() error {
	var err error
	if r.file != nil {
		err = r.file.close()
		r.file = nil
	}
	if r.buffer != nil {
		r.buffer.free()
		r.buffer = nil
	}
	if !errors.Is(r.err, os.ErrClosed) {
		r.err = r.failed(os.ErrClosed)
	}
	if err != nil {
		return r.failed(err)
	}
	return nil
}
