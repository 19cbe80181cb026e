package backend

import (
	"context"
	"errors"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	// abandonedEvery is how often the store looks for uploads that were abandoned: their age counts in days.
	abandonedEvery = time.Hour
	// abandonedPage is how many uploads are read at once.
	abandonedPage = 1000
)

// keepAborting aborts the uploads that were begun too long ago, again and again, beside the store's work. Where none is
// ever too old it returns at once.
func (s *Store) keepAborting(ctx context.Context) {
	if s.abortAfter <= 0 {
		return
	}
	tick := time.NewTicker(abandonedEvery)
	defer tick.Stop()
	for {
		aborted, err := s.abortAbandoned(ctx, s.abortAfter)
		if err != nil && ctx.Err() == nil {
			s.log.Error("abort uploads that were not completed", "error", err)
		}
		if aborted > 0 {
			s.log.Info("aborted uploads that were not completed", "uploads", aborted, "after", s.abortAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// abortAbandoned aborts the uploads that were begun as long ago, and returns how many those were. What goes wrong in
// one bucket does not keep the others waiting.
func (s *Store) abortAbandoned(ctx context.Context, after time.Duration) (int, error) {
	buckets, err := s.meta.Buckets(ctx)
	if err != nil {
		return 0, err
	}
	aborted := 0
	var errs []error
	for _, b := range buckets {
		n, err := s.abortAbandonedIn(ctx, b.Name, s.timestamp().Add(-after))
		aborted += n
		if err != nil && !errors.Is(err, meta.ErrNoSuchBucket) {
			errs = append(errs, err)
		}
	}
	return aborted, errors.Join(errs...)
}

// abortAbandonedIn aborts the uploads of a bucket that were begun at a time or before it.
func (s *Store) abortAbandonedIn(ctx context.Context, bucket meta.BucketName, begun time.Time) (int, error) {
	aborted := 0
	r := meta.UploadsRequest{Bucket: bucket, Limit: abandonedPage}
	for {
		page, err := s.meta.Uploads(ctx, r)
		if err != nil {
			return aborted, err
		}
		for _, e := range page.Entries {
			if e.Upload.Initiated.After(begun) {
				continue
			}
			if ctx.Err() != nil {
				return aborted, ctx.Err()
			}
			switch err := s.AbortMultipartUpload(ctx, bucket, e.Upload.Key, e.Upload.ID); {
			case err == nil:
				aborted++
			case !errors.Is(err, meta.ErrNoSuchUpload): // completed or aborted since it was read
				return aborted, err
			}
		}
		if !page.Truncated {
			return aborted, nil
		}
		last := page.Entries[len(page.Entries)-1].Upload
		r.KeyMarker, r.UploadMarker = string(last.Key), last.ID
	}
}
