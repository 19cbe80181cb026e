// Package s3api is the S3 dialect over HTTP: authentication, payload decoding, routing, gofakes3, and the only place
// where errors become HTTP.
//
// # One request
//
// Handler gives the request an id, finds bucket and key in its path or host, looks its operation up in the routing
// tables (routes.go), verifies SigV4 over the request as it came, and refuses headers that ask for what is not
// implemented. Then the operation's function answers, by itself or through gofakes3. No byte of a body is read before
// the store has decided that the object fits: 100 Continue goes out with the first read.
//
// gofakes3 is made anew for each request, around a backend that is bound to it (bound.go), behind a ResponseWriter that
// passes its successes on and discards its errors (front.go). The typed error that the bound backend recorded is
// rendered here (errors.go), with S3's code, status, elements and request ids.
//
// # Bodies
//
// A body passes: the connection with an idle deadline (idleBody); the aws-chunked decoder where there is one
// (awschunked); the payload hash and the declared checksum (payload); gofakes3's MD5; the store. What fails on the way
// is returned by Read, and the store leaves nothing behind. Memory per request is bounded by the store's buffers and, for
// XML documents, by the limits in payload.go; a listing holds one page.
//
// A refusal is sent whole before the rest of a body is read or dropped: response.go says how.
//
// # Operations
//
// All that S3 defines stand in routes.go. Those that this server answers, and who does:
//
//	ListBuckets              s3api     prefix, max-buckets, bucket-region, continuation-token
//	CreateBucket             s3api     gofakes3 refuses valid names and does not read the body
//	HeadBucket               s3api
//	DeleteBucket             gofakes3  without x-minio-force-delete; unfinished uploads are aborted
//	GetBucketLocation        s3api
//	GetBucketCors            s3api     and Put and Delete; a preflight needs no credentials
//	GetBucketEncryption      s3api     and Put and Delete; without one, nothing is encrypted that does not ask for it
//	GetBucketLifecycle...    s3api     and Put and Delete; without transitions. Package backend acts on them
//	GetBucketLogging         s3api     never configured; Put takes what leaves it so. The same for notification,
//	                                   requestPayment, accelerate, and, without Put, replication, analytics, inventory,
//	                                   metrics and intelligent-tiering
//	GetBucketWebsite         s3api     and Put and Delete; kept, and not acted on: there is no website endpoint
//	GetBucketVersioning      s3api     always "never enabled"
//	ListObjects              s3api     gofakes3 has no encoding-type
//	ListObjectsV2            s3api
//	PutObject                gofakes3  after preparation: payload, headers, preconditions
//	PostObject               s3api     gofakes3 holds the file in memory and checks no policy
//	GetObject                s3api     gofakes3 has no parts, no ETags of uploads, and half of the conditions
//	HeadObject               s3api     the same
//	GetObjectAttributes      s3api     not in gofakes3; parts with checksums where the upload asked for some
//	DeleteObject             gofakes3
//	DeleteObjects            s3api     gofakes3 has no error per key
//	CopyObject               s3api     gofakes3 has no versions, directives and conditions; asks to read the source, too
//	CreateMultipartUpload    s3api     gofakes3 has no checksums
//	UploadPart               gofakes3  after preparation
//	UploadPartCopy           s3api     not in gofakes3; asks to read the source, too
//	ListParts                s3api     gofakes3 has no checksums
//	ListMultipartUploads     s3api     gofakes3 has no encoding-type
//	CompleteMultipartUpload  s3api     gofakes3 has no checksums and preconditions
//	AbortMultipartUpload     gofakes3  after x-amz-if-match-initiated-time
//	RestoreObject            s3api     refused: no object is archived
//
// Everything else is answered 501 NotImplemented and touches nothing.
//
// # Encryption
//
// What headers and buckets ask for is decided in encryption.go; the store does it. SSE-S3, SSE-KMS with the keys of the
// keyring as "KMS keys", and SSE-C are served; aws:kms:dsse and encryption contexts are not. Unlike in S3, a bucket
// encrypts nothing by default until PutBucketEncryption says so; the copy of an encrypted object stays encrypted all the
// same. Customers' keys are taken over TLS, from the same machine, and from a proxy that says with X-Forwarded-Proto that
// it has ended the TLS.
//
// # Where this differs from S3
//
// A copy shares the source's blobs and keeps its ETag, also that of a multipart upload ("md5-N"), which S3 would compute
// anew. DeleteBucket aborts unfinished uploads. Listings with encoding-type=url write a space as %20, which every
// decoder takes, where S3 writes "+".
package s3api
