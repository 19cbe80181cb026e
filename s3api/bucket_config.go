package s3api

import (
	"net/http"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// putConfig stores a configuration of the request's bucket, or removes it where the value is nil, and answers with a
// status and no body.
func (rq *request) putConfig(kind meta.ConfigKind, value []byte, status int) error {
	if err := rq.store().PutBucketConfig(rq.r.Context(), rq.bucket, kind, value); err != nil {
		return err
	}
	return rq.done(status)
}

// done answers with a status and no body.
func (rq *request) done(status int) error {
	if status != http.StatusNoContent {
		rq.w.set("Content-Length", "0")
	}
	rq.w.WriteHeader(status)
	return nil
}
