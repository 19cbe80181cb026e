package history

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

const format = 1

// maxMinutes is the last minute of the year 9999: what can be written in every form of a date.
const maxMinutes = 253402300800/60 - 1

// ErrMalformed says that bytes are not what Marshal has written.
var ErrMalformed = errors.New("history: malformed series")

// Marshal returns the series as it is stored.
func (s Series) Marshal() []byte {
	b := binary.AppendUvarint([]byte{format}, uint64(max(s.Since, 0)))
	for _, points := range [][]Point{s.Hours, s.Days} {
		b = binary.AppendUvarint(b, uint64(len(points)))
		var minutes, bytes, objects int64
		for _, p := range points {
			at := p.Time.Unix() / 60
			b = binary.AppendUvarint(b, uint64(at-minutes))
			b = binary.AppendVarint(b, p.Bytes-bytes)
			b = binary.AppendVarint(b, p.Objects-objects)
			minutes, bytes, objects = at, p.Bytes, p.Objects
		}
	}
	return b
}

// Unmarshal reads what Marshal has written, or fails with ErrMalformed.
func Unmarshal(raw []byte) (Series, error) {
	d := decoder{rest: raw}
	if d.uvarint() != format {
		d.bad = true
	}
	s := Series{Since: int64(d.uvarint())}
	if s.Since < 0 {
		d.bad = true
	}
	s.Hours = d.points(MaxHours)
	s.Days = d.points(MaxDays)
	if d.bad || len(d.rest) > 0 {
		return Series{}, ErrMalformed
	}
	return s, nil
}

// decoder reads from rest until something is bad.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) points(most int) []Point {
	n := d.uvarint()
	if n > uint64(most) {
		d.bad = true
	}
	if d.bad || n == 0 {
		return nil
	}
	points := make([]Point, 0, n)
	var minutes, bytes, objects int64
	for i := range n {
		step := d.uvarint()
		if step > maxMinutes || (step == 0 && i > 0) {
			d.bad = true
		}
		minutes += int64(step)
		bytes, objects = d.figure(bytes), d.figure(objects)
		if d.bad = d.bad || minutes > maxMinutes; d.bad {
			return nil
		}
		points = append(points, Point{Time: time.Unix(minutes*60, 0).UTC(), Bytes: bytes, Objects: objects})
	}
	return points
}

// figure reads the difference to the figure before.
func (d *decoder) figure(before int64) int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 || v > math.MaxInt64-before || before+v < 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return before + v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}
