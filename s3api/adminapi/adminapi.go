// Package adminapi is the vocabulary of the admin API: the JSON documents that package admin answers with and package
// adminclient reads. It holds data only.
//
// All of it lies under Prefix, and every request is signed with SigV4 (service "s3", in the Authorization header, with
// the SHA-256 of the body in x-amz-content-sha256) by an access key of root or of a user whom a policy allows
// admin:Administer. Others may read what is told of themselves: users/me, and usage, history and quota of the owner
// they are.
//
//	GET    openapi.json            all of this in OpenAPI 3.1, readable without credentials
//	GET    server                  Server: version, limits, disk
//	GET    audit                   AuditPage: ?after=NUMBER&limit=1..1000&user=NAME&since=RFC3339, all of them optional
//
//	GET    usage                   Overview: the server, every owner, every bucket, the disk
//	GET    usage/{bucket}          Account
//	GET    usage/owners/{user}     Account of all buckets that the user owns
//	GET    history/server          History: what there was over a week and a year, and what that forecasts
//	GET    history/buckets/{name}  the same of a bucket
//	GET    history/owners/{user}   the same of all buckets that a user owns
//	GET    reports                 Reports, without their results
//	POST   reports                 NewReport -> 202 Report, which is begun; 429 where too many are unfinished
//	GET    reports/{id}            Report: how far it is, and its result
//	DELETE reports/{id}            204; stops it where it is unfinished
//	GET    uploads                 UploadSummaries: the buckets that have unfinished uploads
//	GET    uploads/{bucket}        Uploads: a page of them; ?prefix, key, upload_id, older_than_seconds, limit, after_key,
//	                               after_upload_id
//	POST   uploads/{bucket}/abort  AbortUploads -> AbortedUploads; again with its next until there is none
//	POST   versions/{bucket}/prune Prune -> Pruned; again with its next until there is none
//	GET    quotas                  Quotas: the server, and the owners, buckets and prefixes that have a limit
//	GET    quotas/server           Account
//	PUT    quotas/server           Limit -> Account; a figure that is left out is removed
//	PATCH  quotas/server           Limit -> Account; a figure that is left out stays, null removes it
//	DELETE quotas/server           204; removes both figures
//	…      quotas/buckets/{name}   the same four for a bucket
//	…      quotas/owners/{user}    the same four for all buckets that a user owns, now or later
//	GET    quotas/buckets/{name}/prefixes            Prefixes: those that have limits
//	…      quotas/buckets/{name}/prefixes/{prefix}   the same four for the keys that begin with a prefix; its slashes are
//	                               escaped. 404 NoSuchPrefix where it has no limit, 409 TooManyPrefixes beyond 100
//	GET    quotas/defaults         Defaults: the limits that new buckets and users get
//	…      quotas/defaults/buckets the same four for the limit of new buckets, with a Limit in answer
//	…      quotas/defaults/owners  the same four for that of new users
//	GET    quotas/check?bucket=NAME&bytes=N   QuotaCheck: whether an object of so many bytes would fit now; with
//	                               &key=KEY in the place of what is under that key, with &objects=N so many new ones
//	GET    buckets                 Buckets
//	GET    buckets/{name}          Bucket
//	PUT    buckets/{name}          Limit or nothing -> 201 Account; a figure that is left out is the default's; 409 where
//	                               the bucket exists
//	DELETE buckets/{name}          204; 409 where the bucket holds objects
//
//	GET    users                   Users: all but root
//	GET    users/me                Self: who asks
//	GET    users/{name}            User
//	PUT    users/{name}            UserSettings or nothing -> 201 User, enabled and without policies where that is left
//	                               out; 409 where the user exists; with If-Match it replaces the settings -> 200
//	PATCH  users/{name}            UserSettings -> User; what is left out stays
//	DELETE users/{name}            204, with all keys; 409 where the user owns buckets: the problem names them
//	PUT    users/{name}/policies/{policy}   User; attaches the policy
//	DELETE users/{name}/policies/{policy}   User; detaches it
//	GET    users/{name}/keys       Keys
//	POST   users/{name}/keys       NewKey or nothing -> 201 CreatedKey, which has the secret
//	GET    keys                    Keys: those of all users, but the one that the server was started with
//	GET    keys/{access key}       Key
//	PATCH  keys/{access key}       KeySettings -> Key
//	DELETE keys/{access key}       204
//	POST   keys/{access key}/rotate   Rotation or nothing -> 201 CreatedKey, which takes the place of the old one
//	GET    policies                Policies: the stored and the canned
//	GET    policies/{name}         the IAM document, as it was stored
//	PUT    policies/{name}         IAM document -> 201 Policy, or 200 where it replaces one
//	DELETE policies/{name}         204; 409 where the policy is attached
//
//	GET    webhooks                Webhooks
//	GET    webhooks/{name}         Webhook
//	PUT    webhooks/{name}         WebhookSettings with a url -> 201 CreatedWebhook, which has the secret, enabled and with
//	                               the events of quotas where that is left out; 409 where the webhook exists; with
//	                               If-Match it replaces the settings -> 200 Webhook
//	PATCH  webhooks/{name}         WebhookSettings -> Webhook; what is left out stays
//	DELETE webhooks/{name}         204; 409 where buckets tell the webhook: the problem names them
//	POST   webhooks/{name}/test    WebhookTest; sends an event, once, and changes nothing
//	GET    events                  Events: those that are still kept; ?after=NUMBER&limit=1..MaxEvents, both optional
//
// What can be changed has an ETag: users, keys, policies, webhooks, buckets, and limits, whose ETag does not change
// with what is stored. GET tells it, and so does what changes one. What changes something (attaching a policy and
// rotating a key among it, by the ETag of the user and of the key) with If-Match is refused with 412 where it is
// another by then, so that two administrators do not overwrite each other: read it again, and decide again. With
// If-None-Match: * it is refused with 412 where there is one already. Without either it takes what is there. 428 is
// never answered: PATCH changes only what it names, and PUT either refuses what is there or means to replace it.
//
// A change is written to the audit log before it is made, and what came of it before it is answered. Where the log
// cannot be written nothing is changed: 507 InsufficientStorage where the disk is full, 503 AuditUnavailable otherwise.
// Attempts that are answered 401 or 403 are recorded, too, as far as they are not too many.
//
// Errors are Problem documents. Sizes are bytes. A limit of 0 means no limit.
package adminapi

import (
	"fmt"
	"time"
)

// Prefix is the path under which the admin API lies.
const Prefix = "/_plimsoll/admin/v1/"

// MaxBodyBytes is the largest body of a request.
const MaxBodyBytes = 64 << 10

// Limit is the body that sets a limit. A nil figure is left out.
type Limit struct {
	MaxBytes   *int64 `json:"max_bytes,omitempty"`
	MaxObjects *int64 `json:"max_objects,omitempty"`
}

// The scopes of an Account.
const (
	ScopeServer = "server"
	ScopeOwner  = "owner"
	ScopeBucket = "bucket"
	ScopePrefix = "prefix"
	// ScopeDisk is in a QuotaCheck only.
	ScopeDisk = "disk"
)

// Account is what a scope may hold, and what it holds.
type Account struct {
	// Scope is ScopeServer, ScopeOwner, ScopeBucket or ScopePrefix.
	Scope string `json:"scope"`
	// Name is the bucket's or the user's, of a prefix its bucket's; empty for the server.
	Name string `json:"name,omitempty"`
	// Prefix is how the keys of a ScopePrefix begin.
	Prefix string `json:"prefix,omitempty"`
	// MaxBytes and MaxObjects are the limit, 0 where there is none.
	MaxBytes   int64 `json:"max_bytes"`
	MaxObjects int64 `json:"max_objects"`
	// UsedBytes is the sum of the sizes of the stored objects, Objects their number.
	UsedBytes int64 `json:"used_bytes"`
	Objects   int64 `json:"objects"`
	// NoncurrentObjects is how many of Objects are not the latest version of their key. DeleteMarkers count as nothing.
	NoncurrentObjects int64 `json:"noncurrent_objects"`
	DeleteMarkers     int64 `json:"delete_markers"`
	// PartBytes is what the parts of unfinished multipart uploads hold, Uploads how many uploads are unfinished. The
	// server's limit counts them in full; a bucket's or owner's keeps them within MaxBytes beside what is stored.
	PartBytes int64 `json:"part_bytes"`
	Uploads   int64 `json:"uploads"`
	// ReservedBytes is what is held for bodies that are arriving.
	ReservedBytes int64 `json:"reserved_bytes"`
	// AvailableBytes and AvailableObjects are what the limit leaves for one more object; nil where there is no limit.
	// The disk may leave less.
	AvailableBytes   *int64 `json:"available_bytes,omitempty"`
	AvailableObjects *int64 `json:"available_objects,omitempty"`
	// OldestUpload is when the oldest unfinished upload was begun; nil where there is none, or too many to look for it. It
	// and Growth are in answers of usage only.
	OldestUpload *time.Time `json:"oldest_upload,omitempty"`
	Growth       *Growth    `json:"growth,omitempty"`
	// Counting says that what was under a prefix before it got its limit is being counted: the figures are of the keys up
	// to CountedTo and exact for those; what is refused meanwhile does not fit, but more may be let in than fits.
	Counting  bool   `json:"counting,omitempty"`
	CountedTo string `json:"counted_to,omitempty"`
	// ETag is that of the limit. It comes in the header of an answer about one limit.
	ETag string `json:"-"`
}

// Overview is what is stored in all.
type Overview struct {
	Server  Account   `json:"server"`
	Owners  []Account `json:"owners"`
	Buckets []Account `json:"buckets"`
	// DiskFreeBytes is what the disk has left above the reserve, DiskSizeBytes its size.
	DiskFreeBytes int64 `json:"disk_free_bytes"`
	DiskSizeBytes int64 `json:"disk_size_bytes"`
}

// Quotas are the limits that are set.
type Quotas struct {
	Server   Account   `json:"server"`
	Owners   []Account `json:"owners"`
	Buckets  []Account `json:"buckets"`
	Prefixes []Account `json:"prefixes"`
}

// Prefixes are the prefixes of a bucket that have limits, in order.
type Prefixes struct {
	Prefixes []Account `json:"prefixes"`
}

// DefaultLimit is a limit that a new bucket or a new user gets; 0 is none.
type DefaultLimit struct {
	MaxBytes   int64 `json:"max_bytes"`
	MaxObjects int64 `json:"max_objects"`
}

// Defaults are the limits that new buckets and new users get. Those that are there keep what they have.
type Defaults struct {
	Bucket DefaultLimit `json:"bucket"`
	Owner  DefaultLimit `json:"owner"`
}

// QuotaCheck says whether something would fit at this moment. Nothing is held for it.
type QuotaCheck struct {
	Fits bool `json:"fits"`
	// RequestedBytes and RequestedObjects are what usage would grow by, less what would be replaced.
	RequestedBytes   int64 `json:"requested_bytes"`
	RequestedObjects int64 `json:"requested_objects"`
	// Scopes are those that it has to fit in, the innermost first: prefixes, bucket, owner, server, disk. The first that
	// does not fit is the one that a refusal would name.
	Scopes []CheckedScope `json:"scopes"`
}

// CheckedScope is what one scope says. The disk's has Scope and AvailableBytes only.
type CheckedScope struct {
	Account
	Fits bool `json:"fits"`
	// Transient says that only bodies that are arriving are in the way.
	Transient bool `json:"transient,omitempty"`
}

// Bucket is a bucket.
type Bucket struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Owner   string    `json:"owner"`
	// ETag comes in the header of an answer about one bucket.
	ETag string `json:"-"`
}

// Buckets are all buckets, by name.
type Buckets struct {
	Buckets []Bucket `json:"buckets"`
}

// ProblemContentType is the media type of a Problem.
const ProblemContentType = "application/problem+json"

// ProblemPrefix begins the Type of every Problem; a code such as NoSuchBucket follows, S3's where S3 has one.
const ProblemPrefix = "urn:plimsoll:problem:"

// Problem says why a request was refused, or failed. https://www.rfc-editor.org/rfc/rfc9457
type Problem struct {
	// Type is ProblemPrefix and a code: what a program tells problems apart by.
	Type string `json:"type"`
	// Title says what kind of problem it is, Detail what it is this time.
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Instance is the request's id, as in x-amz-request-id.
	Instance string `json:"instance,omitempty"`
	// Buckets are those that are in the way, of UserOwnsBuckets and WebhookInUse.
	Buckets []string `json:"buckets,omitempty"`
}

// Code returns the part of Type that tells problems apart, such as NoSuchBucket.
func (p *Problem) Code() string {
	if len(p.Type) > len(ProblemPrefix) && p.Type[:len(ProblemPrefix)] == ProblemPrefix {
		return p.Type[len(ProblemPrefix):]
	}
	return ""
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return fmt.Sprintf("%s (%d)", p.Title, p.Status)
	}
	return p.Detail
}
