// Package postpolicy reads the policy document of a browser's POST upload, and holds a form to it. It is pure: it is told
// the time and the fields, and knows nothing of HTTP, signatures or bodies.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
package postpolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
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
	field  string // in lower case
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

// Parse reads a policy, as it is after base64 decoding. It fails with *Error.
func Parse(raw []byte) (*Policy, error) {
	var document struct {
		Expiration *string           `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil {
		return nil, invalid("Invalid JSON.")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("Invalid JSON: unexpected trailing data.")
	}
	switch {
	case document.Expiration == nil:
		return nil, invalid("Policy missing expiration.")
	case document.Conditions == nil:
		return nil, invalid("Policy missing conditions.")
	}
	expiration, err := time.Parse(time.RFC3339, *document.Expiration)
	if err != nil {
		return nil, invalid("Invalid 'expiration' value: '%s'", *document.Expiration)
	}
	p := &Policy{Expiration: expiration, maxBytes: math.MaxInt64}
	for _, c := range document.Conditions {
		if err := p.add(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// add takes a condition: {"field": "value"}, ["eq", "$field", "value"], ["starts-with", "$field", "value"] or
// ["content-length-range", least, most].
func (p *Policy) add(raw json.RawMessage) error {
	if bytes.HasPrefix(raw, []byte("{")) {
		var fields map[string]string
		if err := json.Unmarshal(raw, &fields); err != nil {
			return invalid("Invalid Simple-Condition: value must be a string.")
		}
		if len(fields) != 1 {
			return invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
		}
		for field, value := range fields {
			p.conditions = append(p.conditions, newCondition("eq", "$"+field, value))
		}
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return invalid("Invalid condition.")
	}
	var operator string
	if err := json.Unmarshal(list[0], &operator); err != nil || len(list) != 3 {
		return invalid("Invalid condition.")
	}
	operator = strings.ToLower(operator)
	switch operator {
	case "eq", "starts-with":
		var field, value string
		if json.Unmarshal(list[1], &field) != nil || json.Unmarshal(list[2], &value) != nil || !strings.HasPrefix(field, "$") {
			return invalid("Invalid condition: %s takes a field, with a dollar sign, and a value.", operator)
		}
		c := newCondition(operator, field, value)
		c.text = string(raw)
		p.conditions = append(p.conditions, c)
		return nil
	case "content-length-range":
		return p.addRange(list[1], list[2])
	}
	return invalid("Invalid condition: unknown operation '%s'.", operator)
}

func newCondition(operator, field, value string) condition {
	return condition{
		field: strings.ToLower(strings.TrimPrefix(field, "$")), value: value, prefix: operator == "starts-with",
		text: fmt.Sprintf(`["%s", "%s", "%s"]`, operator, field, value),
	}
}

func (p *Policy) addRange(least, most json.RawMessage) error {
	low, lowErr := wholeNumber(least)
	high, highErr := wholeNumber(most)
	if lowErr != nil || highErr != nil || low < 0 || high < low {
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
		if !c.holds(fields[c.field]) {
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

// isExempt reports whether a field needs no condition. The bucket is no field of the form.
func isExempt(field string) bool {
	switch field {
	case "awsaccesskeyid", "signature", "x-amz-signature", "policy", "file", "bucket":
		return true
	}
	return strings.HasPrefix(field, "x-ignore-")
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
