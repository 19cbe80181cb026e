package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// statement is a policy document with an action.
func statement(action string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "` + action + `", "Resource": "*"}]}`
}

func TestPolicies(t *testing.T) {
	f := newFixture(t)
	reader := statement("s3:GetObject")
	p, header := document[adminapi.Policy](f, f.signed("PUT", "policies/reader", reader), http.StatusCreated)
	if p.Name != "reader" || p.Canned || p.Updated.IsZero() || p.AttachedTo == nil {
		t.Errorf("made %+v", p)
	}
	got := f.do(f.signed("GET", "policies/reader", ""))
	if string(got.body) != reader || got.header.Get("ETag") != header.Get("ETag") ||
		got.header.Get("Content-Type") != "application/json" {
		t.Errorf("get: %s %s", got.header, got.body)
	}
	f.user("PUT", "users/alice", `{"policies": ["reader"]}`, http.StatusCreated)
	all, _ := document[adminapi.Policies](f, f.signed("GET", "policies", ""), http.StatusOK)
	canned := 0
	for i, p := range all.Policies {
		if i > 0 && all.Policies[i-1].Name >= p.Name {
			t.Errorf("%s stands before %s", all.Policies[i-1].Name, p.Name)
		}
		if p.Canned {
			canned++
		} else if p.Name != "reader" || len(p.AttachedTo) != 1 || p.AttachedTo[0] != "alice" {
			t.Errorf("list: %+v", p)
		}
	}
	if canned == 0 || canned != len(all.Policies)-1 {
		t.Errorf("%d of %d policies are canned", canned, len(all.Policies))
	}
	if body := string(f.do(f.signed("GET", "policies/readonly", "")).body); !strings.Contains(body, "s3:GetObject") {
		t.Errorf("readonly: %s", body)
	}

	p2 := f.refused(f.signed("DELETE", "policies/reader", ""), http.StatusConflict, "PolicyInUse")
	if !strings.Contains(p2.Detail, "alice") {
		t.Errorf("who has it is not said: %s", p2.Detail)
	}
	for _, refused := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "policies/nope", "", 404, "NoSuchPolicy"},
		{"DELETE", "policies/nope", "", 404, "NoSuchPolicy"},
		{"PUT", "policies/readonly", reader, 409, "ReservedName"},
		{"DELETE", "policies/readonly", "", 409, "ReservedName"},
		{"PUT", "policies/a%20b", reader, 400, "InvalidArgument"},
		{"PUT", "policies/p", "", 400, "MalformedPolicy"},
		{"PUT", "policies/p", "{}", 400, "MalformedPolicy"},
		{"PUT", "policies/p", strings.Replace(statement("s3:*"), "Allow", "Permit", 1), 400, "MalformedPolicy"},
	} {
		f.refused(f.signed(refused.method, refused.path, refused.body), refused.status, refused.code)
	}
	p2 = f.refused(f.signed("PUT", "policies/p", statement("nonsense")), http.StatusBadRequest, "MalformedPolicy")
	if p2.Detail != "Statement 0: Policy has invalid action." {
		t.Errorf("detail is %q", p2.Detail)
	}
	f.user("DELETE", "users/alice/policies/reader", "", http.StatusOK)
	f.deleted(f.signed("DELETE", "policies/reader", ""))
}

func TestPolicyConditions(t *testing.T) {
	f := newFixture(t)
	put := func(action string) *http.Request { return f.signed("PUT", "policies/p", statement(action)) }
	f.refused(with(put("s3:*"), "If-Match", "*"), http.StatusPreconditionFailed, "PreconditionFailed")
	_, header := document[adminapi.Policy](f, with(put("s3:*"), "If-None-Match", "*"), http.StatusCreated)
	first := header.Get("ETag")
	f.refused(with(put("s3:Get*"), "If-None-Match", "*"), http.StatusPreconditionFailed, "PreconditionFailed")
	_, header = document[adminapi.Policy](f, with(put("s3:Get*"), "If-Match", first), http.StatusOK)
	second := header.Get("ETag")
	f.refused(with(put("s3:Put*"), "If-Match", first), http.StatusPreconditionFailed, "PreconditionFailed")
	f.refused(with(f.signed("DELETE", "policies/p", ""), "If-Match", first),
		http.StatusPreconditionFailed, "PreconditionFailed")
	if got := f.do(f.signed("GET", "policies/p", "")); string(got.body) != statement("s3:Get*") || first == second {
		t.Errorf("%s, ETags %s and %s", got.body, first, second)
	}
	f.deleted(with(f.signed("DELETE", "policies/p", ""), "If-Match", second))
}

// A stored policy is in force at once, for requests of the admin API as well.
func TestPolicyInForce(t *testing.T) {
	f := newFixture(t)
	document[adminapi.Policy](f, f.signed("PUT", "policies/p", statement("s3:*")), http.StatusCreated)
	f.user("PUT", "users/alice", `{"policies": ["p"]}`, http.StatusCreated)
	k := f.key("users/alice/keys", "")
	f.refused(f.signedBy(k.AccessKey, k.SecretKey, "GET", "users", ""), http.StatusForbidden, "AccessDenied")
	document[adminapi.Policy](f, f.signed("PUT", "policies/p", statement("admin:Administer")), http.StatusOK)
	document[adminapi.Users](f, f.signedBy(k.AccessKey, k.SecretKey, "GET", "users", ""), http.StatusOK)
}
