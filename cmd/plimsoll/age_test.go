package main

import (
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "0d": 0, "30d": 30 * day, "1d12h": 36 * time.Hour, "24h": day, "90m": 90 * time.Minute, " 2d ": 2 * day,
		"1500ms": 1500 * time.Millisecond, "36500d": maxAge,
	} {
		got, err := parseAge(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
		if back, err := parseAge(age(got).String()); err != nil || back != got {
			t.Errorf("%q is written as %q, which is %v, %v", text, age(got), back, err)
		}
	}
	for _, text := range []string{
		"", "d", "5", "-1d", "-1h", "1d-1h", "1.5d", "36501d", "36500d1s", "9999999999d", "999999999h", "soon", "1h2d", "1d2d", "+1d",
	} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
	for a, want := range map[age]string{
		age(day): "1d", age(time.Hour): "1h", age(90 * time.Minute): "1h30m", age(36 * time.Hour): "1d12h", age(10 * time.Minute): "10m",
		age(time.Second): "1s", age(day + time.Second): "1d1s",
	} {
		if got := a.String(); got != want {
			t.Errorf("%v is written as %q, want %q", time.Duration(a), got, want)
		}
	}
	if got := *age(1500 * time.Millisecond).seconds(); got != 2 {
		t.Errorf("1.5 seconds are %d: what is younger must be spared", got)
	}
}
