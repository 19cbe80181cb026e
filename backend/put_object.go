package backend

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// PutObjectInput is what PutObject stores.
type PutObjectInput struct {
	Bucket       meta.BucketName
	Key          meta.Key
	Owner        string
	Attributes   meta.Attributes
	Precondition meta.Precondition
	Body         Body
}

// PutObjectOutput is what PutObject made.
type PutObjectOutput struct {
	ETag     meta.ETag
	Size     int64
	Modified time.Time
	Checksum checksum.Checksum
}

// PutObject stores an object. Whether it fits, and whether its precondition holds, is decided before the first byte of
// the body is read, and again in the transaction. An object for which the client declared no checksum gets a CRC64NVME,
// as in S3.
//
// It fails with meta.ErrNoSuchBucket, meta.ErrNoSuchKey (an If-Match on nothing), meta.ErrPreconditionFailed,
// *quota.ExceededError, *InsufficientStorageError, *EntityTooLargeError, ErrIncompleteBody, ErrBodyTooLong, and the
// errors of the body.
func (s *Store) PutObject(ctx context.Context, in PutObjectInput) (PutObjectOutput, error) {
	if in.Body.Size > MaxPutBytes {
		return PutObjectOutput{}, &EntityTooLargeError{Size: in.Body.Size}
	}
	h, err := s.reservePut(ctx, in.Bucket, in.Key, in.Body.Size, in.Body.Size, in.Precondition)
	if err != nil {
		return PutObjectOutput{}, err
	}
	defer h.release()

	body, err := s.store(ctx, in.Body, wanted(in.Body.Algorithm), h)
	if err != nil {
		return PutObjectOutput{}, err
	}
	object := meta.Object{
		ObjectHead: meta.ObjectHead{
			Size:     in.Body.Size,
			ETag:     meta.ETag(hex.EncodeToString(body.md5)),
			Modified: s.timestamp(),
			Checksum: body.checksum,
			Class:    in.Attributes.StorageClass,
			Owner:    in.Owner,
		},
		Attributes: in.Attributes,
		Segments:   body.segments,
	}
	mutation := meta.PutObject{Bucket: in.Bucket, Key: in.Key, Object: object, Precondition: in.Precondition}
	if _, err := s.commitStored(ctx, mutation, body, in.Body.Size, h); err != nil {
		return PutObjectOutput{}, err
	}
	return PutObjectOutput{ETag: object.ETag, Size: object.Size, Modified: object.Modified, Checksum: object.Checksum}, nil
}

// wanted is the algorithm of the checksum that is kept where the client declared one, or none.
func wanted(declared checksum.Algorithm) checksum.Algorithm {
	if declared == checksum.None {
		return checksum.CRC64NVME
	}
	return declared
}

// reservePut decides early whether an object of size bytes may be put under a key, and holds its space. body is how many
// bytes will be written to the disk: the size, or 0 for a copy that shares blobs.
func (s *Store) reservePut(
	ctx context.Context, bucket meta.BucketName, key meta.Key, size, body int64, p meta.Precondition,
) (*hold, error) {
	return s.decide(func() (*hold, error) {
		return s.tryReservePut(ctx, bucket, key, size, body, p)
	})
}

// decide makes an early decision, and makes it again before it is a refusal. try reads rows and then asks the ledger;
// what is committed between the two, or committed and not yet known to the ledger, may be counted twice, or an old
// object's credit against a usage that no longer has it. That must not refuse what fits. The second time no commit is
// under way, so that rows and ledger agree.
func (s *Store) decide(try func() (*hold, error)) (*hold, error) {
	var exceeded *quota.ExceededError
	h, err := try()
	if !errors.As(err, &exceeded) {
		return h, err
	}
	s.committer.settling.RLock()
	defer s.committer.settling.RUnlock()
	h, err = try()
	if errors.As(err, &exceeded) {
		s.ledger.refused(exceeded.Scope.Kind)
	}
	return h, err
}

func (s *Store) tryReservePut(
	ctx context.Context, bucket meta.BucketName, key meta.Key, size, body int64, p meta.Precondition,
) (*hold, error) {
	delta := quota.Delta{Bytes: size, Objects: 1}
	old, err := s.meta.Stat(ctx, bucket, key)
	switch {
	case err == nil:
		delta = quota.Delta{Bytes: size - old.Size}
	case !errors.Is(err, meta.ErrNoSuchKey):
		return nil, err
	}
	if err := checkPrecondition(p, old, err == nil); err != nil {
		return nil, err
	}
	return s.reserve(bucket, quota.Operation{Kind: quota.Put, Delta: delta}, body, "")
}

// reserve admits an operation on its scopes and on the disk, and holds its space. body is how many bytes it will write.
func (s *Store) reserve(bucket meta.BucketName, op quota.Operation, body int64, upload meta.UploadID) (*hold, error) {
	h, err := s.ledger.reserve(bucket, op, body, upload)
	if err != nil {
		return nil, err
	}
	if growth(op.Delta) != (quota.Delta{}) {
		err = s.admitDisk(body)
	} else if body > 0 {
		err = s.admitPassing(body)
	}
	if err != nil {
		h.release()
		return nil, err
	}
	return h, nil
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
