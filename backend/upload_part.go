package backend

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// UploadPartInput is what UploadPart stores. Number is from 1 to MaxPartNumber; the caller has checked it.
type UploadPartInput struct {
	Bucket meta.BucketName
	Key    meta.Key
	Upload meta.UploadID
	Number int
	Body   Body
}

// UploadPart stores a part, and frees the one with the same number that it replaces. Whether it fits is decided before
// the first byte of the body is read, and again in the transaction. The part's checksum is of the upload's algorithm,
// CRC64NVME where that asked for none.
//
// It fails with meta.ErrNoSuchUpload, *quota.ExceededError, *InsufficientStorageError, *EntityTooLargeError,
// *ChecksumTypeError, ErrIncompleteBody, ErrBodyTooLong, and the errors of the body.
func (s *Store) UploadPart(ctx context.Context, in UploadPartInput) (meta.Part, error) {
	if in.Body.Size > MaxPutBytes {
		return meta.Part{}, &EntityTooLargeError{Size: in.Body.Size}
	}
	upload, err := s.meta.Upload(ctx, in.Bucket, in.Key, in.Upload)
	if err != nil {
		return meta.Part{}, err
	}
	if upload.Algorithm != checksum.None && in.Body.Algorithm != checksum.None && upload.Algorithm != in.Body.Algorithm {
		return meta.Part{}, &ChecksumTypeError{Expected: upload.Algorithm.String(), Actual: in.Body.Algorithm.String()}
	}
	h, err := s.reservePart(ctx, upload, in.Number, in.Body.Size, in.Body.Size)
	if err != nil {
		return meta.Part{}, err
	}
	defer h.release()

	body, err := s.store(ctx, in.Body, wanted(upload.Algorithm), h)
	if err != nil {
		return meta.Part{}, err
	}
	part := meta.Part{
		Number:   in.Number,
		Size:     in.Body.Size,
		ETag:     meta.ETag(hex.EncodeToString(body.md5)),
		Modified: s.timestamp(),
		Checksum: body.checksum,
		Segments: body.segments,
	}
	mutation := meta.PutPart{Bucket: in.Bucket, Key: in.Key, Upload: in.Upload, Part: part}
	if _, err := s.commitStored(ctx, mutation, body, in.Body.Size, h); err != nil {
		return meta.Part{}, err
	}
	return part, nil
}

// reservePart decides early whether a part fits, and holds its space. body is how many bytes will be written.
func (s *Store) reservePart(ctx context.Context, upload meta.Upload, number int, size, body int64) (*hold, error) {
	return s.decide(func() (*hold, error) {
		// Its other parts may have arrived since it was read.
		now, err := s.meta.Upload(ctx, upload.Bucket, upload.Key, upload.ID)
		if err != nil {
			return nil, err
		}
		return s.tryReservePart(ctx, now, number, size, body)
	})
}

func (s *Store) tryReservePart(ctx context.Context, upload meta.Upload, number int, size, body int64) (*hold, error) {
	var replaced int64
	if same, _, err := s.meta.Parts(ctx, upload.Bucket, upload.Key, upload.ID, number-1, 1); err != nil {
		return nil, err
	} else if len(same) == 1 && same[0].Number == number {
		replaced = same[0].Size
	}
	op := quota.Operation{
		Kind:      quota.Part,
		Delta:     quota.Delta{PartBytes: size - replaced},
		Completed: quota.Delta{Bytes: upload.PartBytes - replaced + size, Objects: 1},
	}
	old, err := s.meta.Stat(ctx, upload.Bucket, upload.Key)
	switch {
	case err == nil:
		op.Completed.Bytes -= old.Size
		op.Completed.Objects = 0
	case !errors.Is(err, meta.ErrNoSuchKey):
		return nil, err
	}
	return s.reserve(upload.Bucket, op, body, upload.ID)
}

// UploadPartCopyInput is what UploadPartCopy copies.
type UploadPartCopyInput struct {
	Source Source
	// Range of the source; nil for all of it.
	Range  *Range
	Bucket meta.BucketName
	Key    meta.Key
	Upload meta.UploadID
	Number int
}

// UploadPartCopy makes a part from an object, or a range of it. Whole blobs are shared; the bytes of a range that cuts
// through one are copied.
//
// It fails with the errors of UploadPart, those of CopyObject, and ErrInvalidRange.
func (s *Store) UploadPartCopy(ctx context.Context, in UploadPartCopyInput) (meta.Part, error) {
	upload, err := s.meta.Upload(ctx, in.Bucket, in.Key, in.Upload)
	if err != nil {
		return meta.Part{}, err
	}
	for range staleRetries {
		object, err := s.copySource(ctx, in.Source)
		if err != nil {
			return meta.Part{}, err
		}
		rng := Range{Size: object.Size}
		if in.Range != nil {
			rng = *in.Range
			if rng.Size <= 0 || rng.Offset < 0 || rng.Offset > object.Size-rng.Size {
				return meta.Part{}, ErrInvalidRange
			}
		}
		if rng.Size > MaxPutBytes {
			return meta.Part{}, ErrCopySourceTooLarge
		}
		part, err := s.copyPart(ctx, in, upload, object, rng)
		if errors.Is(err, meta.ErrStale) {
			continue
		}
		return part, err
	}
	return meta.Part{}, fmt.Errorf("upload part copy: %w", ErrConflict)
}

func (s *Store) copyPart(
	ctx context.Context, in UploadPartCopyInput, upload meta.Upload, object meta.Object, rng Range,
) (meta.Part, error) {
	shared, whole := wholeSegments(object.Segments, rng)
	if !whole {
		return s.copyPartBytes(ctx, in, upload, object, rng)
	}
	h, err := s.reservePart(ctx, upload, in.Number, rng.Size, 0)
	if err != nil {
		return meta.Part{}, err
	}
	defer h.release()
	md5Sum, sum, err := s.partSums(ctx, in.Source, object, rng, wanted(upload.Algorithm))
	if err != nil {
		return meta.Part{}, err
	}
	part := meta.Part{
		Number: in.Number, Size: rng.Size, ETag: md5Sum, Modified: s.timestamp(), Checksum: sum, Segments: shared,
	}
	_, err = s.commit(&proposal{
		mutation: meta.PutPart{Bucket: in.Bucket, Key: in.Key, Upload: in.Upload, Part: part, Shared: true},
		bytes:    rng.Size,
		hold:     h,
	})
	return part, err
}

// copyPartBytes uploads a range of an object as a part.
func (s *Store) copyPartBytes(
	ctx context.Context, in UploadPartCopyInput, upload meta.Upload, object meta.Object, rng Range,
) (meta.Part, error) {
	reader, err := s.open(ctx, in.Source.Bucket, in.Source.Key, object, rng)
	if err != nil {
		return meta.Part{}, err
	}
	part, err := s.UploadPart(ctx, UploadPartInput{
		Bucket: in.Bucket, Key: in.Key, Upload: upload.ID, Number: in.Number,
		Body: Body{Reader: reader, Size: rng.Size},
	})
	return part, errors.Join(err, reader.Close())
}

// wholeSegments returns the segments that a range consists of, and whether it cuts through none.
func wholeSegments(segments []meta.Segment, rng Range) ([]meta.Segment, bool) {
	runs := cut(segments, rng)
	sizes := make(map[meta.BlobID]int64, len(segments))
	for _, s := range segments {
		sizes[s.Blob] = s.Size
	}
	whole := make([]meta.Segment, 0, len(runs))
	for _, r := range runs {
		if r.size != sizes[r.blob] {
			return nil, false
		}
		whole = append(whole, meta.Segment{Blob: r.blob, Size: r.size})
	}
	return whole, true
}

// partSums returns the ETag and the checksum of a range as a part has them. They are the object's own where the range is
// all of an object that was put in one piece; else its bytes are read.
func (s *Store) partSums(
	ctx context.Context, source Source, object meta.Object, rng Range, want checksum.Algorithm,
) (meta.ETag, checksum.Checksum, error) {
	if rng.Size == object.Size && !strings.Contains(string(object.ETag), "-") &&
		object.Checksum.Algorithm == want && object.Checksum.Type == checksum.FullObject {
		return object.ETag, object.Checksum, nil
	}
	var sums [2]hash.Hash
	sums[0], sums[1] = md5.New(), checksum.New(want)
	if err := s.copyRange(ctx, source, object, rng, io.MultiWriter(sums[0], sums[1])); err != nil {
		return "", checksum.Checksum{}, err
	}
	return meta.ETag(hex.EncodeToString(sums[0].Sum(nil))), checksum.Checksum{Algorithm: want, Value: sums[1].Sum(nil)}, nil
}
