package s3api

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/acl"
)

// The headers by which a HeadBucket asks whether something would fit. The key is percent-encoded, as in a path; who names
// one must be allowed to write it.
const (
	checkBytesHeader   = "X-Plimsoll-Quota-Check-Bytes"
	checkObjectsHeader = "X-Plimsoll-Quota-Check-Objects"
	checkKeyHeader     = "X-Plimsoll-Quota-Check-Key"
)

// checkQuota answers a HeadBucket that asks whether something would fit now: nil where it does or nothing is asked, else
// the 507 that it would get. It has no body, so that headers say what the body of another 507 does.
func (rq *request) checkQuota() error {
	bytes, objects := rq.r.Header.Get(checkBytesHeader), rq.r.Header.Get(checkObjectsHeader)
	if bytes == "" && objects == "" || rq.who.Name == "" { // anonymous requests are told nothing
		return nil
	}
	in := backend.CheckQuotaInput{Bucket: rq.bucket}
	var err error
	if bytes != "" {
		if in.Bytes, err = strconv.ParseInt(bytes, 10, 64); err != nil || in.Bytes < 0 {
			return invalidArgument(checkBytesHeader, bytes, "The value must be a number of bytes.")
		}
	}
	if objects != "" {
		if in.Objects, err = strconv.ParseInt(objects, 10, 64); err != nil || in.Objects < 1 {
			return invalidArgument(checkObjectsHeader, objects, "The value must be a number of objects from 1 on.")
		}
	}
	escaped := rq.r.Header.Get(checkKeyHeader)
	key, err := url.PathUnescape(escaped)
	if err != nil || len(key) > backend.MaxKeyBytes {
		return invalidArgument(checkKeyHeader, escaped, "The value must be a key, percent-encoded.")
	}
	if in.Key = meta.Key(key); key != "" {
		// What would be overwritten counts less: how large that is, is not for everybody who may look at the bucket.
		if err := rq.allow(permission{action: "s3:PutObject", grant: acl.Write}, rq.access, in.Key); err != nil {
			return err
		}
	}
	out, err := rq.store().CheckQuota(rq.r.Context(), in)
	if err != nil {
		return err
	}
	if err = out.Err(); err == nil {
		return nil
	}
	e := rq.toError(err)
	unit := "Bytes"
	if exceeded := (*quota.ExceededError)(nil); errors.As(err, &exceeded) && exceeded.Resource == quota.Objects {
		unit = "Objects"
	}
	e.Headers["X-Plimsoll-Quota-Scope"] = e.Quota.Scope
	e.Headers["X-Plimsoll-Quota-Requested-"+unit] = strconv.FormatInt(e.Quota.Requested, 10)
	e.Headers["X-Plimsoll-Quota-Available-"+unit] = strconv.FormatInt(e.Quota.Available, 10)
	return e
}
