package s3api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// session makes temporary credentials with a user's key, and returns a call that is made with them.
func (s *server) session(of *user, in iam.NewSession) func(call) answer {
	s.t.Helper()
	in.Key, in.Duration = of.key, time.Hour
	session, err := s.users.NewSession(in)
	if err != nil {
		s.t.Fatal(err)
	}
	return func(c call) answer {
		s.t.Helper()
		c.as = &user{of.name, session.AccessKey, session.Secret}
		c.header = map[string]string{"X-Amz-Security-Token": session.Token}
		return s.do(c)
	}
}

// A session may do what its user may, and nothing that one of its policies does not allow, whoever its user is.
func TestSessionRights(t *testing.T) {
	s := newServer(t)
	root := &user{iam.RootName, testAccessKey, testSecretKey}
	alice := s.user("alice", "readwrite")
	s.bucket("photos")
	s.put("/photos/k", "x")
	const onlyOthers = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::other/*"}]}`
	for _, test := range []struct {
		name     string
		who      *user
		in       iam.NewSession
		get, put int
	}{
		{"the user's own", alice, iam.NewSession{}, 200, 200},
		{"a role that reads", alice, iam.NewSession{Role: "readonly", Name: "x1"}, 200, 403},
		{"a policy for another bucket", alice, iam.NewSession{Policy: onlyOthers}, 403, 403},
		{"both must allow", alice, iam.NewSession{Role: "readonly", Name: "x1", Policy: onlyOthers}, 403, 403},
		{"root's own", root, iam.NewSession{}, 200, 200},
		{"root in a role that reads", root, iam.NewSession{Role: "readonly", Name: "x1"}, 200, 403},
		{"nobody gains from a role", s.user("bob"), iam.NewSession{Role: "readwrite", Name: "x1"}, 403, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			do := s.session(test.who, test.in)
			if got := do(call{method: http.MethodGet, path: "/photos/k"}); got.status != test.get {
				t.Errorf("get: %d, want %d: %s", got.status, test.get, got.body)
			}
			if got := do(call{method: http.MethodPut, path: "/photos/k", body: "y"}); got.status != test.put {
				t.Errorf("put: %d, want %d: %s", got.status, test.put, got.body)
			}
		})
	}
}

// What a bucket's policy allows everybody, and what an owner may, is not allowed to a session that is held to less.
func TestSessionIsHeldToItsPolicy(t *testing.T) {
	s := newServer(t)
	alice := s.user("alice")
	s.do(call{method: http.MethodPut, path: "/hers", as: alice}).wantError(t, 403, "AccessDenied")
	if _, err := s.users.AttachPolicies(t.Context(), "alice", "readwrite"); err != nil {
		t.Fatal(err)
	}
	s.do(call{method: http.MethodPut, path: "/hers", as: alice}).want(t, 200)
	do := s.session(alice, iam.NewSession{Role: "readonly", Name: "laptop"})
	do(call{method: http.MethodPut, path: "/hers/k", body: "x"}).wantError(t, 403, "AccessDenied")
	s.policy("hers", statement("Allow", `"*"`, "s3:PutObject", "arn:aws:s3:::hers/*", ""))
	do(call{method: http.MethodPut, path: "/hers/k", body: "x"}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodPut, path: "/hers/k", body: "x", anonymous: true}).want(t, 200)
}

func TestSessionTokenErrors(t *testing.T) {
	s := newServer(t)
	alice := s.user("alice", "readwrite")
	s.bucket("photos")
	session, err := s.users.NewSession(iam.NewSession{Key: alice.key, Duration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	over, err := s.users.NewSession(iam.NewSession{Key: alice.key, Duration: -time.Second})
	if err != nil {
		t.Fatal(err)
	}
	temporary := &user{"alice", session.AccessKey, session.Secret}
	get := func(as *user, token ...string) answer {
		return s.do(call{method: http.MethodGet, path: "/photos", as: as, edit: func(r *http.Request) {
			r.Header["X-Amz-Security-Token"] = token
			sigv4.Sign(r, as.key, as.secret, testRegion, sigv4.EmptyPayload, time.Now())
		}})
	}
	get(temporary, session.Token).want(t, 200)
	get(temporary).wantError(t, 403, "InvalidAccessKeyId")
	get(temporary, "x").wantError(t, 400, "InvalidToken")
	get(temporary, session.Token, session.Token).wantError(t, 400, "InvalidToken")
	get(alice, session.Token).wantError(t, 400, "InvalidToken")
	get(&user{"alice", over.AccessKey, over.Secret}, over.Token).wantError(t, 400, "ExpiredToken")
	get(&user{"alice", session.AccessKey, "another secret"}, session.Token).wantError(t, 403, "SignatureDoesNotMatch")
}
