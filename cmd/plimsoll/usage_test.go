package main

import (
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func TestChoose(t *testing.T) {
	growing := func(rate float64) *adminapi.Growth {
		return &adminapi.Growth{EnoughHistory: true, Bytes: &adminapi.Rate{PerDay: rate}}
	}
	all := []adminapi.Account{
		{Name: "a", UsedBytes: 10, MaxBytes: 100, Objects: 3, Growth: growing(-5)},
		{Name: "b", UsedBytes: 30, Objects: 1},
		{Name: "c", UsedBytes: 20, MaxObjects: 4, Objects: 2, Growth: growing(7)},
		{Name: "d", UsedBytes: 20, MaxBytes: 10, Objects: 2, Growth: growing(0)},
	}
	percentage := func(p float64) *float64 { return &p }
	for _, test := range []struct {
		name string
		c    usageCommand
		want string
	}{
		{"by name", usageCommand{Sort: "name"}, "abcd"},
		{"by use", usageCommand{Sort: "used"}, "bcda"},
		{"by objects", usageCommand{Sort: "objects"}, "acdb"},
		{"by percentage, no limit last", usageCommand{Sort: "percent"}, "dcab"},
		{"by growth, unknown last", usageCommand{Sort: "growth"}, "cdab"},
		{"that match", usageCommand{Sort: "name", Filter: "[bd]"}, "bd"},
		{"over", usageCommand{Sort: "name", Over: percentage(50)}, "cd"},
		{"over nothing: what has a limit", usageCommand{Sort: "name", Over: percentage(0)}, "acd"},
		{"both", usageCommand{Sort: "used", Filter: "?", Over: percentage(10)}, "cda"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			for _, a := range test.c.choose(append([]adminapi.Account(nil), all...)) {
				got += a.Name
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWriteGrowth(t *testing.T) {
	at := time.Now().Add(40 * 24 * time.Hour)
	date := func(days int) string { return at.AddDate(0, 0, days).Local().Format(time.DateOnly) }
	later := at.AddDate(0, 0, 9)
	rates := func(g adminapi.Growth) adminapi.Growth {
		g.EnoughHistory, g.Points, g.SpanSeconds = true, 48, 14*24*3600
		g.Bytes, g.Objects = &adminapi.Rate{PerDay: 3 << 20, Low: -1024, High: 4 << 20}, &adminapi.Rate{PerDay: 1234.5}
		return g
	}
	const known = "Growth: +3.0 MiB/day (-1.0 KiB/day to +4.0 MiB/day) and 1,234.5 objects/day, by 48 points over 14 days.\n"
	for _, test := range []struct {
		name string
		g    adminapi.Growth
		want string
	}{
		{
			"too little",
			adminapi.Growth{Points: 3, SpanSeconds: 7200},
			"Not enough history to tell growth: 3 points over 2 hours; it takes 6 over a day.\n",
		},
		{"no limit", rates(adminapi.Growth{}), known},
		{
			"both", rates(adminapi.Growth{
				BytesFull:   &adminapi.Forecast{At: at, Earliest: at.AddDate(0, 0, -3), Latest: &later, Confidence: "high"},
				ObjectsFull: &adminapi.Forecast{At: at, Earliest: at, Confidence: "low"},
			}),
			known + "The limit of bytes will be reached on " + date(0) + " (" + date(-3) + " at the earliest, " + date(9) +
				" at the latest; confidence: high).\n" +
				"The limit of objects will be reached on " + date(0) + " (" + date(0) +
				" at the earliest, never at the latest; confidence: low).\n",
		},
		{
			"reached",
			adminapi.Growth{BytesFull: &adminapi.Forecast{At: time.Now(), Confidence: "high"}},
			"Not enough history to tell growth: 0 points over 0 seconds; it takes 6 over a day.\nThe limit of bytes is reached.\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			writeGrowth(&out, test.g)
			if out.String() != test.want {
				t.Errorf("got\n%swant\n%s", out.String(), test.want)
			}
		})
	}
}

func TestWriteAccountsThatGrow(t *testing.T) {
	at := time.Now().Add(40 * 24 * time.Hour)
	soon := &adminapi.Forecast{At: at, Confidence: "medium"}
	var out strings.Builder
	err := writeAccounts(&out, []adminapi.Account{
		{Name: "a", UsedBytes: 5, MaxBytes: 10, Growth: &adminapi.Growth{
			Bytes: &adminapi.Rate{PerDay: 1536}, BytesFull: &adminapi.Forecast{At: at.AddDate(1, 0, 0)}, ObjectsFull: soon,
		}},
		{Name: "b", Growth: &adminapi.Growth{Bytes: &adminapi.Rate{PerDay: -1}}, DeleteMarkers: 2},
		{Name: "c", Growth: &adminapi.Growth{Bytes: &adminapi.Rate{PerDay: 0.2}}},
		{Name: "d", MaxBytes: 5, UsedBytes: 5, Growth: &adminapi.Growth{BytesFull: &adminapi.Forecast{At: time.Now()}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	date := at.Local().Format(time.DateOnly)
	want := strings.TrimPrefix(`
a  5 B / 10 B       50% ██████░░░░░░  0 objects  +1.5 KiB/day  full `+date+` (medium)
b  0 B / no limit                     0 objects      -1 B/day                            2 delete markers
c  0 B / no limit                     0 objects        steady
d  5 B / 5 B       100% ████████████  0 objects
`, "\n")
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPrintable(t *testing.T) {
	for key, want := range map[string]string{
		"a/b c.jpg": "a/b c.jpg", "ünï": "ünï", "\x1b[2J": `"\x1b[2J"`, "a\nb": `"a\nb"`, " a": `" a"`, "": `""`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := printable(key); got != want {
			t.Errorf("%q is written as %s, want %s", key, got, want)
		}
	}
}
