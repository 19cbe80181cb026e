package bolt

import (
	"bytes"
	"math"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// storedUpload returns the row of an upload, or meta.ErrNoSuchUpload.
func (b *batch) storedUpload(key []byte) (meta.Upload, error) {
	value := b.uploads.Get(key)
	if value == nil {
		return meta.Upload{}, meta.ErrNoSuchUpload
	}
	return decodeUpload(key, value)
}

func (b *batch) createUpload(m meta.CreateUpload) (meta.Result, error) {
	if _, err := b.bucket(m.Upload.Bucket); err != nil {
		return meta.Result{}, err
	}
	if err := validateKey(m.Upload.Key); err != nil {
		return meta.Result{}, err
	}
	if err := validateUploadID(m.Upload.ID); err != nil {
		return meta.Result{}, err
	}
	if err := validateSettings(&m.Upload.Settings); err != nil {
		return meta.Result{}, err
	}
	key := uploadKey(m.Upload.Bucket, m.Upload.Key, m.Upload.ID)
	if b.uploads.Get(key) != nil {
		return meta.Result{}, invalid("upload %q is not new", m.Upload.ID)
	}
	bl, err := b.charge(m.Upload.Bucket, m.Upload.Key, quota.Delta{Uploads: 1})
	if err != nil {
		return meta.Result{}, err
	}
	m.Upload.PartBytes = 0
	b.put(b.uploads, key, encodeUpload(key, &m.Upload))
	return meta.Result{Accounts: b.pay(bl)}, nil
}

func (b *batch) putPart(m meta.PutPart) (meta.Result, error) {
	if err := validatePart(&m.Part); err != nil {
		return meta.Result{}, err
	}
	row := uploadKey(m.Bucket, m.Key, m.Upload)
	u, err := b.storedUpload(row)
	if err != nil {
		return meta.Result{}, err
	}
	refs := b.references()
	if err := refs.add(m.Part.Segments, m.Shared); err != nil {
		return meta.Result{}, err
	}
	key, replaced := partKey(row, m.Part.Number), int64(0)
	if value := b.parts.Get(key); value != nil {
		old, err := decodePart(key, value)
		if err != nil {
			return meta.Result{}, err
		}
		if err := refs.drop(old.Segments); err != nil {
			return meta.Result{}, err
		}
		replaced = old.Size
	}
	if replaced > u.PartBytes {
		return meta.Result{}, corruptRow(tableUploads, row, errPartBytes)
	}
	if m.Part.Size > math.MaxInt64-(u.PartBytes-replaced) {
		return meta.Result{}, invalid("parts beyond the range of int64")
	}
	u.PartBytes += m.Part.Size - replaced
	completed, err := b.completedNow(m.Bucket, m.Key, u.PartBytes)
	if err != nil {
		return meta.Result{}, err
	}
	delta := quota.Delta{PartBytes: m.Part.Size - replaced}
	bl, err := b.admit(m.Bucket, m.Key, quota.Operation{Kind: quota.Part, Delta: delta, Completed: completed})
	if err != nil {
		return meta.Result{}, err
	}
	b.put(b.parts, key, encodePart(key, &m.Part))
	b.put(b.uploads, row, encodeUpload(row, &u))
	return meta.Result{Garbage: refs.write(), Accounts: b.pay(bl)}, nil
}

// completedNow returns what would change if an upload became an object of size now. Only the head of the object in its
// place is read: this is asked for every part.
func (b *batch) completedNow(name meta.BucketName, key meta.Key, size int64) (quota.Delta, error) {
	bucket, err := b.bucket(name)
	if err != nil || bucket.Versioning == meta.VersioningEnabled {
		return quota.Delta{Bytes: size, Objects: 1}, err
	}
	r := newKeyReader(b.objects, b.versions, b.nulls, bucket, key)
	head, found, err := r.nullHead()
	if err != nil || !found {
		return quota.Delta{Bytes: size, Objects: 1}, err
	}
	return quota.Delta{Bytes: size - head.Size}, nil
}

func (b *batch) completeUpload(m meta.CompleteUpload) (meta.Result, error) {
	row := uploadKey(m.Bucket, m.Key, m.Upload)
	if _, err := b.storedUpload(row); err != nil {
		return meta.Result{}, err
	}
	c, err := b.change(m.Bucket, m.Key)
	if err != nil {
		return meta.Result{}, err
	}
	if err := checkPrecondition(m.Precondition, c.latest, true, meta.ErrNoSuchKey); err != nil {
		return meta.Result{}, err
	}
	taken, err := b.takeParts(row, m.Parts, c.refs)
	if err != nil {
		return meta.Result{}, err
	}
	m.Object.Segments = taken.segments
	if err := validateObject(&m.Object); err != nil {
		return meta.Result{}, err
	}
	delta := quota.Delta{PartBytes: -taken.partBytes, Uploads: -1}
	result, err := c.store(&m.Object, quota.Operation{Kind: quota.Complete, Delta: delta})
	if err != nil {
		return meta.Result{}, err
	}
	for _, k := range taken.keys {
		b.delete(b.parts, k)
	}
	b.delete(b.uploads, row)
	return result, nil
}

// takenParts is what an upload's parts leave to the object.
type takenParts struct {
	segments  []meta.Segment
	keys      [][]byte // of all parts, in the parts table
	partBytes int64    // of all parts
}

// takeParts walks over all parts of an upload: those that are given must be stored as they are given, else it fails
// with meta.ErrStale; the references of the others are dropped.
func (b *batch) takeParts(row []byte, given []meta.Part, refs *references) (takenParts, error) {
	for i := range given {
		if i > 0 && given[i].Number <= given[i-1].Number {
			return takenParts{}, invalid("parts are not in ascending order")
		}
	}
	var taken takenParts
	c := b.parts.Cursor()
	for k, v := c.Seek(row); bytes.HasPrefix(k, row); k, v = c.Next() {
		part, err := decodePart(k, v)
		if err != nil {
			return takenParts{}, err
		}
		taken.keys = append(taken.keys, bytes.Clone(k))
		taken.partBytes += part.Size
		if len(given) == 0 || given[0].Number > part.Number {
			if err := refs.drop(part.Segments); err != nil {
				return takenParts{}, err
			}
			continue
		}
		if given[0].Number != part.Number || !slices.Equal(given[0].Segments, part.Segments) {
			return takenParts{}, meta.ErrStale
		}
		taken.segments = append(taken.segments, part.Segments...)
		given = given[1:]
	}
	if len(given) > 0 {
		return takenParts{}, meta.ErrStale
	}
	return taken, nil
}

func (b *batch) abortUpload(m meta.AbortUpload) (meta.Result, error) {
	row := uploadKey(m.Bucket, m.Key, m.Upload)
	if _, err := b.storedUpload(row); err != nil {
		return meta.Result{}, err
	}
	refs, delta := b.references(), quota.Delta{Uploads: -1}
	keys, err := b.dropParts(row, refs, &delta)
	if err != nil {
		return meta.Result{}, err
	}
	bl, err := b.charge(m.Bucket, m.Key, delta)
	if err != nil {
		return meta.Result{}, err
	}
	for _, k := range keys {
		b.delete(b.parts, k)
	}
	b.delete(b.uploads, row)
	return meta.Result{Garbage: refs.write(), Accounts: b.pay(bl)}, nil
}

// dropParts drops the references of all parts under a prefix, and returns their keys. It changes nothing yet.
func (b *batch) dropParts(prefix []byte, refs *references, delta *quota.Delta) ([][]byte, error) {
	var keys [][]byte
	c := b.parts.Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		part, err := decodePart(k, v)
		if err != nil {
			return nil, err
		}
		if err := refs.drop(part.Segments); err != nil {
			return nil, err
		}
		keys = append(keys, bytes.Clone(k))
		*delta = delta.Add(quota.Delta{PartBytes: -part.Size})
	}
	return keys, nil
}
