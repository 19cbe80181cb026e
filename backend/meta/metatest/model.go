package metatest

import (
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// model is the simplest thing that behaves like a repository: maps, lists of versions, and every figure counted anew
// each time.
type model struct {
	server  quota.Limit
	owners  map[string]quota.Limit // those who have one
	buckets map[meta.BucketName]*modelBucket
	records map[modelRecord]string
	garbage map[meta.BlobID]bool
	events  []meta.Event
	last    uint64 // sequence of the last event
}

type modelBucket struct {
	owner      string
	limit      quota.Limit
	versioning meta.Versioning
	lock       bool
	configs    map[meta.ConfigKind]string
	versions   map[meta.Key][]*modelVersion // the newest first; no key without versions
	uploads    map[modelUpload]map[int]meta.Part
	prefixes   map[string]*modelPrefix
}

// modelVersion is an object or a delete marker. Its id is not known until the repository has told it; until then, no
// mutation names it.
type modelVersion struct {
	object meta.Object // of a marker, Modified, Owner and Version only
	marker bool
	null   bool
}

type modelUpload struct {
	key meta.Key
	id  meta.UploadID
}

type modelRecord struct {
	kind meta.RecordKind
	name string
}

// outcome is what the result of a mutation must tell.
type outcome struct {
	err     error
	garbage []meta.BlobID
	made    *modelVersion // whose id the result tells
	version meta.VersionID
	marker  bool
}

func newModel() *model {
	return &model{
		owners:  map[string]quota.Limit{},
		buckets: map[meta.BucketName]*modelBucket{}, records: map[modelRecord]string{}, garbage: map[meta.BlobID]bool{},
	}
}

// latest returns the object that is the latest version of a key, nil where there is none or it is a delete marker.
func (b *modelBucket) latest(key meta.Key) *modelVersion {
	if versions := b.versions[key]; len(versions) > 0 && !versions[0].marker {
		return versions[0]
	}
	return nil
}

func (b *modelBucket) find(key meta.Key, id meta.VersionID) *modelVersion {
	for _, v := range b.versions[key] {
		if v.object.Version == id || (v.null && id == meta.NullVersion) {
			return v
		}
	}
	return nil
}

func countVersions(versions []*modelVersion) (d quota.Delta) {
	for i, v := range versions {
		if v.marker {
			d = d.Add(quota.Delta{Markers: 1})
			continue
		}
		d = d.Add(quota.Delta{Bytes: v.object.Size, Objects: 1, Noncurrent: int64(min(i, 1))})
	}
	return d
}

func (m *model) usage(name meta.BucketName) (u quota.Usage) {
	b := m.buckets[name]
	for _, versions := range b.versions {
		u = u.Apply(countVersions(versions))
	}
	for _, parts := range b.uploads {
		u = u.Apply(quota.Delta{PartBytes: sizeOf(parts), Uploads: 1})
	}
	return u
}

func (m *model) accounts() []quota.Account {
	server := quota.Account{Scope: quota.ServerScope, Limit: m.server}
	owners := map[string]quota.Usage{}
	for owner := range m.owners {
		owners[owner] = quota.Usage{}
	}
	var buckets []quota.Account
	for _, name := range slices.Sorted(maps.Keys(m.buckets)) {
		u, b := m.usage(name), m.buckets[name]
		server.Usage = server.Usage.Apply(quota.Delta(u))
		owners[b.owner] = owners[b.owner].Apply(quota.Delta(u))
		buckets = append(buckets, quota.Account{Scope: quota.BucketScope(string(name)), Limit: b.limit, Usage: u})
	}
	accounts := []quota.Account{server}
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		accounts = append(accounts, quota.Account{
			Scope: quota.OwnerScope(owner), Limit: m.owners[owner], Usage: owners[owner],
		})
	}
	return append(append(accounts, buckets...), m.prefixAccounts()...)
}

func (m *model) admit(bucket meta.BucketName, key meta.Key, op quota.Operation) error {
	scopes := []quota.Scope{
		quota.ServerScope, quota.OwnerScope(m.buckets[bucket].owner), quota.BucketScope(string(bucket)),
	}
	for prefix := range m.buckets[bucket].prefixes {
		if strings.HasPrefix(string(key), prefix) {
			scopes = append(scopes, quota.PrefixScope(string(bucket), prefix))
		}
	}
	for _, a := range m.accounts() {
		if slices.Contains(scopes, a.Scope) {
			if err := quota.Admit(a, op); err != nil {
				return err
			}
		}
	}
	return nil
}

// live counts how often segments name each blob.
func (m *model) live() map[meta.BlobID]int {
	live := make(map[meta.BlobID]int)
	add := func(segments []meta.Segment) {
		for _, s := range segments {
			live[s.Blob]++
		}
	}
	for _, b := range m.buckets {
		for _, versions := range b.versions {
			for _, v := range versions {
				add(v.object.Segments)
			}
		}
		for _, parts := range b.uploads {
			for _, p := range parts {
				add(p.Segments)
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

// apply does what a repository must do, and returns what its result must tell.
func (m *model) apply(mutation meta.Mutation) outcome {
	before := m.live()
	out := m.change(mutation, before)
	if out.err != nil {
		return outcome{err: out.err}
	}
	after := m.live()
	for id := range before {
		if after[id] == 0 {
			out.garbage = append(out.garbage, id)
			m.garbage[id] = true
		}
	}
	return out
}

func (m *model) change(mutation meta.Mutation, live map[meta.BlobID]int) outcome {
	switch x := mutation.(type) {
	case meta.PutObject:
		return m.putObject(x, live)
	case meta.DeleteObject:
		return m.deleteObject(x)
	case meta.UpdateObject:
		return m.updateObject(x)
	case meta.CreateUpload, meta.PutPart, meta.CompleteUpload, meta.AbortUpload:
		return m.changeUpload(mutation, live)
	case meta.PutRecord:
		return outcome{err: m.putRecords(x)}
	case meta.PutRecords:
		return outcome{err: m.putRecords(x.Records...)}
	case meta.AppendEvents:
		m.appendEvents(x)
		return outcome{}
	case meta.ForgetEvents:
		for n := 0; n < x.Limit && len(m.events) > 0 && m.events[0].Sequence <= x.Through; n++ {
			m.events = m.events[1:]
		}
		return outcome{}
	case meta.ForgetGarbage:
		for _, id := range x.Blobs {
			delete(m.garbage, id)
		}
		return outcome{}
	default:
		return outcome{err: m.changeBucket(mutation)}
	}
}

func (m *model) putRecords(records ...meta.PutRecord) error {
	for _, r := range records {
		old, exists := m.records[modelRecord{r.Kind, r.Name}]
		if c := r.Condition; (c.Absent && exists) || (c.Equals != nil && (!exists || old != string(c.Equals))) {
			return meta.ErrRecordConflict
		}
	}
	for _, r := range records {
		if r.Value == nil {
			delete(m.records, modelRecord{r.Kind, r.Name})
		} else {
			m.records[modelRecord{r.Kind, r.Name}] = string(r.Value)
		}
	}
	return nil
}

// changeBucket applies the mutations of buckets.
func (m *model) changeBucket(mutation meta.Mutation) error {
	switch x := mutation.(type) {
	case meta.CreateBucket:
		if m.buckets[x.Bucket.Name] != nil {
			return meta.ErrBucketExists
		}
		b := &modelBucket{
			owner: x.Bucket.Owner, limit: x.Limit, versioning: x.Bucket.Versioning, lock: x.Bucket.ObjectLock,
			configs: map[meta.ConfigKind]string{}, versions: map[meta.Key][]*modelVersion{},
			uploads: map[modelUpload]map[int]meta.Part{}, prefixes: map[string]*modelPrefix{},
		}
		for _, c := range x.Configs {
			b.configs[c.Kind] = string(c.Value)
		}
		m.buckets[x.Bucket.Name] = b
		return nil
	case meta.CountPrefix:
		return m.countPrefix(x)
	case meta.SetLimit:
		switch {
		case x.Scope.Kind == quota.Prefix:
			return m.setPrefixLimit(x)
		case x.Scope == quota.ServerScope:
			m.server = x.Limit
			return nil
		case x.Scope.Kind == quota.Owner && x.Limit.Unlimited():
			delete(m.owners, x.Scope.Name)
			return nil
		case x.Scope.Kind == quota.Owner:
			m.owners[x.Scope.Name] = x.Limit
			return nil
		}
		b := m.buckets[meta.BucketName(x.Scope.Name)]
		if b == nil {
			return meta.ErrNoSuchBucket
		}
		b.limit = x.Limit
		return nil
	}
	return m.configure(mutation)
}

// configure applies the mutations of buckets that are there.
func (m *model) configure(mutation meta.Mutation) error {
	var name meta.BucketName
	switch x := mutation.(type) {
	case meta.DeleteBucket:
		name = x.Bucket
	case meta.SetVersioning:
		name = x.Bucket
	case meta.SetObjectLock:
		name = x.Bucket
	case meta.PutBucketConfig:
		name = x.Bucket
	}
	b := m.buckets[name]
	if b == nil {
		return meta.ErrNoSuchBucket
	}
	switch x := mutation.(type) {
	case meta.DeleteBucket:
		if len(b.versions) > 0 {
			return meta.ErrBucketNotEmpty
		}
		delete(m.buckets, name)
	case meta.SetVersioning:
		if b.lock && x.Versioning != meta.VersioningEnabled {
			return meta.ErrLockNeedsVersioning
		}
		b.versioning = x.Versioning
	case meta.SetObjectLock:
		if b.versioning != meta.VersioningEnabled {
			return meta.ErrLockNeedsVersioning
		}
		b.lock = true
	case meta.PutBucketConfig:
		if x.Value == nil {
			delete(b.configs, x.Kind)
		} else {
			b.configs[x.Kind] = string(x.Value)
		}
	}
	return nil
}
