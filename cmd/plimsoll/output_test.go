package main

import (
	"math"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func TestPercentAndBar(t *testing.T) {
	for _, test := range []struct {
		name        string
		used, limit int64
		percent     string
		full        int
	}{
		{"empty", 0, 100, "0%", 0},
		{"next to nothing", 1, 1000, "<1%", 1},
		{"a third", 32, 100, "32%", 4},
		{"half", 50, 100, "50%", 6},
		{"one byte left", 999_999, 1_000_000, "99%", 11},
		{"all", 100, 100, "100%", 12},
		{"over a lowered limit", 150, 100, "150%", 12},
		{"far over", math.MaxInt64, 1, ">999%", 12},
		{"ten times", 10_000, 1000, ">999%", 12},
		{"one byte left of all there is", math.MaxInt64 - 1, math.MaxInt64, "99%", 11},
		{"all there is", math.MaxInt64, math.MaxInt64, "100%", 12},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := percent(test.used, test.limit); got != test.percent {
				t.Errorf("percent is %q, want %q", got, test.percent)
			}
			want := strings.Repeat("█", test.full) + strings.Repeat("░", 12-test.full)
			if got := bar(test.used, test.limit); got != want {
				t.Errorf("bar is %q, want %q", got, want)
			}
		})
	}
	if percent(5, 0) != "" || bar(5, 0) != "" {
		t.Error("what has no limit has a percentage or a bar")
	}
}

func TestWriteAccounts(t *testing.T) {
	var out strings.Builder
	err := writeAccounts(&out, []adminapi.Account{
		{Scope: "server", MaxBytes: 100 << 30, UsedBytes: 1 << 30, Objects: 12, PartBytes: 1 << 30, Uploads: 1},
		{Scope: "owner", Name: "al", MaxBytes: 10 << 20, UsedBytes: 5 << 20, Objects: 2, PartBytes: 1 << 20, Uploads: 1},
		{Scope: "bucket", Name: "photos", MaxBytes: 10 << 20, MaxObjects: 1000, UsedBytes: 3400000, Objects: 12},
		{Scope: "bucket", Name: "server", UsedBytes: 3, Objects: 1, ReservedBytes: 8 << 20},
		{Scope: "bucket", Name: "tmp", PartBytes: 5 << 20, Uploads: 2, ReservedBytes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
(server)  2.0 GiB / 100.0 GiB   2% █░░░░░░░░░░░  12 objects              with 1.0 GiB in 1 unfinished upload
user al   5.0 MiB / 10.0 MiB   50% ██████░░░░░░   2 objects              and 1.0 MiB in 1 unfinished upload
photos    3.2 MiB / 10.0 MiB   32% ████░░░░░░░░  12 / 1,000 objects  1%
server        3 B / no limit                      1 object               8.0 MiB reserved
tmp           0 B / no limit                      0 objects              and 5.0 MiB in 2 unfinished uploads, 1 B reserved
`, "\n")
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
