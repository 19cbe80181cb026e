package backend

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// CompletedPart is a part as the client names it in CompleteMultipartUpload.
type CompletedPart struct {
	Number int
	ETag   meta.ETag
	// Algorithm and Checksum are what the client says of the part's checksum; None and empty where it says nothing.
	Algorithm checksum.Algorithm
	Checksum  []byte
}

// CompleteMultipartUploadInput is what CompleteMultipartUpload completes.
type CompleteMultipartUploadInput struct {
	Bucket meta.BucketName
	Key    meta.Key
	Upload meta.UploadID
	Parts  []CompletedPart
	// Checksum is what the client says of the whole object's checksum; Algorithm None where it says nothing. Like those
	// of the parts it is not looked at where the upload was created without an algorithm.
	Checksum checksum.Checksum
	// Type is what the client says of the checksum's type; nil where it says nothing.
	Type *checksum.Type
	// Size is what the client says of the whole object's size; negative where it says nothing.
	Size         int64
	Precondition meta.Precondition
	// Check is called with the upload and may refuse it; nil accepts.
	Check func(meta.Upload) error
}

// CompleteMultipartUpload makes an object of an upload's parts. It writes metadata only, whatever the size. Parts that
// are not named are freed. Completing once more with the same parts succeeds as long as the object is there.
//
// It fails with meta.ErrNoSuchUpload, ErrNoParts, ErrInvalidPartOrder, *InvalidPartError, *EntityTooSmallError,
// *PartChecksumError, *MissingPartChecksumError, *ChecksumTypeError, *ChecksumModeError, *ChecksumMismatchError,
// *SizeMismatchError, meta.ErrNoSuchKey and meta.ErrPreconditionFailed (of the precondition), *quota.ExceededError and
// *InsufficientStorageError. The upload stays as it was.
func (s *Store) CompleteMultipartUpload(ctx context.Context, in CompleteMultipartUploadInput) (meta.Object, error) {
	for range staleRetries {
		object, err := s.completeOnce(ctx, in)
		if errors.Is(err, meta.ErrStale) {
			continue // a part was replaced since it was read
		}
		if errors.Is(err, meta.ErrNoSuchUpload) {
			return s.completedBefore(ctx, in)
		}
		return object, err
	}
	return meta.Object{}, fmt.Errorf("complete upload: %w", ErrConflict)
}

// completedBefore answers a client that asks again because it has missed the answer: where the object under the key is
// the one that these parts make, it was completed. Otherwise there is no such upload.
func (s *Store) completedBefore(ctx context.Context, in CompleteMultipartUploadInput) (meta.Object, error) {
	etags := md5.New()
	for _, p := range in.Parts {
		raw, err := hex.DecodeString(string(p.ETag))
		if err != nil {
			return meta.Object{}, meta.ErrNoSuchUpload
		}
		etags.Write(raw)
	}
	object, err := s.meta.Stat(ctx, in.Bucket, in.Key)
	if err != nil || len(in.Parts) == 0 || object.ETag != multipartETag(etags.Sum(nil), len(in.Parts)) {
		return meta.Object{}, meta.ErrNoSuchUpload
	}
	return object, nil
}

// multipartETag is the ETag of an object of parts: the MD5 of their MD5s, and their number.
func multipartETag(sum []byte, parts int) meta.ETag {
	return meta.ETag(hex.EncodeToString(sum) + "-" + strconv.Itoa(parts))
}

func (s *Store) completeOnce(ctx context.Context, in CompleteMultipartUploadInput) (meta.Object, error) {
	var mutation meta.CompleteUpload
	h, err := s.decide(func() (h *hold, err error) {
		mutation, h, err = s.prepareComplete(ctx, in)
		return h, err
	})
	if err != nil {
		return meta.Object{}, err
	}
	defer h.release()
	mutation.Object.Modified = s.timestamp()
	told := s.noticeOfObject(ctx, in.Bucket, in.Key, event.ObjectCreatedComplete, &mutation.Object)
	result, err := s.commit(&proposal{mutation: mutation, bytes: mutation.Object.Size, hold: h, notice: told})
	mutation.Object.Version = result.Version
	return mutation.Object, err
}

// prepareComplete reads the parts, makes the object of them, and holds its space.
func (s *Store) prepareComplete(
	ctx context.Context, in CompleteMultipartUploadInput,
) (meta.CompleteUpload, *hold, error) {
	upload, err := s.meta.Upload(ctx, in.Bucket, in.Key, in.Upload)
	if err != nil {
		return meta.CompleteUpload{}, nil, err
	}
	if in.Check != nil {
		if err := in.Check(upload); err != nil {
			return meta.CompleteUpload{}, nil, err
		}
	}
	if len(in.Parts) == 0 {
		return meta.CompleteUpload{}, nil, ErrNoParts
	}
	stored, _, err := s.meta.Parts(ctx, in.Bucket, in.Key, in.Upload, 0, MaxPartNumber)
	if err != nil {
		return meta.CompleteUpload{}, nil, err
	}
	parts, err := chooseParts(upload, in.Parts, stored)
	if err != nil {
		return meta.CompleteUpload{}, nil, err
	}
	object, err := assemble(upload, parts)
	if err != nil {
		return meta.CompleteUpload{}, nil, err
	}
	if err := checkWhole(in, upload, object); err != nil {
		return meta.CompleteUpload{}, nil, err
	}
	h, err := s.reserveComplete(ctx, in, object.Size, stored)
	return meta.CompleteUpload{
		Bucket: in.Bucket, Key: in.Key, Upload: in.Upload,
		Parts: parts, Object: object, Precondition: in.Precondition,
	}, h, err
}

// chooseParts returns the stored parts that the client names, or says what is wrong with the naming.
func chooseParts(upload meta.Upload, named []CompletedPart, stored []meta.Part) ([]meta.Part, error) {
	for i := range named {
		if i > 0 && named[i].Number <= named[i-1].Number {
			return nil, ErrInvalidPartOrder
		}
	}
	byNumber := make(map[int]*meta.Part, len(stored))
	for i := range stored {
		byNumber[stored[i].Number] = &stored[i]
	}
	parts := make([]meta.Part, 0, len(named))
	for _, n := range named {
		p := byNumber[n.Number]
		if p == nil || p.ETag != n.ETag {
			return nil, &InvalidPartError{PartNumber: n.Number, ETag: n.ETag}
		}
		if err := checkNamedChecksum(upload, n, p); err != nil {
			return nil, err
		}
		parts = append(parts, *p)
	}
	for _, p := range parts[:len(parts)-1] {
		if p.Size < MinPartBytes {
			return nil, &EntityTooSmallError{PartNumber: p.Number, ETag: p.ETag, Size: p.Size}
		}
	}
	return parts, nil
}

// checkNamedChecksum compares the checksum that the client names of a part, where the upload was created with an
// algorithm. A composite checksum is made of those that are named: none may be missing.
func checkNamedChecksum(upload meta.Upload, named CompletedPart, stored *meta.Part) error {
	switch {
	case upload.Algorithm == checksum.None:
		return nil
	case named.Algorithm == checksum.None && upload.Type == checksum.Composite:
		return &MissingPartChecksumError{PartNumber: named.Number, Algorithm: upload.Algorithm}
	case named.Algorithm == checksum.None:
		return nil
	case named.Algorithm != upload.Algorithm:
		return &PartChecksumError{PartNumber: named.Number, Algorithm: named.Algorithm}
	case !bytes.Equal(named.Checksum, stored.Checksum.Value):
		return &InvalidPartError{PartNumber: named.Number, ETag: named.ETag}
	}
	return nil
}

// assemble returns the object that the parts make, but for its segments and its time.
func assemble(upload meta.Upload, parts []meta.Part) (meta.Object, error) {
	var (
		size   int64
		etags  = md5.New()
		heads  = make([]meta.PartHead, 0, len(parts))
		sums   = make([]checksum.PartSum, 0, len(parts))
		values = make([][]byte, 0, len(parts))
	)
	for _, p := range parts {
		raw, err := hex.DecodeString(string(p.ETag))
		if err != nil {
			return meta.Object{}, fmt.Errorf("part %d: ETag %q: %w", p.Number, p.ETag, err)
		}
		etags.Write(raw)
		size += p.Size
		heads = append(heads, meta.PartHead{Number: p.Number, Size: p.Size, Checksum: shown(upload, p).Checksum.Value})
		sums = append(sums, checksum.PartSum{Value: p.Checksum.Value, Size: p.Size})
		values = append(values, p.Checksum.Value)
	}
	whole := checksum.Checksum{Algorithm: wanted(upload.Algorithm), Type: upload.Type}
	if whole.Type == checksum.Composite {
		whole.Value, whole.Parts = checksum.CompositeOf(whole.Algorithm, values), len(parts)
	} else {
		var err error
		if whole.Value, err = checksum.Combine(whole.Algorithm, sums); err != nil {
			return meta.Object{}, fmt.Errorf("checksum of the parts: %w", err)
		}
	}
	return meta.Object{
		ObjectHead: meta.ObjectHead{
			Size:     size,
			ETag:     multipartETag(etags.Sum(nil), len(parts)),
			Checksum: whole,
			Class:    upload.Attributes.StorageClass,
			Owner:    upload.Owner,
		},
		Settings:   upload.Settings,
		Attributes: upload.Attributes,
		Parts:      heads,
	}, nil
}

// checkWhole compares the object with what the client says of it.
func checkWhole(in CompleteMultipartUploadInput, upload meta.Upload, object meta.Object) error {
	if in.Size >= 0 && in.Size != object.Size {
		return &SizeMismatchError{Expected: in.Size, Actual: object.Size}
	}
	if in.Type != nil && *in.Type != upload.Type {
		return &ChecksumModeError{Expected: upload.Type}
	}
	if in.Checksum.Algorithm == checksum.None || upload.Algorithm == checksum.None {
		return nil
	}
	if in.Checksum.Algorithm != upload.Algorithm {
		return &ChecksumTypeError{Expected: upload.Algorithm, Actual: in.Checksum.Algorithm}
	}
	if !bytes.Equal(in.Checksum.Value, object.Checksum.Value) ||
		(in.Checksum.Parts != 0 && in.Checksum.Parts != object.Checksum.Parts) {
		return &ChecksumMismatchError{Algorithm: in.Checksum.Algorithm}
	}
	return nil
}

// reserveComplete decides early whether the completed object fits.
func (s *Store) reserveComplete(
	ctx context.Context, in CompleteMultipartUploadInput, size int64, stored []meta.Part,
) (*hold, error) {
	delta, err := s.addition(ctx, in.Bucket, in.Key, size, in.Precondition)
	if err != nil {
		return nil, err
	}
	op := quota.Operation{Kind: quota.Complete, Delta: delta}
	op.Delta.Uploads = -1
	for _, p := range stored {
		op.Delta.PartBytes -= p.Size
	}
	return s.reserveQuota(in.Bucket, in.Key, op, 0, "")
}
