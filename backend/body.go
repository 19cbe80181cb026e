package backend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// Body is what a client sends to be stored.
type Body struct {
	// Reader gives exactly Size bytes and then io.EOF. An error other than io.EOF ends the operation, which returns it.
	Reader io.Reader
	Size   int64
	// Least and Most are set where the size is known only at the end: Reader gives from Least to Most bytes, and Size
	// is what is likely. PutObject takes such bodies.
	Least, Most int64
	// MD5 is what the client says that the MD5 is; nil where it does not say.
	MD5 []byte
	// Algorithm is the checksum that the client declared and that Reader verifies before io.EOF; Sum returns its value
	// after io.EOF. None where the client declared none.
	Algorithm checksum.Algorithm
	Sum       func() []byte
}

// bounds are how many bytes the body has at least and at most.
func (b *Body) bounds() (least, most int64) {
	if b.Most == 0 {
		return b.Size, b.Size
	}
	return b.Least, b.Most
}

// stored is a body that has become a blob, or nothing where it has no bytes.
type stored struct {
	size     int64
	segments []meta.Segment
	blobs    []blob.Ref
	md5      []byte
	checksum checksum.Checksum
}

// store streams a body into a blob that is committed but not yet synced, and encrypted unless key is nil. want is the
// checksum to be kept: the body's own is taken where it is of that algorithm, else it is computed. On error nothing is
// left behind.
func (s *Store) store(
	ctx context.Context, body Body, want checksum.Algorithm, key *encryption.DataKey, h *hold,
) (stored, error) {
	in := &incoming{body: body, md5: s.sums.New(), hold: h}
	if body.Algorithm != want {
		in.extra = checksum.New(want)
	}
	var out stored
	if _, most := body.bounds(); most == 0 {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return stored{}, err
		}
		if err := in.finish(); err != nil {
			return stored{}, err
		}
	} else {
		ref, err := s.writeBlob(ctx, in, key)
		if err != nil {
			return stored{}, err
		}
		if ref.Size > 0 {
			out.blobs = []blob.Ref{ref}
			out.segments = []meta.Segment{segmentOf(ref, in.total)}
		}
	}
	out.size = in.total
	out.md5 = in.sum
	out.checksum.Algorithm = want
	if in.extra != nil {
		out.checksum.Value = in.extra.Sum(nil)
	} else {
		out.checksum.Value = body.Sum()
	}
	return out, nil
}

// writeBlob streams a body into a new blob. One that turns out to be empty needs none.
func (s *Store) writeBlob(ctx context.Context, in *incoming, key *encryption.DataKey) (blob.Ref, error) {
	size := storedSize(in.body.Size, key)
	w, err := s.blobs.Create(ctx, size)
	if err != nil {
		return blob.Ref{}, s.writeError(size, err)
	}
	// What the blob has of the disk before its bytes are written is not awaited twice.
	in.held = min(w.Preallocated(), size)
	in.hold.wrote(in.held)
	if err := in.fill(w, key); err != nil {
		w.Abort()
		if in.err != nil {
			return blob.Ref{}, in.err
		}
		return blob.Ref{}, s.writeError(size, err)
	}
	if in.total == 0 {
		w.Abort()
		return blob.Ref{}, nil
	}
	if err := w.Commit(); err != nil {
		return blob.Ref{}, s.writeError(size, err)
	}
	return blob.Ref{ID: w.ID(), Size: storedSize(in.total, key), Place: w.Place()}, nil
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
func (s *Store) commitStored(
	ctx context.Context, m meta.Mutation, in stored, size int64, h *hold, n *notice,
) (meta.Result, error) {
	result, err := s.commit(&proposal{mutation: m, blobs: in.blobs, bytes: size, hold: h, notice: n})
	var uncertain *uncertainError
	if err != nil && !errors.As(err, &uncertain) && len(in.blobs) > 0 {
		if deleteErr := s.blobs.Delete(context.WithoutCancel(ctx), in.blobs); deleteErr != nil {
			s.uncertain.Store(true)
			s.log.Error("delete the blob of a refused operation", "error", deleteErr)
		}
	}
	return result, err
}
