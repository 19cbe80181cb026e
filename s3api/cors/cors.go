// Package cors decides which cross-origin requests a bucket's CORS configuration allows. It is pure; nothing in it is
// changed after it is made, and all may be used concurrently.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
package cors

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxRules is how many rules a configuration may have.
const MaxRules = 100

// Configuration is a bucket's rules.
type Configuration struct {
	Rules []Rule `json:"rules"`
}

// Rule allows what matches all of it.
type Rule struct {
	ID string `json:"id,omitempty"`
	// Origins and Headers may have one "*" each, for any text. Headers match in any case.
	Origins []string `json:"origins"`
	Methods []string `json:"methods"`
	Headers []string `json:"headers,omitempty"`
	// Expose are the headers of an answer that a browser may show to its page.
	Expose []string `json:"expose,omitempty"`
	// MaxAgeSeconds is how long a browser may keep the answer to a preflight; nil leaves that to the browser, and it
	// may be negative, which browsers take for 0.
	MaxAgeSeconds *int `json:"max_age_seconds,omitempty"`
}

// Methods are those that a rule may allow.
var Methods = []string{"GET", "PUT", "POST", "DELETE", "HEAD"}

// What Validate finds.
var (
	ErrRules  = errors.New("no rules, too many, or one without methods")
	ErrMethod = errors.New("a method that CORS rules do not have")
	ErrOrigin = errors.New("no origin, or one with more than one wildcard")
	ErrHeader = errors.New("a header with more than one wildcard")
	ErrExpose = errors.New("an exposed header with a wildcard")
	// ErrCharacter is a header, allowed or exposed, that no header can be.
	ErrCharacter = errors.New("a character that headers do not have")
)

// ValueError says which value is wrong, and how.
type ValueError struct {
	Value string
	Err   error // one of those above
}

// Error implements error.
func (e *ValueError) Error() string { return fmt.Sprintf("cors: %q: %v", e.Value, e.Err) }

// Unwrap returns what is wrong with the value.
func (e *ValueError) Unwrap() error { return e.Err }

// Validate reports what S3 would refuse in a configuration, as *ValueError.
func (c *Configuration) Validate() error {
	if len(c.Rules) == 0 || len(c.Rules) > MaxRules {
		return &ValueError{"", ErrRules}
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		if len(r.Methods) == 0 {
			return &ValueError{"", ErrRules}
		}
		for _, m := range r.Methods {
			if !slices.Contains(Methods, m) {
				return &ValueError{m, ErrMethod}
			}
		}
		if len(r.Origins) == 0 {
			return &ValueError{"", ErrOrigin}
		}
		for _, o := range r.Origins {
			if strings.Count(o, "*") > 1 {
				return &ValueError{o, ErrOrigin}
			}
		}
		if err := r.validateHeaders(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rule) validateHeaders() error {
	for _, h := range r.Headers {
		if strings.Count(h, "*") > 1 {
			return &ValueError{h, ErrHeader}
		}
		if !IsHeaderName(strings.Replace(h, "*", "", 1)) && h != "*" {
			return &ValueError{h, ErrCharacter}
		}
	}
	for _, h := range r.Expose {
		if strings.Contains(h, "*") {
			return &ValueError{h, ErrExpose}
		}
		if !IsHeaderName(h) {
			return &ValueError{h, ErrCharacter}
		}
	}
	return nil
}

// IsHeaderName reports whether a text can be the name of a header: RFC 9110 section 5.1.
func IsHeaderName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// Match returns the first rule that allows a request of a page of that origin. headers are those that a preflight asks
// for; none for a request itself.
func (c *Configuration) Match(origin, method string, headers []string) (*Rule, bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.allowsOrigin(origin) && slices.Contains(r.Methods, method) && r.allowsHeaders(headers) {
			return r, true
		}
	}
	return nil, false
}

// AnyOrigin reports whether the rule allows every origin by a bare "*": the answer then is "*" and not the origin.
func (r *Rule) AnyOrigin() bool { return slices.Contains(r.Origins, "*") }

func (r *Rule) allowsOrigin(origin string) bool {
	return slices.ContainsFunc(r.Origins, func(pattern string) bool { return matches(pattern, origin) })
}

func (r *Rule) allowsHeaders(headers []string) bool {
	for _, h := range headers {
		h = strings.ToLower(h)
		if !slices.ContainsFunc(r.Headers, func(pattern string) bool { return matches(strings.ToLower(pattern), h) }) {
			return false
		}
	}
	return true
}

// matches reports whether text is pattern, whose one "*" stands for any text.
func matches(pattern, text string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	return len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

// Marshal returns the configuration as it is stored.
func (c *Configuration) Marshal() []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // text and numbers always marshal
	}
	return raw
}

// Unmarshal reads what Marshal has written.
func Unmarshal(raw []byte) (*Configuration, error) {
	c := new(Configuration)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("cors: %w", err)
	}
	return c, nil
}
