package sigv2

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// signed is a request whose signature is looked at.
type signed struct {
	r         *http.Request
	path      string // as on the wire, with the bucket of a virtual host in front
	query     url.Values
	date      string // the line of the string to sign
	presigned bool
}

// headerTime returns the time of x-amz-date, or of Date where that is missing, and sets the date's line.
func (s *signed) headerTime(now time.Time) (time.Time, error) {
	sent := s.r.Header.Get("X-Amz-Date")
	if sent == "" {
		sent = s.r.Header.Get("Date")
		s.date = sent
	}
	t, ok := parseTime(sent)
	if !ok || t.Unix() < 0 {
		return time.Time{}, accessDenied("AWS authentication requires a valid Date or x-amz-date header")
	}
	if d := now.Sub(t); d > maxSkew || d < -maxSkew {
		return time.Time{}, &sigv4.Error{
			Code: "RequestTimeTooSkewed", Status: http.StatusForbidden,
			Message: "The difference between the request time and the current time is too large.",
			Extra: []sigv4.Element{
				{Name: "RequestTime", Value: sent},
				{Name: "ServerTime", Value: errorTime(now)},
				{Name: "MaxAllowedSkewMilliseconds", Value: "900000"},
			},
		}
	}
	return t.UTC(), nil
}

// parseTime reads the forms of dates that clients of this version send.
func parseTime(s string) (time.Time, bool) {
	if t, err := http.ParseTime(s); err == nil {
		return t, true
	}
	for _, layout := range []string{time.RFC1123Z, "20060102T150405Z", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// head is the string to sign up to the resource:
//
//	method \n Content-MD5 \n Content-Type \n date \n (x-amz-name:value \n)...
//
// A presigned URL may have headers in its query: those are signed, and meant, as headers.
func (s *signed) head() string {
	var b strings.Builder
	for _, line := range []string{s.r.Method, s.header("Content-MD5"), s.header("Content-Type"), s.date} {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	amz := map[string]string{}
	for name, values := range s.r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			trimmed := make([]string, len(values))
			for i, value := range values {
				trimmed[i] = strings.TrimSpace(value)
			}
			amz[name] = strings.Join(trimmed, ",")
		}
	}
	if s.presigned {
		for name, values := range s.query { // in lower case
			if strings.HasPrefix(name, "x-amz-") {
				if _, sent := amz[name]; !sent {
					amz[name] = strings.Join(values, ",")
				}
			}
		}
	}
	names := make([]string, 0, len(amz))
	for name := range amz {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ":" + amz[name] + "\n")
	}
	return b.String()
}

func (s *signed) header(name string) string {
	if value := s.r.Header.Get(name); value != "" || !s.presigned {
		return value
	}
	return strings.Join(s.query[strings.ToLower(name)], ",")
}

// resources are what may have been signed, the likeliest first. The path of a bucket is signed with a slash behind it,
// whether it is sent with one or not; some clients sign what they send.
func (s *signed) resources(choices ...func(string) bool) []string {
	paths := []string{s.path}
	if strings.Count(s.path, "/") == 1 && s.path != "/" {
		paths = []string{s.path + "/", s.path}
	}
	var resources []string
	for _, path := range paths {
		for _, chosen := range choices {
			resources = append(resources, path+s.parameters(chosen))
		}
	}
	return resources
}

// parameters are those that are chosen, sorted.
func (s *signed) parameters(chosen func(string) bool) string {
	var names []string
	for name := range s.query {
		if chosen(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	separator := byte('?')
	for _, name := range names {
		b.WriteByte(separator)
		b.WriteString(name)
		if value := s.query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
		separator = '&'
	}
	return b.String()
}

// old are the parameters that AWS's description of the version names.
var old = []string{
	"acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
	"tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// newer are sub-resources that came later, those of other dialects among them.
var newer = []string{
	"abac", "accelerate", "analytics", "append", "attributes", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
	"object-lock", "ownershipControls", "policyStatus", "publicAccessBlock", "renameObject", "replication", "restore",
	"quota", "retention", "select", "select-type", "session", "storageClass", "storageinfo", "usage",
}

func isOld(name string) bool {
	return slices.Contains(old, name) || strings.HasPrefix(name, "response-")
}

// Covers reports whether a signature of this version covers a parameter, which it must if that chooses the operation.
func Covers(name string) bool { return isOld(name) || slices.Contains(newer, name) }
