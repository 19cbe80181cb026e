package bolt

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var (
	errPartBytes = errors.New("the sum of the parts is not that of the upload's row")
	errOrphan    = errors.New("the row belongs to nothing")
	errNotLatest = errors.New("the newest version is an object and not among the latest")
	errNewer     = errors.New("the version is newer than the latest")
	errNoNull    = errors.New("the null version has no row in nulls")
)

// Walk calls visit with every row of one snapshot. A row that cannot be decoded, or whose owner is missing, is a
// CorruptRow, and the walk goes on. visit must not call the repository: a flush that has to map a grown file waits for
// the walk, new reads wait for that flush, and so do commits when the journal is full.
func (r *Repository) Walk(ctx context.Context, visit func(meta.Row) error) error {
	return r.view(ctx, func(s snapshot) error {
		w := walker{snapshot: s, owners: map[quota.Scope]bool{}, visit: func(row meta.Row) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return foreign(func() error { return visit(row) })
		}}
		for _, step := range []func() error{
			w.buckets, w.configs, w.records, w.accounts, w.objects, w.versions, w.nulls, w.multipart, w.blobs, w.garbage,
			w.events,
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

type walker struct {
	snapshot
	visit  func(meta.Row) error
	owners map[quota.Scope]bool // those who must have a usage row, as far as the walk knows
}

// rows visits what row makes of each row of a table: a value for visit, or an error, which becomes a CorruptRow.
func (w *walker) rows(table []byte, row func(k, v []byte) (meta.Row, error)) error {
	return w.table(table).ForEach(func(k, v []byte) error {
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
	row := meta.CorruptRow{Table: string(table), Key: bytes.Clone(key), Err: err}
	row.Lost, row.Scope = w.lost(table, key, err)
	if !errors.Is(err, meta.ErrCorrupt) {
		row.Err = corruptRow(table, key, err)
	}
	return w.visit(row)
}

// lost returns what is lost with a row that has the error err. A row of usage or limits that belongs to nothing, and can
// be read, may be all that is left of a scope: it is no stray.
func (w *walker) lost(table, key []byte, err error) (meta.Loss, quota.Scope) {
	loss := meta.LostUsage
	switch string(table) {
	case string(tableBuckets), string(tableObjects), string(tableVersions), string(tableUploads), string(tableParts):
		return meta.LostCounted, quota.Scope{}
	case string(tableUsage):
	case string(tableLimits):
		loss = meta.LostLimit
	default:
		return meta.LostOther, quota.Scope{}
	}
	scope, keyErr := parseScopeKey(key)
	switch {
	case errors.Is(err, errOrphan):
		return meta.LostOther, quota.Scope{}
	case keyErr == nil && !w.orphaned(scope, key):
		return loss, scope
	case loss == meta.LostLimit:
		return meta.LostOther, quota.Scope{}
	default:
		return loss, quota.Scope{}
	}
}

func (w *walker) bucketExists(name meta.BucketName) bool {
	return requireBucket(w.snapshot, name) == nil
}

func (w *walker) buckets() error {
	return w.rows(tableBuckets, func(k, v []byte) (meta.Row, error) {
		bucket, err := decodeBucket(k, v)
		if err == nil {
			w.owners[quota.OwnerScope(bucket.Owner)] = true
		}
		return bucket, err
	})
}

// account visits a scope's rows of limits and usage as an account. Rows that cannot be read are visited as CorruptRows by
// accountRows; what is not there, by account.
func (w *walker) account(scope quota.Scope) error {
	var (
		a   account
		err error
		key = scopeKey(scope)
	)
	a.usage, a.counting, err = readUsage(w.table(tableUsage), key)
	switch {
	case err != nil && w.table(tableUsage).Get(key) == nil:
		return w.corrupt(tableUsage, key, err)
	case err != nil:
		return nil
	}
	if a.limit, err = readLimit(w.table(tableLimits), key); err != nil {
		a.limit = quota.Limit{}
	}
	return w.visit(a.public(scope))
}

// accounts visits the rows of limits and usage as accounts: one for the server, one for each owner who has a bucket or a
// limit, one for each bucket, and one for each prefix that has a limit.
func (w *walker) accounts() error {
	for _, key := range keysUnder(w.table(tableLimits), []byte{ownerKey}) {
		if scope, err := parseScopeKey(key); err == nil {
			w.owners[scope] = true
		}
	}
	owners := slices.SortedFunc(maps.Keys(w.owners), quota.CompareScopes)
	for _, scope := range append([]quota.Scope{quota.ServerScope}, owners...) {
		if err := w.account(scope); err != nil {
			return err
		}
	}
	err := w.table(tableBuckets).ForEach(func(name, _ []byte) error { return w.account(quota.BucketScope(string(name))) })
	if err != nil {
		return err
	}
	for _, key := range keysUnder(w.table(tableLimits), []byte{prefixKey}) {
		scope, err := parseScopeKey(key)
		if err == nil && w.bucketExists(meta.BucketName(scope.Name)) {
			err = w.account(scope)
		} else {
			err = nil // accountRows tells
		}
		if err != nil {
			return err
		}
	}
	return w.accountRows()
}

// accountRows visits what is wrong among the rows of limits and usage.
func (w *walker) accountRows() error {
	check := func(decode func(k, v []byte) error) func(k, v []byte) (meta.Row, error) {
		return func(k, v []byte) (meta.Row, error) {
			scope, err := parseScopeKey(k)
			if err == nil {
				err = decode(k, v)
			}
			if err == nil && w.orphaned(scope, k) {
				err = errOrphan
			}
			return nil, err
		}
	}
	err := w.rows(tableLimits, check(func(k, v []byte) error { _, err := decodeLimit(k, v); return err }))
	if err != nil {
		return err
	}
	return w.rows(tableUsage, check(func(k, v []byte) error { _, _, err := decodeUsage(k, v); return err }))
}

// orphaned reports whether a scope with rows is none: a prefix is one where its bucket is there, and its limit.
func (w *walker) orphaned(scope quota.Scope, key []byte) bool {
	switch scope.Kind {
	case quota.Owner:
		return !w.owners[scope]
	case quota.Prefix:
		return !w.bucketExists(meta.BucketName(scope.Name)) || w.table(tableLimits).Get(key) == nil
	case quota.Bucket:
		return !w.bucketExists(meta.BucketName(scope.Name))
	default:
		return false
	}
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
		o, err := decodeVersion(tableObjects, k, v)
		if err != nil {
			return nil, err
		}
		return meta.ObjectRow{Bucket: bucket, Key: key, Object: o.object}, nil
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
		if w.table(tableUploads).Get(row) == nil {
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
