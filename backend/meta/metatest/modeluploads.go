package metatest

import (
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// changeUpload applies the mutations of multipart uploads.
func (m *model) changeUpload(mutation meta.Mutation, live map[meta.BlobID]int) outcome {
	var bucket meta.BucketName
	var u modelUpload
	switch x := mutation.(type) {
	case meta.CreateUpload:
		if m.buckets[x.Upload.Bucket] == nil {
			return outcome{err: meta.ErrNoSuchBucket}
		}
		m.buckets[x.Upload.Bucket].uploads[modelUpload{x.Upload.Key, x.Upload.ID}] = map[int]meta.Part{}
		return outcome{}
	case meta.PutPart:
		bucket, u = x.Bucket, modelUpload{x.Key, x.Upload}
	case meta.CompleteUpload:
		bucket, u = x.Bucket, modelUpload{x.Key, x.Upload}
	case meta.AbortUpload:
		bucket, u = x.Bucket, modelUpload{x.Key, x.Upload}
	}
	b := m.buckets[bucket]
	if b == nil || b.uploads[u] == nil {
		return outcome{err: meta.ErrNoSuchUpload}
	}
	switch x := mutation.(type) {
	case meta.PutPart:
		return outcome{err: m.putPart(x, b, u, live)}
	case meta.CompleteUpload:
		return m.completeUpload(x, b, u)
	default:
		delete(b.uploads, u)
		return outcome{}
	}
}

func (m *model) putPart(x meta.PutPart, b *modelBucket, u modelUpload, live map[meta.BlobID]int) error {
	if err := stale(x.Part.Segments, x.Shared, live); err != nil {
		return err
	}
	parts := b.uploads[u]
	change := x.Part.Size - parts[x.Part.Number].Size
	whole := &modelVersion{}
	whole.object.Size = sizeOf(parts) + change
	err := m.admit(x.Bucket, x.Key, quota.Operation{
		Kind: quota.Part, Delta: quota.Delta{PartBytes: change}, Completed: b.change(u.key, b.with(u.key, whole)),
	})
	if err != nil {
		return err
	}
	parts[x.Part.Number] = x.Part
	return nil
}

func (m *model) completeUpload(x meta.CompleteUpload, b *modelBucket, u modelUpload) outcome {
	if err := b.check(x.Key, "", x.Precondition); err != nil {
		return outcome{err: err}
	}
	parts := b.uploads[u]
	for _, p := range x.Parts {
		if stored, exists := parts[p.Number]; !exists || !slices.Equal(stored.Segments, p.Segments) {
			return outcome{err: meta.ErrStale}
		}
		x.Object.Segments = append(x.Object.Segments, p.Segments...)
	}
	out := m.store(x.Bucket, x.Key, x.Object, quota.Operation{
		Kind: quota.Complete, Delta: quota.Delta{PartBytes: -sizeOf(parts), Uploads: -1},
	})
	if out.err == nil {
		delete(b.uploads, u)
	}
	return out
}
