package minioadmin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/minioadmin/sealed"
)

func sealedBy(by account, text string) []byte { return sealed.Seal(by.secret, []byte(text)) }

func TestPolicies(t *testing.T) {
	f := newFixture(t)
	const document1 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/*"]}]}`
	const document2 = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"}}`
	f.call(root, "PUT", "add-canned-policy?name=readers", document1).ok()
	f.call(root, "GET", "info-canned-policy?name=readers", "").is(document1)
	info := document[struct {
		PolicyName             string
		Policy                 struct{ Version string }
		CreateDate, UpdateDate time.Time
	}](f.call(root, "GET", "info-canned-policy?name=readers&v=2", ""))
	if info.PolicyName != "readers" || info.Policy.Version != "2012-10-17" || time.Since(info.UpdateDate) > time.Minute {
		t.Errorf("info-canned-policy: %+v", info)
	}
	f.call(root, "PUT", "add-canned-policy?name=readers", document2).ok()
	all := document[map[string]any](f.call(root, "GET", "list-canned-policies", ""))
	for _, name := range []string{"readers", "readonly", "readwrite", "writeonly", "diagnostics", "consoleAdmin"} {
		if all[name] == nil {
			t.Errorf("list-canned-policies lacks %s", name)
		}
	}

	f.call(root, "PUT", "add-canned-policy?name=readonly", document1).refused(400, "XMinioAdminInvalidArgument", "comes with the server")
	f.call(root, "DELETE", "remove-canned-policy?name=readonly", "").refused(400, "XMinioAdminInvalidArgument", "comes with the server")
	f.call(root, "PUT", "add-canned-policy?name=bad", `{"Version":"2012-10-17","Statement":[]}`).refused(400, "MalformedPolicy", "")
	f.call(root, "PUT", "add-canned-policy?name=a%2Fb", document1).refused(400, "XMinioAdminInvalidArgument", "policy name")
	f.call(root, "GET", "info-canned-policy?name=none&v=2", "").refused(404, "XMinioAdminNoSuchPolicy", "does not exist")
	f.call(root, "DELETE", "remove-canned-policy?name=none", "").refused(404, "XMinioAdminNoSuchPolicy", "does not exist")

	f.user("alice", "readers")
	f.call(root, "DELETE", "remove-canned-policy?name=readers", "").refused(400, "XMinioIAMPolicyInUse", "in use")
	f.call(root, "PUT", "set-user-or-group-policy?userOrGroup=alice&policyName=&isGroup=false", "").ok()
	f.call(root, "DELETE", "remove-canned-policy?name=readers", "").ok()
}

func TestAssociations(t *testing.T) {
	f := newFixture(t)
	f.user("alice", "readonly")
	f.user("bob")
	type associated struct{ PoliciesAttached, PoliciesDetached []string }
	associate := func(how, body string) answer { return f.sealed(root, "POST", "idp/builtin/policy/"+how, body) }

	done := document[associated](associate("attach", `{"policies":["readwrite","readonly"],"user":"alice"}`).opened())
	if !slices.Equal(done.PoliciesAttached, []string{"readwrite"}) {
		t.Errorf("attached: %+v", done)
	}
	associate("attach", `{"policies":["readwrite"],"user":"alice"}`).refused(400, "XMinioAdminPolicyChangeAlreadyApplied", "already")
	done = document[associated](associate("detach", `{"policies":["diagnostics","readonly"],"user":"alice"}`).opened())
	if !slices.Equal(done.PoliciesDetached, []string{"readonly"}) {
		t.Errorf("detached: %+v", done)
	}
	associate("detach", `{"policies":["readonly"],"user":"alice"}`).refused(400, "XMinioAdminPolicyChangeAlreadyApplied", "already")
	associate("attach", `{"policies":["none"],"user":"alice"}`).refused(404, "XMinioAdminNoSuchPolicy", "")
	associate("attach", `{"policies":["readonly"],"user":"nobody"}`).refused(404, "XMinioAdminNoSuchUser", "")
	associate("attach", `{"policies":[],"user":"alice"}`).refused(400, "XMinioAdminInvalidArgument", "")
	associate("attach", `{"policies":["readonly"]}`).refused(400, "XMinioAdminInvalidArgument", "")

	type entities struct {
		UserMappings []struct {
			User     string
			Policies []string
		}
		PolicyMappings []struct {
			Policy string
			Users  []string
		}
	}
	got := document[entities](f.call(root, "GET", "idp/builtin/policy-entities", "").opened())
	if len(got.UserMappings) != 1 || got.UserMappings[0].User != "alice" || len(got.PolicyMappings) != 1 ||
		got.PolicyMappings[0].Policy != "readwrite" || !slices.Equal(got.PolicyMappings[0].Users, []string{"alice"}) {
		t.Errorf("all entities: %+v", got)
	}
	got = document[entities](f.call(root, "GET", "idp/builtin/policy-entities?user=bob&policy=readonly", "").opened())
	if len(got.UserMappings) != 1 || len(got.UserMappings[0].Policies) != 0 || len(got.PolicyMappings) != 1 || len(got.PolicyMappings[0].Users) != 0 {
		t.Errorf("entities of bob and readonly: %+v", got)
	}
}

// TestJoinedPolicy: what a key without a policy of its own may do is told as one document.
func TestJoinedPolicy(t *testing.T) {
	f := newFixture(t)
	f.call(root, "PUT", "add-canned-policy?name=one",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"}}`).ok()
	f.user("alice", "one", "writeonly")
	f.user("bob")
	for _, user := range []string{"alice", "bob"} {
		f.sealed(root, "PUT", "add-service-account", `{"targetUser":"`+user+`","accessKey":"key-`+user+`"}`).ok()
	}
	policyOf := func(user string) string {
		return document[keyInfo](f.call(root, "GET", "info-service-account?accessKey=key-"+user, "").opened()).Policy
	}
	answer{f: f, status: 200, body: []byte(policyOf("alice"))}.is(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"},
		{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::*"]}]}`)
	answer{f: f, status: 200, body: []byte(policyOf("bob"))}.is(`{"Version":"2012-10-17","Statement":[]}`)
}
