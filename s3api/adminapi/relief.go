package adminapi

import "time"

// UploadSummary is what unfinished uploads hold of a bucket.
type UploadSummary struct {
	Bucket  string `json:"bucket"`
	Uploads int64  `json:"uploads"`
	Bytes   int64  `json:"bytes"`
	// Oldest is when the oldest was begun; left out where there are too many to look for it.
	Oldest *time.Time `json:"oldest,omitempty"`
}

// UploadSummaries are the buckets that have unfinished uploads, by name.
type UploadSummaries struct {
	Buckets []UploadSummary `json:"buckets"`
}

// Upload is an unfinished multipart upload.
type Upload struct {
	Key       string    `json:"key"`
	UploadID  string    `json:"upload_id"`
	Initiated time.Time `json:"initiated"`
	Owner     string    `json:"owner,omitempty"`
	// Bytes is what its parts hold.
	Bytes int64 `json:"bytes"`
}

// UploadPosition is where a page, or a call, has ended: behind an upload.
type UploadPosition struct {
	Key      string `json:"key"`
	UploadID string `json:"upload_id"`
}

// Uploads is a page of the unfinished uploads of a bucket, by key and id.
type Uploads struct {
	Uploads []Upload `json:"uploads"`
	// Next is where the next page begins; nil where there is no more.
	Next *UploadPosition `json:"next,omitempty"`
}

// UploadFilter chooses unfinished uploads of a bucket. Every part of it that is set must hold.
type UploadFilter struct {
	Prefix string `json:"prefix,omitempty"`
	// OlderThanSeconds is how long ago they were begun at the least.
	OlderThanSeconds *int64 `json:"older_than_seconds,omitempty"`
	Key              string `json:"key,omitempty"`
	// UploadID names one, with its key.
	UploadID string `json:"upload_id,omitempty"`
	// After is the Next of the call before.
	After *UploadPosition `json:"after,omitempty"`
}

// AbortUploads is the body that aborts uploads. It has OlderThanSeconds, which may be 0, or a Key.
type AbortUploads struct {
	UploadFilter
	// DryRun only tells what aborting would give back.
	DryRun bool `json:"dry_run,omitempty"`
}

// AbortedUploads is what a call has aborted, or would. It ends after some seconds: where there is a Next, the next call
// goes on there.
type AbortedUploads struct {
	Uploads int64           `json:"uploads"`
	Bytes   int64           `json:"bytes"`
	DryRun  bool            `json:"dry_run"`
	Next    *UploadPosition `json:"next,omitempty"`
}

// Prune is the body that removes noncurrent versions.
type Prune struct {
	Prefix string `json:"prefix,omitempty"`
	// OlderThanSeconds is for how long a version must have been noncurrent; it must be there, and may be 0.
	OlderThanSeconds *int64 `json:"older_than_seconds"`
	// Keep is how many of a key's newest noncurrent versions stay, however old they are.
	Keep int `json:"keep,omitempty"`
	// DryRun only tells what would go.
	DryRun bool `json:"dry_run,omitempty"`
	// After is the Next of the call before.
	After *PrunePosition `json:"after,omitempty"`
}

// PrunePosition is where a call has ended: behind a version, with what has to be known of those of its key before it.
type PrunePosition struct {
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	// Since is when that version was made: the next one is noncurrent since then. Newer is how many noncurrent objects
	// the key has up to it.
	Since time.Time `json:"since"`
	Newer int       `json:"newer"`
}

// Pruned is what a call has removed, or would. It ends after some seconds: where there is a Next, the next call goes on
// there.
type Pruned struct {
	// Read is how many versions were looked at.
	Read int64 `json:"read"`
	// Versions is how many noncurrent versions went, Bytes what that gives back, DeleteMarkers how many delete markers
	// went with them.
	Versions      int64 `json:"versions"`
	Bytes         int64 `json:"bytes"`
	DeleteMarkers int64 `json:"delete_markers"`
	// LockedVersions and LockedBytes stay for a retention or a legal hold; Locked names the first 1,000 of a call.
	LockedVersions int64           `json:"locked_versions"`
	LockedBytes    int64           `json:"locked_bytes"`
	Locked         []LockedVersion `json:"locked,omitempty"`
	DryRun         bool            `json:"dry_run"`
	Next           *PrunePosition  `json:"next,omitempty"`
}

// LockedVersion is a version that is old enough to go, and stays.
type LockedVersion struct {
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	Bytes     int64  `json:"bytes"`
	// Mode is GOVERNANCE or COMPLIANCE until RetainUntil, or empty.
	Mode        string     `json:"mode,omitempty"`
	RetainUntil *time.Time `json:"retain_until,omitempty"`
	LegalHold   bool       `json:"legal_hold,omitempty"`
}
