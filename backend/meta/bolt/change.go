package bolt

import (
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// keyChange gathers what a mutation does to the versions of one key, checks that it can be done, and then does it. What
// it reads is what was there before.
type keyChange struct {
	*keyReader
	batch  *batch
	latest *version // the row of objects, nil where there is none
	after  *version // what becomes of it
	refs   *references
	delta  quota.Delta
	writes []write // of versions and nulls
}

// write is a row to be written, or deleted where the value is nil.
type write struct {
	table      table
	key, value []byte
}

// change begins a change of a key's versions. It fails with meta.ErrNoSuchBucket, and where the key cannot be one.
func (b *batch) change(name meta.BucketName, key meta.Key) (*keyChange, error) {
	bucket, err := b.bucket(name)
	if err != nil {
		return nil, err
	}
	if err := validateKey(key); err != nil {
		return nil, err
	}
	c := &keyChange{
		keyReader: newKeyReader(b.objects, b.versions, b.nulls, bucket, key), batch: b, refs: b.references(),
	}
	latest, err := c.current()
	c.latest, c.after = latest, latest
	return c, err
}

// add makes a new version the latest. Where versioning is enabled, what was the latest is shelved; else the new one is
// the null version, and takes the place of the one before, wherever that is.
func (c *keyChange) add(v *version, now time.Time, bypass bool) error {
	if v.null = c.bucket.Versioning != meta.VersioningEnabled; v.null {
		old, err := c.findNull(c.latest)
		if err == nil && old != nil {
			err = c.drop(old, now, bypass)
		}
		if err != nil {
			return err
		}
	}
	if c.bucket.Versioning == meta.VersioningOff {
		c.put(v)
		return nil
	}
	newest := c.latest
	if newest == nil {
		var err error
		if newest, err = c.newestShelved(nil); err != nil {
			return err
		}
	}
	var above position
	if newest != nil {
		above = newest.at
	}
	at, err := c.batch.clock.next(now, above)
	if err != nil {
		return err
	}
	v.at = at
	if c.after != nil {
		c.shelve(c.after)
		c.delta.Noncurrent++
		c.after = nil
	}
	c.put(v)
	return nil
}

// put stores a new version.
func (c *keyChange) put(v *version) {
	if v.marker {
		c.delta.Markers++
		c.shelve(v)
		return
	}
	c.delta.Bytes += v.object.Size
	c.delta.Objects++
	c.after = v
}

// shelve writes a version to versions.
func (c *keyChange) shelve(v *version) {
	key := versionKey(c.prefix, v.at)
	c.writes = append(c.writes, write{c.versions, key, encodeVersion(tableVersions, key, v)})
	if v.null {
		c.writes = append(c.writes, write{c.nulls, c.row, encodeNull(c.row, v.at)})
	}
}

// unshelve deletes a version from versions.
func (c *keyChange) unshelve(v *version) {
	c.writes = append(c.writes, write{c.versions, versionKey(c.prefix, v.at), nil})
	if v.null {
		c.writes = append(c.writes, write{c.nulls, c.row, nil})
	}
}

// drop removes a version, frees and credits it. It fails with meta.ErrObjectLocked.
func (c *keyChange) drop(v *version, now time.Time, bypass bool) error {
	if v.object.Locked(now, bypass) {
		return meta.ErrObjectLocked
	}
	if err := c.refs.drop(v.object.Segments); err != nil {
		return err
	}
	if v.marker {
		c.delta.Markers--
		c.unshelve(v)
		return nil
	}
	c.delta.Bytes -= v.object.Size
	c.delta.Objects--
	if v.shelved {
		c.delta.Noncurrent--
		c.unshelve(v)
	} else {
		c.after = nil
	}
	return nil
}

// promote makes the newest version but the one that was dropped the latest, where that is an object which is not.
func (c *keyChange) promote(dropped *version) error {
	if c.after != nil || c.bucket.Versioning == meta.VersioningOff {
		return nil
	}
	newest, err := c.newestShelved(dropped)
	if err != nil || newest == nil || newest.marker {
		return err
	}
	c.unshelve(newest)
	c.delta.Noncurrent--
	c.after = newest
	return nil
}

// update stores a version that has other settings.
func (c *keyChange) update(v *version) {
	if v.shelved {
		key := versionKey(c.prefix, v.at)
		c.writes = append(c.writes, write{c.versions, key, encodeVersion(tableVersions, key, v)})
		return
	}
	c.after = v
}

// write writes the rows.
func (c *keyChange) write() {
	for _, w := range c.writes {
		if w.value == nil {
			c.batch.delete(w.table, w.key)
		} else {
			c.batch.put(w.table, w.key, w.value)
		}
	}
	switch c.after {
	case c.latest:
	case nil:
		c.batch.delete(c.objects, c.row)
	default:
		c.batch.put(c.objects, c.row, encodeVersion(tableObjects, c.row, c.after))
	}
}

// commit writes the rows and pays the bill of the change.
func (c *keyChange) commit(bl bill) meta.Result {
	c.write()
	return meta.Result{Garbage: c.refs.write(), Accounts: c.batch.pay(bl)}
}
