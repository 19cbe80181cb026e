package backend

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	// reliefTime is how long one call of PruneVersions, ListUploads or AbortUploads goes on at most, but for its last page:
	// its caller asks again.
	reliefTime = 5 * time.Second
	// maxLocked is how many locked versions one call names.
	maxLocked = 1000
)

// PruneInput says which noncurrent versions of a bucket are to go.
type PruneInput struct {
	Bucket meta.BucketName
	Prefix string
	lifecycle.Pruning
	// DryRun only tells what would go.
	DryRun bool
	// After is where an earlier call has ended; zero for the beginning.
	After PrunePosition
}

// PrunePosition is where a call of PruneVersions has ended: behind a version of a key.
type PrunePosition struct {
	Key     meta.Key
	Version meta.VersionID
	// Position is what has to be known of the versions before.
	lifecycle.Position
}

// LockedVersion is a noncurrent version that would go, and stays, since it is locked.
type LockedVersion struct {
	Key       meta.Key
	Version   meta.VersionID
	Size      int64
	Retention meta.Retention
	LegalHold bool
}

// PruneOutput is what a call of PruneVersions has removed, or would.
type PruneOutput struct {
	// Read is how many versions were looked at.
	Read int64
	// Versions is how many noncurrent objects went, and Bytes what that gives back to the limits; Markers how many delete
	// markers that were not the latest.
	Versions, Bytes, Markers int64
	// LockedVersions and LockedBytes stay for their locks; Locked names the first of them.
	LockedVersions, LockedBytes int64
	Locked                      []LockedVersion
	// Next is where the next call has to go on; nil where there is no more.
	Next *PrunePosition
}

// PruneVersions removes noncurrent versions of a bucket, page by page, in batches as small as those of lifecycle rules,
// and returns after some seconds: the caller asks again until Next is nil. Locked versions stay, whoever asks. What has
// changed since it was looked at stays too. It fails with meta.ErrNoSuchBucket and meta.ErrInvalidVersion; what was
// removed before an error is in the output.
func (s *Store) PruneVersions(ctx context.Context, in PruneInput) (PruneOutput, error) {
	state, err := s.buckets.get(in.Bucket)
	if err != nil {
		return PruneOutput{}, err
	}
	p := &pruning{store: s, state: state, in: in, now: s.timestamp()}
	if in.After.Key != "" {
		p.judge = in.Resume(p.now, in.After.Position)
	}
	err = p.run(ctx)
	return p.out, err
}

// pruning is one call of PruneVersions.
type pruning struct {
	store *Store
	state *BucketState
	in    PruneInput
	now   time.Time
	judge lifecycle.Judge
	going []removal
	out   PruneOutput
}

func (p *pruning) run(ctx context.Context) error {
	r := meta.ListVersionsRequest{
		Bucket: p.in.Bucket, Prefix: p.in.Prefix, Limit: expirePage,
		KeyMarker: string(p.in.After.Key), VersionMarker: p.in.After.Version,
	}
	if r.Full = p.state.ObjectLock; r.Full { // locks are in whole rows only
		r.Limit = expireRowsPage
	}
	for deadline := time.Now().Add(reliefTime); ; {
		page, err := p.store.meta.ListVersions(ctx, r)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			p.next(&page.Entries[i])
		}
		if err := p.remove(ctx); err != nil || !page.Truncated {
			return err
		}
		last := &page.Entries[len(page.Entries)-1]
		r.KeyMarker, r.VersionMarker = string(last.Key), last.Head.Version
		if !time.Now().Before(deadline) {
			p.out.Next = &PrunePosition{Key: last.Key, Version: last.Head.Version, Position: p.judge.Position()}
			return nil
		}
	}
}

// next decides of the next version.
func (p *pruning) next(v *meta.VersionEntry) {
	p.out.Read++
	if v.Latest {
		p.judge = p.in.Judge(p.now)
	}
	if !p.judge.Next(&lifecycle.Version{Modified: v.Head.Modified, Marker: v.Marker}, false) {
		return
	}
	if v.Object != nil && v.Object.Locked(p.now, false) {
		p.lockedVersion(v)
		return
	}
	kind := expiredVersion
	if v.Marker {
		kind = expiredMarker
	}
	p.going = append(p.going, removal{kind: kind, bytes: v.Head.Size, mutation: meta.DeleteObject{
		Bucket: p.in.Bucket, Key: v.Key, Version: v.Head.Version, Now: p.now, Owner: p.state.Owner,
		Precondition: meta.Precondition{IfModified: v.Head.Modified, IfNoncurrent: true},
	}})
}

func (p *pruning) lockedVersion(v *meta.VersionEntry) {
	p.out.LockedVersions++
	p.out.LockedBytes += v.Head.Size
	if len(p.out.Locked) < maxLocked {
		p.out.Locked = append(p.out.Locked, LockedVersion{
			Key: v.Key, Version: v.Head.Version, Size: v.Head.Size,
			Retention: v.Object.Retention, LegalHold: v.Object.LegalHold == meta.LegalHoldOn,
		})
	}
}

// remove removes what is to go, or only counts it.
func (p *pruning) remove(ctx context.Context) error {
	going := p.going
	p.going = nil
	if p.in.DryRun {
		for _, r := range going {
			p.removed(r)
		}
		return nil
	}
	return p.store.removeInBatches(ctx, going, expireBatch, func(r removal, refused error) {
		switch {
		case refused == nil:
			p.removed(r)
		case errors.Is(refused, meta.ErrObjectLocked): // since it was read
			p.out.LockedVersions++
			p.out.LockedBytes += r.bytes
		}
	})
}

func (p *pruning) removed(r removal) {
	if r.kind == expiredMarker {
		p.out.Markers++
		return
	}
	p.out.Versions++
	p.out.Bytes += r.bytes
}

// removeInBatches removes what is to go, a batch at a time, and rests in between, until one fails.
func (s *Store) removeInBatches(
	ctx context.Context, going []removal, batch int, done func(r removal, refused error),
) error {
	for removals := range slices.Chunk(going, batch) {
		started := time.Now()
		if err := s.removeTogether(removals, false, done); err != nil {
			return err
		}
		if err := rest(ctx, time.Since(started)); err != nil {
			return err
		}
	}
	return nil
}
