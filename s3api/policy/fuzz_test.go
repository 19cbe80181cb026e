package policy

import (
	"errors"
	"testing"
)

var fuzzDocuments = []string{
	`{}`,
	`{"Statement":[]}`,
	allow(`"*"`, `"s3:*"`, `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`),
	allow(`{"AWS":["111122223333","`+aliceARN+`"],"Service":"x"}`, `["s3:Get*","s3:PutObject"]`, photosObjects),
	rule(`"Sid":"a","Effect":"Deny","NotPrincipal":{"AWS":"` + aliceARN + `"},"NotAction":"s3:?et*",` +
		`"NotResource":` + photosObjects),
	when(`"s3:GetObject"`, `"arn:aws:s3:::photos/${aws:username, 'x'}/${*}?*"`, `{"ForAnyValue:StringNotLikeIfExists":{`+
		`"aws:PrincipalTag/a":["${s3:ExistingObjectTag/b}","*"]},"IpAddress":{"aws:SourceIp":["::/8","10.0.0.0/8"]}}`),
	when(`"s3:*"`, photosObjects, `{"NumericLessThan":{"s3:max-keys":1e3},`+
		`"DateEquals":{"aws:CurrentTime":"2026-01-01T00:00Z"},`+
		`"Bool":{"aws:SecureTransport":true},"BinaryEquals":{"aws:UserAgent":"aGk="},"Null":{"aws:Referer":false},`+
		`"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}`),
	rule(`"Effect":"Allow","Action":"*","Resource":"arn:*:s3:::${aws:username}*/?"`),
}

// refusedOrNil checks that what does not compile is refused with a message.
func refusedOrNil(t *testing.T, p *Policy, err error) *Policy {
	t.Helper()
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Message == "" || p != nil) {
		t.Fatalf("%v, %v", p, err)
	}
	return p
}

func FuzzCompile(f *testing.F) {
	for _, document := range fuzzDocuments {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := CompileBucket(document, "photos", nil)
		if p = refusedOrNil(t, p, err); p != nil {
			p.IsPublic()
		}
		q, err := CompileIdentity(document)
		if q = refusedOrNil(t, q, err); p != nil && q != nil {
			t.Fatal("a document is both a bucket's and an identity's")
		}
	})
}

func FuzzEvaluate(f *testing.F) {
	for i, document := range fuzzDocuments {
		f.Add([]byte(document), byte(i), "s3:GetObject", "photos", "Alice/k", "x")
	}
	people := []Principal{{}, alice, bob, carol, owner, stranger, admin, roleSession}
	f.Fuzz(func(t *testing.T, document []byte, who byte, action, bucket, key, value string) {
		theirs, err := CompileBucket(document, "photos", nil)
		theirs = refusedOrNil(t, theirs, err)
		mine, err := CompileIdentity(document)
		mine = refusedOrNil(t, mine, err)
		if theirs == nil && mine == nil {
			return
		}
		asked := func(name string) {
			if !theirs.Mentions(name) && !mine.Mentions(name) {
				t.Fatalf("%q is asked for and not mentioned", name)
			}
		}
		r := Request{
			Principal: people[int(who)%len(people)], Action: action, Bucket: bucket, Key: key, Owner: testAccount,
			Values: func(name string) []string {
				asked(name)
				return []string{value, key}[:1+len(value)%2]
			},
		}
		d := Evaluate(&r, theirs, mine)
		again := Evaluate(&r, theirs, mine)
		if d != again {
			t.Fatalf("%+v, then %+v", d, again)
		}
		if d.Allowed && d.Source == NoPolicy {
			t.Fatalf("allowed by nothing: %+v", d)
		}
		if !d.Allowed && d.Explain(&r) == "" {
			t.Fatalf("denied without a word: %+v", d)
		}
		if d.Allowed && r.Principal.Kind == Anonymous && theirs == nil {
			t.Fatalf("anonymous and without a bucket policy: %+v", d)
		}
	})
}
