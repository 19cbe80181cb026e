package s3api

const (
	pleaseAuthenticate = "Anonymous users cannot invoke this API. Please authenticate."
	noOwnershipFor     = " does not support Anonymous requests!"
)

// signedOnly are the operations that S3 refuses to anonymous requests whatever policies and lists allow, and its words.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
var signedOnly = map[string]string{
	"CreateBucket":                  pleaseAuthenticate,
	"PutBucketAcl":                  pleaseAuthenticate,
	"PutObjectAcl":                  pleaseAuthenticate,
	"SelectObjectContent":           pleaseAuthenticate,
	"CopyObject":                    "Anonymous users cannot copy objects. Please authenticate.",
	"CreateMultipartUpload":         "Anonymous users cannot initiate multipart uploads. Please authenticate.",
	"GetBucketOwnershipControls":    "s3:GetBucketOwnershipControls" + noOwnershipFor,
	"PutBucketOwnershipControls":    "s3:PutBucketOwnershipControls" + noOwnershipFor,
	"DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls" + noOwnershipFor,
}

// refuseAnonymous refuses an anonymous request for what only signed ones may do.
func (rq *request) refuseAnonymous() error {
	if rq.identity != nil {
		return nil
	}
	if message, ok := signedOnly[rq.op.name]; ok {
		return s3err("AccessDenied", message)
	}
	return nil
}

// refuseOutsiders refuses the operations on a bucket's policy to those whom it allows them and who do not belong to the
// account: here that is who is anonymous.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func (rq *request) refuseOutsiders() error {
	if rq.identity != nil {
		return nil
	}
	switch rq.op.name {
	case "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy":
		return s3err("MethodNotAllowed").with("Method", rq.r.Method).with("ResourceType", "BUCKETPOLICY")
	}
	return nil
}
