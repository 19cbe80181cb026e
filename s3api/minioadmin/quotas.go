package minioadmin

import (
	"math"
	"net/http"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/audit"
)

// hard is the only type of quota that MinIO has left, and all that Plimsoll has.
const hard = "hard"

// bucketQuota is the limit of a bucket: madmin-go v3 writes it as quota and v4 as size, mc reads either. Rate and
// requests are limits of traffic.
type bucketQuota struct {
	Quota    uint64 `json:"quota"`
	Size     uint64 `json:"size"`
	Rate     uint64 `json:"rate"`
	Requests uint64 `json:"requests"`
	Type     string `json:"quotatype,omitempty"`
}

// bucket returns the account of the bucket that the request names.
func (rq *request) bucket() (quota.Account, error) {
	account, ok := rq.handler.config.Store.Account(quota.BucketScope(rq.query("bucket")))
	if !ok {
		return quota.Account{}, meta.ErrNoSuchBucket
	}
	return account, nil
}

func getBucketQuota(rq *request) error {
	account, err := rq.bucket()
	if err != nil {
		return err
	}
	return rq.answer(quotaOf(account.Limit))
}

func quotaOf(l quota.Limit) bucketQuota {
	q := bucketQuota{Quota: uint64(l.MaxBytes), Size: uint64(l.MaxBytes)}
	if l.MaxBytes > 0 {
		q.Type = hard
	}
	return q
}

// setBucketQuota sets the limit of bytes, where 0 removes it; a limit of objects, which MinIO does not have, stays.
func setBucketQuota(rq *request) error {
	q, err := decode[bucketQuota](rq.body)
	if err != nil {
		return err
	}
	size := q.Size
	if size == 0 {
		size = q.Quota
	}
	switch {
	case q.Quota != 0 && q.Size != 0 && q.Quota != q.Size:
		return invalid("quota and size are two names of one figure, and differ.")
	case q.Type != "" && q.Type != hard:
		return invalid(`The only type of quota is "hard".`)
	case q.Rate != 0 || q.Requests != 0:
		return failure("NotImplemented", http.StatusNotImplemented, "Plimsoll has no limits of rate and requests.")
	case size > math.MaxInt64:
		return invalid("A quota is at most 9223372036854775807 bytes.")
	}
	lock := rq.handler.config.Store.LimitLock()
	lock.Lock()
	defer lock.Unlock()
	account, err := rq.bucket()
	if err != nil {
		return err
	}
	before := account.Limit
	account.Limit.MaxBytes = int64(size)
	if err := rq.handler.config.Store.SetLimit(rq.r.Context(), account.Scope, account.Limit); err != nil {
		return err
	}
	rq.before, rq.after = audit.Limit(account.Scope, before), audit.Limit(account.Scope, account.Limit)
	return rq.done(http.StatusOK)
}
