// Package meta is the metadata of the store: buckets, objects, unfinished uploads, limits, usage, and which blob holds
// which bytes. Repository is what an engine implements; package bolt is the embedded one. Package metatest is the
// conformance suite that every engine passes.
//
// A Repository is high-level and batch-first: it takes a closed set of mutations, each of which is one S3 operation,
// validates each against what is committed before it and earlier in its batch, and commits a whole batch in one
// transaction. A mutation that is refused (a quota, a precondition, something that is not there) writes nothing and
// fails alone; its neighbours commit. The quota decision made here is the final one.
//
// All methods of a Repository are safe for concurrent use. Reads see what is committed and never block on a Commit.
// Nothing that a method returns aliases engine memory. Sizes are bytes.
package meta

import (
	"context"
	"errors"
	"time"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/quota"
)

// BucketName is the name of a bucket. Valid names never contain a NUL byte.
type BucketName string

// Key is the name of an object in its bucket: 1 to 1,024 bytes, any bytes, NUL included.
type Key string

// ETag is an entity tag without its quotes.
type ETag string

// UploadID names a multipart upload. Ids of later uploads of one key sort after those of earlier ones.
type UploadID string

// BlobID names an immutable blob. Its meaning is the blob store's.
type BlobID [16]byte

// Bucket is a bucket's row.
type Bucket struct {
	Name    BucketName
	Created time.Time
	// Owner is the name of the user who made it.
	Owner string
}

// Segment is a run of an object's bytes: the whole of one blob.
type Segment struct {
	Blob BlobID
	Size int64
	// Place is where the blob store has put a new blob, 0 where it needs no place. It is kept with the blob, not with
	// what refers to it: segments that are read have none, and Blobs tells it.
	Place uint64
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
	Attributes Attributes
	// Segments are the blobs that hold the bytes, in order.
	Segments []Segment
	// Parts is empty unless the object was made by CompleteMultipartUpload.
	Parts []PartHead
}

// Upload is an unfinished multipart upload.
type Upload struct {
	Bucket     BucketName
	Key        Key
	ID         UploadID
	Initiated  time.Time
	Owner      string
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

// Precondition is checked against the object that a mutation would replace, inside the transaction.
type Precondition struct {
	// IfMatch requires that the object exists (else ErrNoSuchKey) and has this ETag, or any ETag for "*" (else
	// ErrPreconditionFailed). Empty asks nothing.
	IfMatch ETag
	// IfNoneMatch requires that the object does not exist (else ErrPreconditionFailed).
	IfNoneMatch bool
}

// Mutation is one of the types below: the closed set of what can be committed.
type Mutation interface{ mutation() }

// CreateBucket makes a bucket. It fails with ErrBucketExists. Limit is the bucket's limit from the start.
type CreateBucket struct {
	Bucket Bucket
	Limit  quota.Limit
}

// DeleteBucket removes a bucket that holds no object, with its limit and its usage. Unfinished uploads are aborted in
// the same transaction. It fails with ErrNoSuchBucket and ErrBucketNotEmpty.
type DeleteBucket struct{ Bucket BucketName }

// SetLimit replaces a scope's limit. The zero limit removes it. It fails with ErrNoSuchBucket.
type SetLimit struct {
	Scope quota.Scope
	Limit quota.Limit
}

// PutObject stores an object under a key and frees what it replaces. It fails with ErrNoSuchBucket, ErrNoSuchKey,
// ErrPreconditionFailed and *quota.ExceededError (rule quota.Put).
type PutObject struct {
	Bucket BucketName
	Key    Key
	Object Object
	// Shared says that the segments are blobs of other objects (a copy): each gains a reference. ErrStale is returned
	// where one of them is gone. Otherwise each is new and starts with one reference.
	Shared       bool
	Precondition Precondition
}

// DeleteObject removes an object. A key that is not there is no error. It fails with ErrNoSuchBucket and
// ErrPreconditionFailed; with an IfMatch, also with ErrNoSuchKey.
type DeleteObject struct {
	Bucket       BucketName
	Key          Key
	Precondition Precondition
}

// CreateUpload begins a multipart upload. It fails with ErrNoSuchBucket.
type CreateUpload struct{ Upload Upload }

// PutPart stores a part and frees the part with the same number that it replaces. It fails with ErrNoSuchUpload and
// *quota.ExceededError (rule quota.Part).
type PutPart struct {
	Bucket BucketName
	Key    Key
	Upload UploadID
	Part   Part
	Shared bool // as in PutObject
}

// CompleteUpload turns an upload's parts into an object: the blobs of the Parts become the object's, the blobs of parts
// left out and of the replaced object are freed, the upload is gone. Every one of Parts must still be stored as it is
// given (same number, same segments), else ErrStale: the caller reads the parts again. Object is complete but for its
// Segments, which the engine takes from Parts. It fails with ErrNoSuchUpload, ErrNoSuchKey, ErrPreconditionFailed and
// *quota.ExceededError (rule quota.Complete).
type CompleteUpload struct {
	Bucket       BucketName
	Key          Key
	Upload       UploadID
	Parts        []Part
	Object       Object
	Precondition Precondition
}

// AbortUpload removes an upload and frees its parts. It fails with ErrNoSuchUpload.
type AbortUpload struct {
	Bucket BucketName
	Key    Key
	Upload UploadID
}

// MoveBlobs gives blobs new places. A blob that is not, or no longer, at From keeps what it has: Result.Moved tells.
type MoveBlobs struct{ Moves []Move }

// Move is a blob's new place.
type Move struct {
	Blob     BlobID
	From, To uint64
}

// ForgetGarbage removes garbage rows whose blobs the blob store has deleted.
type ForgetGarbage struct{ Blobs []BlobID }

func (CreateBucket) mutation()   {}
func (DeleteBucket) mutation()   {}
func (SetLimit) mutation()       {}
func (PutObject) mutation()      {}
func (DeleteObject) mutation()   {}
func (CreateUpload) mutation()   {}
func (PutPart) mutation()        {}
func (CompleteUpload) mutation() {}
func (AbortUpload) mutation()    {}
func (MoveBlobs) mutation()      {}
func (ForgetGarbage) mutation()  {}

// Result is what became of one mutation.
type Result struct {
	// Err is why the mutation was refused; nil when it is committed.
	Err error
	// Garbage are the blobs that lost their last reference, with their places. Those that have none have garbage rows,
	// until ForgetGarbage; of the others nothing is left.
	Garbage []Segment
	// Moved tells for each of MoveBlobs' moves whether it was made.
	Moved []bool
	// Accounts are the scopes that the mutation touched, as they are after it, the server first. A deleted bucket's
	// scope is in RemovedScope instead.
	Accounts     []quota.Account
	RemovedScope quota.Scope
}

// Repository is the metadata of a store.
type Repository interface {
	// Commit applies the mutations in order, in one transaction, and makes it durable. An error means that none of
	// them is stored, now or after a restart; it wraps the cause (syscall.ENOSPC among them), and the repository goes
	// on serving. The results are those of the mutations, in order.
	Commit(ctx context.Context, batch []Mutation) ([]Result, error)

	// Bucket returns a bucket's row, or ErrNoSuchBucket.
	Bucket(ctx context.Context, name BucketName) (Bucket, error)
	// Buckets returns all buckets by name.
	Buckets(ctx context.Context) ([]Bucket, error)
	// Stat returns an object's row, ErrNoSuchBucket or ErrNoSuchKey.
	Stat(ctx context.Context, bucket BucketName, key Key) (Object, error)
	// List returns a page of a bucket's keys, or ErrNoSuchBucket.
	List(ctx context.Context, r ListRequest) (ListPage, error)
	// Upload returns an upload's row, or ErrNoSuchUpload (also where bucket or key are not the upload's).
	Upload(ctx context.Context, bucket BucketName, key Key, id UploadID) (Upload, error)
	// Uploads returns a page of a bucket's unfinished uploads, or ErrNoSuchBucket.
	Uploads(ctx context.Context, r UploadsRequest) (UploadsPage, error)
	// Parts returns the parts of an upload with numbers above after, at most limit of them, in order, and whether more
	// follow, or ErrNoSuchUpload.
	Parts(ctx context.Context, bucket BucketName, key Key, id UploadID, after, limit int) ([]Part, bool, error)
	// Accounts returns every scope: the server first, then the buckets by name. It is cheap: nothing is counted.
	Accounts(ctx context.Context) ([]quota.Account, error)
	// Garbage returns up to limit blobs that have garbage rows, those with the smallest ids above after.
	Garbage(ctx context.Context, after BlobID, limit int) ([]BlobID, error)
	// Known tells for each blob whether a row refers to it: an object, a part, or garbage.
	Known(ctx context.Context, blobs []BlobID) ([]bool, error)
	// Blobs returns the rows of blobs; one that has none has no References.
	Blobs(ctx context.Context, blobs []BlobID) ([]BlobRow, error)
	// ScanBlobs returns up to limit rows of blobs, those with the smallest ids above after.
	ScanBlobs(ctx context.Context, after BlobID, limit int) ([]BlobRow, error)
	// Walk calls visit with every row of one snapshot, in an order of the engine's choosing, until visit returns an
	// error, which Walk returns. It must not be held across network writes, and visit must not call the repository: a
	// commit may have to wait for the walk, and calls that come after for that commit.
	Walk(ctx context.Context, visit func(Row) error) error
	// Close waits for Commits under way and closes the repository.
	Close() error
}

// Row is what Walk visits: one of Bucket, ObjectRow, Upload, PartRow, BlobRow, GarbageRow, CorruptRow and
// quota.Account.
type Row any

// ObjectRow is a stored object, for Walk.
type ObjectRow struct {
	Bucket BucketName
	Key    Key
	Object Object
}

// PartRow is a stored part, for Walk.
type PartRow struct {
	Bucket BucketName
	Key    Key
	Upload UploadID
	Part   Part
}

// BlobRow is what is kept of a blob.
type BlobRow struct {
	Blob       BlobID
	Size       int64
	References int64
	Place      uint64
}

// GarbageRow is a blob that waits for its deletion, for Walk.
type GarbageRow struct{ Blob BlobID }

// CorruptRow is a row that cannot be read back as it was written, for Walk.
type CorruptRow struct {
	Table string
	Key   []byte
	Err   error // wraps ErrCorrupt
}

// ListRequest asks for a page of keys.
type ListRequest struct {
	Bucket BucketName
	// Prefix that the keys must have; empty for all.
	Prefix string
	// Delimiter rolls keys up: those that have it after the prefix become one common prefix, up to and with it.
	Delimiter string
	// After is where the page begins: only keys and common prefixes that sort after it are returned. Keys under a
	// common prefix that does not sort after it are passed over with it.
	After string
	// Limit is the largest number of keys and common prefixes together, at least 1.
	Limit int
}

// ListEntry is a key or a common prefix.
type ListEntry struct {
	// Key is the key, or the common prefix where Head is nil.
	Key  Key
	Head *ObjectHead
}

// ListPage is a page of keys and common prefixes together, in the order of their bytes.
type ListPage struct {
	Entries []ListEntry
	// Truncated says that more follow; the last entry's Key is where to go on from.
	Truncated bool
}

// UploadsRequest asks for a page of uploads, in the order of key, then id.
type UploadsRequest struct {
	Bucket    BucketName
	Prefix    string
	Delimiter string
	// KeyMarker: only uploads of later keys are returned, and those of this key whose id sorts after UploadMarker where
	// that is not empty.
	KeyMarker    string
	UploadMarker UploadID
	Limit        int
}

// UploadEntry is an upload or, where Upload is nil, a common prefix.
type UploadEntry struct {
	Prefix string
	Upload *Upload
}

// UploadsPage is a page of uploads and common prefixes together, in order.
type UploadsPage struct {
	Entries   []UploadEntry
	Truncated bool
}

// The refusals of a mutation or a read, to be compared with errors.Is. Quota refusals are *quota.ExceededError.
var (
	ErrNoSuchBucket       = errors.New("no such bucket")
	ErrBucketExists       = errors.New("bucket exists")
	ErrBucketNotEmpty     = errors.New("bucket is not empty")
	ErrNoSuchKey          = errors.New("no such key")
	ErrNoSuchUpload       = errors.New("no such upload")
	ErrPreconditionFailed = errors.New("precondition failed")
	// ErrStale says that what the mutation was made from has changed since it was read: read again, try again.
	ErrStale = errors.New("stale")
	// ErrCorrupt says that a stored row is not what was written.
	ErrCorrupt = errors.New("corrupt metadata")
	// ErrNewerFormat says that the data was written by a newer Plimsoll.
	ErrNewerFormat = errors.New("written by a newer version")
	// ErrLocked says that another process has the data open.
	ErrLocked = errors.New("in use by another process")
)
