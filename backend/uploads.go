package backend

import (
	"context"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// CreateMultipartUpload begins an upload and returns its id. The caller sets everything of the upload but ID and
// Initiated. It fails with meta.ErrNoSuchBucket.
func (s *Store) CreateMultipartUpload(_ context.Context, upload meta.Upload) (meta.UploadID, error) {
	upload.Initiated = s.timestamp()
	id, err := ulid.New(ulid.Timestamp(upload.Initiated), ulid.DefaultEntropy())
	if err != nil {
		return "", err
	}
	upload.ID = meta.UploadID(id.String())
	if err := s.admitDisk(0); err != nil {
		return "", err
	}
	if _, err := s.commit(&proposal{mutation: meta.CreateUpload{Upload: upload}}); err != nil {
		return "", err
	}
	return upload.ID, nil
}

// AbortMultipartUpload removes an upload and its parts. It is always allowed. It fails with meta.ErrNoSuchUpload.
func (s *Store) AbortMultipartUpload(_ context.Context, bucket meta.BucketName, key meta.Key, id meta.UploadID) error {
	_, err := s.commit(&proposal{mutation: meta.AbortUpload{Bucket: bucket, Key: key, Upload: id}})
	return err
}

// ListMultipartUploads returns a page of a bucket's unfinished uploads. It fails with meta.ErrNoSuchBucket and
// ErrInvalidUploadMarker.
func (s *Store) ListMultipartUploads(ctx context.Context, r meta.UploadsRequest) (meta.UploadsPage, error) {
	if _, err := ulid.ParseStrict(string(r.UploadMarker)); r.UploadMarker != "" && err != nil {
		return meta.UploadsPage{}, ErrInvalidUploadMarker
	}
	return s.meta.Uploads(ctx, r)
}

// ListParts returns an upload's row, its parts with numbers above after, at most limit of them, and whether more follow.
// It fails with meta.ErrNoSuchUpload.
func (s *Store) ListParts(
	ctx context.Context, bucket meta.BucketName, key meta.Key, id meta.UploadID, after, limit int,
) (meta.Upload, []meta.Part, bool, error) {
	upload, err := s.meta.Upload(ctx, bucket, key, id)
	if err != nil {
		return meta.Upload{}, nil, false, err
	}
	parts, more, err := s.meta.Parts(ctx, bucket, key, id, after, limit)
	return upload, parts, more, err
}
