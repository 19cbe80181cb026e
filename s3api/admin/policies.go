package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

func (rq *request) policyDocument(p iam.Policy) adminapi.Policy {
	_, canned := policy.Canned(p.Name)
	return adminapi.Policy{
		Name: p.Name, Canned: canned, Updated: p.Updated,
		AttachedTo: append([]string{}, rq.handler.config.Directory.AttachedTo(p.Name)...), // not null
	}
}

func getPolicies(rq *request) error {
	answer := adminapi.Policies{Policies: []adminapi.Policy{}}
	for _, p := range rq.handler.config.Directory.Policies() {
		answer.Policies = append(answer.Policies, rq.policyDocument(p))
	}
	for _, name := range policy.CannedNames() {
		answer.Policies = append(answer.Policies, rq.policyDocument(iam.Policy{Name: name}))
	}
	slices.SortFunc(answer.Policies, func(a, b adminapi.Policy) int { return strings.Compare(a.Name, b.Name) })
	return rq.answer(http.StatusOK, answer)
}

func getPolicy(rq *request) error {
	document, canned := policy.Canned(rq.name)
	if !canned {
		p, err := rq.handler.config.Directory.Policy(rq.name)
		if err != nil {
			return err
		}
		document = p.Document
	}
	rq.w.Header().Set("ETag", etagOf([]byte(document)))
	control.Send(rq.w, http.StatusOK, "application/json", []byte(document))
	return nil
}

func putPolicy(rq *request) error {
	status := http.StatusOK
	p, err := rq.handler.config.Directory.PutPolicy(rq.r.Context(), rq.name, string(rq.body), func(old *iam.Policy) error {
		if old == nil {
			status = http.StatusCreated
			rq.note(nil, json.RawMessage(rq.body))
			return rq.condition("")
		}
		rq.note(json.RawMessage(old.Document), json.RawMessage(rq.body))
		return rq.condition(etagOf([]byte(old.Document)))
	})
	if err != nil {
		return err
	}
	rq.w.Header().Set("ETag", etagOf(rq.body))
	return rq.answer(status, rq.policyDocument(p))
}

func deletePolicy(rq *request) error {
	err := rq.handler.config.Directory.DeletePolicy(rq.r.Context(), rq.name, func(old *iam.Policy) error {
		rq.note(json.RawMessage(old.Document), nil)
		return rq.condition(etagOf([]byte(old.Document)))
	})
	if err != nil {
		return err
	}
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}
