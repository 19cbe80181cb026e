package adminapi

import (
	"encoding/json"
	"time"
)

// The results of an AuditRecord.
const (
	// AuditDone: it was done.
	AuditDone = "done"
	// AuditRefused: nothing was changed, for the reason that Code says.
	AuditRefused = "refused"
	// AuditFailed: the server failed; something may have been changed.
	AuditFailed = "failed"
	// AuditUnknown: the server stopped in between, and whether it was done is not known.
	AuditUnknown = "unknown"
	// AuditDenied: who asked could not show who they are, or may not do it. Nothing was changed.
	AuditDenied = "denied"
	// AuditBegun marks a line of the file that says that something is about to be changed. It is not told.
	AuditBegun = "begun"
)

// AuditRecord is what the audit log has of a change, or of an attempt that was denied.
type AuditRecord struct {
	// Seq numbers the records, rising; not every number has one.
	Seq uint64 `json:"seq"`
	// Time is when it was asked for, Ended when it was done; zero for a denied attempt.
	Time  time.Time `json:"time"`
	Ended time.Time `json:"ended,omitzero"`
	// Result is one of the constants above.
	Result string `json:"result"`
	// Code says why it was not done: that of the Problem.
	Code string `json:"code,omitempty"`
	// User is who asked, empty where that is not known; AccessKey is the key that they named.
	User      string `json:"user,omitempty"`
	AccessKey string `json:"access_key,omitempty"`
	// Remote is the address that the request came from, host:port.
	Remote string `json:"remote,omitempty"`
	// RequestID is that of the answer's x-amz-request-id.
	RequestID string `json:"request_id,omitempty"`
	// Via is the dialect: "admin" for this API, "s3" for S3 requests, "minio" for MinIO's admin API.
	Via string `json:"via,omitempty"`
	// Action is what was asked for: the method, or the operation's name. Resource is what it was asked of: the path under
	// Prefix, whatever the dialect.
	Action   string `json:"action,omitempty"`
	Resource string `json:"resource,omitempty"`
	// Before and After are the resource as it was and as it is, without secrets; nothing where there was, or is, none.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Began is the number of the line that says that it is about to be changed.
	Began uint64 `json:"began,omitempty"`
	// Omitted is how many denied attempts before this one were not recorded, as there were too many.
	Omitted int64 `json:"omitted,omitempty"`
}

// ScopeLimit is a limit as an AuditRecord has it before and after, whatever the dialect that changed it.
type ScopeLimit struct {
	// Scope is ScopeServer, ScopeOwner, ScopeBucket or ScopePrefix, Name the bucket's or the user's.
	Scope  string `json:"scope"`
	Name   string `json:"name,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	// MaxBytes and MaxObjects are 0 where there is no limit.
	MaxBytes   int64 `json:"max_bytes"`
	MaxObjects int64 `json:"max_objects"`
}

// MaxAuditRecords is how many records an AuditPage has at most.
const MaxAuditRecords = 1000

// AuditPage is a part of the audit log, the oldest record first.
type AuditPage struct {
	Records []AuditRecord `json:"records"`
	// Next is the after of the next page: also where this one is the last, for the records that come later.
	Next uint64 `json:"next"`
	// More says whether there is more now; a page that has none of the records that are asked for may still be followed
	// by some.
	More bool `json:"more"`
}
