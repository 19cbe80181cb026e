package backend

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// Body is what a client sends to be stored.
type Body struct {
	// Reader gives exactly Size bytes and then io.EOF. Where it has a method Sum([]byte) []byte, that is the MD5 of
	// what was read, and it is not computed again. An error other than io.EOF ends the operation, which returns it.
	Reader io.Reader
	Size   int64
	// Algorithm is the checksum that the client declared and that Reader verifies before io.EOF; Sum returns its value
	// after io.EOF. None where the client declared none.
	Algorithm checksum.Algorithm
	Sum       func() []byte
}

// stored is a body that has become a blob.
type stored struct {
	segments []meta.Segment
	blobs    []blob.Ref
	md5      []byte
	checksum checksum.Checksum
}

// copySizes are the sizes of copy buffers: small bodies do not pay for large ones.
const (
	smallCopyBytes = 16 << 10
	largeCopyBytes = 256 << 10
)

var (
	smallCopies = sync.Pool{New: func() any { b := make([]byte, smallCopyBytes); return &b }}
	largeCopies = sync.Pool{New: func() any { b := make([]byte, largeCopyBytes); return &b }}
)

// copyBuffer lends a buffer for a body of size bytes; the second result gives it back.
func copyBuffer(size int64) ([]byte, func()) {
	pool := &largeCopies
	if size < smallCopyBytes {
		pool = &smallCopies
	}
	b := pool.Get().(*[]byte)
	return *b, func() { pool.Put(b) }
}

// store streams a body into a blob that is committed but not yet synced. want is the checksum to be kept: the body's
// own is taken where it is of that algorithm, else it is computed. On error nothing is left behind.
func (s *Store) store(ctx context.Context, body Body, want checksum.Algorithm, h *hold) (stored, error) {
	reader, sum := hashed(body.Reader)
	var extra hash.Hash
	if body.Algorithm != want {
		extra = checksum.New(want)
	}
	var out stored
	if body.Size == 0 {
		if err := expectEnd(reader); err != nil {
			return stored{}, err
		}
	} else {
		ref, err := s.writeBlob(ctx, reader, body.Size, extra, h)
		if err != nil {
			return stored{}, err
		}
		out.blobs = []blob.Ref{ref}
		out.segments = []meta.Segment{{Blob: meta.BlobID(ref.ID), Size: ref.Size, Place: uint64(ref.Place)}}
	}
	out.md5 = sum(nil)
	out.checksum.Algorithm = want
	if extra != nil {
		out.checksum.Value = extra.Sum(nil)
	} else {
		out.checksum.Value = body.Sum()
	}
	return out, nil
}

// hashed returns a reader that computes the MD5 of what passes, unless r does so itself, and its sum.
func hashed(r io.Reader) (io.Reader, func([]byte) []byte) {
	if h, ok := r.(interface{ Sum([]byte) []byte }); ok {
		return r, h.Sum
	}
	h := md5.New()
	return io.TeeReader(r, h), h.Sum
}

func expectEnd(r io.Reader) error {
	var one [1]byte
	for {
		n, err := r.Read(one[:])
		switch {
		case n > 0:
			return ErrBodyTooLong
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// writeBlob streams size bytes and io.EOF into a new blob.
func (s *Store) writeBlob(ctx context.Context, r io.Reader, size int64, extra hash.Hash, h *hold) (blob.Ref, error) {
	w, err := s.blobs.Create(ctx, size)
	if err != nil {
		return blob.Ref{}, s.writeError(size, err)
	}
	buffer, giveBack := copyBuffer(size)
	defer giveBack()
	// What the blob has of the disk before its bytes are written is not awaited twice.
	held := min(w.Preallocated(), size)
	h.wrote(held)
	var total int64
	for {
		n, readErr := r.Read(buffer)
		if total += int64(n); total > size {
			w.Abort()
			return blob.Ref{}, ErrBodyTooLong
		}
		if n > 0 {
			if extra != nil {
				extra.Write(buffer[:n])
			}
			if _, err := w.Write(buffer[:n]); err != nil {
				w.Abort()
				return blob.Ref{}, s.writeError(size, err)
			}
			h.wrote(max(0, min(int64(n), total-held)))
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			w.Abort()
			return blob.Ref{}, readError(readErr)
		}
	}
	if total < size {
		w.Abort()
		return blob.Ref{}, ErrIncompleteBody
	}
	if err := w.Commit(); err != nil {
		return blob.Ref{}, s.writeError(size, err)
	}
	return blob.Ref{ID: w.ID(), Size: size, Place: w.Place()}, nil
}

// readError is the error of a body. A connection that ends before the body does is an incomplete body.
func readError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrIncompleteBody, err)
	}
	return err
}

// writeError is the error of writing a blob.
func (s *Store) writeError(size int64, err error) error {
	if isDiskFull(err) {
		return s.diskFull(size, err)
	}
	return fmt.Errorf("write blob: %w", err)
}

// commitStored commits a mutation that refers to a stored body. Where it is refused, the blob is deleted; where it is
// not certain that it was, the blob stays for the sweep.
func (s *Store) commitStored(ctx context.Context, m meta.Mutation, in stored, size int64, h *hold) (meta.Result, error) {
	result, err := s.commit(&proposal{mutation: m, blobs: in.blobs, bytes: size, hold: h})
	var uncertain *uncertainError
	if err != nil && !errors.As(err, &uncertain) && len(in.blobs) > 0 {
		if deleteErr := s.blobs.Delete(context.WithoutCancel(ctx), in.blobs); deleteErr != nil {
			s.uncertain.Store(true)
			s.log.Error("delete the blob of a refused operation", "error", deleteErr)
		}
	}
	return result, err
}
