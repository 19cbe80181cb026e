package policy

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Limits of a document. Sizes are of the document without insignificant white space, as S3 and IAM count them; white
// space may make it maxBlank times as long.
const (
	// MaxBucketBytes is the size of the largest bucket policy.
	MaxBucketBytes = 20 << 10
	// MaxIdentityBytes is the size of the largest identity policy, that of an IAM managed policy.
	MaxIdentityBytes = 6144

	maxBlank    = 8
	maxDepth    = 8 // a value of a condition lies 6 deep
	maxElements = 4096
)

// object is a JSON object with its members in the order of the document. Values are string, json.Number, bool, nil,
// []any and object.
type object []member

type member struct {
	name  string
	value any
}

// readDocument reads the one JSON object that a document is.
func readDocument(document []byte, maxBytes int) (object, error) {
	if len(document) == 0 || document[0] != '{' {
		return nil, malformed(msgFirstByte)
	}
	tooLarge := malformed("Normalized policy document exceeds the maximum allowed size of %d bytes", maxBytes)
	if len(document) > maxBlank*maxBytes {
		return nil, tooLarge
	}
	var compact bytes.Buffer
	if !utf8.Valid(document) || json.Compact(&compact, document) != nil {
		return nil, malformed(msgInvalidJSON)
	}
	if compact.Len() > maxBytes {
		return nil, tooLarge
	}
	r := reader{tokens: json.NewDecoder(&compact)}
	r.tokens.UseNumber()
	value, err := r.value(0)
	if err != nil {
		return nil, err
	}
	return value.(object), nil // the first byte was checked
}

// reader reads a document that is known to be valid JSON.
type reader struct {
	tokens   *json.Decoder
	elements int
}

func (r *reader) value(depth int) (any, error) {
	token, err := r.tokens.Token()
	if err != nil {
		return nil, malformed(msgInvalidJSON)
	}
	if r.elements++; r.elements > maxElements {
		return nil, malformed(msgTooManyElements)
	}
	delimiter, nested := token.(json.Delim)
	if !nested {
		return token, nil
	}
	if depth == maxDepth {
		return nil, malformed(msgTooDeep)
	}
	if delimiter == '[' {
		return r.array(depth + 1)
	}
	return r.object(depth + 1)
}

func (r *reader) array(depth int) (any, error) {
	values := []any{}
	for r.tokens.More() {
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, r.end()
}

func (r *reader) object(depth int) (any, error) {
	members, seen := object{}, map[string]bool{}
	for r.tokens.More() {
		token, err := r.tokens.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, malformed(msgInvalidJSON)
		}
		if seen[name] {
			return nil, malformed("Duplicate field %s", name)
		}
		seen[name] = true
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name, value})
	}
	return members, r.end()
}

// end reads the bracket that closes an array or an object.
func (r *reader) end() error {
	if _, err := r.tokens.Token(); err != nil {
		return malformed(msgInvalidJSON)
	}
	return nil
}

// texts returns the strings of an element that is a string or an array of strings.
func texts(value any) ([]string, bool) {
	switch value := value.(type) {
	case string:
		return []string{value}, true
	case []any:
		list := make([]string, 0, len(value))
		for _, v := range value {
			s, ok := v.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	default:
		return nil, false
	}
}
