package s3api

import (
	"strings"

	"github.com/plimsoll/plimsoll/s3api/iam"
)

// expectedOwnerHeaders name the account that the client takes for the owner of a bucket: of the request's, and of a
// copy's source. All buckets belong to one account.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
var expectedOwnerHeaders = []string{"X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner"}

// checkExpectedOwners refuses a request that takes a bucket for somebody else's.
func (rq *request) checkExpectedOwners() error {
	for _, header := range expectedOwnerHeaders {
		values, ok := rq.r.Header[header]
		switch {
		case !ok || len(values) == 0 || values[0] == iam.AccountID:
		case len(values[0]) != len(iam.AccountID) || strings.Trim(values[0], "0123456789") != "":
			return s3err("InvalidBucketOwnerAWSAccountID",
				"The value of the expected bucket owner parameter must be an AWS Account ID... ["+values[0]+"]")
		default:
			return s3err("AccessDenied")
		}
	}
	return nil
}
