package minioadmin

import (
	"errors"
	"net/http"
	"strings"
	"syscall"

	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/control"
)

// recorded lets a call be served, one that changes something between two lines of the audit log: nothing is changed
// before the first is on the disk, and nothing is answered before the second is.
func (rq *request) recorded() error {
	if rq.r.Method == http.MethodGet {
		return rq.call.serve(rq)
	}
	return rq.handler.config.Audit.Do(rq.record(), func() (before, after any, err error) {
		err = rq.call.serve(rq)
		return rq.before, rq.after, err
	}, func(err error) (code string, fault bool) {
		f := toFailed(err)
		return f.Code, f.status == http.StatusInternalServerError
	})
}

// recordDenial records that a request was denied, and why.
func (rq *request) recordDenial(err error) {
	f := toFailed(err)
	if f.status != http.StatusUnauthorized && f.status != http.StatusForbidden {
		return
	}
	r := rq.record()
	r.Code = f.Code
	rq.handler.config.Audit.Denied(r)
}

// record returns what the audit log has of every call. Resources are named as our own admin API names them, as far as the
// parameters say what the call is about.
func (rq *request) record() audit.Record {
	_, name, _ := strings.Cut(strings.TrimPrefix(rq.r.URL.Path, s3api.MinIOAdminPrefix), "/")
	r := audit.Record{
		AccessKey: control.ClaimedKey(rq.r), // where it was not verified, the record has no user
		Remote:    rq.r.RemoteAddr, RequestID: rq.id, Via: "minio", Action: rq.r.Method + " " + name, Resource: name,
	}
	if rq.who != nil {
		r.User = rq.who.Name
	}
	switch key := rq.query("accessKey"); {
	case strings.HasSuffix(name, "-bucket-quota"):
		r.Resource = "quotas/buckets/" + rq.query("bucket")
	case strings.HasSuffix(name, "-canned-policy"):
		r.Resource = "policies/" + rq.query("name")
	case strings.HasSuffix(name, "-service-account") && key != "":
		r.Resource = "keys/" + key
	case rq.query("userOrGroup") != "":
		r.Resource = "users/" + rq.query("userOrGroup")
	case key != "":
		r.Resource = "users/" + key
	}
	return r
}

// auditFailed is the error of a log that cannot be written.
func auditFailed(err error) *failed {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return failure("XMinioStorageFull", http.StatusInsufficientStorage, "The server's disk is full.")
	}
	return failure("XMinioServerNotInitialized", http.StatusServiceUnavailable,
		"The audit log cannot be written, and what cannot be recorded is not changed.")
}
