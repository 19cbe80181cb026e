package acl

import (
	"fmt"
	"strings"
)

// The kinds of grantee that a grant header names.
const (
	ByID    = "id"
	ByURI   = "uri"
	ByEmail = "emailAddress"
)

// Name is a grantee as a header names it: its kind and its value.
type Name struct{ Kind, Value string }

// HeaderError says what is wrong with a grant header.
type HeaderError struct{ Value string }

// Error implements error.
func (e *HeaderError) Error() string {
	return fmt.Sprintf("acl: %q is not a list of grantees", e.Value)
}

// ParseHeader reads the value of an x-amz-grant- header: kind="value" pairs with commas between them; quotes may be
// left out. It fails with *HeaderError.
func ParseHeader(value string) ([]Name, error) {
	var names []Name
	for pair := range strings.SplitSeq(value, ",") {
		kind, quoted, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return nil, &HeaderError{value}
		}
		kind, name := strings.TrimSpace(kind), strings.TrimSpace(quoted)
		if len(name) >= 2 && name[0] == '"' && name[len(name)-1] == '"' {
			name = name[1 : len(name)-1]
		}
		switch {
		case strings.EqualFold(kind, ByID):
			kind = ByID
		case strings.EqualFold(kind, ByURI):
			kind = ByURI
		case strings.EqualFold(kind, ByEmail):
			kind = ByEmail
		default:
			return nil, &HeaderError{value}
		}
		if name == "" || strings.Contains(name, `"`) {
			return nil, &HeaderError{value}
		}
		names = append(names, Name{kind, name})
	}
	return names, nil
}
