package s3api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/acl"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// statement is a policy of one statement.
func statement(effect, principal, action, resource, condition string) string {
	who := ""
	if principal != "" {
		who = fmt.Sprintf(`"Principal":%s,`, principal)
	}
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,%s"Action":%q,"Resource":%q%s}]}`,
		effect, who, action, resource, condition)
}

func (s *server) policy(bucket, document string) {
	s.t.Helper()
	s.do(call{method: http.MethodPut, path: "/" + bucket + "?policy", body: document}).want(s.t, 204)
}

func TestIdentityPolicies(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "hello")
	reader, nobody := s.user("reader", "readonly"), s.user("nobody")
	get := func(as *user, path string) answer { return s.do(call{method: http.MethodGet, path: path, as: as}) }
	if got := get(reader, "/photos/k").want(t, 200).body; got != "hello" {
		t.Errorf("read %q", got)
	}
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "x", as: reader}).wantError(t, 403, "AccessDenied")
	get(nobody, "/photos/k").wantError(t, 403, "AccessDenied")
	get(nobody, "/photos/missing").wantError(t, 403, "AccessDenied")
	get(nobody, "/").wantError(t, 403, "AccessDenied")
	if e := get(nobody, "/photos?list-type=2").wantError(t, 403, "AccessDenied"); !strings.Contains(e.Message, "s3:ListBucket") {
		t.Errorf("the message does not say what is missing: %s", e.Message)
	}
	get(nobody, "/missing/k").wantError(t, 404, "NoSuchBucket")
	s.do(call{method: http.MethodGet, path: "/photos/k", anonymous: true}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodPut, path: "/other", as: nobody}).wantError(t, 403, "AccessDenied")
}

// Who may list only a part of a bucket hears of what is missing there, and not elsewhere.
func TestMissingUnderAPrefix(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.policy("photos", statement("Allow", `"*"`, "s3:ListBucket", "arn:aws:s3:::photos", `{"StringLike":{"s3:prefix":"public/*"}}`))
	somebody := s.user("somebody")
	s.do(call{method: http.MethodGet, path: "/photos/public/k", as: somebody}).wantError(t, 403, "AccessDenied") // may not read
	s.policy("photos", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"},
		{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos","Condition":{"StringLike":{"s3:prefix":"public/*"}}}]}`)
	s.do(call{method: http.MethodGet, path: "/photos/public/k", as: somebody}).wantError(t, 404, "NoSuchKey")
	s.do(call{method: http.MethodGet, path: "/photos/private/k", as: somebody}).wantError(t, 403, "AccessDenied")
}

// Whoever owns a bucket may do everything in it, but for what its policy denies.
func TestOwner(t *testing.T) {
	s := newServer(t)
	maker, other := s.user("maker"), s.user("other")
	if _, err := s.users.PutPolicy(t.Context(), "makes-buckets",
		statement("Allow", "", "s3:CreateBucket", "arn:aws:s3:::*", "")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.users.AttachPolicies(t.Context(), "maker", "makes-buckets"); err != nil {
		t.Fatal(err)
	}
	s.do(call{method: http.MethodPut, path: "/own", as: maker}).want(t, 200)
	s.do(call{method: http.MethodPut, path: "/own/k", body: "x", as: maker}).want(t, 200)
	s.do(call{method: http.MethodGet, path: "/own/k", as: maker}).want(t, 200)
	s.do(call{method: http.MethodGet, path: "/own/k", as: other}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodPut, path: "/own", as: maker}).wantError(t, 409, "BucketAlreadyOwnedByYou")
	s.do(call{method: http.MethodPut, path: "/own"}).wantError(t, 409, "BucketAlreadyExists")
	s.bucket("roots")
	if body := s.do(call{method: http.MethodGet, path: "/", as: maker}).want(t, 200).body; !strings.Contains(body, "<Name>own</Name>") ||
		strings.Contains(body, "<Name>roots</Name>") {
		t.Errorf("a user's buckets: %s", body)
	}
	s.policy("own", statement("Deny", `"*"`, "s3:DeleteObject", "arn:aws:s3:::own/*", ""))
	s.do(call{method: http.MethodDelete, path: "/own/k", as: maker}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodDelete, path: "/own/k"}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodDelete, path: "/own?policy", as: maker}).want(t, 204)
	s.do(call{method: http.MethodDelete, path: "/own/k", as: maker}).want(t, 204)
}

func TestBucketPolicy(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/public/k", "hello")
	s.put("/photos/private/k", "secret")
	alice := s.user("alice")
	s.get("/photos?policy").wantError(t, 404, "NoSuchBucketPolicy")
	s.get("/photos?policyStatus").wantError(t, 404, "NoSuchBucketPolicy")
	document := statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::photos/public/*", "")
	s.policy("photos", document)
	if got := s.get("/photos?policy").want(t, 200).body; got != document {
		t.Errorf("the policy is %s", got)
	}
	anonymous := func(path string) answer { return s.do(call{method: http.MethodGet, path: path, anonymous: true}) }
	anonymous("/photos/public/k").want(t, 200)
	anonymous("/photos/public/missing").wantError(t, 403, "AccessDenied")
	anonymous("/photos/private/k").wantError(t, 403, "AccessDenied")
	anonymous("/photos").wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos/public/k", as: alice}).want(t, 200)
	if body := s.get("/photos?policyStatus").want(t, 200).body; !strings.Contains(body, "<IsPublic>true</IsPublic>") {
		t.Errorf("the status of a public policy: %s", body)
	}

	s.policy("photos", statement("Allow", `{"AWS":"arn:aws:iam::`+iam.AccountID+`:user/alice"}`, "s3:ListBucket", "arn:aws:s3:::photos",
		`{"StringLike":{"s3:prefix":"public/*"}}`))
	list := func(prefix string) answer {
		return s.do(call{method: http.MethodGet, path: "/photos?list-type=2&prefix=" + prefix, as: alice})
	}
	list("public/").want(t, 200)
	list("private/").wantError(t, 403, "AccessDenied")
	anonymous("/photos/public/k").wantError(t, 403, "AccessDenied")
	if body := s.get("/photos?policyStatus").want(t, 200).body; !strings.Contains(body, "<IsPublic>false</IsPublic>") {
		t.Errorf("the status of a policy for one user: %s", body)
	}

	s.policy("photos", statement("Deny", `"*"`, "s3:*", "arn:aws:s3:::photos/*", `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`))
	s.get("/photos/private/k").wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodDelete, path: "/photos?policy"}).want(t, 204)
	s.get("/photos/private/k").want(t, 200)
}

// What a policy lets everybody do is done without a signature, bodies included.
func TestAnonymousWrites(t *testing.T) {
	s := newServer(t)
	s.bucket("drop")
	s.policy("drop", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*",`+
		`"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::drop/in/*"}}`)
	do := func(method, path, body string) answer {
		return s.do(call{method: method, path: path, body: body, anonymous: true})
	}
	do(http.MethodPut, "/drop/in/k", "hello").want(t, 200)
	if got := s.get("/drop/in/k").want(t, 200).body; got != "hello" {
		t.Errorf("the object is %q", got)
	}
	do(http.MethodPut, "/drop/out/k", "hello").wantError(t, 403, "AccessDenied")
	do(http.MethodGet, "/drop/in/k", "").wantError(t, 403, "AccessDenied")
	do(http.MethodDelete, "/drop/in/k", "").wantError(t, 403, "AccessDenied")
	do(http.MethodPut, "/drop/in/empty", "").want(t, 200)
	withHash := func(hash string) answer {
		return s.do(call{
			method: http.MethodPut, path: "/drop/in/hashed", body: "hello", anonymous: true,
			header: map[string]string{"x-amz-content-sha256": hash, "x-amz-decoded-content-length": "5"},
		})
	}
	withHash("UNSIGNED-PAYLOAD").want(t, 200)
	withHash(strings.Repeat("0", 64)).wantError(t, 400, "XAmzContentSHA256Mismatch")
	// What is no hash at all is one that the body does not have: nobody has signed it.
	withHash("nonsense").wantError(t, 400, "XAmzContentSHA256Mismatch")
	withHash("STREAMING-AWS4-HMAC-SHA256-PAYLOAD").wantMessage(t, 400, "InvalidRequest", "Anonymous requests don't support "+
		"this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.")
	document := "<Delete><Object><Key>in/k</Key></Object></Delete>"
	deleted := s.do(call{
		method: http.MethodPost, path: "/drop?delete", body: document, anonymous: true,
		header: map[string]string{"Content-MD5": md5Base64(document)},
	}).want(t, 200)
	if !strings.Contains(deleted.body, "<Code>AccessDenied</Code>") {
		t.Errorf("an anonymous DeleteObjects: %s", deleted.body)
	}
	s.get("/drop/in/k").want(t, 200)
	do(http.MethodPut, "/made-by-nobody", "").wantError(t, 403, "AccessDenied")
	do(http.MethodGet, "/", "").wantError(t, 403, "AccessDenied")
}

// Some things S3 lets nobody do without a signature, whatever the policy, and says so in words of its own.
func TestAnonymousRefusals(t *testing.T) {
	s := newServer(t)
	s.bucket("drop")
	s.put("/drop/k", "x")
	s.policy("drop", `{"Version":"2012-10-17","Statement":[`+
		`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::drop"},`+
		`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::drop/*"}]}`)
	const authenticate = "Anonymous users cannot invoke this API. Please authenticate."
	for _, test := range []struct{ method, path, copies, message string }{
		{"PUT", "/other", "", authenticate},
		{"PUT", "/drop?acl", "", authenticate},
		{"PUT", "/drop/k?acl", "", authenticate},
		{"POST", "/drop/k?select&select-type=2", "", authenticate},
		{"PUT", "/drop/copy", "/drop/k", "Anonymous users cannot copy objects. Please authenticate."},
		{"POST", "/drop/k?uploads", "", "Anonymous users cannot initiate multipart uploads. Please authenticate."},
		{"GET", "/drop?ownershipControls", "", "s3:GetBucketOwnershipControls does not support Anonymous requests!"},
		{"PUT", "/drop?ownershipControls", "", "s3:PutBucketOwnershipControls does not support Anonymous requests!"},
		{"DELETE", "/drop?ownershipControls", "", "s3:PutBucketOwnershipControls does not support Anonymous requests!"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			s.do(call{method: test.method, path: test.path, anonymous: true, header: map[string]string{
				"x-amz-copy-source": test.copies, "x-amz-acl": "private",
			}}).wantMessage(t, 403, "AccessDenied", test.message)
		})
	}
	// The bucket's policy is for its account alone: who is allowed and not of it gets another answer than who is not.
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s.do(call{method: method, path: "/drop?policy", anonymous: true}).wantError(t, 405, "MethodNotAllowed")
	}
	s.do(call{method: "GET", path: "/drop?tagging", anonymous: true}).wantError(t, 404, "NoSuchTagSet")
	s.do(call{method: "DELETE", path: "/drop?policy"}).want(t, 204)
	s.do(call{method: "GET", path: "/drop?policy", anonymous: true}).wantError(t, 403, "AccessDenied")
}

// Users are told root's canonical id as its access key, and who is anonymous is not told that key. Both forms are taken, and
// only the id is stored: another key for root changes nothing of what it owns.
func TestRootAsOwner(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	s.setOwnership("photos", "ObjectWriter").want(t, 200)
	alice := s.user("alice", "readwrite")
	id := iam.CanonicalID(iam.RootName)
	wantOwner := func(a answer, want string) {
		t.Helper()
		if body := a.want(t, 200).body; !strings.Contains(body, "<Owner><ID>"+want+"</ID>") {
			t.Errorf("the owner is not %s: %s", want, body)
		}
	}
	for _, path := range []string{"/", "/photos", "/photos?versions", "/photos?acl"} {
		wantOwner(s.get(path), testAccessKey)
	}
	s.do(call{method: http.MethodPut, path: "/photos?acl", header: map[string]string{"x-amz-acl": "public-read"}}).want(t, 200)
	wantOwner(s.do(call{method: http.MethodGet, path: "/photos", as: alice}), testAccessKey)
	wantOwner(s.do(call{method: http.MethodGet, path: "/photos", anonymous: true}), id)

	document := s.get("/photos?acl").body
	for _, named := range []string{document, strings.ReplaceAll(document, testAccessKey, id)} {
		s.do(call{method: http.MethodPut, path: "/photos?acl", body: named}).want(t, 200)
	}
	s.do(call{method: http.MethodPut, path: "/photos?acl", body: strings.Replace(document, testAccessKey, iam.CanonicalID("alice"), 1)}).
		wantError(t, 403, "AccessDenied")
	grant := map[string]string{"x-amz-grant-full-control": `id="` + testAccessKey + `"`, "x-amz-grant-read": `id="` + id + `"`}
	s.do(call{method: http.MethodPut, path: "/photos?acl", header: grant}).want(t, 200)
	state, err := s.store.BucketState("photos")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := acl.Unmarshal(state.Configs["acl"])
	if err != nil || len(stored.Grants) != 2 || stored.Owner.ID != id || stored.Grants[0].Grantee.ID != id ||
		stored.Grants[1].Grantee.ID != id {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

// An upload is listed and aborted by who may have begun it, which nobody does without a signature.
func TestAnonymousUploads(t *testing.T) {
	s := newServer(t)
	s.bucket("drop")
	s.setOwnership("drop", "ObjectWriter").want(t, 200)
	s.do(call{method: http.MethodPut, path: "/drop?acl", header: map[string]string{"x-amz-acl": "public-read-write"}}).want(t, 200)
	upload := s.createUpload("/drop/k")
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		s.do(call{method: method, path: "/drop/k?uploadId=" + upload, anonymous: true}).wantError(t, 403, "AccessDenied")
	}
	s.do(call{method: http.MethodDelete, path: "/drop/k?uploadId=" + upload, as: s.user("alice")}).want(t, 204)
}

func TestMalformedPolicies(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.user("alice")
	for name, document := range map[string]string{
		"nothing":        "",
		"no JSON":        "<Policy/>",
		"other bucket":   statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::other/*", ""),
		"no such user":   statement("Allow", `{"AWS":"arn:aws:iam::`+iam.AccountID+`:user/bob"}`, "s3:GetObject", "arn:aws:s3:::photos/*", ""),
		"no such action": statement("Allow", `"*"`, "s3:Fetch", "arn:aws:s3:::photos/*", ""),
		"no principal":   statement("Allow", "", "s3:GetObject", "arn:aws:s3:::photos/*", ""),
	} {
		t.Run(name, func(t *testing.T) {
			s.do(call{method: http.MethodPut, path: "/photos?policy", body: document}).wantError(t, 400, "MalformedPolicy")
		})
	}
	large := statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::photos/"+strings.Repeat("x", 20<<10), "")
	s.do(call{method: http.MethodPut, path: "/photos?policy", body: large}).wantError(t, 400, "MaxMessageLengthExceeded")
}

func TestPublicAccessBlock(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	public := statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::photos/*", "")
	block := func(settings string) {
		t.Helper()
		s.do(call{
			method: http.MethodPut, path: "/photos?publicAccessBlock",
			body: "<PublicAccessBlockConfiguration>" + settings + "</PublicAccessBlockConfiguration>",
		}).want(t, 200)
	}
	s.get("/photos?publicAccessBlock").wantError(t, 404, "NoSuchPublicAccessBlockConfiguration")
	s.policy("photos", public)
	block("<RestrictPublicBuckets>true</RestrictPublicBuckets>")
	s.do(call{method: http.MethodGet, path: "/photos/k", anonymous: true}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos/k", as: s.user("alice")}).want(t, 200)
	block("<BlockPublicPolicy>true</BlockPublicPolicy>")
	s.do(call{method: http.MethodGet, path: "/photos/k", anonymous: true}).want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos?policy", body: public}).wantError(t, 403, "AccessDenied")
	if body := s.get("/photos?publicAccessBlock").want(t, 200).body; !strings.Contains(body, "<BlockPublicPolicy>true<") ||
		!strings.Contains(body, "<BlockPublicAcls>false<") {
		t.Errorf("the block: %s", body)
	}
	s.do(call{method: http.MethodDelete, path: "/photos?publicAccessBlock"}).want(t, 204)
	s.policy("photos", public)
}

// setOwnership chooses who owns objects, and with it whether lists mean anything.
func (s *server) setOwnership(bucket, ownership string) answer {
	s.t.Helper()
	return s.do(call{
		method: http.MethodPut, path: "/" + bucket + "?ownershipControls",
		body: "<OwnershipControls><Rule><ObjectOwnership>" + ownership + "</ObjectOwnership></Rule></OwnershipControls>",
	})
}

func TestBucketACL(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	alice := s.user("alice")
	putACL := func(header map[string]string, body string) answer {
		return s.do(call{method: http.MethodPut, path: "/photos?acl", header: header, body: body})
	}
	canned := func(name string) map[string]string { return map[string]string{"x-amz-acl": name} }
	if body := s.get("/photos?ownershipControls").want(t, 200).body; !strings.Contains(body, "BucketOwnerEnforced") {
		t.Errorf("the default ownership: %s", body)
	}
	putACL(canned("public-read"), "").wantError(t, 400, "AccessControlListNotSupported")
	s.setOwnership("photos", "Nobody").wantError(t, 400, "MalformedXML")
	s.setOwnership("photos", "ObjectWriter").want(t, 200)

	s.do(call{method: http.MethodGet, path: "/photos", anonymous: true}).wantError(t, 403, "AccessDenied")
	putACL(canned("public-read"), "").want(t, 200)
	s.do(call{method: http.MethodGet, path: "/photos", anonymous: true}).want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "x", anonymous: true}).wantError(t, 403, "AccessDenied")
	s.setOwnership("photos", "BucketOwnerEnforced").wantError(t, 400, "InvalidBucketAclWithObjectOwnership")

	putACL(map[string]string{"x-amz-grant-write": `id="` + iam.CanonicalID("alice") + `"`}, "").want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "x", as: alice}).want(t, 200)
	s.do(call{method: http.MethodGet, path: "/photos", as: alice}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos/k", as: alice}).want(t, 200) // alice owns what she wrote

	document := s.get("/photos?acl").want(t, 200).body
	if !strings.Contains(document, "<Permission>WRITE</Permission>") || !strings.Contains(document, iam.CanonicalID("alice")) {
		t.Errorf("the list: %s", document)
	}
	putACL(nil, document).want(t, 200)
	putACL(canned("private"), document).wantError(t, 400, "UnexpectedContent")
	putACL(map[string]string{"x-amz-acl": "private", "x-amz-grant-read": "uri=" + acl.AllUsers}, "").wantError(t, 400, "InvalidRequest")
	putACL(canned("open"), "").wantError(t, 400, "InvalidArgument")
	putACL(map[string]string{"x-amz-grant-read": `id="unknown"`}, "").wantError(t, 400, "InvalidArgument")
	putACL(map[string]string{"x-amz-grant-read": `emailAddress="a@example.com"`}, "").
		wantError(t, 400, "UnresolvableGrantByEmailAddress")
	putACL(nil, "<AccessControlPolicy/>").wantError(t, 400, "MalformedACLError")
	putACL(nil, strings.ReplaceAll(document, "WRITE", "SCRIBBLE")).wantError(t, 400, "MalformedACLError")
}
