package main

import "errors"

// selector is the value of a flag that chooses what a command removes. One that is given and empty, such as a variable that
// is not set, would choose everything, which nobody means who gives it.
type selector string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *selector) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it is empty: leave it out to choose by something else")
	}
	*s = selector(text)
	return nil
}
