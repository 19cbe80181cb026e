package quota

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// figure draws a count that is small, where neighbours meet, or at the edge of int64.
func figure() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64Range(0, 20),
		rapid.Int64Range(math.MaxInt64-20, math.MaxInt64),
		rapid.Int64Range(math.MaxInt64/2-5, math.MaxInt64/2+5),
		rapid.Int64Range(0, math.MaxInt64),
	)
}

func signed() *rapid.Generator[int64] {
	return rapid.OneOf(figure(), rapid.Map(figure(), func(n int64) int64 { return -n }), rapid.Just(int64(math.MinInt64)))
}

func total(figures ...int64) *big.Int {
	sum := new(big.Int)
	for _, f := range figures {
		sum.Add(sum, big.NewInt(f))
	}
	return sum
}

// allows is the rules again, in words that do not overflow: whether each figure stays within its limit.
func allows(a Account, op Operation) bool {
	within := func(limit int64, mayStay bool, delta *big.Int, before ...int64) bool {
		if limit == 0 || (mayStay && delta.Sign() <= 0) {
			return true
		}
		return total(before...).Add(total(before...), delta).Cmp(big.NewInt(limit)) <= 0
	}
	var (
		u, r, d = a.Usage, a.Reserved, op.Delta
		mayStay = op.Kind == Put
		objects = within(a.Limit.MaxObjects, mayStay, total(d.Objects), u.Objects, r.Objects)
	)
	if op.Kind == Part {
		objects = within(a.Limit.MaxObjects, false, total(op.Completed.Objects), u.Objects, r.Objects)
	}
	limit := a.Limit.MaxBytes
	switch {
	case a.Scope.Kind == Server:
		return objects && within(limit, mayStay, total(d.Bytes, d.PartBytes), u.Bytes, u.PartBytes, r.Bytes, r.PartBytes)
	case op.Kind == Part:
		return objects && within(limit, false, total(op.Completed.Bytes), u.Bytes, r.Bytes, op.CompletedReserved) &&
			within(limit, false, total(d.PartBytes), u.PartBytes, r.PartBytes)
	default:
		return objects && within(limit, mayStay, total(d.Bytes), u.Bytes, r.Bytes)
	}
}

// checkAdmit compares Admit with the model, and checks the figures of a refusal.
func checkAdmit(t interface{ Fatalf(string, ...any) }, a Account, op Operation) {
	err := Admit(a, op)
	if allowed := allows(a, op); allowed != (err == nil) {
		t.Fatalf("%+v, %+v: Admit says %v, the rules in big integers allow it: %v", a, op, err, allowed)
	}
	if err == nil {
		return
	}
	var e *ExceededError
	if !errors.As(err, &e) {
		t.Fatalf("a refusal of type %T: %v", err, err)
	}
	if e.Scope != a.Scope || e.Used < 0 || e.Reserved < 0 || e.Requested < 0 || e.Available() < 0 {
		t.Fatalf("impossible figures: %+v", *e)
	}
	// A figure that is reported at the edge of int64 may stand for more than that.
	held := e.Used == math.MaxInt64 || e.Reserved == math.MaxInt64 || e.Requested == math.MaxInt64
	if sum := total(e.Used, e.Reserved, e.Requested); !held && sum.Cmp(big.NewInt(e.Total)) <= 0 {
		t.Fatalf("%+v would have fitted", *e)
	}
	alone := a
	alone.Reserved = Delta{}
	if op.Kind == Part {
		alone.Reserved.PartBytes = op.CompletedReserved // what the same upload holds does not go away for it
	}
	if e.Transient && !fitsAlone(alone, op, e.Resource) {
		t.Fatalf("%+v is said to be transient, and does not fit without reservations", *e)
	}
	if !e.Transient && allows(alone, op) {
		t.Fatalf("%+v is said to be lasting, and fits without reservations", *e)
	}
}

// fitsAlone reports whether op fits in one dimension; a refusal speaks of the first that is exceeded.
func fitsAlone(a Account, op Operation, r Resource) bool {
	if r == Bytes {
		a.Limit.MaxObjects = 0
		if op.Kind == Part && a.Scope.Kind != Server {
			// Two sums of bytes are limited. At least one of them was exceeded by its reservations alone.
			whole, parts := op, op
			whole.Delta.PartBytes = -a.Usage.PartBytes
			parts.Completed.Bytes, parts.CompletedReserved = -a.Usage.Bytes, 0
			idle := a
			idle.Reserved = Delta{} // what the same upload holds is in whole.CompletedReserved
			return allows(idle, whole) || allows(a, parts)
		}
	} else {
		a.Limit.MaxBytes = 0
	}
	return allows(a, op)
}

func TestAdmitAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(g *rapid.Generator[int64], name string) int64 { return g.Draw(t, name) }
		a := Account{
			Scope: rapid.SampledFrom([]Scope{photos, alice, raw, ServerScope}).Draw(t, "scope"),
			Limit: Limit{MaxBytes: draw(figure(), "max bytes"), MaxObjects: draw(figure(), "max objects")},
			Usage: Usage{
				Bytes: draw(figure(), "bytes"), Objects: draw(figure(), "objects"), PartBytes: draw(figure(), "part bytes"),
			},
			Reserved: Delta{
				Bytes: draw(figure(), "reserved"), Objects: draw(figure(), "reserved objects"),
				PartBytes: draw(figure(), "reserved parts"),
			},
		}
		op := Operation{
			Kind: rapid.SampledFrom([]Kind{Put, Part, Complete}).Draw(t, "kind"),
			Delta: Delta{
				Bytes: draw(signed(), "delta"), Objects: draw(signed(), "delta objects"), PartBytes: draw(signed(), "delta parts"),
			},
			Completed:         Delta{Bytes: draw(signed(), "completed"), Objects: draw(signed(), "completed objects")},
			CompletedReserved: draw(figure(), "arriving"),
		}
		checkAdmit(t, a, op)
	})
}

func FuzzAdmit(f *testing.F) {
	const most = math.MaxInt64
	f.Add(false, byte(0), int64(100), int64(0), int64(60), int64(3), int64(0), int64(0), int64(0), int64(40), int64(1), int64(0), int64(0), int64(0))
	f.Add(true, byte(1), int64(most), int64(2), int64(most), int64(2), int64(most), int64(1), int64(1), int64(0), int64(0), int64(1), int64(1), int64(1))
	f.Add(false, byte(2), int64(most), int64(most), int64(most), int64(most), int64(0), int64(most), int64(0), int64(math.MinInt64), int64(-1), int64(-9), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, server bool, kind byte, maxBytes, maxObjects, bytes, objects, parts, reserved, reservedParts,
		delta, deltaObjects, deltaParts, completed, arriving int64,
	) {
		for _, n := range []int64{maxBytes, maxObjects, bytes, objects, parts, reserved, reservedParts, arriving} {
			if n < 0 {
				t.Skip("counts are never negative")
			}
		}
		a := Account{
			Scope: photos, Limit: Limit{MaxBytes: maxBytes, MaxObjects: maxObjects},
			Usage:    Usage{Bytes: bytes, Objects: objects, PartBytes: parts},
			Reserved: Delta{Bytes: reserved, PartBytes: reservedParts},
		}
		if server {
			a.Scope = ServerScope
		}
		checkAdmit(t, a, Operation{
			Kind: Kind(kind % 3), Delta: Delta{Bytes: delta, Objects: deltaObjects, PartBytes: deltaParts},
			Completed: Delta{Bytes: completed, Objects: deltaObjects}, CompletedReserved: arriving,
		})
	})
}
