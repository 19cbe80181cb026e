// Package sigv4 verifies AWS Signature Version 4 on requests as they came over the wire, in the Authorization header
// and in presigned URLs, and signs requests for our own clients and tests.
//
// Verify looks at the request line, the headers and the clock; it never reads the body. What the client says of the
// body comes back in Identity.Payload, and the caller holds the body to it.
//
// Invariants:
//   - A request is accepted only if the HMAC over its canonical request is the one it carries; they are compared in
//     constant time.
//   - Every x-amz-* header and Content-MD5 that the request carries is covered by the signature, so whatever the
//     handlers act on was said by the holder of the secret. x-amz-content-sha256 alone may be missing from
//     SignedHeaders when it is the payload line of the canonical request, which binds it as well.
//   - The canonical request is made of the raw request line, percent-decoded and encoded again by S3's rules: clients
//     escape differently, S3 takes them all. The path is not normalised: "//" and ".." are parts of keys.
//   - "+" in a query means a space, as for S3, MinIO and net/url; in a path it is a plus.
//
// A session token must be signed like everything else; Verifier.Session knows what it is worth.
//
// Errors are *Error, with S3's code, message, status and extra elements, in the order in which S3 checks, or
// ErrAnonymous for a request without credentials. Everything may be called concurrently.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The values of x-amz-content-sha256 that are not a hash.
const (
	UnsignedPayload          = "UNSIGNED-PAYLOAD"
	StreamingPayload         = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingPayloadTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// EmptyPayload is the SHA-256 of no bytes, in hex: the payload of a request without a body.
const EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const (
	algorithm      = "AWS4-HMAC-SHA256"
	algorithmV4A   = "AWS4-ECDSA-P256-SHA256"
	streamingECDSA = "STREAMING-AWS4-ECDSA-"
	service        = "s3"
	terminator     = "aws4_request"

	// timeFormat is that of X-Amz-Date; the first dateDigits characters are the date of the scope.
	timeFormat = "20060102T150405Z"
	dateDigits = 8

	// maxSkew is how far a request's date may lie from ours, and how far ahead a presigned one may.
	maxSkew = 15 * time.Minute
	// maxExpiresSeconds is the longest life of a presigned URL: a week.
	maxExpiresSeconds = 604800

	// maxCachedKeys bounds the cache of signing keys: one per access key and day in use.
	maxCachedKeys = 1024
)

// Verifier verifies requests. It must not be copied after its first use.
type Verifier struct {
	// Region is the region that credential scopes must name, such as "us-east-1". It is empty for a protocol whose scopes
	// name none: that of MinIO's admin API.
	Region string
	// Service is the service that credential scopes must name; empty for "s3".
	Service string
	// Secret returns the secret of an access key, or false if there is no such key.
	Secret func(accessKey string) (secret string, ok bool)
	// Session returns the secret of temporary credentials. It fails with ErrExpiredToken; every other error is a token that
	// is not valid. Nil means that there are none.
	Session func(accessKey, token string) (secret string, err error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu   sync.Mutex // guards keys
	keys map[keyID]*signingKey
}

// signingKey is the key of a scope.
type signingKey struct {
	key [sha256.Size]byte
	// macs are HMACs with the key, used again: half of a short HMAC is the work that depends on the key alone.
	macs sync.Pool
}

// appendSum appends the HMAC of data.
func (k *signingKey) appendSum(dst, data []byte) []byte {
	mac, ok := k.macs.Get().(hash.Hash)
	if !ok {
		mac = hmac.New(sha256.New, k.key[:])
	}
	mac.Reset()
	mac.Write(data)
	dst = mac.Sum(dst)
	k.macs.Put(mac)
	return dst
}

// keyID names a signing key. The secret is part of it: a rotated secret never meets an old key.
type keyID struct {
	accessKey, secret, date string
}

// Identity is who signed a request, and what for.
type Identity struct {
	// AccessKey is the access key whose secret made the signature.
	AccessKey string
	// Token is the session token; empty unless the credentials are temporary.
	Token string
	// Presigned reports the query form.
	Presigned bool
	// Payload is what the signature says of the body: its SHA-256 in 64 hex digits as sent, UnsignedPayload, or one of
	// the Streaming constants. It is the only word to trust: in the query form it may differ from the header's.
	Payload string
	// Time is the signature's time, in UTC and whole seconds.
	Time time.Time
	// Scope is the credential scope, such as "20260101/us-east-1/s3/aws4_request".
	Scope string
	// SigningKey is the key of the scope, which also signs the chunks of a streaming body. It is shared: do not change it.
	SigningKey []byte
	// Signature is the request's signature in 64 lower-case hex digits, the seed of a streaming body.
	Signature string
}

// claim is a parsed and plausible, but not yet verified, signature.
type claim struct {
	accessKey, scope, date string
	// timestamp is the signature's time in timeFormat.
	timestamp     string
	time          time.Time
	signedHeaders string
	signature     string
	payload       string
	// payloadFromHeader says that payload is the value of the request's x-amz-content-sha256 header.
	payloadFromHeader bool
	// token is the session token; tokenSent says that there is one, whatever it is.
	token     string
	tokenSent bool
	presigned bool
}

// Verify returns who signed the request. It returns ErrAnonymous for a request without credentials and an *Error for
// one whose credentials it refuses.
func (v *Verifier) Verify(r *http.Request) (*Identity, error) {
	path, query := wire(r)
	params, err := parseQueryAuth(query)
	if err != nil {
		return nil, err
	}
	authorization := ""
	if values := r.Header["Authorization"]; len(values) > 0 {
		if authorization = values[0]; len(values) > 1 {
			return nil, errInvalidArgument(msgOneMechanism, "Authorization", strings.Join(values, ","))
		}
	}
	now := v.now()
	var c claim
	switch {
	case authorization != "" && (params.v4() || params.v2()):
		return nil, errInvalidArgument(msgOneMechanism, "Authorization", authorization)
	case authorization != "":
		c, err = v.parseHeader(r, authorization, now)
	case params.v4() && params.v2():
		return nil, errInvalidArgument(msgOneMechanism, "Authorization", "")
	case params.v4():
		c, err = v.parseQuery(r, &params, now)
	case params.v2():
		return nil, errV2()
	default:
		return nil, ErrAnonymous
	}
	if err != nil {
		return nil, err
	}
	return v.check(r, path, query, &c)
}

// check verifies the claim's signature.
func (v *Verifier) check(r *http.Request, path, query string, c *claim) (*Identity, error) {
	if err := checkHeadersSigned(r, c); err != nil {
		return nil, err
	}
	if values, sent := r.Header["X-Amz-Security-Token"]; sent {
		if len(values) != 1 || c.tokenSent {
			return nil, errToken() // of two, which counts must not depend on who reads
		}
		c.token, c.tokenSent = values[0], true
	}
	secret, err := v.secretOf(c)
	if err != nil {
		return nil, err
	}
	key := v.signingKey(c, secret)

	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.canonicalRequest(r, path, query, c)
	s.stringToSign(c)
	s.sum = key.appendSum(s.sum[:0], s.toSign)

	// Comparing bytes, not digits, takes upper-case hex as well.
	got, err := hex.DecodeString(c.signature)
	if err != nil || subtle.ConstantTimeCompare(got, s.sum) != 1 {
		return nil, errMismatch(c, s)
	}
	return &Identity{
		AccessKey:  c.accessKey,
		Token:      c.token,
		Presigned:  c.presigned,
		Payload:    c.payload,
		Time:       c.time,
		Scope:      c.scope,
		SigningKey: key.key[:],
		Signature:  strings.ToLower(c.signature), // they are the same bytes
	}, nil
}

// secretOf returns the secret that the claim must have been signed with.
func (v *Verifier) secretOf(c *claim) (string, error) {
	if !c.tokenSent {
		if secret, ok := v.Secret(c.accessKey); ok {
			return secret, nil
		}
		return "", errUnknownKey(c.accessKey)
	}
	if v.Session == nil {
		return "", errToken()
	}
	secret, err := v.Session(c.accessKey, c.token)
	switch {
	case errors.Is(err, ErrExpiredToken):
		return "", errExpiredToken()
	case err != nil:
		return "", errToken()
	}
	return secret, nil
}

// service is what scopes must name.
func (v *Verifier) service() string { return cmp.Or(v.Service, service) }

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// signingKey returns the key of the claim's scope. Deriving it takes four HMACs, as much as the rest of Verify, so it
// is kept for the day. Only existing access keys and dates near ours get here, so strangers cannot fill the cache.
func (v *Verifier) signingKey(c *claim, secret string) *signingKey {
	id := keyID{accessKey: c.accessKey, secret: secret, date: c.date}
	v.mu.Lock()
	key, ok := v.keys[id]
	v.mu.Unlock()
	if ok {
		return key
	}
	key = &signingKey{key: deriveKey(secret, c.date, v.Region, v.service())}
	// The strings are parts of the request's headers: do not keep those alive.
	id.accessKey, id.date = strings.Clone(id.accessKey), strings.Clone(id.date)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil || len(v.keys) >= maxCachedKeys {
		v.keys = make(map[keyID]*signingKey)
	}
	v.keys[id] = key
	return key
}

// DeriveKey returns the signing key of a secret for a date ("20260101") and a region, in the s3 service.
func DeriveKey(secret, date, region string) []byte {
	key := deriveKey(secret, date, region, service)
	return key[:]
}

func deriveKey(secret, date, region, service string) [sha256.Size]byte {
	key := hmacSHA256([]byte("AWS4"+secret), []byte(date))
	for _, part := range []string{region, service, terminator} {
		key = hmacSHA256(key[:], []byte(part))
	}
	return key
}

func hmacSHA256(key, data []byte) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	h.Sum(sum[:0])
	return sum
}
