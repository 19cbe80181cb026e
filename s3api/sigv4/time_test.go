package sigv4

import (
	"testing"
	"time"
)

// TestParseTimeIsTimeParse holds the two next to each other.
func TestParseTimeIsTimeParse(t *testing.T) {
	for _, s := range []string{
		"20260101T000000Z", "20261231T235959Z", "00000101T000000Z", "99991231T235959Z",
		"20240229T120000Z", "20250229T120000Z", "20000229T120000Z", "19000229T120000Z", "20260431T000000Z",
		"20260001T000000Z", "20261301T000000Z", "20260100T000000Z", "20260132T000000Z",
		"20260101T240000Z", "20260101T006000Z", "20260101T000060Z",
		"20260101 000000Z", "20260101t000000Z", "20260101T000000z", "20260101T000000+", "2026010_T000000Z",
		"+0260101T000000Z", "-0260101T000000Z", "202601 1T000000Z", "20260101T00000.Z", "20260101T+10000Z",
		"", "20260101", "20260101T000000", "20260101T000000ZZ", "2026\u06610101T00000Z",
	} {
		got, ok := parseTime(s)
		want, err := time.Parse(timeFormat, s)
		if ok != (err == nil) || !got.Equal(want) || got.Location() != want.Location() {
			t.Errorf("%q: %v, %v; time.Parse has %v, %v", s, got, ok, want, err)
		}
		date := s[:min(len(s), dateDigits)]
		if _, err := time.Parse("20060102", date); isDate(date) != (err == nil) {
			t.Errorf("date %q: %v; time.Parse has %v", date, isDate(date), err)
		}
	}
}
