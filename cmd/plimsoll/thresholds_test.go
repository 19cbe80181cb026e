package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/plimsoll/plimsoll/backend"
)

func TestThresholds(t *testing.T) {
	for text, want := range map[string][]int{
		"80,90,100": {80, 90, 100}, " 50% , 100": {50, 100}, "": nil, "none": nil, "1": {1},
	} {
		var got thresholds
		if err := got.UnmarshalText([]byte(text)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "101", "90,80", "80,80", "80,", "eighty", "80.5", "-1"} {
		var got thresholds
		if err := got.UnmarshalText([]byte(text)); !errors.Is(err, backend.ErrThresholds) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}
