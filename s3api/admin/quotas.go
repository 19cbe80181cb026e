package admin

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

func getQuotas(rq *request) error {
	answer := adminapi.Quotas{
		Owners: []adminapi.Account{}, Buckets: []adminapi.Account{}, Prefixes: []adminapi.Account{},
	}
	for _, a := range rq.handler.config.Store.Accounts() {
		switch {
		case a.Scope.Kind == quota.Server:
			answer.Server = document(a)
		case a.Limit.Unlimited():
		case a.Scope.Kind == quota.Owner:
			answer.Owners = append(answer.Owners, document(a))
		case a.Scope.Kind == quota.Prefix:
			answer.Prefixes = append(answer.Prefixes, document(a))
		default:
			answer.Buckets = append(answer.Buckets, document(a))
		}
	}
	return rq.answer(http.StatusOK, answer)
}

func getQuota(rq *request) error { return rq.answerLimit() }

// putQuota replaces the limit: what the body leaves out is no limit.
func putQuota(rq *request) error {
	body, err := rq.limit()
	if err != nil {
		return err
	}
	if err := rq.changeLimit(func(quota.Limit) quota.Limit { return body.over(quota.Limit{}) }); err != nil {
		return err
	}
	return rq.answerChanged()
}

// patchQuota changes the figures that the body has. https://www.rfc-editor.org/rfc/rfc7396
func patchQuota(rq *request) error {
	body, err := rq.limit()
	if err != nil {
		return err
	}
	if err := rq.changeLimit(body.over); err != nil {
		return err
	}
	return rq.answerChanged()
}

func deleteQuota(rq *request) error {
	if err := rq.changeLimit(func(quota.Limit) quota.Limit { return quota.Limit{} }); err != nil {
		return err
	}
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}

// changeLimit sets the limit of what the path names to what edit makes of it, if it is as the conditions say. The store
// itself would take that of a user who does not exist.
func (rq *request) changeLimit(edit func(quota.Limit) quota.Limit) error {
	scope := rq.scope()
	if err := checkPrefix(scope); err != nil {
		return err
	}
	return rq.handler.config.Store.ChangeLimit(rq.r.Context(), scope, func(now quota.Limit) (quota.Limit, error) {
		if _, err := rq.account(); err != nil && !errors.Is(err, meta.ErrNoSuchPrefix) {
			return now, err
		}
		if err := rq.condition(limitETag(scope, now)); err != nil {
			return now, err
		}
		after := edit(now)
		rq.note(audit.Limit(scope, now), audit.Limit(scope, after))
		return after, nil
	})
}

// limitETag returns the entity tag of a limit, of what the audit log has of it. What is stored meanwhile does not change
// it.
func limitETag(scope quota.Scope, limit quota.Limit) string {
	return documentETag(audit.Limit(scope, limit))
}

// scope is what the path names: a bucket, a prefix in it, an owner, or the server.
func (rq *request) scope() quota.Scope {
	switch {
	case rq.name == "":
		return quota.ServerScope
	case rq.second != "":
		return quota.PrefixScope(rq.name, rq.second)
	case rq.owner:
		return quota.OwnerScope(rq.name)
	default:
		return quota.BucketScope(rq.name)
	}
}

// account returns the account that the path names. A user has an empty one before the first bucket or limit.
func (rq *request) account() (quota.Account, error) {
	scope := rq.scope()
	account, ok := rq.handler.config.Store.Account(scope)
	switch {
	case ok:
		return account, nil
	case scope.Kind == quota.Prefix:
		if err := rq.handler.config.Store.HeadBucket(rq.r.Context(), meta.BucketName(scope.Name)); err != nil {
			return quota.Account{}, err
		}
		return quota.Account{}, meta.ErrNoSuchPrefix
	case scope.Kind != quota.Owner:
		return quota.Account{}, meta.ErrNoSuchBucket
	case scope.Name != iam.RootName:
		if _, err := rq.handler.config.Directory.User(scope.Name); err != nil {
			return quota.Account{}, err
		}
	}
	return quota.Account{Scope: scope}, nil
}

func (rq *request) answerAccount(status int) error {
	account, err := rq.account()
	if err != nil {
		return err
	}
	return rq.answer(status, document(account))
}

// answerChanged is answerLimit after a change. A prefix without a limit has no account any more.
func (rq *request) answerChanged() error {
	err := rq.answerLimit()
	if errors.Is(err, meta.ErrNoSuchPrefix) {
		rq.w.Header().Set("ETag", limitETag(rq.scope(), quota.Limit{}))
		return rq.answer(http.StatusOK, document(quota.Account{Scope: rq.scope()}))
	}
	return err
}

// answerLimit answers with the account, under the ETag of its limit.
func (rq *request) answerLimit() error {
	account, err := rq.account()
	if err != nil {
		return err
	}
	rq.w.Header().Set("ETag", limitETag(account.Scope, account.Limit))
	return rq.answer(http.StatusOK, document(account))
}

// document is an account as the API shows it.
func document(a quota.Account) adminapi.Account {
	d := adminapi.Account{
		Scope: string(a.Scope.Kind), Name: a.Scope.Name, Prefix: a.Scope.Prefix,
		MaxBytes: a.Limit.MaxBytes, MaxObjects: a.Limit.MaxObjects,
		UsedBytes: a.Usage.Bytes, Objects: a.Usage.Objects,
		NoncurrentObjects: a.Usage.Noncurrent, DeleteMarkers: a.Usage.Markers,
		PartBytes: a.Usage.PartBytes, Uploads: a.Usage.Uploads,
		// What a body holds may be less than nothing, where it will replace a larger object.
		ReservedBytes: max(0, a.Reserved.Bytes+a.Reserved.PartBytes),
		Counting:      a.Counting, CountedTo: a.CountedTo,
	}
	bytes, objects := a.Available()
	if bytes >= 0 {
		d.AvailableBytes = &bytes
	}
	if objects >= 0 {
		d.AvailableObjects = &objects
	}
	return d
}

// figure is a figure of a limit as a body has it: left out, null, or a number.
type figure struct {
	given bool
	value int64
}

// UnmarshalJSON implements json.Unmarshaler; it is called for null as well.
func (f *figure) UnmarshalJSON(raw []byte) error {
	*f = figure{given: true}
	if string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, &f.value); err != nil || f.value < 0 {
		return errFigure
	}
	return nil
}

var errFigure = errors.New("a limit is a whole number from 0, which means none, to 9223372036854775807")

// limitBody is the body that sets a limit.
type limitBody struct {
	MaxBytes   figure `json:"max_bytes"`
	MaxObjects figure `json:"max_objects"`
}

// over returns limit with what the body has.
func (b limitBody) over(limit quota.Limit) quota.Limit {
	if b.MaxBytes.given {
		limit.MaxBytes = b.MaxBytes.value
	}
	if b.MaxObjects.given {
		limit.MaxObjects = b.MaxObjects.value
	}
	return limit
}

// limit reads the body.
func (rq *request) limit() (limitBody, error) {
	return decode[limitBody](rq, "max_bytes and max_objects")
}
