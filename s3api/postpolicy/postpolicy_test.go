package postpolicy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// document returns a policy that has not expired, with these conditions.
func document(conditions string) []byte {
	return []byte(`{"expiration": "2026-05-01T12:00:01.000Z", "conditions": [` + conditions + `]}`)
}

func TestCheck(t *testing.T) {
	form := func(pairs ...string) map[string]string {
		fields := map[string]string{"bucket": "photos", "policy": "…", "x-amz-signature": "…"}
		for i := 0; i < len(pairs); i += 2 {
			fields[pairs[i]] = pairs[i+1]
		}
		return fields
	}
	tests := []struct {
		name, conditions string
		fields           map[string]string
		refusal          string // part of it; empty where the form is allowed
	}{
		{"nothing asked", ``, form(), ""},
		{"simple", `{"key": "a"}`, form("key", "a"), ""},
		{"simple, other value", `{"key": "a"}`, form("key", "b"), "Policy Condition failed"},
		{"eq", `["eq", "$key", "a"]`, form("key", "a"), ""},
		{"operator in capitals", `["EQ", "$Key", "a"]`, form("key", "a"), ""},
		{"starts-with", `["starts-with", "$key", "user/"]`, form("key", "user/a"), ""},
		{"starts with something else", `["starts-with", "$key", "user/"]`, form("key", "use"), "starts-with"},
		{"starts with anything", `["starts-with", "$key", ""]`, form("key", "x"), ""},
		{"missing field", `{"key": "a"}, {"acl": "private"}`, form("key", "a"), `["eq", "$acl", "private"]`},
		{"field without condition", `{"key": "a"}`, form("key", "a", "acl", "public-read"), "Extra input fields: acl"},
		{"ignored field", `{"key": "a"}`, form("key", "a", "x-ignore-me", "1"), ""},
		{"bucket", `{"bucket": "other"}, {"key": "a"}`, form("key", "a"), "$bucket"},
		{"content types", `["starts-with", "$Content-Type", "image/"]`, form("content-type", "image/png, image/gif"), ""},
		{"one content type of another kind", `["starts-with", "$Content-Type", "image/"]`, form("content-type", "image/png,text/html"), "image/"},
		{"metadata in any case", `{"x-amz-meta-Tag": "1"}`, form("x-amz-meta-tag", "1"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := Parse(document(test.conditions))
			if err != nil {
				t.Fatal(err)
			}
			err = p.Check(test.fields, now)
			var refusal *ConditionError
			switch {
			case test.refusal == "" && err != nil:
				t.Error(err)
			case test.refusal != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), test.refusal)):
				t.Errorf("%v, want %q in it", err, test.refusal)
			}
		})
	}
}

func TestExpiration(t *testing.T) {
	p, err := Parse(document(``))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(nil, now.Add(time.Second)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("at its expiration: %v", err)
	}
}

func TestCheckSize(t *testing.T) {
	for _, test := range []struct {
		conditions string
		size       int64
		ok         bool
	}{
		{``, 1 << 40, true},
		{`["content-length-range", 10, 20]`, 10, true},
		{`["content-length-range", 10, 20]`, 20, true},
		{`["content-length-range", 10, 20]`, 9, false},
		{`["content-length-range", "10", "20"]`, 21, false},
		{`["content-length-range", 0, 0]`, 0, true},
		{`["content-length-range", 0, 20], ["content-length-range", 5, 30]`, 4, false},
	} {
		p, err := Parse(document(test.conditions))
		if err != nil {
			t.Fatal(err)
		}
		var wrong *SizeError
		if err := p.CheckSize(test.size); (err == nil) != test.ok || (err != nil && !errors.As(err, &wrong)) {
			t.Errorf("%s: %d bytes: %v", test.conditions, test.size, err)
		}
		if _, _, ranged := p.SizeRange(); ranged != (test.conditions != "") {
			t.Errorf("%s: a range is %v", test.conditions, ranged)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":            ``,
		"no object":          `[]`,
		"no expiration":      `{"conditions": []}`,
		"no conditions":      `{"expiration": "2026-05-01T12:00:01Z"}`,
		"no time":            `{"expiration": "tomorrow", "conditions": []}`,
		"unknown member":     `{"expiration": "2026-05-01T12:00:01Z", "conditions": [], "x": 1}`,
		"more behind it":     string(document(``)) + `{}`,
		"two in one":         string(document(`{"a": "1", "b": "2"}`)),
		"number as value":    string(document(`{"a": 1}`)),
		"unknown operator":   string(document(`["ends-with", "$key", "x"]`)),
		"no dollar":          string(document(`["eq", "key", "x"]`)),
		"two elements":       string(document(`["eq", "$key"]`)),
		"range upside down":  string(document(`["content-length-range", 2, 1]`)),
		"negative range":     string(document(`["content-length-range", -2, 1]`)),
		"range of fractions": string(document(`["content-length-range", 0.5, 1]`)),
		"a bare string":      string(document(`"key"`)),
	} {
		var wrong *Error
		if _, err := Parse([]byte(raw)); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(document(`{"key": "a"}, ["starts-with", "$x", ""], ["content-length-range", 1, 2]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(raw)
		if err != nil {
			return
		}
		minBytes, maxBytes, _ := p.SizeRange()
		if p.CheckSize(minBytes) != nil && minBytes <= maxBytes {
			t.Errorf("%s: the least size is refused", raw)
		}
		if err := p.Check(map[string]string{"unasked": ""}, p.Expiration.Add(-1)); err == nil && !strings.Contains(strings.ToLower(string(raw)), "u") {
			t.Errorf("%s: a field without a condition is allowed", raw)
		}
	})
}
