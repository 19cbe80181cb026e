package policy

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawStatement draws a statement of a bucket's policy, or of an identity policy.
func drawStatement(t *rapid.T, effect string, identity bool) string {
	draw := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	who := ""
	if !identity {
		who = `"` + draw("element", "Principal", "NotPrincipal") + `":` + draw("principal", `"*"`, `{"AWS":"`+aliceARN+`"}`,
			`{"AWS":"`+bobARN+`"}`, `{"AWS":"`+testAccount+`"}`, `{"AWS":["`+otherAccount+`","`+carolARN+`"]}`) + `,`
	}
	return fmt.Sprintf(`{"Effect":%q,%s"%sAction":%s,"%sResource":%s%s}`, effect, who,
		draw("actions", "", "", "Not"), draw("action", `"s3:*"`, `["s3:Get*","s3:ListBucket"]`, `"s3:PutObject*"`),
		draw("resources", "", "", "Not"), draw("resource", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`,
			`["arn:aws:s3:::photos/${aws:username}/*","arn:aws:s3:::photos"]`,
			`["arn:aws:s3:::photos/a*","arn:aws:s3:::photos"]`),
		draw("condition", "", "", `,"Condition":{"Bool":{"aws:SecureTransport":true}}`,
			`,"Condition":{"StringNotEquals":{"aws:UserAgent":["${aws:username}","curl"]}}`,
			`,"Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`))
}

func drawStatements(t *rapid.T, identity bool) []string {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return drawStatement(t, rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect"), identity)
	}), 0, 4).Draw(t, "statements")
}

func drawRequest(t *rapid.T) *Request {
	values := context{
		"aws:securetransport": rapid.SampledFrom([][]string{nil, {"true"}, {"false"}}).Draw(t, "tls"),
		"aws:useragent":       rapid.SampledFrom([][]string{nil, {"curl"}, {"Alice"}, {"aws"}}).Draw(t, "agent"),
		"aws:sourceip":        rapid.SampledFrom([][]string{nil, {"10.1.1.1"}, {"192.0.2.1"}}).Draw(t, "address"),
	}
	return &Request{
		Principal: rapid.SampledFrom([]Principal{{}, alice, bob, carol, owner, stranger, admin}).Draw(t, "principal"),
		Action: rapid.SampledFrom([]string{
			"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:PutBucketPolicy",
		}).Draw(t, "action"),
		Bucket: "photos",
		Key:    rapid.SampledFrom([]string{"", "a", "Alice/x", "Bob/x"}).Draw(t, "key"),
		Owner:  rapid.SampledFrom([]string{testAccount, ""}).Draw(t, "owner"),
		Values: values.values,
	}
}

// compiled compiles statements that are drawn, and none to no policy.
func compiled(t *rapid.T, statements []string, identity bool) *Policy {
	if len(statements) == 0 {
		return nil
	}
	document := []byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
	p, err := CompileBucket(document, "photos", nil)
	if identity {
		p, err = CompileIdentity(document)
	}
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return p
}

func TestDenyAlwaysWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		theirs, mine := drawStatements(t, false), drawStatements(t, true)
		deny := drawStatement(t, "Deny", false)
		alone := Evaluate(r, compiled(t, []string{deny}, false))
		at := rapid.IntRange(0, len(theirs)).Draw(t, "at")
		with := append(append(append([]string{}, theirs[:at]...), deny), theirs[at:]...)
		d := Evaluate(r, compiled(t, with, false), compiled(t, mine, true))
		if alone.Explicit() && (d.Allowed || !d.Explicit()) {
			t.Fatalf("%+v, though %s denies it", d, deny)
		}
	})
}

func TestAllowNeverTakesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		theirs, mine := drawStatements(t, false), drawStatements(t, true)
		before := Evaluate(r, compiled(t, theirs, false), compiled(t, mine, true))
		if rapid.Bool().Draw(t, "in the bucket's policy") {
			theirs = append(theirs, drawStatement(t, "Allow", false))
		} else {
			mine = append(mine, drawStatement(t, "Allow", true))
		}
		after := Evaluate(r, compiled(t, theirs, false), compiled(t, mine, true))
		if before.Allowed && !after.Allowed {
			t.Fatalf("%+v became %+v", before, after)
		}
		if before.Explicit() && after != before {
			t.Fatalf("%+v, which is explicit, became %+v", before, after)
		}
	})
}

// What is not public is closed to anonymous requests that bring no condition keys.
func TestNotPublicMeansClosed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := compiled(t, drawStatements(t, false), false)
		r := drawRequest(t)
		r.Principal = Principal{}
		if !p.IsPublic() && Evaluate(r, p).Allowed {
			t.Fatal("an anonymous request is allowed by a policy that is not public")
		}
	})
}
