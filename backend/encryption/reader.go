package encryption

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// OpenRange returns a reader of length stored bytes from offset. NewReader calls it once, or, for a range that does not
// begin in the first chunk, once for the header and once for the chunks, and closes what it returns.
type OpenRange func(offset, length int64) (io.ReadCloser, error)

// Reader decrypts a range of a blob. It is used by one goroutine. It reads one chunk at a time, and no byte of a chunk
// is returned before all of it has been authenticated. The stored range is closed as soon as its last chunk was read.
type Reader struct {
	source io.ReadCloser // nil once nothing is left to read
	cipher blobCipher
	buffer *buffer // nil after Close
	ready  []byte  // of buffer: decrypted, within the range, and not returned yet
	size   int64   // plain bytes of the blob
	at     int64   // the plain byte behind ready
	end    int64   // of the range
	err    error   // what ended reading early
}

var (
	_ io.ReadCloser = (*Reader)(nil)
	_ io.WriterTo   = (*Reader)(nil)
)

// NewReader returns a reader of length plain bytes from offset, of a blob of size plain bytes. It decrypts the first
// chunk before it returns: a wrong key, or damage there, is found before any byte is served. It touches only the chunks
// that the range needs: none for an empty range, unless the blob is empty, which has one chunk to authenticate.
//
// It fails with ErrRange and ErrCorrupt, and as open does; so do reads. A blob that is stored with more bytes than
// StoredSize(size) is for the caller to notice: they are not read.
func NewReader(open OpenRange, key DataKey, size, offset, length int64) (*Reader, error) {
	if size < 0 || size > MaxBlobBytes || offset < 0 || length < 0 || offset > size-length {
		return nil, fmt.Errorf("decrypt %d bytes from %d of a blob of %d: %w", length, offset, size, ErrRange)
	}
	r := &Reader{size: size, at: offset, end: offset + length}
	if length == 0 && size > 0 {
		return r, nil
	}
	r.buffer = buffers.Get().(*buffer)
	if err := r.begin(open, key); err != nil {
		_ = r.Close() // it was opened to be read only: closing has nothing to lose
		return nil, fmt.Errorf("decrypt a blob: %w", err)
	}
	return r, nil
}

// begin reads the header, opens the chunks of the range, and reads the first of them.
func (r *Reader) begin(open OpenRange, key DataKey) (err error) {
	first := r.at / ChunkBytes
	start := int64(headerBytes) + first*sealedBytes
	end := int64(headerBytes) + min((lastChunk(r.end)+1)*sealedBytes, StoredSize(r.size)-int64(headerBytes))
	if first > 0 {
		if r.source, err = open(0, int64(headerBytes)); err != nil {
			return err
		}
		if err := r.readHeader(key); err != nil {
			return err
		}
		_ = r.source.Close() // read only
		r.source, err = open(start, end-start)
	} else {
		r.source, err = open(0, end)
	}
	if err != nil {
		r.source = nil
		return err
	}
	if first == 0 {
		if err := r.readHeader(key); err != nil {
			return err
		}
	}
	return r.fill()
}

func (r *Reader) readHeader(key DataKey) error {
	header := r.buffer[:headerBytes]
	if err := r.readStored(header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if string(header[:len(headerMagic)]) != headerMagic {
		return fmt.Errorf("header begins with %x: %w", header[:len(headerMagic)], ErrCorrupt)
	}
	r.cipher = newBlobCipher(key, header[len(headerMagic):])
	return nil
}

// readStored fills p from the source. Where that ends early, the blob has been cut off.
func (r *Reader) readStored(p []byte) error {
	n, err := io.ReadFull(r.source, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("cut off after %d bytes of %d: %w", n, len(p), ErrCorrupt)
	}
	return err
}

// fill reads and decrypts the chunk that has byte r.at, which is the next one.
func (r *Reader) fill() error {
	index := r.at / ChunkBytes
	start := index * ChunkBytes
	plainBytes := min(ChunkBytes, r.size-start)
	sealed := r.buffer[headerBytes : headerBytes+int(plainBytes)+tagBytes]
	if err := r.readStored(sealed); err != nil {
		return fmt.Errorf("chunk %d: %w", index, err)
	}
	plain, err := r.cipher.open(index, index == lastChunk(r.size), sealed)
	if err != nil {
		return err
	}
	ready := plain[r.at-start : min(plainBytes, r.end-start)]
	r.ready = ready
	r.at += int64(len(ready))
	if r.at == r.end {
		_ = r.source.Close() // its bytes are here, and they are right
		r.source = nil
	}
	return nil
}

// next makes ready hold something. At the end of the range it returns io.EOF.
func (r *Reader) next() error {
	switch {
	case r.err != nil:
		return r.err
	case len(r.ready) > 0:
		return nil
	case r.at == r.end:
		return io.EOF
	}
	if err := r.fill(); err != nil {
		r.err = fmt.Errorf("decrypt a blob: %w", err)
	}
	return r.err
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.next(); err != nil {
		return 0, err
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// WriteTo implements io.WriterTo, in writes of a chunk each, straight from the buffer.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		err := r.next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		asked := len(r.ready)
		n, err := w.Write(r.ready)
		r.ready = r.ready[n:]
		total += int64(n)
		if err != nil {
			return total, err
		}
		if n < asked {
			return total, io.ErrShortWrite
		}
	}
}

// Close implements io.Closer. It may be called again. Reads fail after it.
func (r *Reader) Close() error {
	var err error
	if r.source != nil {
		err = r.source.Close()
		r.source = nil
	}
	if r.buffer != nil {
		buffers.Put(r.buffer)
		r.buffer, r.ready = nil, nil
	}
	if !errors.Is(r.err, os.ErrClosed) {
		r.err = fmt.Errorf("decrypt a blob: %w", os.ErrClosed)
	}
	if err != nil {
		return fmt.Errorf("decrypt a blob: %w", err)
	}
	return nil
}
