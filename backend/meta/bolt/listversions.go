package bolt

import (
	"bytes"
	"context"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// ListVersions returns a page of a bucket's versions. It goes through objects and versions side by side, both in the
// order of keys, and seeks past a common prefix in one step in each.
func (r *Repository) ListVersions(
	ctx context.Context, req meta.ListVersionsRequest,
) (page meta.VersionsPage, err error) {
	if req.Limit < 1 {
		return meta.VersionsPage{}, errLimit
	}
	err = r.view(ctx, func(s snapshot) error {
		bucket, err := storedBucket(s, req.Bucket)
		if err != nil {
			return err
		}
		l := versionsLister{
			req: req, base: bucketPrefix(req.Bucket), objects: s.table(tableObjects).Cursor(),
			versions: s.table(tableVersions).Cursor(),
		}
		if err := l.start(s, bucket); err != nil {
			return err
		}
		page, err = l.page()
		return err
	})
	if err != nil {
		return meta.VersionsPage{}, err
	}
	return page, nil
}

// walkPage is how many versions WalkVersions hands over at once.
const walkPage = 1000

// WalkVersions calls visit with all versions of a bucket whose keys begin with prefix, page by page, from one snapshot.
// It holds a read transaction meanwhile: pages that flushes replace are used again only when it is over, so the file may
// grow; commits and flushes do not wait, as the file is mapped at mapBytes from the start. Beyond that size Walk's
// caveat holds: visit must not call the repository.
func (r *Repository) WalkVersions(
	ctx context.Context, name meta.BucketName, prefix string, visit func([]meta.VersionEntry) error,
) error {
	return r.view(ctx, func(s snapshot) error {
		bucket, err := storedBucket(s, name)
		if err != nil {
			return err
		}
		l := versionsLister{
			req:  meta.ListVersionsRequest{Bucket: name, Prefix: prefix, Limit: walkPage},
			base: bucketPrefix(name), objects: s.table(tableObjects).Cursor(), versions: s.table(tableVersions).Cursor(),
		}
		if err := l.start(s, bucket); err != nil {
			return err
		}
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.reopening.Load() {
				return errReopening
			}
			page, err := l.page()
			if err != nil {
				return err
			}
			if err := foreign(func() error { return visit(page.Entries) }); err != nil {
				return err
			}
			more = page.Truncated
			l.memory = pageMemory{} // what was handed over is not the lister's any more
		}
		return nil
	})
}

// foreign calls the caller's code under a snapshot: a panic of it is not taken for one of bbolt.
func foreign(call func() error) error {
	defer func() {
		if p := recover(); p != nil {
			panic(foreignPanic{p})
		}
	}()
	return call()
}

// storedBucket returns the row of a bucket, or meta.ErrNoSuchBucket.
func storedBucket(s snapshot, name meta.BucketName) (meta.Bucket, error) {
	value := s.table(tableBuckets).Get([]byte(name))
	if value == nil {
		return meta.Bucket{}, meta.ErrNoSuchBucket
	}
	return decodeBucket([]byte(name), value)
}

// versionsLister is a listing of versions under way.
type versionsLister struct {
	req               meta.ListVersionsRequest
	base              []byte // begins the keys of the bucket
	objects, versions *cursor
	memory            pageMemory

	object, shelved listed // where the cursors are
	// above is the last key of which a newer version has been seen: its other versions are not the latest.
	above    string
	hasAbove bool
}

// listed is the row that a cursor is at; ok is false at the end.
type listed struct {
	row, value []byte
	key        string // of the object
	ok         bool
}

// start puts the cursors where the page begins.
func (l *versionsLister) start(s snapshot, bucket meta.Bucket) error {
	req := l.req
	objects, versions := l.base, l.base
	common, rolled := commonPrefix(req.KeyMarker, req.Prefix, req.Delimiter)
	switch {
	case rolled:
		objects = successor(append(bytes.Clone(l.base), common...))
		versions = successor(appendEscaped(bytes.Clone(l.base), common))
	case req.KeyMarker != "" && req.VersionMarker == "":
		objects = append(objectKey(req.Bucket, meta.Key(req.KeyMarker)), 0)
		versions = successor(versionPrefix(req.Bucket, meta.Key(req.KeyMarker)))
	case req.KeyMarker != "":
		var err error
		if objects, versions, err = l.behind(s, bucket, meta.Key(req.KeyMarker), req.VersionMarker); err != nil {
			return err
		}
	}
	if first := append(bytes.Clone(l.base), req.Prefix...); bytes.Compare(objects, first) < 0 {
		objects = first
	}
	if first := appendEscaped(bytes.Clone(l.base), req.Prefix); bytes.Compare(versions, first) < 0 {
		versions = first
	}
	l.object = l.readObject(l.objects.Seek(objects))
	var err error
	l.shelved, err = l.readShelved(l.versions.Seek(versions))
	return err
}

// behind returns where the versions begin that come after one of a key.
func (l *versionsLister) behind(
	s snapshot, bucket meta.Bucket, key meta.Key, marker meta.VersionID,
) (objects, versions []byte, err error) {
	bucket.Versioning = meta.VersioningEnabled // so that the reader looks into versions
	r := s.keyReader(bucket, key)
	var (
		current identity
		exists  bool
	)
	if value := r.objects.Get(r.row); value != nil {
		if current, _, err = decodeHead(tableObjects, r.row, value); err != nil {
			return nil, nil, err
		}
		exists = true
	}
	at, found := current.at, exists && current.null
	if marker != meta.NullVersion {
		at, err = parseVersion(marker)
		found = true
	} else if !found {
		at, found, err = r.nullPosition()
	}
	if err != nil {
		return nil, nil, err
	}
	if !found { // the null version is gone: nobody knows where it was
		return r.row, r.prefix, nil
	}
	objects, versions = r.row, append(versionKey(r.prefix, at), 0)
	if exists && current.at.Compare(at) >= 0 {
		objects = append(r.row, 0)
		l.above, l.hasAbove = string(key), true
	} else if k, _ := l.versions.Seek(r.prefix); bytes.HasPrefix(k, r.prefix) && bytes.Compare(k, versions) < 0 {
		l.above, l.hasAbove = string(key), true
	}
	return objects, versions, nil
}

func (l *versionsLister) readObject(row, value []byte) listed {
	if !bytes.HasPrefix(row, l.base) {
		return listed{}
	}
	key := l.memory.string(row[len(l.base):])
	return listed{row: row, value: value, key: key, ok: strings.HasPrefix(key, l.req.Prefix)}
}

func (l *versionsLister) readShelved(row, value []byte) (listed, error) {
	if !bytes.HasPrefix(row, l.base) {
		return listed{}, nil
	}
	prefix, _, err := splitVersionKey(row)
	if err != nil {
		return listed{}, corruptRow(tableVersions, row, err)
	}
	_, key, err := parseVersionPrefix(prefix)
	if err != nil {
		return listed{}, corruptRow(tableVersions, row, err)
	}
	return listed{row: row, value: value, key: string(key), ok: strings.HasPrefix(string(key), l.req.Prefix)}, nil
}

func (l *versionsLister) page() (page meta.VersionsPage, err error) {
	for l.object.ok || l.shelved.ok {
		if len(page.Entries) == l.req.Limit {
			page.Truncated = true
			break
		}
		// The latest version of a key comes before those in versions.
		fromObjects := l.object.ok && (!l.shelved.ok || l.object.key <= l.shelved.key)
		at := l.shelved
		if fromObjects {
			at = l.object
		}
		var entry meta.VersionEntry
		if common, found := commonPrefix(at.key, l.req.Prefix, l.req.Delimiter); found {
			entry.Key = meta.Key(common)
			err = l.skip(common)
		} else {
			if entry, err = l.entry(at, fromObjects); err == nil {
				err = l.next(fromObjects)
			}
		}
		if err != nil {
			return meta.VersionsPage{}, err
		}
		page.Entries = append(page.Entries, entry)
	}
	return page, nil
}

// next moves one of the cursors on.
func (l *versionsLister) next(objects bool) (err error) {
	if objects {
		l.object = l.readObject(l.objects.Next())
		return nil
	}
	l.shelved, err = l.readShelved(l.versions.Next())
	return err
}

// skip moves both cursors behind a common prefix.
func (l *versionsLister) skip(common string) (err error) {
	if l.object.ok && strings.HasPrefix(l.object.key, common) {
		l.object = l.readObject(l.objects.Seek(successor(append(bytes.Clone(l.base), common...))))
	}
	if l.shelved.ok && strings.HasPrefix(l.shelved.key, common) {
		l.shelved, err = l.readShelved(l.versions.Seek(successor(appendEscaped(bytes.Clone(l.base), common))))
	}
	return err
}

// entry reads the version that a cursor is at.
func (l *versionsLister) entry(at listed, fromObjects bool) (meta.VersionEntry, error) {
	entry := meta.VersionEntry{Key: meta.Key(at.key), Latest: fromObjects || !l.hasAbove || l.above != at.key}
	l.above, l.hasAbove = at.key, true
	table := tableVersions
	if fromObjects {
		table = tableObjects
	}
	if !l.req.Full && (fromObjects || !isMarker(at.value)) {
		head, err := l.memory.head(table, at.row, at.value)
		entry.Head = head
		return entry, err
	}
	v, err := decodeVersion(table, at.row, at.value)
	if err != nil {
		return meta.VersionEntry{}, err
	}
	entry.Head, entry.Marker = &v.object.ObjectHead, v.marker
	if !v.marker && l.req.Full {
		entry.Object = &v.object
	}
	return entry, nil
}
