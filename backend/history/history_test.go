package history

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func TestRecordKeepsAWeekOfHoursAndAYearOfDays(t *testing.T) {
	var s Series
	hours := 500*24 - 1
	for i := range hours {
		s.Record(Point{Time: start.Add(time.Duration(i)*time.Hour + 7*time.Second), Bytes: int64(i), Objects: 1}, false)
	}
	if len(s.Hours) != MaxHours || s.Hours[0].Bytes != int64(hours-MaxHours) {
		t.Errorf("%d hours from %+v", len(s.Hours), s.Hours[0])
	}
	if len(s.Days) != MaxDays {
		t.Fatalf("%d days", len(s.Days))
	}
	for i, p := range s.Days {
		want := int64(500-1-MaxDays+i)*24 + 23 // the last day has not ended
		if p.Bytes != want || !p.Time.Equal(start.Add(time.Duration(want)*time.Hour)) {
			t.Errorf("day %d is %+v, want the last hour of a day, %d", i, p, want)
		}
	}
	// The bound that the package's comment states.
	if n := len(s.Marshal()); n > 4096 {
		t.Errorf("a scope that grows in every hour takes %d bytes", n)
	}
}

func TestLargestSeries(t *testing.T) {
	var s Series
	for i := range 400 * 24 {
		s.Record(Point{Time: start.Add(time.Duration(i) * time.Hour), Bytes: int64(i%2) * math.MaxInt64, Objects: int64(i%2) * math.MaxInt64}, false)
	}
	for i := range s.Days { // days end at an odd hour
		s.Days[i].Bytes, s.Days[i].Objects = int64(i%2)*math.MaxInt64, int64(i%2)*math.MaxInt64
	}
	raw := s.Marshal()
	if len(raw) > 12_400 {
		t.Errorf("the largest series takes %d bytes", len(raw))
	}
	if got, err := Unmarshal(raw); err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("it does not come back: %v", err)
	}
}

func TestRecordRefuses(t *testing.T) {
	var s Series
	at := func(minutes int, bytes int64, always bool) bool {
		return s.Record(Point{Time: start.Add(time.Duration(minutes) * time.Minute), Bytes: bytes}, always)
	}
	for i, step := range []struct {
		minutes int
		bytes   int64
		always  bool
		want    bool
	}{
		{60, 1, false, true},
		{119, 2, true, false},  // the hour has one
		{120, 1, false, false}, // nothing has changed
		{120, 1, true, true},
		{60, 3, true, false}, // the clock has gone back
		{181, 3, false, true},
	} {
		if got := at(step.minutes, step.bytes, step.always); got != step.want {
			t.Errorf("step %d: %t, want %t", i, got, step.want)
		}
	}
	if !at(60, 7, false) || len(s.Hours) != 2 || s.Hours[1].Bytes != 1 {
		t.Errorf("a clock that was hours ahead: %+v", s.Hours)
	}
	if s.Record(Point{Time: time.Unix(-1000, 0)}, true) {
		t.Error("a time before 1970 is recorded")
	}
}

// A series that is recorded only when it changes, filled by the clock, is the one that is recorded always. Hours at which
// nothing was recorded stay gaps.
func TestFill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clock, sparse, whole Series
		now := start
		value := int64(5)
		begins := rapid.IntRange(0, 5).Draw(t, "begins")
		for i := range rapid.IntRange(1, 60).Draw(t, "records") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 1, 1, 1, 3, 30, 200}).Draw(t, "hours")) * time.Hour)
			if rapid.IntRange(0, 4).Draw(t, "changes") == 0 {
				value += rapid.Int64Range(-value, 100).Draw(t, "change")
			}
			clock.Record(Point{Time: now}, true)
			if i >= begins {
				sparse.Record(Point{Time: now, Bytes: value, Objects: value / 2}, false)
				whole.Record(Point{Time: now, Bytes: value, Objects: value / 2}, true)
			}
		}
		got := sparse.Fill(clock)
		// What is older than the clock reaches is no matter.
		if !reflect.DeepEqual(got, whole.Fill(clock)) {
			t.Fatalf("filled\n%+v\nwant\n%+v\nof %+v by %+v", got, whole, sparse, clock)
		}
		if len(got.Hours) > len(clock.Hours) {
			t.Fatalf("%d points at %d times", len(got.Hours), len(clock.Hours))
		}
		if n := len(whole.Hours); n > 0 && !reflect.DeepEqual(got.Hours[len(got.Hours)-1], whole.Hours[n-1]) {
			t.Fatalf("the last is %+v, want %+v", got.Hours[len(got.Hours)-1], whole.Hours[n-1])
		}
	})
}

func TestMarshalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Series{Since: rapid.Int64Range(0, math.MaxInt64).Draw(t, "since")}
		points := func(most int) (points []Point) {
			at := start
			for range rapid.IntRange(0, min(most, 20)).Draw(t, "points") {
				at = at.Add(time.Duration(rapid.IntRange(1, 10_000).Draw(t, "minutes")) * time.Minute)
				points = append(points, Point{
					Time: at, Bytes: rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes"),
					Objects: rapid.Int64Range(0, math.MaxInt64).Draw(t, "objects"),
				})
			}
			return points
		}
		s.Hours, s.Days = points(MaxHours), points(MaxDays)
		got, err := Unmarshal(s.Marshal())
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("%+v\n%v, want\n%+v", got, err, s)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	var s Series
	for i := range 60 {
		s.Record(Point{Time: start.Add(time.Duration(i) * time.Hour), Bytes: int64(i) << 20, Objects: int64(60 - i)}, false)
	}
	f.Add(s.Marshal())
	f.Add([]byte{})
	f.Add([]byte{format, 0, 0, 0})
	f.Add([]byte{format, 0, 1, 1, 1, 1, 0})          // a negative figure
	f.Add([]byte{format, 0, 2, 1, 0, 0, 0, 0, 0, 0}) // two points at one time
	f.Add([]byte{format, 0, 0xff, 0xff, 0x7f})
	f.Add(append(s.Marshal(), 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Unmarshal(raw)
		if err != nil {
			return
		}
		again, err := Unmarshal(s.Marshal())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v comes back as %+v, %v", s, again, err)
		}
		for _, points := range [][]Point{s.Hours, s.Days} {
			for i, p := range points {
				if p.Bytes < 0 || p.Objects < 0 || (i > 0 && !p.Time.After(points[i-1].Time)) {
					t.Fatalf("%+v cannot have been recorded", points)
				}
			}
		}
		s.Record(Point{Time: start, Bytes: 1}, true)
		_ = s.Fill(s).Trend(start)
	})
}

// grown returns a series of hours of growth per day, with what disturb adds to each.
func grown(hours int, perDay float64, disturb func(hour int) float64) (Series, time.Time) {
	var s Series
	now := start
	for i := range hours {
		now = start.Add(time.Duration(i) * time.Hour)
		v := 1e12 + perDay*float64(i)/24 + disturb(i)
		s.Record(Point{Time: now, Bytes: int64(v), Objects: 10}, true)
	}
	return s, now
}

func none(int) float64 { return 0 }

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

func TestTrend(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct {
		name      string
		hours     int
		perDay    float64
		disturb   func(int) float64
		tolerance float64
	}{
		{"a straight line", 200, 1e9, none, 1e6},
		{"shrinking", 200, -1e9, none, 1e6},
		{"steady", 100, 0, none, 0},
		{"noise", 27 * 24, 1e9, func(int) float64 { return random.NormFloat64() * 2e8 }, 2e7},
		{"a burst for some hours", 14 * 24, 1e9, func(i int) float64 {
			if i > 100 && i < 110 {
				return 1e12
			}
			return 0
		}, 5e7},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, now := grown(test.hours, test.perDay, test.disturb)
			trend := s.Trend(now)
			if !trend.Known || !near(trend.Bytes.PerDay, test.perDay, test.tolerance) {
				t.Errorf("%+v, want %g per day", trend, test.perDay)
			}
			if trend.Bytes.Low > trend.Bytes.PerDay || trend.Bytes.High < trend.Bytes.PerDay || trend.Objects != (Rate{}) {
				t.Errorf("intervals: %+v", trend)
			}
			if test.name == "noise" && (trend.Bytes.Low > test.perDay || trend.Bytes.High < test.perDay) {
				t.Errorf("%+v does not contain %g", trend.Bytes, test.perDay)
			}
		})
	}
}

func TestTrendWantsHistory(t *testing.T) {
	for _, test := range []struct {
		hours int
		known bool
	}{{0, false}, {1, false}, {5, false}, {24, false}, {25, true}} {
		s, now := grown(test.hours, 1e9, none)
		trend := s.Trend(now)
		if trend.Known != test.known || trend.Points != test.hours {
			t.Errorf("%d hours: %+v", test.hours, trend)
		}
		if _, ok := trend.Forecast(trend.Bytes, 1, 1e12, now); ok != test.known {
			t.Errorf("%d hours: a forecast: %t", test.hours, ok)
		}
	}
	var s Series // three points in two days are too few
	for i := range 3 {
		s.Record(Point{Time: start.Add(time.Duration(i) * 24 * time.Hour), Bytes: int64(i)}, true)
	}
	if trend := s.Trend(start.Add(48 * time.Hour)); trend.Known || trend.Points != 3 {
		t.Errorf("%+v", trend)
	}
}

// What happened before the window has no say.
func TestTrendForgets(t *testing.T) {
	s, now := grown(60*24, 1e9, none)
	for i := range s.Hours {
		s.Hours[i].Bytes = 7
	}
	for i := range s.Days {
		if s.Days[i].Time.After(now.Add(-30 * 24 * time.Hour)) {
			s.Days[i].Bytes = 7
		}
	}
	if trend := s.Trend(now); !trend.Known || trend.Bytes != (Rate{}) {
		t.Errorf("%+v", trend)
	}
}

func TestForecast(t *testing.T) {
	now := start
	long := Trend{Known: true, Span: 20 * day}
	for _, test := range []struct {
		name        string
		trend       Trend
		rate        Rate
		used, limit int64
		days        int // until At; -1 for no forecast
		earliest    int
		latest      int // -1 for none
		confidence  Confidence
	}{
		{"sure", long, Rate{10, 9, 12}, 40, 100, 6, 5, 6, High},
		{"scattered", long, Rate{10, 5, 15}, 40, 100, 6, 4, 12, Medium},
		{"of some days", Trend{Known: true, Span: 4 * day}, Rate{10, 9, 12}, 40, 100, 6, 5, 6, Medium},
		{"of a day", Trend{Known: true, Span: day}, Rate{10, 10, 10}, 40, 100, 6, 6, 6, Low},
		{"may as well not come", long, Rate{10, -1, 12}, 40, 100, 6, 5, -1, Low},
		{"reached", Trend{}, Rate{}, 100, 100, 0, 0, 0, High},
		{"over", long, Rate{-1, -1, -1}, 101, 100, 0, 0, 0, High},
		{"no limit", long, Rate{10, 10, 10}, 1, 0, -1, 0, 0, ""},
		{"steady", long, Rate{}, 1, 100, -1, 0, 0, ""},
		{"shrinking", long, Rate{-5, -6, -4}, 1, 100, -1, 0, 0, ""},
		{"not in our time", long, Rate{1, 1, 1}, 0, math.MaxInt64, -1, 0, 0, ""},
		{"little is known", Trend{}, Rate{10, 10, 10}, 1, 100, -1, 0, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, ok := test.trend.Forecast(test.rate, test.used, test.limit, now)
			if ok != (test.days >= 0) {
				t.Fatalf("%+v, %t", f, ok)
			}
			if !ok {
				return
			}
			inDays := func(at time.Time) int {
				if at.IsZero() {
					return -1
				}
				return int(at.Sub(now) / day)
			}
			if inDays(f.At) != test.days || inDays(f.Earliest) != test.earliest || inDays(f.Latest) != test.latest ||
				f.Confidence != test.confidence {
				t.Errorf("%+v", f)
			}
		})
	}
}

func BenchmarkTrend(b *testing.B) {
	s, now := grown(60*24, 1e9, none)
	b.ReportAllocs()
	for b.Loop() {
		s.Trend(now)
	}
}
