// Package postpolicy reads the policy document of a browser's POST upload, and holds a form to it. It is pure: it is told
// the time and the fields, and knows nothing of HTTP, signatures or bodies.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
package postpolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Policy is a policy document. It is not changed after Parse.
type Policy struct {
	Expiration time.Time
	conditions []condition
	// minBytes and maxBytes are what content-length-range allows.
	minBytes, maxBytes int64
	ranged             bool
}

// condition holds for a form whose field has the value, or begins with it.
type condition struct {
	field  string // in lower case; empty for a name without its dollar sign, which no form can have
	value  string
	prefix bool
	text   string // as the document has it, for the words of a refusal
}

// Error is a policy that cannot be read.
type Error struct{ Reason string }

// Error implements error.
func (e *Error) Error() string { return "Invalid Policy: " + e.Reason }

func invalid(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// ConditionError is a form that the policy does not allow.
type ConditionError struct{ Reason string }

// Error implements error.
func (e *ConditionError) Error() string { return "Invalid according to Policy: " + e.Reason }

func refused(format string, args ...any) error { return &ConditionError{fmt.Sprintf(format, args...)} }

// SizeError is a file whose size content-length-range does not allow.
type SizeError struct {
	Size, MinBytes, MaxBytes int64
}

// Error implements error.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%d bytes are not within %d and %d", e.Size, e.MinBytes, e.MaxBytes)
}

// Parse reads a policy, as it is after base64 decoding. It fails with *Error, in S3's words.
func Parse(raw []byte) (*Policy, error) {
	if len(raw) == 0 {
		return nil, invalid("Expecting '{' but found End-of-Input")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, errJSON()
	}
	var expiration, conditions json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch name { // as it is written: only what conditions are about is taken in any case
		case "expiration":
			expiration = members[name]
		case "conditions":
			conditions = members[name]
		default:
			return nil, invalid("Unexpected: %q", name)
		}
	}
	p := &Policy{maxBytes: math.MaxInt64}
	if err := p.expire(expiration); err != nil {
		return nil, err
	}
	if conditions == nil {
		return nil, invalid("Policy missing conditions.")
	}
	var list []json.RawMessage
	if json.Unmarshal(conditions, &list) != nil || list == nil {
		return nil, invalid("Invalid 'conditions' value: must be a List.")
	}
	for _, c := range list {
		if err := p.add(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// errJSON is what S3 says of JSON that is none, and of values that are of another type than they must be.
func errJSON() error { return invalid("Invalid JSON.") }

// expire reads when the policy expires.
func (p *Policy) expire(raw json.RawMessage) error {
	if raw == nil {
		return invalid("Policy missing expiration.")
	}
	text, ok := readText(raw)
	if !ok {
		return errJSON()
	}
	var err error
	if p.Expiration, err = time.Parse(time.RFC3339, text); err != nil {
		return invalid("Invalid 'expiration' value: '%s'", text)
	}
	return nil
}

// readText reads a string; a null is none.
func readText(raw json.RawMessage) (string, bool) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

// add takes a condition: {"field": "value"}, ["eq", "$field", "value"], ["starts-with", "$field", "value"] or
// ["content-length-range", least, most].
func (p *Policy) add(raw json.RawMessage) error {
	switch raw[0] {
	case '{':
		return p.addSimple(raw)
	case '[':
		return p.addList(raw)
	}
	return invalid("Invalid condition test: must be a List or Object.")
}

func (p *Policy) addSimple(raw json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return errJSON()
	}
	if len(fields) != 1 {
		return invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}
	for field, value := range fields {
		text, ok := readText(value)
		if !ok {
			return invalid("Invalid Simple-Condition: value must be a string.")
		}
		p.conditions = append(p.conditions, newCondition("eq", "$"+field, text))
	}
	return nil
}

func (p *Policy) addList(raw json.RawMessage) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return errJSON()
	}
	if len(list) == 0 {
		return invalid("Invalid Condition: missing operation identifier.")
	}
	name, ok := readText(list[0])
	if !ok {
		return errJSON()
	}
	operator := strings.ToLower(name)
	switch operator {
	case "eq", "starts-with", "content-length-range":
	default:
		return invalid("Invalid Condition: unknown operation '%s'.", name)
	}
	if len(list) != 3 {
		return invalid("Invalid %s: wrong number of arguments.", operator)
	}
	if operator == "content-length-range" {
		return p.addRange(list[1], list[2])
	}
	field, isField := readText(list[1])
	value, isValue := readText(list[2])
	if !isField || !isValue {
		return errJSON()
	}
	c := newCondition(operator, field, value)
	c.text = string(raw) // as the client wrote it, who looks for it
	p.conditions = append(p.conditions, c)
	return nil
}

func newCondition(operator, field, value string) condition {
	name, ok := strings.CutPrefix(field, "$")
	if !ok {
		name = ""
	}
	return condition{
		field: strings.ToLower(name), value: value, prefix: operator == "starts-with",
		text: fmt.Sprintf(`["%s", "%s", "%s"]`, operator, field, value),
	}
}

func (p *Policy) addRange(least, most json.RawMessage) error {
	low, lowErr := wholeNumber(least)
	high, highErr := wholeNumber(most)
	if lowErr != nil || highErr != nil {
		return errJSON()
	}
	if low < 0 || high < low {
		return invalid("Invalid content-length-range.")
	}
	p.minBytes, p.maxBytes, p.ranged = max(p.minBytes, low), min(p.maxBytes, high), true
	return nil
}

// wholeNumber reads a number, which some clients write as a string.
func wholeNumber(raw json.RawMessage) (int64, error) {
	var n int64
	err := json.Unmarshal(bytes.Trim(raw, `"`), &n)
	return n, err
}

// Check holds a form to the policy. fields are all of the form's but the file, by name in lower case, and the bucket.
// Every field must be in a condition, but for those that carry the policy itself and those that begin with x-ignore-.
// It fails with *ConditionError.
func (p *Policy) Check(fields map[string]string, now time.Time) error {
	if !now.Before(p.Expiration) {
		return refused("Policy expired.")
	}
	covered := make(map[string]bool, len(p.conditions))
	for _, c := range p.conditions {
		covered[c.field] = true
		if c.field == "" || !c.holds(fields[c.field]) {
			return refused("Policy Condition failed: %s", c.text)
		}
	}
	for field := range fields {
		if !covered[field] && !isExempt(field) {
			return refused("Extra input fields: %s", field)
		}
	}
	return nil
}

// isExempt reports whether a field needs no condition.
func isExempt(field string) bool {
	switch field {
	case "awsaccesskeyid", "signature", "x-amz-signature", "policy", "file":
		return true
	}
	// A checksum restricts what the form may upload, so no policy need allow it.
	return strings.HasPrefix(field, "x-ignore-") || strings.HasPrefix(field, "x-amz-checksum-")
}

// holds reports whether a field's value is what the condition wants. A list of content types must begin with the prefix
// in each of its items.
func (c *condition) holds(value string) bool {
	if !c.prefix {
		return value == c.value
	}
	if c.field != "content-type" {
		return strings.HasPrefix(value, c.value)
	}
	for item := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(item), c.value) {
			return false
		}
	}
	return true
}

// CheckSize holds the size of the file to the policy. It fails with *SizeError.
func (p *Policy) CheckSize(size int64) error {
	if size < p.minBytes || size > p.maxBytes {
		return &SizeError{Size: size, MinBytes: p.minBytes, MaxBytes: p.maxBytes}
	}
	return nil
}

// SizeRange returns what content-length-range allows; ok is false where the policy has none.
func (p *Policy) SizeRange() (minBytes, maxBytes int64, ok bool) {
	return p.minBytes, p.maxBytes, p.ranged
}
