package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// parseHeader reads the header form of the credentials. The checks come in S3's order.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
func (v *Verifier) parseHeader(r *http.Request, authorization string, now time.Time) (claim, error) {
	scheme, rest, ok := strings.Cut(authorization, " ")
	if !ok {
		return claim{}, errInvalidArgument(msgOneSpace, "Authorization", authorization)
	}
	switch {
	case strings.EqualFold(scheme, algorithm):
	case strings.EqualFold(scheme, algorithmV4A):
		return claim{}, errV4A("The signing algorithm " + algorithmV4A)
	case strings.EqualFold(scheme, "AWS"):
		return claim{}, errV2()
	default:
		return claim{}, errInvalidArgument(msgUnsupportedType, "Authorization", scheme)
	}

	payload, ok := singleHeader(r, "X-Amz-Content-Sha256")
	if !ok {
		return claim{}, errNoPayload()
	}
	if err := checkPayload(payload); err != nil {
		return claim{}, err
	}
	t, err := headerTime(r, now)
	if err != nil {
		return claim{}, err
	}
	c := claim{payload: payload, payloadFromHeader: true, time: t}
	// A client that dates with Date, in whatever form, signs this form all the same.
	if sent, ok := singleHeader(r, "X-Amz-Date"); ok {
		c.timestamp = sent
	} else {
		c.timestamp = t.Format(timeFormat)
	}

	credential, wrong := c.parseComponents(rest)
	if wrong != "" {
		return claim{}, errHeaderMalformed(wrong)
	}
	if detail, extra := v.parseCredential(&c, credential); detail != "" {
		return claim{}, errHeaderMalformed(detail, extra...)
	}
	if c.date != c.timestamp[:dateDigits] {
		return claim{}, errHeaderMalformed("Invalid credential date. Date is not the same as X-Amz-Date.")
	}
	return c, nil
}

// headerTime returns the time of X-Amz-Date, or of Date if that is missing, and checks it against our clock.
func headerTime(r *http.Request, now time.Time) (time.Time, error) {
	var t time.Time
	sent, ok := singleHeader(r, "X-Amz-Date")
	if ok {
		t, ok = parseTime(sent)
	} else if sent, ok = singleHeader(r, "Date"); ok {
		if t, ok = parseTime(sent); !ok {
			var err error
			t, err = http.ParseTime(sent)
			t, ok = t.UTC(), err == nil
		}
	}
	if !ok || t.Unix() < 0 {
		return time.Time{}, errAccessDenied(msgNoDate)
	}
	if d := now.Sub(t); d > maxSkew || d < -maxSkew {
		return time.Time{}, errSkewed(sent, now)
	}
	return t, nil
}

// parseTime reads X-Amz-Date's form. Its years have four digits, so that every time.Time here can be formatted again.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(timeFormat) || s[dateDigits] != 'T' || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	day, ok := parseDate(s[:dateDigits])
	clock := s[dateDigits+1:]
	hour, minute, second := decimal(clock[0:2]), decimal(clock[2:4]), decimal(clock[4:6])
	if !ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	return day.Add(time.Duration((hour*60+minute)*60+second) * time.Second), true
}

// parseDate reads a scope's form of a date. It takes what time.Parse takes: that, twice for each request, was a third of
// Verify's work.
func parseDate(s string) (time.Time, bool) {
	if len(s) != dateDigits {
		return time.Time{}, false
	}
	year, month, day := decimal(s[0:4]), decimal(s[4:6]), decimal(s[6:8])
	if year < 0 || month < 1 || month > 12 || day < 1 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == day // the month has that day
}

// decimal reads digits; what is none makes it negative.
func decimal(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}

// singleHeader returns a header's value, by its canonical name. A header that was sent twice counts as missing: the
// ones asked for have one value, and no two parties shall read two differently.
func singleHeader(r *http.Request, name string) (string, bool) {
	values := r.Header[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// parseComponents reads "Credential=..., SignedHeaders=..., Signature=...", in any order and with any blanks around
// the commas, and returns the credential. Each must be there once and have a value; wrong says which has not, in S3's
// words.
func (c *claim) parseComponents(s string) (credential, wrong string) {
	if strings.Count(s, ",") != 2 {
		return "", msgComponents
	}
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, ",")
		part = strings.Trim(part, " \t")
		name, value, ok := strings.Cut(part, "=")
		var field *string
		switch name {
		case "Credential":
			field = &credential
		case "SignedHeaders":
			field = &c.signedHeaders
		case "Signature":
			field = &c.signature
		}
		if !ok || (field != nil && *field != "") {
			return "", `the authorization component "` + part + `" is malformed.`
		}
		if field != nil {
			*field = value
		}
	}
	switch {
	case credential == "":
		return "", "missing Credential."
	case c.signedHeaders == "":
		return "", "missing SignedHeaders."
	case c.signature == "":
		return "", "missing Signature."
	}
	return credential, ""
}

// parseCredential reads "<access key>/<date>/<region>/s3/aws4_request" into the claim. If something is wrong with it,
// it returns S3's words for that, which both forms embed in their own, and the elements to add.
func (v *Verifier) parseCredential(c *claim, s string) (detail string, extra []Element) {
	var parts [5]string
	n := 0
	for rest, more := s, true; more; n++ {
		if n == len(parts) {
			n = 0 // too many
			break
		}
		parts[n], rest, more = strings.Cut(rest, "/")
	}
	if n != len(parts) || parts[0] == "" {
		return `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`, nil
	}
	date, region := parts[1], parts[2]
	if parts[4] != terminator {
		return `incorrect terminal "` + parts[4] + `". This endpoint uses "aws4_request".`, nil
	}
	if parts[3] != v.service() {
		return `incorrect service "` + parts[3] + `". This endpoint belongs to "` + v.service() + `".`, nil
	}
	if region == "" && v.Region != "" {
		return "a non-empty region must be provided in the credential.", nil
	}
	if region != v.Region {
		return `the region "` + region + `" is wrong; expecting "` + v.Region + `"`, []Element{{"Region", v.Region}}
	}
	if !isDate(date) {
		return `incorrect date format "` + date +
			`". This date in the credential must be in the format "yyyyMMdd".`, nil
	}
	c.accessKey, c.date, c.scope = parts[0], date, s[len(parts[0])+1:]
	return "", nil
}

func isDate(s string) bool {
	_, ok := parseDate(s)
	return ok
}

// checkPayload takes 64 hex digits in either case and the constants that this package knows.
func checkPayload(s string) error {
	switch s {
	case UnsignedPayload, StreamingPayload, StreamingPayloadTrailer, StreamingUnsignedTrailer:
		return nil
	}
	if strings.HasPrefix(s, streamingECDSA) {
		return errV4A("The payload form " + s)
	}
	if len(s) != len(EmptyPayload) {
		return errInvalidArgument(msgBadPayload, "x-amz-content-sha256", s)
	}
	for i := range len(s) {
		if _, ok := unhex(s[i]); !ok {
			return errInvalidArgument(msgBadPayload, "x-amz-content-sha256", s)
		}
	}
	return nil
}

// checkHeadersSigned refuses a request with a header that S3 wants signed and that is not: host, Content-MD5 and every
// x-amz-* header.
func checkHeadersSigned(r *http.Request, c *claim) error {
	var missing []string
	if !isSigned(c.signedHeaders, "host") {
		missing = append(missing, "host")
	}
	for name := range r.Header {
		if !mustBeSigned(name) || isSigned(c.signedHeaders, name) {
			continue
		}
		if c.payloadFromHeader && name == "X-Amz-Content-Sha256" {
			continue
		}
		missing = append(missing, strings.ToLower(name))
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return errAccessDenied("There were headers present in the request which were not signed",
		Element{"HeadersNotSigned", strings.Join(missing, ", ")})
}

func mustBeSigned(name string) bool {
	const prefix = "x-amz-"
	return len(name) >= len(prefix) && isLowerOf(prefix, name[:len(prefix)]) || isLowerOf("content-md5", name)
}

// isSigned reports whether the semicolon-separated list of lower-case names has this name, which is in any case.
func isSigned(list, name string) bool {
	for more := true; more; {
		var signed string
		signed, list, more = strings.Cut(list, ";")
		if isLowerOf(signed, name) {
			return true
		}
	}
	return false
}

// isLowerOf reports whether lower is name in (ASCII) lower case.
func isLowerOf(lower, name string) bool {
	if len(lower) != len(name) {
		return false
	}
	for i := range len(name) {
		b := name[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if lower[i] != b {
			return false
		}
	}
	return true
}
