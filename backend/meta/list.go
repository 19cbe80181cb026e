package meta

// ListRequest asks for a page of keys. A key whose latest version is a delete marker is not listed.
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

// ListVersionsRequest asks for a page of versions, in the order of key, then newest first.
type ListVersionsRequest struct {
	Bucket            BucketName
	Prefix, Delimiter string // as in ListRequest
	// KeyMarker is where the page begins: with the versions of later keys, and those of this key that are older than
	// VersionMarker where that is not empty. Where VersionMarker is NullVersion and the key has no null version any
	// more, its versions are listed from the newest on: none is left out.
	KeyMarker     string
	VersionMarker VersionID
	// Limit is the largest number of versions and common prefixes together, at least 1.
	Limit int
	// Full asks for whole objects.
	Full bool
}

// VersionEntry is an object, a delete marker or a common prefix.
type VersionEntry struct {
	// Key is the key, or the common prefix where Head is nil.
	Key    Key
	Latest bool
	Marker bool
	// Head of a marker has Version, Modified and Owner only.
	Head *ObjectHead
	// Object is the whole row, where it is asked for; nil for a marker.
	Object *Object
}

// VersionsPage is a page of versions and common prefixes together, in order.
type VersionsPage struct {
	Entries []VersionEntry
	// Truncated says that more follow; the last entry's key and version, where it has one, are the markers to go on
	// from.
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
