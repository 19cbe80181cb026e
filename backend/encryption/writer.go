package encryption

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
)

// Writer encrypts a blob. It is used by one goroutine. It holds one chunk in memory, and calls the underlying Write
// once for each, and for the header together with the first.
//
// A chunk that is full stays open until more bytes come, since the last one is marked as such. So what was written
// without Close has no last chunk, and cannot be read to its end: a writer that is no longer wanted is just dropped.
type Writer struct {
	w      io.Writer
	cipher blobCipher
	buffer *buffer // nil after Close
	used   int     // plain bytes in buffer, behind the room for the header
	index  int64   // of the present chunk
	err    error   // what failed: nothing can be written any more
}

var (
	_ io.WriteCloser = (*Writer)(nil)
	_ io.ReaderFrom  = (*Writer)(nil)
)

// NewWriter returns a writer that encrypts what is written to it, and writes that to w. Close ends the blob; it does
// not close w.
func NewWriter(w io.Writer, key DataKey) *Writer {
	var salt [blobSaltBytes]byte
	_, _ = rand.Read(salt[:]) // it never fails: it ends the program instead
	return newWriter(w, key, salt)
}

func newWriter(w io.Writer, key DataKey, salt [blobSaltBytes]byte) *Writer {
	b := buffers.Get().(*buffer)
	copy(b[:], headerMagic)
	copy(b[len(headerMagic):], salt[:])
	return &Writer{w: w, cipher: newBlobCipher(key, b[len(headerMagic):headerBytes]), buffer: b}
}

// Write implements io.Writer. It does not keep p. It fails with ErrTooLarge, and as the underlying writer does; after
// an error every later Write, and Close, fails with it.
func (w *Writer) Write(p []byte) (int, error) {
	if w.buffer == nil {
		return 0, fmt.Errorf("encrypt a blob: %w", os.ErrClosed)
	}
	n := 0
	for n < len(p) && w.err == nil {
		switch rest := p[n:]; {
		case w.used == ChunkBytes:
			w.err = w.seal(w.plain(), false)
		case w.used == 0 && len(rest) > ChunkBytes: // a whole chunk, and not the last: it need not be copied
			if w.err = w.seal(rest[:ChunkBytes], false); w.err == nil {
				n += ChunkBytes
			}
		default:
			m := copy(w.buffer[headerBytes+w.used:headerBytes+ChunkBytes], rest)
			w.used += m
			n += m
		}
	}
	return n, w.err
}

// ReadFrom implements io.ReaderFrom: it reads straight into the chunk, so that io.Copy needs no buffer of its own. It
// fails as Write does, and as r does.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.buffer == nil {
		return 0, fmt.Errorf("encrypt a blob: %w", os.ErrClosed)
	}
	var (
		total int64
		over  [tagBytes]byte // what was read beyond the chunk, where its tag will be: more bytes have come
	)
	for w.err == nil {
		n, err := r.Read(w.buffer[headerBytes+w.used:])
		total += int64(n)
		if w.used += n; w.used > ChunkBytes {
			rest := copy(over[:], w.buffer[headerBytes+ChunkBytes:headerBytes+w.used])
			w.used = ChunkBytes
			if w.err = w.seal(w.plain(), false); w.err != nil {
				break
			}
			w.used = copy(w.buffer[headerBytes:], over[:rest])
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	return total, w.err
}

// plain returns what buffer holds of the present chunk.
func (w *Writer) plain() []byte { return w.buffer[headerBytes : headerBytes+w.used] }

// seal encrypts and writes the present chunk, and begins the next.
func (w *Writer) seal(plain []byte, isLast bool) error {
	if w.index >= maxBlobChunks {
		return fmt.Errorf("encrypt a blob: %w", ErrTooLarge)
	}
	start := headerBytes
	if w.index == 0 {
		start = 0
	}
	out := w.cipher.seal(w.buffer[start:headerBytes], w.index, isLast, plain)
	n, err := w.w.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("encrypt a blob: %w", err)
	}
	w.index++
	w.used = 0
	return nil
}

// Close writes the last chunk. It may be called again, and returns the same.
func (w *Writer) Close() error {
	if w.buffer == nil {
		return w.err
	}
	if w.err == nil {
		w.err = w.seal(w.plain(), true)
	}
	buffers.Put(w.buffer)
	w.buffer = nil
	return w.err
}
