package meta

import (
	"time"

	"github.com/plimsoll/plimsoll/quota"
)

// Row is what Walk visits: one of Bucket, ConfigRow, Record, ObjectRow, MarkerRow, Upload, PartRow, BlobRow,
// GarbageRow, Event, CorruptRow and quota.Account.
type Row any

// ObjectRow is a stored object, for Walk.
type ObjectRow struct {
	Bucket BucketName
	Key    Key
	Object Object
	// Noncurrent says that it is not the key's latest version.
	Noncurrent bool
}

// MarkerRow is a delete marker, for Walk.
type MarkerRow struct {
	Bucket   BucketName
	Key      Key
	Version  VersionID
	Modified time.Time
	Owner    string
}

// ConfigRow is a configuration of a bucket, for Walk.
type ConfigRow struct {
	Bucket BucketName
	Config Config
}

// PartRow is a stored part, for Walk.
type PartRow struct {
	Bucket BucketName
	Key    Key
	Upload UploadID
	Part   Part
}

// BlobRow is what is kept of a blob. Size is how many bytes its store keeps.
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
	// Lost is what only this row could have told. Scope is whose usage or limit that is.
	Lost  Loss
	Scope quota.Scope
}

// Loss says what is lost with a row.
type Loss uint8

const (
	// LostOther is nothing that has to do with usage.
	LostOther Loss = iota
	// LostCounted is something that usage is counted from: a bucket with its owner, a version, an upload, a part. A recount
	// may be too low.
	LostCounted
	// LostUsage is the usage of a scope, which a recount gives; of the zero Scope where the row belongs to nothing, so that
	// nothing is lost.
	LostUsage
	// LostLimit is the limit of a scope. Nothing else tells it; the scope's account is visited without one.
	LostLimit
)
