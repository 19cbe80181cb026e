package backend

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/plimsoll/plimsoll/backend/meta"
)

var (
	// ErrIncompleteBody says that a body ended before its declared length.
	ErrIncompleteBody = errors.New("body is shorter than declared")
	// ErrBodyTooLong says that a body went on past its declared length.
	ErrBodyTooLong = errors.New("body is longer than declared")
	// ErrInvalidPartOrder says that the parts of a CompleteMultipartUpload are not in ascending order.
	ErrInvalidPartOrder = errors.New("parts are not in ascending order")
	// ErrNoParts says that a CompleteMultipartUpload names no part.
	ErrNoParts = errors.New("no parts")
	// ErrCopySourceTooLarge says that the source of a copy is larger than MaxPutBytes.
	ErrCopySourceTooLarge = errors.New("copy source is too large")
	// ErrInvalidRange says that a range lies outside of the object.
	ErrInvalidRange = errors.New("range lies outside of the object")
	// ErrConflict says that concurrent writers kept changing what an operation was made from.
	ErrConflict = errors.New("concurrent changes")
	// ErrClosed says that the store is shutting down.
	ErrClosed = errors.New("store is closed")
)

// EntityTooLargeError says that an object or a part is larger than MaxPutBytes.
type EntityTooLargeError struct{ Size int64 }

func (e *EntityTooLargeError) Error() string {
	return fmt.Sprintf("%d bytes are more than one upload may have (%d)", e.Size, int64(MaxPutBytes))
}

// EntityTooSmallError says that a part other than the last is smaller than MinPartBytes.
type EntityTooSmallError struct {
	PartNumber int
	ETag       meta.ETag
	Size       int64
}

func (e *EntityTooSmallError) Error() string {
	return fmt.Sprintf("part %d has %d bytes, fewer than %d", e.PartNumber, e.Size, int64(MinPartBytes))
}

// InvalidPartError says that a part named by CompleteMultipartUpload is not stored, or not with that ETag or checksum.
type InvalidPartError struct {
	PartNumber int
	ETag       meta.ETag
}

func (e *InvalidPartError) Error() string {
	return fmt.Sprintf("part %d is not as named", e.PartNumber)
}

// ChecksumMismatchError says that a checksum which the client gave for the whole object is not that of its parts.
type ChecksumMismatchError struct{ Algorithm string }

func (e *ChecksumMismatchError) Error() string {
	return fmt.Sprintf("the %s checksum of the parts is not the one given", e.Algorithm)
}

// ChecksumTypeError says that a part was sent with another checksum algorithm than its upload was created with.
type ChecksumTypeError struct{ Expected, Actual string }

func (e *ChecksumTypeError) Error() string {
	return fmt.Sprintf("part has a %s checksum, its upload wants %s", e.Actual, e.Expected)
}

// InsufficientStorageError says that the disk cannot take what was asked: its free space is below the reserve, or the
// system refused to write (ENOSPC, EDQUOT). Sizes are bytes.
type InsufficientStorageError struct {
	// Total is the size of the disk, Available what may still be stored above the reserve, Requested what was asked.
	Total, Available, Requested int64
	// Transient is true where only bodies that are arriving are in the way.
	Transient bool
	// Cause is the system's error, nil where the reserve decided.
	Cause error
}

func (e *InsufficientStorageError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("insufficient storage for %d bytes: %v", e.Requested, e.Cause)
	}
	return fmt.Sprintf("insufficient storage for %d bytes: %d available", e.Requested, e.Available)
}

func (e *InsufficientStorageError) Unwrap() error { return e.Cause }

// isDiskFull reports whether the system refused to write for want of space.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// SizeMismatchError says that the parts of an upload do not add up to the size that the client gave.
type SizeMismatchError struct{ Expected, Actual int64 }

func (e *SizeMismatchError) Error() string {
	return fmt.Sprintf("the parts have %d bytes, not %d", e.Actual, e.Expected)
}
