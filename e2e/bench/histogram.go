package main

import (
	"math/bits"
	"slices"
	"time"
)

const (
	// subBits is how finely each power of two is divided: a bucket's width is at most 1/64 of its value.
	subBits = 6
	buckets = (64 - subBits) << subBits
)

// histogram counts durations in buckets that grow with the value. The zero value is empty.
type histogram struct {
	counts [buckets]uint32
	n      int64
}

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// lower is the smallest duration of a bucket.
func lower(bucket int) time.Duration {
	if bucket < 1<<subBits {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	return time.Duration(bucket&(1<<subBits-1)+1<<subBits) << shift
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.n++
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.n += o.n
}

// quantile returns the duration that a share q of all do not exceed, to the precision of a bucket; 0 where there are
// none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(q * float64(h.n))
	if rank >= h.n {
		rank = h.n - 1
	}
	var seen int64
	for i, n := range h.counts {
		seen += int64(n)
		if n > 0 && seen > rank {
			return (lower(i) + lower(i+1)) / 2
		}
	}
	return 0
}

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	if m := len(s) / 2; len(s)%2 == 0 {
		return (s[m-1] + s[m]) / 2
	}
	return s[len(s)/2]
}
