package backend

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// HeadObject returns the row of a version; an empty one is the latest. It fails with meta.ErrNoSuchBucket,
// meta.ErrNoSuchKey, meta.ErrNoSuchVersion, meta.ErrInvalidVersion, and *meta.DeleteMarkerError.
func (s *Store) HeadObject(
	ctx context.Context, bucket meta.BucketName, key meta.Key, version meta.VersionID,
) (meta.Object, error) {
	if version == "" {
		return s.meta.Stat(ctx, bucket, key)
	}
	return s.meta.StatVersion(ctx, bucket, key, version)
}

// Range is a run of an object's bytes.
type Range struct{ Offset, Size int64 }

// Selection is what a read wants of an object: a range, and the data key for an object that is encrypted.
type Selection struct {
	Range
	Key *encryption.DataKey
}

// GetObject returns the row of a version, the latest where it is empty, and a reader of what choose picks when it has
// seen the row; an error of choose ends the operation, which returns it. The caller closes the reader. What it reads is
// one version of the object, also where that is replaced or deleted meanwhile. A read fails with blob.ErrCorrupt, or
// encryption.ErrCorrupt, rather than return a byte that is not what was stored.
//
// It fails with the errors of HeadObject, ErrInvalidRange and ErrNoDataKey.
func (s *Store) GetObject(
	ctx context.Context, bucket meta.BucketName, key meta.Key, version meta.VersionID,
	choose func(meta.Object) (Selection, error),
) (meta.Object, io.ReadCloser, error) {
	for range staleRetries {
		object, err := s.HeadObject(ctx, bucket, key, version)
		if err != nil {
			return meta.Object{}, nil, err
		}
		chosen, err := choose(object)
		if err != nil {
			return meta.Object{}, nil, err
		}
		if chosen.Offset < 0 || chosen.Size < 0 || chosen.Offset > object.Size-chosen.Size {
			return meta.Object{}, nil, ErrInvalidRange
		}
		reader, err := s.open(ctx, bucket, key, version, object, chosen)
		if errors.Is(err, meta.ErrStale) {
			continue // replaced or deleted since Stat
		}
		return object, reader, err
	}
	return meta.Object{}, nil, fmt.Errorf("get object: %w", ErrConflict)
}

// staleRetries is how often an operation starts again because what it read has changed.
const staleRetries = 100

// open returns a reader of a selection of an object, or meta.ErrStale where the object is not what it was.
func (s *Store) open(
	ctx context.Context, bucket meta.BucketName, key meta.Key, version meta.VersionID, object meta.Object,
	chosen Selection,
) (io.ReadCloser, error) {
	if err := checkKey(object.Encryption, chosen.Key); err != nil {
		return nil, err
	}
	runs := cut(object.Segments, chosen)
	switch len(runs) {
	case 0:
		return io.NopCloser(eof{}), nil
	case 1:
		reader, err := s.openRun(ctx, runs[0])
		if !errors.Is(err, blob.ErrNotFound) {
			return reader, err
		}
		if s.blobs.NeedsPlace(blob.ID(runs[0].blob)) {
			return nil, meta.ErrStale // deleted, or moved since its place was looked up
		}
	default:
		// The blobs are opened one after the other: they must not be deleted meanwhile. Pins do not keep what was garbage
		// before them, so look again whether the object is still there.
		s.garbage.pin(object.Segments)
		now, err := s.HeadObject(ctx, bucket, key, version)
		if err == nil && sameSegments(now.Segments, object.Segments) {
			r := &runReader{store: s, ctx: ctx, runs: runs, pinned: object.Segments}
			if err := r.openPlaced(); err != nil {
				return nil, errors.Join(err, r.Close())
			}
			return r, nil
		}
		s.garbage.unpin(object.Segments)
	}
	now, err := s.HeadObject(ctx, bucket, key, version)
	if err == nil && sameSegments(now.Segments, object.Segments) {
		return nil, fmt.Errorf("object %q in bucket %q: %w", key, bucket, blob.ErrNotFound)
	}
	return nil, meta.ErrStale
}

// openRun opens a blob, after it has looked its place up where it needs one. It fails with blob.ErrNotFound where the
// blob has no row or another place by now.
func (s *Store) openRun(ctx context.Context, r run) (io.ReadCloser, error) {
	if r.opened != nil {
		return r.opened, nil
	}
	ref := blob.Ref{ID: blob.ID(r.blob), Size: r.whole}
	if s.blobs.NeedsPlace(ref.ID) {
		rows, err := s.meta.Blobs(ctx, []meta.BlobID{r.blob})
		if err != nil {
			return nil, err
		}
		if rows[0].References == 0 {
			return nil, blob.ErrNotFound
		}
		ref.Place = blob.Place(rows[0].Place)
	}
	if r.key != nil {
		return s.openEncrypted(ctx, ref, r)
	}
	return s.blobs.Open(ctx, ref, r.offset, r.size)
}

// run is a run of a blob's bytes.
type run struct {
	blob         meta.BlobID
	whole        int64 // how many bytes the store keeps of the blob
	plain        int64 // how many it has
	offset, size int64
	key          *encryption.DataKey // nil where it is not encrypted
	opened       io.ReadCloser       // where it had to be opened early
}

// cut returns the runs of the segments that make up a selection.
func cut(segments []meta.Segment, chosen Selection) []run {
	var runs []run
	skip, left := chosen.Offset, chosen.Size
	for _, s := range segments {
		if left == 0 {
			break
		}
		if skip >= s.Size {
			skip -= s.Size
			continue
		}
		n := min(s.Size-skip, left)
		runs = append(runs, run{
			blob: s.Blob, whole: s.StoredSize(), plain: s.Size, offset: skip, size: n, key: chosen.Key,
		})
		skip, left = 0, left-n
	}
	return runs
}

func sameSegments(a, b []meta.Segment) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// runReader reads runs of several blobs, one open at a time. Its blobs are pinned until Close.
type runReader struct {
	store   *Store
	ctx     context.Context //nolint:containedctx // the reader lives within the request that made it
	runs    []run
	current io.ReadCloser
	pinned  []meta.Segment
}

func (r *runReader) Read(p []byte) (int, error) {
	for {
		if err := r.next(); err != nil {
			return 0, err
		}
		n, err := r.current.Read(p)
		if errors.Is(err, io.EOF) {
			err = r.finish()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// WriteTo lets each blob write its own buffers.
func (r *runReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if err := r.next(); errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := io.Copy(w, r.current)
		total += n
		if err != nil {
			return total, err
		}
		if err := r.finish(); err != nil {
			return total, err
		}
	}
}

// openPlaced opens the blobs that need a place: pins keep no pack from being compacted. Few parts are small enough.
func (r *runReader) openPlaced() error {
	for i := range r.runs {
		if !r.store.blobs.NeedsPlace(blob.ID(r.runs[i].blob)) {
			continue
		}
		opened, err := r.store.openRun(r.ctx, r.runs[i])
		if errors.Is(err, blob.ErrNotFound) {
			return meta.ErrStale
		}
		if err != nil {
			return err
		}
		r.runs[i].opened = opened
	}
	return nil
}

// next makes current the reader of the first run that is left, or returns io.EOF.
func (r *runReader) next() error {
	if r.current != nil {
		return nil
	}
	if len(r.runs) == 0 {
		return io.EOF
	}
	current, err := r.store.openRun(r.ctx, r.runs[0])
	if err != nil {
		return err
	}
	r.current, r.runs[0].opened = current, nil
	return nil
}

func (r *runReader) finish() error {
	err := r.current.Close()
	r.current, r.runs = nil, r.runs[1:]
	return err
}

func (r *runReader) Close() error {
	var err error
	if r.current != nil {
		err = r.current.Close()
		r.current = nil
	}
	for i := range r.runs {
		if opened := r.runs[i].opened; opened != nil {
			err = errors.Join(err, opened.Close())
			r.runs[i].opened = nil
		}
	}
	if r.pinned != nil {
		r.store.garbage.unpin(r.pinned)
		r.pinned = nil
	}
	return err
}

// eof is an empty reader.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
