package metatest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
}

func (g *generator) bucket() meta.BucketName {
	return rapid.SampledFrom([]meta.BucketName{"a", "b", "b.c"}).Draw(g.T, "bucket")
}

func (g *generator) key() meta.Key {
	return rapid.SampledFrom([]meta.Key{"k", "k\x00", "l/1", "\xff"}).Draw(g.T, "key")
}

func (g *generator) limit() quota.Limit {
	return quota.Limit{
		MaxBytes:   rapid.SampledFrom([]int64{0, 10, 60, 100, 200}).Draw(g.T, "bytes"),
		MaxObjects: rapid.SampledFrom([]int64{0, 1, 2, 3}).Draw(g.T, "objects"),
	}
}

func (g *generator) segments() (segments []meta.Segment, shared bool) {
	if len(g.given) > 0 && rapid.IntRange(0, 2).Draw(g.T, "shared") == 0 {
		return rapid.SliceOfN(rapid.SampledFrom(g.given), 1, 3).Draw(g.T, "segments"), true
	}
	for _, size := range rapid.SliceOfN(rapid.Int64Range(0, 40), 0, 2).Draw(g.T, "sizes") {
		g.blobs++
		segments = append(segments, meta.Segment{Blob: blob(g.blobs), Size: size})
	}
	g.given = append(g.given, segments...)
	return segments, false
}

func (g *generator) precondition() meta.Precondition {
	return rapid.SampledFrom([]meta.Precondition{
		{}, {}, {}, {}, {IfMatch: "*"}, {IfMatch: "e1"}, {IfNoneMatch: true},
	}).Draw(g.T, "precondition")
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
	if len(all) == 0 || rapid.IntRange(0, 9).Draw(g.T, "any upload") == 0 {
		return g.bucket(), g.key(), meta.UploadID(fmt.Sprint(rapid.IntRange(0, g.uploads).Draw(g.T, "id")))
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(string(a.id), string(b.id)) })
	u := rapid.SampledFrom(all).Draw(g.T, "upload")
	return u.bucket, u.key, u.id
}

func (g *generator) mutation() meta.Mutation {
	head := meta.ObjectHead{ETag: rapid.SampledFrom([]meta.ETag{"e1", "e2"}).Draw(g.T, "etag"), Modified: now}
	switch n := rapid.IntRange(0, 19).Draw(g.T, "mutation"); n {
	case 0, 1:
		m := createBucket(g.bucket())
		m.Limit = g.limit()
		return m
	case 2:
		return meta.DeleteBucket{Bucket: g.bucket()}
	case 3:
		return meta.SetLimit{Scope: quota.BucketScope(string(g.bucket())), Limit: g.limit()}
	case 4:
		return meta.SetLimit{Scope: quota.ServerScope, Limit: g.limit()}
	case 5, 6, 7:
		return meta.DeleteObject{Bucket: g.bucket(), Key: g.key(), Precondition: g.precondition()}
	case 8, 9:
		g.uploads++
		return createUpload(g.bucket(), g.key(), meta.UploadID(fmt.Sprintf("%04d", g.uploads)))
	case 10, 11, 12:
		m := meta.PutPart{Part: meta.Part{Number: rapid.IntRange(1, 3).Draw(g.T, "number"), Modified: now}}
		m.Bucket, m.Key, m.Upload = g.upload()
		m.Part.Segments, m.Shared = g.segments()
		m.Part.Size = sum(m.Part.Segments)
		return m
	case 13, 14:
		return g.complete(head)
	case 15:
		var m meta.AbortUpload
		m.Bucket, m.Key, m.Upload = g.upload()
		return m
	case 16:
		return meta.ForgetGarbage{Blobs: slices.Collect(maps.Keys(g.model.garbage))}
	default:
		m := meta.PutObject{Bucket: g.bucket(), Key: g.key(), Precondition: g.precondition()}
		m.Object.ObjectHead = head
		m.Object.Segments, m.Shared = g.segments()
		m.Object.Size = sum(m.Object.Segments)
		return m
	}
}

func (g *generator) complete(head meta.ObjectHead) meta.Mutation {
	m := meta.CompleteUpload{Precondition: g.precondition()}
	m.Bucket, m.Key, m.Upload = g.upload()
	m.Object.ObjectHead = head
	if b := g.model.buckets[m.Bucket]; b != nil {
		parts := b.uploads[modelUpload{m.Key, m.Upload}]
		for _, number := range slices.Sorted(maps.Keys(parts)) {
			if rapid.IntRange(0, 3).Draw(g.T, "take") > 0 {
				m.Parts = append(m.Parts, parts[number])
			}
		}
	}
	if rapid.IntRange(0, 9).Draw(g.T, "stale") == 0 {
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
