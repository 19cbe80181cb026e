package admin

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/control"
)

// note keeps what the request changes for the audit log: as it was, and as it is; nil where it was not, or is no more.
// There are no secrets in it.
func (rq *request) note(before, after any) { rq.before, rq.after, rq.noted = before, after, true }

// record returns what the audit log has of every request.
func (rq *request) record() audit.Record {
	r := audit.Record{
		AccessKey: rq.accessKey, Remote: rq.r.RemoteAddr, RequestID: rq.id, Via: "admin", Action: rq.r.Method,
		Resource: strings.TrimPrefix(rq.r.URL.EscapedPath(), adminapi.Prefix),
	}
	if rq.who != nil {
		r.User = rq.who.Name
	}
	return r
}

// recordDenial records that the request was denied, and why. Who asked for something that could not be understood was
// denied nothing.
func (rq *request) recordDenial(err error) {
	p := rq.toProblem(err)
	if p.Status != http.StatusUnauthorized && p.Status != http.StatusForbidden {
		return
	}
	r := rq.record()
	r.Code = p.Code()
	if r.AccessKey == "" {
		r.AccessKey = control.ClaimedKey(rq.r) // told apart by having no user
	}
	rq.handler.config.Audit.Denied(r)
}

// recorded lets the request be answered by what changes something, between two lines of the audit log: nothing is
// changed before the first is on the disk, and nothing is answered before the second is.
func (rq *request) recorded(t *route, change func(*request) error) error {
	var get func(*request) error
	if rq.r.Method != http.MethodPost && rq.handler.config.Audit != nil {
		get = t.methods[http.MethodGet]
	}
	held := &heldAnswer{to: rq.w, header: make(http.Header)}
	err := rq.handler.config.Audit.Do(rq.record(), func() (before, after any, err error) {
		before = rq.representation(get)
		rq.w = held
		err = change(rq)
		rq.w = held.to
		switch {
		case err != nil:
			return nil, nil, err
		case rq.noted:
			return rq.before, rq.after, nil
		}
		return before, rq.representation(get), nil
	}, func(err error) (code string, fault bool) {
		p := rq.toProblem(err)
		return p.Code(), p.Status == http.StatusInternalServerError
	})
	if err == nil {
		held.release()
	}
	return err
}

// representation returns what get answers, if it is a document, or nil.
func (rq *request) representation(get func(*request) error) any {
	if get == nil {
		return nil
	}
	asked := *rq
	held := &heldAnswer{header: make(http.Header)}
	asked.w = held
	if err := get(&asked); err != nil || !json.Valid(held.body.Bytes()) {
		return nil
	}
	return json.RawMessage(bytes.TrimSpace(held.body.Bytes()))
}

// heldAnswer keeps an answer until it may be sent.
type heldAnswer struct {
	to     http.ResponseWriter
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *heldAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// release sends the answer.
func (a *heldAnswer) release() {
	header := a.to.Header()
	for name, values := range a.header {
		header[name] = values
	}
	a.to.WriteHeader(max(a.status, http.StatusOK))
	_, _ = a.to.Write(a.body.Bytes()) // the client may be gone
}

// defaultAuditRecords is the limit where none is given.
const defaultAuditRecords = 100

// getAudit tells a page of the audit log.
func getAudit(rq *request) error {
	values, err := rq.parameters("after", "limit", "user", "since")
	if err != nil {
		return err
	}
	after, err := integer(values, "after", 0, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	limit, err := integer(values, "limit", defaultAuditRecords, 1, adminapi.MaxAuditRecords)
	if err != nil {
		return err
	}
	filter := audit.Filter{User: values.Get("user")}
	if values.Has("since") {
		if filter.Since, err = time.Parse(time.RFC3339, values.Get("since")); err != nil {
			return invalidArgument("since is not a time such as 2026-05-01T12:00:00Z.")
		}
	}
	page, err := rq.handler.config.Audit.Read(rq.r.Context(), uint64(after), int(limit), filter)
	if err != nil {
		return err
	}
	return rq.answer(http.StatusOK, page)
}
