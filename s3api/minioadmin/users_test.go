package minioadmin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

type userInfo struct {
	PolicyName, Status string
	UserAuthInfo       struct{ Type string }
}

func TestUsers(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	alice := f.user("alice")
	if status := f.put(alice, "photos/a"); status != http.StatusForbidden {
		t.Errorf("PUT without a policy: %d", status)
	}
	f.call(root, "PUT", "set-user-or-group-policy?isGroup=false&userOrGroup=alice&policyName=readonly,readwrite", "").ok()
	if status := f.put(alice, "photos/a"); status != http.StatusOK {
		t.Errorf("PUT with readwrite: %d", status)
	}
	info := document[userInfo](f.call(root, "GET", "user-info?accessKey=alice", ""))
	if info.Status != "enabled" || info.PolicyName != "readonly,readwrite" || info.UserAuthInfo.Type != "builtin" {
		t.Errorf("user-info: %+v", info)
	}
	users := document[map[string]userInfo](f.call(root, "GET", "list-users", "").opened())
	if len(users) != 1 || users["alice"] != info {
		t.Errorf("list-users: %+v", users)
	}

	f.call(root, "PUT", "set-user-status?accessKey=alice&status=disabled", "").ok()
	if status := f.put(alice, "photos/a"); status != http.StatusForbidden {
		t.Errorf("PUT of a disabled user: %d", status)
	}
	f.call(root, "PUT", "set-user-status?accessKey=alice&status=enabled", "").ok()

	// Adding a user who is there gives them another secret, and the policies if some are named.
	f.sealed(root, "PUT", "add-user?accessKey=alice", `{"secretKey":"another-secret","status":"enabled"}`).ok()
	if status := f.put(alice, "photos/a"); status != http.StatusForbidden {
		t.Errorf("PUT with the old secret: %d", status)
	}
	alice.secret = "another-secret"
	if status := f.put(alice, "photos/a"); status != http.StatusOK {
		t.Errorf("PUT with the new secret: %d", status)
	}
	f.sealed(root, "PUT", "add-user?accessKey=alice", `{"secretKey":"another-secret","policy":"readonly","status":"disabled"}`).ok()
	info = document[userInfo](f.call(root, "GET", "user-info?accessKey=alice", ""))
	if info.Status != "disabled" || info.PolicyName != "readonly" {
		t.Errorf("changed: %+v", info)
	}

	f.call(root, "DELETE", "remove-user?accessKey=alice", "").ok()
	for _, call := range []string{
		"GET user-info?accessKey=alice", "DELETE remove-user?accessKey=alice", "PUT set-user-status?accessKey=alice&status=enabled",
		"PUT set-user-or-group-policy?userOrGroup=alice&policyName=readonly", "GET list-service-accounts?user=alice",
		"GET list-access-keys-bulk?users=alice",
	} {
		method, name, _ := strings.Cut(call, " ")
		f.call(root, method, name, "").refused(404, "XMinioAdminNoSuchUser", "does not exist")
	}
	if keys := f.users.Keys(""); len(keys) != 0 {
		t.Errorf("keys are left: %v", keys)
	}
}

func TestUsersRefuses(t *testing.T) {
	f := newFixture(t)
	f.user("alice")
	add := func(name, body string) answer { return f.sealed(root, "PUT", "add-user?accessKey="+name, body) }
	const good = `{"secretKey":"long-enough","status":"enabled"}`
	add("rootkey", good).refused(403, "XMinioInvalidIAMCredentials", "admin access key")
	add("root", good).refused(403, "XMinioIAMActionNotAllowed", "belongs to the server")
	for _, name := range []string{"", "ab", "a%2Fb", "a%3Db", "a%2Cb", "with%20blank", strings.Repeat("a", 65)} {
		add(name, good).refused(400, "XMinioAdminInvalidAccessKey", "3 to 64")
	}
	add("bob", `{"secretKey":"short"}`).refused(400, "XMinioAdminInvalidSecretKey", "8 to")
	add("bob", `{}`).refused(400, "XMinioAdminInvalidSecretKey", "needs one")
	add("bob", `{"secretKey":"long-enough","status":"asleep"}`).refused(400, "XMinioAdminInvalidArgument", "enabled or disabled")
	add("bob", `{"secretKey":"long-enough","policy":"none-such"}`).refused(404, "XMinioAdminNoSuchPolicy", "does not exist")
	add("bob", `not JSON`).refused(400, "XMinioAdminConfigBadJSON", "")
	f.call(root, "PUT", "add-user?accessKey=bob", good).refused(400, "XMinioAdminConfigBadJSON", "not encrypted")
	other := account{root.key, "not the secret"}
	f.call(root, "PUT", "add-user?accessKey=bob", string(sealedBy(other, good))).refused(400, "XMinioAdminConfigBadJSON", "not encrypted with the secret")
	f.call(root, "PUT", "set-user-status?accessKey=alice&status=", "").refused(400, "XMinioAdminInvalidArgument", "")
	if users := f.users.Users(); len(users) != 1 {
		t.Errorf("users: %v", users)
	}

	// An access key that another user has cannot become a user's.
	f.sealed(root, "PUT", "add-service-account", `{"targetUser":"alice","accessKey":"carol","secretKey":"long-enough"}`).ok()
	add("carol", good).refused(409, "XMinioIAMServiceAccountUsed", "in use")

	// A user who owns buckets stays, with their limit, until those are gone.
	f.bucket("hers", "alice")
	scope := quota.OwnerScope("alice")
	if err := f.store.SetLimit(context.Background(), scope, quota.Limit{MaxBytes: 5}); err != nil {
		t.Fatal(err)
	}
	f.call(root, "DELETE", "remove-user?accessKey=alice", "").refused(409, "UserOwnsBuckets", `"alice" owns bucket "hers". Remove`)
	if err := f.store.DeleteBucket(context.Background(), "hers"); err != nil {
		t.Fatal(err)
	}
	f.call(root, "DELETE", "remove-user?accessKey=alice", "").ok()
	if a, ok := f.store.Account(scope); ok {
		t.Errorf("the limit is left: %+v", a)
	}
}

type keyInfo struct {
	ParentUser, AccountStatus, AccessKey, Name, Description, Policy string
	ImpliedPolicy                                                   bool
	Expiration                                                      time.Time
}

func TestServiceAccounts(t *testing.T) {
	f := newFixture(t)
	f.bucket("photos", iam.RootName)
	f.bucket("other", iam.RootName)
	alice := f.user("alice", "readwrite")
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	created := document[struct {
		Credentials struct {
			AccessKey, SecretKey string
			Expiration           time.Time
		}
	}](f.sealed(root, "PUT", "add-service-account", `{"targetUser":"alice","accessKey":"alicekey","secretKey":"alicesecret",
		"name":"backup","description":"of the laptop","expiration":"`+expires.Format(time.RFC3339)+`"}`).opened())
	if c := created.Credentials; c.AccessKey != "alicekey" || c.SecretKey != "alicesecret" || !c.Expiration.Equal(expires) {
		t.Errorf("created: %+v", c)
	}
	key := account{"alicekey", "alicesecret"}
	if status := f.put(key, "other/a"); status != http.StatusOK {
		t.Errorf("PUT with the key: %d", status)
	}
	info := document[keyInfo](f.call(alice, "GET", "info-service-account?accessKey=alicekey", "").opened())
	want := keyInfo{"alice", "on", "alicekey", "backup", "of the laptop", info.Policy, true, expires}
	if info != want || !strings.Contains(info.Policy, `"s3:*"`) {
		t.Errorf("info: %+v", info)
	}

	// A policy of its own bounds the key, whatever the user may do.
	const bound = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::photos/*"]}]}`
	f.sealed(root, "POST", "update-service-account?accessKey=alicekey",
		`{"newPolicy":`+bound+`,"newName":"other","newSecretKey":"newsecret","newExpiration":"1970-01-01T00:00:00Z"}`).ok()
	key.secret = "newsecret"
	if photos, other := f.put(key, "photos/a"), f.put(key, "other/a"); photos != http.StatusOK || other != http.StatusForbidden {
		t.Errorf("PUT with a bounded key: %d in photos, %d elsewhere", photos, other)
	}
	info = document[keyInfo](f.call(root, "GET", "info-access-key?accessKey=alicekey", "").opened())
	if want = (keyInfo{"alice", "on", "alicekey", "other", "of the laptop", bound, false, time.Unix(0, 0).UTC()}); info != want {
		t.Errorf("changed: %+v", info)
	}
	for _, call := range []string{"accountinfo", "user-info?accessKey=alice", "list-service-accounts"} {
		f.call(key, "GET", call, "").refused(403, "AccessDenied", "") // what is not within its policy
	}
	// What is null is left out: nobody has asked for a key that can do more.
	f.sealed(root, "POST", "update-service-account?accessKey=alicekey", `{"newPolicy":null,"newName":"third"}`).ok()
	if status := f.put(key, "other/a"); status != http.StatusForbidden {
		t.Errorf("PUT with a bounded key whose policy was not changed: %d", status)
	}
	f.sealed(root, "POST", "update-service-account?accessKey=alicekey", `{"newPolicy":{"Version":"","Statement":null}}`).ok()
	if status := f.put(key, "other/a"); status != http.StatusOK {
		t.Errorf("PUT without the policy: %d", status)
	}
	f.sealed(root, "POST", "update-service-account?accessKey=alicekey", `{"newStatus":"off"}`).ok()
	if status := f.put(key, "other/a"); status != http.StatusForbidden {
		t.Errorf("PUT with a key that is off: %d", status)
	}

	f.sealed(root, "PUT", "add-service-account", `{"accessKey":"spare","secretKey":"spare-secret","policy":`+bound+`}`).ok()
	for query, want := range map[string]string{
		"all=true&listType=all": "alice:alicekey rootkey:spare", "all=true&listType=users-only": "alice: rootkey:",
		"all=true&listType=sts-only": "", "users=alice&listType=svcacc-only": "alice:alicekey", "": "rootkey:spare",
		"users=rootkey&users=alice": "alice:alicekey rootkey:spare",
	} {
		listed := document[map[string]struct{ ServiceAccounts []keyInfo }](f.call(root, "GET", "list-access-keys-bulk?"+query, "").opened())
		var got []string
		for _, user := range []string{"alice", "rootkey"} {
			if keys, ok := listed[user]; ok {
				names := ""
				for _, k := range keys.ServiceAccounts {
					names += k.AccessKey
				}
				got = append(got, user+":"+names)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("list-access-keys-bulk?%s: %v, want %s", query, got, want)
		}
	}

	// The key of root that is bounded to writing in photos is no administrator's.
	spare := account{"spare", "spare-secret"}
	f.call(spare, "GET", "list-users", "").refused(403, "AccessDenied", "")
	f.sealed(spare, "PUT", "add-service-account", `{}`).refused(403, "AccessDenied", "")
	if photos, other := f.put(spare, "photos/b"), f.put(spare, "other/b"); photos != http.StatusOK || other != http.StatusForbidden {
		t.Errorf("PUT with root's bounded key: %d in photos, %d elsewhere", photos, other)
	}

	f.call(root, "DELETE", "delete-service-account?accessKey=alicekey", "").ok()
	const gone, text = "XMinioInvalidIAMCredentials", "not found"
	f.call(root, "DELETE", "delete-service-account?accessKey=alicekey", "").refused(404, gone, text)
	f.call(root, "GET", "info-service-account?accessKey=alicekey", "").refused(404, gone, text)
	f.call(root, "GET", "temporary-account-info?accessKey=alicekey", "").refused(404, gone, text)
	// A user's own key is none of them.
	f.call(root, "DELETE", "delete-service-account?accessKey=alice", "").refused(404, gone, text)
	f.sealed(root, "POST", "update-service-account?accessKey=alice", `{"newStatus":"off"}`).refused(404, gone, text)
}

// TestWhoMakesKeysBecomesNoAdministrator: whom a policy allows to look after users and keys, and not after policies, gets no
// key of an administrator by that, and none that their own is not held to.
func TestWhoMakesKeysBecomesNoAdministrator(t *testing.T) {
	f := newFixture(t)
	f.call(root, "PUT", "add-canned-policy?name=helpdesk", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["admin:CreateUser","admin:*ServiceAccount*"]}]}`).ok()
	f.call(root, "PUT", "add-canned-policy?name=attach", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["admin:AttachUserOrGroupPolicy"]}]}`).ok()
	helper := f.user("helper", "helpdesk")
	boss := f.user("boss", "consoleAdmin")
	f.user("alice", "readwrite")
	f.sealed(root, "PUT", "add-service-account", `{"targetUser":"boss","accessKey":"bosskey","secretKey":"boss-secret"}`).ok()

	// What they are there for.
	f.sealed(helper, "PUT", "add-user?accessKey=bob", `{"secretKey":"long-enough","status":"enabled"}`).ok()
	f.sealed(helper, "PUT", "add-user?accessKey=alice", `{"secretKey":"long-enough","status":"enabled"}`).ok()
	f.sealed(helper, "PUT", "add-service-account", `{"targetUser":"alice","accessKey":"alicekey"}`).ok()
	f.sealed(helper, "POST", "update-service-account?accessKey=alicekey", `{"newSecretKey":"long-enough"}`).ok()
	f.call(helper, "DELETE", "delete-service-account?accessKey=alicekey", "").ok()

	const never, administrators = "XMinioIAMActionNotAllowed", "administrators"
	f.sealed(helper, "PUT", "add-user?accessKey=helper2", `{"secretKey":"long-enough","policy":"consoleAdmin"}`).
		refused(403, "AccessDenied", "")
	f.sealed(helper, "PUT", "add-user?accessKey=boss", `{"secretKey":"taken-over","status":"enabled"}`).
		refused(403, never, administrators)
	f.sealed(helper, "PUT", "add-service-account", `{"targetUser":"boss"}`).refused(403, never, administrators)
	f.sealed(helper, "POST", "update-service-account?accessKey=bosskey", `{"newSecretKey":"taken-over"}`).
		refused(403, never, administrators)
	f.call(boss, "GET", "list-users", "").ok()

	// A key of an administrator that is held to the same.
	f.sealed(root, "PUT", "add-service-account", `{"targetUser":"boss","accessKey":"bounded","secretKey":"bounded-secret",
		"policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:CreateUser","admin:*ServiceAccount*"]}]}}`).ok()
	bounded := account{"bounded", "bounded-secret"}
	f.sealed(bounded, "PUT", "add-service-account", `{}`).refused(403, never, "policy of its own")
	f.sealed(bounded, "POST", "update-service-account?accessKey=bounded", `{"newPolicy":{}}`).refused(403, never, "policy of its own")
	f.sealed(bounded, "PUT", "add-user?accessKey=boss", `{"secretKey":"taken-over"}`).refused(403, never, "policy of its own")
	f.sealed(bounded, "PUT", "add-user?accessKey=carol", `{"secretKey":"long-enough"}`).ok()

	// Who may hand out policies needs no detour.
	f.user("personnel", "helpdesk", "attach")
	personnel := account{"personnel", "personnel-secret"}
	f.sealed(personnel, "PUT", "add-user?accessKey=dora", `{"secretKey":"long-enough","policy":"readonly"}`).ok()
	f.sealed(personnel, "POST", "update-service-account?accessKey=bosskey", `{"newDescription":"of the laptop"}`).ok()
	f.sealed(boss, "PUT", "add-user?accessKey=boss2", `{"secretKey":"long-enough","policy":"consoleAdmin"}`).ok()
}

func TestServiceAccountsRefuses(t *testing.T) {
	f := newFixture(t)
	f.user("alice")
	f.user("bob")
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{"targetUser":"nobody"}`:                                                 {404, "XMinioAdminNoSuchUser"},
		`{"targetUser":"alice","accessKey":"bob"}`:                                {409, "XMinioIAMServiceAccountUsed"},
		`{"targetUser":"alice","accessKey":"rootkey"}`:                            {403, "XMinioIAMActionNotAllowed"},
		`{"targetUser":"alice","accessKey":"a/b"}`:                                {400, "XMinioAdminInvalidAccessKey"},
		`{"targetUser":"alice","secretKey":"short"}`:                              {400, "XMinioAdminInvalidSecretKey"},
		`{"targetUser":"alice","name":"1st"}`:                                     {400, "XMinioAdminInvalidArgument"},
		`{"targetUser":"alice","policy":{"Version":"2012-10-17"}}`:                {400, "MalformedPolicy"},
		`{"targetUser":"alice","policy":"readonly"}`:                              {400, "MalformedPolicy"},
		`{"targetUser":"alice","expiration":"2001-01-01T00:00:00Z"}`:              {400, "XMinioAdminInvalidArgument"},
		`{"targetUser":"alice","description":"` + strings.Repeat("d", 257) + `"}`: {400, "XMinioAdminInvalidArgument"},
	} {
		f.sealed(root, "PUT", "add-service-account", body).refused(want.status, want.code, "")
	}
	if keys := f.users.Keys(""); len(keys) != 2 {
		t.Errorf("keys: %v", keys)
	}
	f.call(root, "GET", "list-access-keys-bulk?listType=some", "").refused(400, "XMinioAdminInvalidArgument", "listType")
	f.sealed(root, "PUT", "add-service-account", `{"targetUser":"alice","accessKey":"key","secretKey":"long-enough"}`).ok()
	for body, code := range map[string]string{
		`{"newStatus":"half"}`: "XMinioAdminInvalidArgument", `{"newSecretKey":"short"}`: "XMinioAdminInvalidSecretKey",
		`{"newPolicy":{"Version":"x"}}`: "MalformedPolicy", `{"newExpiration":"2001-01-01T00:00:00Z"}`: "XMinioAdminInvalidArgument",
		`{"newName":"with blank"}`: "XMinioAdminInvalidArgument",
	} {
		f.sealed(root, "POST", "update-service-account?accessKey=key", body).refused(400, code, "")
	}
}
