// Package history keeps what a scope held over time, in bounded space, and tells from it how fast the scope grows and when
// it will reach a limit. It is pure: it is told the time, does no I/O, and starts nothing.
//
// # What is kept
//
// A Series has a point for each hour of a week, and one for each day (UTC) of a year: that day's last. A point whose
// figures are those of the point before it is not kept. What tells it from a gap, during which nothing was recorded, is
// the clock: a series that gets a point at every time of recording, whatever its figures. Fill makes a series whole again
// by the clock.
//
// # Space
//
// A series has at most MaxHours + MaxDays points. A point takes 3 to 23 bytes where it is marshaled, as a rule 8 or so: at
// most 12.3 KB in all for a scope, some 4 KB for one that changes in every hour of a year, and 10 bytes for one that
// does not. An idle scope is not written anew.
//
// # Format 1
//
//	series  uv 1 | uv since | points | points          the hours, then the days
//	points  uv number | number*(uv minutes | tv bytes | tv objects)
//
// uv is an unsigned varint, tv a zigzag varint. Minutes count from 1970 in the first point, and from the point before in
// the others, where they are 1 or more; bytes and objects are differences to the point before, or to zero. Times and
// figures are never negative. Since is the Series' own.
package history

import (
	"slices"
	"time"
)

// Bounds of a series.
const (
	// MaxHours is how many points of hours are kept: a week's, and one from before it.
	MaxHours = 7*24 + 1
	// MaxDays is how many points of days are kept: a year's, and one from before it.
	MaxDays = 365 + 1
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// Point is what a scope held at a time. Time is to the minute, UTC.
type Point struct {
	Time           time.Time
	Bytes, Objects int64
}

func (p Point) same(q Point) bool { return p.Bytes == q.Bytes && p.Objects == q.Objects }

// Series is what is kept of a scope: both in the order of time. The zero value is empty.
type Series struct {
	// Since tells scopes apart that have had one name after the other. It is the caller's, and never negative.
	Since       int64
	Hours, Days []Point
}

// Record adds a point and forgets what is too old. It reports whether the series is another now: it is not where the hour
// has a point already. always adds a point that is like the one before, as the clock needs it. Points that lie more than
// an hour ahead are from a time when the system's clock was wrong: they go.
//
// The day that has ended since the last point gets that one as its own.
func (s *Series) Record(p Point, always bool) bool {
	p.Time = p.Time.UTC().Truncate(time.Minute)
	p.Bytes, p.Objects = max(p.Bytes, 0), max(p.Objects, 0)
	if p.Time.Unix() < 0 {
		return false
	}
	changed := s.forgetAfter(p.Time.Add(hour))
	if n := len(s.Hours); n > 0 {
		last := s.Hours[n-1]
		if !p.Time.Truncate(hour).After(last.Time.Truncate(hour)) || (last.same(p) && !always) {
			return changed
		}
	}
	s.closeDays(p.Time)
	s.Hours = append(s.Hours, p)
	s.Hours = trim(s.Hours, p.Time.Add(-(MaxHours-1)*hour), MaxHours)
	s.Days = trim(s.Days, p.Time.Add(-(MaxDays-1)*day), MaxDays)
	return true
}

// forgetAfter drops the points after a time, and reports whether there were any.
func (s *Series) forgetAfter(at time.Time) bool {
	before := len(s.Hours) + len(s.Days)
	later := func(p Point) bool { return p.Time.After(at) }
	s.Hours, s.Days = slices.DeleteFunc(s.Hours, later), slices.DeleteFunc(s.Days, later)
	return len(s.Hours)+len(s.Days) < before
}

// closeDays makes the last point of each day that is over, and later than those that are kept, that day's.
func (s *Series) closeDays(now time.Time) {
	today := now.Truncate(day)
	for i, p := range s.Hours {
		of := p.Time.Truncate(day)
		if !of.Before(today) || (i+1 < len(s.Hours) && s.Hours[i+1].Time.Truncate(day).Equal(of)) {
			continue
		}
		if n := len(s.Days); n == 0 || s.Days[n-1].Time.Truncate(day).Before(of) {
			s.Days = append(s.Days, p)
		}
	}
}

// trim drops the points before a time but for the last of them, which says what was there when the rest begins, and the
// oldest where there are more than most.
func trim(points []Point, from time.Time, most int) []Point {
	first := 0
	for first+1 < len(points) && !points[first+1].Time.After(from) {
		first++
	}
	return slices.Delete(points, 0, max(first, len(points)-most))
}

// Fill returns the series with a point at each time of the clock's, with what the scope held then. Before its first point
// it has none.
func (s Series) Fill(clock Series) Series {
	if n := len(clock.Hours); n > 0 {
		s.Days = slices.Clone(s.Days)
		s.closeDays(clock.Hours[n-1].Time)
	}
	return Series{Since: s.Since, Hours: fill(s.Hours, clock.Hours), Days: fill(s.Days, clock.Days)}
}

func fill(own, clock []Point) []Point {
	var filled []Point
	next := 0
	for _, at := range clock {
		for next < len(own) && !own[next].Time.After(at.Time) {
			next++
		}
		if next > 0 {
			filled = append(filled, Point{Time: at.Time, Bytes: own[next-1].Bytes, Objects: own[next-1].Objects})
		}
	}
	return append(filled, own[next:]...) // later than the clock: it will be recorded in a moment
}
