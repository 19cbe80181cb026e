// Package quota is the arithmetic of limits: what a scope may hold, what it holds, what an operation would add, and
// whether that fits. It is pure: no I/O, no clock, no locks, no goroutines. Every decision in Plimsoll, the early one
// before a body is read and the final one inside the metadata transaction, is made by Admit.
//
// Sizes are bytes, counts are objects; both are int64 and never negative. Decisions are made on exact sums, in 128 bits;
// figures that are reported or kept saturate instead of wrapping. A sum beyond int64 is refused, never admitted by
// accident.
//
// An object is in three scopes: its bucket, the bucket's owner, and the server; and in one more for each prefix of its
// key that has a limit. What fits has to fit in all of them.
package quota

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Limit is what a scope may hold. The zero Limit allows everything.
type Limit struct {
	// MaxBytes is the largest number of stored bytes, 0 for no limit.
	MaxBytes int64
	// MaxObjects is the largest number of stored objects (versions, where a bucket keeps them), 0 for no limit.
	MaxObjects int64
}

// Unlimited reports whether l allows everything.
func (l Limit) Unlimited() bool { return l.MaxBytes == 0 && l.MaxObjects == 0 }

// Valid reports whether both figures are zero or positive.
func (l Limit) Valid() bool { return l.MaxBytes >= 0 && l.MaxObjects >= 0 }

// Usage is what a scope holds.
type Usage struct {
	// Bytes is the sum of the sizes of all stored objects.
	Bytes int64
	// Objects is how many objects are stored, every version of each key among them.
	Objects int64
	// PartBytes is the sum of the sizes of the parts of unfinished multipart uploads.
	PartBytes int64
	// Uploads is how many multipart uploads are unfinished.
	Uploads int64
	// Noncurrent is how many of Objects are not the latest version of their key. No limit holds it.
	Noncurrent int64
	// Markers is how many delete markers are stored. They are no objects, and no limit holds them.
	Markers int64
}

// Delta is what an operation would change. Fields may be negative.
type Delta struct {
	Bytes      int64
	Objects    int64
	PartBytes  int64
	Uploads    int64
	Noncurrent int64
	Markers    int64
}

// Add returns the sum of two deltas, saturating.
func (d Delta) Add(e Delta) Delta {
	return Delta{
		Bytes:      add(d.Bytes, e.Bytes),
		Objects:    add(d.Objects, e.Objects),
		PartBytes:  add(d.PartBytes, e.PartBytes),
		Uploads:    add(d.Uploads, e.Uploads),
		Noncurrent: add(d.Noncurrent, e.Noncurrent),
		Markers:    add(d.Markers, e.Markers),
	}
}

// Negate returns the delta that undoes d.
func (d Delta) Negate() Delta {
	return Delta{
		Bytes:      negate(d.Bytes),
		Objects:    negate(d.Objects),
		PartBytes:  negate(d.PartBytes),
		Uploads:    negate(d.Uploads),
		Noncurrent: negate(d.Noncurrent),
		Markers:    negate(d.Markers),
	}
}

// Apply returns usage after d. It panics where a figure would become negative: usage is counted exactly, so that is a
// bug in the caller's accounting and must not be written down.
func (u Usage) Apply(d Delta) Usage {
	after := Usage(Delta(u).Add(d))
	if min(after.Bytes, after.Objects, after.PartBytes, after.Uploads, after.Noncurrent, after.Markers) < 0 {
		panic(fmt.Sprintf("quota: usage %+v with delta %+v is negative", u, d))
	}
	return after
}

// ScopeKind says what a Scope covers.
type ScopeKind string

// The kinds of scope.
const (
	Bucket ScopeKind = "bucket"
	// Owner is all buckets of one user, who is charged for them whoever writes.
	Owner  ScopeKind = "owner"
	Server ScopeKind = "server"
	// Prefix is what a bucket has under keys that begin alike. It follows the rules of a bucket.
	Prefix ScopeKind = "prefix"
	// Disk is the file system under the store. It has no Limit of its own: free space decides.
	Disk ScopeKind = "disk"
)

// Scope names what a limit applies to. It is comparable, so it serves as a map key.
type Scope struct {
	Kind ScopeKind
	// Name is the bucket's or the user's name, of a prefix its bucket's; empty for the server and the disk.
	Name string
	// Prefix is how the keys begin, any bytes; empty but for a prefix.
	Prefix string
}

// ServerScope is the scope of everything that is stored.
var ServerScope = Scope{Kind: Server}

// BucketScope returns the scope of one bucket.
func BucketScope(name string) Scope { return Scope{Kind: Bucket, Name: name} }

// OwnerScope returns the scope of all buckets of one user.
func OwnerScope(user string) Scope { return Scope{Kind: Owner, Name: user} }

// PrefixScope returns the scope of the keys of a bucket that begin with prefix, which is not empty.
func PrefixScope(bucket, prefix string) Scope {
	return Scope{Kind: Prefix, Name: bucket, Prefix: prefix}
}

// CompareScopes orders scopes from the widest on, as they are listed: the server, the owners by name, the buckets by
// name, the prefixes by bucket, each after those that it begins with.
func CompareScopes(a, b Scope) int {
	if a.Kind == b.Kind {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Prefix, b.Prefix))
	}
	return cmp.Compare(a.rank(), b.rank())
}

func (s Scope) rank() int {
	return slices.Index([]ScopeKind{Disk, Server, Owner, Bucket, Prefix}, s.Kind)
}

// String returns the scope as a sentence begins with it: `Bucket "photos"`, `Prefix "raw/" of bucket "photos"`,
// `User "alice"`, `The server`.
func (s Scope) String() string {
	switch s.Kind {
	case Bucket:
		return fmt.Sprintf("Bucket %q", s.Name)
	case Prefix:
		return fmt.Sprintf("Prefix %q of bucket %q", s.Prefix, s.Name)
	case Owner:
		return fmt.Sprintf("User %q", s.Name)
	case Server:
		return "The server"
	case Disk:
		return "The disk"
	default:
		return string(s.Kind) + " " + s.Name
	}
}

// Resource is the dimension of a limit.
type Resource string

// The dimensions of a limit.
const (
	Bytes   Resource = "bytes"
	Objects Resource = "objects"
)

// Account is one scope as an operation meets it.
type Account struct {
	Scope Scope
	Limit Limit
	// Usage is what is committed.
	Usage Usage
	// Reserved is what is held for bodies that are arriving. It is zero inside the metadata transaction: only what is
	// committed counts there.
	Reserved Delta
	// Counting is set for a prefix only, while what was under it before it got its limit is being counted: Usage is then
	// exact for the keys up to CountedTo, and has nothing of those that come after. It is less than what there is, so
	// what Admit refuses does not fit; it may admit what does not fit either.
	Counting bool
	// CountedTo is the last key that is counted while Counting; empty for none.
	CountedTo string
}

// Available returns how many bytes and how many objects the limit leaves for one more object, beside what is stored and
// held; a negative figure says that there is no limit.
func (a Account) Available() (bytes, objects int64) {
	bytes, objects = -1, -1
	if room, limited := a.Room(); limited {
		bytes = room.Available
	}
	if a.Limit.MaxObjects > 0 {
		objects = max(0, add(a.Limit.MaxObjects, negate(add(a.Usage.Objects, a.Reserved.Objects))))
	}
	return bytes, objects
}

// Kind says which rule an operation follows.
type Kind uint8

const (
	// Put is PutObject, CopyObject and POST uploads: what does not grow the scope is admitted even where a lowered
	// limit has left the scope over it.
	Put Kind = iota
	// Part is UploadPart and UploadPartCopy: the upload must still fit if it were completed now, and the unfinished
	// parts of a bucket together must fit its limit. An owner's parts follow the rule of a bucket's: a limit that lets
	// an object in lets its parts in, so that an owner never has to have room for both. The server scope counts
	// unfinished parts in full.
	Part
	// Complete is CompleteMultipartUpload, the last word: usage after it is within the limit, without exception.
	Complete
)

// Operation is what is asked of an account.
type Operation struct {
	Kind Kind
	// Delta is what changes when the operation commits.
	Delta Delta
	// Completed is set for Part only: what would change in Bytes and Objects if the upload, with this part, were
	// completed now: all its parts, less the object that it would overwrite.
	Completed Delta
	// CompletedReserved is set for Part only: bytes held for other parts of the same upload that are arriving.
	CompletedReserved int64
}

// Admit decides whether op fits the account: exactly reaching a limit is allowed. It returns nil or an *ExceededError.
func Admit(a Account, op Operation) error {
	if a.Limit.Unlimited() {
		return nil
	}
	all, n := claims(&a, &op)
	for i := range n {
		if err := all[i].admit(a.Scope); err != nil {
			return err
		}
	}
	return nil
}

// claim is what an operation would do to one figure of one scope.
type claim struct {
	resource              Resource
	total                 int64
	used, reserved, delta wide
	own                   wide // what of reserved is held for the same upload: it will not go away for this claim
	mayStay               bool // admitted over the limit while it does not grow
}

// claims returns what op would do, in the first n of all: an array, since this is asked of every scope of every write.
func claims(a *Account, op *Operation) (all [3]claim, n int) {
	var (
		used, reserved   = widen(a.Usage.Bytes), widen(a.Reserved.Bytes)
		delta, completed = widen(op.Delta.Bytes), widen(op.Completed.Bytes)
	)
	if a.Scope.Kind == Server {
		// Parts are on this server's disk, so the server scope counts them in full, and a completion moves bytes from
		// one figure to the other.
		used, reserved = used.plus(widen(a.Usage.PartBytes)), reserved.plus(widen(a.Reserved.PartBytes))
		delta = delta.plus(widen(op.Delta.PartBytes))
		completed = delta
	}
	bytes := claim{resource: Bytes, total: a.Limit.MaxBytes, used: used, reserved: reserved, delta: delta}
	objects := claim{
		resource: Objects, total: a.Limit.MaxObjects,
		used: widen(a.Usage.Objects), reserved: widen(a.Reserved.Objects), delta: widen(op.Delta.Objects),
	}
	switch op.Kind {
	case Part:
		own := widen(op.CompletedReserved)
		bytes.delta, bytes.own, objects.delta = completed, own, widen(op.Completed.Objects)
		if a.Scope.Kind == Server {
			return [3]claim{bytes, objects}, 2
		}
		bytes.reserved = bytes.reserved.plus(own)
		parts := claim{
			resource: Bytes, total: a.Limit.MaxBytes, own: own,
			used: widen(a.Usage.PartBytes), reserved: widen(a.Reserved.PartBytes), delta: widen(op.Delta.PartBytes),
		}
		return [3]claim{bytes, parts, objects}, 3
	case Complete:
		return [3]claim{bytes, objects}, 2
	default:
		bytes.mayStay, objects.mayStay = true, true
		return [3]claim{bytes, objects}, 2
	}
}

func (c *claim) admit(scope Scope) error {
	if c.total == 0 || (c.mayStay && c.delta.atMost(0)) {
		return nil
	}
	committed := c.used.plus(c.delta)
	if committed.plus(c.reserved).atMost(c.total) {
		return nil
	}
	return &ExceededError{
		Scope: scope, Resource: c.resource,
		Total: c.total, Used: c.used.saturated(), Reserved: c.reserved.saturated(), Requested: max(c.delta.saturated(), 0),
		Transient: committed.plus(c.own).atMost(c.total),
	}
}

// ExceededError is the refusal of an operation that does not fit within a limit.
type ExceededError struct {
	Scope    Scope
	Resource Resource
	// Total is the limit, Used what is stored, Reserved what is held for bodies that are arriving, Requested what the
	// operation would have added after its credits. Bytes or objects, as Resource says.
	Total, Used, Reserved, Requested int64
	// Transient is true where only reservations are in the way, and not those of the same upload: trying again in a moment
	// may succeed.
	Transient bool
}

// Available is what is left below the limit, never negative.
func (e *ExceededError) Available() int64 {
	return max(0, add(e.Total, negate(add(e.Used, e.Reserved))))
}

func (e *ExceededError) Error() string {
	return fmt.Sprintf("quota: %s has a limit of %d %s, holds %d, reserves %d; %d more do not fit",
		e.Scope, e.Total, e.Resource, e.Used, e.Reserved, e.Requested)
}

// add returns a+b, held at the edges of int64.
func add(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	default:
		return a + b
	}
}

func negate(a int64) int64 {
	if a == math.MinInt64 {
		return math.MaxInt64
	}
	return -a
}
