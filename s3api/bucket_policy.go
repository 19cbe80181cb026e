package s3api

import (
	"errors"
	"net/http"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

// maxPolicyBytes is the largest policy of a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
const maxPolicyBytes = 20 << 10

// getBucketPolicy answers GetBucketPolicy with the document as it was put.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html
func getBucketPolicy(rq *request) error {
	document := rq.access.Configs[configPolicy]
	if document == nil {
		return rq.noPolicy()
	}
	return rq.writeDocument(http.StatusOK, "application/json", document)
}

func (rq *request) noPolicy() error {
	return s3err("NoSuchBucketPolicy").with("BucketName", string(rq.bucket))
}

// putBucketPolicy answers PutBucketPolicy.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func putBucketPolicy(rq *request) error {
	document, err := rq.readDocument(maxPolicyBytes)
	if err != nil {
		return err
	}
	compiled, err := policy.CompileBucket(document, string(rq.bucket), rq.handler.config.Directory.Resolve)
	var malformed *policy.Error
	if errors.As(err, &malformed) {
		return s3err("MalformedPolicy", malformed.Message)
	}
	if err != nil {
		return err
	}
	if rq.access.block.BlockPublicPolicy && compiled.IsPublic() {
		return s3err("AccessDenied", "User: "+rq.who.Principal.ARN+" is not authorized to perform: s3:PutBucketPolicy on "+
			"resource: \"arn:aws:s3:::"+string(rq.bucket)+"\" because public policies are prevented by the "+
			"BlockPublicPolicy setting in S3 Block Public Access.")
	}
	return rq.putConfig(configPolicy, document, http.StatusNoContent)
}

// deleteBucketPolicy answers DeleteBucketPolicy.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html
func deleteBucketPolicy(rq *request) error {
	return rq.putConfig(configPolicy, nil, http.StatusNoContent)
}

// getBucketPolicyStatus answers GetBucketPolicyStatus.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html
func getBucketPolicyStatus(rq *request) error {
	if rq.access.policy == nil {
		return rq.noPolicy()
	}
	x := newXML(256)
	x.root("PolicyStatus")
	x.boolean("IsPublic", rq.access.policyPublic)
	x.close("PolicyStatus")
	return rq.writeXML(x)
}
