package s3api

import (
	"net/http"
	"slices"
	"strings"
)

// operation is one S3 operation: its name, and what serves it. An operation without serve is S3's but not this
// server's: it is answered 501 and touches nothing.
type operation struct {
	name  string
	serve func(*request) error
}

// unknownOperation is that of a request whose route is not known yet, or that S3 does not have.
var unknownOperation = operation{name: "Unknown"}

// route is a row of the routing table.
type route struct {
	method string
	// subresource is the query parameter that makes the request this operation; empty for the plain one.
	subresource string
	operation   operation
}

// The routing tables: every sub-resource that S3 defines, per level. A request goes to the operation of the first
// sub-resource in its query that stands here, whatever other parameters it has; parameters that S3 does not define are
// ignored, as S3 does. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var (
	serviceRoutes = []route{
		{http.MethodGet, "", operation{"ListBuckets", listBuckets}},
	}

	bucketRoutes = []route{
		{http.MethodGet, "accelerate", operation{"GetBucketAccelerateConfiguration", nil}},
		{http.MethodPut, "accelerate", operation{"PutBucketAccelerateConfiguration", nil}},
		{http.MethodGet, "acl", operation{"GetBucketAcl", nil}},
		{http.MethodPut, "acl", operation{"PutBucketAcl", nil}},
		{http.MethodGet, "abac", operation{"GetBucketAbac", nil}},
		{http.MethodPut, "abac", operation{"PutBucketAbac", nil}},
		{http.MethodGet, "analytics", operation{"GetBucketAnalyticsConfiguration", nil}},
		{http.MethodPut, "analytics", operation{"PutBucketAnalyticsConfiguration", nil}},
		{http.MethodDelete, "analytics", operation{"DeleteBucketAnalyticsConfiguration", nil}},
		{http.MethodGet, "cors", operation{"GetBucketCors", nil}},
		{http.MethodPut, "cors", operation{"PutBucketCors", nil}},
		{http.MethodDelete, "cors", operation{"DeleteBucketCors", nil}},
		{http.MethodGet, "encryption", operation{"GetBucketEncryption", nil}},
		{http.MethodPut, "encryption", operation{"PutBucketEncryption", nil}},
		{http.MethodDelete, "encryption", operation{"DeleteBucketEncryption", nil}},
		{http.MethodGet, "intelligent-tiering", operation{"GetBucketIntelligentTieringConfiguration", nil}},
		{http.MethodPut, "intelligent-tiering", operation{"PutBucketIntelligentTieringConfiguration", nil}},
		{http.MethodDelete, "intelligent-tiering", operation{"DeleteBucketIntelligentTieringConfiguration", nil}},
		{http.MethodGet, "inventory", operation{"GetBucketInventoryConfiguration", nil}},
		{http.MethodPut, "inventory", operation{"PutBucketInventoryConfiguration", nil}},
		{http.MethodDelete, "inventory", operation{"DeleteBucketInventoryConfiguration", nil}},
		{http.MethodGet, "lifecycle", operation{"GetBucketLifecycleConfiguration", nil}},
		{http.MethodPut, "lifecycle", operation{"PutBucketLifecycleConfiguration", nil}},
		{http.MethodDelete, "lifecycle", operation{"DeleteBucketLifecycle", nil}},
		{http.MethodGet, "location", operation{"GetBucketLocation", getBucketLocation}},
		{http.MethodGet, "logging", operation{"GetBucketLogging", nil}},
		{http.MethodPut, "logging", operation{"PutBucketLogging", nil}},
		{http.MethodGet, "metadataConfiguration", operation{"GetBucketMetadataConfiguration", nil}},
		{http.MethodPost, "metadataConfiguration", operation{"CreateBucketMetadataConfiguration", nil}},
		{http.MethodDelete, "metadataConfiguration", operation{"DeleteBucketMetadataConfiguration", nil}},
		{http.MethodPut, "metadataInventoryTable", operation{"UpdateBucketMetadataInventoryTableConfiguration", nil}},
		{http.MethodPut, "metadataJournalTable", operation{"UpdateBucketMetadataJournalTableConfiguration", nil}},
		{http.MethodGet, "metadataTable", operation{"GetBucketMetadataTableConfiguration", nil}},
		{http.MethodPost, "metadataTable", operation{"CreateBucketMetadataTableConfiguration", nil}},
		{http.MethodDelete, "metadataTable", operation{"DeleteBucketMetadataTableConfiguration", nil}},
		{http.MethodGet, "metrics", operation{"GetBucketMetricsConfiguration", nil}},
		{http.MethodPut, "metrics", operation{"PutBucketMetricsConfiguration", nil}},
		{http.MethodDelete, "metrics", operation{"DeleteBucketMetricsConfiguration", nil}},
		{http.MethodGet, "notification", operation{"GetBucketNotificationConfiguration", nil}},
		{http.MethodPut, "notification", operation{"PutBucketNotificationConfiguration", nil}},
		{http.MethodGet, "object-lock", operation{"GetObjectLockConfiguration", nil}},
		{http.MethodPut, "object-lock", operation{"PutObjectLockConfiguration", nil}},
		{http.MethodGet, "ownershipControls", operation{"GetBucketOwnershipControls", nil}},
		{http.MethodPut, "ownershipControls", operation{"PutBucketOwnershipControls", nil}},
		{http.MethodDelete, "ownershipControls", operation{"DeleteBucketOwnershipControls", nil}},
		{http.MethodGet, "policy", operation{"GetBucketPolicy", nil}},
		{http.MethodPut, "policy", operation{"PutBucketPolicy", nil}},
		{http.MethodDelete, "policy", operation{"DeleteBucketPolicy", nil}},
		{http.MethodGet, "policyStatus", operation{"GetBucketPolicyStatus", nil}},
		{http.MethodGet, "publicAccessBlock", operation{"GetPublicAccessBlock", nil}},
		{http.MethodPut, "publicAccessBlock", operation{"PutPublicAccessBlock", nil}},
		{http.MethodDelete, "publicAccessBlock", operation{"DeletePublicAccessBlock", nil}},
		{http.MethodGet, "replication", operation{"GetBucketReplication", nil}},
		{http.MethodPut, "replication", operation{"PutBucketReplication", nil}},
		{http.MethodDelete, "replication", operation{"DeleteBucketReplication", nil}},
		{http.MethodGet, "requestPayment", operation{"GetBucketRequestPayment", nil}},
		{http.MethodPut, "requestPayment", operation{"PutBucketRequestPayment", nil}},
		{http.MethodGet, "session", operation{"CreateSession", nil}},
		{http.MethodGet, "tagging", operation{"GetBucketTagging", nil}},
		{http.MethodPut, "tagging", operation{"PutBucketTagging", nil}},
		{http.MethodDelete, "tagging", operation{"DeleteBucketTagging", nil}},
		{http.MethodGet, "uploads", operation{"ListMultipartUploads", listMultipartUploads}},
		{http.MethodGet, "versioning", operation{"GetBucketVersioning", getBucketVersioning}},
		{http.MethodPut, "versioning", operation{"PutBucketVersioning", nil}},
		{http.MethodGet, "versions", operation{"ListObjectVersions", nil}},
		{http.MethodGet, "website", operation{"GetBucketWebsite", nil}},
		{http.MethodPut, "website", operation{"PutBucketWebsite", nil}},
		{http.MethodDelete, "website", operation{"DeleteBucketWebsite", nil}},
		{http.MethodPost, "delete", operation{"DeleteObjects", deleteObjects}},
		{http.MethodGet, "list-type", operation{"ListObjectsV2", listObjectsV2}},
		{http.MethodGet, "", operation{"ListObjects", listObjects}},
		{http.MethodHead, "", operation{"HeadBucket", headBucket}},
		{http.MethodPut, "", operation{"CreateBucket", createBucket}},
		{http.MethodDelete, "", operation{"DeleteBucket", deleteBucket}},
		{http.MethodPost, "", operation{"PostObject", nil}},
	}

	objectRoutes = []route{
		{http.MethodGet, "acl", operation{"GetObjectAcl", nil}},
		{http.MethodPut, "acl", operation{"PutObjectAcl", nil}},
		{http.MethodGet, "attributes", operation{"GetObjectAttributes", nil}},
		{http.MethodPut, "encryption", operation{"UpdateObjectEncryption", nil}},
		{http.MethodGet, "legal-hold", operation{"GetObjectLegalHold", nil}},
		{http.MethodPut, "legal-hold", operation{"PutObjectLegalHold", nil}},
		{http.MethodPut, "renameObject", operation{"RenameObject", nil}},
		{http.MethodPost, "restore", operation{"RestoreObject", nil}},
		{http.MethodGet, "retention", operation{"GetObjectRetention", nil}},
		{http.MethodPut, "retention", operation{"PutObjectRetention", nil}},
		{http.MethodPost, "select", operation{"SelectObjectContent", nil}},
		{http.MethodGet, "tagging", operation{"GetObjectTagging", nil}},
		{http.MethodPut, "tagging", operation{"PutObjectTagging", nil}},
		{http.MethodDelete, "tagging", operation{"DeleteObjectTagging", nil}},
		{http.MethodGet, "torrent", operation{"GetObjectTorrent", nil}},
		{http.MethodPost, "uploads", operation{"CreateMultipartUpload", createMultipartUpload}},
		{http.MethodGet, "uploadId", operation{"ListParts", listParts}},
		{http.MethodPut, "uploadId", operation{"UploadPart", uploadPart}},
		{http.MethodPost, "uploadId", operation{"CompleteMultipartUpload", completeMultipartUpload}},
		{http.MethodDelete, "uploadId", operation{"AbortMultipartUpload", abortMultipartUpload}},
		{http.MethodPut, "append", operation{"AppendObject", nil}},
		{http.MethodGet, "", operation{"GetObject", getObject}},
		{http.MethodHead, "", operation{"HeadObject", headObject}},
		{http.MethodPut, "", operation{"PutObject", putObject}},
		{http.MethodDelete, "", operation{"DeleteObject", deleteObject}},
	}
)

// level is the routing table of one kind of resource, ready to be searched.
type level struct {
	// routes by method, in the table's order.
	routes map[string][]route
	// subresources are all of the level's, whatever the method: a request with one never falls through to the plain
	// operation.
	subresources map[string]bool
}

var (
	serviceLevel = newLevel(serviceRoutes)
	bucketLevel  = newLevel(bucketRoutes)
	objectLevel  = newLevel(objectRoutes)
)

func newLevel(routes []route) level {
	l := level{routes: make(map[string][]route), subresources: make(map[string]bool)}
	for _, r := range routes {
		l.routes[r.method] = append(l.routes[r.method], r)
		if r.subresource != "" {
			l.subresources[r.subresource] = true
		}
	}
	return l
}

// route finds the request's operation. Where there is none, op stays unknown.
func (rq *request) route() {
	l := objectLevel
	switch {
	case rq.bucket == "":
		l = serviceLevel
	case rq.key == "":
		l = bucketLevel
	}
	known := false
	for name := range rq.query {
		known = known || (l.subresources[name] && name != "list-type")
	}
	routes := l.routes[rq.r.Method]
	for i := range routes {
		r := &routes[i]
		if r.subresource == "" {
			if !known {
				rq.op = &r.operation
				break
			}
		} else if rq.query.Has(r.subresource) {
			rq.op = &r.operation
			break
		}
	}
	if copies := rq.r.Header.Get("X-Amz-Copy-Source") != ""; copies && rq.r.Method == http.MethodPut {
		switch rq.op.name {
		case "PutObject":
			rq.op = &copyObjectOperation
		case "UploadPart":
			rq.op = &uploadPartCopyOperation
		}
	}
}

// The operations that a header chooses.
var (
	copyObjectOperation     = operation{"CopyObject", copyObject}
	uploadPartCopyOperation = operation{"UploadPartCopy", uploadPartCopy}
)

// unserved is the answer to an operation that is not served, or that S3 does not have.
func (rq *request) unserved() error {
	if rq.op != &unknownOperation {
		return s3err("NotImplemented", "The operation "+rq.op.name+" is not implemented.").with("Operation", rq.op.name)
	}
	switch rq.r.Method {
	case http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodHead:
		for name := range rq.query {
			if bucketLevel.subresources[name] || objectLevel.subresources[name] {
				return s3err("NotImplemented", "The sub-resource "+name+" is not implemented for this method.")
			}
		}
	}
	return s3err("MethodNotAllowed").with("Method", rq.r.Method).with("ResourceType", rq.resourceType())
}

func (rq *request) resourceType() string {
	switch {
	case rq.bucket == "":
		return "SERVICE"
	case rq.key == "":
		return "BUCKET"
	default:
		return "OBJECT"
	}
}

// unservedHeaders ask for what is not implemented: to pass over them would be a silent lie. A name that ends in "-" is
// a prefix. A value in allowed is honest already.
var unservedHeaders = []struct {
	name    string
	allowed []string
}{
	{"X-Amz-Server-Side-Encryption", nil},
	{"X-Amz-Server-Side-Encryption-", nil},
	{"X-Amz-Copy-Source-Server-Side-Encryption-", nil},
	{"X-Amz-Object-Lock-", nil},
	{"X-Amz-Bucket-Object-Lock-Enabled", []string{"false"}},
	{"X-Amz-Bypass-Governance-Retention", []string{"false", "true"}}, // nothing is locked
	{"X-Amz-Tagging", []string{""}},
	{"X-Amz-Acl", []string{"private", "bucket-owner-full-control"}},
	{"X-Amz-Grant-", nil},
	{"X-Amz-Website-Redirect-Location", nil},
	{"X-Amz-Expected-Bucket-Owner", nil},
	{"X-Amz-Source-Expected-Bucket-Owner", nil},
	{"X-Amz-Write-Offset-Bytes", nil},
	{"X-Amz-Object-Ownership", []string{"BucketOwnerEnforced"}},
}

// refuseHeaders refuses a request that asks for what is not implemented.
func (rq *request) refuseHeaders() error {
	for name, values := range rq.r.Header {
		if !strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "X-Amz-Meta-") || len(values) == 0 {
			continue
		}
		for _, h := range unservedHeaders {
			matches := name == h.name || (strings.HasSuffix(h.name, "-") && strings.HasPrefix(name, h.name))
			if matches && !slices.Contains(h.allowed, values[0]) {
				return notImplementedHeader(strings.ToLower(name))
			}
		}
	}
	return nil
}
