package backend

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/quota"
)

func TestParseDiskReserve(t *testing.T) {
	for _, test := range []struct {
		text string
		want DiskReserve
		ok   bool
	}{
		{"0", DiskReserve{}, true},
		{"1048576", DiskReserve{Bytes: 1 << 20}, true},
		{"256MiB", DiskReserve{Bytes: 256 << 20}, true},
		{"10MB", DiskReserve{Bytes: 10_000_000}, true},
		{"5%", DiskReserve{Percent: 5}, true},
		{" 2.5 %", DiskReserve{Percent: 2.5}, true},
		{"100%", DiskReserve{Percent: 100}, true},
		{"101%", DiskReserve{}, false},
		{"-1%", DiskReserve{}, false},
		{"NaN%", DiskReserve{}, false},
		{"-1", DiskReserve{}, false},
		{"", DiskReserve{}, false},
		{"much", DiskReserve{}, false},
		{"16EiB", DiskReserve{}, false},
	} {
		got, err := ParseDiskReserve(test.text)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("%q: %+v, error %v; want %+v", test.text, got, err, test.want)
		}
	}
}

func TestTheLargerOfBothReservesCounts(t *testing.T) {
	r := DiskReserve{Bytes: 100, Percent: 10}
	if got := r.of(500); got != 100 {
		t.Errorf("of 500 bytes: %d, want 100", got)
	}
	if got := r.of(2000); got != 200 {
		t.Errorf("of 2000 bytes: %d, want 200", got)
	}
}

func TestMetricsTellUsageLimitsAndRefusals(t *testing.T) {
	f := open(t)
	f.put("k", noise(70, 1))
	f.limit(bucketB, quota.Limit{MaxBytes: 100})
	wantExceeded(t, f.tryPut("l", noise(31, 1)), bucketB, quota.Bytes)
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(f); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	// The figures of bucket b, and of what has no scope.
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			of := ""
			for _, label := range m.GetLabel() {
				of += label.GetValue()
			}
			got[family.GetName()+" "+of] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"plimsoll_usage_bytes bbucket":         70,
		"plimsoll_usage_objects bbucket":       1,
		"plimsoll_usage_bytes server":          70,
		"plimsoll_limit_bytes bbucket":         100,
		"plimsoll_reservations ":               0,
		"plimsoll_reserved_bytes ":             0,
		"plimsoll_quota_refusals_total bucket": 1,
		"plimsoll_quota_refusals_total disk":   0,
	} {
		if value, exists := got[name]; !exists || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
}
