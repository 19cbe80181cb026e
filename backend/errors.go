package backend

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

var (
	// ErrIncompleteBody says that a body ended before its declared length.
	ErrIncompleteBody = errors.New("body is shorter than declared")
	// ErrBodyTooLong says that a body went on past its declared length.
	ErrBodyTooLong = errors.New("body is longer than declared")
	// ErrInvalidPartOrder says that the parts of a CompleteMultipartUpload are not in ascending order.
	ErrInvalidPartOrder = errors.New("parts are not in ascending order")
	// ErrInvalidUploadMarker says that a listing of uploads is to go on behind an id that no upload has.
	ErrInvalidUploadMarker = errors.New("invalid upload id marker")
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
type ChecksumMismatchError struct{ Algorithm checksum.Algorithm }

func (e *ChecksumMismatchError) Error() string {
	return fmt.Sprintf("the %s checksum of the parts is not the one given", e.Algorithm)
}

// BadDigestError says that the MD5 of a body is not the one that the client gave.
type BadDigestError struct{ Expected, Calculated []byte }

func (e *BadDigestError) Error() string {
	return fmt.Sprintf("the body's MD5 is %x, not %x", e.Calculated, e.Expected)
}

// ChecksumTypeError says that a checksum is of another algorithm than its upload was created with. Actual is None where
// there is none at all.
type ChecksumTypeError struct{ Expected, Actual checksum.Algorithm }

func (e *ChecksumTypeError) Error() string {
	return fmt.Sprintf("the checksum is %q, its upload wants %q", e.Actual, e.Expected)
}

// ChecksumModeError says that CompleteMultipartUpload names another type of checksum than its upload was created with.
type ChecksumModeError struct{ Expected checksum.Type }

func (e *ChecksumModeError) Error() string {
	return fmt.Sprintf("the upload was created with the checksum type %s", e.Expected)
}

// PartChecksumError says that CompleteMultipartUpload names a part with a checksum of another algorithm than its upload
// was created with.
type PartChecksumError struct {
	PartNumber int
	Algorithm  checksum.Algorithm // of the one that is named
}

func (e *PartChecksumError) Error() string {
	return fmt.Sprintf("part %d has no %s checksum", e.PartNumber, e.Algorithm)
}

// MissingPartChecksumError says that CompleteMultipartUpload names a part without its checksum, which a composite one
// needs.
type MissingPartChecksumError struct {
	PartNumber int
	Algorithm  checksum.Algorithm // of the upload
}

func (e *MissingPartChecksumError) Error() string {
	return fmt.Sprintf("part %d is named without its %s checksum", e.PartNumber, e.Algorithm)
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
