package s3api

import (
	"net/http"
	"strings"
)

// operation is one S3 operation: its name, and what serves it. An operation without serve is S3's but not this
// server's: it is answered 501 and touches nothing.
type operation struct {
	name  string
	serve func(*request) error
	// permission is what the request needs; it has no action where serve asks for what it needs itself.
	permission permission
}

// op is an operation with its permission.
func op(name string, serve func(*request) error) operation {
	return operation{name: name, serve: serve, permission: permissions[name]}
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
// ignored, as S3 does. So do those of other servers that are understood here: usage, quota and storageinfo.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var (
	serviceRoutes = []route{
		{http.MethodGet, "usage", op("GetUsage", getUsage)},
		{http.MethodGet, "", op("ListBuckets", listBuckets)},
	}

	bucketRoutes = []route{
		{http.MethodGet, "accelerate", op("GetBucketAccelerateConfiguration", getBucketAcceleration)},
		{http.MethodPut, "accelerate", op("PutBucketAccelerateConfiguration", putBucketAcceleration)},
		{http.MethodGet, "acl", op("GetBucketAcl", getBucketACL)},
		{http.MethodPut, "acl", op("PutBucketAcl", putBucketACL)},
		{http.MethodGet, "abac", op("GetBucketAbac", nil)},
		{http.MethodPut, "abac", op("PutBucketAbac", nil)},
		{http.MethodGet, "analytics", op("GetBucketAnalyticsConfiguration", readNamedConfigurations("ListBucketAnalyticsConfigurationResult"))},
		{http.MethodPut, "analytics", op("PutBucketAnalyticsConfiguration", nil)},
		{http.MethodDelete, "analytics", op("DeleteBucketAnalyticsConfiguration", noNamedConfiguration)},
		{http.MethodGet, "cors", op("GetBucketCors", getBucketCORS)},
		{http.MethodPut, "cors", op("PutBucketCors", putBucketCORS)},
		{http.MethodDelete, "cors", op("DeleteBucketCors", deleteBucketCORS)},
		{http.MethodGet, "encryption", op("GetBucketEncryption", getBucketEncryption)},
		{http.MethodPut, "encryption", op("PutBucketEncryption", putBucketEncryption)},
		{http.MethodDelete, "encryption", op("DeleteBucketEncryption", deleteBucketEncryption)},
		{http.MethodGet, "intelligent-tiering", op("GetBucketIntelligentTieringConfiguration", readNamedConfigurations("ListBucketIntelligentTieringConfigurationsOutput"))},
		{http.MethodPut, "intelligent-tiering", op("PutBucketIntelligentTieringConfiguration", nil)},
		{http.MethodDelete, "intelligent-tiering", op("DeleteBucketIntelligentTieringConfiguration", noNamedConfiguration)},
		{http.MethodGet, "inventory", op("GetBucketInventoryConfiguration", readNamedConfigurations("ListInventoryConfigurationsResult"))},
		{http.MethodPut, "inventory", op("PutBucketInventoryConfiguration", nil)},
		{http.MethodDelete, "inventory", op("DeleteBucketInventoryConfiguration", noNamedConfiguration)},
		{http.MethodGet, "lifecycle", op("GetBucketLifecycleConfiguration", getBucketLifecycleConfiguration)},
		{http.MethodPut, "lifecycle", op("PutBucketLifecycleConfiguration", putBucketLifecycleConfiguration)},
		{http.MethodDelete, "lifecycle", op("DeleteBucketLifecycle", deleteBucketLifecycle)},
		{http.MethodGet, "location", op("GetBucketLocation", getBucketLocation)},
		{http.MethodGet, "logging", op("GetBucketLogging", getBucketLogging)},
		{http.MethodPut, "logging", op("PutBucketLogging", putBucketLogging)},
		{http.MethodGet, "metadataConfiguration", op("GetBucketMetadataConfiguration", nil)},
		{http.MethodPost, "metadataConfiguration", op("CreateBucketMetadataConfiguration", nil)},
		{http.MethodDelete, "metadataConfiguration", op("DeleteBucketMetadataConfiguration", nil)},
		{http.MethodPut, "metadataInventoryTable", op("UpdateBucketMetadataInventoryTableConfiguration", nil)},
		{http.MethodPut, "metadataJournalTable", op("UpdateBucketMetadataJournalTableConfiguration", nil)},
		{http.MethodGet, "metadataTable", op("GetBucketMetadataTableConfiguration", nil)},
		{http.MethodPost, "metadataTable", op("CreateBucketMetadataTableConfiguration", nil)},
		{http.MethodDelete, "metadataTable", op("DeleteBucketMetadataTableConfiguration", nil)},
		{http.MethodGet, "metrics", op("GetBucketMetricsConfiguration", readNamedConfigurations("ListMetricsConfigurationsResult"))},
		{http.MethodPut, "metrics", op("PutBucketMetricsConfiguration", nil)},
		{http.MethodDelete, "metrics", op("DeleteBucketMetricsConfiguration", noNamedConfiguration)},
		{http.MethodGet, "notification", op("GetBucketNotificationConfiguration", getBucketNotification)},
		{http.MethodPut, "notification", op("PutBucketNotificationConfiguration", putBucketNotification)},
		{http.MethodGet, "object-lock", op("GetObjectLockConfiguration", getObjectLockConfiguration)},
		{http.MethodPut, "object-lock", op("PutObjectLockConfiguration", putObjectLockConfiguration)},
		{http.MethodGet, "ownershipControls", op("GetBucketOwnershipControls", getOwnershipControls)},
		{http.MethodPut, "ownershipControls", op("PutBucketOwnershipControls", putOwnershipControls)},
		{http.MethodDelete, "ownershipControls", op("DeleteBucketOwnershipControls", deleteOwnershipControls)},
		{http.MethodGet, "policy", op("GetBucketPolicy", getBucketPolicy)},
		{http.MethodPut, "policy", op("PutBucketPolicy", putBucketPolicy)},
		{http.MethodDelete, "policy", op("DeleteBucketPolicy", deleteBucketPolicy)},
		{http.MethodGet, "policyStatus", op("GetBucketPolicyStatus", getBucketPolicyStatus)},
		{http.MethodGet, "publicAccessBlock", op("GetPublicAccessBlock", getPublicAccessBlock)},
		{http.MethodPut, "publicAccessBlock", op("PutPublicAccessBlock", putPublicAccessBlock)},
		{http.MethodDelete, "publicAccessBlock", op("DeletePublicAccessBlock", deletePublicAccessBlock)},
		{http.MethodGet, "quota", op("GetBucketQuota", getBucketQuota)},
		{http.MethodPut, "quota", op("PutBucketQuota", putBucketQuota)},
		{http.MethodDelete, "quota", op("DeleteBucketQuota", deleteBucketQuota)},
		{http.MethodGet, "replication", op("GetBucketReplication", getBucketReplication)},
		{http.MethodPut, "replication", op("PutBucketReplication", nil)},
		{http.MethodDelete, "replication", op("DeleteBucketReplication", deleteBucketReplication)},
		{http.MethodGet, "requestPayment", op("GetBucketRequestPayment", getBucketRequestPayment)},
		{http.MethodPut, "requestPayment", op("PutBucketRequestPayment", putBucketRequestPayment)},
		{http.MethodGet, "session", op("CreateSession", nil)},
		{http.MethodGet, "storageinfo", op("GetBucketStorageInfo", getBucketStorageInfo)},
		{http.MethodGet, "tagging", op("GetBucketTagging", getBucketTagging)},
		{http.MethodPut, "tagging", op("PutBucketTagging", putBucketTagging)},
		{http.MethodDelete, "tagging", op("DeleteBucketTagging", deleteBucketTagging)},
		{http.MethodGet, "uploads", op("ListMultipartUploads", listMultipartUploads)},
		{http.MethodGet, "versioning", op("GetBucketVersioning", getBucketVersioning)},
		{http.MethodPut, "versioning", op("PutBucketVersioning", putBucketVersioning)},
		{http.MethodGet, "versions", op("ListObjectVersions", listObjectVersions)},
		{http.MethodGet, "website", op("GetBucketWebsite", getBucketWebsite)},
		{http.MethodPut, "website", op("PutBucketWebsite", putBucketWebsite)},
		{http.MethodDelete, "website", op("DeleteBucketWebsite", deleteBucketWebsite)},
		{http.MethodPost, "delete", op("DeleteObjects", deleteObjects)},
		{http.MethodGet, "list-type", op("ListObjectsV2", listObjectsV2)},
		{http.MethodGet, "", op("ListObjects", listObjects)},
		{http.MethodHead, "", op("HeadBucket", headBucket)},
		{http.MethodPut, "", op("CreateBucket", createBucket)},
		{http.MethodDelete, "", op("DeleteBucket", deleteBucket)},
		{http.MethodPost, "", op("PostObject", postObject)},
	}

	objectRoutes = []route{
		{http.MethodGet, "acl", op("GetObjectAcl", getObjectACL)},
		{http.MethodPut, "acl", op("PutObjectAcl", putObjectACL)},
		{http.MethodGet, "attributes", op("GetObjectAttributes", getObjectAttributes)},
		{http.MethodPut, "encryption", op("UpdateObjectEncryption", nil)},
		{http.MethodGet, "legal-hold", op("GetObjectLegalHold", getObjectLegalHold)},
		{http.MethodPut, "legal-hold", op("PutObjectLegalHold", putObjectLegalHold)},
		{http.MethodPut, "renameObject", op("RenameObject", nil)},
		{http.MethodPost, "restore", op("RestoreObject", restoreObject)},
		{http.MethodGet, "retention", op("GetObjectRetention", getObjectRetention)},
		{http.MethodPut, "retention", op("PutObjectRetention", putObjectRetention)},
		{http.MethodPost, "select", op("SelectObjectContent", nil)},
		{http.MethodGet, "tagging", op("GetObjectTagging", getObjectTagging)},
		{http.MethodPut, "tagging", op("PutObjectTagging", putObjectTagging)},
		{http.MethodDelete, "tagging", op("DeleteObjectTagging", deleteObjectTagging)},
		{http.MethodGet, "torrent", op("GetObjectTorrent", nil)},
		{http.MethodPost, "uploads", op("CreateMultipartUpload", createMultipartUpload)},
		{http.MethodGet, "uploadId", op("ListParts", listParts)},
		{http.MethodPut, "uploadId", op("UploadPart", uploadPart)},
		{http.MethodPost, "uploadId", op("CompleteMultipartUpload", completeMultipartUpload)},
		{http.MethodDelete, "uploadId", op("AbortMultipartUpload", abortMultipartUpload)},
		{http.MethodPut, "append", op("AppendObject", nil)},
		{http.MethodGet, "", op("GetObject", getObject)},
		{http.MethodHead, "", op("HeadObject", headObject)},
		{http.MethodPut, "", op("PutObject", putObject)},
		{http.MethodDelete, "", op("DeleteObject", deleteObject)},
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
	if copies := headerOf(rq.r.Header, "X-Amz-Copy-Source") != ""; copies && rq.r.Method == http.MethodPut {
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
	copyObjectOperation     = op("CopyObject", copyObject)
	uploadPartCopyOperation = op("UploadPartCopy", uploadPartCopy)
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

// unservedHeaders ask for what is not implemented: to pass over them would be a silent lie.
var unservedHeaders = []string{"X-Amz-Server-Side-Encryption-Context", "X-Amz-Write-Offset-Bytes"}

// refuseHeaders refuses a request that asks for what is not implemented.
func (rq *request) refuseHeaders() error {
	for _, name := range unservedHeaders {
		if headerOf(rq.r.Header, name) != "" {
			return notImplementedHeader(strings.ToLower(name))
		}
	}
	return nil
}
