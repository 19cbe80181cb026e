package s3api

import (
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// abortMultipartUpload lets gofakes3 answer AbortMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func abortMultipartUpload(rq *request) error {
	if rq.query.Get("uploadId") == "" {
		return s3err("NoSuchUpload")
	}
	if err := rq.checkInitiated(); err != nil {
		return err
	}
	return rq.newFront().serve(rq.pick("uploadId"))
}

// checkInitiated compares x-amz-if-match-initiated-time, which is in whole seconds. A time that is still to come is
// passed over, as those of conditional reads are.
func (rq *request) checkInitiated() error {
	wanted, ok := parseTime(headerOf(rq.r.Header, "X-Amz-If-Match-Initiated-Time"))
	if !ok || wanted.After(rq.handler.config.Now()) {
		return nil
	}
	id := meta.UploadID(rq.query.Get("uploadId"))
	upload, _, _, err := rq.store().ListParts(rq.r.Context(), rq.bucket, rq.key, id, 0, 1)
	if err != nil {
		return err
	}
	if !upload.Initiated.Truncate(time.Second).Equal(wanted) {
		return preconditionFailed("If-Match-Initiated-Time")
	}
	return nil
}
