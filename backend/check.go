package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/packs"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt"
	"github.com/plimsoll/plimsoll/quota"
)

// CheckReport is what Check found.
type CheckReport struct {
	Buckets int   `json:"buckets"`
	Objects int64 `json:"objects"`
	Uploads int64 `json:"uploads"`
	Blobs   int64 `json:"blobs"`
	Bytes   int64 `json:"bytes"`
	// DeadBlobs are in packs, and nothing refers to them: compaction takes them away when there are enough. DeadDamaged is
	// how many of them cannot be read, by a check of everything: a crash has cut them off, or the disk has damaged what
	// nobody needs.
	DeadBlobs   int64 `json:"dead_blobs"`
	DeadBytes   int64 `json:"dead_bytes"`
	DeadDamaged int64 `json:"dead_damaged"`
	// Unswept is how many blobs nothing refers to after a stop that was not clean: the next start deletes them.
	Unswept int64 `json:"unswept"`
	// Repairable is how many blobs have rows that are lost or wrong, and are there: Repair restores the rows. Repaired is
	// how many it has restored; what else is reported is the state after that.
	Repairable int64 `json:"repairable"`
	Repaired   int64 `json:"repaired"`
	// RepairableUsage and RepairedUsage are the same of the rows that have the usage of the server, of users, buckets and
	// prefixes: those that are lost, or cannot be read, or differ from a recount, where that can be trusted.
	RepairableUsage int64 `json:"repairable_usage"`
	RepairedUsage   int64 `json:"repaired_usage"`
	// Problems says what is wrong, one sentence each; empty where the store is sound.
	Problems []string `json:"problems"`
}

// Check recounts a store that no process has open: every row has its blobs with the right sizes, every blob a row,
// reference counts and usage equal a recount. Blobs in packs must be where their rows say. With deep, every block of
// every blob is read and its checksum verified, dead ones included.
// It holds 48 bytes or so per blob in memory. It fails with meta.ErrLocked where a server is running, and with
// fs.ErrNotExist where there is no store.
func Check(ctx context.Context, dir string, deep bool) (CheckReport, error) {
	s, err := openToCheck(dir)
	if err != nil {
		return CheckReport{}, err
	}
	c, err := s.check(ctx, deep)
	return c.report, errors.Join(err, s.close())
}

// checkedStore is a store that is open to be checked.
type checkedStore struct {
	meta  meta.Repository
	blobs blob.Store
	dirty bool
}

func openToCheck(dir string) (*checkedStore, error) {
	path := filepath.Join(dir, "meta.db")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("no store in %s: %w", dir, err)
	}
	repository, err := bolt.Open(path, bolt.Options{Sync: true})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	_, blobs, err := openBlobs(dir, packs.Options{Sync: true})
	if isDiskFull(err) {
		// Opening writes a little. The store has no other user now, so its ballast can make room, and is put back.
		room := &ballast{path: filepath.Join(dir, ballastFile)}
		room.drop()
		defer room.hold()
		_, blobs, err = openBlobs(dir, packs.Options{Sync: true})
	}
	if err != nil {
		return nil, errors.Join(err, repository.Close())
	}
	_, err = os.Stat(filepath.Join(dir, dirtyMark))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, blobs.Close(), repository.Close())
	}
	return &checkedStore{meta: repository, blobs: blobs, dirty: err == nil}, nil
}

func (s *checkedStore) close() error { return errors.Join(s.blobs.Close(), s.meta.Close()) }

func (s *checkedStore) check(ctx context.Context, deep bool) (*checker, error) {
	c := newChecker(s.dirty)
	return c, c.run(ctx, s.meta, s.blobs, deep)
}

// checker gathers what the rows and the blobs say, to compare it at the end.
type checker struct {
	dirty   bool
	report  CheckReport
	buckets map[meta.BucketName]quota.Scope // with their owners
	uploads map[meta.UploadID]int64         // what the row says its parts have
	parts   map[meta.UploadID]int64         // what they have
	counted map[quota.Scope]quota.Usage
	stated  map[quota.Scope]quota.Account
	// prefixes are the accounts of the prefixes that have limits, by bucket. A walk visits them before what they count.
	prefixes map[meta.BucketName][]quota.Account
	// lost are the scopes whose usage is not there or cannot be read, strays the keys of rows of usage that belong to none.
	lost   map[quota.Scope]bool
	strays [][]byte

	refs map[meta.BlobID]*refs
	// elsewhere are the places of blobs that are referred to, other than those that their rows say.
	elsewhere map[meta.BlobID][]blob.Place
	// unread says that rows which usage is counted from, those of objects and parts among them, cannot be read: usage and
	// references are more than a recount gives.
	unread bool
	// restorable are the rows that should be there instead of those that are, usage those of usage.
	restorable []meta.BlobRow
	usage      []quota.Account
}

// refs is what is known of one blob.
type refs struct {
	counted, stated int64 // references
	size            int64 // by the rows that refer to it, or its own
	row, needed     int64 // size by its own row, and by those that refer to it; -1 where there is none, or they differ
	place           blob.Place
	garbage, onDisk bool
}

func newChecker(dirty bool) *checker {
	return &checker{
		dirty:   dirty,
		report:  CheckReport{Problems: []string{}},
		buckets: make(map[meta.BucketName]quota.Scope),
		uploads: make(map[meta.UploadID]int64),
		parts:   make(map[meta.UploadID]int64),
		counted: make(map[quota.Scope]quota.Usage),
		stated:  make(map[quota.Scope]quota.Account),
		lost:    make(map[quota.Scope]bool),
		refs:    make(map[meta.BlobID]*refs),

		prefixes:  make(map[meta.BucketName][]quota.Account),
		elsewhere: make(map[meta.BlobID][]blob.Place),
	}
}

func (c *checker) problem(format string, args ...any) {
	c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
}

func (c *checker) run(ctx context.Context, repository meta.Repository, blobs blob.Store, deep bool) error {
	if err := repository.Walk(ctx, c.row); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	err := blobs.Walk(ctx, func(ref blob.Ref, err error) error {
		c.blob(ref, err)
		if deep && err == nil && ref.Place != 0 && !c.refersTo(ref) && blobs.Verify(ctx, ref) != nil {
			c.report.DeadDamaged++
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	c.compareUsage()
	c.compareBlobs()
	if deep {
		err = c.verify(ctx, blobs)
	}
	c.findRestorable(ctx, blobs)
	slices.Sort(c.report.Problems)
	return err
}

// verify reads every blob that a row refers to.
func (c *checker) verify(ctx context.Context, blobs blob.Store) error {
	for id, r := range c.refs {
		if !r.onDisk || r.counted == 0 {
			continue
		}
		if err := blobs.Verify(ctx, blob.Ref{ID: blob.ID(id), Size: r.size, Place: r.place}); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			c.problem("blob %s: %v", blob.ID(id), err)
		}
	}
	return nil
}

func (c *checker) row(row meta.Row) error {
	switch r := row.(type) {
	case meta.Bucket:
		c.buckets[r.Name] = quota.OwnerScope(r.Owner)
		c.report.Buckets++
	case meta.ObjectRow:
		c.report.Objects++
		d, name := quota.Delta{Bytes: r.Object.Size, Objects: 1}, fmt.Sprintf("object %q in bucket %q", r.Key, r.Bucket)
		if r.Noncurrent {
			d.Noncurrent, name = 1, fmt.Sprintf("version %s of %s", r.Object.Version, name)
		}
		c.count(r.Bucket, r.Key, d)
		c.segments(name, r.Object.Segments, r.Object.Size)
		c.encryption(name, &r.Object)
	case meta.MarkerRow:
		c.count(r.Bucket, r.Key, quota.Delta{Markers: 1})
	case meta.ConfigRow:
		c.count(r.Bucket, "", quota.Delta{})
	case meta.Record, meta.Event:
	case meta.Upload:
		c.report.Uploads++
		c.uploads[r.ID] = r.PartBytes
		c.count(r.Bucket, r.Key, quota.Delta{Uploads: 1})
	case meta.PartRow:
		c.parts[r.Upload] += r.Part.Size
		c.count(r.Bucket, r.Key, quota.Delta{PartBytes: r.Part.Size})
		name := fmt.Sprintf("part %d of upload %s in bucket %q", r.Part.Number, r.Upload, r.Bucket)
		c.segments(name, r.Part.Segments, r.Part.Size)
	case meta.BlobRow:
		of := c.of(r.Blob)
		of.stated, of.place = r.References, blob.Place(r.Place)
		if of.size >= 0 && of.size != r.Size {
			c.problem("blob %s: its row says %d bytes, those that refer to it %d", blob.ID(r.Blob), r.Size, of.size)
		}
		of.size, of.row = r.Size, r.Size
	case meta.GarbageRow:
		c.of(r.Blob).garbage = true
	case meta.CorruptRow:
		c.corrupt(r)
	case quota.Account:
		c.stated[r.Scope] = r
		c.prefix(r)
	default:
		c.problem("a row of an unknown kind, %T", row)
	}
	return nil
}

func (c *checker) corrupt(r meta.CorruptRow) {
	c.problem("table %s, key %q: %v", r.Table, r.Key, r.Err)
	switch {
	case r.Lost == meta.LostCounted:
		c.unread = true
	case r.Lost == meta.LostLimit:
		c.problem("%s: its limit cannot be read, and nothing else tells it", r.Scope)
	case r.Lost == meta.LostUsage && r.Scope == quota.Scope{}:
		c.strays = append(c.strays, r.Key)
	case r.Lost == meta.LostUsage:
		c.lost[r.Scope] = true
		c.prefix(quota.Account{Scope: r.Scope}) // all of it is counted
	}
}

// prefix has a prefix counted, where the account is one's.
func (c *checker) prefix(a quota.Account) {
	if bucket := meta.BucketName(a.Scope.Name); a.Scope.Kind == quota.Prefix {
		c.prefixes[bucket] = append(c.prefixes[bucket], a)
	}
}

func (c *checker) count(bucket meta.BucketName, key meta.Key, d quota.Delta) {
	for _, a := range c.prefixes[bucket] {
		if strings.HasPrefix(string(key), a.Scope.Prefix) && (!a.Counting || string(key) <= a.CountedTo) {
			c.counted[a.Scope] = c.counted[a.Scope].Apply(d)
		}
	}
	for _, scope := range []quota.Scope{quota.ServerScope, quota.BucketScope(string(bucket))} {
		c.counted[scope] = c.counted[scope].Apply(d)
	}
}

// of returns what is known of a blob; a size of -1 says that no row has told it yet.
func (c *checker) of(id meta.BlobID) *refs {
	r := c.refs[id]
	if r == nil {
		r = &refs{size: -1, row: -1, needed: -1}
		c.refs[id] = r
	}
	return r
}

func (c *checker) segments(name string, segments []meta.Segment, size int64) {
	for _, s := range segments {
		size -= s.Size
		r := c.of(s.Blob)
		r.counted++
		if r.size >= 0 && r.size != s.StoredSize() {
			c.problem("%s takes blob %s to have %d bytes, another row %d", name, blob.ID(s.Blob), s.StoredSize(), r.size)
		}
		r.size = s.StoredSize()
		if r.counted == 1 {
			r.needed = r.size
		} else if r.needed != r.size {
			r.needed = -1
		}
	}
	if size != 0 {
		c.problem("%s: its size and its segments differ by %d bytes", name, size)
	}
}

// encryption checks that the blobs of an encrypted object are encrypted, and those of others are not. Whether they are
// so under the object's key cannot be told without the keyring.
func (c *checker) encryption(name string, o *meta.Object) {
	for _, s := range o.Segments {
		want := s.Size
		if len(o.Encryption) > 0 {
			want = encryption.StoredSize(s.Size)
		}
		if s.StoredSize() != want {
			c.problem("%s: blob %s is stored with %d bytes, not %d", name, blob.ID(s.Blob), s.StoredSize(), want)
		}
	}
}

func (c *checker) blob(ref blob.Ref, err error) {
	r := c.refs[meta.BlobID(ref.ID)]
	referred := c.refersTo(ref)
	if !referred && r != nil && r.counted > 0 && r.needed == ref.Size && err == nil {
		c.elsewhere[meta.BlobID(ref.ID)] = append(c.elsewhere[meta.BlobID(ref.ID)], ref.Place)
	}
	switch {
	case ref.ID == (blob.ID{}): // no blob of the store: no sweep deletes it
		c.problem("%v", err)
	case !referred && ref.Place != 0:
		c.report.DeadBlobs++
		c.report.DeadBytes += ref.Size
	case !referred && (c.dirty || (r != nil && r.garbage)):
		c.report.Unswept++
	case err != nil:
		c.problem("blob %s: %v", ref.ID, err)
	case !referred:
		c.problem("blob %s of %d bytes: nothing refers to it", ref.ID, ref.Size)
	default:
		c.report.Blobs++
		c.report.Bytes += ref.Size
		if ref.Size != r.size {
			c.problem("blob %s has %d bytes, not %d", ref.ID, ref.Size, r.size)
		}
	}
	if referred {
		r.onDisk = true
	}
}

// refersTo says whether rows refer to a blob, and its own row says that it is there.
func (c *checker) refersTo(ref blob.Ref) bool {
	r := c.refs[meta.BlobID(ref.ID)]
	return r != nil && r.counted > 0 && r.place == ref.Place
}

// exists reports whether a bucket is there, where the scope is one.
func (c *checker) exists(scope quota.Scope) bool {
	_, ok := c.buckets[meta.BucketName(scope.Name)]
	return ok || (scope.Kind != quota.Bucket && scope.Kind != quota.Prefix)
}

func (c *checker) compareUsage() {
	for name, owner := range c.buckets {
		c.counted[owner] = c.counted[owner].Apply(quota.Delta(c.counted[quota.BucketScope(string(name))]))
	}
	wrong := maps.Clone(c.lost)
	for scope, stated := range c.stated {
		if counted := c.counted[scope]; counted != stated.Usage {
			wrong[scope] = true
			c.problem("%s: usage is %+v, a recount gives %+v", scope, stated.Usage, counted)
		}
		if !c.exists(scope) {
			c.problem("usage of bucket %q, which does not exist", scope.Name)
		}
	}
	for scope, counted := range c.counted {
		if _, ok := c.stated[scope]; !ok {
			wrong[scope] = true
			c.problem("%s has no usage row that can be read, a recount gives %+v", scope, counted)
		}
		if !c.exists(scope) {
			c.problem("rows of bucket %q, which does not exist", scope.Name)
		}
	}
	c.findUsage(wrong)
	for id, counted := range c.parts {
		if _, ok := c.uploads[id]; !ok {
			c.problem("parts of upload %s, which does not exist, with %d bytes", id, counted)
		}
	}
	for id, stated := range c.uploads {
		if counted := c.parts[id]; counted != stated {
			c.problem("upload %s: its row says %d bytes of parts, a recount gives %d", id, stated, counted)
		}
	}
}

func (c *checker) compareBlobs() {
	ids := make([]meta.BlobID, 0, len(c.refs))
	for id := range c.refs {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b meta.BlobID) int { return cmp.Compare(string(a[:]), string(b[:])) })
	for _, id := range ids {
		r := c.refs[id]
		if r.counted != r.stated {
			c.problem("blob %s has %d references, its row says %d", blob.ID(id), r.counted, r.stated)
		}
		if r.counted > 0 && r.garbage {
			c.problem("blob %s is referred to and listed as garbage", blob.ID(id))
		}
		if r.counted > 0 && !r.onDisk {
			c.problem("blob %s is missing, and referred to %s", blob.ID(id), times(r.counted))
		}
	}
}

func times(n int64) string {
	if n == 1 {
		return "1 time"
	}
	return fmt.Sprintf("%d times", n)
}
