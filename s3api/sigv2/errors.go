package sigv2

import (
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

func accessDenied(message string, extra ...sigv4.Element) *sigv4.Error {
	return &sigv4.Error{Code: "AccessDenied", Message: message, Status: http.StatusForbidden, Extra: extra}
}

func badRequest(code, message string) *sigv4.Error {
	return &sigv4.Error{Code: code, Message: message, Status: http.StatusBadRequest}
}

func unknownKey(accessKey string) *sigv4.Error {
	return &sigv4.Error{
		Code: "InvalidAccessKeyId", Status: http.StatusForbidden,
		Message: "The AWS Access Key Id you provided does not exist in our records.",
		Extra:   []sigv4.Element{{Name: "AWSAccessKeyId", Value: accessKey}},
	}
}

func mismatch(accessKey, toSign, signature string) *sigv4.Error {
	return &sigv4.Error{
		Code: "SignatureDoesNotMatch", Status: http.StatusForbidden,
		Message: "The request signature we calculated does not match the signature you provided. " +
			"Check your key and signing method.",
		Extra: []sigv4.Element{
			{Name: "AWSAccessKeyId", Value: accessKey},
			{Name: "StringToSign", Value: toSign},
			{Name: "SignatureProvided", Value: signature},
		},
	}
}

// errorTime is the form of times in S3's error documents.
func errorTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
