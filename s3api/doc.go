// Package s3api is the S3 dialect over HTTP: authentication, payload decoding, routing, gofakes3, and the only place
// where errors become HTTP.
//
// # One request
//
// Handler gives the request an id, finds bucket and key in its path or host, looks its operation up in the routing
// tables (routes.go), verifies SigV4 over the request as it came, decides whether its signer may do that
// (authorize.go), and refuses headers that ask for what is not implemented. Then the operation's function answers, by
// itself or through gofakes3. No byte of a body is read before the store has decided that the object fits: 100 Continue
// goes out with the first read.
//
// gofakes3 is made anew for each request, around a backend that is bound to it (bound.go), behind a ResponseWriter that
// passes its successes on and discards its errors (front.go). The typed error that the bound backend recorded is
// rendered here (errors.go), with S3's code, status, elements and request ids.
//
// # Bodies
//
// A body passes: the connection with an idle deadline (idleBody); the aws-chunked decoder where there is one
// (awschunked); the payload hash and the declared checksum (payload); the store, which computes the MD5. gofakes3 never
// sees it. What fails on the way is returned by Read, and the store leaves nothing behind. Memory per request is
// bounded by the store's buffers and, for XML documents, by the limits in payload.go; a listing holds one page.
//
// A refusal is sent whole before the rest of a body is read or dropped: response.go says how.
//
// # Operations
//
// All that S3 defines stand in routes.go; what each needs to be allowed, in permissions.go. Who answers them; where
// names are left out, Get, Put and Delete of one configuration are meant together:
//
//	ListBuckets                     s3api     prefix, max-buckets, bucket-region, continuation-token
//	CreateBucket                    s3api     gofakes3 refuses valid names and does not read the body
//	HeadBucket                      s3api     with ?read-stats, Ceph RGW's headers; with x-plimsoll-quota-check-bytes,
//	                                          whether so much would fit
//	DeleteBucket                    gofakes3  without x-minio-force-delete; unfinished uploads are aborted
//	GetBucketLocation               s3api
//	BucketAcl, ObjectAcl            s3api     evaluated; off unless the bucket's ownership lets them mean something
//	BucketCors                      s3api     a preflight needs no credentials
//	BucketEncryption                s3api     without one, nothing is encrypted that does not ask for it
//	BucketLifecycleConfiguration    s3api     without transitions; package backend acts on it
//	BucketOwnershipControls         s3api
//	BucketPolicy, PolicyStatus      s3api     compiled once for each change (bucket_access.go)
//	BucketTagging, ObjectTagging    s3api
//	BucketVersioning                s3api     without MFA delete
//	BucketWebsite                   s3api     kept, and not acted on: there is no website endpoint
//	PublicAccessBlock               s3api     none unless it is put
//	ObjectLockConfiguration         s3api
//	ObjectRetention, LegalHold      s3api
//	BucketNotificationConfiguration s3api     to webhooks (package webhook), by the ARNs that MinIO gives them
//	BucketLogging, RequestPayment,  s3api     never configured; Put takes what leaves it so
//	Accelerate
//	BucketReplication, Analytics,   s3api     never configured; Put is 501
//	Inventory, Metrics, Tiering
//	ListObjects, ListObjectsV2      s3api     gofakes3 has no encoding-type
//	ListObjectVersions              s3api     gofakes3's is that of a fake
//	PutObject                       gofakes3  after preparation: payload, headers, preconditions
//	PostObject                      s3api     gofakes3 holds the file in memory and checks no policy
//	GetObject, HeadObject           s3api     gofakes3 has no parts, no ETags of uploads, and half of the conditions;
//	                                          Veeam's SOSAPI documents are in every bucket
//	GetObjectAttributes             s3api     not in gofakes3; parts with checksums where the upload asked for some
//	DeleteObject                    gofakes3  after preparation: version, conditions
//	DeleteObjects                   s3api     gofakes3 has no error per key
//	CopyObject                      s3api     gofakes3 has no versions, directives and conditions; asks to read the
//	                                          source
//	CreateMultipartUpload           s3api     gofakes3 has no checksums
//	UploadPart                      gofakes3  after preparation
//	UploadPartCopy                  s3api     not in gofakes3; asks to read the source, too
//	ListParts                       s3api     gofakes3 has no checksums
//	ListMultipartUploads            s3api     gofakes3 has no encoding-type
//	CompleteMultipartUpload         s3api     gofakes3 has no checksums and preconditions
//	AbortMultipartUpload            gofakes3  after x-amz-if-match-initiated-time
//	RestoreObject                   s3api     refused: no object is archived
//	GetUsage                        s3api     Ceph RGW's GET /?usage
//	BucketQuota                     s3api     ?quota, Scality's and Huawei OBS's
//	BucketStorageInfo               s3api     ?storageinfo, Huawei OBS's
//
// 501 NotImplemented, and nothing is touched: SelectObjectContent, GetObjectTorrent, RenameObject, AppendObject,
// UpdateObjectEncryption, CreateSession, bucket ABAC, bucket metadata tables, and whatever S3 will define.
//
// # Access
//
// Users are package iam's; what they may do is decided in authorize.go, in this order: what a policy denies is denied,
// except that root keeps hold of bucket policies; root, and the owner of a bucket, may do everything; others what an
// identity policy, the bucket's policy or a list allows them. A key that is not there is AccessDenied for who may not
// list the bucket. An access key may have a policy of its own, which bounds all of that. A user who is made anew under a
// name has what policies, lists and buckets give to that name.
//
// Temporary credentials come from package sts, which answers the POST of a form to "/". They may do what their user
// may, as far as the policies that the session is held to allow it, too: those come first in authorize.go.
//
// # Figures
//
// What a bucket holds and may hold is told in the ways of other servers too: rgw.go, bucket_quota.go, storage_info.go
// and sosapi.go. Limits are set by administrators only, whom a policy allows admin:Administer, and read by them and by
// the bucket's owner. Every write that succeeded, and HeadBucket, tells how much is left of the tightest limit of bytes
// (quota_headers.go), and so does SOSAPI, where the disk counts as a limit: to whoever signed a request that they were
// allowed, without saying whose limit it is; only a HeadBucket that asks whether something would fit is told who would
// refuse it, as a 507 tells. Anonymous requests are told no figures, except in a refusal.
//
// # Encryption
//
// What headers and buckets ask for is decided in encryption.go; the store does it. SSE-S3, SSE-KMS with the keys of the
// keyring as "KMS keys", and SSE-C are served; aws:kms:dsse and encryption contexts are not. Unlike in S3, a bucket
// encrypts nothing by default until PutBucketEncryption says so; the copy of an encrypted object stays encrypted all
// the same. Customers' keys are taken over TLS, from the same machine, and from a proxy that says with
// X-Forwarded-Proto that it has ended the TLS.
//
// # Where this differs from S3
//
// All users belong to one account, and every user has a canonical id, and owns buckets, as an account has on AWS. Users
// are told root's id as its access key, by which they know it; who is anonymous is told the id, lists take both, and
// what is stored and compared is the id, so that another access key changes nothing. An expected owner of a bucket may
// be the account, or the owner's id, name or access key. A bucket has no public access block until it is given one.
// Without ownership controls it is BucketOwnerEnforced, also after they were deleted. A copy shares the source's blobs
// and keeps its ETag, also that of a multipart upload ("md5-N"), which S3 would compute anew. DeleteBucket aborts
// unfinished uploads. CreateBucket of a bucket that its caller owns is 409 BucketAlreadyOwnedByYou in every region, also
// in us-east-1, where S3 answers 200 and resets the bucket's list. Listings with encoding-type=url write a space as %20,
// which every decoder takes, where S3 writes "+". Nothing can be stored under the two keys of Veeam's SOSAPI.
package s3api
