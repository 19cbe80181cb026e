package backend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// Source names the object that a copy is made from, and what must hold of it.
type Source struct {
	Bucket meta.BucketName
	Key    meta.Key
	// Check is called with the source's row and may refuse it; nil accepts.
	Check func(meta.Object) error
}

// CopyObjectInput is what CopyObject copies.
type CopyObjectInput struct {
	Source     Source
	Bucket     meta.BucketName
	Key        meta.Key
	Owner      string
	Attributes *meta.Attributes // replace the source's; nil keeps them
	// StorageClass is the copy's own, whatever the source's is; empty for STANDARD.
	StorageClass string
	// Algorithm asks for a checksum of this kind; None keeps the source's.
	Algorithm    checksum.Algorithm
	Precondition meta.Precondition
}

// CopyObject makes an object that shares the source's blobs: no byte is moved, unless a checksum of another kind is
// asked for, which reads them. It is charged in full. The copy keeps the source's ETag, checksum and parts.
//
// It fails with meta.ErrNoSuchBucket and meta.ErrNoSuchKey (of the source or the destination), ErrCopySourceTooLarge,
// meta.ErrPreconditionFailed, *quota.ExceededError, *InsufficientStorageError and ErrConflict.
func (s *Store) CopyObject(ctx context.Context, in CopyObjectInput) (meta.Object, error) {
	for range staleRetries {
		object, err := s.copySource(ctx, in.Source)
		if err != nil {
			return meta.Object{}, err
		}
		if object.Size > MaxPutBytes {
			return meta.Object{}, ErrCopySourceTooLarge
		}
		if in.Attributes != nil {
			object.Attributes = *in.Attributes
		}
		object.Attributes.StorageClass = in.StorageClass
		object.Class, object.Owner = in.StorageClass, in.Owner
		err = s.commitCopy(ctx, in, &object)
		if errors.Is(err, meta.ErrStale) {
			continue // the source was replaced or deleted since it was read
		}
		return object, err
	}
	return meta.Object{}, fmt.Errorf("copy object: %w", ErrConflict)
}

func (s *Store) copySource(ctx context.Context, source Source) (meta.Object, error) {
	object, err := s.meta.Stat(ctx, source.Bucket, source.Key)
	if err != nil {
		return meta.Object{}, err
	}
	if source.Check != nil {
		if err := source.Check(object); err != nil {
			return meta.Object{}, err
		}
	}
	return object, nil
}

// commitCopy holds the copy's space, computes its checksum where another kind is asked for, and commits it. It fails with
// meta.ErrStale where the source is no longer what was read.
func (s *Store) commitCopy(ctx context.Context, in CopyObjectInput, object *meta.Object) error {
	h, err := s.reservePut(ctx, in.Bucket, in.Key, object.Size, 0, in.Precondition)
	if err != nil {
		return err
	}
	defer h.release()
	if in.Algorithm != checksum.None && in.Algorithm != object.Checksum.Algorithm {
		sum, err := s.sumObject(ctx, in.Source, *object, in.Algorithm)
		if err != nil {
			return err
		}
		object.Checksum = checksum.Checksum{Algorithm: in.Algorithm, Value: sum}
		object.Parts = nil // their checksums are of the old kind
	}
	object.Modified = s.timestamp()
	_, err = s.commit(&proposal{
		mutation: meta.PutObject{
			Bucket: in.Bucket, Key: in.Key, Object: *object, Shared: true, Precondition: in.Precondition,
		},
		bytes: object.Size,
		hold:  h,
	})
	return err
}

// sumObject reads an object to compute a checksum over it, or returns meta.ErrStale where it is no longer there.
func (s *Store) sumObject(ctx context.Context, source Source, object meta.Object, a checksum.Algorithm) ([]byte, error) {
	h := checksum.New(a)
	if err := s.copyRange(ctx, source, object, Range{Size: object.Size}, h); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// copyRange writes a range of an object to w.
func (s *Store) copyRange(ctx context.Context, source Source, object meta.Object, rng Range, w io.Writer) error {
	reader, err := s.open(ctx, source.Bucket, source.Key, object, rng)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, reader)
	return errors.Join(err, reader.Close())
}
