package meta

import "time"

// BucketName is the name of a bucket. Valid names never contain a NUL byte.
type BucketName string

// Bucket is a bucket's row.
type Bucket struct {
	Name    BucketName
	Created time.Time
	// Owner is the name of the user who made it, and who is charged for what is in it. It is never empty.
	Owner      string
	Versioning Versioning
	// ObjectLock says that objects may be locked. Versioning is then enabled and stays so.
	ObjectLock bool
}

// Versioning says what a bucket does with the versions of a key. It is never off again once it was not.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
type Versioning uint8

// The states of a bucket's versioning.
const (
	// VersioningOff is that of a bucket which has never kept versions: each key has one object, the null version.
	VersioningOff Versioning = iota
	// VersioningEnabled gives every object a version of its own, and every deletion a delete marker.
	VersioningEnabled
	// VersioningSuspended keeps the versions that are there, and gives each key one more, the null version.
	VersioningSuspended
)

// ConfigKind names a configuration of a bucket: its policy, its lifecycle rules, ... 1 to 64 bytes, none of them NUL.
type ConfigKind string

// Config is a configuration of a bucket. Its value means nothing to an engine.
type Config struct {
	Kind  ConfigKind
	Value []byte
}

// RecordKind names a kind of records of the server: users, keys, policies, ... 1 to 64 bytes, none of them NUL.
type RecordKind string

// Record is something that the server keeps beside its buckets. Its name has 1 to 1,024 bytes, any bytes. Its value
// means nothing to an engine.
type Record struct {
	Kind  RecordKind
	Name  string
	Value []byte
}
