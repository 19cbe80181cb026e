package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Bucket returns a bucket's row.
func (r *Repository) Bucket(ctx context.Context, name meta.BucketName) (b meta.Bucket, err error) {
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		value := tx.Bucket(tableBuckets).Get([]byte(name))
		if value == nil {
			return meta.ErrNoSuchBucket
		}
		b, err = decodeBucket([]byte(name), value)
		return err
	})
	return b, err
}

// Buckets returns all buckets by name.
func (r *Repository) Buckets(ctx context.Context) (buckets []meta.Bucket, err error) {
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		return tx.Bucket(tableBuckets).ForEach(func(k, v []byte) error {
			b, err := decodeBucket(k, v)
			buckets = append(buckets, b)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return buckets, nil
}

// requireBucket returns meta.ErrNoSuchBucket where there is no such bucket.
func requireBucket(tx *bbolt.Tx, name meta.BucketName) error {
	if tx.Bucket(tableBuckets).Get([]byte(name)) == nil {
		return meta.ErrNoSuchBucket
	}
	return nil
}

// Stat returns an object's row.
func (r *Repository) Stat(ctx context.Context, bucket meta.BucketName, key meta.Key) (o meta.Object, err error) {
	k := objectKey(bucket, key)
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		value := tx.Bucket(tableObjects).Get(k)
		if value == nil {
			if err := requireBucket(tx, bucket); err != nil {
				return err
			}
			return meta.ErrNoSuchKey
		}
		o, err = decodeObject(k, value)
		return err
	})
	if err != nil {
		return meta.Object{}, err
	}
	return o, nil
}

// Upload returns an upload's row.
func (r *Repository) Upload(
	ctx context.Context, bucket meta.BucketName, key meta.Key, id meta.UploadID,
) (meta.Upload, error) {
	var (
		u meta.Upload
		k = uploadKey(bucket, key, id)
	)
	err := r.view(ctx, func(tx *bbolt.Tx) (err error) {
		value := tx.Bucket(tableUploads).Get(k)
		if value == nil {
			return meta.ErrNoSuchUpload
		}
		u, err = decodeUpload(k, value)
		return err
	})
	if err != nil {
		return meta.Upload{}, err
	}
	return u, nil
}

// Parts returns the parts of an upload with numbers above after, at most limit of them.
func (r *Repository) Parts(
	ctx context.Context, bucket meta.BucketName, key meta.Key, id meta.UploadID, after, limit int,
) (parts []meta.Part, more bool, err error) {
	if limit < 1 {
		return nil, false, errLimit
	}
	prefix := uploadKey(bucket, key, id)
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		if tx.Bucket(tableUploads).Get(prefix) == nil {
			return meta.ErrNoSuchUpload
		}
		if after >= maxPartNumber {
			return nil
		}
		c := tx.Bucket(tableParts).Cursor()
		k, v := c.Seek(partKey(prefix, max(after, 0)+1))
		for ; bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if len(parts) == limit {
				more = true
				return nil
			}
			part, err := decodePart(k, v)
			if err != nil {
				return err
			}
			parts = append(parts, part)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return parts, more, nil
}

// Garbage returns up to limit blobs that have garbage rows, those with the smallest ids above after.
func (r *Repository) Garbage(ctx context.Context, after meta.BlobID, limit int) (blobs []meta.BlobID, err error) {
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(tableGarbage).Cursor()
		for k, v := c.Seek(after[:]); k != nil && len(blobs) < limit; k, v = c.Next() {
			id, err := parseBlobKey(k)
			if err == nil {
				err = decodeGarbage(k, v)
			}
			if err != nil {
				return corruptRow(tableGarbage, k, err)
			}
			if id != after {
				blobs = append(blobs, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return blobs, nil
}

// Blobs returns the rows of blobs.
func (r *Repository) Blobs(ctx context.Context, blobs []meta.BlobID) (rows []meta.BlobRow, err error) {
	rows = make([]meta.BlobRow, len(blobs))
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		table := tx.Bucket(tableBlobs)
		for i, id := range blobs {
			rows[i].Blob = id
			value := table.Get(id[:])
			if value == nil {
				continue
			}
			row, err := decodeBlob(id[:], value)
			if err != nil {
				return err
			}
			rows[i] = row.public(id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// ScanBlobs returns up to limit rows of blobs, those with the smallest ids above after. Rows that cannot be read are
// left out.
func (r *Repository) ScanBlobs(ctx context.Context, after meta.BlobID, limit int) (rows []meta.BlobRow, err error) {
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(tableBlobs).Cursor()
		for k, v := c.Seek(after[:]); k != nil && len(rows) < limit; k, v = c.Next() {
			id, err := parseBlobKey(k)
			if err != nil || id == after {
				continue
			}
			if row, err := decodeBlob(k, v); err == nil {
				rows = append(rows, row.public(id))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Known tells for each blob whether a row refers to it. A corrupt row counts: what it refers to must not be swept.
func (r *Repository) Known(ctx context.Context, blobs []meta.BlobID) (known []bool, err error) {
	known = make([]bool, len(blobs))
	err = r.view(ctx, func(tx *bbolt.Tx) error {
		live, garbage := tx.Bucket(tableBlobs), tx.Bucket(tableGarbage)
		for i, id := range blobs {
			known[i] = live.Get(id[:]) != nil || garbage.Get(id[:]) != nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}
