// Package sigv2 verifies AWS Signature Version 2, which S3 still takes in its oldest regions: boto3 and version 1 of the
// AWS CLI presign URLs and forms with it unless they are told otherwise. New clients should not use it: its signature
// does not cover the body, nor parameters that are no sub-resource.
//
// What it says of a request has the types of package sigv4. A bucket policy can refuse it: the condition key
// s3:signatureversion is "AWS".
//
// Invariants:
//   - Every x-amz-* header, Content-MD5, Content-Type and the path are covered by the signature, and in presigned URLs
//     every sub-resource: whoever has such a URL cannot make another operation of it.
//   - Signatures are compared in constant time.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
package sigv2

import (
	"crypto/hmac"
	"crypto/sha1" // the version's own
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// Version is the value of s3:signatureversion.
const Version = "AWS"

// maxSkew is how far a request's date may lie from ours.
const maxSkew = 15 * time.Minute

// Verifier verifies requests and the policies of forms. It may be used concurrently.
type Verifier struct {
	// Secret returns the secret of an access key, or false if there is no such key.
	Secret func(accessKey string) (secret string, ok bool)
	// Session returns the secret of temporary credentials, as that of sigv4.Verifier does; nil means that there are none.
	Session func(accessKey, token string) (secret string, err error)
	// Now is the clock.
	Now func() time.Time
}

// Verify returns who signed the request, which is known to carry a signature of this version in its header or its query.
// bucket is that of a virtual host, or empty. Refusals are *sigv4.Error.
func (v *Verifier) Verify(r *http.Request, bucket string) (*sigv4.Identity, error) {
	path, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") { // a request that was sent to a proxy
		path = r.URL.EscapedPath()
	}
	if bucket != "" {
		path = "/" + bucket + path
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badRequest("InvalidURI", "Couldn't parse the specified URI.")
	}
	s := signed{r: r, path: path, query: query}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		return v.verifyHeader(&s, authorization)
	}
	return v.verifyQuery(&s)
}

// verifyHeader verifies "AWS <access key>:<signature>".
func (v *Verifier) verifyHeader(s *signed, authorization string) (*sigv4.Identity, error) {
	_, credential, _ := strings.Cut(authorization, " ")
	accessKey, signature, ok := strings.Cut(strings.TrimSpace(credential), ":")
	if !ok || accessKey == "" || signature == "" {
		return nil, &sigv4.Error{
			Code: "InvalidArgument", Status: http.StatusBadRequest,
			Message: "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
			Extra:   []sigv4.Element{{Name: "ArgumentName", Value: "Authorization"}, {Name: "ArgumentValue", Value: credential}},
		}
	}
	now := v.Now()
	t, err := s.headerTime(now)
	if err != nil {
		return nil, err
	}
	id := &sigv4.Identity{Version: Version, AccessKey: accessKey, Time: t}
	// Clients disagree on whether newer sub-resources are part of the signature. Here who signs is who sends: both are
	// good.
	return v.check(s, id, signature, s.resources(Covers, isOld))
}

// verifyQuery verifies a presigned URL.
func (v *Verifier) verifyQuery(s *signed) (*sigv4.Identity, error) {
	accessKey, signature := s.query.Get("AWSAccessKeyId"), s.query.Get("Signature")
	expires := s.query.Get("Expires")
	for _, name := range []string{"AWSAccessKeyId", "Signature", "Expires"} {
		if len(s.query[name]) != 1 || s.query[name][0] == "" {
			return nil, accessDenied("Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
		}
	}
	for name := range s.query {
		// Of two names that differ in case only, one would be signed and the other meant.
		if lower := strings.ToLower(name); lower != name && (strings.HasPrefix(lower, "x-amz-") || strings.HasPrefix(lower, "content-")) {
			return nil, badRequest("InvalidRequest", "The query parameter "+name+" must be in lower case.")
		}
	}
	end, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return nil, accessDenied("Invalid date (should be seconds since epoch): " + expires)
	}
	now := v.Now()
	if now.Unix() > end {
		return nil, accessDenied("Request has expired",
			sigv4.Element{Name: "Expires", Value: errorTime(time.Unix(min(end, maxUnix), 0))},
			sigv4.Element{Name: "ServerTime", Value: errorTime(now)})
	}
	s.date, s.presigned = expires, true
	// When it was signed is not known: it counts as new.
	id := &sigv4.Identity{
		Version: Version, AccessKey: accessKey, Presigned: true, Time: now.UTC().Truncate(time.Second),
	}
	return v.check(s, id, signature, s.resources(Covers))
}

// maxUnix is the last second whose year has four digits.
const maxUnix = 253402300799

// check verifies the signature over one of the resources.
func (v *Verifier) check(s *signed, id *sigv4.Identity, signature string, resources []string) (*sigv4.Identity, error) {
	// It is signed like every x-amz-* header.
	id.Token = s.r.Header.Get("X-Amz-Security-Token")
	if id.Token == "" && s.presigned {
		id.Token = s.query.Get("x-amz-security-token")
	}
	secret, err := v.secret(id.AccessKey, id.Token)
	if err != nil {
		return nil, err
	}
	head := s.head()
	for _, resource := range resources {
		if matches(secret, head+resource, signature) {
			id.Payload = sigv4.UnsignedPayload
			if sent := s.r.Header.Get("X-Amz-Content-Sha256"); sent != "" {
				id.Payload = sent
			}
			if strings.HasPrefix(id.Payload, "STREAMING-AWS4-") {
				return nil, badRequest("InvalidRequest", "A payload of signed chunks needs a signature of version 4.")
			}
			return id, nil
		}
	}
	return nil, mismatch(id.AccessKey, head+resources[0], signature)
}

// secret returns the secret of a key, or of temporary credentials where there is a token.
func (v *Verifier) secret(accessKey, token string) (string, error) {
	if token == "" {
		secret, ok := v.Secret(accessKey)
		if !ok {
			return "", unknownKey(accessKey)
		}
		return secret, nil
	}
	if v.Session != nil {
		secret, err := v.Session(accessKey, token)
		if err == nil {
			return secret, nil
		}
		if errors.Is(err, sigv4.ErrExpiredToken) {
			return "", badRequest("ExpiredToken", "The provided token has expired.")
		}
	}
	return "", badRequest("InvalidToken", "The provided token is malformed or otherwise invalid.")
}

// PolicyAuth is what the fields of a POST upload's form say of its signature.
type PolicyAuth struct {
	// Policy is the policy document in base64, as it was sent: the signature is over it.
	Policy               string
	AccessKey, Signature string
	// Token is the session token; empty unless the credentials are temporary.
	Token string
}

// VerifyPolicy returns who signed the policy of a form. For how long that is good the policy says itself.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/HTTPPOSTForms.html
func (v *Verifier) VerifyPolicy(a PolicyAuth) (*sigv4.Identity, error) {
	secret, err := v.secret(a.AccessKey, a.Token)
	if err != nil {
		return nil, err
	}
	if !matches(secret, a.Policy, a.Signature) {
		return nil, mismatch(a.AccessKey, a.Policy, a.Signature)
	}
	return &sigv4.Identity{
		Version: Version, AccessKey: a.AccessKey, Token: a.Token, Payload: sigv4.UnsignedPayload,
		Time: v.Now().UTC().Truncate(time.Second),
	}, nil
}

// Sign returns the signature of a string.
func Sign(secret, toSign string) string {
	return base64.StdEncoding.EncodeToString(sum(secret, toSign))
}

func sum(secret, toSign string) []byte {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(toSign))
	return h.Sum(nil)
}

func matches(secret, toSign, signature string) bool {
	got, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && subtle.ConstantTimeCompare(got, sum(secret, toSign)) == 1
}
