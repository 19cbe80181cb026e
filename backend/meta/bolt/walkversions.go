package bolt

import (
	"bytes"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// versions visits the rows of versions, and checks that the newest of each key is where it should be: an object that is
// the latest is in objects, and older than it are all in versions.
func (w *walker) versions() error {
	var last []byte // the prefix of the key whose newest row has been visited
	return w.rows(tableVersions, func(k, value []byte) (meta.Row, error) {
		prefix, _, err := splitVersionKey(k)
		if err != nil {
			return nil, err
		}
		bucket, key, err := parseVersionPrefix(prefix)
		if err != nil {
			return nil, err
		}
		if !w.bucketExists(bucket) {
			return nil, errOrphan
		}
		v, err := decodeVersion(tableVersions, k, value)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(prefix, last) {
			last = bytes.Clone(prefix)
			if err := w.newest(objectKey(bucket, key), v); err != nil {
				return nil, err
			}
		}
		if v.null {
			if err := w.null(objectKey(bucket, key), v.at); err != nil {
				return nil, err
			}
		}
		if v.marker {
			return meta.MarkerRow{
				Bucket: bucket, Key: key, Version: v.version(), Modified: v.object.Modified, Owner: v.object.Owner,
			}, nil
		}
		return meta.ObjectRow{Bucket: bucket, Key: key, Object: v.object, Noncurrent: true}, nil
	})
}

// newest compares the newest row of a key in versions with that in objects.
func (w *walker) newest(row []byte, v *version) error {
	value := w.snapshot.table(tableObjects).Get(row)
	if value == nil {
		if !v.marker {
			return errNotLatest
		}
		return nil
	}
	current, _, err := decodeHead(tableObjects, row, value)
	if err == nil && current.at.Compare(v.at) <= 0 {
		return errNewer
	}
	return nil // what is wrong with the row of objects is told where that is visited
}

// null checks that nulls leads to a null version.
func (w *walker) null(row []byte, at position) error {
	value := w.snapshot.table(tableNulls).Get(row)
	if value == nil {
		return errNoNull
	}
	if told, err := decodeNull(row, value); err == nil && told != at {
		return errNoNull
	}
	return nil // what is wrong with the row of nulls is told where that is visited
}

// nulls checks the rows of nulls. They are visited with what they lead to.
func (w *walker) nulls() error {
	return w.rows(tableNulls, func(k, value []byte) (meta.Row, error) {
		bucket, key, err := parseObjectKey(k)
		if err != nil {
			return nil, err
		}
		at, err := decodeNull(k, value)
		if err != nil {
			return nil, err
		}
		if w.snapshot.table(tableVersions).Get(versionKey(versionPrefix(bucket, key), at)) == nil {
			return nil, errOrphan
		}
		return nil, nil
	})
}

func (w *walker) configs() error {
	return w.rows(tableConfigs, func(k, value []byte) (meta.Row, error) {
		bucket, kind, err := parseConfigKey(k)
		if err != nil {
			return nil, err
		}
		if !w.bucketExists(bucket) {
			return nil, errOrphan
		}
		stored, err := decodeOpaque(tableConfigs, k, value)
		return meta.ConfigRow{Bucket: bucket, Config: meta.Config{Kind: kind, Value: stored}}, err
	})
}

func (w *walker) records() error {
	return w.rows(tableRecords, func(k, value []byte) (meta.Row, error) {
		kind, name, err := parseRecordKey(k)
		if err != nil {
			return nil, err
		}
		stored, err := decodeOpaque(tableRecords, k, value)
		return meta.Record{Kind: kind, Name: name, Value: stored}, err
	})
}
