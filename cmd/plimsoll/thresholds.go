package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
)

// thresholds is a list of percentages, such as 80,90,100; none, or nothing, is an empty one.
type thresholds []int

// UnmarshalText implements encoding.TextUnmarshaler, for kong.
func (t *thresholds) UnmarshalText(text []byte) error {
	*t = nil
	list := strings.TrimSpace(string(text))
	if list == "" || list == "none" {
		return nil
	}
	for field := range strings.SplitSeq(list, ",") {
		percent, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(field), "%"))
		if err != nil {
			return fmt.Errorf("%q: %w", field, backend.ErrThresholds)
		}
		*t = append(*t, percent)
	}
	return backend.CheckThresholds(*t)
}
