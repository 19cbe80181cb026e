package policy

import (
	"fmt"
	"testing"
)

var (
	alice = Principal{Kind: User, Account: testAccount, ARN: aliceARN, Name: "Alice", ID: "AIDAALICE"}
	bob   = Principal{Kind: User, Account: testAccount, ARN: bobARN, Name: "Bob", ID: "AIDABOB"}
	carol = Principal{Kind: User, Account: otherAccount, ARN: carolARN, Name: "Carol", ID: "AIDACAROL"}
	owner = Principal{
		Kind: Root, Account: testAccount, ARN: "arn:aws:iam::111122223333:root", ID: testAccount, CanonicalID: "c1",
	}
	stranger    = Principal{Kind: Root, Account: otherAccount, ARN: "arn:aws:iam::444455556666:root", ID: otherAccount}
	admin       = Principal{Kind: User, Account: testAccount, ARN: aliceARN, Name: "Alice", Administrator: true}
	roleSession = Principal{
		Kind: Session, Account: testAccount, ARN: "arn:aws:iam::111122223333:role/Reader",
		SessionARN: "arn:aws:sts::111122223333:assumed-role/Reader/laptop", ID: "AROAREADER:laptop",
	}
)

// bucketPolicy compiles statements, and none to no policy.
func bucketPolicy(t testing.TB, statements string) *Policy {
	t.Helper()
	if statements == "" {
		return nil
	}
	p, err := CompileBucket([]byte(`{"Version":"2012-10-17","Statement":[`+statements+`]}`), "photos", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func identityPolicy(t testing.TB, statements string) *Policy {
	t.Helper()
	if statements == "" {
		return nil
	}
	p, err := CompileIdentity([]byte(`{"Version":"2012-10-17","Statement":[` + statements + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// on is a statement of a bucket policy about s3:GetObject.
func on(effect, principal string) string {
	return fmt.Sprintf(`{"Sid":"S","Effect":%q,"Principal":%s,"Action":["s3:GetObject","s3:ListBucket"],`+
		`"Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]}`, effect, principal)
}

func TestEvaluate(t *testing.T) {
	const (
		mine    = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
		notMine = `{"Sid":"no","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`
	)
	var (
		anyone, nobody = on("Allow", `"*"`), on("Deny", `"*"`)
		account        = `{"AWS":"111122223333"}`
		named          = `{"AWS":"` + aliceARN + `"}`
		allowed        = func(s Source) Decision { return Decision{Allowed: true, Source: s} }
		bucketAllows   = Decision{Allowed: true, Source: BucketPolicy, Sid: "S"}
		bucketDenies   = Decision{Source: BucketPolicy, Sid: "S"}
		identityDenies = Decision{Source: IdentityPolicy, Sid: "no"}
	)
	for _, test := range []struct {
		name             string
		principal        Principal
		bucket, identity string
		want             Decision
	}{
		{"nothing allows anonymous requests", Principal{}, "", "", Decision{}},
		{"the bucket's policy allows anonymous requests", Principal{}, anyone, "", bucketAllows},
		{
			"the bucket's policy denies anonymous requests",
			Principal{},
			anyone + "," + nobody, "",
			Decision{Source: BucketPolicy, Statement: 1, Sid: "S"},
		},
		{"an allowed account is not everyone", Principal{}, on("Allow", account), "", Decision{}},
		{"identity policies are not for anonymous requests", Principal{}, "", mine, Decision{}},

		{"nothing allows a user", alice, "", "", Decision{}},
		{"a user's own policy allows", alice, "", mine, allowed(IdentityPolicy)},
		{"the bucket's policy allows everyone, users as well", alice, anyone, "", bucketAllows},
		{"the bucket's policy allows a user", alice, on("Allow", named), "", bucketAllows},
		{"it allows another user", bob, on("Allow", named), "", Decision{}},
		{"an allowed account leaves it to the user's policy", alice, on("Allow", account), "", Decision{}},
		{"which may allow", alice, on("Allow", account), mine, allowed(IdentityPolicy)},
		{"the bucket's policy denies what the user's allows", alice, nobody, mine, bucketDenies},
		{"the user's policy denies what the bucket's allows", alice, anyone, notMine, identityDenies},
		{"a denied account is every user of it", alice, on("Deny", account), mine, bucketDenies},
		{"another user is denied", bob, on("Deny", named), mine, allowed(IdentityPolicy)},
		{"all but one are denied", alice, `{"Sid":"S","Effect":"Deny","NotPrincipal":` + named +
			`,"Action":"s3:*","Resource":"arn:aws:s3:::photos/*"}`, mine, allowed(IdentityPolicy)},
		{"the others are denied", bob, `{"Sid":"S","Effect":"Deny","NotPrincipal":` + named +
			`,"Action":"s3:*","Resource":"arn:aws:s3:::photos/*"}`, mine, bucketDenies},

		{"an exception for an account is one for its root, not for its users", alice, `{"Sid":"S","Effect":"Deny",` +
			`"NotPrincipal":` + account + `,"Action":"s3:*","Resource":"arn:aws:s3:::photos/*"}`, mine, bucketDenies},
		{"nor is it against the root", owner, `{"Sid":"S","Effect":"Deny",` +
			`"NotPrincipal":` + account + `,"Action":"s3:*","Resource":"arn:aws:s3:::photos/*"}`, "", allowed(Administration)},

		{"the owner is allowed", owner, "", "", allowed(Administration)},
		{"the owner is denied by the bucket's policy", owner, nobody, "", bucketDenies},
		{"the owner is denied by its canonical id", owner, on("Deny", `{"CanonicalUser":"c1"}`), "", bucketDenies},
		{"an administrator is allowed", admin, "", "", allowed(Administration)},
		{"an administrator is denied by the bucket's policy", admin, nobody, "", bucketDenies},
		{"an administrator is denied by an identity policy", admin, "", notMine, identityDenies},

		{
			"a role is allowed by its ARN", roleSession, on("Allow", `{"AWS":"arn:aws:iam::111122223333:role/Reader"}`), "",
			bucketAllows,
		},
		{
			"a session is allowed by its ARN", roleSession,
			on("Allow", `{"AWS":"arn:aws:sts::111122223333:assumed-role/Reader/laptop"}`), "", bucketAllows,
		},
		{
			"another session is not", roleSession,
			on("Allow", `{"AWS":"arn:aws:sts::111122223333:assumed-role/Reader/phone"}`), "",
			Decision{},
		},

		{"a user of another account needs both: none", carol, "", "", Decision{}},
		{"a user of another account needs both: only their own", carol, "", mine, Decision{}},
		{
			"a user of another account needs both: only the bucket's", carol, on("Allow", `{"AWS":"`+carolARN+`"}`), "",
			Decision{},
		},
		{"a user of another account has both", carol, on("Allow", `{"AWS":"`+carolARN+`"}`), mine, bucketAllows},
		{"a user of an allowed account has both", carol, on("Allow", `{"AWS":"444455556666"}`), mine, bucketAllows},
		{"everyone is a user of another account, too", carol, anyone, mine, bucketAllows},
		{"a user of another account is denied by their own", carol, anyone, notMine, identityDenies},
		{"the root of another account needs the bucket's policy", stranger, "", "", Decision{}},
		{"and has it", stranger, on("Allow", `{"AWS":"444455556666"}`), "", bucketAllows},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Request{Principal: test.principal, Action: "s3:GetObject", Bucket: "photos", Key: "a/b", Owner: testAccount}
			got := Evaluate(&r, bucketPolicy(t, test.bucket), identityPolicy(t, test.identity))
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if got.Explicit() != (!test.want.Allowed && test.want.Source != NoPolicy) {
				t.Errorf("explicit: %v", got.Explicit())
			}
		})
	}
}

func TestRootKeepsTheBucketPolicy(t *testing.T) {
	deny := bucketPolicy(t, `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::photos"}`)
	for action, want := range map[string]bool{
		"s3:GetBucketPolicy": true, "s3:PutBucketPolicy": true, "s3:DeleteBucketPolicy": true,
		"s3:GetBucketPolicyStatus": false, "s3:ListBucket": false,
	} {
		for _, p := range []Principal{owner, admin, alice, stranger, {}} {
			r := Request{Principal: p, Action: action, Bucket: "photos", Owner: testAccount}
			if got := Evaluate(&r, deny).Allowed; got != (want && p.ARN == owner.ARN) {
				t.Errorf("%s by %q: %v", action, p.ARN, got)
			}
		}
	}
}

func TestDecisionNamesTheStatement(t *testing.T) {
	read := identityPolicy(t, `{"Effect":"Allow","Action":"s3:Put*","Resource":"*"},`+
		`{"Sid":"read","Effect":"Allow","Action":"s3:Get*","Resource":"*"}`)
	other := identityPolicy(t, `{"Effect":"Allow","Action":"s3:List*","Resource":"*"}`)
	r := Request{Principal: alice, Action: "s3:GetObject", Bucket: "photos", Key: "k"}
	want := Decision{Allowed: true, Source: IdentityPolicy, Policy: 2, Statement: 1, Sid: "read"}
	if got := Evaluate(&r, nil, other, nil, read, read); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestActions(t *testing.T) {
	for _, test := range []struct {
		element, action string
		want            bool
	}{
		{`"Action":"s3:GetObject"`, "s3:GetObject", true},
		{`"Action":"S3:getobject"`, "s3:GetObject", true},
		{`"Action":"s3:GetObject"`, "s3:GetObjectAcl", false},
		{`"Action":"s3:GetObject*"`, "s3:GetObjectAcl", true},
		{`"Action":["s3:Put*","s3:Get?????ct"]`, "s3:GetObject", false},
		{`"Action":["s3:Put*","s3:Get??????"]`, "s3:GetObject", true},
		{`"Action":"*"`, "anything", true},
		{`"Action":"sts:AssumeRole"`, "sts:AssumeRole", true},
		{`"Action":"s3:*"`, "sts:AssumeRole", false},
		{`"NotAction":"s3:Delete*"`, "s3:GetObject", true},
		{`"NotAction":["s3:Get*","s3:Delete*"]`, "s3:DeleteObject", false},
	} {
		p := identityPolicy(t, `{"Effect":"Allow",`+test.element+`,"Resource":"*"}`)
		if got := Evaluate(&Request{Principal: alice, Action: test.action}, nil, p).Allowed; got != test.want {
			t.Errorf("%s, %s: %v", test.element, test.action, got)
		}
	}
}

func TestActionResource(t *testing.T) {
	for name, want := range map[string]ResourceType{
		"s3:ListAllMyBuckets": AccountResource, "s3:ListBucket": BucketResource, "s3:GetObject": ObjectResource,
		"s3:ListBucketMultipartUploads": BucketResource, "s3:ListMultipartUploadParts": ObjectResource,
		"s3:PutBucketCORS": BucketResource,
	} {
		if got, ok := ActionResource(name); !ok || got != want {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "GetObject", "s3:getobject", "s3:HeadObject", "s3:ListObjects"} {
		if _, ok := ActionResource(name); ok {
			t.Errorf("%q is an action", name)
		}
	}
	for key, of := range actionKeys {
		for name := range of {
			if !covers(name, func(action) bool { return true }) {
				t.Errorf("%s is a key of %s, which is no action", key, name)
			}
		}
	}
}

// Keys that follow from the principal are not asked for, and cannot be overruled.
func TestPrincipalKeys(t *testing.T) {
	lies := func(string) []string { return []string{"lie"} }
	for _, test := range []struct {
		principal  Principal
		key, value string // an empty value: the request has none
	}{
		{alice, "aws:username", "Alice"},
		{alice, "aws:userid", "AIDAALICE"},
		{alice, "aws:PrincipalArn", aliceARN},
		{alice, "aws:PrincipalAccount", testAccount},
		{alice, "aws:PrincipalType", "User"},
		{alice, "s3:ResourceAccount", "999900001111"},
		{owner, "aws:username", ""},
		{owner, "aws:PrincipalType", "Account"},
		{owner, "aws:userid", testAccount},
		{roleSession, "aws:username", ""},
		{roleSession, "aws:userid", "AROAREADER:laptop"},
		{roleSession, "aws:PrincipalType", "AssumedRole"},
		{roleSession, "aws:PrincipalArn", "arn:aws:iam::111122223333:role/Reader"},
		{Principal{}, "aws:username", ""},
		{Principal{}, "aws:PrincipalArn", ""},
		{Principal{}, "aws:userid", "anonymous"},
		{Principal{}, "aws:PrincipalType", "Anonymous"},
	} {
		condition := `{"StringEquals":{"` + test.key + `":"` + test.value + `"}}`
		if test.value == "" {
			condition = `{"Null":{"` + test.key + `":true}}`
		}
		p := bucketPolicy(t, `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::photos",`+
			`"Condition":`+condition+`}`)
		r := Request{
			Principal: test.principal, Action: "s3:ListBucket", Bucket: "photos", Owner: "999900001111", Values: lies,
		}
		if !Evaluate(&r, p).Explicit() {
			t.Errorf("%s of %q is not %q", test.key, test.principal.ARN, test.value)
		}
	}
}

func TestExplain(t *testing.T) {
	deny := on("Deny", `"*"`)
	get := func(p Principal, account string) Request {
		return Request{Principal: p, Action: "s3:GetObject", Bucket: "photos", Key: "a/b", Owner: account}
	}
	start := func(who string) string {
		return "User: " + who + ` is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::photos/a/b" `
	}
	for _, test := range []struct {
		name             string
		request          Request
		bucket, identity string
		want             string
	}{
		{
			"the bucket's policy denies", get(alice, ""), deny, "",
			start(aliceARN) + "with an explicit deny in a resource-based policy",
		},
		{
			"the user's policy denies", get(alice, ""), "", `{"Effect":"Deny","Action":"*","Resource":"*"}`,
			start(aliceARN) + "with an explicit deny in an identity-based policy",
		},
		{
			"nothing allows", get(alice, ""), "", "",
			start(aliceARN) + "because no identity-based policy allows the s3:GetObject action",
		},
		{
			"nothing allows a session", get(roleSession, ""), "", "",
			start(roleSession.SessionARN) + "because no identity-based policy allows the s3:GetObject action",
		},
		{"nothing allows a user of another account", get(carol, testAccount), "", "", "Access Denied."},
		{"a user of another account is denied", get(carol, testAccount), deny, "", "Access Denied."},
		{"nothing allows anonymous requests", get(Principal{}, ""), "", "", "Access Denied."},
		{"anonymous requests are denied", get(Principal{}, ""), deny, "", "Access Denied."},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := Evaluate(&test.request, bucketPolicy(t, test.bucket), identityPolicy(t, test.identity))
			if got := d.Explain(&test.request); got != test.want {
				t.Errorf("\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestKindsOfPolicyAreNotMixedUp(t *testing.T) {
	theirs := bucketPolicy(t, on("Allow", `"*"`))
	mine := identityPolicy(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	for name, evaluate := range map[string]func(r *Request) Decision{
		"an identity's for the bucket's": func(r *Request) Decision { return Evaluate(r, mine) },
		"the bucket's for an identity's": func(r *Request) Decision { return Evaluate(r, nil, theirs) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			evaluate(&Request{Principal: alice, Action: "s3:GetObject", Bucket: "photos"})
		})
	}
}
