package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

// fixture is an open store. When the test ends it must be as it should: see finish.
type fixture struct {
	*Store
	t        testing.TB
	options  Options
	finished bool
	// dirtyStop says that the test made the store unsure of what is on disk: blobs that the next start sweeps are no
	// fault of it.
	dirtyStop bool
}

// open opens a store in a directory of its own, with the bucket "b".
func open(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	options := Options{Dir: t.TempDir(), NoSync: true}
	for _, c := range change {
		c(&options)
	}
	f := openWith(t, options)
	f.createBucket("b", quota.Limit{})
	return f
}

// inFiles keeps all blobs in files, so that what is left of them can be seen in a directory.
func inFiles(o *Options) { o.packBytes = 1 }

// openWith opens what may be there already.
func openWith(t testing.TB, options Options) *fixture {
	t.Helper()
	store, err := Open(options)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	f := &fixture{Store: store, t: t, options: options}
	t.Cleanup(f.finish)
	return f
}

// finish closes the store and requires that nothing was left behind: no reservation, no blob that no row refers to, no
// garbage, nothing that Check finds.
func (f *fixture) finish() {
	if f.finished {
		return
	}
	f.finished = true
	f.wantIdle()
	if !f.dirtyStop {
		f.wantNoOrphans()
		f.wantNoneInFlight()
	}
	if err := f.Close(); err != nil {
		f.t.Errorf("close: %v", err)
	}
	report := f.check()
	if report.Unswept > 0 && !f.dirtyStop {
		f.t.Errorf("%d blobs are left for the next start to sweep", report.Unswept)
	}
}

// check requires that the closed store is sound.
func (f *fixture) check() CheckReport {
	f.t.Helper()
	report, err := Check(background, f.options.Dir, true)
	if err != nil {
		f.t.Errorf("check: %v", err)
	}
	for _, p := range report.Problems {
		f.t.Errorf("check: %s", p)
	}
	return report
}

// reopen closes the store, with all that finish requires, and opens it again.
func (f *fixture) reopen() *fixture {
	f.t.Helper()
	f.finish()
	return openWith(f.t, f.options)
}

// wantIdle requires that no space is held.
func (f *fixture) wantIdle() {
	f.t.Helper()
	for _, a := range f.Accounts() {
		if a.Reserved != (quota.Delta{}) {
			f.t.Errorf("%s still reserves %+v", a.Scope, a.Reserved)
		}
	}
	l := f.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if holds, unwritten := l.holds.Load(), l.unwritten.Load(); holds != 0 || unwritten != 0 || len(l.arriving) != 0 {
		f.t.Errorf("%d reservations, %d bytes unwritten, parts arriving: %v", holds, unwritten, l.arriving)
	}
}

// wantNoOrphans requires that the blobs on disk are those that rows refer to, once garbage is gone.
func (f *fixture) wantNoOrphans() {
	f.t.Helper()
	f.garbage.wait()
	referred := map[blob.ID]bool{}
	err := f.meta.Walk(background, func(row meta.Row) error {
		if r, ok := row.(meta.BlobRow); ok {
			referred[blob.ID(r.Blob)] = true
		}
		return nil
	})
	if err != nil {
		f.t.Errorf("walk: %v", err)
	}
	for _, ref := range f.blobRefs() {
		if !referred[ref.ID] && ref.Place == 0 { // in a pack it is only dead
			f.t.Errorf("blob %s is left behind", ref.ID)
		}
		delete(referred, ref.ID)
	}
	for id := range referred {
		f.t.Errorf("blob %s is missing", id)
	}
}

// blobRefs returns the blobs on disk, those in packs that are dead included.
func (f *fixture) blobRefs() []blob.Ref {
	f.t.Helper()
	var refs []blob.Ref
	err := f.blobs.Walk(background, func(ref blob.Ref, err error) error {
		refs = append(refs, ref)
		return err
	})
	if err != nil {
		f.t.Errorf("walk blobs: %v", err)
	}
	return refs
}

// wantNoneInFlight requires that the packs were told what became of every blob.
func (f *fixture) wantNoneInFlight() {
	f.t.Helper()
	f.compacting.Lock() // its copies are in flight, too
	defer f.compacting.Unlock()
	if n := f.packs.Stats().InFlight; n != 0 {
		f.t.Errorf("%d blobs are still in flight", n)
	}
}

func (f *fixture) createBucket(name meta.BucketName, limit quota.Limit) {
	f.t.Helper()
	if err := f.CreateBucket(background, CreateBucketInput{Name: name, Owner: "ada", Limit: limit}); err != nil {
		f.t.Fatalf("create bucket %s: %v", name, err)
	}
}

func (f *fixture) limit(scope quota.Scope, limit quota.Limit) {
	f.t.Helper()
	if err := f.SetLimit(background, scope, limit); err != nil {
		f.t.Fatalf("limit %s: %v", scope, err)
	}
}

// tryPut puts an object of the bucket "b".
func (f *fixture) tryPut(key meta.Key, content []byte) error {
	_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: key, Owner: "ada", Body: body(content)})
	return err
}

func (f *fixture) put(key meta.Key, content []byte) PutObjectOutput {
	f.t.Helper()
	out, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: key, Owner: "ada", Body: body(content)})
	if err != nil {
		f.t.Fatalf("put %q: %v", key, err)
	}
	return out
}

func (f *fixture) delete(key meta.Key) {
	f.t.Helper()
	if err := f.tryDelete("b", key); err != nil {
		f.t.Fatalf("delete %q: %v", key, err)
	}
}

func (f *fixture) tryDelete(bucket meta.BucketName, key meta.Key) error {
	_, err := f.DeleteObject(background, DeleteObjectInput{Bucket: bucket, Key: key})
	return err
}

// deleteAll deletes keys with one DeleteObjects, and returns what became of each.
func (f *fixture) deleteAll(bucket meta.BucketName, keys []meta.Key) []error {
	var objects []DeleteObjectInput
	for _, key := range keys {
		objects = append(objects, DeleteObjectInput{Bucket: bucket, Key: key})
	}
	var errs []error
	for _, d := range f.DeleteObjects(background, objects) {
		errs = append(errs, d.Err)
	}
	return errs
}

func (f *fixture) copy(from, to meta.Key) error {
	_, err := f.CopyObject(background, CopyObjectInput{
		Source: Source{Bucket: "b", Key: from}, Bucket: "b", Key: to, Owner: "ada",
	})
	return err
}

// whole picks all of an object.
func whole(o meta.Object) (Selection, error) { return Selection{Range: Range{Size: o.Size}}, nil }

// tryGet reads a range of an object of the bucket "b".
func (f *fixture) tryGet(key meta.Key, choose func(meta.Object) (Selection, error)) ([]byte, error) {
	_, reader, err := f.GetObject(background, "b", key, "", choose)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(reader)
	return content, errors.Join(err, reader.Close())
}

func (f *fixture) wantContent(key meta.Key, want []byte) {
	f.t.Helper()
	got, err := f.tryGet(key, whole)
	if err != nil || !bytes.Equal(got, want) {
		f.t.Errorf("get %q: %d bytes, error %v; want the %d bytes that were put", key, len(got), err, len(want))
	}
}

// wantGone requires that there is no such object.
func (f *fixture) wantGone(key meta.Key) {
	f.t.Helper()
	if _, err := f.HeadObject(background, "b", key, ""); !errors.Is(err, meta.ErrNoSuchKey) {
		f.t.Errorf("head %q: %v, want no such key", key, err)
	}
}

// wantUsage requires what a scope holds, in the ledger and in the metadata.
func (f *fixture) wantUsage(scope quota.Scope, want quota.Usage) {
	f.t.Helper()
	if a, _ := f.Account(scope); a.Usage != want {
		f.t.Errorf("%s holds %+v, want %+v", scope, a.Usage, want)
	}
	accounts, err := f.meta.Accounts(background)
	if err != nil {
		f.t.Fatalf("accounts: %v", err)
	}
	for _, a := range accounts {
		if a.Scope == scope && a.Usage != want {
			f.t.Errorf("%s holds %+v by the metadata, want %+v", scope, a.Usage, want)
		}
	}
}

var (
	bucketB  = quota.BucketScope("b")
	ownerAda = quota.OwnerScope("ada") // who owns the buckets of a fixture
)

// noise returns n bytes that look random, the same for every pair of n and seed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(n), byte(n >> 8), byte(n >> 16)})
	if _, err := r.Read(b); err != nil {
		panic(err)
	}
	return b
}

func body(content []byte) Body {
	return Body{Reader: bytes.NewReader(content), Size: int64(len(content))}
}

// checked is a body whose checksum the client declared.
func checked(content []byte, a checksum.Algorithm) Body {
	b := body(content)
	b.Algorithm, b.Sum = a, func() []byte { return sumOf(a, content) }
	return b
}

func sumOf(a checksum.Algorithm, content ...[]byte) []byte {
	h := checksum.New(a)
	for _, c := range content {
		h.Write(c)
	}
	return h.Sum(nil)
}

// unread is the body of a request that must be refused before its body is read.
type unread struct{ t testing.TB }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read before the refusal")
	return 0, errors.New("must not be read")
}

// wantExceeded requires that err is a refusal by the limit of a scope, with figures that bear it out.
func wantExceeded(t testing.TB, err error, scope quota.Scope, resource quota.Resource) quota.ExceededError {
	t.Helper()
	var e *quota.ExceededError
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a refusal by %s", err, scope)
	}
	if e.Scope != scope || e.Resource != resource {
		t.Fatalf("refused for the %s of %s, want the %s of %s", e.Resource, e.Scope, resource, scope)
	}
	if why := unfounded(e); why != "" {
		t.Error(why)
	}
	return *e
}

// unfounded says what is wrong with the figures of a refusal, or nothing.
func unfounded(e *quota.ExceededError) string {
	switch {
	case e.Used+e.Reserved+e.Requested <= e.Total:
		return fmt.Sprintf("refused, and would have fitted: %+v", *e)
	case e.Transient && e.Reserved == 0:
		return fmt.Sprintf("refused for reservations, and there are none: %+v", *e)
	case e.Transient && e.Used+e.Requested > e.Total:
		return fmt.Sprintf("refused for reservations, and does not fit without them: %+v", *e)
	case e.Available() < 0:
		return fmt.Sprintf("less than nothing is left: %+v", *e)
	}
	return ""
}

// wantCollected requires that what earlier runs left behind is gone, once the store has looked for it.
func (f *fixture) wantCollected() {
	f.t.Helper()
	<-f.cleaned
	f.wantNoOrphans()
}

// blobIDs returns the blobs that take space: files, and what of the packs is alive.
func (f *fixture) blobIDs() []blob.ID {
	f.t.Helper()
	refs := f.blobRefs()
	live, err := f.liveBlobs(background, refs)
	if err != nil {
		f.t.Fatal(err)
	}
	var ids []blob.ID
	for i, ref := range refs {
		if ref.Place == 0 || live[i] {
			ids = append(ids, ref.ID)
		}
	}
	return ids
}

// wait returns when everything that was added, and is not pinned, is deleted.
func (g *garbage) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed && (len(g.pending) > 0 || !g.idle) {
		g.wake.Wait()
	}
}
