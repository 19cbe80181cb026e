package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// ListObjects returns a page of a bucket's keys and common prefixes. It fails with meta.ErrNoSuchBucket.
func (s *Store) ListObjects(ctx context.Context, r meta.ListRequest) (meta.ListPage, error) {
	return s.meta.List(ctx, r)
}
