package policy

import (
	"errors"
	"strings"
	"testing"
)

const (
	testAccount  = "111122223333"
	otherAccount = "444455556666"
	aliceARN     = "arn:aws:iam::111122223333:user/Alice"
	bobARN       = "arn:aws:iam::111122223333:user/staff/Bob"
	carolARN     = "arn:aws:iam::444455556666:user/Carol"
)

// rule is a document of one statement; its text is the statement's members.
func rule(members string) string { return `{"Version":"2012-10-17","Statement":[{` + members + `}]}` }

// when is a bucket policy's rule with a condition.
func when(action, resource, condition string) string {
	return rule(`"Effect":"Allow","Principal":"*","Action":` + action + `,"Resource":` + resource +
		`,"Condition":` + condition)
}

const (
	photosBucket  = `"arn:aws:s3:::photos"`
	photosObjects = `"arn:aws:s3:::photos/*"`
)

// allow is a bucket policy's rule with the three elements that say who, what and where.
func allow(principal, action, resource string) string {
	return rule(`"Effect":"Allow","Principal":` + principal + `,"Action":` + action + `,"Resource":` + resource)
}

func testRefusal(t *testing.T, err error, message string) {
	t.Helper()
	if message == "" {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("accepted, or refused with %v", err)
	}
	if e.Message != message {
		t.Fatalf("refused with %q, want %q", e.Message, message)
	}
}

func TestCompileBucket(t *testing.T) {
	everyone := `"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":` + photosObjects
	for _, test := range []struct {
		name, document, message string
	}{
		{"a statement that is no array", `{"Statement":{` + everyone + `}}`, ""},
		{"the old version and an id", `{"Version":"2008-10-17","Id":"x","Statement":[{` + everyone + `}]}`, ""},
		{"white space", "{\n\t\"Statement\": [ {" + everyone + "} ]\r\n}\n", ""},
		{"two equal sids", `{"Statement":[{"Sid":"a",` + everyone + `},{"Sid":"a",` + everyone + `}]}`, ""},

		{"nothing", "", msgFirstByte},
		{"an array", "[]", msgFirstByte},
		{"a leading space", " {}", msgFirstByte},
		{"no JSON", "{true}", msgInvalidJSON},
		{"cut off", `{"Principal": "*" `, msgInvalidJSON},
		{"two documents", "{}{}", msgInvalidJSON},
		{"no UTF-8", "{\"Id\":\"\xff\"}", msgInvalidJSON},
		{"an empty document", "{}", "Missing required field Statement"},
		{"a null statement", `{"Statement":null}`, "Missing required field Statement"},
		{"no statements", `{"Statement":[]}`, msgEmptyStatement},
		{"a statement of text", `{"Statement":"x"}`, msgSyntax},
		{"statements of text", `{"Statement":["x"]}`, msgSyntax},
		{"an empty version", `{"Version":"","Statement":[{` + everyone + `}]}`, msgVersion},
		{"another version", `{"Version":"2012-10-16","Statement":[{` + everyone + `}]}`, msgVersion},
		{"a numeric version", `{"Version":2012,"Statement":[{` + everyone + `}]}`, msgVersion},
		{"a numeric id", `{"Id":1,"Statement":[{` + everyone + `}]}`, msgSyntax},
		{"an unknown element", `{"Statements":[]}`, "Unknown field Statements"},
		{"an unknown element in a statement", rule(`"Resources":"*",` + everyone), "Unknown field Resources"},
		{"an element in other case", rule(`"effect":"Deny",` + everyone), "Unknown field effect"},
		{"an element twice", rule(`"Effect":"Deny",` + everyone), "Duplicate field Effect"},
		{"a condition key twice", when(`"s3:GetObject"`, photosObjects,
			`{"Bool":{"aws:SecureTransport":true,"AWS:securetransport":false}}`), "Duplicate field AWS:securetransport"},
		{"a numeric effect", rule(`"Effect":1`), msgSyntax},
		{"a numeric sid", rule(`"Sid":1,` + everyone), msgSyntax},
		{
			"no effect", rule(`"Principal":"*","Action":"s3:GetObject","Resource":` + photosObjects),
			"Missing required field Effect",
		},
		{"another effect", strings.Replace(rule(everyone), "Allow", "allow", 1), "Invalid effect: allow"},
		{
			"no principal", rule(`"Effect":"Allow","Action":"s3:GetObject","Resource":` + photosObjects),
			"Missing required field Principal",
		},
		{"no action", rule(`"Effect":"Allow","Principal":"*","Resource":` + photosObjects), "Missing required field Action"},
		{"no resource", rule(`"Effect":"Allow","Principal":"*","Action":"s3:GetObject"`), "Missing required field Resource"},
		{
			"an action and its exception", rule(`"NotAction":"s3:GetObject",` + everyone),
			"Statement has both Action and NotAction",
		},
		{
			"a resource and its exception", rule(`"NotResource":"arn:aws:s3:::photos/x",` + everyone),
			"Statement has both Resource and NotResource",
		},
		{
			"a principal and its exception", rule(`"NotPrincipal":"*",` + everyone),
			"Statement has both Principal and NotPrincipal",
		},
		{"a condition of text", when(`"s3:GetObject"`, photosObjects, `"x"`), msgSyntax},
		{"an operator of text", when(`"s3:GetObject"`, photosObjects, `{"Bool":"x"}`), msgSyntax},
		{"a condition value of objects", when(`"s3:*"`, photosObjects, `{"Bool":{"aws:SecureTransport":{}}}`), msgSyntax},
		{"too deep", `{"Statement":[[[[[[[[[[]]]]]]]]]]}`, msgTooDeep},
		{"too many elements", `{"Statement":[` + strings.Repeat("0,", maxElements) + `0]}`, msgTooManyElements},
		{
			"too large", `{"Id":"` + strings.Repeat("x", MaxBucketBytes) + `"}`,
			"Normalized policy document exceeds the maximum allowed size of 20480 bytes",
		},
		{
			"far too much white space", `{` + strings.Repeat(" ", maxBlank*MaxBucketBytes) + `}`,
			"Normalized policy document exceeds the maximum allowed size of 20480 bytes",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := CompileBucket([]byte(test.document), "photos", nil)
			testRefusal(t, err, test.message)
		})
	}
}

func TestCompileBucketSize(t *testing.T) {
	document := allow(`"*"`, `"s3:GetObject"`, photosObjects)
	id := strings.Repeat("x", MaxBucketBytes-len(document)-len(`"Id":"",`))
	document = strings.Replace(document, "{", `{"Id":"`+id+`",`, 1)
	if _, err := CompileBucket([]byte(document), "photos", nil); err != nil || len(document) != MaxBucketBytes {
		t.Fatalf("%d bytes: %v", len(document), err)
	}
	if _, err := CompileBucket([]byte(strings.Replace(document, "x", "xx", 1)), "photos", nil); err == nil {
		t.Fatal("one byte more was accepted")
	}
	if _, err := CompileBucket([]byte(document+strings.Repeat("\n", 100)), "photos", nil); err != nil {
		t.Fatalf("white space counts: %v", err)
	}
}

func TestCompilePrincipal(t *testing.T) {
	for _, test := range []struct {
		principal string
		ok        bool
	}{
		{`"*"`, true},
		{`["*"]`, true},
		{`{"AWS":"*"}`, true},
		{`{"AWS":["*","` + aliceARN + `"]}`, true},
		{`{"AWS":"111122223333"}`, true},
		{`{"AWS":"arn:aws:iam::111122223333:root"}`, true},
		{`{"AWS":"arn:aws:iam::111122223333:role/path/Reader"}`, true},
		{`{"AWS":"arn:aws:sts::111122223333:assumed-role/Reader/laptop"}`, true},
		{`{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`, true},
		{`{"Service":["logging.s3.amazonaws.com"],"Federated":"accounts.google.com"}`, true},

		{`""`, false},
		{`[]`, false},
		{`{}`, false},
		{`null`, false},
		{`1`, false},
		{`[1]`, false},
		{`"Alice"`, false},
		{`["*","Alice"]`, false},
		{`{"AWS":""}`, false},
		{`{"AWS":[]}`, false},
		{`{"aws":"*"}`, false},
		{`{"AWS":"11112222333"}`, false},
		{`{"AWS":"arn:aws:iam:::root"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:user/"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:user/*"}`, false},
		{`{"AWS":"arn:aws:iam::111122223333:group/Staff"}`, false},
		{`{"AWS":"arn:aws:iam::*:root"}`, false},
		{`{"AWS":"arn:aws:s3:::photos"}`, false},
		{`{"CanonicalUser":"*"}`, false},
		{`{"Service":"*"}`, false},
	} {
		t.Run(test.principal, func(t *testing.T) {
			message := ""
			if !test.ok {
				message = msgPrincipal
			}
			_, err := CompileBucket([]byte(allow(test.principal, `"s3:GetObject"`, photosObjects)), "photos", nil)
			testRefusal(t, err, message)
			_, err = CompileBucket([]byte(strings.Replace(allow(test.principal, `"s3:GetObject"`, photosObjects),
				"Principal", "NotPrincipal", 1)), "photos", nil)
			testRefusal(t, err, message)
		})
	}
}

func TestCompileResolvesPrincipals(t *testing.T) {
	resolve := func(name string) (string, bool) {
		switch name {
		case "AKIAALICE", "Alice", aliceARN:
			return aliceARN, true
		default:
			return "", false
		}
	}
	p, err := CompileBucket([]byte(allow(`["AKIAALICE"]`, `"s3:GetObject"`, photosObjects)), "photos", resolve)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Principal: alice, Action: "s3:GetObject", Bucket: "photos", Key: "k"}
	if !Evaluate(&r, p).Allowed {
		t.Error("the principal that a name stands for is not allowed")
	}
	_, err = CompileBucket([]byte(allow(`{"AWS":"`+bobARN+`"}`, `"s3:GetObject"`, photosObjects)), "photos", resolve)
	testRefusal(t, err, msgPrincipal)
	_, err = CompileBucket([]byte(allow(`"*"`, `"s3:GetObject"`, photosObjects)), "photos", resolve)
	testRefusal(t, err, "")
}

func TestCompileAction(t *testing.T) {
	both := `[` + photosBucket + `,` + photosObjects + `]`
	for _, action := range []string{
		`""`, `[]`, `1`, `"invalid_action"`, `["invalid_action"]`, `"s3"`, `"s3:"`, `"s4:GetObject"`, `"ss3:ListBucket"`,
		`":GetObject"`, `"s3GetObject"`, `"s3::GetObject"`, `"s3:Put-Object"`, `"s3:GetObject:"`, `"s3:Put(Object)"`,
		`"s3:*Obj??e` + `ct*"`, `"s3:????"`, `"s3:*:"`, `"*GetObject"`, `"???PutObject"`, `"s3:Abort?"`, `"s3:??Abort*"`,
		`"*:*"`, `"s?:GetObject"`, `"s3:GetObjekt"`, `["s3:GetObject","s3:Nothing"]`, `"sts:AssumeRole"`,
	} {
		t.Run(action, func(t *testing.T) {
			_, err := CompileBucket([]byte(allow(`"*"`, action, both)), "photos", nil)
			testRefusal(t, err, msgAction)
		})
	}
	for _, action := range []string{`"*"`, `"s3:*"`, `"S3:getOBJECT"`, `["s3:Get*","s3:????Bucket"]`, `"s3:Create*"`} {
		t.Run(action, func(t *testing.T) {
			_, err := CompileBucket([]byte(allow(`"*"`, action, both)), "photos", nil)
			testRefusal(t, err, "")
		})
	}
}

func TestCompileResource(t *testing.T) {
	for _, test := range []struct {
		resource string
		ok       bool
	}{
		{`"arn:aws:s3:::photos/*"`, true},
		{`["arn:aws:s3:::photos/a?c/*","arn:aws:s3:::photos/${aws:username}/*"]`, true},
		{`""`, false},
		{`[]`, false},
		{`{}`, false},
		{`"*"`, false},
		{`"arn:aws:s3:::*"`, false},
		{`"arn:aws:s3:::photo*"`, false},
		{`"arn:aws:s3:::photos*"`, false},
		{`"arn:aws:s3:::prefix-photos/*"`, false},
		{`"arn:aws:s3:::/photos/*"`, false},
		{`"arn:aws:iam:::photos/*"`, false},
		{`"arn:aws:s3::111122223333:photos/*"`, false},
		{`"photos/*"`, false},
		{`["arn:aws:s3:::photos/*","arn:aws:s3:::videos/*"]`, false},
		{`"arn:aws:s3:::photos/${aws:username"`, false},
		{`"arn:aws:s3:::photos/${username}"`, false},
	} {
		t.Run(test.resource, func(t *testing.T) {
			message := ""
			if !test.ok {
				message = msgResource
			}
			_, err := CompileBucket([]byte(allow(`"*"`, `"s3:GetObject"`, test.resource)), "photos", nil)
			testRefusal(t, err, message)
		})
	}
}

func TestCompileActionNeedsItsResource(t *testing.T) {
	for _, test := range []struct {
		action, resource string
		ok               bool
	}{
		{`"s3:GetObject"`, photosBucket, false},
		{`"s3:GetObjec?"`, photosBucket, false},
		{`"s3:Abort*"`, photosBucket, false},
		{`"s3:???Object"`, photosBucket, false},
		{`["s3:ListBucket","s3:PutObjectTagging"]`, photosBucket, false},
		{`"s3:ListBucket"`, photosObjects, false},
		{`"s3:GetBucket*"`, photosObjects, false},
		{`["s3:GetObject","s3:GetBucketTagging"]`, photosObjects, false},
		{`"s3:ListAllMyBuckets"`, photosBucket, false},
		{`"s3:*"`, photosBucket, true},
		{`"s3:Get*"`, photosObjects, true},
		{`"s3:List*"`, photosBucket, true},
		{`["s3:ListBucket","s3:GetObject"]`, `[` + photosBucket + `,"arn:aws:s3:::photos/one"]`, true},
	} {
		t.Run(test.action+" "+test.resource, func(t *testing.T) {
			message := ""
			if !test.ok {
				message = msgActionResource
			}
			_, err := CompileBucket([]byte(allow(`"*"`, test.action, test.resource)), "photos", nil)
			testRefusal(t, err, message)
		})
	}
	for _, elements := range []string{
		`"NotAction":"s3:ListBucket","Resource":` + photosObjects,
		`"Action":"s3:ListBucket","NotResource":` + photosObjects,
	} {
		_, err := CompileBucket([]byte(rule(`"Effect":"Deny","Principal":"*",`+elements)), "photos", nil)
		testRefusal(t, err, "")
	}
}

func TestCompileIdentity(t *testing.T) {
	for _, test := range []struct {
		name, document, message string
	}{
		{"everything", rule(`"Effect":"Allow","Action":"*","Resource":"*"`), ""},
		{"another service", rule(`"Effect":"Allow","Action":["sqs:Send*","admin:*"],"Resource":"arn:aws:sqs:eu:1:q"`), ""},
		{"the wrong resource", rule(`"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b"`), ""},
		{"any condition key", rule(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"x:Y":true}}`), ""},
		{"an address with wildcards", rule(`"Effect":"Allow","Action":"*","Resource":"*",` +
			`"Condition":{"StringLike":{"aws:SourceIp":"10.*"}}`), ""},
		{"a principal", allow(`"*"`, `"s3:GetObject"`, `"*"`), msgIdentityPrincipal},
		{"a null principal", allow(`null`, `"s3:GetObject"`, `"*"`), msgIdentityPrincipal},
		{
			"an exception to principals", rule(`"Effect":"Allow","NotPrincipal":"*","Action":"*","Resource":"*"`),
			msgIdentityPrincipal,
		},
		{
			"no ARN", rule(`"Effect":"Allow","Action":"s3:GetObject","Resource":"photos/*"`),
			`Resource photos/* must be in ARN format or "*".`,
		},
		{
			"half an ARN", rule(`"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:*"`),
			`Resource arn:aws:s3:* must be in ARN format or "*".`,
		},
		{"no action", rule(`"Effect":"Allow","Resource":"*"`), "Missing required field Action"},
		{"no service", rule(`"Effect":"Allow","Action":"GetObject","Resource":"*"`), msgAction},
		{
			"a condition key without service",
			rule(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"Y":true}}`),
			msgConditionKey,
		},
		{"an unclosed variable", rule(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"`), msgVariable},
		{
			"equal sids", `{"Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},` +
				`{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]}`,
			"Statement IDs (SID) in a single policy must be unique.",
		},
		{"no sids", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},` +
			`{"Sid":"","Effect":"Allow","Action":"*","Resource":"*"}]}`, ""},
		{
			"too large", `{"Id":"` + strings.Repeat("x", MaxIdentityBytes) + `"}`,
			"Normalized policy document exceeds the maximum allowed size of 6144 bytes",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := CompileIdentity([]byte(test.document))
			testRefusal(t, err, test.message)
		})
	}
}

func TestErrorSaysWhichStatement(t *testing.T) {
	fine := `{"Effect":"Allow","Action":"*","Resource":"*"}`
	_, err := CompileIdentity([]byte(`{"Statement":[` + fine + `,{"Effect":"Maybe"}]}`))
	var e *Error
	if !errors.As(err, &e) || e.Statement != 1 || err.Error() != "policy: statement 1: Invalid effect: Maybe" {
		t.Errorf("%v", err)
	}
	_, err = CompileIdentity([]byte(`{}`))
	if !errors.As(err, &e) || e.Statement != -1 || err.Error() != "policy: Missing required field Statement" {
		t.Errorf("%v", err)
	}
}

func TestMentions(t *testing.T) {
	p, err := CompileBucket([]byte(when(`"s3:GetObject"`, `"arn:aws:s3:::photos/${s3:signatureAge}/*"`,
		`{"StringEquals":{"S3:ExistingObjectTag/Project":"${aws:PrincipalTag/Team, 'x'}"}}`)), "photos", nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{
		"s3:ExistingObjectTag": true, "s3:existingobjecttag/Project": true, "s3:ExistingObjectTag/project": false,
		"s3:ExistingObjectTag/Other": false, "aws:PrincipalTag": true, "aws:principaltag/Team": true, "s3:signatureage": true,
		"s3:RequestObjectTag": false, "s3:ExistingObject": false, "": false,
	} {
		if p.Mentions(key) != want {
			t.Errorf("Mentions(%q) is %v", key, !want)
		}
	}
	if (*Policy)(nil).Mentions("s3:signatureAge") {
		t.Error("no policy mentions a key")
	}
}

// TestWithoutResource: MinIO's policies name no resources for its services beside S3.
func TestWithoutResource(t *testing.T) {
	t.Parallel()
	compile := func(statement string) (*Policy, error) {
		return CompileIdentity([]byte(`{"Version":"2012-10-17","Statement":[{` + statement + `}]}`))
	}
	p, err := compile(`"Effect":"Allow","Action":["admin:ServerInfo","kms:*"]`)
	if err != nil {
		t.Fatal(err)
	}
	who := Principal{Kind: User, Account: "1"}
	for action, want := range map[string]bool{"admin:ServerInfo": true, "kms:Decrypt": true, "admin:Heal": false, "s3:GetObject": false} {
		if got := Evaluate(&Request{Principal: who, Action: action, Bucket: "b", Key: "k"}, nil, p).Allowed; got != want {
			t.Errorf("%s: %v", action, got)
		}
	}
	for _, statement := range []string{
		`"Effect":"Allow","Action":["admin:*","s3:GetObject"]`, `"Effect":"Allow","Action":"*"`, `"Effect":"Allow","NotAction":"admin:*"`,
		`"Effect":"Allow","Action":"a*:*"`, `"Effect":"Allow","Action":"admin:*","Resource":[]`,
	} {
		if _, err := compile(statement); err == nil {
			t.Errorf("%s is taken", statement)
		}
	}
}
