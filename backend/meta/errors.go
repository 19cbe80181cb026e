package meta

import "errors"

// The refusals of a mutation or a read, to be compared with errors.Is. Quota refusals are *quota.ExceededError; a
// delete marker where an object was asked for is a *DeleteMarkerError.
var (
	ErrNoSuchBucket   = errors.New("no such bucket")
	ErrBucketExists   = errors.New("bucket exists")
	ErrBucketNotEmpty = errors.New("bucket is not empty")
	ErrNoSuchKey      = errors.New("no such key")
	ErrNoSuchVersion  = errors.New("no such version")
	// ErrInvalidVersion says that no version can have such an id.
	ErrInvalidVersion = errors.New("invalid version id")
	ErrNoSuchUpload   = errors.New("no such upload")
	ErrNoSuchConfig   = errors.New("no such configuration")
	ErrNoSuchRecord   = errors.New("no such record")
	// ErrNoSuchPrefix says that a prefix has no limit.
	ErrNoSuchPrefix = errors.New("no limit on the prefix")
	// ErrNoSuchOwner says that an owner has neither a bucket nor a limit.
	ErrNoSuchOwner = errors.New("no bucket and no limit of the user")
	// ErrTooManyPrefixes says that a bucket has MaxPrefixes with limits already.
	ErrTooManyPrefixes    = errors.New("too many prefixes with limits")
	ErrPreconditionFailed = errors.New("precondition failed")
	// ErrRecordConflict says that a record is not what its change was made from.
	ErrRecordConflict = errors.New("the record has changed")
	// ErrObjectLocked says that a retention or a legal hold protects the version.
	ErrObjectLocked = errors.New("the object is locked")
	// ErrLockNeedsVersioning says that a bucket has object lock, or is to have it, and must keep versions for that.
	ErrLockNeedsVersioning = errors.New("object lock needs versioning to be enabled")
	// ErrStale says that what the mutation was made from has changed since it was read: read again, try again.
	ErrStale = errors.New("stale")
	// ErrUncertain says that a Commit has failed, and that something of it may be there after a restart.
	ErrUncertain = errors.New("it is not certain that nothing is stored")
	// ErrCorrupt says that a stored row is not what was written.
	ErrCorrupt = errors.New("corrupt metadata")
	// ErrNewerFormat says that the data was written by a newer Plimsoll.
	ErrNewerFormat = errors.New("written by a newer version")
	// ErrLocked says that another process has the data open.
	ErrLocked = errors.New("in use by another process")
)
