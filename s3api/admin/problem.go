package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// problem returns a refusal. The title is that of the status.
func problem(code string, status int, detail string) *adminapi.Problem {
	return &adminapi.Problem{
		Type: adminapi.ProblemPrefix + code, Title: http.StatusText(status), Status: status, Detail: detail,
	}
}

// toProblem is where the store's errors become HTTP.
func (rq *request) toProblem(err error) *adminapi.Problem {
	var (
		p    *adminapi.Problem
		full *backend.InsufficientStorageError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, meta.ErrNoSuchBucket):
		return problem("NoSuchBucket", http.StatusNotFound, "There is no bucket "+strconv.Quote(rq.name)+".")
	case errors.Is(err, meta.ErrBucketExists):
		return problem("BucketAlreadyExists", http.StatusConflict, "Bucket "+strconv.Quote(rq.name)+" exists already.")
	case errors.Is(err, meta.ErrBucketNotEmpty):
		return problem("BucketNotEmpty", http.StatusConflict,
			"Bucket "+strconv.Quote(rq.name)+" holds objects: delete them first.")
	case errors.Is(err, backend.ErrClosed):
		return problem("ServiceUnavailable", http.StatusServiceUnavailable, "The server is stopping.")
	case errors.As(err, &full):
		return problem("InsufficientStorage", http.StatusInsufficientStorage, "The server's disk is full.")
	default:
		return problem("InternalError", http.StatusInternalServerError,
			"The server failed; its log says more under the request's id.")
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
	body = append(body, '\n')
	header := rq.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	rq.w.WriteHeader(status)
	_, _ = rq.w.Write(body) // the client may be gone
}
