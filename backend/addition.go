package backend

import (
	"context"
	"errors"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// addition returns what would change if an object of size bytes were put under a key now. What it replaces is the
// bucket's versioning: the object there, nothing where every version is kept, and the null version, wherever that is
// among the others, while versioning is suspended. The precondition is checked on the way.
func (s *Store) addition(
	ctx context.Context, name meta.BucketName, key meta.Key, size int64, p meta.Precondition,
) (quota.Delta, error) {
	bucket, err := s.buckets.get(name)
	if err != nil {
		return quota.Delta{}, err
	}
	if bucket.Versioning != meta.VersioningOff && p == (meta.Precondition{}) {
		return s.versionAddition(ctx, &bucket.Bucket, key, size)
	}
	old, err := s.meta.Stat(ctx, name, key)
	if err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
		return quota.Delta{}, err
	}
	exists := err == nil
	if err := checkPrecondition(p, old, exists); err != nil {
		return quota.Delta{}, err
	}
	if bucket.Versioning != meta.VersioningOff {
		return s.versionAddition(ctx, &bucket.Bucket, key, size)
	}
	if exists {
		return quota.Delta{Bytes: size - old.Size}, nil
	}
	return quota.Delta{Bytes: size, Objects: 1}, nil
}

// versionAddition is addition in a bucket that keeps versions.
func (s *Store) versionAddition(
	ctx context.Context, bucket *meta.Bucket, key meta.Key, size int64,
) (quota.Delta, error) {
	if bucket.Versioning == meta.VersioningSuspended {
		var marker *meta.DeleteMarkerError
		old, err := s.meta.StatVersion(ctx, bucket.Name, key, meta.NullVersion)
		switch {
		case err == nil:
			return quota.Delta{Bytes: size - old.Size}, nil
		case !errors.As(err, &marker) && !errors.Is(err, meta.ErrNoSuchVersion):
			return quota.Delta{}, err
		}
	}
	return quota.Delta{Bytes: size, Objects: 1}, nil
}

// checkPrecondition is the early half of the check that the transaction makes finally.
func checkPrecondition(p meta.Precondition, current meta.Object, exists bool) error {
	switch {
	case p.IfNoneMatch && exists:
		return meta.ErrPreconditionFailed
	case p.IfMatch != "" && !exists:
		return meta.ErrNoSuchKey
	case p.IfMatch != "" && p.IfMatch != "*" && p.IfMatch != current.ETag:
		return meta.ErrPreconditionFailed
	}
	return nil
}
