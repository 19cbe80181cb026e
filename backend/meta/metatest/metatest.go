// Package metatest is the conformance suite of metadata engines: what every implementation of meta.Repository must do,
// beyond what its types say. An engine's own tests call Run, and after whatever else they do, Recount.
package metatest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// Open opens the repository in a directory, which exists, and makes it where there is none. It is called again for the
// same directory once the repository has been closed. The suite closes what it opens.
type Open func(t testing.TB, dir string) meta.Repository

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"buckets", testBuckets},
		{"limits", testLimits},
		{"owners", testOwners},
		{"owners within a batch", testOwnersWithinBatch},
		{"quota of owners", testOwnerQuota},
		{"prefixes", testPrefixes},
		{"quota of prefixes", testPrefixQuota},
		{"counting of prefixes", testPrefixCounting},
		{"a limit with records", testRecordsWithLimit},
		{"objects", testObjects},
		{"everything of an object is kept", testObjectKept},
		{"preconditions", testPreconditions},
		{"shared blobs", testShared},
		{"blobs named twice", testBlobNamedTwice},
		{"invalid mutations", testInvalid},
		{"quota of objects", testObjectQuota},
		{"multipart", testMultipart},
		{"parts", testParts},
		{"complete", testComplete},
		{"complete is stale", testCompleteStale},
		{"abort", testAbort},
		{"versioning", testVersioning},
		{"versions while enabled", testVersionsEnabled},
		{"versions that are removed", testVersionsRemoved},
		{"versions while suspended", testVersionsSuspended},
		{"version ids", testVersionIDs},
		{"preconditions of versions", testVersionPreconditions},
		{"quota of versions", testVersionQuota},
		{"blobs of versions", testVersionBlobs},
		{"object lock", testObjectLock},
		{"locked versions are not removed", testLockedRemoval},
		{"rules of retention", testRetentionRules},
		{"update", testUpdateObject},
		{"configurations", testConfigs},
		{"records", testRecords},
		{"conditions of records", testRecordConditions},
		{"events", testEvents},
		{"bounds of events", testEventBounds},
		{"delete bucket with uploads", testDeleteBucketUploads},
		{"quota of parts", testPartQuota},
		{"quota of completion", testCompleteQuota},
		{"neighbours of a refused mutation", testNeighbours},
		{"visible within the batch", testWithinBatch},
		{"garbage", testGarbage},
		{"places", testPlaces},
		{"restored usage", testRestoreUsage},
		{"reopen", testReopen},
		{"close", testClose},
		{"cancelled", testCancelled},
		{"concurrent", testConcurrent},
		{"walk", testWalk},
		{"list", testList},
		{"list uploads", testUploads},
		{"list versions", testListVersions},
		{"list versions in full", testListVersionsFull},
		{"walk versions", testWalkVersions},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, t.TempDir(), open)
			test.run(f)
			Recount(t, f.repo)
		})
	}
	t.Run("list against a model", func(t *testing.T) { testListModel(t, open) })
	t.Run("list uploads against a model", func(t *testing.T) { testUploadsModel(t, open) })
	t.Run("list versions against a model", func(t *testing.T) { testListVersionsModel(t, open) })
	t.Run("mutations against a model", func(t *testing.T) { testMutationsModel(t, open) })
}

// TB is what the suite needs of a *testing.T or a *rapid.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Recount walks over every row and fails the test unless the accounts are the sums of what is stored, every blob has as
// many references as segments name it, no blob is both live and garbage, and no row is corrupt.
func Recount(t TB, repo meta.Repository) {
	t.Helper()
	c := count{
		usage:      map[quota.Scope]*quota.Usage{quota.ServerScope: {}},
		owners:     make(map[meta.BucketName]string),
		segments:   make(map[meta.BlobID]meta.BlobRow),
		references: make(map[meta.BlobID]meta.BlobRow),
		garbage:    make(map[meta.BlobID]bool),
	}
	err := repo.Walk(background, func(row meta.Row) error { return c.visit(row) })
	if err != nil {
		t.Fatalf("Walk: %v", err)
	}
	accounts, err := repo.Accounts(background)
	if err != nil {
		t.Fatalf("Accounts: %v", err)
	}
	if !reflect.DeepEqual(accounts, c.accounts) {
		t.Errorf("Accounts are\n%+v\nthe rows of a walk\n%+v", accounts, c.accounts)
	}
	c.sumOwners()
	if len(accounts) != len(c.usage) {
		t.Errorf("%d accounts, want %d", len(accounts), len(c.usage))
	}
	for _, a := range accounts {
		if u := c.usage[a.Scope]; u == nil || a.Usage != *u {
			t.Errorf("%s: usage is %+v, recounted %+v", a.Scope, a.Usage, u)
		}
	}
	if !maps.Equal(c.segments, c.references) {
		t.Errorf("references are\n%+v\nrecounted\n%+v", c.references, c.segments)
	}
	for id := range c.garbage {
		if _, live := c.references[id]; live {
			t.Errorf("blob %x is garbage and live", id)
		}
	}
}

// count sums up the rows of a walk.
type count struct {
	accounts   []quota.Account
	prefixes   []quota.Account // those of accounts that are
	usage      map[quota.Scope]*quota.Usage
	owners     map[meta.BucketName]string
	segments   map[meta.BlobID]meta.BlobRow // what objects and parts name
	references map[meta.BlobID]meta.BlobRow // what the blobs' rows say
	garbage    map[meta.BlobID]bool
}

func (c *count) visit(row meta.Row) error {
	switch row := row.(type) {
	case meta.Bucket:
		c.bucket(row.Name)
		c.owners[row.Name] = row.Owner
	case quota.Account:
		c.accounts = append(c.accounts, row)
		if row.Scope.Kind == quota.Prefix {
			c.prefixes = append(c.prefixes, row)
			c.usage[row.Scope] = new(quota.Usage)
		}
	case meta.ObjectRow:
		d := quota.Delta{Bytes: row.Object.Size, Objects: 1}
		if row.Noncurrent {
			d.Noncurrent = 1
		}
		c.add(row.Bucket, row.Key, d, row.Object.Segments)
	case meta.MarkerRow:
		c.add(row.Bucket, row.Key, quota.Delta{Markers: 1}, nil)
	case meta.ConfigRow, meta.Record, meta.Event:
	case meta.Upload:
		c.add(row.Bucket, row.Key, quota.Delta{Uploads: 1}, nil)
	case meta.PartRow:
		c.add(row.Bucket, row.Key, quota.Delta{PartBytes: row.Part.Size}, row.Part.Segments)
	case meta.BlobRow:
		c.references[row.Blob] = row
	case meta.GarbageRow:
		c.garbage[row.Blob] = true
	case meta.CorruptRow:
		return fmt.Errorf("table %s, key %q: %w", row.Table, row.Key, row.Err)
	default:
		return fmt.Errorf("row of type %T", row)
	}
	return nil
}

func (c *count) bucket(name meta.BucketName) *quota.Usage {
	scope := quota.BucketScope(string(name))
	if c.usage[scope] == nil {
		c.usage[scope] = new(quota.Usage)
	}
	return c.usage[scope]
}

func (c *count) add(bucket meta.BucketName, key meta.Key, d quota.Delta, segments []meta.Segment) {
	for _, u := range []*quota.Usage{c.bucket(bucket), c.usage[quota.ServerScope]} {
		*u = u.Apply(d)
	}
	for _, a := range c.prefixes {
		of := a.Scope.Name == string(bucket) && strings.HasPrefix(string(key), a.Scope.Prefix)
		if of && (!a.Counting || string(key) <= a.CountedTo) {
			*c.usage[a.Scope] = c.usage[a.Scope].Apply(d)
		}
	}
	for _, s := range segments {
		row := c.segments[s.Blob]
		c.segments[s.Blob] = meta.BlobRow{Blob: s.Blob, Size: s.StoredSize(), References: row.References + 1}
	}
}

// fixture is a repository under test.
type fixture struct {
	testing.TB
	dir  string
	open Open
	repo meta.Repository
}

func newFixture(t testing.TB, dir string, open Open) *fixture {
	f := &fixture{TB: t, dir: dir, open: open, repo: open(t, dir)}
	t.Cleanup(func() {
		if err := f.repo.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

func (f *fixture) reopen() {
	f.Helper()
	if err := f.repo.Close(); err != nil {
		f.Fatalf("Close: %v", err)
	}
	f.repo = f.open(f.TB, f.dir)
}

// commit commits a batch and returns the results.
func (f *fixture) commit(batch ...meta.Mutation) []meta.Result {
	f.Helper()
	results, err := f.repo.Commit(background, batch)
	if err != nil {
		f.Fatalf("Commit: %v", err)
	}
	if len(results) != len(batch) {
		f.Fatalf("%d results of %d mutations", len(results), len(batch))
	}
	return results
}

// must commits each mutation in a batch of its own and fails the test where one is refused. It returns the last result.
func (f *fixture) must(mutations ...meta.Mutation) (last meta.Result) {
	f.Helper()
	for _, m := range mutations {
		last = f.commit(m)[0]
		if last.Err != nil {
			f.Fatalf("%T: %v", m, last.Err)
		}
	}
	return last
}

// refused commits a mutation that must be refused with want, and must leave the accounts as they are.
func (f *fixture) refused(m meta.Mutation, want error) {
	f.Helper()
	before := f.accounts()
	result := f.commit(m)[0]
	if !errors.Is(result.Err, want) {
		f.Errorf("%T: error is %v, want %v", m, result.Err, want)
	}
	f.untouched(result, before)
}

// exceeded commits a mutation that must be refused because of a limit of the scope.
func (f *fixture) exceeded(m meta.Mutation, scope quota.Scope, resource quota.Resource) {
	f.Helper()
	before := f.accounts()
	result := f.commit(m)[0]
	var exceeded *quota.ExceededError
	if !errors.As(result.Err, &exceeded) {
		f.Errorf("%T: error is %v, want a *quota.ExceededError", m, result.Err)
	} else if exceeded.Scope != scope || exceeded.Resource != resource || exceeded.Transient {
		f.Errorf("%T: refused by %+v, want %s, %s", m, exceeded, scope, resource)
	}
	f.untouched(result, before)
}

func (f *fixture) untouched(result meta.Result, before []quota.Account) {
	f.Helper()
	if result.Garbage != nil || result.Accounts != nil || result.RemovedScopes != nil {
		f.Errorf("a refused mutation has the result %+v", result)
	}
	if after := f.accounts(); !slices.Equal(after, before) {
		f.Errorf("a refused mutation changed the accounts from %+v to %+v", before, after)
	}
}

func (f *fixture) accounts() []quota.Account {
	f.Helper()
	accounts, err := f.repo.Accounts(background)
	if err != nil {
		f.Fatalf("Accounts: %v", err)
	}
	return accounts
}

// usage checks the usage of a bucket; the zero name stands for the server.
func (f *fixture) usage(bucket meta.BucketName, want quota.Usage) {
	f.Helper()
	scope := quota.ServerScope
	if bucket != "" {
		scope = quota.BucketScope(string(bucket))
	}
	f.scopeUsage(scope, want)
}

func (f *fixture) scopeUsage(scope quota.Scope, want quota.Usage) {
	f.Helper()
	for _, a := range f.accounts() {
		if a.Scope == scope {
			if a.Usage != want {
				f.Errorf("%s: usage is %+v, want %+v", scope, a.Usage, want)
			}
			return
		}
	}
	f.Errorf("%s has no account", scope)
}

// wantGarbage checks the blobs that a mutation freed, in any order, and that they have garbage rows.
func (f *fixture) wantGarbage(r meta.Result, want ...meta.BlobID) {
	f.Helper()
	if got := sortedBlobs(blobsOf(r.Garbage)); !slices.Equal(got, sortedBlobs(want)) {
		f.Errorf("garbage is %x, want %x", got, want)
	}
	rows, err := f.repo.Garbage(background, meta.BlobID{}, 1<<20)
	if err != nil {
		f.Fatalf("Garbage: %v", err)
	}
	for _, id := range want {
		if !slices.Contains(rows, id) {
			f.Errorf("blob %x has no garbage row", id)
		}
	}
}

func (f *fixture) stat(bucket meta.BucketName, key meta.Key) meta.Object {
	f.Helper()
	o, err := f.repo.Stat(background, bucket, key)
	if err != nil {
		f.Fatalf("Stat(%s, %q): %v", bucket, key, err)
	}
	return o
}

func (f *fixture) missing(bucket meta.BucketName, key meta.Key, want error) {
	f.Helper()
	if _, err := f.repo.Stat(background, bucket, key); !errors.Is(err, want) {
		f.Errorf("Stat(%s, %q): error is %v, want %v", bucket, key, err, want)
	}
}

// blobsOf returns the ids of segments.
func blobsOf(segments []meta.Segment) []meta.BlobID {
	ids := make([]meta.BlobID, 0, len(segments))
	for _, s := range segments {
		ids = append(ids, s.Blob)
	}
	return ids
}

func sortedBlobs(ids []meta.BlobID) []meta.BlobID {
	return slices.SortedFunc(slices.Values(ids), func(a, b meta.BlobID) int { return slices.Compare(a[:], b[:]) })
}

var now = time.Date(2026, time.March, 4, 5, 6, 7, 89e6, time.UTC)

// blob returns a blob id from a number.
func blob(n int) meta.BlobID {
	return meta.BlobID{0: byte(n >> 8), 1: byte(n), 15: 1}
}

// object returns an object of one segment for each size, in blobs from first on.
func object(first int, sizes ...int64) meta.Object {
	o := meta.Object{ObjectHead: meta.ObjectHead{ETag: meta.ETag(fmt.Sprintf("etag-%d", first)), Modified: now}}
	for i, size := range sizes {
		o.Segments = append(o.Segments, meta.Segment{Blob: blob(first + i), Size: size})
		o.Size += size
	}
	return o
}

func part(number, first int, sizes ...int64) meta.Part {
	o := object(first, sizes...)
	return meta.Part{Number: number, Size: o.Size, ETag: o.ETag, Modified: now, Segments: o.Segments}
}

// ada owns what createBucket makes.
var ada = quota.OwnerScope("ada")

func createBucket(name meta.BucketName) meta.CreateBucket {
	return meta.CreateBucket{Bucket: meta.Bucket{Name: name, Created: now, Owner: "ada"}}
}

func put(bucket meta.BucketName, key meta.Key, o meta.Object) meta.PutObject {
	return meta.PutObject{Bucket: bucket, Key: key, Object: o}
}

func createUpload(bucket meta.BucketName, key meta.Key, id meta.UploadID) meta.CreateUpload {
	return meta.CreateUpload{Upload: meta.Upload{
		Bucket: bucket, Key: key, ID: id, Initiated: now, Owner: "ada",
		Attributes: meta.Attributes{ContentType: "image/png", User: map[string]string{"a": "1"}},
		Algorithm:  checksum.CRC64NVME, Type: checksum.FullObject,
	}}
}

func putPart(bucket meta.BucketName, key meta.Key, id meta.UploadID, p meta.Part) meta.PutPart {
	return meta.PutPart{Bucket: bucket, Key: key, Upload: id, Part: p}
}

// complete completes an upload with the given parts, as an object with an ETag.
func complete(
	bucket meta.BucketName, key meta.Key, id meta.UploadID, etag meta.ETag, parts ...meta.Part,
) meta.CompleteUpload {
	m := meta.CompleteUpload{Bucket: bucket, Key: key, Upload: id, Parts: parts}
	m.Object.ETag, m.Object.Modified = etag, now
	for _, p := range parts {
		m.Object.Size += p.Size
		m.Object.Parts = append(m.Object.Parts, meta.PartHead{Number: p.Number, Size: p.Size})
	}
	return m
}
