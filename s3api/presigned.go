package s3api

import (
	"net/http"
	"slices"
	"strings"
)

// hoisted are the parameters of presigned URLs that mean the header of that name, beside user metadata: SDKs move headers
// there, so that whoever uses the URL need not send them. S3 does not take all of them: tags, locks and checksums in a
// query are ignored, and aws-sdk-js relies on it (it has the checksum of an empty body there).
var hoisted = []string{
	"x-amz-acl", "x-amz-checksum-mode", "x-amz-expected-bucket-owner", "x-amz-grant-full-control", "x-amz-grant-read",
	"x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-server-side-encryption",
	"x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-bucket-key-enabled",
	"x-amz-storage-class", "x-amz-website-redirect-location",
}

// customerKeyPrefix begins the names of the headers with a customer's key. Whoever sends them in a query asks for encryption
// that S3 does not give: it wants them as headers, and to store the object in the clear would be a silent lie.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
const customerKeyPrefix = "x-amz-server-side-encryption-customer-"

// hoistHeaders gives a request with a presigned URL the headers that stand in its query. A header that is sent wins: it
// is signed as well.
func (rq *request) hoistHeaders() error {
	if rq.identity == nil || !rq.identity.Presigned {
		return nil
	}
	var header http.Header
	for name, values := range rq.query {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, customerKeyPrefix) && rq.r.Header.Get(name) == "" {
			return invalidArgument(name, "", "A customer's key is sent in headers, also with a presigned URL.")
		}
		if !strings.HasPrefix(name, "x-amz-meta-") && !slices.Contains(hoisted, name) {
			continue
		}
		if rq.r.Header.Get(name) != "" {
			continue
		}
		if !isHeaderText(name, values[0]) {
			return invalidArgument(name, values[0], "The parameter cannot be a header.")
		}
		if header == nil {
			header = rq.r.Header.Clone()
		}
		header.Set(name, values[0])
	}
	if header != nil {
		r := *rq.r
		r.Header = header
		rq.r = &r
	}
	return nil
}
