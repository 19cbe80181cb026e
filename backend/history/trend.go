package history

import (
	"math"
	"slices"
	"time"
)

// What a trend is made of.
const (
	// MinPoints and MinSpan are what it takes at the least to speak of growth.
	MinPoints = 6
	MinSpan   = 24 * time.Hour
	// window is how far back a trend looks: what was a season ago says little of next week.
	window = 28 * day
	// maxPoints is how many points a trend is made of, spread evenly over its window: their pairs are compared.
	maxPoints = 48
	// horizon is how far ahead a forecast looks.
	horizon = 10 * 365 * day
	// z is the quantile of the normal distribution for an interval of 90 percent.
	z = 1.645
)

// Rate is how fast a figure changes per day, and within what it does with a probability of 90 percent, by the scatter of
// the points.
type Rate struct{ PerDay, Low, High float64 }

// Trend is how a scope grows. The zero value is that of a scope of which too little is known.
type Trend struct {
	// Points is how many points it is made of, Span the time between the first and the last. Both are told also where
	// they are not enough.
	Points int
	Span   time.Duration
	// Known says that they are, and Bytes and Objects mean something.
	Known          bool
	Bytes, Objects Rate
}

// Trend returns the growth within the last 28 days before a time of day. It is Theil's and Sen's estimate: the median of
// the slopes between all pairs of at most 48 points, which a burst or a clean-up of a few hours does not turn, as it
// would a least-squares line. The interval is Sen's, from the variance of Kendall's statistic. It takes the points for
// independent of each other, which usage is not quite: it is rather a bit too narrow than too wide.
//
// Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, 1968, https://doi.org/10.2307/2285891
func (s Series) Trend(now time.Time) Trend {
	points := s.sample(now)
	if len(points) == 0 {
		return Trend{}
	}
	t := Trend{Points: len(points), Span: points[len(points)-1].Time.Sub(points[0].Time)}
	if t.Points < MinPoints || t.Span < MinSpan {
		return t
	}
	t.Known = true
	t.Bytes = rate(points, func(p Point) int64 { return p.Bytes })
	t.Objects = rate(points, func(p Point) int64 { return p.Objects })
	return t
}

// sample returns what the trend is made of: the days before the first hour, and the hours, thinned evenly.
func (s Series) sample(now time.Time) []Point {
	from := now.Add(-window)
	var all []Point
	for _, p := range s.Days {
		if len(s.Hours) == 0 || p.Time.Before(s.Hours[0].Time) {
			all = append(all, p)
		}
	}
	all = slices.DeleteFunc(append(all, s.Hours...), func(p Point) bool { return p.Time.Before(from) || p.Time.After(now) })
	if len(all) <= maxPoints {
		return all
	}
	// The last of each stretch of time of the same length.
	first := all[0].Time
	stretch := all[len(all)-1].Time.Sub(first)/maxPoints + 1
	thin := make([]Point, 0, maxPoints)
	for i, p := range all {
		if i+1 == len(all) || all[i+1].Time.Sub(first)/stretch != p.Time.Sub(first)/stretch {
			thin = append(thin, p)
		}
	}
	return thin
}

// rate returns the median slope of all pairs of points, and its interval.
func rate(points []Point, figure func(Point) int64) Rate {
	n := len(points)
	slopes := make([]float64, 0, n*(n-1)/2)
	for i, p := range points {
		for _, q := range points[i+1:] {
			days := q.Time.Sub(p.Time).Hours() / 24
			slopes = append(slopes, float64(figure(q)-figure(p))/days)
		}
	}
	slices.Sort(slopes)
	pairs := float64(len(slopes))
	c := z * math.Sqrt(float64(n)*float64(n-1)*float64(2*n+5)/18)
	at := func(place float64) float64 {
		return slopes[int(min(max(math.Round(place), 0), pairs-1))]
	}
	return Rate{PerDay: median(slopes), Low: at((pairs-c)/2 - 1), High: at((pairs + c) / 2)}
}

func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Confidence says how far a forecast can be trusted.
type Confidence string

// The grades of confidence.
const (
	// Low is that of a forecast from less than three days, or from growth that may as well be none, or thrice as much.
	Low Confidence = "low"
	// Medium is that of one from three days or more, whose growth is known to within its own size.
	Medium Confidence = "medium"
	// High is that of one from two weeks or more, whose growth is known to within half its size.
	High Confidence = "high"
)

// Forecast is when a figure will reach a limit if it goes on to grow as it did.
type Forecast struct {
	// At is when, and at once where it has reached it. Earliest and Latest are the same for the ends of the rate's
	// interval; Latest is zero where it may as well never come, or not within ten years.
	At, Earliest, Latest time.Time
	Confidence           Confidence
}

// Forecast returns when a figure that holds used, and grows at a rate of the trend's, reaches a limit; false where there
// is no limit, too little is known, or it will not come within ten years.
func (t Trend) Forecast(r Rate, used, limit int64, now time.Time) (Forecast, bool) {
	if limit <= 0 {
		return Forecast{}, false
	}
	if used >= limit {
		return Forecast{At: now, Earliest: now, Latest: now, Confidence: High}, true
	}
	if !t.Known {
		return Forecast{}, false
	}
	f := Forecast{At: reach(r.PerDay, limit-used, now)}
	if f.At.IsZero() {
		return Forecast{}, false
	}
	f.Earliest, f.Latest = reach(r.High, limit-used, now), reach(r.Low, limit-used, now)
	switch width := (r.High - r.Low) / r.PerDay; {
	case t.Span >= 14*day && width <= 0.5 && !f.Latest.IsZero():
		f.Confidence = High
	case t.Span >= 3*day && width <= 1 && !f.Latest.IsZero():
		f.Confidence = Medium
	default:
		f.Confidence = Low
	}
	return f, true
}

// reach returns when so much more is there, to the minute; the zero time where that is not within the horizon.
func reach(perDay float64, more int64, now time.Time) time.Time {
	if perDay <= 0 {
		return time.Time{}
	}
	days := float64(more) / perDay
	if !(days <= horizon.Hours()/24) {
		return time.Time{}
	}
	return now.Add(time.Duration(days * float64(day))).Truncate(time.Minute)
}
