package sigv4

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// awsPolicy is signed in AWS's example of a POST upload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html
const (
	awsPolicy = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6" +
		"ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJw" +
		"dWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25h" +
		"d3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQog" +
		"ICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVT" +
		"MjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJ" +
		"QUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFX" +
		"UzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
	awsPolicySignature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
	awsPolicyKey       = "AKIAIOSFODNN7EXAMPLE"
	awsPolicySecret    = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func TestPolicy(t *testing.T) {
	v := &Verifier{Region: "us-east-1", Secret: func(key string) (string, bool) { return awsPolicySecret, key == awsPolicyKey }}
	signed := SignPolicy(awsPolicy, awsPolicyKey, awsPolicySecret, "us-east-1", time.Date(2015, 12, 29, 0, 0, 0, 0, time.UTC))
	if signed.Signature != awsPolicySignature {
		t.Fatalf("signature %s", signed.Signature)
	}
	for _, test := range []struct {
		name string
		edit func(*PolicyAuth)
		code string
	}{
		{"as signed", func(*PolicyAuth) {}, ""},
		{"upper case", func(a *PolicyAuth) { a.Signature = strings.ToUpper(a.Signature) }, ""},
		{"policy", func(a *PolicyAuth) { a.Policy += "=" }, "SignatureDoesNotMatch"},
		{"signature", func(a *PolicyAuth) { a.Signature = a.Signature[1:] }, "SignatureDoesNotMatch"},
		{"no signature", func(a *PolicyAuth) { a.Signature = "" }, "SignatureDoesNotMatch"},
		{"algorithm", func(a *PolicyAuth) { a.Algorithm = "AWS4-HMAC-SHA1" }, "InvalidArgument"},
		{"SigV4A", func(a *PolicyAuth) { a.Algorithm = algorithmV4A }, "NotImplemented"},
		{"date", func(a *PolicyAuth) { a.Date = "20151229" }, "InvalidArgument"},
		{"another day", func(a *PolicyAuth) { a.Date = "20151230T000000Z" }, "InvalidArgument"},
		{"credential", func(a *PolicyAuth) { a.Credential = awsPolicyKey }, "InvalidArgument"},
		{"region", func(a *PolicyAuth) { a.Credential = awsPolicyKey + "/20151229/mars/s3/aws4_request" }, "InvalidArgument"},
		{"key", func(a *PolicyAuth) { a.Credential = "X/20151229/us-east-1/s3/aws4_request" }, "InvalidAccessKeyId"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := signed
			test.edit(&a)
			identity, err := v.VerifyPolicy(a)
			if test.code == "" {
				if err != nil || identity.AccessKey != awsPolicyKey || identity.Signature != awsPolicySignature {
					t.Errorf("%+v, %v", identity, err)
				}
				return
			}
			var refused *Error
			if !errors.As(err, &refused) || refused.Code != test.code || identity != nil {
				t.Errorf("%+v, %v", identity, err)
			}
		})
	}
}
