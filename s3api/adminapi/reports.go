package adminapi

import "time"

// Bounds of a NewReport.
const (
	MaxReportDepth   = 16
	MaxReportLargest = 1000
)

// NewReport asks where the space of a bucket is: by prefix, or the largest versions, or both.
type NewReport struct {
	Bucket string `json:"bucket"`
	// Prefix limits the report to keys that begin with it.
	Prefix string `json:"prefix,omitempty"`
	// Depth is how many elements of a key, after Prefix, make a prefix of the report: 1 to MaxReportDepth, 0 for none.
	Depth int `json:"depth,omitempty"`
	// Delimiter ends an element; "/" where it is empty.
	Delimiter string `json:"delimiter,omitempty"`
	// Largest is how many of the largest versions are wanted: up to MaxReportLargest.
	Largest int `json:"largest,omitempty"`
}

// The states of a Report.
const (
	ReportWaiting  = "waiting"
	ReportRunning  = "running"
	ReportDone     = "done"
	ReportFailed   = "failed"
	ReportCanceled = "canceled"
)

// Report is a report that is being made, or was: one at a time is. It is kept for an hour, and among the last 16; a restart
// forgets it.
type Report struct {
	ID string `json:"id"`
	NewReport
	State string `json:"state"`
	// Created is when it was asked for, Snapshot when the bucket was as it is told, Finished when it ended.
	Created  time.Time  `json:"created"`
	Snapshot *time.Time `json:"snapshot,omitempty"`
	Finished *time.Time `json:"finished,omitempty"`
	// Read is how many versions and delete markers have been read, Of how many the bucket had in all.
	Read int64 `json:"read"`
	Of   int64 `json:"of"`
	// Detail says why it failed.
	Detail string `json:"detail,omitempty"`
	// Result is there once State is ReportDone. A list of reports leaves it out.
	Result *Breakdown `json:"result,omitempty"`
}

// Ended reports whether nothing will come of a report any more.
func (r *Report) Ended() bool { return r.State != ReportWaiting && r.State != ReportRunning }

// Reports are the reports that are kept, the newest first.
type Reports struct {
	Reports []Report `json:"reports"`
}

// Space is what a number of versions take.
type Space struct {
	// Bytes and Objects are those of all versions, as a limit counts them.
	Bytes   int64 `json:"bytes"`
	Objects int64 `json:"objects"`
	// NoncurrentBytes and NoncurrentObjects are those among them that are not the latest of their key.
	NoncurrentBytes   int64 `json:"noncurrent_bytes"`
	NoncurrentObjects int64 `json:"noncurrent_objects"`
	DeleteMarkers     int64 `json:"delete_markers"`
}

// Breakdown is where the space of a bucket is, all in one state of it.
type Breakdown struct {
	Total Space `json:"total"`
	// Prefixes are those that take the most, up to 1,000, the most first. Each version is in one of them, or in one of the
	// OtherPrefixes, which are summed in Other.
	Prefixes      []PrefixSpace `json:"prefixes,omitempty"`
	Other         Space         `json:"other"`
	OtherPrefixes int64         `json:"other_prefixes"`
	// Largest are the largest versions, the largest first.
	Largest []LargeVersion `json:"largest,omitempty"`
}

// PrefixSpace is what the keys take that begin with a prefix, and with no longer one of the report.
type PrefixSpace struct {
	Prefix string `json:"prefix"`
	Space
}

// LargeVersion is a version among the largest.
type LargeVersion struct {
	Key        string    `json:"key"`
	VersionID  string    `json:"version_id"`
	Bytes      int64     `json:"bytes"`
	Modified   time.Time `json:"modified"`
	Noncurrent bool      `json:"noncurrent"`
}
