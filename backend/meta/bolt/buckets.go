package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (b *batch) createBucket(m meta.CreateBucket) (meta.Result, error) {
	if err := validateBucketName(m.Bucket.Name); err != nil {
		return meta.Result{}, err
	}
	if !m.Limit.Valid() {
		return meta.Result{}, invalid("limit %+v", m.Limit)
	}
	if b.bucketExists(m.Bucket.Name) {
		return meta.Result{}, meta.ErrBucketExists
	}
	key := []byte(m.Bucket.Name)
	b.put(b.buckets, key, encodeBucket(key, m.Bucket))
	scope := quota.BucketScope(string(m.Bucket.Name))
	b.writeLimit(scope, m.Limit)
	a := account{limit: m.Limit}
	b.entries[scope] = entry{account: a, unwritten: true}
	return meta.Result{Accounts: []quota.Account{a.public(scope)}}, nil
}

func (b *batch) deleteBucket(m meta.DeleteBucket) (meta.Result, error) {
	scope := quota.BucketScope(string(m.Bucket))
	if !b.bucketExists(m.Bucket) {
		return meta.Result{}, meta.ErrNoSuchBucket
	}
	prefix := bucketPrefix(m.Bucket)
	if key, _ := b.objects.Cursor().Seek(prefix); bytes.HasPrefix(key, prefix) {
		return meta.Result{}, meta.ErrBucketNotEmpty
	}
	refs, delta := b.references(), quota.Delta{}
	partKeys, err := b.dropParts(prefix, refs, &delta)
	if err != nil {
		return meta.Result{}, err
	}
	uploadKeys := keysUnder(b.uploads, prefix)
	delta.Uploads = -int64(len(uploadKeys))
	bl, err := b.charge(m.Bucket, delta)
	if err != nil {
		return meta.Result{}, err
	}
	for _, k := range partKeys {
		b.delete(b.parts, k)
	}
	for _, k := range uploadKeys {
		b.delete(b.uploads, k)
	}
	key := scopeKey(scope)
	b.delete(b.buckets, []byte(m.Bucket))
	b.delete(b.limits, key)
	b.delete(b.usage, key)
	accounts := b.pay(bl)
	b.entries[scope] = entry{removed: true}
	return meta.Result{Garbage: refs.write(), Accounts: accounts[:1], RemovedScope: scope}, nil
}

func (b *batch) setLimit(m meta.SetLimit) (meta.Result, error) {
	if !m.Limit.Valid() {
		return meta.Result{}, invalid("limit %+v", m.Limit)
	}
	switch {
	case m.Scope == quota.ServerScope:
	case m.Scope.Kind == quota.Bucket:
	default:
		return meta.Result{}, invalid("a limit for scope %+v", m.Scope)
	}
	a, exists := b.account(m.Scope)
	if !exists {
		return meta.Result{}, meta.ErrNoSuchBucket
	}
	if a.err != nil {
		return meta.Result{}, a.err
	}
	b.writeLimit(m.Scope, m.Limit)
	e := b.entries[m.Scope]
	e.account = a
	e.limit = m.Limit
	b.entries[m.Scope] = e
	return meta.Result{Accounts: []quota.Account{e.public(m.Scope)}}, nil
}

// writeLimit writes a scope's limit; no limit is no row.
func (b *batch) writeLimit(scope quota.Scope, l quota.Limit) {
	key := scopeKey(scope)
	if l.Unlimited() {
		b.delete(b.limits, key)
		return
	}
	b.put(b.limits, key, encodeLimit(key, l))
}

// keysUnder returns copies of the keys with a prefix. Rows are deleted from such a list, since deleting under a cursor
// moves it.
func keysUnder(table *bbolt.Bucket, prefix []byte) [][]byte {
	var keys [][]byte
	c := table.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}
