package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// DeleteObject removes an object; a key that is not there is no error. It is always allowed, also on a full disk. It
// fails with meta.ErrNoSuchBucket.
func (s *Store) DeleteObject(_ context.Context, bucket meta.BucketName, key meta.Key) error {
	_, err := s.commit(&proposal{mutation: meta.DeleteObject{Bucket: bucket, Key: key}})
	return err
}

// DeleteObjects removes objects, and returns an error, or nil, for each key. All deletions are queued before the first
// is waited for, so that they share transactions.
func (s *Store) DeleteObjects(_ context.Context, bucket meta.BucketName, keys []meta.Key) []error {
	proposals := make([]*proposal, len(keys))
	errs := make([]error, len(keys))
	for i, key := range keys {
		proposals[i] = &proposal{mutation: meta.DeleteObject{Bucket: bucket, Key: key}}
		errs[i] = s.committer.enqueue(proposals[i])
	}
	for i, p := range proposals {
		if errs[i] == nil {
			_, errs[i] = p.wait()
		}
	}
	return errs
}
