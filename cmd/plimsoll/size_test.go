package main

import (
	"math"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "none": 0, "None": 0, "0MiB": 0, "1": 1, "1048576": 1 << 20, "10MiB": 10 << 20, "10mib": 10 << 20,
		"10 MiB": 10 << 20, " 10MiB ": 10 << 20, "10MB": 10_000_000, "10M": 10_000_000, "10Mi": 10 << 20,
		"1.5KiB": 1536, "1,024": 1024, "10GiB": 10 << 30, "1TB": 1_000_000_000_000,
		"9007199254740993":    1<<53 + 1, // more digits than a float64 has
		"9223372036854775807": math.MaxInt64,
		"7EiB":                7 << 60,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"-1": "negative", "-10MiB": "negative", "9223372036854775808": "largest", "8EiB": "largest", "99EiB": "largest",
		"18446744073709551616": "largest", "": "not a size", "MiB": "not a size", "ten": "not a size",
		"10parsec": "not a size", "1e6": "not a size", "0x10": "not a size", "+5": "not a size", "NaN": "not a size",
		"5%": "not a size", "1.2.3": "not a size", "0.5": "less than one byte", "0.0001KiB": "less than one byte",
	} {
		if got, err := parseSize(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseSize(%q) = %d, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "none": 0, "1": 1, "1,000": 1000, " 7 ": 7, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := parseCount(text); err != nil || got != want {
			t.Errorf("parseCount(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"-1": "negative", "-9223372036854775809": "negative", "9223372036854775808": "largest",
		"": "not a number", "1k": "not a number", "1.5": "not a number", "ten": "not a number",
	} {
		if got, err := parseCount(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseCount(%q) = %d, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestBucketSpec(t *testing.T) {
	for text, want := range map[string]struct {
		name  string
		limit int64 // -1 where none is given
	}{
		"photos": {"photos", -1}, "photos:10GiB": {"photos", 10 << 30},
		"photos:none": {"photos", 0}, "photos:0": {"photos", 0},
	} {
		var b bucketSpec
		if err := b.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		limit := int64(-1)
		if b.maxBytes != nil {
			limit = *b.maxBytes
		}
		if b.name != want.name || limit != want.limit {
			t.Errorf("%q is %q with %d; want %q with %d", text, b.name, limit, want.name, want.limit)
		}
	}
	for _, text := range []string{"", "ab", "Photos", ":10GiB", "photos:", "photos:ten", "photos:1:2"} {
		var b bucketSpec
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
