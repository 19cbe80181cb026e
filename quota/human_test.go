package quota

import (
	"math"
	"testing"
)

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 20: "10.0 MiB", 10 << 30: "10.0 GiB",
		1<<20 - 1: "1.0 MiB", 1<<30 - 1: "1.0 GiB", math.MaxInt64: "8.0 EiB",
	} {
		if got := HumanBytes(n); got != want {
			t.Errorf("HumanBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
