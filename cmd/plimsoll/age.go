package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// age is how old something is at the least, or becomes at the most: 30d, 24h, 1d12h, 0.
type age time.Duration

// maxAge is the largest age, a century.
const maxAge = 100 * 365 * 24 * time.Hour

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *age) UnmarshalText(text []byte) error {
	d, err := parseAge(string(text))
	*a = age(d)
	return err
}

// parseAge reads days, and what time.ParseDuration reads after them.
func parseAge(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	wrong := fmt.Errorf("%q is not a duration; write 30d, 24h, 1d12h or 0", text)
	rest, sum := text, time.Duration(0)
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil {
			return 0, wrong
		}
		if n > uint64(maxAge/(24*time.Hour)) {
			return 0, fmt.Errorf("%q is more than a century", text)
		}
		rest, sum = after, time.Duration(n)*24*time.Hour
	}
	if rest == "" && rest != text {
		return sum, nil
	}
	d, err := time.ParseDuration(rest)
	switch {
	case err != nil:
		return 0, wrong
	case d < 0:
		return 0, fmt.Errorf("%q is negative", text)
	case d > maxAge-sum:
		return 0, fmt.Errorf("%q is more than a century", text)
	}
	return sum + d, nil
}

// seconds rounds up: what is younger is spared.
func (a age) seconds() *int64 {
	return new(int64((time.Duration(a) + time.Second - 1) / time.Second))
}

// String writes the age as it may be given.
func (a age) String() string {
	d := time.Duration(a)
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	switch {
	case rest == 0 && days > 0:
		return fmt.Sprintf("%dd", days)
	case rest == 0:
		return "0"
	}
	text := rest.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	if days > 0 {
		return fmt.Sprintf("%dd%s", days, text)
	}
	return text
}
