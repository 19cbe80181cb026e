package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"syscall"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// problem returns a refusal. The title is that of the status.
func problem(code string, status int, detail string) *adminapi.Problem {
	return &adminapi.Problem{
		Type: adminapi.ProblemPrefix + code, Title: http.StatusText(status), Status: status, Detail: detail,
	}
}

// toProblem is where the errors of the store and of the directory become HTTP.
func (rq *request) toProblem(err error) *adminapi.Problem {
	var (
		p       *adminapi.Problem
		refusal *control.Refusal
		full    *backend.InsufficientStorageError
	)
	if errors.As(err, &p) {
		return p
	}
	if errors.As(err, &refusal) {
		return problem(refusal.Code, refusal.Status, refusal.Message)
	}
	if p = rq.directoryProblem(err); p != nil {
		return p
	}
	if p = rq.webhookProblem(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, meta.ErrNoSuchBucket):
		return problem("NoSuchBucket", http.StatusNotFound, "There is no bucket "+strconv.Quote(rq.name)+".")
	case errors.Is(err, meta.ErrNoSuchPrefix):
		return problem("NoSuchPrefix", http.StatusNotFound,
			"Prefix "+strconv.Quote(rq.second)+" of bucket "+strconv.Quote(rq.name)+" has no limit.")
	case errors.Is(err, meta.ErrTooManyPrefixes):
		return problem("TooManyPrefixes", http.StatusConflict, "Bucket "+strconv.Quote(rq.name)+" has limits on "+
			strconv.Itoa(meta.MaxPrefixes)+" prefixes already; more there cannot be.")
	case errors.Is(err, meta.ErrBucketExists):
		return problem("BucketAlreadyExists", http.StatusConflict, "Bucket "+strconv.Quote(rq.name)+" exists already.")
	case errors.Is(err, meta.ErrBucketNotEmpty):
		return problem("BucketNotEmpty", http.StatusConflict,
			"Bucket "+strconv.Quote(rq.name)+" holds objects: delete them first.")
	case errors.Is(err, audit.ErrUnavailable) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)):
		return problem("InsufficientStorage", http.StatusInsufficientStorage,
			"The server's disk is full, and what cannot be written to the audit log is not changed.")
	case errors.Is(err, audit.ErrUnavailable):
		return problem("AuditUnavailable", http.StatusServiceUnavailable,
			"The audit log cannot be written or read, and what cannot be written to it is not changed.")
	case errors.Is(err, backend.ErrClosed):
		return problem("ServiceUnavailable", http.StatusServiceUnavailable, "The server is stopping.")
	case errors.As(err, &full):
		return problem("InsufficientStorage", http.StatusInsufficientStorage, "The server's disk is full.")
	default:
		return problem("InternalError", http.StatusInternalServerError,
			"The server failed; its log says more under the request's id.")
	}
}

// directoryProblem returns the problem of an error of the directory, or nil.
func (rq *request) directoryProblem(err error) *adminapi.Problem {
	var (
		invalid   *iam.InvalidError
		malformed *policy.Error
		name      = strconv.Quote(rq.name)
	)
	switch {
	case errors.As(err, &invalid):
		return problem("InvalidArgument", http.StatusBadRequest, control.Sentence(err))
	case errors.As(err, &malformed):
		return problem("MalformedPolicy", http.StatusBadRequest, control.Sentence(malformed))
	case errors.Is(err, iam.ErrNoSuchUser):
		return problem("NoSuchUser", http.StatusNotFound, "There is no user "+name+".")
	case errors.Is(err, iam.ErrUserExists):
		return problem("UserExists", http.StatusConflict, "User "+name+" exists already.")
	case errors.Is(err, iam.ErrNoSuchKey):
		return problem("NoSuchKey", http.StatusNotFound, "There is no access key "+name+".")
	case errors.Is(err, iam.ErrKeyExists):
		return problem("KeyExists", http.StatusConflict, "The access key exists already.")
	case errors.Is(err, iam.ErrNoSuchPolicy):
		return problem("NoSuchPolicy", http.StatusNotFound, control.Sentence(err))
	case errors.Is(err, iam.ErrNotAttached):
		return problem("PolicyNotAttached", http.StatusNotFound, control.Sentence(err))
	case errors.Is(err, iam.ErrPolicyInUse):
		return problem("PolicyInUse", http.StatusConflict, control.Sentence(err))
	case errors.Is(err, iam.ErrReserved):
		return problem("ReservedName", http.StatusConflict, control.Sentence(err))
	case errors.Is(err, iam.ErrNoKeyring):
		return problem("NoKeyring", http.StatusNotImplemented, "The server has no keyring, and keeps no secrets without one.")
	default:
		return nil
	}
}

// fail answers with an error.
func (rq *request) fail(err error) {
	p := *rq.toProblem(err)
	p.Instance = rq.id
	if p.Status == http.StatusInternalServerError {
		rq.handler.config.Log.Error("admin request failed", "request_id", rq.id, "method", rq.r.Method,
			"path", rq.r.URL.Path, "error", err)
	}
	rq.write(p.Status, adminapi.ProblemContentType, p)
}

// answer sends a document.
func (rq *request) answer(status int, document any) error {
	rq.write(status, "application/json", document)
	return nil
}

func (rq *request) write(status int, contentType string, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		panic(err) // documents are structs of strings, numbers and times
	}
	control.Send(rq.w, status, contentType, append(body, '\n'))
}
