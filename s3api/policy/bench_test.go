package policy

import (
	"fmt"
	"strings"
	"testing"
)

// tenStatements is a bucket policy whose last statement is the one that allows.
func tenStatements(t testing.TB) *Policy {
	statements := []string{
		`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"],` +
			`"Condition":{"Bool":{"aws:SecureTransport":"false"}}}`,
		`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::photos/*",` +
			`"Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}}`,
	}
	for i := range 7 {
		statements = append(statements, fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":["s3:GetObject*",`+
			`"s3:PutObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::photos/team%d/*","arn:aws:s3:::photos/*/team%d/*"]}`,
			aliceARN, i, i))
	}
	statements = append(statements, `{"Effect":"Allow","Principal":"*","Action":"s3:Get*",`+
		`"Resource":"arn:aws:s3:::photos/public/*","Condition":{"StringLike":`+
		`{"aws:Referer":["https://*.example.com/*","https://example.org/*"]}}}`)
	return bucketPolicy(t, strings.Join(statements, ","))
}

func benchRequest() *Request {
	var values [1]string
	return &Request{
		Principal: alice, Action: "s3:GetObject", Bucket: "photos", Key: "public/2026/03/a-picture-of-a-ship.jpeg",
		Owner: testAccount,
		Values: func(key string) []string {
			switch key {
			case "aws:securetransport":
				values[0] = "true"
			case "aws:sourceip":
				values[0] = "10.20.30.40"
			case "aws:referer":
				values[0] = "https://www.example.com/gallery/1"
			default:
				return nil
			}
			return values[:]
		},
	}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	p, r := tenStatements(t), benchRequest()
	own := identityPolicy(t, `{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}`)
	if d := Evaluate(r, p, own); d.Source != BucketPolicy || d.Statement != 9 {
		t.Fatalf("%+v", d)
	}
	if n := testing.AllocsPerRun(100, func() { Evaluate(r, p, own) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p, r := tenStatements(b), benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		if !Evaluate(r, p).Allowed {
			b.Fatal("denied")
		}
	}
}

// Variables are put in anew for every request.
func BenchmarkEvaluateVariables(b *testing.B) {
	p := identityPolicy(b, `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::photos/home/${aws:username}/*"}`)
	r := &Request{Principal: alice, Action: "s3:GetObject", Bucket: "photos", Key: "home/Alice/a-picture.jpeg"}
	b.ReportAllocs()
	for b.Loop() {
		if !Evaluate(r, nil, p).Allowed {
			b.Fatal("denied")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	document := []byte(allow(`"*"`, `["s3:GetObject","s3:List*"]`, `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CompileBucket(document, "photos", nil); err != nil {
			b.Fatal(err)
		}
	}
}
