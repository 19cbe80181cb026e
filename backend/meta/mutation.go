package meta

import (
	"time"

	"github.com/plimsoll/plimsoll/quota"
)

// Mutation is one of the types below: the closed set of what can be committed.
type Mutation interface{ mutation() }

// CreateBucket makes a bucket with its configurations. It fails with ErrBucketExists, and with ErrLockNeedsVersioning
// where the bucket has object lock and does not keep versions. Limit is the bucket's limit from the start. The bucket's
// owner has an account from now on: a bucket always has an owner.
type CreateBucket struct {
	Bucket  Bucket
	Limit   quota.Limit
	Configs []Config
}

// DeleteBucket removes a bucket that holds no object and no delete marker, with its configurations, its limits and its
// usage. Unfinished uploads are aborted in the same transaction. The account of an owner who has neither another bucket
// nor a limit is removed as well. It fails with ErrNoSuchBucket and ErrBucketNotEmpty.
type DeleteBucket struct{ Bucket BucketName }

// SetVersioning enables or suspends a bucket's versioning; nothing turns it off again. It fails with ErrNoSuchBucket,
// and with ErrLockNeedsVersioning where it is to be suspended and the bucket has object lock.
type SetVersioning struct {
	Bucket     BucketName
	Versioning Versioning
}

// SetObjectLock lets a bucket's objects be locked; nothing takes that back. It fails with ErrNoSuchBucket, and with
// ErrLockNeedsVersioning where versioning is not enabled.
type SetObjectLock struct{ Bucket BucketName }

// PutBucketConfig replaces a configuration of a bucket; a nil value removes it. It fails with ErrNoSuchBucket.
type PutBucketConfig struct {
	Bucket BucketName
	Kind   ConfigKind
	Value  []byte
}

// SetLimit replaces a scope's limit. The zero limit removes it. An owner need not have a bucket: a limit gives them an
// account, which is removed with the limit while they have none. A prefix has an account while it has a limit; what is
// under it when it gets one is counted as by CountPrefix. It fails with ErrNoSuchBucket and ErrTooManyPrefixes.
type SetLimit struct {
	Scope quota.Scope
	Limit quota.Limit
	// Rows is how much of a prefix is counted at once, as CountPrefix.Rows.
	Rows int
}

// MaxPrefixes is how many prefixes of a bucket may have limits.
const MaxPrefixes = 100

// CountPrefix counts on what is under a prefix since its limit was set: key after key in the order of their bytes, each
// in whole, with all its versions, delete markers and uploads, until these were Rows or more. When no key is left the
// account is exact. Mutations of keys up to quota.Account.CountedTo change the account's usage; those of later keys
// are left to the counting. It fails with ErrNoSuchBucket and ErrNoSuchPrefix, and does nothing where the account is
// exact.
type CountPrefix struct {
	Bucket BucketName
	Prefix string
	// Rows bounds the work, up to the rest of one key. 0 only looks whether there is something to count.
	Rows int
}

// PutRecord replaces a record of the server; a nil value removes it, and one that is not there is no error. It fails
// with ErrRecordConflict where the condition does not hold.
type PutRecord struct {
	Kind      RecordKind
	Name      string
	Value     []byte
	Condition RecordCondition
}

// RecordCondition is what must hold of a record that is to be replaced. The zero one asks nothing.
type RecordCondition struct {
	// Absent requires that there is none.
	Absent bool
	// Equals requires that there is one, with this value; nil asks nothing.
	Equals []byte
}

// PutRecords replaces records together: all of them, or none where one condition does not hold. Each record is named
// once. Where Limit is not nil it is set with them; its scope is an owner's.
type PutRecords struct {
	Records []PutRecord
	Limit   *SetLimit
}

// Precondition is checked inside the transaction, against the object that a mutation would replace: the key's latest
// version, which is none where that is a delete marker, or the version that a DeleteObject names.
type Precondition struct {
	// IfMatch requires that the object exists (else ErrNoSuchKey, or ErrNoSuchVersion for a version that is named) and
	// has this ETag, or any ETag for "*" (else ErrPreconditionFailed). A delete marker has none. Empty asks nothing.
	IfMatch ETag
	// IfNoneMatch requires that the object does not exist (else ErrPreconditionFailed).
	IfNoneMatch bool
	// IfModified requires that the object, or the delete marker that is named, exists and has exactly this time (else
	// ErrPreconditionFailed): a decision that was made of an old object must not remove a newer one. Zero asks nothing.
	IfModified time.Time
	// IfNoncurrent requires that the version which a DeleteObject names, where it exists, is not the latest (else
	// ErrPreconditionFailed).
	IfNoncurrent bool
}

// PutObject stores an object under a key. What becomes of the object that was there is the bucket's versioning:
//
//   - Off: it is replaced, freed and credited.
//   - Enabled: it becomes noncurrent, and stays charged. The new one gets a version id.
//   - Suspended: the new one is the null version, and replaces an earlier null version, wherever that is among the
//     key's versions. All others stay.
//
// It fails with ErrNoSuchBucket, ErrNoSuchKey, ErrPreconditionFailed, *quota.ExceededError (rule quota.Put), and
// ErrObjectLocked where it would replace a version that is locked at the time of the new object. The milliseconds of
// the version's id are those of Object.Modified.
type PutObject struct {
	Bucket BucketName
	Key    Key
	Object Object
	// Shared says that the segments are blobs of other objects (a copy): each gains a reference. ErrStale is returned
	// where one of them is gone. Otherwise each is new and starts with one reference.
	Shared       bool
	Precondition Precondition
}

// DeleteObject removes an object. Without a Version, that is the bucket's versioning:
//
//   - Off: the object is removed, freed and credited. A key that is not there is no error.
//   - Enabled: the key gets a delete marker, also one that is not there. Nothing is freed.
//   - Suspended: the null version is removed, freed and credited, and the key gets a delete marker as its null version.
//
// With a Version it removes exactly that object or delete marker, whatever the bucket's versioning; one that is not
// there is no error. Where it was the latest, the next newest is the latest now.
//
// It fails with ErrNoSuchBucket, ErrPreconditionFailed, ErrInvalidVersion, ErrObjectLocked where what it would remove
// is locked, and, with an IfMatch, ErrNoSuchKey or ErrNoSuchVersion. Delete markers are charged nothing.
type DeleteObject struct {
	Bucket       BucketName
	Key          Key
	Version      VersionID // empty where none is given
	Precondition Precondition
	// Bypass removes what only a governance retention protects.
	Bypass bool
	// Now is the time that locks are compared with, and a delete marker's Modified.
	Now time.Time
	// Owner is a delete marker's.
	Owner string
}

// UpdateObject changes settings of a stored version: those that are not nil. It fails with ErrNoSuchBucket,
// ErrNoSuchKey, ErrNoSuchVersion, ErrInvalidVersion, *DeleteMarkerError, and ErrObjectLocked where the retention must
// not become what is asked: compliance may only last longer, for everybody, and governance too, in its own mode,
// without Bypass.
type UpdateObject struct {
	Bucket    BucketName
	Key       Key
	Version   VersionID // empty for the latest
	Tags      *[]Tag
	Retention *Retention
	LegalHold *LegalHold
	ACL       *[]byte
	Bypass    bool
	Now       time.Time
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
// left out are freed, the upload is gone, and the object is stored as by PutObject. Every one of Parts must still be
// stored as it is given (same number, same segments), else ErrStale: the caller reads the parts again. Object is
// complete but for its Segments, which the engine takes from Parts. It fails with ErrNoSuchUpload, ErrNoSuchKey,
// ErrPreconditionFailed, ErrObjectLocked and *quota.ExceededError (rule quota.Complete).
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

// RestoreBlobs writes rows of blobs in the place of those that are there, or are lost, or cannot be read, and takes the
// blobs from the garbage. One without references loses its row. It is for the repair of a store that nobody uses: nothing
// compares the rows with what refers to them.
type RestoreBlobs struct{ Rows []BlobRow }

// RestoreUsage writes the usage of scopes in the place of what is there, or is lost, or cannot be read: Usage, Counting
// and CountedTo of Accounts. Each scope is named once, and is one that has an account, else it fails with ErrNoSuchBucket,
// ErrNoSuchPrefix or ErrNoSuchOwner. Limits stay what they are, also those that cannot be read. It is for the repair of a
// store that nobody uses: nothing compares the figures with what they count.
type RestoreUsage struct {
	Accounts []quota.Account
	// Strays are the keys of rows that belong to nothing, as CorruptRow has them for the usage of the zero Scope. They are
	// removed.
	Strays [][]byte
}

func (CreateBucket) mutation()    {}
func (DeleteBucket) mutation()    {}
func (SetVersioning) mutation()   {}
func (SetObjectLock) mutation()   {}
func (PutBucketConfig) mutation() {}
func (SetLimit) mutation()        {}
func (CountPrefix) mutation()     {}
func (PutRecord) mutation()       {}
func (PutRecords) mutation()      {}
func (PutObject) mutation()       {}
func (DeleteObject) mutation()    {}
func (UpdateObject) mutation()    {}
func (CreateUpload) mutation()    {}
func (PutPart) mutation()         {}
func (CompleteUpload) mutation()  {}
func (AbortUpload) mutation()     {}
func (MoveBlobs) mutation()       {}
func (ForgetGarbage) mutation()   {}
func (RestoreBlobs) mutation()    {}
func (RestoreUsage) mutation()    {}

// Result is what became of one mutation.
type Result struct {
	// Err is why the mutation was refused; nil when it is committed.
	Err error
	// Version is that of the object or delete marker that was made, changed, or named to be removed. It is empty where
	// the bucket has never kept versions and none was named.
	Version VersionID
	// DeleteMarker says that a delete marker was made or removed.
	DeleteMarker bool
	// Garbage are the blobs that lost their last reference, with their places; Size is what their store keeps of them.
	// Those that have no place have garbage rows, until ForgetGarbage; of the others nothing is left.
	Garbage []Segment
	// Moved tells for each of MoveBlobs' moves whether it was made.
	Moved []bool
	// Accounts are the scopes that the mutation touched, as they are after it, in the order of quota.CompareScopes.
	// Those that are no more are in RemovedScopes instead: a deleted bucket, then its prefixes, and an owner without
	// buckets and limit; a prefix without a limit.
	Accounts      []quota.Account
	RemovedScopes []quota.Scope
	// Events is what AppendEvents and ForgetEvents made of the outbox; nil of all others.
	Events *EventsResult
}
