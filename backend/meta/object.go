package meta

import (
	"time"

	"github.com/plimsoll/plimsoll/backend/checksum"
)

// Key is the name of an object in its bucket: 1 to 1,024 bytes, any bytes, NUL included.
type Key string

// ETag is an entity tag without its quotes.
type ETag string

// BlobID names an immutable blob. Its meaning is the blob store's.
type BlobID [16]byte

// Segment is a run of an object's bytes: the whole of one blob.
type Segment struct {
	Blob BlobID
	Size int64
	// Stored is how many bytes the blob store keeps for it, where encryption makes them more than Size; 0 where they
	// are Size, never Size itself.
	Stored int64
	// Place is where the blob store has put a new blob, 0 where it needs no place. It is kept with the blob, not with
	// what refers to it: segments that are read have none, and Blobs tells it.
	Place uint64
}

// StoredSize is how many bytes the blob store keeps for the segment.
func (s Segment) StoredSize() int64 {
	if s.Stored != 0 {
		return s.Stored
	}
	return s.Size
}

// Attributes are the headers that S3 keeps with an object, as the client sent them. Empty means not sent.
type Attributes struct {
	ContentType        string
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string
	StorageClass       string
	// WebsiteRedirect is x-amz-website-redirect-location.
	WebsiteRedirect string
	// User holds x-amz-meta-* without that prefix, names in lower case.
	User map[string]string
}

// ObjectHead is what a listing tells of an object.
type ObjectHead struct {
	Size     int64
	ETag     ETag
	Modified time.Time // to the millisecond, UTC
	Checksum checksum.Checksum
	Class    string // storage class, empty for STANDARD
	Owner    string
	// Version is set by reads, to NullVersion too. Mutations ignore what is given: Result.Version tells what was made.
	Version VersionID
}

// PartHead is what a multipart object remembers of each of its parts, in order.
type PartHead struct {
	Number   int
	Size     int64
	Checksum []byte // of the object's checksum algorithm; empty where none was kept
}

// Object is an object's whole row. The sizes of its segments add up to Size; an empty object has none.
type Object struct {
	ObjectHead
	Settings
	Attributes Attributes
	// Segments are the blobs that hold the bytes, in order.
	Segments []Segment
	// Parts is empty unless the object was made by CompleteMultipartUpload.
	Parts []PartHead
}

// UploadID names a multipart upload. Ids of later uploads of one key sort after those of earlier ones.
type UploadID string

// Upload is an unfinished multipart upload.
type Upload struct {
	Bucket    BucketName
	Key       Key
	ID        UploadID
	Initiated time.Time
	Owner     string
	Settings
	Attributes Attributes
	// Algorithm and Type are what the client asked of the object's checksum; None where it asked nothing.
	Algorithm checksum.Algorithm
	Type      checksum.Type
	// PartBytes is the sum of the sizes of its parts. The engine keeps it; CreateUpload ignores what is given.
	PartBytes int64
}

// Part is an uploaded part of an unfinished upload.
type Part struct {
	Number   int // 1 to 10,000
	Size     int64
	ETag     ETag // the hexadecimal MD5 of the part
	Modified time.Time
	Checksum checksum.Checksum
	Segments []Segment
}
