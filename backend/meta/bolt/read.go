package bolt

import (
	"bytes"
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Buckets returns all buckets by name.
func (r *Repository) Buckets(ctx context.Context) (buckets []meta.Bucket, err error) {
	err = r.view(ctx, func(s snapshot) error {
		return s.table(tableBuckets).ForEach(func(k, v []byte) error {
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
func requireBucket(s snapshot, name meta.BucketName) error {
	if s.table(tableBuckets).Get([]byte(name)) == nil {
		return meta.ErrNoSuchBucket
	}
	return nil
}

// Stat returns the row of a key's latest version.
func (r *Repository) Stat(ctx context.Context, bucket meta.BucketName, key meta.Key) (o meta.Object, err error) {
	k := objectKey(bucket, key)
	err = r.view(ctx, func(s snapshot) error {
		value := s.table(tableObjects).Get(k)
		if value == nil {
			return noObject(s, bucket, key)
		}
		v, err := decodeVersion(tableObjects, k, value)
		if err == nil {
			o = v.object
		}
		return err
	})
	if err != nil {
		return meta.Object{}, err
	}
	return o, nil
}

// noObject returns why a key has no row in objects.
func noObject(s snapshot, name meta.BucketName, key meta.Key) error {
	bucket, err := storedBucket(s, name)
	if err != nil {
		return err
	}
	if bucket.Versioning == meta.VersioningOff {
		return meta.ErrNoSuchKey
	}
	r := s.keyReader(bucket, key)
	switch newest, err := r.newestShelved(nil); {
	case err != nil:
		return err
	case newest == nil:
		return meta.ErrNoSuchKey
	case !newest.marker:
		return corruptRow(tableVersions, r.row, errNotLatest)
	default:
		return markerError(newest, true)
	}
}

// StatVersion returns a version's row.
func (r *Repository) StatVersion(
	ctx context.Context, name meta.BucketName, key meta.Key, id meta.VersionID,
) (o meta.Object, err error) {
	err = r.view(ctx, func(s snapshot) error {
		bucket, err := storedBucket(s, name)
		if err != nil {
			return err
		}
		reader := s.keyReader(bucket, key)
		current, err := reader.current()
		if err != nil {
			return err
		}
		v, err := reader.find(current, id)
		switch {
		case err != nil:
			return err
		case v == nil:
			return meta.ErrNoSuchVersion
		case v.marker:
			return markerError(v, false)
		}
		o = v.object
		return nil
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
	err := r.view(ctx, func(s snapshot) (err error) {
		value := s.table(tableUploads).Get(k)
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
	err = r.view(ctx, func(s snapshot) error {
		if s.table(tableUploads).Get(prefix) == nil {
			return meta.ErrNoSuchUpload
		}
		if after >= maxPartNumber {
			return nil
		}
		c := s.table(tableParts).Cursor()
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
	err = r.view(ctx, func(s snapshot) error {
		c := s.table(tableGarbage).Cursor()
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
	err = r.view(ctx, func(s snapshot) error {
		table := s.table(tableBlobs)
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
	err = r.view(ctx, func(s snapshot) error {
		c := s.table(tableBlobs).Cursor()
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
	err = r.view(ctx, func(s snapshot) error {
		live, garbage := s.table(tableBlobs), s.table(tableGarbage)
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
