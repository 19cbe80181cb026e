package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// CreateBucket makes a bucket with a limit, which may be zero. It fails with meta.ErrBucketExists. The name has been
// checked by the caller.
func (s *Store) CreateBucket(_ context.Context, name meta.BucketName, owner string, limit quota.Limit) error {
	bucket := meta.Bucket{Name: name, Created: s.timestamp(), Owner: owner}
	_, err := s.commit(&proposal{mutation: meta.CreateBucket{Bucket: bucket, Limit: limit}})
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

// ListBuckets returns all buckets by name.
func (s *Store) ListBuckets(ctx context.Context) ([]meta.Bucket, error) { return s.meta.Buckets(ctx) }
