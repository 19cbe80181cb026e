package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/control"
)

// getCheck tells whether what the query asks for would fit now.
func getCheck(rq *request) error {
	in, err := checkQuery(rq.r.URL)
	if err != nil {
		return problem("InvalidArgument", http.StatusBadRequest, control.Sentence(err))
	}
	rq.name = string(in.Bucket) // for the problem of one that is not there
	out, err := rq.handler.config.Store.CheckQuota(rq.r.Context(), in)
	if err != nil {
		return err
	}
	answer := adminapi.QuotaCheck{
		Fits: out.Err() == nil, RequestedBytes: out.Delta.Bytes, RequestedObjects: out.Delta.Objects,
		Scopes: []adminapi.CheckedScope{},
	}
	for _, f := range out.Scopes {
		answer.Scopes = append(answer.Scopes, checkedScope(f))
	}
	return rq.answer(http.StatusOK, answer)
}

func checkedScope(f backend.Fit) adminapi.CheckedScope {
	var (
		exceeded *quota.ExceededError
		full     *backend.InsufficientStorageError
	)
	c := adminapi.CheckedScope{Account: document(f.Account), Fits: f.Err == nil}
	if f.Account.Scope.Kind == quota.Disk {
		c.AvailableBytes = &f.AvailableBytes
	}
	switch {
	case errors.As(f.Err, &exceeded):
		c.Transient = exceeded.Transient
	case errors.As(f.Err, &full):
		c.Transient = full.Transient
	}
	return c
}

// checkQuery reads the query. A parameter that is misspelt would ask for something else: others are refused.
func checkQuery(u *url.URL) (in backend.CheckQuotaInput, err error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return in, errors.New("the query is not validly encoded")
	}
	for name, values := range query {
		value := values[0]
		switch {
		case len(values) > 1:
			return in, fmt.Errorf("%s is given more than once", name)
		case name == "bucket":
			in.Bucket = meta.BucketName(value)
		case name == "key" && len(value) > backend.MaxKeyBytes:
			return in, fmt.Errorf("a key has %d bytes at most", backend.MaxKeyBytes)
		case name == "key":
			in.Key = meta.Key(value)
		case name == "bytes":
			in.Bytes, err = parseFigure(name, value, 0)
		case name == "objects":
			in.Objects, err = parseFigure(name, value, 1)
		default:
			err = fmt.Errorf("%s is not among the parameters: bucket, bytes, objects, key", name)
		}
		if err != nil {
			return in, err
		}
	}
	if in.Bucket == "" || !query.Has("bytes") {
		return in, errors.New("bucket and bytes must be given")
	}
	return in, nil
}

func parseFigure(name, value string, least int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < least {
		return 0, fmt.Errorf("%s is a whole number from %d to 9223372036854775807", name, least)
	}
	return n, nil
}
