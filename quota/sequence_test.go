package quota

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// harbour is three buckets of two owners on a server, as the rows of a store describe them. Usage is counted from the rows; only what
// Admit lets through changes them.
type harbour struct {
	t       *rapid.T
	limits  map[Scope]Limit
	objects map[[2]string]int64 // by bucket and key
	uploads map[[2]string]map[int]int64
}

var (
	buckets = []string{"a", "b", "c"}
	owners  = map[string]string{"a": "ada", "b": "ada", "c": "bob"}
	scopes  = []Scope{
		BucketScope("a"), BucketScope("b"), BucketScope("c"), OwnerScope("ada"), OwnerScope("bob"), ServerScope,
		PrefixScope("a", "x"), PrefixScope("a", "x/"), PrefixScope("c", "y"),
	}
)

// covers reports whether a scope holds what is under a key.
func covers(scope Scope, at [2]string) bool {
	bucket := at[0]
	return scope == ServerScope || scope == BucketScope(bucket) || scope == OwnerScope(owners[bucket]) ||
		scope.Kind == Prefix && scope.Name == bucket && strings.HasPrefix(at[1], scope.Prefix)
}

func (h *harbour) counted(scope Scope) (bytes, objects, parts *big.Int) {
	bytes, objects, parts = new(big.Int), new(big.Int), new(big.Int)
	for at, size := range h.objects {
		if covers(scope, at) {
			bytes.Add(bytes, big.NewInt(size))
			objects.Add(objects, big.NewInt(1))
		}
	}
	for at, upload := range h.uploads {
		if covers(scope, at) {
			for _, size := range upload {
				parts.Add(parts, big.NewInt(size))
			}
		}
	}
	return bytes, objects, parts
}

func (h *harbour) account(scope Scope) Account {
	bytes, objects, parts := h.counted(scope)
	return Account{
		Scope: scope, Limit: h.limits[scope],
		Usage: Usage{Bytes: bytes.Int64(), Objects: objects.Int64(), PartBytes: parts.Int64()},
	}
}

// try does op, and the change of the rows that it stands for, if all of its scopes admit it.
func (h *harbour) try(at [2]string, op Operation, change func()) {
	for _, scope := range scopes {
		if !covers(scope, at) {
			continue
		}
		bytes, _, parts := h.counted(scope)
		if !bytes.Add(bytes, big.NewInt(op.Delta.Bytes)).IsInt64() || !parts.Add(parts, big.NewInt(op.Delta.PartBytes)).IsInt64() {
			return // usage itself would leave int64: a store refuses that before it asks about limits
		}
		if Admit(h.account(scope), op) != nil {
			return
		}
	}
	change()
}

func (h *harbour) size() int64 { return figure().Draw(h.t, "size") }

func (h *harbour) draw() (at [2]string) {
	bucket := rapid.SampledFrom(buckets).Draw(h.t, "bucket")
	return [2]string{bucket, rapid.SampledFrom([]string{"x", "x/1", "y", "z"}).Draw(h.t, "key")}
}

// replacing is the delta of an object of size bytes that takes the place of what is there.
func (h *harbour) replacing(at [2]string, size int64) Delta {
	if old, exists := h.objects[at]; exists {
		return Delta{Bytes: size - old}
	}
	return Delta{Bytes: size, Objects: 1}
}

func (h *harbour) put(*rapid.T) {
	at := h.draw()
	size := h.size()
	h.try(at, Operation{Kind: Put, Delta: h.replacing(at, size)}, func() { h.objects[at] = size })
}

// sum is the size of an upload, and whether int64 holds it.
func sum(parts map[int]int64) (int64, bool) {
	all := new(big.Int)
	for _, size := range parts {
		all.Add(all, big.NewInt(size))
	}
	return all.Int64(), all.IsInt64()
}

func (h *harbour) part(*rapid.T) {
	at := h.draw()
	number, size := rapid.IntRange(1, 3).Draw(h.t, "number"), h.size()
	after := map[int]int64{}
	for n, s := range h.uploads[at] {
		after[n] = s
	}
	replaced := after[number]
	after[number] = size
	whole, ok := sum(after)
	if !ok {
		return
	}
	h.try(at, Operation{
		Kind: Part, Delta: Delta{PartBytes: size - replaced}, Completed: h.replacing(at, whole),
	}, func() { h.uploads[at] = after })
}

func (h *harbour) complete(*rapid.T) {
	at := h.draw()
	all, _ := sum(h.uploads[at])
	taken := map[int]int64{}
	for _, number := range []int{1, 2, 3} {
		if size, exists := h.uploads[at][number]; exists && rapid.Bool().Draw(h.t, "named") {
			taken[number] = size
		}
	}
	if len(taken) == 0 {
		return
	}
	size, _ := sum(taken)
	delta := h.replacing(at, size)
	delta.PartBytes = -all
	h.try(at, Operation{Kind: Complete, Delta: delta}, func() {
		h.objects[at] = size
		delete(h.uploads, at)
	})
}

func (h *harbour) remove(*rapid.T) {
	at := h.draw()
	delete(h.objects, at)
}

func (h *harbour) abort(*rapid.T) {
	at := h.draw()
	delete(h.uploads, at)
}

func (h *harbour) setLimit(*rapid.T) {
	scope := rapid.SampledFrom(scopes).Draw(h.t, "scope")
	h.limits[scope] = Limit{MaxBytes: figure().Draw(h.t, "max bytes"), MaxObjects: rapid.Int64Range(0, 4).Draw(h.t, "max objects")}
}

// limited returns, for every scope, the figures that its limit holds, each beside that limit.
func (h *harbour) limited() map[string][2]*big.Int {
	figures := map[string][2]*big.Int{}
	for scope, limit := range h.limits {
		bytes, objects, parts := h.counted(scope)
		if limit.MaxBytes > 0 {
			most := big.NewInt(limit.MaxBytes)
			if scope == ServerScope {
				figures["server bytes"] = [2]*big.Int{bytes.Add(bytes, parts), most}
			} else {
				figures[scope.String()+" bytes"] = [2]*big.Int{bytes, most}
				figures[scope.String()+" parts"] = [2]*big.Int{parts, most}
			}
		}
		if limit.MaxObjects > 0 {
			figures[scope.String()+" objects"] = [2]*big.Int{objects, big.NewInt(limit.MaxObjects)}
		}
	}
	return figures
}

// TestNoSequencePassesALimit runs random operations with limits that change on the way. A figure is over its limit only
// where a lowered limit has left it there, and then it never grows.
func TestNoSequencePassesALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &harbour{
			t: t, limits: map[Scope]Limit{},
			objects: map[[2]string]int64{}, uploads: map[[2]string]map[int]int64{},
		}
		h.setLimit(t)
		before := h.limited()
		step := func(do func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) {
				do(t)
				for name, now := range h.limited() {
					if now[0].Cmp(now[1]) > 0 && now[0].Cmp(before[name][0]) > 0 {
						t.Fatalf("%s went from %v to %v over a limit of %v", name, before[name][0], now[0], now[1])
					}
				}
				before = h.limited()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": step(h.put), "part": step(h.part), "complete": step(h.complete),
			"delete": step(h.remove), "abort": step(h.abort),
			// A change of limits is not judged; the operations that follow are.
			"limit": func(t *rapid.T) { h.setLimit(t); before = h.limited() },
		})
	})
}
