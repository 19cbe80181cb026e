package s3api

import (
	"testing"
	"time"
)

func TestXMLTime(t *testing.T) {
	for _, at := range []time.Time{
		time.UnixMilli(0),
		time.UnixMilli(1_767_225_599_999),
		time.UnixMilli(951_782_400_007),
		time.UnixMilli(-1),
		time.Date(2026, 12, 31, 23, 59, 59, 50_999_999, time.FixedZone("", -3600)),
		{},
	} {
		var x xmlWriter
		x.time(at)
		if got, want := string(x.bytes()), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}

func TestAppendEscaped(t *testing.T) {
	for in, want := range map[string]string{
		"":              "",
		"plain":         "plain",
		"<a>":           "&lt;a&gt;",
		`a&"b`:          "a&amp;&quot;b",
		"\x00a\x1f":     "&#x0;a&#x1f;",
		"\u00e9t\u00e9": "\u00e9t\u00e9",
		"a\uffffb":      "a&#xffff;b",
		"\xffa\x7f'":    "\ufffda\x7f'",
	} {
		if got := string(appendEscaped([]byte("|"), in)); got != "|"+want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
