package backend

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// UploadFilter chooses unfinished uploads of a bucket. Every part of it that is set must hold.
type UploadFilter struct {
	Bucket meta.BucketName
	Prefix string
	// OlderThan is how long ago it was begun at the least.
	OlderThan time.Duration
	// Key and ID name one.
	Key meta.Key
	ID  meta.UploadID
	// After is where an earlier call has ended; zero for the beginning.
	After UploadPosition
}

// UploadPosition is where a call has ended: behind an upload.
type UploadPosition struct {
	Key meta.Key
	ID  meta.UploadID
}

// FoundUploads is what a call of FindUploads has found.
type FoundUploads struct {
	// Uploads are in the order of key and id. Their PartBytes are what the parts hold.
	Uploads []meta.Upload
	// Next is where the next call has to go on; nil where there is no more.
	Next *UploadPosition
}

// FindUploads returns at most limit of the uploads that a filter chooses. It fails with meta.ErrNoSuchBucket and
// ErrInvalidUploadMarker.
func (s *Store) FindUploads(ctx context.Context, f UploadFilter, limit int) (found FoundUploads, err error) {
	r := meta.UploadsRequest{
		Bucket: f.Bucket, Prefix: f.Prefix, KeyMarker: string(f.After.Key), UploadMarker: f.After.ID,
		Limit: min(max(limit, expireBatch), expirePage),
	}
	if f.Key != "" {
		r.Prefix = string(f.Key)
	}
	begun := s.timestamp().Add(-f.OlderThan)
	for deadline := time.Now().Add(reliefTime); ; {
		page, err := s.ListMultipartUploads(ctx, r)
		if err != nil {
			return FoundUploads{}, err
		}
		for i, e := range page.Entries {
			u := e.Upload
			if f.Key != "" && u.Key != f.Key {
				return found, nil // the key's own come first among those that begin with it
			}
			if !u.Initiated.After(begun) && (f.ID == "" || u.ID == f.ID) {
				found.Uploads = append(found.Uploads, *u)
			}
			last := i == len(page.Entries)-1
			if (last && !page.Truncated) || (f.ID != "" && len(found.Uploads) > 0) {
				return found, nil
			}
			r.KeyMarker, r.UploadMarker = string(u.Key), u.ID
			if len(found.Uploads) == limit || (last && !time.Now().Before(deadline)) {
				found.Next = &UploadPosition{u.Key, u.ID}
				return found, nil
			}
		}
		if !page.Truncated {
			return found, nil
		}
	}
}

// AbortedUploads is what a call of AbortUploads has aborted, or would.
type AbortedUploads struct {
	Uploads, Bytes int64
	Next           *UploadPosition
}

// AbortUploads aborts the uploads that a filter chooses, some at a time; the caller asks again until Next is nil. With
// dryRun it only tells what that would give back. It fails as FindUploads does, and with meta.ErrNoSuchUpload where the
// filter names one that is not there. What was aborted before an error is in the output.
func (s *Store) AbortUploads(ctx context.Context, f UploadFilter, dryRun bool) (aborted AbortedUploads, err error) {
	started := time.Now()
	for {
		found, err := s.FindUploads(ctx, f, 4*abortBatch) // uploads may have many parts: it is time to return soon
		if err != nil {
			return aborted, err
		}
		if f.ID != "" && len(found.Uploads) == 0 {
			return aborted, meta.ErrNoSuchUpload
		}
		going := make([]removal, 0, len(found.Uploads))
		for i := range found.Uploads {
			going = append(going, abortion(&found.Uploads[i]))
		}
		count := func(r removal, refused error) {
			if refused == nil {
				aborted.Uploads++
				aborted.Bytes += r.bytes
			}
		}
		if dryRun {
			for _, r := range going {
				count(r, nil)
			}
		} else if err := s.removeInBatches(ctx, going, abortBatch, count); err != nil {
			return aborted, err
		}
		if found.Next == nil {
			return aborted, nil
		}
		f.After = *found.Next
		if time.Since(started) >= reliefTime {
			aborted.Next = found.Next
			return aborted, nil
		}
	}
}

// maxOldest is how many rows of uploads OldestUploads reads.
const maxOldest = 20_000

// OldestUploads returns, for each scope that has unfinished uploads, when the oldest of them was begun: for the one that
// is asked for and those within it. With very many uploads some are left out: to read more would be too much for an
// answer that is asked for every few seconds.
func (s *Store) OldestUploads(ctx context.Context, within quota.Scope) (map[quota.Scope]time.Time, error) {
	oldest := make(map[quota.Scope]time.Time)
	partly := make(map[quota.Scope]bool) // not all of their uploads were read
	left := maxOldest
	for _, bucket := range s.buckets.all() {
		scopes := []quota.Scope{
			quota.BucketScope(string(bucket.Name)), quota.OwnerScope(bucket.Owner), quota.ServerScope,
		}
		if a, _ := s.ledger.account(scopes[0]); a.Usage.Uploads == 0 || !slices.Contains(scopes, within) {
			continue
		}
		at, complete, err := s.oldestUpload(ctx, bucket.Name, &left)
		if err != nil && !errors.Is(err, meta.ErrNoSuchBucket) {
			return nil, err
		}
		for _, scope := range scopes {
			if known, ok := oldest[scope]; !at.IsZero() && (!ok || at.Before(known)) {
				oldest[scope] = at
			}
			if !complete && err == nil {
				partly[scope] = true
			}
		}
	}
	maps.DeleteFunc(oldest, func(scope quota.Scope, _ time.Time) bool { return partly[scope] })
	return oldest, nil
}

func (s *Store) oldestUpload(
	ctx context.Context, bucket meta.BucketName, left *int,
) (oldest time.Time, complete bool, err error) {
	r := meta.UploadsRequest{Bucket: bucket, Limit: expirePage}
	for *left > 0 {
		page, err := s.meta.Uploads(ctx, r)
		if err != nil {
			return oldest, false, err
		}
		for _, e := range page.Entries {
			if oldest.IsZero() || e.Upload.Initiated.Before(oldest) {
				oldest = e.Upload.Initiated
			}
			r.KeyMarker, r.UploadMarker = string(e.Upload.Key), e.Upload.ID
		}
		if !page.Truncated {
			return oldest, true, nil
		}
		*left -= len(page.Entries)
	}
	return oldest, false, nil
}
