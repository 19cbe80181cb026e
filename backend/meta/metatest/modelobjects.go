package metatest

import (
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// check checks a precondition against the version that a mutation names, or the latest object where it names none.
func (b *modelBucket) check(key meta.Key, id meta.VersionID, p meta.Precondition) error {
	v, absent := b.latest(key), meta.ErrNoSuchKey
	if id != "" {
		v, absent = b.find(key, id), meta.ErrNoSuchVersion
	}
	switch {
	case p.IfMatch != "" && v == nil:
		return absent
	case p.IfMatch != "" && (v.marker || (p.IfMatch != "*" && p.IfMatch != v.object.ETag)),
		p.IfNoneMatch && v != nil,
		!p.IfModified.IsZero() && (v == nil || !v.object.Modified.Equal(p.IfModified)),
		p.IfNoncurrent && v != nil && v == b.versions[key][0]:
		return meta.ErrPreconditionFailed
	}
	return nil
}

func stale(segments []meta.Segment, shared bool, live map[meta.BlobID]int) error {
	for _, s := range segments {
		if shared && live[s.Blob] == 0 {
			return meta.ErrStale
		}
	}
	return nil
}

// with returns the versions of a key when another has come to them: a null version takes the place of the one before.
func (b *modelBucket) with(key meta.Key, v *modelVersion) []*modelVersion {
	v.null = b.versioning != meta.VersioningEnabled
	after := []*modelVersion{v}
	for _, old := range b.versions[key] {
		if !v.null || !old.null {
			after = append(after, old)
		}
	}
	return after
}

// change returns what would change in usage if the versions of a key became those after.
func (b *modelBucket) change(key meta.Key, after []*modelVersion) quota.Delta {
	return countVersions(after).Add(countVersions(b.versions[key]).Negate())
}

// removable returns ErrObjectLocked where a version that is not among those after is locked.
func (b *modelBucket) removable(key meta.Key, after []*modelVersion, now time.Time, bypass bool) error {
	for _, v := range b.versions[key] {
		r := v.object.Retention
		retained := r.Mode == meta.RetentionCompliance || (r.Mode == meta.RetentionGovernance && !bypass)
		locked := v.object.LegalHold == meta.LegalHoldOn || (retained && r.Until.After(now))
		if locked && !slices.Contains(after, v) {
			return meta.ErrObjectLocked
		}
	}
	return nil
}

func (b *modelBucket) set(key meta.Key, after []*modelVersion) {
	if b.versions[key] = after; len(after) == 0 {
		delete(b.versions, key)
	}
}

// made is the outcome of a mutation that has made a version.
func (b *modelBucket) made(v *modelVersion) outcome {
	out := outcome{made: v, marker: v.marker}
	if v.null {
		v.object.Version = meta.NullVersion
		if b.versioning != meta.VersioningOff {
			out.version = meta.NullVersion
		}
	}
	return out
}

func (m *model) putObject(x meta.PutObject, live map[meta.BlobID]int) outcome {
	b := m.buckets[x.Bucket]
	if b == nil {
		return outcome{err: meta.ErrNoSuchBucket}
	}
	if err := b.check(x.Key, "", x.Precondition); err != nil {
		return outcome{err: err}
	}
	if err := stale(x.Object.Segments, x.Shared, live); err != nil {
		return outcome{err: err}
	}
	return m.store(x.Bucket, x.Key, x.Object, quota.Operation{Kind: quota.Put})
}

// store stores an object. What op changes besides is in its Delta.
func (m *model) store(bucket meta.BucketName, key meta.Key, o meta.Object, op quota.Operation) outcome {
	b := m.buckets[bucket]
	v := &modelVersion{object: o}
	after := b.with(key, v)
	if err := b.removable(key, after, o.Modified, false); err != nil {
		return outcome{err: err}
	}
	op.Delta = op.Delta.Add(b.change(key, after))
	if err := m.admit(bucket, key, op); err != nil {
		return outcome{err: err}
	}
	b.set(key, after)
	return b.made(v)
}

func (m *model) deleteObject(x meta.DeleteObject) outcome {
	b := m.buckets[x.Bucket]
	if b == nil {
		return outcome{err: meta.ErrNoSuchBucket}
	}
	if err := b.check(x.Key, x.Version, x.Precondition); err != nil {
		return outcome{err: err}
	}
	marker := &modelVersion{marker: true}
	marker.object.Modified, marker.object.Owner = x.Now, x.Owner
	out := outcome{version: x.Version}
	var after []*modelVersion
	switch {
	case x.Version != "":
		gone := b.find(x.Key, x.Version)
		for _, v := range b.versions[x.Key] {
			if v != gone {
				after = append(after, v)
			}
		}
		out.marker = gone != nil && gone.marker
	case b.versioning != meta.VersioningOff:
		after = b.with(x.Key, marker)
		out = b.made(marker)
	}
	if err := b.removable(x.Key, after, x.Now, x.Bypass); err != nil {
		return outcome{err: err}
	}
	b.set(x.Key, after)
	return out
}

func (m *model) updateObject(x meta.UpdateObject) outcome {
	b := m.buckets[x.Bucket]
	if b == nil {
		return outcome{err: meta.ErrNoSuchBucket}
	}
	v, absent := (*modelVersion)(nil), meta.ErrNoSuchVersion
	switch {
	case x.Version != "":
		v = b.find(x.Key, x.Version)
	case len(b.versions[x.Key]) > 0:
		v = b.versions[x.Key][0]
	default:
		absent = meta.ErrNoSuchKey
	}
	switch {
	case v == nil:
		return outcome{err: absent}
	case v.marker:
		return outcome{err: errMarker}
	}
	s := &v.object.Settings
	if x.Retention != nil {
		lasts := s.Retention.Mode != meta.RetentionNone && s.Retention.Until.After(x.Now)
		bypassed := x.Bypass && s.Retention.Mode == meta.RetentionGovernance
		weaker := x.Retention.Mode != s.Retention.Mode || x.Retention.Until.Before(s.Retention.Until)
		if lasts && weaker && !bypassed {
			return outcome{err: meta.ErrObjectLocked}
		}
		s.Retention = *x.Retention
	}
	if x.Tags != nil {
		s.Tags = *x.Tags
	}
	if x.LegalHold != nil {
		s.LegalHold = *x.LegalHold
	}
	if x.ACL != nil {
		s.ACL = *x.ACL
	}
	out := outcome{made: v, version: x.Version}
	if v.null && out.version == "" && b.versioning != meta.VersioningOff {
		out.version = meta.NullVersion
	}
	return out
}
