package multimd5

import "math"

// constants are those of the steps, from RFC 1321: the first 32 bits of the fractions of sines.
var constants = func() (c [64]uint32) {
	for i := range c {
		c[i] = uint32(math.Floor(math.Abs(math.Sin(float64(i+1))) * (1 << 32)))
	}
	return c
}()
