package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// reader serves a range of a blob. It reads a run of blocks at a time, and checks all of them before it serves any.
// The file is closed as soon as its last run was read, so that a slow client of a small blob holds none open.
type reader struct {
	id     blob.ID
	seed   uint32
	file   file    // nil once nothing is left to read
	buffer *buffer // nil before the first run and after Close; its tail holds the checksums of the present group
	size   int64   // of the blob, by the length of its file
	group  int64   // whose checksums are in buffer; -1 before the first
	at     int64   // the next byte of the blob to serve
	end    int64   // the end of the range
	begins int64   // the byte of the blob that buffer begins with
	ready  int64   // bytes of the blob before this one, and in buffer, are checked
	err    error   // what ended reading early
}

var (
	_ io.ReadCloser = (*reader)(nil)
	_ io.WriterTo   = (*reader)(nil)
)

// newReader checks the footer and that the blob is long enough, and reads the first run. It takes over f.
func newReader(id blob.ID, f file, offset, size int64) (*reader, error) {
	r := &reader{id: id, seed: blockSeed(id), file: f, group: -1, at: offset, end: offset + size}
	if err := r.begin(); err != nil {
		_ = r.Close() // it was opened to be read only: closing has nothing to lose
		return nil, err
	}
	return r, nil
}

func (r *reader) begin() error {
	length, err := r.file.size()
	if err != nil {
		return r.failed(err)
	}
	// A blob that is too short is found before the first byte is served, not after the last that it has.
	if err := r.checkLength(length); err != nil {
		return err
	}
	r.size, _ = blobBytes(length)
	at := r.at
	if at == r.end && at > 0 {
		at-- // an empty range is in the blob if the byte before it is
	}
	first, blocks := r.run(at)
	r.buffer = newBuffer(min(blocks*BlockSize, r.size-first*BlockSize))
	if err := r.readFooter(first / groupBlocks); err != nil {
		return err
	}
	return r.fill(at)
}

// run returns the blocks that are read for byte at: from its own up to the last of the run or of the range.
func (r *reader) run(at int64) (first, blocks int64) {
	first = at / BlockSize
	return first, min(lastBlock(r.end)-first+1, runBlocks-first%runBlocks)
}

// readFooter reads and checks the footer, together with the checksums of the group where that is the last.
func (r *reader) readFooter(group int64) error {
	tail := r.buffer.tail()
	offset, bytes := tablePlace(r.size, group)
	if group < lastBlock(r.size)/groupBlocks {
		offset, bytes = fileBytes(r.size)-footerBytes, 0
	} else {
		r.group = group
	}
	if err := r.read(tail[:bytes+footerBytes], offset); err != nil {
		return err
	}
	return checkFooter(tail[bytes:bytes+footerBytes], r.id)
}

// fill reads and checks the run of blocks from the one that has byte at.
func (r *reader) fill(at int64) error {
	first, blocks := r.run(at)
	if group := first / groupBlocks; group != r.group {
		offset, bytes := tablePlace(r.size, group)
		if err := r.read(r.buffer.tail()[:bytes], offset); err != nil {
			return err
		}
		r.group = group
	}
	begins, ends := first*BlockSize, min(r.size, (first+blocks)*BlockSize)
	if need := ends - begins; need > int64(r.buffer.room()) {
		r.enlarge(need)
	}
	run := r.buffer.p[:ends-begins]
	if err := r.read(run, blockOffset(first)); err != nil {
		return err
	}
	for i := first; i < first+blocks; i++ {
		payload := run[:min(BlockSize, len(run))]
		run = run[len(payload):]
		sum := binary.BigEndian.Uint32(r.buffer.tail()[i%groupBlocks*crcBytes:])
		if sum != blockCRC(r.seed, i, i == lastBlock(r.size), payload) {
			return fmt.Errorf("files: blob %s: block %d is not what was written: %w", r.id, i, blob.ErrCorrupt)
		}
	}
	r.begins, r.ready = begins, min(r.end, ends)
	if r.ready == r.end {
		_ = r.file.close() // its bytes are here, and they are right
		r.file = nil
	}
	return nil
}

// enlarge makes room for a run that is longer than the first was, which began in its middle.
func (r *reader) enlarge(n int64) {
	larger := newBuffer(n)
	copy(larger.tail(), r.buffer.tail())
	r.buffer.free()
	r.buffer = larger
}

// read fills p from the file. A file that ends before was cut since its length was asked for.
func (r *reader) read(p []byte, offset int64) error {
	for n := 0; n < len(p); {
		m, err := r.file.readAt(p[n:], offset+int64(n))
		if err != nil {
			return r.failed(err)
		}
		if m == 0 {
			return fmt.Errorf("files: blob %s: ends at %d while it is read: %w", r.id, offset+int64(n), blob.ErrCorrupt)
		}
		n += m
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

// next returns the checked bytes from r.at to the end of their run or of the range. At the end of the range it returns
// io.EOF.
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
	return r.buffer.p[r.at-r.begins : r.ready-r.begins], nil
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

// WriteTo implements io.WriterTo, in writes of a run each, straight from the buffer.
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
