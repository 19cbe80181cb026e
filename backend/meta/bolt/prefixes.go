package bolt

import (
	"bytes"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// setPrefixLimit sets the limit of a prefix. A new one is counted as far as m.Rows goes; where a row cannot be read, it
// stays to be counted, and counting tells.
func (b *batch) setPrefixLimit(m meta.SetLimit) (meta.Result, error) {
	if err := validatePrefix(m.Scope.Prefix); err != nil {
		return meta.Result{}, err
	}
	owner := quota.BucketScope(m.Scope.Name)
	bucket, exists := b.account(owner)
	if !exists {
		return meta.Result{}, meta.ErrNoSuchBucket
	}
	a, exists := b.account(m.Scope)
	switch {
	case m.Limit.Unlimited() && !exists:
		return meta.Result{}, nil
	case m.Limit.Unlimited():
		b.setPrefixes(owner, slices.DeleteFunc(slices.Clone(bucket.prefixes), func(p string) bool {
			return p == m.Scope.Prefix
		}))
		b.removeAccount(m.Scope)
		return meta.Result{RemovedScopes: []quota.Scope{m.Scope}}, nil
	case exists && a.err != nil:
		return meta.Result{}, a.err
	case !exists && len(bucket.prefixes) >= meta.MaxPrefixes:
		return meta.Result{}, meta.ErrTooManyPrefixes
	case !exists:
		a = account{counting: new(string)}
		if counted, err := b.count(m.Scope, a, m.Rows); err == nil {
			a = counted
		}
		prefixes := append(slices.Clone(bucket.prefixes), m.Scope.Prefix)
		slices.Sort(prefixes)
		b.setPrefixes(owner, prefixes)
	}
	a.limit = m.Limit
	b.writeLimit(m.Scope, m.Limit)
	b.entries[m.Scope] = entry{account: a, unwritten: true}
	return meta.Result{Accounts: []quota.Account{a.public(m.Scope)}}, nil
}

// setPrefixes replaces the list of a bucket's prefixes. Others may hold the one before: it is not changed.
func (b *batch) setPrefixes(bucket quota.Scope, prefixes []string) {
	e := b.entries[bucket]
	e.account, _ = b.account(bucket)
	e.prefixes = prefixes
	b.entries[bucket] = e
}

func (b *batch) countPrefix(m meta.CountPrefix) (meta.Result, error) {
	if _, exists := b.account(quota.BucketScope(string(m.Bucket))); !exists {
		return meta.Result{}, meta.ErrNoSuchBucket
	}
	scope := quota.PrefixScope(string(m.Bucket), m.Prefix)
	a, exists := b.account(scope)
	if !exists {
		return meta.Result{}, meta.ErrNoSuchPrefix
	}
	if a.err != nil {
		return meta.Result{}, a.err
	}
	if a.counting != nil {
		var err error
		if a, err = b.count(scope, a, m.Rows); err != nil {
			return meta.Result{}, err
		}
		b.entries[scope] = entry{account: a, unwritten: true}
	}
	return meta.Result{Accounts: []quota.Account{a.public(scope)}}, nil
}

// count returns the account of a prefix when it has been counted on. It changes nothing.
func (b *batch) count(scope quota.Scope, a account, rows int) (account, error) {
	c := newPrefixCounter(b, scope, *a.counting)
	for n := 0; ; {
		key, found, err := c.next()
		if err != nil {
			return a, err
		}
		if !found {
			a.counting = nil
			return a, nil
		}
		if n >= rows {
			return a, nil
		}
		counted, delta, err := c.count(key)
		if err != nil {
			return a, err
		}
		if a.usage, err = apply(a.usage, delta); err != nil {
			return a, err
		}
		n += counted
		a.counting = &key
	}
}

// prefixCounter goes through the keys under a prefix: through the three tables that have something of a key, side by side.
type prefixCounter struct {
	bucket                     []byte // begins the keys of all rows
	objects, versions, uploads *cursor
	object, version, upload    []byte // the keys of the rows that the cursors are at; nil where nothing is left
	objectRow, versionRow      []byte
	uploadRow                  []byte
	prefix, escaped            []byte // of the keys in objects, and in the two others
}

// newPrefixCounter begins after a key, or with the first where that is empty.
func newPrefixCounter(b *batch, scope quota.Scope, after string) *prefixCounter {
	base := bucketPrefix(meta.BucketName(scope.Name))
	c := &prefixCounter{
		bucket: base, objects: b.objects.Cursor(), versions: b.versions.Cursor(), uploads: b.uploads.Cursor(),
		prefix:  append(bytes.Clone(base), scope.Prefix...),
		escaped: appendEscaped(bytes.Clone(base), scope.Prefix),
	}
	start, escaped := c.prefix, c.escaped
	if after != "" {
		start = append(append(bytes.Clone(base), after...), 0)
		escaped = successor(appendTerminated(bytes.Clone(base), after))
	}
	c.object, c.objectRow = c.objects.Seek(start)
	c.version, c.versionRow = c.versions.Seek(escaped)
	c.upload, c.uploadRow = c.uploads.Seek(escaped)
	return c
}

// next returns the lowest key that has a row in one of the tables.
func (c *prefixCounter) next() (key string, found bool, err error) {
	if bytes.HasPrefix(c.object, c.prefix) {
		key, found = string(c.object[len(c.bucket):]), true
	}
	for _, row := range [][]byte{c.version, c.upload} {
		if !bytes.HasPrefix(row, c.escaped) {
			continue
		}
		other, _, err := unescape(row[len(c.bucket):])
		if err != nil {
			return "", false, err
		}
		if !found || other < key {
			key, found = other, true
		}
	}
	return key, found, nil
}

// count counts a key, and goes on to the next. It returns how many rows there were.
func (c *prefixCounter) count(key string) (rows int, delta quota.Delta, err error) {
	if bytes.HasPrefix(c.object, c.prefix) && string(c.object[len(c.bucket):]) == key {
		_, head, err := decodeHead(tableObjects, c.object, c.objectRow)
		if err != nil {
			return 0, delta, err
		}
		rows, delta = 1, quota.Delta{Bytes: head.Size, Objects: 1}
		c.object, c.objectRow = c.objects.Next()
	}
	of := appendTerminated(bytes.Clone(c.bucket), key)
	for ; bytes.HasPrefix(c.version, of); c.version, c.versionRow = c.versions.Next() {
		d := quota.Delta{Markers: 1}
		if isMarker(c.versionRow) {
			_, err = decodeMarker(tableVersions, c.version, c.versionRow)
		} else {
			var head meta.ObjectHead
			_, head, err = decodeHead(tableVersions, c.version, c.versionRow)
			d = quota.Delta{Bytes: head.Size, Objects: 1, Noncurrent: 1}
		}
		if err != nil {
			return 0, delta, err
		}
		rows++
		delta = delta.Add(d)
	}
	for ; bytes.HasPrefix(c.upload, of); c.upload, c.uploadRow = c.uploads.Next() {
		u, err := decodeUpload(c.upload, c.uploadRow)
		if err != nil {
			return 0, delta, err
		}
		rows++
		delta = delta.Add(quota.Delta{PartBytes: u.PartBytes, Uploads: 1})
	}
	return rows, delta, nil
}
