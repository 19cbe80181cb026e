package postpolicy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// document returns a policy that has not expired, with these conditions and one that takes any bucket.
func document(conditions string) []byte {
	if conditions != "" {
		conditions += ", "
	}
	return []byte(`{"expiration": "2026-05-01T12:00:01.000Z", "conditions": [` + conditions + `["starts-with", "$bucket", ""]]}`)
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
		{"told as it was written", `["eq","$key","a"]`, form("key", "b"), `Policy Condition failed: ["eq","$key","a"]`},
		{"simple, other value", `{"key": "a"}`, form("key", "b"), "Policy Condition failed"},
		{"eq", `["eq", "$key", "a"]`, form("key", "a"), ""},
		{"operator in capitals", `["EQ", "$Key", "a"]`, form("key", "a"), ""},
		{"starts-with", `["starts-with", "$key", "user/"]`, form("key", "user/a"), ""},
		{"starts with something else", `["starts-with", "$key", "user/"]`, form("key", "use"), "starts-with"},
		{"starts with anything", `["starts-with", "$key", ""]`, form("key", "x"), ""},
		{"missing field", `{"key": "a"}, {"acl": "private"}`, form("key", "a"), `["eq", "$acl", "private"]`},
		{"field without condition", `{"key": "a"}`, form("key", "a", "acl", "public-read"), "Extra input fields: acl"},
		{"checksum", `{"key": "a"}`, form("key", "a", "x-amz-checksum-crc32", "1"), ""},
		{"ignored field", `{"key": "a"}`, form("key", "a", "x-ignore-me", "1"), ""},
		{"bucket", `{"bucket": "other"}, {"key": "a"}`, form("key", "a"), "$bucket"},
		{"content types", `["starts-with", "$Content-Type", "image/"]`, form("content-type", "image/png, image/gif"), ""},
		{"no dollar", `["eq", "key", "a"], {"key": "a"}`, form("key", "a"), `Policy Condition failed: ["eq", "key", "a"]`},
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

// The bucket that a form is posted to counts as a field of it.
func TestNoBucketCondition(t *testing.T) {
	p, err := Parse([]byte(`{"expiration": "2026-05-01T12:00:01Z", "conditions": [{"key": "a"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	err = p.Check(map[string]string{"key": "a", "bucket": "photos"}, now)
	if err == nil || err.Error() != "Invalid according to Policy: Extra input fields: bucket" {
		t.Error(err)
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

// What is wrong with a policy is told in S3's words, where those are known.
func TestParseRefuses(t *testing.T) {
	const (
		noJSON = "Invalid JSON."
		one    = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
		text   = "Invalid Simple-Condition: value must be a string."
		size   = "Invalid content-length-range."
	)
	for _, test := range []struct{ name, raw, reason string }{
		{"nothing", ``, "Expecting '{' but found End-of-Input"},
		{"no JSON", `expiration`, noJSON},
		{"no object", `[]`, noJSON},
		{"null", `null`, noJSON},
		{"more behind it", string(document(``)) + `{}`, noJSON},
		{"no expiration", `{"conditions": []}`, "Policy missing expiration."},
		{"another case", `{"EXPIRATION": "2026-05-01T12:00:01Z", "conditions": []}`, `Unexpected: "EXPIRATION"`},
		{"another case of conditions", `{"expiration": "2026-05-01T12:00:01Z", "CONDITIONS": []}`, `Unexpected: "CONDITIONS"`},
		{"expiration that is no text", `{"expiration": true, "conditions": []}`, noJSON},
		{"no time", `{"expiration": "tomorrow", "conditions": []}`, "Invalid 'expiration' value: 'tomorrow'"},
		{"no conditions", `{"expiration": "2026-05-01T12:00:01Z"}`, "Policy missing conditions."},
		{"conditions that are no list", `{"expiration": "2026-05-01T12:00:01Z", "conditions": {}}`, "Invalid 'conditions' value: must be a List."},
		{"unknown member", `{"expiration": "2026-05-01T12:00:01Z", "conditions": [], "x": 1}`, `Unexpected: "x"`},
		{"two in one", string(document(`{"a": "1", "b": "2"}`)), one},
		{"none in one", string(document(`{}`)), one},
		{"number as value", string(document(`{"a": 1}`)), text},
		{"null as value", string(document(`{"a": null}`)), text},
		{"a bare string", string(document(`"key"`)), "Invalid condition test: must be a List or Object."},
		{"nothing in a list", string(document(`[]`)), "Invalid Condition: missing operation identifier."},
		{"unknown operator", string(document(`["Ends-With", "$key", "x"]`)), "Invalid Condition: unknown operation 'Ends-With'."},
		{"operator that is no text", string(document(`[1, "$key", "x"]`)), noJSON},
		{"two elements", string(document(`["EQ", "$key"]`)), "Invalid eq: wrong number of arguments."},
		{"four elements", string(document(`["content-length-range", 1, 2, 3]`)), "Invalid content-length-range: wrong number of arguments."},
		{"field that is no text", string(document(`["eq", 1, "x"]`)), noJSON},
		{"value that is no text", string(document(`["starts-with", "$key", false]`)), noJSON},
		{"range upside down", string(document(`["content-length-range", 2, 1]`)), size},
		{"negative range", string(document(`["content-length-range", -2, 1]`)), size},
		{"range of fractions", string(document(`["content-length-range", 0.5, 1]`)), noJSON},
		{"range of text", string(document(`["content-length-range", "a", "1"]`)), noJSON},
	} {
		var wrong *Error
		if _, err := Parse([]byte(test.raw)); !errors.As(err, &wrong) || wrong.Reason != test.reason {
			t.Errorf("%s: %v, want %q", test.name, err, test.reason)
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
