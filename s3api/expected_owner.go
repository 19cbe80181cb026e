package s3api

import "github.com/plimsoll/plimsoll/s3api/iam"

// checkExpectedOwner refuses a request that takes a bucket for somebody else's. An expected owner is whatever names the
// owner here: the account that all buckets belong to, as on AWS, and the owner's canonical id, name or access key.
// Everything else is not the owner, whatever it looks like. access is nil where there is no bucket yet.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (rq *request) checkExpectedOwner(header string, access *bucketAccess) error {
	values := rq.r.Header[header]
	if len(values) == 0 || access == nil {
		return nil
	}
	switch expected := values[0]; expected {
	case iam.AccountID, access.owner.id, access.Owner:
		return nil
	default:
		credential, ok := rq.handler.config.Directory.Lookup(expected)
		if ok && credential.Identity.Name == access.Owner {
			return nil
		}
	}
	return s3err("AccessDenied")
}

// The headers that name who the client takes for the owner of a bucket: of the request's, and of a copy's source.
const (
	expectedOwnerHeader       = "X-Amz-Expected-Bucket-Owner"
	expectedSourceOwnerHeader = "X-Amz-Source-Expected-Bucket-Owner"
)
