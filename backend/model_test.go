package backend

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// place is a key in a bucket.
type place struct {
	bucket meta.BucketName
	key    meta.Key
}

// upload is an unfinished upload of the model; a part's content is told by its size.
type upload struct {
	at    place
	id    meta.UploadID
	parts map[int]CompletedPart
	sizes map[int]int64
}

// model is what a store should be: sizes by place, uploads with parts, and limits.
type model struct {
	*fixture
	rt      *rapid.T
	limits  map[quota.Scope]quota.Limit
	objects map[place]int64
	uploads []*upload
}

// modelBuckets are the buckets of the model, with their owners.
var modelBuckets = map[meta.BucketName]string{"b": "ada", "c": "ada", "d": "bob"}

// scopesOf returns the scopes of a bucket.
func scopesOf(bucket meta.BucketName) []quota.Scope {
	return []quota.Scope{
		quota.BucketScope(string(bucket)), quota.OwnerScope(modelBuckets[bucket]), quota.ServerScope,
	}
}

// modelScopes returns all scopes of the model.
func modelScopes() []quota.Scope {
	var all []quota.Scope
	for bucket := range modelBuckets {
		all = append(all, scopesOf(bucket)...)
	}
	slices.SortFunc(all, quota.CompareScopes)
	return slices.Compact(all)
}

// count adds up what a scope holds.
func (m *model) count(scope quota.Scope) quota.Usage {
	var u quota.Usage
	within := func(b meta.BucketName) bool { return slices.Contains(scopesOf(b), scope) }
	for at, size := range m.objects {
		if within(at.bucket) {
			u.Bytes += size
			u.Objects++
		}
	}
	for _, up := range m.uploads {
		if within(up.at.bucket) {
			u.Uploads++
			u.PartBytes += up.size()
		}
	}
	return u
}

func (u *upload) size() (sum int64) {
	for _, size := range u.sizes {
		sum += size
	}
	return sum
}

// refuses tells whether the step from what is held before to what would be held after is refused by a limit of the
// bucket, its owner or the server. lenient admits a figure that does not grow.
func (m *model) refuses(bucket meta.BucketName, lenient bool, step func()) bool {
	type figures struct{ bytes, objects int64 }
	look := func(scope quota.Scope) figures {
		u := m.count(scope)
		if scope == quota.ServerScope {
			u.Bytes += u.PartBytes
		}
		return figures{u.Bytes, u.Objects}
	}
	scopes := scopesOf(bucket)
	before := make([]figures, len(scopes))
	for i, scope := range scopes {
		before[i] = look(scope)
	}
	step()
	for i, scope := range scopes {
		limit, after := m.limits[scope], look(scope)
		if limit.MaxBytes > 0 && after.bytes > limit.MaxBytes && (!lenient || after.bytes > before[i].bytes) {
			return true
		}
		if limit.MaxObjects > 0 && after.objects > limit.MaxObjects && (!lenient || after.objects > before[i].objects) {
			return true
		}
	}
	return false
}

// expect compares an answer with what the model expects of it.
func (m *model) expect(what string, err error, refused bool) {
	var e *quota.ExceededError
	if refused != errors.As(err, &e) || (err != nil && !refused) {
		m.rt.Fatalf("%s: error %v; the model refuses it: %v", what, err, refused)
	}
	if refused {
		if why := unfounded(e); why != "" || e.Transient {
			m.rt.Fatalf("%s: %s: %+v", what, why, *e)
		}
	}
}

func (m *model) drawPlace(name string) place {
	return place{
		rapid.SampledFrom([]meta.BucketName{"b", "c", "d"}).Draw(m.rt, name+" bucket"),
		rapid.SampledFrom([]meta.Key{"x", "y", "z"}).Draw(m.rt, name),
	}
}

func (m *model) drawSize() int64 { return rapid.Int64Range(0, 60).Draw(m.rt, "size") }

// store makes the model hold an object, unless a limit refuses it.
func (m *model) store(at place, size int64) (refused bool) {
	old, existed := m.objects[at]
	refused = m.refuses(at.bucket, true, func() { m.objects[at] = size })
	if refused {
		if m.objects[at] = old; !existed {
			delete(m.objects, at)
		}
	}
	return refused
}

func (m *model) put(*rapid.T) {
	at, size := m.drawPlace("key"), m.drawSize()
	refused := m.store(at, size)
	b := body(noise(int(size), 7))
	if refused {
		b.Reader = unread{m.t}
	}
	_, err := m.PutObject(background, PutObjectInput{Bucket: at.bucket, Key: at.key, Body: b})
	m.expect(fmt.Sprintf("put %v of %d bytes", at, size), err, refused)
}

func (m *model) copyObject(*rapid.T) {
	from, to := m.drawPlace("from"), m.drawPlace("to")
	size, exists := m.objects[from]
	_, err := m.CopyObject(background, CopyObjectInput{
		Source: Source{Bucket: from.bucket, Key: from.key}, Bucket: to.bucket, Key: to.key,
	})
	if !exists {
		if !errors.Is(err, meta.ErrNoSuchKey) {
			m.rt.Fatalf("copy of nothing: %v", err)
		}
		return
	}
	m.expect(fmt.Sprintf("copy %v to %v", from, to), err, m.store(to, size))
}

func (m *model) remove(*rapid.T) {
	at := m.drawPlace("key")
	m.expect("delete", m.tryDelete(at.bucket, at.key), false)
	delete(m.objects, at)
}

func (m *model) begin(*rapid.T) {
	at := m.drawPlace("key")
	id, err := m.CreateMultipartUpload(background, meta.Upload{Bucket: at.bucket, Key: at.key})
	m.expect("create upload", err, false)
	m.uploads = append(m.uploads, &upload{at: at, id: id, parts: map[int]CompletedPart{}, sizes: map[int]int64{}})
}

func (m *model) drawUpload() *upload {
	if len(m.uploads) == 0 {
		m.rt.Skip("no upload")
	}
	return rapid.SampledFrom(m.uploads).Draw(m.rt, "upload")
}

func (m *model) partOf(*rapid.T) {
	u := m.drawUpload()
	number, size := rapid.IntRange(1, 3).Draw(m.rt, "number"), m.drawSize()
	old, existed := u.sizes[number]
	u.sizes[number] = size
	refused := m.refusesPart(u)
	b := body(noise(int(size), uint64(number)))
	if refused {
		if u.sizes[number] = old; !existed {
			delete(u.sizes, number)
		}
		b.Reader = unread{m.t}
	}
	part, err := m.UploadPart(background, UploadPartInput{
		Bucket: u.at.bucket, Key: u.at.key, Upload: u.id, Number: number, Body: b,
	})
	m.expect(fmt.Sprintf("part %d of %d bytes", number, size), err, refused)
	if !refused {
		u.parts[number] = CompletedPart{Number: number, ETag: part.ETag}
	}
}

// refusesPart tells whether an upload with its parts is refused by a limit: if it were completed now, as the bucket and
// its owner count, and as it is, as the server does.
func (m *model) refusesPart(u *upload) bool {
	exceeds := func(n, limit int64) bool { return limit > 0 && n > limit }
	replaced, exists := m.objects[u.at]
	for _, scope := range scopesOf(u.at.bucket) {
		limit, now := m.limits[scope], m.count(scope)
		if !exists {
			now.Objects++
		}
		if scope == quota.ServerScope {
			now.Bytes += now.PartBytes
		} else {
			now.Bytes += u.size() - replaced
		}
		if exceeds(max(now.Bytes, now.PartBytes), limit.MaxBytes) || exceeds(now.Objects, limit.MaxObjects) {
			return true
		}
	}
	return false
}

func (m *model) complete(*rapid.T) {
	u := m.drawUpload()
	number := rapid.IntRange(1, 3).Draw(m.rt, "number")
	part, exists := u.parts[number]
	if !exists {
		part = CompletedPart{Number: number, ETag: "none"}
	}
	_, err := m.CompleteMultipartUpload(background, CompleteMultipartUploadInput{
		Bucket: u.at.bucket, Key: u.at.key, Upload: u.id, Parts: []CompletedPart{part}, Size: -1,
	})
	if !exists {
		if !invalidPart(number)(err) {
			m.rt.Fatalf("complete with a part that is not there: %v", err)
		}
		return
	}
	uploads := m.uploads
	old, existed := m.objects[u.at]
	refused := m.refuses(u.at.bucket, false, func() {
		m.objects[u.at] = u.sizes[number]
		m.drop(u)
	})
	if refused {
		m.uploads = uploads
		if m.objects[u.at] = old; !existed {
			delete(m.objects, u.at)
		}
	}
	m.expect("complete", err, refused)
}

// drop leaves the slice that was as it was.
func (m *model) drop(u *upload) {
	var rest []*upload
	for _, other := range m.uploads {
		if other != u {
			rest = append(rest, other)
		}
	}
	m.uploads = rest
}

func (m *model) abortUpload(*rapid.T) {
	u := m.drawUpload()
	m.expect("abort", m.AbortMultipartUpload(background, u.at.bucket, u.at.key, u.id), false)
	m.drop(u)
}

func (m *model) setLimit(*rapid.T) {
	scope := rapid.SampledFrom(modelScopes()).Draw(m.rt, "scope")
	limit := quota.Limit{
		MaxBytes:   rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 200)).Draw(m.rt, "max bytes"),
		MaxObjects: rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 5)).Draw(m.rt, "max objects"),
	}
	m.expect("set limit", m.SetLimit(background, scope, limit), false)
	m.limits[scope] = limit
}

// compare requires that the store holds what the model does.
func (m *model) compare(*rapid.T) {
	for _, scope := range modelScopes() {
		if a, _ := m.Account(scope); a.Usage != m.count(scope) || a.Limit != m.limits[scope] || a.Reserved != (quota.Delta{}) {
			m.rt.Fatalf("%+v, the model has %+v of %+v", a, m.count(scope), m.limits[scope])
		}
	}
	for at, size := range m.objects {
		_, reader, err := m.GetObject(background, at.bucket, at.key, "", whole)
		if err != nil {
			m.rt.Fatalf("get %v: %v", at, err)
		}
		content, err := io.ReadAll(reader)
		if int64(len(content)) != size || errors.Join(err, reader.Close()) != nil {
			m.rt.Fatalf("get %v: %d bytes, error %v; the model has %d", at, len(content), err, size)
		}
	}
}

func TestStoreIsAsTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := openWith(t, Options{Dir: t.TempDir(), NoSync: true})
		defer f.finish()
		for bucket, owner := range modelBuckets {
			if err := f.CreateBucket(background, CreateBucketInput{Name: bucket, Owner: owner}); err != nil {
				rt.Fatal(err)
			}
		}
		m := &model{
			fixture: f, rt: rt, limits: map[quota.Scope]quota.Limit{}, objects: map[place]int64{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "copy": m.copyObject, "delete": m.remove, "limit": m.setLimit,
			"create upload": m.begin, "part": m.partOf, "complete": m.complete, "abort": m.abortUpload,
			"": m.compare,
		})
	})
}
