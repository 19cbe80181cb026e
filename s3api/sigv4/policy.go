package sigv4

import (
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// PolicyAuth is what the fields of a POST upload's form say of its signature. All of them have been sent.
type PolicyAuth struct {
	// Policy is the policy document in base64, as it was sent: the signature is over it.
	Policy                                 string
	Algorithm, Credential, Date, Signature string
	// Token is the session token; empty where none was sent.
	Token string
}

// VerifyPolicy returns who signed the policy of a form, or an *Error. For how long that is good the policy says itself;
// the clock is not asked.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
func (v *Verifier) VerifyPolicy(a PolicyAuth) (*Identity, error) {
	switch a.Algorithm {
	case algorithm:
	case algorithmV4A:
		return nil, errV4A("The signing algorithm " + algorithmV4A)
	default:
		return nil, errInvalidArgument(msgPolicyOnly, "X-Amz-Algorithm", a.Algorithm)
	}
	t, ok := parseTime(a.Date)
	if !ok {
		return nil, errInvalidArgument(msgPolicyDate, "X-Amz-Date", a.Date)
	}
	c := claim{time: t, timestamp: a.Date, signature: a.Signature, payload: UnsignedPayload}
	if detail, extra := v.parseCredential(&c, a.Credential); detail != "" {
		e := errInvalidArgument(detail, "x-amz-credential", a.Credential)
		e.Extra = append(e.Extra, extra...)
		return nil, e
	}
	if sent := c.timestamp[:dateDigits]; c.date != sent {
		return nil, errInvalidArgument(`Invalid credential date "`+c.date+`". This date is not the same as X-Amz-Date: "`+
			sent+`".`, "x-amz-credential", a.Credential)
	}
	c.token, c.tokenSent = a.Token, a.Token != ""
	secret, err := v.secretOf(&c)
	if err != nil {
		return nil, err
	}
	// The date is any: a key of it is not worth a place in the cache.
	key := deriveKey(secret, c.date, v.Region, v.service())
	sum := hmacSHA256(key[:], []byte(a.Policy))
	got, err := hex.DecodeString(a.Signature)
	if err != nil || subtle.ConstantTimeCompare(got, sum[:]) != 1 {
		return nil, &Error{
			Code: "SignatureDoesNotMatch", Message: msgMismatch, Status: http.StatusForbidden,
			Extra: []Element{
				{"AWSAccessKeyId", c.accessKey},
				{"StringToSign", a.Policy},
				{"SignatureProvided", a.Signature},
				{"StringToSignBytes", spacedHex([]byte(a.Policy))},
			},
		}
	}
	return &Identity{
		AccessKey: c.accessKey, Token: c.token, Payload: c.payload, Time: c.time, Scope: c.scope, SigningKey: key[:],
		Signature: strings.ToLower(a.Signature),
	}, nil
}

// SignPolicy returns the fields that sign a policy document in base64.
func SignPolicy(policy, accessKey, secret, region string, now time.Time) PolicyAuth {
	c := newClaim(region, now.UTC())
	key := deriveKey(secret, c.date, region, service)
	sum := hmacSHA256(key[:], []byte(policy))
	return PolicyAuth{
		Policy: policy, Algorithm: algorithm, Credential: accessKey + "/" + c.scope, Date: c.timestamp,
		Signature: hex.EncodeToString(sum[:]),
	}
}
