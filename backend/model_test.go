package backend

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/lifecycle"
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

// modelVersion is a version of the model: an object or a delete marker.
type modelVersion struct {
	size   int64
	marker bool
	id     meta.VersionID
}

// model is what a store should be: versions by place, the newest first, uploads with parts, and limits.
type model struct {
	*fixture
	rt      *rapid.T
	clock   *clock
	limits  map[quota.Scope]quota.Limit // prefixes are in it where they have one
	objects map[place][]modelVersion    // no place without versions
	uploads []*upload
}

// modelBuckets are the buckets of the model, with their owners. "v" keeps versions, "d" is removed and made again.
var modelBuckets = map[meta.BucketName]string{"b": "ada", "c": "ada", "d": "bob", "v": "eve"}

// scopesOf returns the scopes of a bucket.
func scopesOf(bucket meta.BucketName) []quota.Scope {
	return []quota.Scope{
		quota.BucketScope(string(bucket)), quota.OwnerScope(modelBuckets[bucket]), quota.ServerScope,
	}
}

// scopesAt returns all scopes of a place.
func (m *model) scopesAt(at place) []quota.Scope {
	scopes := scopesOf(at.bucket)
	for scope := range m.limits {
		if scope.Kind == quota.Prefix && scope.Name == string(at.bucket) && strings.HasPrefix(string(at.key), scope.Prefix) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// scopes returns all scopes of the model.
func (m *model) scopes() []quota.Scope {
	var all []quota.Scope
	for bucket := range modelBuckets {
		all = append(all, scopesOf(bucket)...)
	}
	for scope := range m.limits {
		all = append(all, scope)
	}
	slices.SortFunc(all, quota.CompareScopes)
	return slices.Compact(all)
}

// count adds up what a scope holds: of a prefix that is being counted, up to the key that the store says.
func (m *model) count(scope quota.Scope) quota.Usage {
	var u quota.Usage
	account, _ := m.Account(scope)
	within := func(at place) bool {
		return slices.Contains(m.scopesAt(at), scope) && (!account.Counting || string(at.key) <= account.CountedTo)
	}
	for at, versions := range m.objects {
		for i, v := range versions {
			switch {
			case !within(at):
			case v.marker:
				u.Markers++
			default:
				u.Bytes += v.size
				u.Objects++
				u.Noncurrent += int64(min(i, 1))
			}
		}
	}
	for _, up := range m.uploads {
		if within(up.at) {
			u.Uploads++
			u.PartBytes += up.size()
		}
	}
	return u
}

// latest returns the object at a place, if there is one.
func (m *model) latest(at place) (modelVersion, bool) {
	versions := m.objects[at]
	if len(versions) == 0 || versions[0].marker {
		return modelVersion{}, false
	}
	return versions[0], true
}

// add makes the model hold a new version, and returns what undoes that.
func (m *model) add(at place, v modelVersion) (undo func()) {
	before := m.objects[at]
	m.objects[at] = []modelVersion{v}
	if at.bucket == "v" {
		m.objects[at] = append(m.objects[at], before...)
	}
	return func() { m.set(at, before) }
}

func (m *model) set(at place, versions []modelVersion) {
	if m.objects[at] = versions; len(versions) == 0 {
		delete(m.objects, at)
	}
}

func (u *upload) size() (sum int64) {
	for _, size := range u.sizes {
		sum += size
	}
	return sum
}

// refuses tells whether a step at a place is refused by a limit. What it changes is the same for all scopes, counted
// or not, but for the server, where parts count. lenient admits a figure that does not grow.
func (m *model) refuses(at place, lenient bool, step func()) bool {
	scopes := m.scopesAt(at)
	before := make([]quota.Usage, len(scopes))
	for i, scope := range scopes {
		before[i] = m.count(scope)
	}
	step()
	after := m.count(scopes[0])
	bytes, objects := after.Bytes-before[0].Bytes, after.Objects-before[0].Objects
	for i, scope := range scopes {
		limit, now, grows := m.limits[scope], before[i], bytes
		if scope == quota.ServerScope {
			now.Bytes += now.PartBytes
			grows += after.PartBytes - before[0].PartBytes
		}
		if limit.MaxBytes > 0 && now.Bytes+grows > limit.MaxBytes && (!lenient || grows > 0) {
			return true
		}
		if limit.MaxObjects > 0 && now.Objects+objects > limit.MaxObjects && (!lenient || objects > 0) {
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
		rapid.SampledFrom([]meta.BucketName{"b", "c", "d", "v", "v"}).Draw(m.rt, name+" bucket"),
		rapid.SampledFrom([]meta.Key{"x", "x/1", "y", "z"}).Draw(m.rt, name),
	}
}

func (m *model) drawSize() int64 { return rapid.Int64Range(0, 60).Draw(m.rt, "size") }

// store makes the model hold an object, unless a limit refuses it.
func (m *model) store(at place, size int64) (refused bool) {
	var undo func()
	if refused = m.refuses(at, true, func() { undo = m.add(at, modelVersion{size: size}) }); refused {
		undo()
	}
	return refused
}

func (m *model) put(*rapid.T) {
	at, size := m.drawPlace("key"), m.drawSize()
	asked, err := m.CheckQuota(background, CheckQuotaInput{Bucket: at.bucket, Key: at.key, Bytes: size})
	refused := m.store(at, size)
	if err != nil || (asked.Err() != nil) != refused {
		m.rt.Fatalf("asked for %v of %d bytes: %+v, %v; the model refuses it: %v", at, size, asked, err, refused)
	}
	b := body(noise(int(size), 7))
	if refused {
		b.Reader = unread{m.t}
	}
	out, err := m.PutObject(background, PutObjectInput{Bucket: at.bucket, Key: at.key, Body: b})
	m.expect(fmt.Sprintf("put %v of %d bytes", at, size), err, refused)
	if !refused {
		m.objects[at][0].id = out.Version
	}
}

func (m *model) copyObject(*rapid.T) {
	from, to := m.drawPlace("from"), m.drawPlace("to")
	source, exists := m.latest(from)
	out, err := m.CopyObject(background, CopyObjectInput{
		Source: Source{Bucket: from.bucket, Key: from.key}, Bucket: to.bucket, Key: to.key,
	})
	if !exists {
		if !errors.Is(err, meta.ErrNoSuchKey) {
			m.rt.Fatalf("copy of nothing: %v", err)
		}
		return
	}
	refused := m.store(to, source.size)
	m.expect(fmt.Sprintf("copy %v to %v", from, to), err, refused)
	if !refused {
		m.objects[to][0].id = out.Version
	}
}

func (m *model) remove(*rapid.T) {
	at := m.drawPlace("key")
	out, err := m.DeleteObject(background, DeleteObjectInput{Bucket: at.bucket, Key: at.key})
	m.expect("delete", err, false)
	if at.bucket == "v" {
		m.add(at, modelVersion{marker: true, id: out.Version})
	} else {
		delete(m.objects, at)
	}
}

// removeVersion removes one version of many, an object or a delete marker.
func (m *model) removeVersion(*rapid.T) {
	at := place{"v", m.drawPlace("key").key}
	versions := m.objects[at]
	if len(versions) == 0 {
		m.rt.Skip("no version")
	}
	i := rapid.IntRange(0, len(versions)-1).Draw(m.rt, "version")
	_, err := m.DeleteObject(background, DeleteObjectInput{Bucket: at.bucket, Key: at.key, Version: versions[i].id})
	m.expect("delete a version", err, false)
	m.set(at, slices.Delete(slices.Clone(versions), i, i+1))
}

// expireAll has everything expire that the rules of "b" and "v" let expire.
func (m *model) expireAll(*rapid.T) {
	m.clock.move(3 * day)
	m.expire(background)
	m.expire(background) // markers that hide nothing since the first pass
	for at, versions := range m.objects {
		switch {
		case at.bucket == "b" && at.key == "z":
			delete(m.objects, at)
		case at.bucket == "v" && versions[0].marker:
			delete(m.objects, at)
		case at.bucket == "v":
			m.objects[at] = versions[:1:1]
		}
	}
	m.uploads = slices.DeleteFunc(slices.Clone(m.uploads), func(u *upload) bool { return u.at.bucket == "b" })
}

// removeUser removes the bucket "d" if it is empty, and its owner with their limit, and makes both again.
func (m *model) removeUser(*rapid.T) {
	err := m.DeleteBucket(background, "d")
	for at := range m.objects {
		if at.bucket == "d" {
			if !errors.Is(err, meta.ErrBucketNotEmpty) {
				m.rt.Fatalf("delete a bucket with objects: %v", err)
			}
			return
		}
	}
	bob := quota.OwnerScope("bob")
	if err := errors.Join(err, m.SetLimit(background, bob, quota.Limit{})); err != nil {
		m.rt.Fatal(err)
	}
	for _, a := range m.Accounts() {
		if a.Scope == bob || a.Scope.Name == "d" {
			m.rt.Fatalf("of a user who was removed there is %+v", a)
		}
	}
	m.uploads = slices.DeleteFunc(slices.Clone(m.uploads), func(u *upload) bool { return u.at.bucket == "d" })
	maps.DeleteFunc(m.limits, func(scope quota.Scope, _ quota.Limit) bool { return scope == bob || scope.Name == "d" })
	if err := m.CreateBucket(background, CreateBucketInput{Name: "d", Owner: "bob"}); err != nil {
		m.rt.Fatal(err)
	}
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
	refused := m.refusesPart(u, size-u.sizes[number])
	b := body(noise(int(size), uint64(number)))
	if refused {
		b.Reader = unread{m.t}
	}
	part, err := m.UploadPart(background, UploadPartInput{
		Bucket: u.at.bucket, Key: u.at.key, Upload: u.id, Number: number, Body: b,
	})
	m.expect(fmt.Sprintf("part %d of %d bytes", number, size), err, refused)
	if !refused {
		u.sizes[number] = size
		u.parts[number] = CompletedPart{Number: number, ETag: part.ETag}
	}
}

// refusesPart tells whether an upload that gets so many bytes more is refused by a limit: if it were completed now, as
// the bucket, its prefixes and its owner count, and as it is, as the server does.
func (m *model) refusesPart(u *upload, more int64) bool {
	exceeds := func(n, limit int64) bool { return limit > 0 && n > limit }
	replaced, exists := m.latest(u.at)
	if u.at.bucket == "v" {
		replaced, exists = modelVersion{}, false
	}
	for _, scope := range m.scopesAt(u.at) {
		limit, now := m.limits[scope], m.count(scope)
		now.PartBytes += more
		if !exists {
			now.Objects++
		}
		if scope == quota.ServerScope {
			now.Bytes += now.PartBytes
		} else {
			now.Bytes += u.size() + more - replaced.size
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
	object, err := m.CompleteMultipartUpload(background, CompleteMultipartUploadInput{
		Bucket: u.at.bucket, Key: u.at.key, Upload: u.id, Parts: []CompletedPart{part}, Size: -1,
	})
	if !exists {
		if !invalidPart(number)(err) {
			m.rt.Fatalf("complete with a part that is not there: %v", err)
		}
		return
	}
	uploads, undo := m.uploads, func() {}
	refused := m.refuses(u.at, false, func() {
		undo = m.add(u.at, modelVersion{size: u.sizes[number], id: object.Version})
		m.drop(u)
	})
	if refused {
		m.uploads = uploads
		undo()
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

// drawPrefix draws the scope of a prefix.
func (m *model) drawPrefix() quota.Scope {
	bucket := rapid.SampledFrom([]string{"b", "d", "v"}).Draw(m.rt, "bucket")
	return quota.PrefixScope(bucket, rapid.SampledFrom([]string{"x", "x/", "z"}).Draw(m.rt, "prefix"))
}

func (m *model) setLimit(*rapid.T) {
	scope := rapid.SampledFrom(m.scopes()).Draw(m.rt, "scope")
	if rapid.IntRange(0, 2).Draw(m.rt, "of a prefix") == 0 {
		scope = m.drawPrefix()
	}
	limit := quota.Limit{
		MaxBytes:   rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 200)).Draw(m.rt, "max bytes"),
		MaxObjects: rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 5)).Draw(m.rt, "max objects"),
	}
	m.expect("set limit", m.SetLimit(background, scope, limit), false)
	if m.limits[scope] = limit; limit.Unlimited() {
		delete(m.limits, scope)
	}
}

// countOn counts a prefix on by a key or two, and in the end to the last.
func (m *model) countOn(*rapid.T) {
	scopes := m.ledger.counting()
	if len(scopes) == 0 {
		m.rt.Skip("nothing to count")
	}
	slices.SortFunc(scopes, quota.CompareScopes)
	scope := rapid.SampledFrom(scopes).Draw(m.rt, "scope")
	_, err := m.countStep(scope, rapid.IntRange(1, 2).Draw(m.rt, "rows"))
	m.expect("count", err, false)
}

// compare requires that the store holds what the model does.
func (m *model) compare(*rapid.T) {
	for _, scope := range m.scopes() {
		if a, _ := m.Account(scope); a.Usage != m.count(scope) || a.Limit != m.limits[scope] || a.Reserved != (quota.Delta{}) {
			m.rt.Fatalf("%+v, the model has %+v of %+v", a, m.count(scope), m.limits[scope])
		}
	}
	for at := range m.objects {
		v, exists := m.latest(at)
		if !exists {
			continue
		}
		_, reader, err := m.GetObject(background, at.bucket, at.key, "", whole)
		if err != nil {
			m.rt.Fatalf("get %v: %v", at, err)
		}
		content, err := io.ReadAll(reader)
		if int64(len(content)) != v.size || errors.Join(err, reader.Close()) != nil {
			m.rt.Fatalf("get %v: %d bytes, error %v; the model has %d", at, len(content), err, v.size)
		}
	}
}

func TestStoreIsAsTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t, rt)
		defer m.finish()
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "copy": m.copyObject, "delete": m.remove, "delete version": m.removeVersion,
			"create upload": m.begin, "part": m.partOf, "complete": m.complete, "abort": m.abortUpload,
			"limit": m.setLimit, "count": m.countOn, "expire": m.expireAll, "remove user": m.removeUser,
			"": m.compare,
		})
	})
}

// newModel is a store as the model begins, empty, with rules by which something expires.
func newModel(t *testing.T, rt *rapid.T) *model {
	options := Options{Dir: t.TempDir(), NoSync: true, countRows: -1}
	clock := newClock()
	clock.options(&options)
	m := &model{
		fixture: openWith(t, options), rt: rt, clock: clock,
		limits: map[quota.Scope]quota.Limit{}, objects: map[place][]modelVersion{},
	}
	for _, bucket := range slices.Sorted(maps.Keys(modelBuckets)) {
		in := CreateBucketInput{Name: bucket, Owner: modelBuckets[bucket]}
		if err := m.CreateBucket(background, in); err != nil {
			rt.Fatal(err)
		}
	}
	if err := m.SetVersioning(background, "v", meta.VersioningEnabled); err != nil {
		rt.Fatal(err)
	}
	m.rules("b", lifecycle.Rule{ID: "z", Filter: lifecycle.Filter{Prefix: "z"}, ExpireDays: 1}, lifecycle.Rule{ID: "u", AbortDays: 1})
	m.rules("v", lifecycle.Rule{ID: "v", NoncurrentDays: 1, ExpireMarkers: true})
	return m
}
