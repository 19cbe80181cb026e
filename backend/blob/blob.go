// Package blob keeps immutable bytes. A blob is written once, through a Writer that ends in exactly one of Commit or
// Abort, and from then on is read and deleted, never changed. Package files keeps each blob in a file of its own, package
// packs the small ones many to a file.
//
// A blob may be referred to by metadata only after Sync has returned for it: Commit may leave it to Sync to make many
// blobs durable at once. Blobs that no metadata refers to are orphans; a sweep finds them by Walk. Every blob carries
// checksums of its blocks, which are verified before a byte of the block is served.
package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ID names a blob. The zero ID names none. Its first four bytes are the epoch of the store that wrote it, big-endian.
type ID [16]byte

// String returns the id as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Epoch counts how often the store had been opened when the blob was written.
func (id ID) Epoch() uint32 {
	return uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
}

// ParseID reads what ID.String returned.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("blob: id %q has not %d digits", s, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("blob: id %q: %w", s, err)
	}
	return id, nil
}

// Store keeps blobs: what the backend works with. All methods are safe for concurrent use. Package packs implements it,
// with a ByID for the large ones. Its methods are those of ByID, but that a blob is named by its Ref.
type Store interface {
	// Create begins a blob. size is how many bytes will follow, or -1 where that is not known; it is a hint.
	Create(ctx context.Context, size int64) (Writer, error)
	// Sync makes committed blobs durable, together. See ByID.Sync for what its failure means.
	Sync(ctx context.Context, refs []Ref) error
	// Open returns a reader of size bytes of a blob from offset. It fails with ErrNotFound where the blob has another
	// place by now: the caller looks it up again.
	Open(ctx context.Context, ref Ref, offset, size int64) (io.ReadCloser, error)
	// Settle tells that metadata refers to blobs from now on, durably. Every blob that was committed ends in Settle or in
	// Delete, but for those of which it is not certain whether metadata refers to them. Until then, or until the next
	// start, the store keeps it where it is, whatever metadata says of it.
	Settle(refs []Ref)
	// Delete removes blobs that nothing refers to. It is told of each of them once.
	Delete(ctx context.Context, refs []Ref) error
	// Walk calls visit for every blob, in no order, until visit returns an error, which Walk returns. What is not a whole
	// blob is visited with ErrCorrupt.
	Walk(ctx context.Context, visit func(ref Ref, err error) error) error
	// Verify reads a blob and checks its checksums. It fails with ErrNotFound or ErrCorrupt.
	Verify(ctx context.Context, ref Ref) error
	// NeedsPlace reports whether a blob is found only with its place, which metadata tells.
	NeedsPlace(id ID) bool
	Epoch() uint32
	Free() (available, total int64, err error)
	Close() error
}

// ByID keeps blobs that are found by their id alone: package files. All methods are safe for concurrent use.
type ByID interface {
	// Create begins a blob. size is how many bytes will follow, or -1 where that is not known; it is a hint.
	Create(ctx context.Context, size int64) (Writer, error)
	// Sync makes committed blobs durable, together, and returns when all of them are. Where it fails, none may be
	// referred to, and Sync must not be retried for them (the kernel may have dropped the pages that it could not
	// write): the caller deletes them.
	Sync(ctx context.Context, ids []ID) error
	// Open returns a reader of size bytes of a blob from offset; the caller closes it, and one goroutine uses it. It
	// fails with ErrNotFound, and, as its reads do, with ErrCorrupt where a block is not what was written or the blob
	// ends before the range does. A blob that is deleted meanwhile stays readable.
	Open(ctx context.Context, id ID, offset, size int64) (io.ReadCloser, error)
	// Delete removes blobs, durably or not: a blob that comes back after a crash is an orphan. Those that are not there
	// are no error.
	Delete(ctx context.Context, ids []ID) error
	// Walk calls visit for every blob, in no order, with its size, until visit returns an error, which Walk returns. A
	// file that is not a whole blob is visited with ErrCorrupt, and with the zero ID where it has no name of a blob.
	// Blobs that are being written are not visited; those written or deleted meanwhile may be missed.
	Walk(ctx context.Context, visit func(id ID, size int64, err error) error) error
	// Verify reads a blob and checks its checksums. It fails with ErrNotFound or ErrCorrupt.
	Verify(ctx context.Context, id ID) error
	// Epoch is the epoch of the blobs that this store writes. Blobs of lower epochs were all written before it opened.
	Epoch() uint32
	// Free returns how many bytes can still be written, and how many the disk has in all.
	Free() (available, total int64, err error)
	// Close releases what the store holds. Readers stay usable.
	Close() error
}

// Writer takes a blob's bytes. It is used by one goroutine and ended by exactly one of Commit and Abort.
type Writer interface {
	// Write appends to the blob. It does not keep p. Its error wraps the system's (syscall.ENOSPC among them).
	io.Writer
	// ID is the blob's id.
	ID() ID
	// Place is where the blob is, after Commit; 0 where its id is enough.
	Place() Place
	// Preallocated is how many bytes of the disk the blob was given when it was created.
	Preallocated() int64
	// Commit ends the blob: its bytes are complete and readable. It is durable after Sync.
	Commit() error
	// Abort drops the blob, and leaves nothing behind.
	Abort()
}

var (
	// ErrNotFound says that there is no such blob.
	ErrNotFound = errors.New("blob: not found")
	// ErrCorrupt says that what is on disk is not what was written.
	ErrCorrupt = errors.New("blob: corrupt")
)
