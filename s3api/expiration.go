package s3api

import (
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// expiration is x-amz-expiration: when an object that is the latest version of a key expires, and by which rule. Empty
// where it never does.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
func (rq *request) expiration(size int64, modified time.Time, tags []meta.Tag) string {
	rules := rq.access.lifecycle
	if rules == nil {
		return ""
	}
	v := lifecycle.Version{Key: string(rq.key), Size: size, Modified: modified}
	for _, t := range tags {
		v.Tags = append(v.Tags, lifecycle.Tag(t))
	}
	at, rule, ok := rules.Expiration(&v)
	if !ok {
		return ""
	}
	return `expiry-date="` + at.Format(http.TimeFormat) + `", rule-id="` + urlEncode(rule) + `"`
}

// setExpiration tells when an object expires that is the latest version of the request's key.
func (rq *request) setExpiration(o *meta.Object) {
	if value := rq.expiration(o.Size, o.Modified, o.Tags); value != "" {
		rq.w.set("X-Amz-Expiration", value)
	}
}

// setAbortDate tells when an upload that is not finished is aborted, and by which rule.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html
func (rq *request) setAbortDate(initiated time.Time) {
	if rq.access.lifecycle == nil {
		return
	}
	if at, rule, ok := rq.access.lifecycle.AbortsUpload(string(rq.key), initiated); ok {
		rq.w.set("X-Amz-Abort-Date", at.Format(http.TimeFormat))
		rq.w.set("X-Amz-Abort-Rule-Id", rule)
	}
}
