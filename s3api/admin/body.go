package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// decode reads the body, an object of the fields that are named in the problem. A misspelt field would otherwise be one
// that is left out: unknown ones are refused.
func decode[T any](rq *request, fields string) (T, error) {
	var b, none T
	decoder := json.NewDecoder(bytes.NewReader(rq.body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&b)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	if err != nil {
		return none, problem("InvalidArgument", http.StatusBadRequest,
			fmt.Sprintf("The body is not an object of %s: %v.", fields, err))
	}
	return b, nil
}

// decodeOptional is decode for a body that may be left out: then it is the zero value.
func decodeOptional[T any](rq *request, fields string) (b T, err error) {
	if len(rq.body) == 0 {
		return b, nil
	}
	return decode[T](rq, fields)
}

// setting is a field of a body that changes something. It is left out, or has a value: null, which would be the same as
// left out, may have been meant as none, and is refused.
type setting[T any] struct {
	given bool
	value T
}

var errNull = errors.New("null is not a value that it could have")

// UnmarshalJSON implements json.Unmarshaler; it is called for null as well.
func (s *setting[T]) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return errNull
	}
	s.given = true
	return json.Unmarshal(raw, &s.value)
}
