package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// DeleteObjectInput is what DeleteObject removes.
type DeleteObjectInput struct {
	Bucket meta.BucketName
	Key    meta.Key
	// Version is the version to be removed; where it is empty the key is deleted as its bucket's versioning has it.
	Version      meta.VersionID
	Precondition meta.Precondition
	// Bypass removes what a governance retention protects.
	Bypass bool
	// Owner is a delete marker's.
	Owner string
}

// DeleteObjectOutput is what became of it.
type DeleteObjectOutput struct {
	// Version is that of the delete marker that was made, or the one that was named; empty in a bucket that never kept
	// versions where none was named.
	Version meta.VersionID
	// DeleteMarker says that a delete marker was made or removed.
	DeleteMarker bool
}

// DeleteObject removes an object, or hides it behind a delete marker; a key that is not there is no error. It is always
// allowed, also on a full disk. It fails with meta.ErrNoSuchBucket, meta.ErrInvalidVersion, meta.ErrObjectLocked, and,
// with a precondition, meta.ErrPreconditionFailed, meta.ErrNoSuchKey and meta.ErrNoSuchVersion.
func (s *Store) DeleteObject(ctx context.Context, in DeleteObjectInput) (DeleteObjectOutput, error) {
	deletion := s.deletion(in)
	result, err := s.commit(&proposal{mutation: deletion, notice: s.noticeOfDeletion(ctx, &deletion, false)})
	return DeleteObjectOutput{Version: result.Version, DeleteMarker: result.DeleteMarker}, err
}

func (s *Store) deletion(in DeleteObjectInput) meta.DeleteObject {
	return meta.DeleteObject{
		Bucket: in.Bucket, Key: in.Key, Version: in.Version, Precondition: in.Precondition,
		Bypass: in.Bypass, Now: s.timestamp(), Owner: in.Owner,
	}
}

// Deletion is what became of one of DeleteObjects.
type Deletion struct {
	DeleteObjectOutput
	Err error // as of DeleteObject
}

// DeleteObjects removes objects as DeleteObject does, each by itself. All deletions are queued before the first is waited
// for, so that they share transactions.
func (s *Store) DeleteObjects(ctx context.Context, objects []DeleteObjectInput) []Deletion {
	proposals := make([]*proposal, len(objects))
	deletions := make([]Deletion, len(objects))
	for i, in := range objects {
		deletion := s.deletion(in)
		proposals[i] = &proposal{mutation: deletion, notice: s.noticeOfDeletion(ctx, &deletion, false)}
		deletions[i].Err = s.committer.enqueue(proposals[i])
	}
	for i, p := range proposals {
		if deletions[i].Err != nil {
			continue
		}
		result, err := p.wait()
		deletions[i] = Deletion{DeleteObjectOutput{Version: result.Version, DeleteMarker: result.DeleteMarker}, err}
	}
	return deletions
}
