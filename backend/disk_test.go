package backend

import (
	"testing"
	"time"

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

// TestADiskIsAskedAgainUnlessItHasAmpleSpace looks at what was known a moment ago, and at what has come since.
func TestADiskIsAskedAgainUnlessItHasAmpleSpace(t *testing.T) {
	const least = ampleBytes + ballastBytes
	fresh := time.Now().Add(time.Hour) // however slow the test is
	for _, test := range []struct {
		name               string
		known              *space
		reserve            DiskReserve
		unwritten, written int64
		ample              bool
	}{
		{"never asked", nil, DiskReserve{}, 0, 0, false},
		{"asked long ago", &space{at: time.Now().Add(-time.Hour), available: 1 << 40}, DiskReserve{}, 0, 0, false},
		{"ample", &space{at: fresh, available: least + 1}, DiskReserve{}, 0, 0, true},
		{"not ample", &space{at: fresh, available: least}, DiskReserve{}, 0, 0, false},
		{"above the reserve", &space{at: fresh, available: least + 101}, DiskReserve{Bytes: 100}, 0, 0, true},
		{"within the reserve", &space{at: fresh, available: least + 100}, DiskReserve{Bytes: 100}, 0, 0, false},
		{"a share", &space{at: fresh, available: least + 100, total: 1000}, DiskReserve{Percent: 10}, 0, 0, false},
		{"bodies fit", &space{at: fresh, available: least + 101}, DiskReserve{}, 100, 0, true},
		{"bodies are arriving", &space{at: fresh, available: least + 100}, DiskReserve{}, 100, 0, false},
		{"bodies were written before", &space{at: fresh, available: least + 1, written: 100}, DiskReserve{}, 0, 100, true},
		{"bodies were written since", &space{at: fresh, available: least + 100}, DiskReserve{}, 0, 100, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Store{ledger: newLedger(nil, 1), diskReserve: test.reserve}
			s.ledger.unwritten.Store(test.unwritten)
			s.ledger.written.Store(test.written)
			s.space.Store(test.known)
			if got := s.hasAmpleSpace(); got != test.ample {
				t.Errorf("ample: %v, want %v", got, test.ample)
			}
		})
	}
}

// TestWhatIsWrittenIsNeverForgotten has a body counted as written at the latest when it no longer counts as arriving.
func TestWhatIsWrittenIsNeverForgotten(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	f.put("k", noise(300_000, 2))
	if written := f.ledger.written.Load(); written != 301_000 {
		t.Errorf("%d bytes were written, want 301000", written)
	}
}

func TestMetricsTellUsageLimitsAndRefusals(t *testing.T) {
	f := open(t)
	f.put("k", noise(70, 1))
	f.limit(ownerAda, quota.Limit{MaxBytes: 99})
	wantExceeded(t, f.tryPut("l", noise(30, 1)), ownerAda, quota.Bytes)
	f.limit(ownerAda, quota.Limit{MaxBytes: 200})
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
	// The figures of each scope, and of what has none.
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
		"plimsoll_usage_bytes bbucket":                70,
		"plimsoll_usage_objects bbucket":              1,
		"plimsoll_usage_bytes adaowner":               70,
		"plimsoll_usage_bytes server":                 70,
		"plimsoll_limit_bytes bbucket":                100,
		"plimsoll_limit_bytes adaowner":               200,
		"plimsoll_reservations ":                      0,
		"plimsoll_reserved_bytes server":              0,
		"plimsoll_quota_refusals_total bbytesbucket":  1,
		"plimsoll_quota_refusals_total adabytesowner": 1,
		"plimsoll_quota_refusals_total diskdisk":      0,
	} {
		if value, exists := got[name]; !exists || value != want {
			t.Errorf("%s is %v, want %v", name, value, want)
		}
	}
}
