package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/s3api"
)

const none = "none"

// size is a limit in bytes on the command line: 10MiB, 10MB, 1048576; none and 0 are no limit.
type size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	n, err := parseSize(string(text))
	*s = size(n)
	return err
}

// parseSize returns bytes, 0 to math.MaxInt64.
func parseSize(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, none) {
		return 0, nil
	}
	if strings.HasPrefix(text, "-") {
		return 0, fmt.Errorf("%q is negative; a size is 0 or more", text)
	}
	n, err := humanize.ParseBytes(text)
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "too large"), n > math.MaxInt64:
		return 0, fmt.Errorf("%q is more than the largest size, %d bytes", text, int64(math.MaxInt64))
	case err != nil:
		return 0, fmt.Errorf("%q is not a size; write 10MiB, 10MB, 1048576 or none", text)
	case n == 0 && strings.ContainsAny(text, "123456789"):
		// 0 would be no limit at all.
		return 0, fmt.Errorf("%q is less than one byte", text)
	}
	return int64(n), nil
}

// count is a limit in objects on the command line; none and 0 are no limit.
type count int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *count) UnmarshalText(text []byte) error {
	n, err := parseCount(string(text))
	*c = count(n)
	return err
}

func parseCount(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, none) {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && n > 0:
		return 0, fmt.Errorf("%q is more than the largest number, %d", text, int64(math.MaxInt64))
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%q is not a number of objects; write 1000 or none", text)
	case n < 0:
		return 0, fmt.Errorf("%q is negative; a number of objects is 0 or more", text)
	}
	return n, nil
}

// bucketSpec is a bucket to make at the start: NAME, or NAME:SIZE with a limit.
type bucketSpec struct {
	name     string
	maxBytes *int64 // nil where no limit is given
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *bucketSpec) UnmarshalText(text []byte) error {
	name, limit, limited := strings.Cut(string(text), ":")
	if !s3api.ValidBucketName(name) {
		return fmt.Errorf("%q is not a bucket's name", name)
	}
	b.name, b.maxBytes = name, nil
	if limited {
		n, err := parseSize(limit)
		if err != nil {
			return err
		}
		b.maxBytes = &n
	}
	return nil
}
