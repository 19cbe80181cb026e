package sigv4

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// queryAuth holds the parameters of a query that authenticate. They are case-sensitive.
type queryAuth struct {
	algorithm, credential, date, expires, signedHeaders, signature, payload param
	token, v2Key, v2Signature                                               param
}

// param is a decoded query parameter.
type param struct {
	value string
	seen  bool
}

// v4 reports whether the query means to authenticate with Signature Version 4. S3 goes by X-Amz-Algorithm alone; a
// query that has the rest and not that is better told so than taken for anonymous.
func (q *queryAuth) v4() bool {
	return q.algorithm.seen || q.signature.seen || q.credential.seen
}

// v2 reports whether the query means to authenticate with Signature Version 2.
func (q *queryAuth) v2() bool {
	return q.v2Key.seen && q.v2Signature.seen
}

// parseQueryAuth finds the authenticating parameters of a raw query. One that comes twice is an error: which of them
// counts must not depend on who reads.
func parseQueryAuth(raw string) (q queryAuth, err error) {
	for more := raw != ""; more; {
		var pair string
		pair, raw, more = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		name = unescapeQuery(name)
		var p *param
		switch name {
		case "X-Amz-Algorithm":
			p = &q.algorithm
		case "X-Amz-Credential":
			p = &q.credential
		case "X-Amz-Date":
			p = &q.date
		case "X-Amz-Expires":
			p = &q.expires
		case "X-Amz-SignedHeaders":
			p = &q.signedHeaders
		case "X-Amz-Signature":
			p = &q.signature
		case "X-Amz-Content-Sha256":
			p = &q.payload
		case "X-Amz-Security-Token":
			p = &q.token
		case "AWSAccessKeyId":
			p = &q.v2Key
		case "Signature":
			p = &q.v2Signature
		default:
			continue
		}
		if p.seen {
			return queryAuth{}, errQuery("The query parameter " + name + " must be given only once.")
		}
		*p = param{value: unescapeQuery(value), seen: true}
	}
	return q, nil
}

// parseQuery reads the query form of the credentials. The checks come in S3's order.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (v *Verifier) parseQuery(r *http.Request, q *queryAuth, now time.Time) (claim, error) {
	switch {
	case q.algorithm.seen && q.algorithm.value == algorithmV4A:
		return claim{}, errQuery(msgPolicyAlgorithm)
	case q.algorithm.seen && q.algorithm.value != algorithm:
		return claim{}, errQuery(msgQueryAlgorithm)
	}
	for _, p := range []*param{&q.algorithm, &q.credential, &q.signature, &q.date, &q.signedHeaders, &q.expires} {
		if !p.seen {
			return claim{}, errQuery(msgQueryRequires)
		}
	}
	t, ok := parseTime(q.date.value)
	if !ok {
		return claim{}, errQuery(msgQueryDate)
	}
	if err := checkExpires(q.expires.value, t, now); err != nil {
		return claim{}, err
	}

	c := claim{
		presigned:     true,
		time:          t,
		timestamp:     q.date.value,
		signedHeaders: q.signedHeaders.value,
		signature:     q.signature.value,
		payload:       UnsignedPayload,
		token:         q.token.value,
		tokenSent:     q.token.seen,
	}
	if detail, extra := v.parseCredential(&c, q.credential.value); detail != "" {
		return claim{}, errQuery("Error parsing the X-Amz-Credential parameter; "+detail, extra...)
	}
	if sent := c.timestamp[:dateDigits]; c.date != sent {
		return claim{}, errQuery(`Invalid credential date "` + c.date + `". This date is not the same as X-Amz-Date: "` +
			sent + `".`)
	}
	if q.payload.seen {
		c.payload = q.payload.value
	} else if sent, ok := singleHeader(r, "X-Amz-Content-Sha256"); ok {
		c.payload, c.payloadFromHeader = sent, true
	}
	if err := checkPayload(c.payload); err != nil {
		return claim{}, err
	}
	return c, nil
}

// checkExpires checks a presigned URL's life: seconds from 0 to a week, where 0 never is valid, from its date on.
func checkExpires(s string, t, now time.Time) error {
	seconds, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return errQuery(msgExpiresNumber)
	case seconds < 0:
		return errQuery(msgExpiresNegative)
	case seconds > maxExpiresSeconds:
		return errQuery(msgExpiresWeek)
	}
	end := t.Add(time.Duration(seconds) * time.Second)
	switch {
	case t.Sub(now) > maxSkew:
		return errAccessDenied(msgNotYetValid,
			Element{"X-Amz-Date", strconv.FormatInt(t.UnixMilli(), 10)},
			Element{"Expires", errorTime(end)},
			Element{"ServerTime", errorTime(now)})
	case now.After(end) || seconds == 0:
		return errAccessDenied(msgExpired,
			Element{"X-Amz-Expires", s},
			Element{"Expires", errorTime(end)},
			Element{"ServerTime", errorTime(now)})
	}
	return nil
}
