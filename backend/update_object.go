package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// UpdateObject changes settings of a stored version: its tags, its locks, its access control list. It returns the
// version that was changed, empty where the bucket never kept versions. The clock is the store's.
//
// It fails with meta.ErrNoSuchBucket, meta.ErrNoSuchKey, meta.ErrNoSuchVersion, meta.ErrInvalidVersion,
// *meta.DeleteMarkerError and meta.ErrObjectLocked.
func (s *Store) UpdateObject(ctx context.Context, update meta.UpdateObject) (meta.VersionID, error) {
	update.Now = s.timestamp()
	result, err := s.commit(&proposal{mutation: update, notice: s.noticeOfUpdate(ctx, &update)})
	return result.Version, err
}

// ListObjectVersions returns a page of a bucket's versions and common prefixes. It fails with meta.ErrNoSuchBucket and
// meta.ErrInvalidVersion.
func (s *Store) ListObjectVersions(ctx context.Context, r meta.ListVersionsRequest) (meta.VersionsPage, error) {
	return s.meta.ListVersions(ctx, r)
}
