package bolt

import (
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// checkPrecondition checks a precondition against the version that a mutation would remove or replace, nil where there
// is none. absent is the error of an IfMatch on nothing.
func checkPrecondition(p meta.Precondition, v *version, latest bool, absent error) error {
	if p.IfMatch != "" {
		if v == nil {
			return absent
		}
		if v.marker || (p.IfMatch != "*" && p.IfMatch != v.object.ETag) {
			return meta.ErrPreconditionFailed
		}
	}
	switch {
	case p.IfNoneMatch && v != nil,
		!p.IfModified.IsZero() && (v == nil || !v.object.Modified.Equal(p.IfModified)),
		p.IfNoncurrent && v != nil && latest:
		return meta.ErrPreconditionFailed
	}
	return nil
}

func (b *batch) putObject(m meta.PutObject) (meta.Result, error) {
	c, err := b.change(m.Bucket, m.Key)
	if err != nil {
		return meta.Result{}, err
	}
	if err := validateObject(&m.Object); err != nil {
		return meta.Result{}, err
	}
	if err := checkPrecondition(m.Precondition, c.latest, true, meta.ErrNoSuchKey); err != nil {
		return meta.Result{}, err
	}
	if err := c.refs.add(m.Object.Segments, m.Shared); err != nil {
		return meta.Result{}, err
	}
	return c.store(&m.Object, quota.Operation{Kind: quota.Put})
}

// store makes an object the latest version, if the scopes admit that. What op changes besides is in its Delta.
func (c *keyChange) store(o *meta.Object, op quota.Operation) (meta.Result, error) {
	v := &version{object: *o}
	if err := c.add(v, o.Modified, false); err != nil {
		return meta.Result{}, err
	}
	op.Delta = op.Delta.Add(c.delta)
	bl, err := c.batch.admit(c.bucket.Name, c.key, op)
	if err != nil {
		return meta.Result{}, err
	}
	result := c.commit(bl)
	result.Version = v.named(c.bucket.Versioning)
	return result, nil
}

func (b *batch) deleteObject(m meta.DeleteObject) (meta.Result, error) {
	c, err := b.change(m.Bucket, m.Key)
	if err != nil {
		return meta.Result{}, err
	}
	if m.Version != "" {
		return c.deleteVersion(m)
	}
	if err := checkPrecondition(m.Precondition, c.latest, true, meta.ErrNoSuchKey); err != nil {
		return meta.Result{}, err
	}
	marker := &version{identity: identity{marker: true}}
	marker.object.Modified, marker.object.Owner = m.Now, m.Owner
	switch {
	case c.bucket.Versioning != meta.VersioningOff:
		err = c.add(marker, m.Now, m.Bypass)
	case c.latest == nil:
		return meta.Result{}, nil
	default:
		err = c.drop(c.latest, m.Now, m.Bypass)
	}
	if err != nil {
		return meta.Result{}, err
	}
	bl, err := b.charge(m.Bucket, m.Key, c.delta)
	if err != nil {
		return meta.Result{}, err
	}
	result := c.commit(bl)
	if c.bucket.Versioning != meta.VersioningOff {
		result.Version, result.DeleteMarker = marker.version(), true
	}
	return result, nil
}

// deleteVersion removes the version that m names.
func (c *keyChange) deleteVersion(m meta.DeleteObject) (meta.Result, error) {
	v, err := c.find(c.latest, m.Version)
	if err != nil {
		return meta.Result{}, err
	}
	latest := v != nil && v == c.latest
	if v != nil && v.shelved && c.latest == nil && m.Precondition.IfNoncurrent {
		newest, err := c.newestShelved(nil)
		if err != nil {
			return meta.Result{}, err
		}
		latest = newest.at == v.at
	}
	if err := checkPrecondition(m.Precondition, v, latest, meta.ErrNoSuchVersion); err != nil {
		return meta.Result{}, err
	}
	if v == nil {
		return meta.Result{Version: m.Version}, nil
	}
	if err := c.drop(v, m.Now, m.Bypass); err != nil {
		return meta.Result{}, err
	}
	if err := c.promote(v); err != nil {
		return meta.Result{}, err
	}
	bl, err := c.batch.charge(m.Bucket, m.Key, c.delta)
	if err != nil {
		return meta.Result{}, err
	}
	result := c.commit(bl)
	result.Version, result.DeleteMarker = m.Version, v.marker
	return result, nil
}

func (b *batch) updateObject(m meta.UpdateObject) (meta.Result, error) {
	c, err := b.change(m.Bucket, m.Key)
	if err != nil {
		return meta.Result{}, err
	}
	v, err := c.updated(m)
	if err != nil {
		return meta.Result{}, err
	}
	next := *v
	s := &next.object.Settings
	if m.Retention != nil && !s.Retention.MayBecome(*m.Retention, m.Now, m.Bypass) {
		return meta.Result{}, meta.ErrObjectLocked
	}
	set(&s.Retention, m.Retention)
	set(&s.Tags, m.Tags)
	set(&s.LegalHold, m.LegalHold)
	set(&s.ACL, m.ACL)
	if err := validateSettings(s); err != nil {
		return meta.Result{}, err
	}
	c.update(&next)
	c.write()
	version := m.Version
	if version == "" {
		version = v.named(c.bucket.Versioning)
	}
	return meta.Result{Version: version}, nil
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// updated returns the object that m changes.
func (c *keyChange) updated(m meta.UpdateObject) (*version, error) {
	v, absent := c.latest, meta.ErrNoSuchKey
	var err error
	switch {
	case m.Version != "":
		absent = meta.ErrNoSuchVersion
		v, err = c.find(c.latest, m.Version)
	case v == nil && c.bucket.Versioning != meta.VersioningOff:
		v, err = c.newestShelved(nil)
	}
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, absent
	case v.marker:
		return nil, markerError(v, m.Version == "")
	}
	return v, nil
}
