package quota

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
)

var (
	photos = BucketScope("photos")
	alice  = OwnerScope("alice")
	raw    = PrefixScope("photos", "raw/")
)

// rule is one sentence of the charging rules, and the case that shows it. A nil refusal means admitted.
type rule struct {
	name    string
	account Account
	op      Operation
	refusal *ExceededError
}

func put(bytes, objects int64) Operation {
	return Operation{Kind: Put, Delta: Delta{Bytes: bytes, Objects: objects}}
}

// part is a part that makes parts of delta bytes more, in an upload that would change the bucket by completed now.
func part(delta int64, completed Delta) Operation {
	return Operation{Kind: Part, Delta: Delta{PartBytes: delta}, Completed: completed}
}

// complete turns parts into bytes more of objects.
func complete(bytes, objects, parts int64) Operation {
	return Operation{Kind: Complete, Delta: Delta{Bytes: bytes, Objects: objects, PartBytes: -parts, Uploads: -1}}
}

func maxBytes(n int64) Limit { return Limit{MaxBytes: n} }

func maxObjects(n int64) Limit { return Limit{MaxObjects: n} }

func testRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			err := Admit(r.account, r.op)
			if r.refusal == nil {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var exceeded *ExceededError
			if !errors.As(err, &exceeded) {
				t.Fatalf("admitted, or refused with %v", err)
			}
			if r.refusal.Scope == (Scope{}) {
				r.refusal.Scope = r.account.Scope
			}
			if *exceeded != *r.refusal {
				t.Errorf("refused with\n%+v, want\n%+v", *exceeded, *r.refusal)
			}
		})
	}
}

func TestPut(t *testing.T) {
	testRules(t, []rule{
		{
			name:    "without a limit everything is admitted",
			account: Account{Scope: photos, Usage: Usage{Bytes: math.MaxInt64, Objects: math.MaxInt64}},
			op:      put(math.MaxInt64, math.MaxInt64),
		},
		{
			name:    "exactly reaching the limit of bytes is allowed",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 60, Objects: 3}},
			op:      put(40, 1),
		},
		{
			name:    "one byte more is refused and the refusal says by how much",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 60, Objects: 3}},
			op:      put(41, 1),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 60, Requested: 41},
		},
		{
			name:    "exactly reaching the limit of objects is allowed",
			account: Account{Scope: photos, Limit: maxObjects(4), Usage: Usage{Objects: 3}},
			op:      put(1<<40, 1),
		},
		{
			name:    "one object more is refused, even an empty one",
			account: Account{Scope: photos, Limit: maxObjects(4), Usage: Usage{Objects: 4}},
			op:      put(0, 1),
			refusal: &ExceededError{Resource: Objects, Total: 4, Used: 4, Requested: 1},
		},
		{
			name:    "the overwritten bytes are credited",
			account: Account{Scope: photos, Limit: Limit{MaxBytes: 100, MaxObjects: 1}, Usage: Usage{Bytes: 70, Objects: 1}},
			op:      put(100-70, 0),
		},
		{
			name:    "an overwrite that grows past the limit is refused with what it needs after its credit",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 70, Objects: 1}},
			op:      put(101-70, 0),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 70, Requested: 31},
		},
		{
			name:    "an empty object fits a bucket whose bytes are all used",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 100, Objects: 1}},
			op:      put(0, 1),
		},
		{
			name:    "parts of unfinished uploads do not count in a bucket",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 100}},
			op:      put(40, 1),
		},
		{
			name:    "the server counts parts in full",
			account: Account{Scope: ServerScope, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 30}},
			op:      put(11, 1),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 90, Requested: 11},
		},
		{
			name:    "parts of unfinished uploads do not count for an owner",
			account: Account{Scope: alice, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 100}},
			op:      put(40, 1),
		},
		{
			name:    "an owner's refusal names the owner",
			account: Account{Scope: alice, Limit: maxBytes(100), Usage: Usage{Bytes: 60}},
			op:      put(41, 1),
			refusal: &ExceededError{Scope: alice, Resource: Bytes, Total: 100, Used: 60, Requested: 41},
		},
		{
			name:    "a prefix's refusal names the prefix; parts do not count in it",
			account: Account{Scope: raw, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 100}},
			op:      put(41, 1),
			refusal: &ExceededError{Scope: raw, Resource: Bytes, Total: 100, Used: 60, Requested: 41},
		},
		{
			name:    "what is counted of a prefix decides while it is counted",
			account: Account{Scope: raw, Limit: maxBytes(100), Usage: Usage{Bytes: 60}, Counting: true, CountedTo: "raw/m"},
			op:      put(40, 1),
		},
		{
			name:    "on the server too exactly reaching the limit is allowed",
			account: Account{Scope: ServerScope, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 30}},
			op:      put(10, 1),
		},
	})
}

func TestPutOverALoweredLimit(t *testing.T) {
	over := Account{Scope: photos, Limit: Limit{MaxBytes: 100, MaxObjects: 2}, Usage: Usage{Bytes: 300, Objects: 5}}
	testRules(t, []rule{
		{name: "an overwrite of the same size is admitted", account: over, op: put(0, 0)},
		{name: "an overwrite that shrinks usage is admitted", account: over, op: put(-1, 0)},
		{
			name: "an overwrite that grows by one byte is refused", account: over, op: put(1, 0),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 300, Requested: 1},
		},
		{
			name: "a new empty object is refused", account: over, op: put(0, 1),
			refusal: &ExceededError{Resource: Objects, Total: 2, Used: 5, Requested: 1},
		},
	})
}

func TestPart(t *testing.T) {
	testRules(t, []rule{
		{
			name:    "the upload must fit if it were completed now: exactly is allowed",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 40, PartBytes: 50}},
			op:      part(10, Delta{Bytes: 60, Objects: 1}),
		},
		{
			name:    "one byte more than the upload could complete with is refused",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 40, PartBytes: 50}},
			op:      part(11, Delta{Bytes: 61, Objects: 1}),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 40, Requested: 61},
		},
		{
			name:    "the object that the upload would overwrite is credited",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 100, Objects: 1, PartBytes: 50}},
			op:      part(50, Delta{Bytes: 0}),
		},
		{
			name:    "all unfinished parts of the bucket together may reach its limit",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{PartBytes: 90}},
			op:      part(10, Delta{Bytes: 10, Objects: 1}),
		},
		{
			name:    "all unfinished parts of the bucket together may not pass its limit",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{PartBytes: 90}},
			op:      part(11, Delta{Bytes: 11, Objects: 1}),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 90, Requested: 11},
		},
		{
			name:    "a part of an upload that could not become an object is refused",
			account: Account{Scope: photos, Limit: maxObjects(3), Usage: Usage{Objects: 3}},
			op:      part(1, Delta{Bytes: 1, Objects: 1}),
			refusal: &ExceededError{Resource: Objects, Total: 3, Used: 3, Requested: 1},
		},
		{
			name:    "a part of an upload that overwrites needs no room for an object",
			account: Account{Scope: photos, Limit: maxObjects(3), Usage: Usage{Objects: 3}},
			op:      part(1, Delta{Bytes: 1}),
		},
		{
			name:    "all unfinished parts of an owner together may reach their limit, whatever is stored",
			account: Account{Scope: alice, Limit: maxBytes(100), Usage: Usage{Bytes: 90, PartBytes: 90}},
			op:      part(10, Delta{Bytes: 10, Objects: 1}),
		},
		{
			name:    "all unfinished parts of an owner together may not pass their limit",
			account: Account{Scope: alice, Limit: maxBytes(100), Usage: Usage{PartBytes: 90}},
			op:      part(11, Delta{Bytes: 11, Objects: 1}),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 90, Requested: 11},
		},
		{
			name:    "all unfinished parts under a prefix together may not pass its limit",
			account: Account{Scope: raw, Limit: maxBytes(100), Usage: Usage{PartBytes: 90}},
			op:      part(11, Delta{Bytes: 11, Objects: 1}),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 90, Requested: 11},
		},
		{
			name:    "an owner is credited the object that the upload would overwrite",
			account: Account{Scope: alice, Limit: maxBytes(100), Usage: Usage{Bytes: 100, Objects: 1}},
			op:      part(50, Delta{Bytes: 0}),
		},
		{
			name:    "the server counts the part itself in full: exactly is allowed",
			account: Account{Scope: ServerScope, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 30}},
			op:      part(10, Delta{Bytes: 40, Objects: 1}),
		},
		{
			name:    "the server does not credit the object that would be overwritten later",
			account: Account{Scope: ServerScope, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 30}},
			op:      part(11, Delta{Bytes: -20}),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 90, Requested: 11},
		},
		{
			name:    "the server credits the part that is replaced",
			account: Account{Scope: ServerScope, Limit: maxBytes(100), Usage: Usage{Bytes: 60, PartBytes: 40}},
			op:      part(0, Delta{Bytes: 40, Objects: 1}),
		},
	})
}

func TestComplete(t *testing.T) {
	testRules(t, []rule{
		{
			name:    "the bucket may reach its limit exactly",
			account: Account{Scope: photos, Limit: Limit{MaxBytes: 100, MaxObjects: 2}, Usage: Usage{Bytes: 40, Objects: 1, PartBytes: 60}},
			op:      complete(60, 1, 60),
		},
		{
			name:    "one byte more is refused",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 41, Objects: 1, PartBytes: 60}},
			op:      complete(60, 1, 60),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 41, Requested: 60},
		},
		{
			name:    "one object more is refused",
			account: Account{Scope: photos, Limit: maxObjects(1), Usage: Usage{Objects: 1, PartBytes: 60}},
			op:      complete(60, 1, 60),
			refusal: &ExceededError{Resource: Objects, Total: 1, Used: 1, Requested: 1},
		},
		{
			name:    "the overwritten object is credited",
			account: Account{Scope: photos, Limit: Limit{MaxBytes: 100, MaxObjects: 1}, Usage: Usage{Bytes: 90, Objects: 1, PartBytes: 100}},
			op:      complete(100-90, 0, 100),
		},
		{
			name:    "there is no exception for shrinking: usage after it is within the limit",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 300, Objects: 1, PartBytes: 101}},
			op:      complete(101-300+50, 0, 101),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 300},
		},
		{
			name:    "shrinking to within the limit is admitted",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 300, Objects: 1, PartBytes: 100}},
			op:      complete(100-300, 0, 100),
		},
		{
			name:    "an owner may not pass their limit",
			account: Account{Scope: alice, Limit: maxBytes(100), Usage: Usage{Bytes: 41, Objects: 1, PartBytes: 60}},
			op:      complete(60, 1, 60),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 41, Requested: 60},
		},
		{
			name:    "on the server the bytes only move, so a full server can complete",
			account: Account{Scope: ServerScope, Limit: maxBytes(100), Usage: Usage{Bytes: 40, Objects: 1, PartBytes: 60}},
			op:      complete(60, 1, 60),
		},
		{
			name:    "on the server the parts left out are credited",
			account: Account{Scope: ServerScope, Limit: maxBytes(50), Usage: Usage{Bytes: 0, PartBytes: 60}},
			op:      complete(50, 1, 60),
		},
		{
			name:    "a server over a lowered limit refuses what leaves it over",
			account: Account{Scope: ServerScope, Limit: maxBytes(50), Usage: Usage{Bytes: 0, PartBytes: 60}},
			op:      complete(51, 1, 60),
			refusal: &ExceededError{Resource: Bytes, Total: 50, Used: 60},
		},
	})
}

func TestReservations(t *testing.T) {
	reserved := Account{
		Scope: photos, Limit: maxBytes(100),
		Usage: Usage{Bytes: 40}, Reserved: Delta{Bytes: 50, PartBytes: 20},
	}
	testRules(t, []rule{
		{name: "what fits beside the reservations is admitted", account: reserved, op: put(10, 1)},
		{
			name: "a refusal that only reservations caused is transient", account: reserved, op: put(60, 1),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 40, Reserved: 50, Requested: 60, Transient: true},
		},
		{
			name: "a refusal that usage alone would cause is not transient", account: reserved, op: put(61, 1),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 40, Reserved: 50, Requested: 61},
		},
		{name: "reservations do not stop what does not grow", account: reserved, op: put(0, 1)},
		{
			name:    "the parts that are arriving for the same upload count as if they were there",
			account: reserved,
			op: Operation{
				Kind: Part, Delta: Delta{PartBytes: 1}, Completed: Delta{Bytes: 1, Objects: 1}, CompletedReserved: 10,
			},
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 40, Reserved: 60, Requested: 1, Transient: true},
		},
		{
			name:    "parts that are arriving count against all parts of the bucket",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{PartBytes: 70}, Reserved: Delta{PartBytes: 20}},
			op:      part(11, Delta{Bytes: 11, Objects: 1}),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 70, Reserved: 20, Requested: 11, Transient: true},
		},
		{
			name: "on the server parts that are arriving count in full",
			account: Account{
				Scope: ServerScope, Limit: maxBytes(100),
				Usage: Usage{Bytes: 40, PartBytes: 10}, Reserved: Delta{Bytes: 20, PartBytes: 20},
			},
			op:      put(11, 1),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 50, Reserved: 40, Requested: 11, Transient: true},
		},
	})
}

func TestEdgesOfInt64(t *testing.T) {
	const most = math.MaxInt64
	testRules(t, []rule{
		{
			name:    "a limit of all of int64 can be reached",
			account: Account{Scope: photos, Limit: maxBytes(most), Usage: Usage{Bytes: most - 1}},
			op:      put(1, 1),
		},
		{
			name:    "and not be passed by a sum that stops at its edge",
			account: Account{Scope: photos, Limit: maxBytes(most), Usage: Usage{Bytes: most}},
			op:      put(1, 1),
			refusal: &ExceededError{Resource: Bytes, Total: most, Used: most, Requested: 1},
		},
		{
			name:    "nor by a credit against a sum that stopped there",
			account: Account{Scope: photos, Limit: maxBytes(most), Usage: Usage{Bytes: most}, Reserved: Delta{Bytes: most}},
			op:      complete(-1, 0, 0),
			refusal: &ExceededError{Resource: Bytes, Total: most, Used: most, Reserved: most, Transient: true},
		},
		{
			name:    "objects and parts of a server may add up to more than int64 holds",
			account: Account{Scope: ServerScope, Limit: maxBytes(most), Usage: Usage{Bytes: most, PartBytes: most}},
			op:      put(1, 1),
			refusal: &ExceededError{Resource: Bytes, Total: most, Used: most, Requested: 1},
		},
		{
			name:    "the largest request is refused, not wrapped to a credit",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: 50}},
			op:      put(most, 1),
			refusal: &ExceededError{Resource: Bytes, Total: 100, Used: 50, Requested: most},
		},
		{
			name:    "the largest credit is a credit",
			account: Account{Scope: photos, Limit: maxBytes(100), Usage: Usage{Bytes: most}},
			op:      put(math.MinInt64, 0),
		},
	})
}

func TestAvailable(t *testing.T) {
	for _, test := range []struct {
		name string
		e    ExceededError
		want int64
	}{
		{"what is left below the limit", ExceededError{Total: 100, Used: 30, Reserved: 20, Requested: 60}, 50},
		{"nothing over a lowered limit", ExceededError{Total: 100, Used: 300}, 0},
		{"nothing where reservations take all", ExceededError{Total: 100, Used: 50, Reserved: 60}, 0},
		{"at the edge of int64", ExceededError{Total: math.MaxInt64, Used: math.MaxInt64, Reserved: math.MaxInt64}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.e.Available(); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestAvailableOfAnAccount(t *testing.T) {
	usage, reserved := Usage{Bytes: 30, Objects: 2, PartBytes: 40}, Delta{Bytes: 20, Objects: 1, PartBytes: 5}
	for _, test := range []struct {
		name           string
		account        Account
		bytes, objects int64
	}{
		{"no limit", Account{Scope: photos, Usage: usage}, -1, -1},
		{"of a bucket", Account{Scope: photos, Limit: Limit{100, 10}, Usage: usage, Reserved: reserved}, 50, 7},
		{"of a prefix", Account{Scope: raw, Limit: maxBytes(100), Usage: usage, Reserved: reserved}, 50, -1},
		{"of the server", Account{Scope: ServerScope, Limit: Limit{100, 3}, Usage: usage, Reserved: reserved}, 5, 0},
		{"over a lowered limit", Account{Scope: photos, Limit: Limit{10, 1}, Usage: usage}, 0, 0},
		{"at the edge of int64", Account{
			Scope: ServerScope, Limit: maxBytes(math.MaxInt64), Usage: Usage{Bytes: math.MaxInt64, PartBytes: 1},
		}, 0, -1},
	} {
		if bytes, objects := test.account.Available(); bytes != test.bytes || objects != test.objects {
			t.Errorf("%s: %d bytes, %d objects; want %d, %d", test.name, bytes, objects, test.bytes, test.objects)
		}
	}
}

// deltas returns, by the name of each figure, the delta that changes it alone.
func deltas(by int64) map[string]Delta {
	all := make(map[string]Delta)
	for i := range reflect.TypeFor[Delta]().NumField() {
		var d Delta
		reflect.ValueOf(&d).Elem().Field(i).SetInt(by)
		all[reflect.TypeFor[Delta]().Field(i).Name] = d
	}
	return all
}

// TestAdmitAllocatesNothing where it admits: it is asked of every scope of every write, twice.
func TestAdmitAllocatesNothing(t *testing.T) {
	a := Account{Scope: raw, Limit: Limit{MaxBytes: 100, MaxObjects: 10}}
	for _, op := range []Operation{put(1, 1), part(1, Delta{Bytes: 1, Objects: 1}), complete(1, 1, 1)} {
		if n := testing.AllocsPerRun(100, func() { _ = Admit(a, op) }); n != 0 {
			t.Errorf("kind %d: %v allocations", op.Kind, n)
		}
	}
}

func TestUsageBelowZeroIsABug(t *testing.T) {
	for name, d := range deltas(-6) {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("usage below zero was written down")
				}
			}()
			Usage{Bytes: 5, Objects: 5, PartBytes: 5, Uploads: 5, Noncurrent: 5, Markers: 5}.Apply(d)
		})
	}
}

// TestEveryFigureAddsUp holds the sums to all figures, also those that no limit holds.
func TestEveryFigureAddsUp(t *testing.T) {
	for name, d := range deltas(5) {
		if got, want := d.Add(d), deltas(10)[name]; got != want {
			t.Errorf("%s: twice %+v is %+v", name, d, got)
		}
		if got, want := d.Negate(), deltas(-5)[name]; got != want {
			t.Errorf("%s: less %+v is %+v", name, d, got)
		}
		if got := (Usage{}).Apply(d); got != Usage(d) {
			t.Errorf("%s: nothing and %+v is %+v", name, d, got)
		}
	}
}

func TestScopesAreListedFromTheWidestOn(t *testing.T) {
	want := []Scope{
		ServerScope, OwnerScope("a"), OwnerScope("z"), BucketScope("a"), BucketScope("b"),
		PrefixScope("a", "x"), PrefixScope("a", "x/"), PrefixScope("b", "a"),
	}
	got := []Scope{want[4], want[7], want[2], want[3], want[6], want[0], want[5], want[1]}
	if slices.SortFunc(got, CompareScopes); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestScopesInWords(t *testing.T) {
	for scope, want := range map[Scope]string{
		photos: `Bucket "photos"`, alice: `User "alice"`, ServerScope: "The server", {Kind: Disk}: "The disk",
		raw: `Prefix "raw/" of bucket "photos"`,
	} {
		if got := scope.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestNoLimitHoldsMarkersAndNoncurrentVersions(t *testing.T) {
	a := Account{
		Scope: photos, Limit: Limit{MaxBytes: 10, MaxObjects: 3}, Usage: Usage{Objects: 2, Noncurrent: 1, Markers: 1 << 40},
	}
	for _, kind := range []Kind{Put, Part, Complete} {
		d := Delta{Objects: 1, Noncurrent: 1 << 40, Markers: 1 << 40}
		if err := Admit(a, Operation{Kind: kind, Delta: d, Completed: d}); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}
