package sigv4

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
)

// ErrAnonymous is returned for a request that carries no credentials. Whether that is allowed is for the caller.
var ErrAnonymous = errors.New("sigv4: the request carries no credentials")

// Error is a refusal in S3's terms.
type Error struct {
	// Code and Message are those of S3's error document.
	Code, Message string
	// Status is the HTTP status, 400, 403 or 501.
	Status int
	// Extra holds the elements that S3 adds for this code, in their order.
	Extra []Element
}

// Element is an element of S3's error document.
type Element struct {
	Name, Value string
}

// Error implements error.
func (e *Error) Error() string {
	return "sigv4: " + e.Code + ": " + e.Message
}

const (
	msgOneMechanism = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query " +
		"string parameter or the Authorization header should be specified"
	msgOneSpace        = "Authorization header is invalid -- one and only one ' ' (space) required."
	msgUnsupportedType = "Unsupported Authorization Type"
	msgComponents      = "the authorization header requires three components: Credential, SignedHeaders, and Signature."
	msgBadPayload      = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, " +
		"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or " +
		"a valid sha256 value."
	msgQueryRequires = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
		"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
	msgQueryAlgorithm  = `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`
	msgQueryDate       = `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`
	msgExpiresNumber   = "X-Amz-Expires should be a number"
	msgExpiresNegative = "X-Amz-Expires must be non-negative"
	msgExpiresWeek     = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must " +
		"be less than 604800 seconds"
	msgNotYetValid     = "Request is not yet valid"
	msgExpired         = "Request has expired."
	msgPolicyAlgorithm = `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"`
	msgPolicyOnly      = "Only AWS4-HMAC-SHA256 is supported"
	msgPolicyDate      = "X-Amz-Date must be formated via ISO8601 Long format"
	msgMismatch        = "The request signature we calculated does not match the signature you provided. " +
		"Check your key and signing method."
	msgNoDate = "AWS authentication requires a valid Date or x-amz-date header."
)

func errInvalidArgument(message, name, value string) *Error {
	extra := []Element{{"ArgumentName", name}}
	if value != "" {
		extra = append(extra, Element{"ArgumentValue", value})
	}
	return &Error{Code: "InvalidArgument", Message: message, Status: http.StatusBadRequest, Extra: extra}
}

func errAccessDenied(message string, extra ...Element) *Error {
	return &Error{Code: "AccessDenied", Message: message, Status: http.StatusForbidden, Extra: extra}
}

func errHeaderMalformed(detail string, extra ...Element) *Error {
	return &Error{
		Code:    "AuthorizationHeaderMalformed",
		Message: "The authorization header is malformed; " + detail,
		Status:  http.StatusBadRequest,
		Extra:   extra,
	}
}

func errQuery(message string, extra ...Element) *Error {
	return &Error{
		Code: "AuthorizationQueryParametersError", Message: message, Status: http.StatusBadRequest, Extra: extra,
	}
}

func errV2() *Error {
	return &Error{
		Code:    "InvalidRequest",
		Message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
		Status:  http.StatusBadRequest,
	}
}

func errV4A(what string) *Error {
	return &Error{
		Code:    "NotImplemented",
		Message: what + " is not implemented. Please use AWS4-HMAC-SHA256.",
		Status:  http.StatusNotImplemented,
	}
}

func errNoPayload() *Error {
	return &Error{
		Code:    "InvalidRequest",
		Message: "Missing required header for this request: x-amz-content-sha256",
		Status:  http.StatusBadRequest,
	}
}

func errSkewed(requestTime string, now time.Time) *Error {
	return &Error{
		Code:    "RequestTimeTooSkewed",
		Message: "The difference between the request time and the current time is too large.",
		Status:  http.StatusForbidden,
		Extra: []Element{
			{"RequestTime", requestTime},
			{"ServerTime", errorTime(now)},
			{"MaxAllowedSkewMilliseconds", "900000"},
		},
	}
}

// ErrExpiredToken is what Verifier.Session returns for credentials whose time is over.
var ErrExpiredToken = errors.New("sigv4: the session token has expired")

func errExpiredToken() *Error {
	return &Error{Code: "ExpiredToken", Message: "The provided token has expired.", Status: http.StatusBadRequest}
}

func errToken() *Error {
	return &Error{
		Code:    "InvalidToken",
		Message: "The provided token is malformed or otherwise invalid.",
		Status:  http.StatusBadRequest,
	}
}

func errUnknownKey(accessKey string) *Error {
	return &Error{
		Code:    "InvalidAccessKeyId",
		Message: "The AWS Access Key Id you provided does not exist in our records.",
		Status:  http.StatusForbidden,
		Extra:   []Element{{"AWSAccessKeyId", accessKey}},
	}
}

// errMismatch shows what we signed, as S3 does: it is all made of what the client sent.
func errMismatch(c *claim, s *scratch) *Error {
	return &Error{
		Code:    "SignatureDoesNotMatch",
		Message: msgMismatch,
		Status:  http.StatusForbidden,
		Extra: []Element{
			{"AWSAccessKeyId", c.accessKey},
			{"StringToSign", string(s.toSign)},
			{"SignatureProvided", c.signature},
			{"StringToSignBytes", spacedHex(s.toSign)},
			{"CanonicalRequest", string(s.canonical)},
			{"CanonicalRequestBytes", spacedHex(s.canonical)},
		},
	}
}

func spacedHex(b []byte) string {
	var sb strings.Builder
	sb.Grow(3 * len(b))
	for i := range b {
		if i > 0 {
			sb.WriteByte(' ')
		}
		sb.WriteString(hex.EncodeToString(b[i : i+1]))
	}
	return sb.String()
}

// errorTime is the form of times in S3's error documents.
func errorTime(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
