package bolt

import (
	"bytes"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (b *batch) createBucket(m meta.CreateBucket) (meta.Result, error) {
	if err := validateBucketName(m.Bucket.Name); err != nil {
		return meta.Result{}, err
	}
	if err := validateOwner(m.Bucket.Owner); err != nil {
		return meta.Result{}, err
	}
	if !m.Limit.Valid() {
		return meta.Result{}, invalid("limit %+v", m.Limit)
	}
	scope, owner := quota.BucketScope(string(m.Bucket.Name)), quota.OwnerScope(m.Bucket.Owner)
	if _, exists := b.account(scope); exists {
		return meta.Result{}, meta.ErrBucketExists
	}
	if m.Bucket.Versioning > meta.VersioningSuspended {
		return meta.Result{}, invalid("versioning %d", m.Bucket.Versioning)
	}
	if m.Bucket.ObjectLock && m.Bucket.Versioning != meta.VersioningEnabled {
		return meta.Result{}, meta.ErrLockNeedsVersioning
	}
	for _, c := range m.Configs {
		if err := validateKind(string(c.Kind)); err != nil {
			return meta.Result{}, err
		}
	}
	o, _ := b.account(owner)
	if o.err != nil {
		return meta.Result{}, o.err
	}
	b.writeBucket(m.Bucket)
	for _, c := range m.Configs {
		b.writeConfig(m.Bucket.Name, c)
	}
	b.writeLimit(scope, m.Limit)
	a := account{limit: m.Limit, bucket: storedAs(m.Bucket)}
	b.entries[scope] = entry{account: a, unwritten: true}
	o.owned++
	b.entries[owner] = entry{account: o, unwritten: true}
	return meta.Result{Accounts: []quota.Account{o.public(owner), a.public(scope)}}, nil
}

func (b *batch) deleteBucket(m meta.DeleteBucket) (meta.Result, error) {
	scope := quota.BucketScope(string(m.Bucket))
	bucket, err := b.bucket(m.Bucket)
	if err != nil {
		return meta.Result{}, err
	}
	prefix := bucketPrefix(m.Bucket)
	for _, table := range []table{b.objects, b.versions} {
		if key, _ := table.Cursor().Seek(prefix); bytes.HasPrefix(key, prefix) {
			return meta.Result{}, meta.ErrBucketNotEmpty
		}
	}
	refs, delta := b.references(), quota.Delta{}
	partKeys, err := b.dropParts(prefix, refs, &delta)
	if err != nil {
		return meta.Result{}, err
	}
	uploadKeys := keysUnder(b.uploads, prefix)
	delta.Uploads = -int64(len(uploadKeys))
	bl, err := b.charge(m.Bucket, "", delta)
	if err != nil {
		return meta.Result{}, err
	}
	for _, k := range partKeys {
		b.delete(b.parts, k)
	}
	for _, k := range uploadKeys {
		b.delete(b.uploads, k)
	}
	for _, k := range keysUnder(b.configs, prefix) {
		b.delete(b.configs, k)
	}
	b.delete(b.buckets, []byte(m.Bucket))
	prefixes, accounts := bl.lines[0].after.prefixes, b.pay(bl)
	accounts = accounts[:len(accounts)-1]
	b.removeAccount(scope)
	removed := []quota.Scope{scope}
	for _, prefix := range prefixes {
		removed = append(removed, quota.PrefixScope(string(m.Bucket), prefix))
		b.removeAccount(removed[len(removed)-1])
	}
	owner := quota.OwnerScope(bucket.Owner)
	o := b.entries[owner]
	o.owned--
	b.entries[owner] = o
	if o.owned == 0 && o.limit.Unlimited() {
		accounts = accounts[:len(accounts)-1]
		b.removeAccount(owner)
		removed = append(removed, owner)
	}
	return meta.Result{Garbage: refs.write(), Accounts: accounts, RemovedScopes: removed}, nil
}

// removeAccount removes a scope with its limit and its usage.
func (b *batch) removeAccount(scope quota.Scope) {
	key := scopeKey(scope)
	b.delete(b.limits, key)
	b.delete(b.usage, key)
	b.entries[scope] = entry{removed: true}
}

func (b *batch) writeBucket(bucket meta.Bucket) {
	key := []byte(bucket.Name)
	b.put(b.buckets, key, encodeBucket(key, bucket))
}

// storedAs is a bucket as it is read back.
func storedAs(bucket meta.Bucket) meta.Bucket {
	bucket.Created = bucket.Created.Truncate(time.Millisecond).UTC()
	return bucket
}

func (b *batch) setVersioning(m meta.SetVersioning) (meta.Result, error) {
	if m.Versioning != meta.VersioningEnabled && m.Versioning != meta.VersioningSuspended {
		return meta.Result{}, invalid("versioning %d", m.Versioning)
	}
	bucket, err := b.bucket(m.Bucket)
	if err != nil {
		return meta.Result{}, err
	}
	if bucket.ObjectLock && m.Versioning != meta.VersioningEnabled {
		return meta.Result{}, meta.ErrLockNeedsVersioning
	}
	bucket.Versioning = m.Versioning
	b.changeBucket(bucket)
	return meta.Result{}, nil
}

func (b *batch) setObjectLock(m meta.SetObjectLock) (meta.Result, error) {
	bucket, err := b.bucket(m.Bucket)
	if err != nil {
		return meta.Result{}, err
	}
	if bucket.Versioning != meta.VersioningEnabled {
		return meta.Result{}, meta.ErrLockNeedsVersioning
	}
	bucket.ObjectLock = true
	b.changeBucket(bucket)
	return meta.Result{}, nil
}

// changeBucket writes the row of a bucket that is there.
func (b *batch) changeBucket(bucket meta.Bucket) {
	b.writeBucket(bucket)
	scope := quota.BucketScope(string(bucket.Name))
	e := b.entries[scope]
	e.account, _ = b.account(scope)
	e.bucket = bucket
	b.entries[scope] = e
}

func (b *batch) setLimit(m meta.SetLimit) (meta.Result, error) {
	if !m.Limit.Valid() {
		return meta.Result{}, invalid("limit %+v", m.Limit)
	}
	switch {
	case m.Scope.Prefix != "" && m.Scope.Kind != quota.Prefix:
		return meta.Result{}, invalid("a limit for scope %+v", m.Scope)
	case m.Scope == quota.ServerScope:
	case m.Scope.Kind == quota.Bucket:
	case m.Scope.Kind == quota.Owner:
		return b.setOwnerLimit(m)
	case m.Scope.Kind == quota.Prefix:
		return b.setPrefixLimit(m)
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

// setOwnerLimit sets the limit of an owner, who need not have an account yet.
func (b *batch) setOwnerLimit(m meta.SetLimit) (meta.Result, error) {
	if err := validateOwner(m.Scope.Name); err != nil {
		return meta.Result{}, err
	}
	a, exists := b.account(m.Scope)
	if a.err != nil {
		return meta.Result{}, a.err
	}
	if a.owned == 0 && m.Limit.Unlimited() {
		if !exists {
			return meta.Result{}, nil
		}
		b.removeAccount(m.Scope)
		return meta.Result{RemovedScopes: []quota.Scope{m.Scope}}, nil
	}
	b.writeLimit(m.Scope, m.Limit)
	a.limit = m.Limit
	b.entries[m.Scope] = entry{account: a, unwritten: true}
	return meta.Result{Accounts: []quota.Account{a.public(m.Scope)}}, nil
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
func keysUnder(table table, prefix []byte) [][]byte {
	var keys [][]byte
	c := table.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	return keys
}
