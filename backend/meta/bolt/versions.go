package bolt

import (
	"bytes"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// keyReader reads the versions of one key. objects has the latest, where that is an object; versions has all others,
// and every delete marker; nulls tells where in versions the null version is.
type keyReader struct {
	objects, versions, nulls table
	bucket                   meta.Bucket
	key                      meta.Key
	row                      []byte // the key in objects and in nulls
	prefix                   []byte // of the keys in versions
}

func (s snapshot) keyReader(bucket meta.Bucket, key meta.Key) *keyReader {
	return newKeyReader(s.table(tableObjects), s.table(tableVersions), s.table(tableNulls), bucket, key)
}

func newKeyReader(objects, versions, nulls table, bucket meta.Bucket, key meta.Key) *keyReader {
	r := &keyReader{
		objects: objects, versions: versions, nulls: nulls, bucket: bucket, key: key, row: objectKey(bucket.Name, key),
	}
	if bucket.Versioning != meta.VersioningOff {
		r.prefix = versionPrefix(bucket.Name, key)
	}
	return r
}

// current returns the latest version, nil where that is a delete marker or there is none.
func (r *keyReader) current() (*version, error) {
	value := r.objects.Get(r.row)
	if value == nil {
		return nil, nil
	}
	return decodeVersion(tableObjects, r.row, value)
}

// shelved returns the version at a position in versions, nil where there is none.
func (r *keyReader) shelved(at position) (*version, error) {
	key := versionKey(r.prefix, at)
	value := r.versions.Get(key)
	if value == nil {
		return nil, nil
	}
	return decodeVersion(tableVersions, key, value)
}

// newestShelved returns the newest version in versions but for the one that is given, which may be nil.
func (r *keyReader) newestShelved(but *version) (*version, error) {
	c := r.versions.Cursor()
	for k, v := c.Seek(r.prefix); bytes.HasPrefix(k, r.prefix); k, v = c.Next() {
		newest, err := decodeVersion(tableVersions, k, v)
		if err != nil || but == nil || newest.at != but.at {
			return newest, err
		}
	}
	return nil, nil
}

// find returns a version by its id, nil where there is none. current is the latest, which has been read.
func (r *keyReader) find(current *version, id meta.VersionID) (*version, error) {
	if id == meta.NullVersion {
		return r.findNull(current)
	}
	at, err := parseVersion(id)
	if err != nil {
		return nil, err
	}
	if current != nil && !current.null && current.at == at {
		return current, nil
	}
	if r.bucket.Versioning == meta.VersioningOff {
		return nil, nil
	}
	v, err := r.shelved(at)
	if err != nil || v == nil || v.null { // the position of a null version is not its id
		return nil, err
	}
	return v, nil
}

func (r *keyReader) findNull(current *version) (*version, error) {
	if current != nil && current.null {
		return current, nil
	}
	if r.bucket.Versioning == meta.VersioningOff {
		return nil, nil
	}
	at, found, err := r.nullPosition()
	if err != nil || !found {
		return nil, err
	}
	v, err := r.shelved(at)
	if err == nil && (v == nil || !v.null) {
		err = corruptNull(r.row, at)
	}
	return v, err
}

// nullHead returns the head of the null version where that is an object.
func (r *keyReader) nullHead() (head meta.ObjectHead, found bool, err error) {
	if value := r.objects.Get(r.row); value != nil {
		id, head, err := decodeHead(tableObjects, r.row, value)
		if err != nil || id.null {
			return head, err == nil, err
		}
	}
	if r.bucket.Versioning == meta.VersioningOff {
		return meta.ObjectHead{}, false, nil
	}
	at, found, err := r.nullPosition()
	if err != nil || !found {
		return meta.ObjectHead{}, false, err
	}
	key := versionKey(r.prefix, at)
	switch value := r.versions.Get(key); {
	case value == nil:
		return meta.ObjectHead{}, false, corruptNull(r.row, at)
	case isMarker(value):
		return meta.ObjectHead{}, false, nil
	default:
		_, head, err := decodeHead(tableVersions, key, value)
		return head, err == nil, err
	}
}

// nullPosition returns where in versions the null version is.
func (r *keyReader) nullPosition() (at position, found bool, err error) {
	value := r.nulls.Get(r.row)
	if value == nil {
		return position{}, false, nil
	}
	at, err = decodeNull(r.row, value)
	return at, err == nil, err
}

// markerError is the error of a delete marker where an object was asked for.
func markerError(v *version, latest bool) error {
	return &meta.DeleteMarkerError{Version: v.version(), Modified: v.object.Modified, Latest: latest}
}
