package metatest

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// generator draws mutations that have a fair chance to succeed, and one to be refused.
type generator struct {
	*rapid.T
	model   *model
	blobs   int // how many blob ids are in use
	uploads int
	given   []meta.Segment // all segments so far, for sharing: some are gone by now
	newest  meta.VersionID // the greatest id so far
	// told are the accounts as the results have told of them, one after the other.
	told map[quota.Scope]quota.Account
}

func (g *generator) bucket() meta.BucketName {
	return rapid.SampledFrom([]meta.BucketName{"b", "b", "b", "a", "b.c"}).Draw(g.T, "bucket")
}

func (g *generator) key() meta.Key {
	return rapid.SampledFrom([]meta.Key{"k", "k", "k", "k\x00", "l/1", "\xff"}).Draw(g.T, "key")
}

// odds is true once in n times.
func (g *generator) odds(n int, what string) bool { return rapid.IntRange(1, n).Draw(g.T, what) == n }

// time is one of few, so that the clock goes back, and locks end.
func (g *generator) time() time.Time {
	return now.Add(time.Duration(rapid.IntRange(-1, 2).Draw(g.T, "time")) * time.Hour)
}

func (g *generator) limit() quota.Limit {
	return quota.Limit{
		MaxBytes:   rapid.SampledFrom([]int64{0, 0, 10, 60, 100, 200}).Draw(g.T, "bytes"),
		MaxObjects: rapid.SampledFrom([]int64{0, 0, 1, 2, 3, 6}).Draw(g.T, "objects"),
	}
}

func (g *generator) segments() (segments []meta.Segment, shared bool) {
	if len(g.given) > 0 && rapid.IntRange(0, 2).Draw(g.T, "shared") == 0 {
		return rapid.SliceOfN(rapid.SampledFrom(g.given), 1, 3).Draw(g.T, "segments"), true
	}
	for _, size := range rapid.SliceOfN(rapid.Int64Range(0, 40), 0, 2).Draw(g.T, "sizes") {
		g.blobs++
		s := meta.Segment{Blob: blob(g.blobs), Size: size}
		if g.odds(4, "encrypted") {
			s.Stored = size + 16
		}
		segments = append(segments, s)
	}
	g.given = append(g.given, segments...)
	return segments, false
}

func (g *generator) precondition() meta.Precondition {
	return rapid.SampledFrom([]meta.Precondition{
		{}, {}, {}, {}, {}, {}, {IfMatch: "*"}, {IfMatch: "e1"}, {IfNoneMatch: true}, {IfModified: now}, {IfNoncurrent: true},
	}).Draw(g.T, "precondition")
}

func (g *generator) retention() meta.Retention {
	mode := rapid.SampledFrom([]meta.RetentionMode{
		meta.RetentionNone, meta.RetentionGovernance, meta.RetentionCompliance,
	}).Draw(g.T, "mode")
	if mode == meta.RetentionNone {
		return meta.Retention{}
	}
	return meta.Retention{Mode: mode, Until: g.time()}
}

func (g *generator) legalHold() meta.LegalHold {
	return rapid.SampledFrom([]meta.LegalHold{
		meta.LegalHoldNone, meta.LegalHoldOff, meta.LegalHoldOn,
	}).Draw(g.T, "hold")
}

func (g *generator) tags() []meta.Tag {
	return rapid.SampledFrom([][]meta.Tag{
		nil, {{Key: "a", Value: "1"}}, {{Key: "z"}, {Key: "a", Value: "\x00"}},
	}).Draw(g.T, "tags")
}

func (g *generator) object() (o meta.Object) {
	o.ETag, o.Modified = rapid.SampledFrom([]meta.ETag{"e1", "e2"}).Draw(g.T, "etag"), g.time()
	if g.odds(5, "settings") {
		o.Settings = meta.Settings{Tags: g.tags(), Retention: g.retention(), LegalHold: g.legalHold(), ACL: []byte("acl")}
	}
	return o
}

// version names a version whose id is known, or none, or one that is not there.
func (g *generator) version(bucket meta.BucketName, key meta.Key) meta.VersionID {
	if b := g.model.buckets[bucket]; b != nil && g.odds(2, "named") {
		var known []meta.VersionID
		for _, v := range b.versions[key] {
			if v.object.Version != "" {
				known = append(known, v.object.Version)
			}
		}
		if len(known) > 0 {
			return rapid.SampledFrom(known).Draw(g.T, "version")
		}
	}
	others := []meta.VersionID{"", "", "", meta.NullVersion, "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
	return rapid.SampledFrom(others).Draw(g.T, "other version")
}

// upload returns an upload that is there, or was, or never will be.
func (g *generator) upload() (meta.BucketName, meta.Key, meta.UploadID) {
	type named struct {
		bucket meta.BucketName
		modelUpload
	}
	var all []named
	for _, bucket := range slices.Sorted(maps.Keys(g.model.buckets)) {
		for u := range g.model.buckets[bucket].uploads {
			all = append(all, named{bucket, u})
		}
	}
	if len(all) == 0 || g.odds(10, "any upload") {
		return g.bucket(), g.key(), meta.UploadID(fmt.Sprint(rapid.IntRange(0, g.uploads).Draw(g.T, "id")))
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(string(a.id), string(b.id)) })
	u := rapid.SampledFrom(all).Draw(g.T, "upload")
	return u.bucket, u.key, u.id
}

// batch draws mutations, each when the one before has been applied to the model.
func (g *generator) batch() iter.Seq[meta.Mutation] {
	return func(yield func(meta.Mutation) bool) {
		for range rapid.IntRange(1, 4).Draw(g.T, "batch") {
			if !yield(g.mutation()) {
				return
			}
		}
	}
}

func (g *generator) mutation() meta.Mutation {
	switch n := rapid.IntRange(0, 31).Draw(g.T, "mutation"); n {
	case 0, 1, 2, 3, 4, 5:
		return g.administration()
	case 6, 7, 8, 9, 10:
		m := meta.DeleteObject{
			Bucket: g.bucket(), Key: g.key(), Precondition: g.precondition(), Now: g.time(), Owner: "bob",
			Bypass: g.odds(4, "bypass"),
		}
		m.Version = g.version(m.Bucket, m.Key)
		return m
	case 11, 12:
		g.uploads++
		return createUpload(g.bucket(), g.key(), meta.UploadID(fmt.Sprintf("%04d", g.uploads)))
	case 13, 14, 15:
		m := meta.PutPart{Part: meta.Part{Number: rapid.IntRange(1, 3).Draw(g.T, "number"), Modified: now}}
		m.Bucket, m.Key, m.Upload = g.upload()
		m.Part.Segments, m.Shared = g.segments()
		m.Part.Size = sum(m.Part.Segments)
		return m
	case 16, 17:
		return g.complete()
	case 18:
		var m meta.AbortUpload
		m.Bucket, m.Key, m.Upload = g.upload()
		return m
	case 19:
		return meta.ForgetGarbage{Blobs: slices.Collect(maps.Keys(g.model.garbage))}
	case 20, 21:
		return g.update()
	case 22:
		return g.events()
	default:
		m := meta.PutObject{Bucket: g.bucket(), Key: g.key(), Object: g.object(), Precondition: g.precondition()}
		m.Object.Segments, m.Shared = g.segments()
		m.Object.Size = sum(m.Object.Segments)
		return m
	}
}

// administration draws mutations of buckets and records.
func (g *generator) administration() meta.Mutation {
	versioning := rapid.SampledFrom([]meta.Versioning{meta.VersioningEnabled, meta.VersioningSuspended})
	value := rapid.SampledFrom([][]byte{nil, {}, []byte("1"), []byte("2")})
	switch rapid.IntRange(0, 14).Draw(g.T, "administration") {
	case 0, 1, 2:
		m := createBucket(g.bucket())
		m.Bucket.Owner = rapid.SampledFrom([]string{"ada", "ada", "bob"}).Draw(g.T, "owner")
		m.Limit = g.limit()
		if g.odds(2, "versioned") {
			m.Bucket.Versioning = meta.VersioningEnabled
			m.Bucket.ObjectLock = g.odds(4, "lock")
			m.Configs = []meta.Config{{Kind: "policy", Value: []byte("p")}}
		}
		return m
	case 3:
		return meta.DeleteBucket{Bucket: g.bucket()}
	case 4:
		return meta.SetLimit{Scope: quota.BucketScope(string(g.bucket())), Limit: g.limit()}
	case 5:
		return meta.SetLimit{Scope: quota.ServerScope, Limit: g.limit()}
	case 11, 12:
		scope := quota.PrefixScope(string(g.bucket()), g.prefix())
		return meta.SetLimit{Scope: scope, Limit: g.limit(), Rows: g.rows()}
	case 13, 14:
		return g.countPrefix()
	case 10:
		owner := rapid.SampledFrom([]string{"ada", "ada", "bob", "b"}).Draw(g.T, "owner")
		return meta.SetLimit{Scope: quota.OwnerScope(owner), Limit: g.limit()}
	case 6:
		if g.odds(5, "lock") {
			return meta.SetObjectLock{Bucket: g.bucket()}
		}
		return meta.SetVersioning{Bucket: g.bucket(), Versioning: versioning.Draw(g.T, "versioning")}
	case 7:
		kind := rapid.SampledFrom([]meta.ConfigKind{"policy", "policies", "cors"}).Draw(g.T, "kind")
		return meta.PutBucketConfig{Bucket: g.bucket(), Kind: kind, Value: value.Draw(g.T, "value")}
	case 8:
		return g.record()
	default:
		a, b := g.record(), g.record()
		if a.Kind == b.Kind && a.Name == b.Name {
			return a
		}
		return meta.PutRecords{Records: []meta.PutRecord{a, b}}
	}
}

func (g *generator) record() meta.PutRecord {
	return meta.PutRecord{
		Kind:  rapid.SampledFrom([]meta.RecordKind{"user", "users"}).Draw(g.T, "kind"),
		Name:  rapid.SampledFrom([]string{"a", "a\x00"}).Draw(g.T, "name"),
		Value: rapid.SampledFrom([][]byte{nil, {}, []byte("1"), []byte("2")}).Draw(g.T, "value"),
		Condition: rapid.SampledFrom([]meta.RecordCondition{
			{}, {}, {Absent: true}, {Equals: []byte{}}, {Equals: []byte("1")},
		}).Draw(g.T, "condition"),
	}
}

func (g *generator) update() meta.Mutation {
	m := meta.UpdateObject{Bucket: g.bucket(), Key: g.key(), Now: g.time(), Bypass: g.odds(3, "bypass")}
	m.Version = g.version(m.Bucket, m.Key)
	if g.odds(2, "tagged") {
		tags := g.tags()
		m.Tags = &tags
	}
	if g.odds(2, "retained") {
		r := g.retention()
		m.Retention = &r
	}
	if g.odds(2, "held") {
		h := g.legalHold()
		m.LegalHold = &h
	}
	if g.odds(2, "granted") {
		acl := []byte("new")
		m.ACL = &acl
	}
	return m
}

func (g *generator) complete() meta.Mutation {
	m := meta.CompleteUpload{Object: g.object(), Precondition: g.precondition()}
	m.Bucket, m.Key, m.Upload = g.upload()
	if b := g.model.buckets[m.Bucket]; b != nil {
		parts := b.uploads[modelUpload{m.Key, m.Upload}]
		for _, number := range slices.Sorted(maps.Keys(parts)) {
			if rapid.IntRange(0, 3).Draw(g.T, "take") > 0 {
				m.Parts = append(m.Parts, parts[number])
			}
		}
	}
	if g.odds(10, "stale") {
		m.Parts = append(m.Parts, meta.Part{Number: 4})
	}
	for _, p := range m.Parts {
		m.Object.Size += p.Size
		m.Object.Parts = append(m.Object.Parts, meta.PartHead{Number: p.Number, Size: p.Size})
	}
	return m
}

func sum(segments []meta.Segment) (size int64) {
	for _, s := range segments {
		size += s.Size
	}
	return size
}
