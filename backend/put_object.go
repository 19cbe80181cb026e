package backend

import (
	"context"
	"errors"
	"time"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// PutObjectInput is what PutObject stores.
type PutObjectInput struct {
	Bucket       meta.BucketName
	Key          meta.Key
	Owner        string
	Attributes   meta.Attributes
	Settings     meta.Settings
	Precondition meta.Precondition
	Body         Body
	// Wrap has the object encrypted, and Settings.Encryption set; nil for one that is not.
	Wrap WrapKey
}

// PutObjectOutput is what PutObject made.
type PutObjectOutput struct {
	ETag     meta.ETag
	Size     int64
	Modified time.Time
	Checksum checksum.Checksum
	// Version is empty where the bucket has never kept versions.
	Version meta.VersionID
	// Encryption is the object's Settings.Encryption.
	Encryption []byte
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
	key, envelope, err := in.Wrap.newKey()
	if err != nil {
		return PutObjectOutput{}, err
	}
	in.Settings.Encryption = envelope
	h, err := s.reserveBody(ctx, &in, key)
	if err != nil {
		return PutObjectOutput{}, err
	}
	defer h.release()

	body, err := s.store(ctx, in.Body, wanted(in.Body.Algorithm), key, h)
	if err != nil {
		return PutObjectOutput{}, err
	}
	object := meta.Object{
		ObjectHead: meta.ObjectHead{
			Size:     body.size,
			ETag:     newETag(body.md5, envelope),
			Modified: s.timestamp(),
			Checksum: body.checksum,
			Class:    in.Attributes.StorageClass,
			Owner:    in.Owner,
		},
		Settings:   in.Settings,
		Attributes: in.Attributes,
		Segments:   body.segments,
	}
	mutation := meta.PutObject{Bucket: in.Bucket, Key: in.Key, Object: object, Precondition: in.Precondition}
	told := s.noticeOfObject(ctx, in.Bucket, in.Key, event.ObjectCreatedPut, &object)
	result, err := s.commitStored(ctx, mutation, body, body.size, h, told)
	if err != nil {
		return PutObjectOutput{}, err
	}
	return PutObjectOutput{
		ETag: object.ETag, Size: object.Size, Modified: object.Modified, Checksum: object.Checksum, Version: result.Version,
		Encryption: envelope,
	}, nil
}

// wanted is the algorithm of the checksum that is kept where the client declared one, or none.
func wanted(declared checksum.Algorithm) checksum.Algorithm {
	if declared == checksum.None {
		return checksum.CRC64NVME
	}
	return declared
}

// reserveBody is reservePut for a body that arrives. Where its size is known only at the end, the likely one is held; a
// body that may still turn out to fit is not refused early, and the transaction decides.
func (s *Store) reserveBody(ctx context.Context, in *PutObjectInput, key *encryption.DataKey) (*hold, error) {
	least, most := in.Body.bounds()
	written := storedSize(most, key)
	return s.decide(func() (*hold, error) {
		h, err := s.tryReservePut(ctx, in.Bucket, in.Key, in.Body.Size, written, in.Precondition)
		var exceeded *quota.ExceededError
		if least == in.Body.Size || !errors.As(err, &exceeded) {
			return h, err
		}
		if h, leastErr := s.tryReservePut(ctx, in.Bucket, in.Key, least, written, in.Precondition); leastErr == nil {
			return h, nil
		}
		return nil, err
	})
}

// reservePut decides early whether an object of size bytes may be put under a key, and holds its space. body is how many
// bytes will be written to the disk: what is stored of the size, or 0 for a copy that shares blobs.
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
		s.ledger.exceeded(exceeded)
	}
	return h, err
}

func (s *Store) tryReservePut(
	ctx context.Context, bucket meta.BucketName, key meta.Key, size, body int64, p meta.Precondition,
) (*hold, error) {
	delta, err := s.addition(ctx, bucket, key, size, p)
	if err != nil {
		return nil, err
	}
	return s.reserve(bucket, key, quota.Operation{Kind: quota.Put, Delta: delta}, body, "")
}

// reserveQuota admits an operation on its scopes alone.
func (s *Store) reserveQuota(
	bucket meta.BucketName, key meta.Key, op quota.Operation, body int64, upload meta.UploadID,
) (*hold, error) {
	state, err := s.buckets.get(bucket)
	if err != nil {
		return nil, err
	}
	return s.ledger.reserve(state.Bucket, key, op, body, upload)
}

// reserve admits an operation on its scopes and on the disk, and holds its space. body is how many bytes it will write.
func (s *Store) reserve(
	bucket meta.BucketName, key meta.Key, op quota.Operation, body int64, upload meta.UploadID,
) (*hold, error) {
	h, err := s.reserveQuota(bucket, key, op, body, upload)
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
