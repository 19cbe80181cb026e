package backend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// Source names the object that a copy is made from, and what must hold of it.
type Source struct {
	Bucket  meta.BucketName
	Key     meta.Key
	Version meta.VersionID // empty for the latest
	// Check is called with the source's row and may refuse it; nil accepts.
	Check func(meta.Object) error
	// Unwrap has the source's data key.
	Unwrap UnwrapKey
}

// CopyObjectInput is what CopyObject copies.
type CopyObjectInput struct {
	Source     Source
	Bucket     meta.BucketName
	Key        meta.Key
	Owner      string
	Attributes *meta.Attributes // replace the source's; nil keeps them
	// WebsiteRedirect is the copy's own, whatever the source's is.
	WebsiteRedirect string
	// Settings are the copy's own, but for its tags: those are the source's unless ReplaceTags is set.
	Settings    meta.Settings
	ReplaceTags bool
	// StorageClass is the copy's own, whatever the source's is; empty for STANDARD.
	StorageClass string
	// Algorithm asks for a checksum of this kind; None keeps the source's.
	Algorithm    checksum.Algorithm
	Precondition meta.Precondition
	// Wrap tells how the copy of a source is encrypted; nil, as what it returns, for one that is not.
	Wrap func(source meta.Object) WrapKey
}

// CopyObjectOutput is what CopyObject made. SourceVersion is what it was made from.
type CopyObjectOutput struct {
	meta.Object
	SourceVersion meta.VersionID
}

// CopyObject makes an object that shares the source's blobs: no byte is moved, unless a checksum of another kind is
// asked for, which reads them. It is charged in full. The copy keeps the source's ETag, checksum and parts; but where the
// checksum is one of the parts' checksums, the copy has one of its bytes, and no parts. Where one of the two is encrypted
// and the other is not, the bytes are read and written again.
//
// It fails with meta.ErrNoSuchBucket and meta.ErrNoSuchKey (of the source or the destination), ErrCopySourceTooLarge,
// meta.ErrPreconditionFailed, *quota.ExceededError, *InsufficientStorageError and ErrConflict.
func (s *Store) CopyObject(ctx context.Context, in CopyObjectInput) (CopyObjectOutput, error) {
	for range staleRetries {
		source, err := s.copySource(ctx, in.Source)
		if err != nil {
			return CopyObjectOutput{}, err
		}
		if source.Size > MaxPutBytes {
			return CopyObjectOutput{}, ErrCopySourceTooLarge
		}
		object := copyOf(source, in)
		err = s.commitCopy(ctx, in, source, &object)
		if errors.Is(err, meta.ErrStale) {
			continue // the source was replaced or deleted since it was read
		}
		return CopyObjectOutput{Object: object, SourceVersion: source.Version}, err
	}
	return CopyObjectOutput{}, fmt.Errorf("copy object: %w", ErrConflict)
}

// copyOf is the row of a copy, but for its time and its version, and for what commitCopy sets. Locks and grants are not
// copied.
func copyOf(source meta.Object, in CopyObjectInput) meta.Object {
	object := source
	if in.Attributes != nil {
		object.Attributes = *in.Attributes
	}
	object.Attributes.WebsiteRedirect = in.WebsiteRedirect
	object.Attributes.StorageClass = in.StorageClass
	object.Class, object.Owner = in.StorageClass, in.Owner
	object.Settings = in.Settings
	if !in.ReplaceTags {
		object.Tags = source.Tags
	}
	return object
}

func (s *Store) copySource(ctx context.Context, source Source) (meta.Object, error) {
	object, err := s.HeadObject(ctx, source.Bucket, source.Key, source.Version)
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

// commitCopy holds the copy's space, encrypts it in its own way, computes its checksum where another kind is asked for,
// and commits it. It fails with meta.ErrStale where the source is no longer what was read.
func (s *Store) commitCopy(ctx context.Context, in CopyObjectInput, source meta.Object, object *meta.Object) error {
	keys, err := in.keys(source)
	if err != nil {
		return err
	}
	object.Encryption = keys.envelope
	var (
		written int64
		body    stored // where it does not share the source's blobs
	)
	if !keys.areSame() {
		written = storedSize(object.Size, keys.to)
	}
	h, err := s.reservePut(ctx, in.Bucket, in.Key, object.Size, written, in.Precondition)
	if err != nil {
		return err
	}
	defer h.release()
	if keys.areSame() {
		err = s.sumCopy(ctx, in, source, object, keys)
	} else {
		body, err = s.recrypt(ctx, in, source, object, keys, h)
	}
	if err != nil {
		return err
	}
	object.Modified = s.timestamp()
	mutation := meta.PutObject{
		Bucket: in.Bucket, Key: in.Key, Object: *object, Shared: keys.areSame(), Precondition: in.Precondition,
	}
	told := s.noticeOfObject(ctx, in.Bucket, in.Key, event.ObjectCreatedCopy, object)
	result, err := s.commitStored(ctx, mutation, body, object.Size, h, told)
	object.Version = result.Version
	return err
}

// copyRange writes a selection of an object to w.
func (s *Store) copyRange(ctx context.Context, source Source, object meta.Object, chosen Selection, w io.Writer) error {
	reader, err := s.open(ctx, source.Bucket, source.Key, source.Version, object, chosen)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, reader)
	return errors.Join(err, reader.Close())
}
