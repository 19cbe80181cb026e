package bolt

import (
	"bytes"
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var (
	errPartBytes = errors.New("the sum of the parts is not that of the upload's row")
	errOrphan    = errors.New("the row belongs to nothing")
)

// Walk calls visit with every row of one snapshot. A row that cannot be decoded, or whose owner is missing, is a
// CorruptRow, and the walk goes on. visit must not call the repository: a commit that has to map a grown file waits for
// the walk, and new reads wait for that commit.
func (r *Repository) Walk(ctx context.Context, visit func(meta.Row) error) error {
	return r.view(ctx, func(tx *bbolt.Tx) error {
		w := walker{tx: tx, visit: func(row meta.Row) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			defer func() {
				if p := recover(); p != nil {
					panic(foreignPanic{p})
				}
			}()
			return visit(row)
		}}
		for _, step := range []func() error{w.buckets, w.accounts, w.objects, w.multipart, w.blobs, w.garbage} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

type walker struct {
	tx    *bbolt.Tx
	visit func(meta.Row) error
}

// rows visits what row makes of each row of a table: a value for visit, or an error, which becomes a CorruptRow.
func (w *walker) rows(table []byte, row func(k, v []byte) (meta.Row, error)) error {
	return w.tx.Bucket(table).ForEach(func(k, v []byte) error {
		visited, err := row(k, v)
		if err != nil {
			return w.corrupt(table, k, err)
		}
		if visited == nil {
			return nil
		}
		return w.visit(visited)
	})
}

func (w *walker) corrupt(table, key []byte, err error) error {
	if !errors.Is(err, meta.ErrCorrupt) {
		err = corruptRow(table, key, err)
	}
	return w.visit(meta.CorruptRow{Table: string(table), Key: bytes.Clone(key), Err: err})
}

func (w *walker) bucketExists(name meta.BucketName) bool { return requireBucket(w.tx, name) == nil }

func (w *walker) buckets() error {
	return w.rows(tableBuckets, func(k, v []byte) (meta.Row, error) { return decodeBucket(k, v) })
}

// accounts visits the rows of limits and usage as accounts, one for the server and one for each bucket.
func (w *walker) accounts() error {
	account := func(scope quota.Scope) error {
		a := loadAccount(w.tx, scope)
		if a.err != nil {
			return nil // its row is visited as a CorruptRow below
		}
		return w.visit(a.public(scope))
	}
	if err := account(quota.ServerScope); err != nil {
		return err
	}
	err := w.tx.Bucket(tableBuckets).ForEach(func(name, _ []byte) error {
		scope := quota.BucketScope(string(name))
		if key := scopeKey(scope); w.tx.Bucket(tableUsage).Get(key) == nil {
			return w.corrupt(tableUsage, key, errors.New("no row"))
		}
		return account(scope)
	})
	if err != nil {
		return err
	}
	check := func(decode func(k, v []byte) error) func(k, v []byte) (meta.Row, error) {
		return func(k, v []byte) (meta.Row, error) {
			scope, err := parseScopeKey(k)
			if err != nil {
				return nil, err
			}
			if scope.Kind == quota.Bucket && !w.bucketExists(meta.BucketName(scope.Name)) {
				return nil, errOrphan
			}
			return nil, decode(k, v)
		}
	}
	err = w.rows(tableLimits, check(func(k, v []byte) error { _, err := decodeLimit(k, v); return err }))
	if err != nil {
		return err
	}
	return w.rows(tableUsage, check(func(k, v []byte) error { _, err := decodeUsage(k, v); return err }))
}

func (w *walker) objects() error {
	return w.rows(tableObjects, func(k, v []byte) (meta.Row, error) {
		bucket, key, err := parseObjectKey(k)
		if err != nil {
			return nil, err
		}
		if !w.bucketExists(bucket) {
			return nil, errOrphan
		}
		o, err := decodeObject(k, v)
		return meta.ObjectRow{Bucket: bucket, Key: key, Object: o}, err
	})
}

// multipart visits parts, then uploads, and checks the sum that each upload's row keeps.
func (w *walker) multipart() error {
	sums := make(map[string]int64) // bytes of parts by the key of their upload
	err := w.rows(tableParts, func(k, v []byte) (meta.Row, error) {
		row, _, err := splitPartKey(k)
		if err != nil {
			return nil, err
		}
		if w.tx.Bucket(tableUploads).Get(row) == nil {
			return nil, errOrphan
		}
		bucket, key, id, err := parseUploadKey(row)
		if err != nil {
			return nil, err
		}
		part, err := decodePart(k, v)
		sums[string(row)] += part.Size
		return meta.PartRow{Bucket: bucket, Key: key, Upload: id, Part: part}, err
	})
	if err != nil {
		return err
	}
	return w.rows(tableUploads, func(k, v []byte) (meta.Row, error) {
		u, err := decodeUpload(k, v)
		switch {
		case err != nil:
			return nil, err
		case !w.bucketExists(u.Bucket):
			return nil, errOrphan
		case u.PartBytes != sums[string(k)]:
			return nil, errPartBytes
		}
		return u, nil
	})
}

func (w *walker) blobs() error {
	return w.rows(tableBlobs, func(k, v []byte) (meta.Row, error) {
		id, err := parseBlobKey(k)
		if err != nil {
			return nil, err
		}
		b, err := decodeBlob(k, v)
		return b.public(id), err
	})
}

func (w *walker) garbage() error {
	return w.rows(tableGarbage, func(k, v []byte) (meta.Row, error) {
		id, err := parseBlobKey(k)
		if err != nil {
			return nil, err
		}
		return meta.GarbageRow{Blob: id}, decodeGarbage(k, v)
	})
}
