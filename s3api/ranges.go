package s3api

import (
	"math"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
)

// byteRange is a Range header of one range, before the object's size is known.
type byteRange struct {
	first, last int64 // last is math.MaxInt64 where the range is open
	suffix      int64 // the last so many bytes; -1 unless the range is a suffix
}

// parseRange reads a Range header. A header that is absent, that has another unit or several ranges, or that cannot be
// read is passed over, as S3 and RFC 9110 do: the whole object is the answer.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func parseRange(header string) (byteRange, bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return byteRange{}, false
	}
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return byteRange{}, false
	}
	if from == "" {
		n, ok := parseDigits(to)
		return byteRange{suffix: n}, ok
	}
	r := byteRange{suffix: -1, last: math.MaxInt64}
	if r.first, ok = parseDigits(from); !ok {
		return byteRange{}, false
	}
	if to != "" {
		if r.last, ok = parseDigits(to); !ok || r.last < r.first {
			return byteRange{}, false
		}
	}
	return r, true
}

// parseDigits reads a decimal number without a sign; what is beyond int64 is its largest value.
func parseDigits(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true
	}
	return n, true
}

// of returns the range of an object of size bytes; false where it has none of them.
func (r byteRange) of(size int64) (backend.Range, bool) {
	first, last := r.first, min(r.last, size-1)
	if r.suffix >= 0 {
		first, last = max(0, size-r.suffix), size-1
	}
	if first > last {
		return backend.Range{}, false
	}
	return backend.Range{Offset: first, Size: last - first + 1}, true
}

// invalidRange is the answer to a Range header of which an object of size bytes has nothing.
func invalidRange(header string, size int64) *Error {
	e := s3err("InvalidRange").with("RangeRequested", header).with("ActualObjectSize", itoa64(size))
	e.Headers = map[string]string{"Content-Range": "bytes */" + itoa64(size)}
	return e
}
