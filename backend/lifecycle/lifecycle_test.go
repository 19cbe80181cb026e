package lifecycle

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func bytes(n int64) *int64 { return &n }

func TestDue(t *testing.T) {
	for _, test := range []struct {
		since string
		days  int
		want  string
	}{
		{"2026-01-15 10:30", 3, "2026-01-19 00:00"}, // S3's own example
		{"2026-01-15 00:00", 3, "2026-01-18 00:00"},
		{"2026-02-28 23:59", 1, "2026-03-02 00:00"},
	} {
		if got := due(at(test.since), test.days); !got.Equal(at(test.want)) {
			t.Errorf("%d days after %s: %s", test.days, test.since, got)
		}
	}
}

func TestFilter(t *testing.T) {
	red := []Tag{{"colour", "red"}, {"size", "xl"}}
	for name, test := range map[string]struct {
		filter  Filter
		version Version
		want    bool
	}{
		"everything":             {Filter{}, Version{Key: "a"}, true},
		"prefix":                 {Filter{Prefix: "logs/"}, Version{Key: "logs/1"}, true},
		"other prefix":           {Filter{Prefix: "logs/"}, Version{Key: "log"}, false},
		"tag":                    {Filter{Tags: red[:1]}, Version{Key: "a", Tags: red}, true},
		"both tags":              {Filter{Tags: red}, Version{Key: "a", Tags: red[1:]}, false},
		"other value":            {Filter{Tags: red[:1]}, Version{Key: "a", Tags: []Tag{{"colour", "blue"}}}, false},
		"greater":                {Filter{SizeGreaterThan: bytes(10)}, Version{Key: "a", Size: 11}, true},
		"greater excludes":       {Filter{SizeGreaterThan: bytes(10)}, Version{Key: "a", Size: 10}, false},
		"greater than nothing":   {Filter{SizeGreaterThan: bytes(0)}, Version{Key: "a"}, false},
		"less":                   {Filter{SizeLessThan: bytes(10)}, Version{Key: "a", Size: 9}, true},
		"less excludes":          {Filter{SizeLessThan: bytes(10)}, Version{Key: "a", Size: 10}, false},
		"marker by prefix":       {Filter{Prefix: "a"}, Version{Key: "a", Marker: true}, true},
		"marker never by tag":    {Filter{Tags: red}, Version{Key: "a", Marker: true}, false},
		"marker never by a size": {Filter{SizeLessThan: bytes(10)}, Version{Key: "a", Marker: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.filter.Matches(&test.version); got != test.want {
				t.Error(got)
			}
		})
	}
}

func TestExpired(t *testing.T) {
	object := func(modified string) Version { return Version{Key: "k", Size: 5, Modified: at(modified)} }
	marker := func(modified string) Version { return Version{Key: "k", Modified: at(modified), Marker: true} }
	days := func(n int) Rule { return Rule{Enabled: true, ExpireDays: n} }
	tests := []struct {
		name     string
		rules    []Rule
		versions []Version
		now      string
		want     []int
	}{
		{"no versions", []Rule{days(1)}, nil, "2030-01-01 00:00", nil},
		{"not yet", []Rule{days(1)}, []Version{object("2026-01-01 12:00")}, "2026-01-02 23:59", nil},
		{"due", []Rule{days(1)}, []Version{object("2026-01-01 12:00")}, "2026-01-03 00:00", []int{0}},
		{"disabled", []Rule{{ExpireDays: 1}}, []Version{object("2026-01-01 12:00")}, "2030-01-01 00:00", nil},
		{"the earliest rule", []Rule{days(30), days(1)}, []Version{object("2026-01-01 12:00")}, "2026-01-03 00:00", []int{0}},
		{
			"by date",
			[]Rule{{Enabled: true, ExpireDate: at("2026-05-01 00:00")}},
			[]Version{object("2026-04-30 12:00")},
			"2026-05-01 00:00",
			[]int{0},
		},
		{
			"before the date",
			[]Rule{{Enabled: true, ExpireDate: at("2026-05-01 00:00")}},
			[]Version{object("2020-04-30 12:00")},
			"2026-04-30 23:59", nil,
		},
		{
			"noncurrent counts from its successor",
			[]Rule{{Enabled: true, NoncurrentDays: 2}},
			[]Version{object("2026-03-10 00:00"), object("2026-03-05 00:00"), object("2020-01-01 00:00")},
			"2026-03-11 00:00",
			[]int{2},
		},
		{
			"the newest noncurrent are kept",
			[]Rule{{Enabled: true, NoncurrentDays: 1, NewerNoncurrent: 1}},
			[]Version{object("2026-01-04 00:00"), object("2026-01-03 00:00"), object("2026-01-02 00:00"), object("2026-01-01 00:00")},
			"2027-01-01 00:00",
			[]int{2, 3},
		},
		{
			"markers do not count among the newest",
			[]Rule{{Enabled: true, NoncurrentDays: 1, NewerNoncurrent: 1}},
			[]Version{object("2026-01-04 00:00"), marker("2026-01-03 00:00"), object("2026-01-02 00:00")},
			"2027-01-01 00:00", nil,
		},
		{
			"a marker that hides nothing",
			[]Rule{{Enabled: true, ExpireMarkers: true}},
			[]Version{marker("2026-01-01 00:00")},
			"2026-01-01 00:01",
			[]int{0},
		},
		{
			"a marker that hides a version stays",
			[]Rule{{Enabled: true, ExpireMarkers: true, ExpireDays: 1}},
			[]Version{marker("2026-01-02 00:00"), object("2026-01-01 00:00")},
			"2027-01-01 00:00", nil,
		},
		{
			"a marker that hides nothing goes at the age of an object",
			[]Rule{days(1)},
			[]Version{marker("2026-01-01 00:00")},
			"2026-01-02 00:00",
			[]int{0},
		},
		{
			"all at once",
			[]Rule{{Enabled: true, ExpireDays: 1, NoncurrentDays: 1}},
			[]Version{object("2026-01-02 00:00"), object("2026-01-01 00:00")},
			"2027-01-01 00:00",
			[]int{0, 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := Configuration{Rules: test.rules}
			if got := c.Expired(test.versions, at(test.now)); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestExpirationNamesItsRule(t *testing.T) {
	c := Configuration{Rules: []Rule{
		{ID: "late", Enabled: true, ExpireDays: 9},
		{ID: "early", Enabled: true, ExpireDays: 2},
		{ID: "elsewhere", Enabled: true, ExpireDays: 1, Filter: Filter{Prefix: "x"}},
	}}
	when, rule, ok := c.Expiration(&Version{Key: "k", Modified: at("2026-01-01 00:00")})
	if !ok || rule != "early" || !when.Equal(at("2026-01-03 00:00")) {
		t.Errorf("%s by %q, %v", when, rule, ok)
	}
}

func TestPrefix(t *testing.T) {
	rule := func(enabled bool, prefix string) Rule { return Rule{Enabled: enabled, Filter: Filter{Prefix: prefix}} }
	for name, test := range map[string]struct {
		rules []Rule
		want  string
		ok    bool
	}{
		"no rules":     {nil, "", false},
		"all disabled": {[]Rule{rule(false, "a")}, "", false},
		"one":          {[]Rule{rule(true, "logs/")}, "logs/", true},
		"in common":    {[]Rule{rule(true, "logs/2025/"), rule(true, "logs/2026/"), rule(false, "x")}, "logs/202", true},
		"nothing":      {[]Rule{rule(true, "logs/"), rule(true, "tmp/")}, "", true},
		"everything":   {[]Rule{rule(true, "logs/"), rule(true, "")}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := Configuration{Rules: test.rules}
			if got, ok := c.Prefix(); got != test.want || ok != test.ok {
				t.Errorf("%q, %v, want %q, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestAbortsUpload(t *testing.T) {
	c := Configuration{Rules: []Rule{
		{ID: "tagged", Enabled: true, AbortDays: 1, Filter: Filter{Tags: []Tag{{"a", "b"}}}},
		{ID: "raw", Enabled: true, AbortDays: 3, Filter: Filter{Prefix: "raw/"}},
	}}
	if when, rule, ok := c.AbortsUpload("raw/1", at("2026-01-01 00:00")); !ok || rule != "raw" || !when.Equal(at("2026-01-04 00:00")) {
		t.Errorf("%s by %q, %v", when, rule, ok)
	}
	if _, rule, ok := c.AbortsUpload("other", at("2026-01-01 00:00")); ok {
		t.Errorf("aborted by %q", rule)
	}
}

func TestMarshal(t *testing.T) {
	c := &Configuration{Rules: []Rule{{
		ID: "r", Enabled: true, ExpireDate: at("2026-01-01 00:00"), AbortDays: 2,
		Filter: Filter{Form: FormAnd, Prefix: "p", Tags: []Tag{{"a", ""}}, SizeLessThan: bytes(0)},
	}}}
	got, err := Unmarshal(c.Marshal())
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Unmarshal([]byte("<xml/>")); err == nil {
		t.Error("XML is taken")
	}
}
