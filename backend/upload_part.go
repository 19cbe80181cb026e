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
	"github.com/plimsoll/plimsoll/backend/encryption"
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
	// Unwrap has the upload's data key, under which all its parts are encrypted.
	Unwrap UnwrapKey
}

// UploadPart stores a part, and frees the one with the same number that it replaces. Whether it fits is decided before
// the first byte of the body is read, and again in the transaction. The part's checksum is of the upload's algorithm,
// CRC64NVME where that asked for none; the part that is returned has it only where the upload asked for one.
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
	if err := checkPartChecksum(upload, in.Body.Algorithm); err != nil {
		return meta.Part{}, err
	}
	key, err := in.Unwrap.key(upload.Encryption)
	if err != nil {
		return meta.Part{}, err
	}
	return s.putPart(ctx, upload, in, key)
}

// checkPartChecksum refuses a part that comes with another checksum than its upload asked for, or without one: only
// what is combined to that of the full object is computed for the client.
func checkPartChecksum(upload meta.Upload, declared checksum.Algorithm) error {
	switch {
	case upload.Algorithm == checksum.None || upload.Algorithm == declared:
		return nil
	case declared == checksum.None && upload.Type == checksum.FullObject:
		return nil
	}
	return &ChecksumTypeError{Expected: upload.Algorithm, Actual: declared}
}

// putPart stores a part of an upload.
func (s *Store) putPart(
	ctx context.Context, upload meta.Upload, in UploadPartInput, key *encryption.DataKey,
) (meta.Part, error) {
	h, err := s.reservePart(ctx, upload, in.Number, in.Body.Size, storedSize(in.Body.Size, key))
	if err != nil {
		return meta.Part{}, err
	}
	defer h.release()

	body, err := s.store(ctx, in.Body, wanted(upload.Algorithm), key, h)
	if err != nil {
		return meta.Part{}, err
	}
	part := meta.Part{
		Number:   in.Number,
		Size:     in.Body.Size,
		ETag:     newETag(body.md5, upload.Encryption),
		Modified: s.timestamp(),
		Checksum: body.checksum,
		Segments: body.segments,
	}
	mutation := meta.PutPart{Bucket: in.Bucket, Key: in.Key, Upload: in.Upload, Part: part}
	if _, err := s.commitStored(ctx, mutation, body, in.Body.Size, h, nil); err != nil {
		return meta.Part{}, err
	}
	return shown(upload, part), nil
}

// shown is a part as the client gets to know it: with a checksum only where the upload asked for one.
func shown(upload meta.Upload, part meta.Part) meta.Part {
	if upload.Algorithm == checksum.None {
		part.Checksum = checksum.Checksum{}
	}
	return part
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
	whole := upload.PartBytes - replaced + size
	completed, err := s.addition(ctx, upload.Bucket, upload.Key, whole, meta.Precondition{})
	if err != nil {
		return nil, err
	}
	op := quota.Operation{Kind: quota.Part, Delta: quota.Delta{PartBytes: size - replaced}, Completed: completed}
	return s.reserve(upload.Bucket, upload.Key, op, body, upload.ID)
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
	// Unwrap has the upload's data key. That of the source is Source.Unwrap.
	Unwrap UnwrapKey
}

// UploadPartCopyOutput is what UploadPartCopy made. SourceVersion is what it was made from.
type UploadPartCopyOutput struct {
	meta.Part
	SourceVersion meta.VersionID
}

// UploadPartCopy makes a part from an object, or a range of it. Whole blobs are shared; the bytes of a range that cuts
// through one are copied, and all are where the source or the upload is encrypted: they have not the same data key.
//
// It fails with the errors of UploadPart, those of CopyObject, and ErrInvalidRange.
func (s *Store) UploadPartCopy(ctx context.Context, in UploadPartCopyInput) (UploadPartCopyOutput, error) {
	upload, err := s.meta.Upload(ctx, in.Bucket, in.Key, in.Upload)
	if err != nil {
		return UploadPartCopyOutput{}, err
	}
	for range staleRetries {
		object, err := s.copySource(ctx, in.Source)
		if err != nil {
			return UploadPartCopyOutput{}, err
		}
		rng := Range{Size: object.Size}
		if in.Range != nil {
			rng = *in.Range
			if rng.Size <= 0 || rng.Offset < 0 || rng.Offset > object.Size-rng.Size {
				return UploadPartCopyOutput{}, ErrInvalidRange
			}
		}
		if rng.Size > MaxPutBytes {
			return UploadPartCopyOutput{}, ErrCopySourceTooLarge
		}
		part, err := s.copyPart(ctx, in, upload, object, rng)
		if errors.Is(err, meta.ErrStale) {
			continue
		}
		return UploadPartCopyOutput{Part: part, SourceVersion: object.Version}, err
	}
	return UploadPartCopyOutput{}, fmt.Errorf("upload part copy: %w", ErrConflict)
}

func (s *Store) copyPart(
	ctx context.Context, in UploadPartCopyInput, upload meta.Upload, object meta.Object, rng Range,
) (meta.Part, error) {
	from, err := in.Source.Unwrap.key(object.Encryption)
	if err != nil {
		return meta.Part{}, err
	}
	to, err := in.Unwrap.key(upload.Encryption)
	if err != nil {
		return meta.Part{}, err
	}
	shared, whole := wholeSegments(object.Segments, rng)
	if !whole || from != nil || to != nil {
		return s.copyPartBytes(ctx, in, upload, object, Selection{Range: rng, Key: from}, to)
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
	return shown(upload, part), err
}

// copyPartBytes uploads a selection of an object as a part, under the upload's data key.
func (s *Store) copyPartBytes(
	ctx context.Context, in UploadPartCopyInput, upload meta.Upload, object meta.Object, chosen Selection,
	key *encryption.DataKey,
) (meta.Part, error) {
	reader, err := s.open(ctx, in.Source.Bucket, in.Source.Key, in.Source.Version, object, chosen)
	if err != nil {
		return meta.Part{}, err
	}
	part, err := s.putPart(ctx, upload, UploadPartInput{
		Bucket: in.Bucket, Key: in.Key, Upload: upload.ID, Number: in.Number,
		Body: Body{Reader: reader, Size: chosen.Size},
	}, key)
	return part, errors.Join(err, reader.Close())
}

// wholeSegments returns the segments that a range consists of, and whether it cuts through none.
func wholeSegments(segments []meta.Segment, rng Range) ([]meta.Segment, bool) {
	runs := cut(segments, Selection{Range: rng})
	byBlob := make(map[meta.BlobID]meta.Segment, len(segments))
	for _, s := range segments {
		byBlob[s.Blob] = s
	}
	whole := make([]meta.Segment, 0, len(runs))
	for _, r := range runs {
		segment := byBlob[r.blob]
		if r.size != segment.Size {
			return nil, false
		}
		whole = append(whole, segment)
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
	if err := s.copyRange(ctx, source, object, Selection{Range: rng}, io.MultiWriter(sums[0], sums[1])); err != nil {
		return "", checksum.Checksum{}, err
	}
	return meta.ETag(hex.EncodeToString(sums[0].Sum(nil))), checksum.Checksum{Algorithm: want, Value: sums[1].Sum(nil)}, nil
}
