package bolt

import (
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// stored returns the object under a key of the table, nil where there is none.
func (b *batch) stored(key []byte) (*meta.Object, error) {
	value := b.objects.Get(key)
	if value == nil {
		return nil, nil
	}
	o, err := decodeObject(key, value)
	if err != nil {
		return nil, err
	}
	return &o, nil
}

func checkPrecondition(p meta.Precondition, stored *meta.Object) error {
	if p.IfMatch != "" {
		if stored == nil {
			return meta.ErrNoSuchKey
		}
		if p.IfMatch != "*" && p.IfMatch != stored.ETag {
			return meta.ErrPreconditionFailed
		}
	}
	if p.IfNoneMatch && stored != nil {
		return meta.ErrPreconditionFailed
	}
	return nil
}

// replacement returns what changes in Bytes and Objects when an object of size takes the place of stored.
func replacement(size int64, stored *meta.Object) quota.Delta {
	if stored == nil {
		return quota.Delta{Bytes: size, Objects: 1}
	}
	return quota.Delta{Bytes: size - stored.Size}
}

func (b *batch) putObject(m meta.PutObject) (meta.Result, error) {
	if !b.bucketExists(m.Bucket) {
		return meta.Result{}, meta.ErrNoSuchBucket
	}
	if err := validateKey(m.Key); err != nil {
		return meta.Result{}, err
	}
	if err := validateObject(&m.Object); err != nil {
		return meta.Result{}, err
	}
	key := objectKey(m.Bucket, m.Key)
	stored, err := b.stored(key)
	if err != nil {
		return meta.Result{}, err
	}
	if err := checkPrecondition(m.Precondition, stored); err != nil {
		return meta.Result{}, err
	}
	refs := b.references()
	if err := refs.add(m.Object.Segments, m.Shared); err != nil {
		return meta.Result{}, err
	}
	if stored != nil {
		if err := refs.drop(stored.Segments); err != nil {
			return meta.Result{}, err
		}
	}
	bl, err := b.admit(m.Bucket, quota.Operation{Kind: quota.Put, Delta: replacement(m.Object.Size, stored)})
	if err != nil {
		return meta.Result{}, err
	}
	b.put(b.objects, key, encodeObject(key, &m.Object))
	return meta.Result{Garbage: refs.write(), Accounts: b.pay(bl)}, nil
}

func (b *batch) deleteObject(m meta.DeleteObject) (meta.Result, error) {
	if !b.bucketExists(m.Bucket) {
		return meta.Result{}, meta.ErrNoSuchBucket
	}
	if err := validateKey(m.Key); err != nil {
		return meta.Result{}, err
	}
	key := objectKey(m.Bucket, m.Key)
	stored, err := b.stored(key)
	if err != nil {
		return meta.Result{}, err
	}
	if err := checkPrecondition(m.Precondition, stored); err != nil {
		return meta.Result{}, err
	}
	if stored == nil {
		return meta.Result{}, nil
	}
	refs := b.references()
	if err := refs.drop(stored.Segments); err != nil {
		return meta.Result{}, err
	}
	bl, err := b.charge(m.Bucket, quota.Delta{Bytes: -stored.Size, Objects: -1})
	if err != nil {
		return meta.Result{}, err
	}
	b.delete(b.objects, key)
	return meta.Result{Garbage: refs.write(), Accounts: b.pay(bl)}, nil
}
