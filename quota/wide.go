package quota

import (
	"math"
	"math/bits"
)

// wide is a sum of int64 figures, exact: 128 bits in two's complement.
type wide struct {
	high int64
	low  uint64
}

func widen(a int64) wide { return wide{high: a >> 63, low: uint64(a)} }

func (w wide) plus(v wide) wide {
	low, carry := bits.Add64(w.low, v.low, 0)
	return wide{high: w.high + v.high + int64(carry), low: low}
}

// atMost reports whether w <= a.
func (w wide) atMost(a int64) bool {
	v := widen(a)
	return w.high < v.high || (w.high == v.high && w.low <= v.low)
}

// saturated is w, held at the edges of int64.
func (w wide) saturated() int64 {
	switch {
	case !w.atMost(math.MaxInt64):
		return math.MaxInt64
	case w.atMost(math.MinInt64):
		return math.MinInt64
	default:
		return int64(w.low)
	}
}
