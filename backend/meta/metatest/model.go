package metatest

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// model is the simplest thing that behaves like a repository: maps, and every figure counted anew each time.
type model struct {
	server  quota.Limit
	buckets map[meta.BucketName]*modelBucket
	garbage map[meta.BlobID]bool
}

type modelBucket struct {
	limit   quota.Limit
	objects map[meta.Key]meta.Object
	uploads map[modelUpload]map[int]meta.Part
}

type modelUpload struct {
	key meta.Key
	id  meta.UploadID
}

func (m *model) usage(name meta.BucketName) (u quota.Usage) {
	b := m.buckets[name]
	for _, o := range b.objects {
		u = u.Apply(quota.Delta{Bytes: o.Size, Objects: 1})
	}
	for _, parts := range b.uploads {
		u = u.Apply(quota.Delta{PartBytes: sizeOf(parts), Uploads: 1})
	}
	return u
}

func (m *model) accounts() []quota.Account {
	accounts := []quota.Account{{Scope: quota.ServerScope, Limit: m.server}}
	for _, name := range slices.Sorted(maps.Keys(m.buckets)) {
		u := m.usage(name)
		accounts[0].Usage = accounts[0].Usage.Apply(quota.Delta(u))
		accounts = append(accounts, quota.Account{
			Scope: quota.BucketScope(string(name)), Limit: m.buckets[name].limit, Usage: u,
		})
	}
	return accounts
}

// live counts how often segments name each blob.
func (m *model) live() map[meta.BlobID]int {
	live := make(map[meta.BlobID]int)
	for _, b := range m.buckets {
		for _, o := range b.objects {
			for _, s := range o.Segments {
				live[s.Blob]++
			}
		}
		for _, parts := range b.uploads {
			for _, p := range parts {
				for _, s := range p.Segments {
					live[s.Blob]++
				}
			}
		}
	}
	return live
}

func sizeOf(parts map[int]meta.Part) (sum int64) {
	for _, p := range parts {
		sum += p.Size
	}
	return sum
}

// apply does what a repository must do, and returns the error and the garbage that its result must have.
func (m *model) apply(mutation meta.Mutation) ([]meta.BlobID, error) {
	before := m.live()
	if err := m.change(mutation, before); err != nil {
		return nil, err
	}
	after := m.live()
	var freed []meta.BlobID
	for id := range before {
		if after[id] == 0 {
			freed = append(freed, id)
			m.garbage[id] = true
		}
	}
	return freed, nil
}

func (m *model) change(mutation meta.Mutation, live map[meta.BlobID]int) error {
	switch x := mutation.(type) {
	case meta.CreateBucket:
		if m.buckets[x.Bucket.Name] != nil {
			return meta.ErrBucketExists
		}
		m.buckets[x.Bucket.Name] = &modelBucket{
			limit: x.Limit, objects: map[meta.Key]meta.Object{}, uploads: map[modelUpload]map[int]meta.Part{},
		}
	case meta.DeleteBucket:
		switch b := m.buckets[x.Bucket]; {
		case b == nil:
			return meta.ErrNoSuchBucket
		case len(b.objects) > 0:
			return meta.ErrBucketNotEmpty
		}
		delete(m.buckets, x.Bucket)
	case meta.SetLimit:
		if x.Scope == quota.ServerScope {
			m.server = x.Limit
			return nil
		}
		b := m.buckets[meta.BucketName(x.Scope.Name)]
		if b == nil {
			return meta.ErrNoSuchBucket
		}
		b.limit = x.Limit
	case meta.ForgetGarbage:
		for _, id := range x.Blobs {
			delete(m.garbage, id)
		}
	case meta.PutObject:
		return m.putObject(x, live)
	case meta.DeleteObject:
		b := m.buckets[x.Bucket]
		if b == nil {
			return meta.ErrNoSuchBucket
		}
		if err := b.check(x.Key, x.Precondition); err != nil {
			return err
		}
		delete(b.objects, x.Key)
	default:
		return m.changeUpload(mutation, live)
	}
	return nil
}

func (b *modelBucket) check(key meta.Key, p meta.Precondition) error {
	o, exists := b.objects[key]
	switch {
	case p.IfMatch != "" && !exists:
		return meta.ErrNoSuchKey
	case p.IfMatch != "" && p.IfMatch != "*" && p.IfMatch != o.ETag, p.IfNoneMatch && exists:
		return meta.ErrPreconditionFailed
	}
	return nil
}

func stale(segments []meta.Segment, shared bool, live map[meta.BlobID]int) error {
	for _, s := range segments {
		if shared && live[s.Blob] == 0 {
			return meta.ErrStale
		}
	}
	return nil
}

func (m *model) admit(bucket meta.BucketName, op quota.Operation) error {
	for _, a := range m.accounts() {
		if a.Scope == quota.ServerScope || a.Scope == quota.BucketScope(string(bucket)) {
			if err := quota.Admit(a, op); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *modelBucket) replacement(key meta.Key, size int64) quota.Delta {
	if o, exists := b.objects[key]; exists {
		return quota.Delta{Bytes: size - o.Size}
	}
	return quota.Delta{Bytes: size, Objects: 1}
}

func (m *model) putObject(x meta.PutObject, live map[meta.BlobID]int) error {
	b := m.buckets[x.Bucket]
	if b == nil {
		return meta.ErrNoSuchBucket
	}
	if err := b.check(x.Key, x.Precondition); err != nil {
		return err
	}
	if err := stale(x.Object.Segments, x.Shared, live); err != nil {
		return err
	}
	op := quota.Operation{Kind: quota.Put, Delta: b.replacement(x.Key, x.Object.Size)}
	if err := m.admit(x.Bucket, op); err != nil {
		return err
	}
	b.objects[x.Key] = x.Object
	return nil
}

// changeUpload applies the mutations of multipart uploads.
func (m *model) changeUpload(mutation meta.Mutation, live map[meta.BlobID]int) error {
	var bucket meta.BucketName
	var u modelUpload
	switch x := mutation.(type) {
	case meta.CreateUpload:
		if m.buckets[x.Upload.Bucket] == nil {
			return meta.ErrNoSuchBucket
		}
		m.buckets[x.Upload.Bucket].uploads[modelUpload{x.Upload.Key, x.Upload.ID}] = map[int]meta.Part{}
		return nil
	case meta.PutPart:
		bucket, u = x.Bucket, modelUpload{x.Key, x.Upload}
	case meta.CompleteUpload:
		bucket, u = x.Bucket, modelUpload{x.Key, x.Upload}
	case meta.AbortUpload:
		bucket, u = x.Bucket, modelUpload{x.Key, x.Upload}
	}
	b := m.buckets[bucket]
	if b == nil || b.uploads[u] == nil {
		return meta.ErrNoSuchUpload
	}
	parts := b.uploads[u]
	switch x := mutation.(type) {
	case meta.PutPart:
		if err := stale(x.Part.Segments, x.Shared, live); err != nil {
			return err
		}
		change := x.Part.Size - parts[x.Part.Number].Size
		err := m.admit(bucket, quota.Operation{
			Kind: quota.Part, Delta: quota.Delta{PartBytes: change}, Completed: b.replacement(u.key, sizeOf(parts)+change),
		})
		if err != nil {
			return err
		}
		parts[x.Part.Number] = x.Part
	case meta.CompleteUpload:
		return m.completeUpload(x, b, u)
	default:
		delete(b.uploads, u)
	}
	return nil
}

func (m *model) completeUpload(x meta.CompleteUpload, b *modelBucket, u modelUpload) error {
	if err := b.check(x.Key, x.Precondition); err != nil {
		return err
	}
	parts := b.uploads[u]
	for _, p := range x.Parts {
		if stored, exists := parts[p.Number]; !exists || !slices.Equal(stored.Segments, p.Segments) {
			return meta.ErrStale
		}
		x.Object.Segments = append(x.Object.Segments, p.Segments...)
	}
	delta := b.replacement(x.Key, x.Object.Size).Add(quota.Delta{PartBytes: -sizeOf(parts), Uploads: -1})
	if err := m.admit(x.Bucket, quota.Operation{Kind: quota.Complete, Delta: delta}); err != nil {
		return err
	}
	delete(b.uploads, u)
	b.objects[x.Key] = x.Object
	return nil
}

func testMutationsModel(t *testing.T, open Open) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		repo := open(t, dir)
		defer func() { _ = repo.Close() }()
		m := &model{buckets: map[meta.BucketName]*modelBucket{}, garbage: map[meta.BlobID]bool{}}
		g := &generator{T: rt, model: m}
		for range rapid.IntRange(1, 30).Draw(rt, "batches") {
			commitBoth(g, repo, m)
		}
		compare(rt, repo, m)
		if err := repo.Close(); err != nil {
			rt.Fatalf("Close: %v", err)
		}
		repo = open(t, dir)
		compare(rt, repo, m)
	})
}

// commitBoth applies a batch to both and compares the results. The model goes first, one mutation at a time, since what
// is drawn next depends on it.
func commitBoth(g *generator, repo meta.Repository, m *model) {
	type outcome struct {
		err     error
		garbage []meta.BlobID
	}
	var (
		batch    []meta.Mutation
		outcomes []outcome
	)
	for range rapid.IntRange(1, 4).Draw(g.T, "batch") {
		mutation := g.mutation()
		garbage, err := m.apply(mutation)
		batch, outcomes = append(batch, mutation), append(outcomes, outcome{err, garbage})
	}
	results, err := repo.Commit(background, batch)
	if err != nil {
		g.Fatalf("Commit: %v", err)
	}
	for i, want := range outcomes {
		got := results[i]
		if errors.As(want.err, new(*quota.ExceededError)) {
			if !errors.As(got.Err, new(*quota.ExceededError)) {
				g.Fatalf("%+v: %v, want %v", batch[i], got.Err, want.err)
			}
		} else if !errors.Is(got.Err, want.err) {
			g.Fatalf("%+v: %v, want %v", batch[i], got.Err, want.err)
		}
		if !slices.Equal(sortedBlobs(blobsOf(got.Garbage)), sortedBlobs(want.garbage)) {
			g.Fatalf("%+v: garbage %x, want %x", batch[i], got.Garbage, want.garbage)
		}
	}
	// The last mention of a scope in the results is what it is now.
	last := make(map[quota.Scope]quota.Account)
	for _, r := range results {
		for _, a := range r.Accounts {
			last[a.Scope] = a
		}
	}
	for _, a := range m.accounts() {
		if told, ok := last[a.Scope]; ok && told != a {
			g.Fatalf("a result tells of %+v, it is %+v", told, a)
		}
	}
}

// compare checks everything that can be read against the model.
func compare(t TB, repo meta.Repository, m *model) {
	Recount(t, repo)
	accounts, err := repo.Accounts(background)
	if err != nil || !slices.Equal(accounts, m.accounts()) {
		t.Fatalf("accounts %+v, %v, want %+v", accounts, err, m.accounts())
	}
	garbage, err := repo.Garbage(background, meta.BlobID{}, 1<<20)
	want := sortedBlobs(slices.Collect(maps.Keys(m.garbage)))
	if err != nil || !slices.Equal(garbage, want) {
		t.Fatalf("garbage %x, %v, want %x", garbage, err, want)
	}
	for name, b := range m.buckets {
		compareBucket(t, repo, name, b)
	}
}

func compareBucket(t TB, repo meta.Repository, name meta.BucketName, b *modelBucket) {
	var keys []item
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		keys = append(keys, item{name: string(key)})
		o, err := repo.Stat(background, name, key)
		if err != nil || !reflect.DeepEqual(o, b.objects[key]) {
			t.Fatalf("Stat(%s, %q): %+v, %v, want %+v", name, key, o, err, b.objects[key])
		}
	}
	if got := listAll(t, repo, meta.ListRequest{Bucket: name}, 2); !slices.Equal(got, keys) {
		t.Fatalf("List: %+v, want %+v", got, keys)
	}
	page, err := repo.Uploads(background, meta.UploadsRequest{Bucket: name, Limit: 1000})
	if err != nil || len(page.Entries) != len(b.uploads) {
		t.Fatalf("Uploads: %d, %v, want %d", len(page.Entries), err, len(b.uploads))
	}
	for u, stored := range b.uploads {
		parts, more, err := repo.Parts(background, name, u.key, u.id, 0, 100)
		if err != nil || more || len(parts) != len(stored) {
			t.Fatalf("Parts: %+v, %t, %v, want %+v", parts, more, err, stored)
		}
		for _, p := range parts {
			if !reflect.DeepEqual(p, stored[p.Number]) {
				t.Fatalf("part: %+v, want %+v", p, stored[p.Number])
			}
		}
	}
}
