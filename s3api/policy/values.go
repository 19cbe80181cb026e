package policy

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseNumber reads an integer or a decimal number.
func parseNumber(s string) (float64, bool) {
	for i := range len(s) {
		if b := s[i]; (b < '0' || b > '9') && !strings.ContainsRune("+-.eE", rune(b)) {
			return 0, false // ParseFloat would take 0x1p3, Inf and 1_000 as well
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// dateLayouts are the forms of ISO 8601 that W3C's note on dates and times has, and IAM takes.
var dateLayouts = [...]string{
	time.RFC3339, // with or without fractions of a second
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05",
	time.DateOnly,
	"2006-01",
}

// parseDate reads a date in a form of ISO 8601, or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && (len(s) != 4 || seconds < 0) {
		// Beyond these years a time.Time no longer compares as its seconds do.
		return time.Unix(seconds, 0), seconds > math.MinInt32*1000 && seconds < math.MaxInt32*1000
	}
	if len(s) == 4 {
		t, err := time.Parse("2006", s)
		return t, err == nil
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func parseBool(s string) (value, ok bool) {
	value = strings.EqualFold(s, "true")
	return value, value || strings.EqualFold(s, "false")
}

// parseNetwork reads an address or a range in CIDR notation, of IPv4 or IPv6.
func parseNetwork(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, false
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	network, err := netip.ParsePrefix(s)
	if err != nil || network.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return network.Masked(), true
}
