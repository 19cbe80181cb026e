package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// CreateBucketInput is the bucket that CreateBucket makes. Its name has been checked by the caller.
type CreateBucketInput struct {
	Name  meta.BucketName
	Owner string
	// Limit is the bucket's limit. Where a figure is 0, and NoDefaults is not set, it is that of Defaults.Bucket.
	Limit      quota.Limit
	NoDefaults bool
	// ObjectLock lets its objects be locked, and keeps their versions from the start.
	ObjectLock bool
	Configs    []meta.Config
}

// CreateBucket makes a bucket. It fails with meta.ErrBucketExists.
func (s *Store) CreateBucket(_ context.Context, in CreateBucketInput) error {
	bucket := meta.Bucket{Name: in.Name, Created: s.timestamp(), Owner: in.Owner, ObjectLock: in.ObjectLock}
	if in.ObjectLock {
		bucket.Versioning = meta.VersioningEnabled
	}
	limit := in.Limit
	if !in.NoDefaults {
		limit = overDefault(limit, s.Defaults().Bucket)
	}
	_, err := s.commit(&proposal{mutation: meta.CreateBucket{Bucket: bucket, Limit: limit, Configs: in.Configs}})
	return err
}

// DeleteBucket removes a bucket that holds no objects; its unfinished uploads are aborted. It fails with
// meta.ErrNoSuchBucket and meta.ErrBucketNotEmpty.
func (s *Store) DeleteBucket(_ context.Context, name meta.BucketName) error {
	_, err := s.commit(&proposal{mutation: meta.DeleteBucket{Bucket: name}})
	return err
}

// HeadBucket returns meta.ErrNoSuchBucket where there is no such bucket. It costs no disk access.
func (s *Store) HeadBucket(_ context.Context, name meta.BucketName) error {
	if _, ok := s.ledger.account(quota.BucketScope(string(name))); !ok {
		return meta.ErrNoSuchBucket
	}
	return nil
}

// GetBucket returns a bucket's row, or meta.ErrNoSuchBucket.
func (s *Store) GetBucket(ctx context.Context, name meta.BucketName) (meta.Bucket, error) {
	return s.meta.Bucket(ctx, name)
}

// ListBuckets returns all buckets by name. It costs no disk access.
func (s *Store) ListBuckets(context.Context) ([]meta.Bucket, error) { return s.buckets.list(), nil }
