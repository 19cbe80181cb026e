// Package meta is the metadata of the store: buckets, objects and their versions, unfinished uploads, configurations,
// records, limits, usage, and which blob holds which bytes. Repository is what an engine implements; package bolt is
// the embedded one. Package metatest is the conformance suite that every engine passes.
//
// A Repository is high-level and batch-first: it takes a closed set of mutations, each of which is one S3 operation,
// validates each against what is committed before it and earlier in its batch, and commits a whole batch in one
// transaction. A mutation that is refused (a quota, a precondition, something that is not there) writes nothing and
// fails alone; its neighbours commit. The quota decision made here is the final one.
//
// # Versions
//
// A key has versions: objects and delete markers, in the order in which they were made. The newest is the latest; the
// other objects are noncurrent. A bucket that has never kept versions has one object per key, the null version, and no
// markers. Every stored version counts in full; markers count nothing.
//
// # Concurrency
//
// All methods of a Repository are safe for concurrent use. Reads see what is committed and never block on a Commit.
// Nothing that a method returns aliases engine memory. Sizes are bytes.
package meta

import (
	"context"

	"github.com/plimsoll/plimsoll/quota"
)

// Repository is the metadata of a store.
type Repository interface {
	// Commit applies the mutations in order, in one transaction, and makes it durable. An error means that none of
	// them is stored, now or after a restart, unless it wraps ErrUncertain; it wraps the cause (syscall.ENOSPC among
	// them), and the repository goes on serving. The results are those of the mutations, in order.
	Commit(ctx context.Context, batch []Mutation) ([]Result, error)

	// Bucket returns a bucket's row, or ErrNoSuchBucket. It is cheap: nothing is read from the disk.
	Bucket(ctx context.Context, name BucketName) (Bucket, error)
	// Buckets returns all buckets by name.
	Buckets(ctx context.Context) ([]Bucket, error)
	// BucketConfig returns a configuration of a bucket, ErrNoSuchBucket or ErrNoSuchConfig.
	BucketConfig(ctx context.Context, bucket BucketName, kind ConfigKind) ([]byte, error)
	// BucketConfigs returns all configurations of a bucket by kind, or ErrNoSuchBucket.
	BucketConfigs(ctx context.Context, bucket BucketName) ([]Config, error)
	// Record returns the value of a record, or ErrNoSuchRecord.
	Record(ctx context.Context, kind RecordKind, name string) ([]byte, error)
	// Records returns up to limit records of a kind, those with the smallest names above after.
	Records(ctx context.Context, kind RecordKind, after string, limit int) ([]Record, error)
	// Stat returns the row of a key's latest version. It fails with ErrNoSuchBucket, ErrNoSuchKey, and, where that is a
	// delete marker, a *DeleteMarkerError, which is ErrNoSuchKey too.
	Stat(ctx context.Context, bucket BucketName, key Key) (Object, error)
	// StatVersion returns a version's row. It fails with ErrInvalidVersion, ErrNoSuchBucket, ErrNoSuchVersion, and, for
	// a delete marker, a *DeleteMarkerError.
	StatVersion(ctx context.Context, bucket BucketName, key Key, version VersionID) (Object, error)
	// List returns a page of a bucket's keys, or ErrNoSuchBucket.
	List(ctx context.Context, r ListRequest) (ListPage, error)
	// ListVersions returns a page of a bucket's versions. It fails with ErrNoSuchBucket and ErrInvalidVersion.
	ListVersions(ctx context.Context, r ListVersionsRequest) (VersionsPage, error)
	// Upload returns an upload's row, or ErrNoSuchUpload (also where bucket or key are not the upload's).
	Upload(ctx context.Context, bucket BucketName, key Key, id UploadID) (Upload, error)
	// Uploads returns a page of a bucket's unfinished uploads, or ErrNoSuchBucket.
	Uploads(ctx context.Context, r UploadsRequest) (UploadsPage, error)
	// Parts returns the parts of an upload with numbers above after, at most limit of them, in order, and whether more
	// follow, or ErrNoSuchUpload.
	Parts(ctx context.Context, bucket BucketName, key Key, id UploadID, after, limit int) ([]Part, bool, error)
	// Accounts returns every scope in the order of quota.CompareScopes: the server, the owners, the buckets, the prefixes.
	// An owner has an account while they have a bucket or a limit, a prefix while it has a limit. It is cheap: nothing is
	// counted.
	Accounts(ctx context.Context) ([]quota.Account, error)
	// Garbage returns up to limit blobs that have garbage rows, those with the smallest ids above after.
	Garbage(ctx context.Context, after BlobID, limit int) ([]BlobID, error)
	// Known tells for each blob whether a row refers to it: an object, a part, or garbage.
	Known(ctx context.Context, blobs []BlobID) ([]bool, error)
	// Blobs returns the rows of blobs; one that has none has no References.
	Blobs(ctx context.Context, blobs []BlobID) ([]BlobRow, error)
	// ScanBlobs returns up to limit rows of blobs, those with the smallest ids above after.
	ScanBlobs(ctx context.Context, after BlobID, limit int) ([]BlobRow, error)
	// Events returns up to limit events, those with the lowest sequences above after.
	Events(ctx context.Context, after uint64, limit int) ([]Event, error)
	// Outbox tells what the outbox holds. It is cheap: nothing is counted.
	Outbox(ctx context.Context) (Outbox, error)
	// Walk calls visit with every row of one snapshot, in an order of the engine's choosing, but the accounts, and what of
	// them is lost, before the objects and uploads that they count, until visit returns an error, which Walk returns. It
	// must not be held across network writes, and visit must not call the repository: a commit may have to wait for the
	// walk, and calls that come after for that commit.
	Walk(ctx context.Context, visit func(Row) error) error
	// WalkVersions calls visit with the versions of a bucket whose keys begin with prefix, all of one snapshot, page by page,
	// in the order of ListVersions, until visit returns an error, which WalkVersions returns. A page is visit's own. What
	// holds of Walk holds here. It fails with ErrNoSuchBucket.
	WalkVersions(ctx context.Context, bucket BucketName, prefix string, visit func([]VersionEntry) error) error
	// Close waits for Commits under way and closes the repository.
	Close() error
}
