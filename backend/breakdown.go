package backend

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Space is what a number of versions take.
type Space struct {
	// Bytes and Objects are those of all versions, as a limit counts them; NoncurrentBytes and Noncurrent are those among
	// them that are not the latest of their key.
	Bytes, Objects              int64
	NoncurrentBytes, Noncurrent int64
	// Markers is how many delete markers there are, which take nothing.
	Markers int64
}

func (s *Space) addVersion(v *meta.VersionEntry) {
	if v.Marker {
		s.Markers++
		return
	}
	s.Bytes += v.Head.Size
	s.Objects++
	if !v.Latest {
		s.NoncurrentBytes += v.Head.Size
		s.Noncurrent++
	}
}

func (s *Space) add(t Space) {
	s.Bytes += t.Bytes
	s.Objects += t.Objects
	s.NoncurrentBytes += t.NoncurrentBytes
	s.Noncurrent += t.Noncurrent
	s.Markers += t.Markers
}

// PrefixSpace is what the keys take that begin with a prefix, and are in no longer one of the report.
type PrefixSpace struct {
	Prefix string
	Space
}

// LargeVersion is one of the largest versions.
type LargeVersion struct {
	Key        meta.Key
	Version    meta.VersionID
	Size       int64
	Modified   time.Time
	Noncurrent bool
}

// Breakdown explains where a bucket's space is. Everything in it is of one state of the bucket.
type Breakdown struct {
	Total Space
	// Prefixes are those that take the most, the most first; all others, OtherPrefixes of them, are summed in Other. With
	// it they add up to Total.
	Prefixes      []PrefixSpace
	Other         Space
	OtherPrefixes int64
	// Largest are the largest versions, the largest first.
	Largest []LargeVersion
}

// breakdown makes a Breakdown of versions that come in the order of their keys. Of the prefixes it holds those that the
// present key begins with, which are as many as the report is deep, and at most twice as many of the others as it tells.
type breakdown struct {
	in       BreakdownInput
	total    Space
	open     []PrefixSpace // each begins with the one before
	closed   best[PrefixSpace]
	other    Space
	others   int64
	largest  best[LargeVersion]
	smallest int64 // what is not larger is not among the largest, once there are enough
}

func newBreakdown(in BreakdownInput) *breakdown {
	b := &breakdown{in: in, smallest: -1}
	b.closed = best[PrefixSpace]{
		most: MaxBreakdownPrefixes,
		compare: func(x, y PrefixSpace) int {
			return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(y.Objects, x.Objects), cmp.Compare(x.Prefix, y.Prefix))
		},
		drop: func(p PrefixSpace) {
			b.other.add(p.Space)
			b.others++
		},
	}
	b.largest = best[LargeVersion]{
		most: in.Largest,
		// The order of versions of one key is that in which they came: the newest first.
		compare: func(x, y LargeVersion) int {
			return cmp.Or(cmp.Compare(y.Size, x.Size), cmp.Compare(x.Key, y.Key))
		},
		drop: func(v LargeVersion) { b.smallest = max(b.smallest, v.Size) },
	}
	return b
}

// next takes the next version.
func (b *breakdown) next(v *meta.VersionEntry) {
	b.total.addVersion(v)
	if b.in.Depth > 0 {
		b.group(string(v.Key)).addVersion(v)
	}
	if b.in.Largest > 0 && !v.Marker && v.Head.Size > b.smallest {
		b.largest.add(LargeVersion{
			// The entry's key is cut from the memory of a whole page.
			Key: meta.Key(strings.Clone(string(v.Key))), Version: meta.VersionID(strings.Clone(string(v.Head.Version))),
			Size: v.Head.Size, Modified: v.Head.Modified, Noncurrent: !v.Latest,
		})
	}
}

// group returns the space of the prefix that a key belongs to: its first elements, as many as the report is deep, or as
// it has before its last.
func (b *breakdown) group(key string) *Space {
	for n := len(b.open); n > 0 && !strings.HasPrefix(key, b.open[n-1].Prefix); n-- {
		b.closed.add(b.open[n-1])
		b.open = b.open[:n-1]
	}
	end := len(b.in.Prefix)
	for range b.in.Depth {
		i := strings.Index(key[end:], b.in.Delimiter)
		if i < 0 {
			break
		}
		end += i + len(b.in.Delimiter)
	}
	if n := len(b.open); n == 0 || b.open[n-1].Prefix != key[:end] {
		b.open = append(b.open, PrefixSpace{Prefix: strings.Clone(key[:end])})
	}
	return &b.open[len(b.open)-1].Space
}

func (b *breakdown) finish() *Breakdown {
	for _, p := range b.open {
		b.closed.add(p)
	}
	b.open = nil
	report := &Breakdown{Prefixes: b.closed.finish(), Largest: b.largest.finish()}
	report.Total, report.Other, report.OtherPrefixes = b.total, b.other, b.others
	return report
}

// best keeps the first of many in the order of compare, most of them, in memory for twice as many.
type best[T any] struct {
	most    int
	compare func(x, y T) int
	drop    func(T) // is told of every one that is not kept
	all     []T
}

func (b *best[T]) add(v T) {
	b.all = append(b.all, v)
	if len(b.all) >= 2*b.most+16 {
		b.cut()
	}
}

func (b *best[T]) cut() {
	slices.SortStableFunc(b.all, b.compare)
	kept := min(len(b.all), b.most)
	for _, v := range b.all[kept:] {
		b.drop(v)
	}
	clear(b.all[kept:])
	b.all = b.all[:kept]
}

func (b *best[T]) finish() []T {
	b.cut()
	return slices.Clip(b.all)
}
