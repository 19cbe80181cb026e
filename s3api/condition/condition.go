// Package condition tells what an HTTP request has to say of the condition keys that policies have for every service, such as
// aws:SourceIp. It is for all that decides by policies: what a statement denies from an address, or from a day on, must be
// denied everywhere.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
package condition

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// Value returns the values that a request, which came at a time, has for a key in lower case; none where it has none, or
// where the key is not one of these.
func Value(r *http.Request, now time.Time, key string) []string {
	switch key {
	case "aws:sourceip":
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return nil
		}
		return []string{host}
	case "aws:securetransport":
		return []string{strconv.FormatBool(r.TLS != nil)}
	case "aws:currenttime":
		return []string{now.UTC().Format(time.RFC3339)}
	case "aws:epochtime":
		return []string{strconv.FormatInt(now.Unix(), 10)}
	case "aws:useragent":
		return header(r, "User-Agent")
	case "aws:referer":
		return header(r, "Referer")
	}
	return nil
}

func header(r *http.Request, name string) []string {
	if value := r.Header.Get(name); value != "" {
		return []string{value}
	}
	return nil
}
