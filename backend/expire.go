package backend

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// ConfigLifecycle is a bucket's lifecycle rules, as lifecycle.Configuration marshals them. They are put into force here.
const ConfigLifecycle meta.ConfigKind = "lifecycle"

const (
	// expireDelay is how long after its start a store first looks for what has expired; expireEvery is how often it does so
	// from then on. Rules count in days.
	expireDelay = time.Minute
	expireEvery = time.Hour
	// expirePage is how many versions or uploads are read at once, expireRowsPage how many whole rows: those of uploaded
	// parts can be large.
	expirePage     = 1000
	expireRowsPage = 20
	// expireBatch is how many versions are handed to the committer at once, abortBatch how many uploads, which may have many
	// parts each. What the store is asked for meanwhile is committed with them, and waits for no more.
	expireBatch = 100
	abortBatch  = 5
)

// What a lifecycle pass removes, as the metric names it.
const (
	expiredObject  = "object"
	expiredVersion = "noncurrent_version"
	expiredMarker  = "delete_marker"
	expiredUpload  = "upload"
)

func newExpiredCounter() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "plimsoll_lifecycle_expired_total", Help: "What lifecycle rules have removed, by kind.",
	}, []string{"kind"})
	for _, kind := range []string{expiredObject, expiredVersion, expiredMarker, expiredUpload} {
		c.WithLabelValues(kind)
	}
	return c
}

// keepExpire removes what has expired, again and again.
func (s *Store) keepExpire(ctx context.Context) {
	timer := time.NewTimer(expireDelay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		s.expire(ctx)
		timer.Reset(expireEvery)
	}
}

// expire removes what has expired by the rules of all buckets. What goes wrong in one bucket is logged, and does not keep
// the others waiting: the next pass tries again.
func (s *Store) expire(ctx context.Context) {
	started := time.Now()
	removed := make(map[string]int)
	for _, state := range s.buckets.having(ConfigLifecycle) {
		e := &expiry{store: s, state: state, raw: state.Configs[ConfigLifecycle], now: s.timestamp(), removed: removed}
		if err := e.run(ctx); err != nil && !isOver(ctx, err) {
			s.log.Error("lifecycle", "bucket", state.Name, "error", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
	if len(removed) > 0 {
		s.log.Info("lifecycle", "objects", removed[expiredObject], "noncurrent_versions", removed[expiredVersion],
			"delete_markers", removed[expiredMarker], "uploads", removed[expiredUpload], "duration", time.Since(started))
	} else {
		s.log.Debug("lifecycle: nothing has expired", "duration", time.Since(started))
	}
}

// isOver reports whether an error says that there is nothing left to do: the store closes, the bucket is gone, or its
// rules are others now.
func isOver(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, meta.ErrNoSuchBucket) ||
		errors.Is(err, errRulesChanged)
}

// errRulesChanged ends a pass over a bucket: what it has decided is no longer what the bucket's owner wants.
var errRulesChanged = errors.New("the rules have changed")

// expiry is one pass over one bucket. It holds one page of rows, and what of it is to be removed; how many versions a key
// has is no matter.
type expiry struct {
	store *Store
	state *BucketState
	raw   []byte // the rules as they are stored
	rules *lifecycle.Configuration
	now   time.Time

	judge   lifecycle.Judge
	held    *meta.VersionEntry // not judged until it is known whether an older version follows
	going   []removal
	removed map[string]int // of the whole pass, by kind
}

// removal is something that is to go.
type removal struct {
	kind     string
	mutation meta.Mutation
	bytes    int64 // what it frees, where that is asked
}

// abortion is the removal of an upload.
func abortion(u *meta.Upload) removal {
	return removal{
		kind: expiredUpload, bytes: u.PartBytes,
		mutation: meta.AbortUpload{Bucket: u.Bucket, Key: u.Key, Upload: u.ID},
	}
}

// run goes through the bucket.
func (e *expiry) run(ctx context.Context) error {
	var err error
	if e.rules, err = lifecycle.Unmarshal(e.raw); err != nil {
		return err
	}
	prefix, ok := e.rules.Prefix()
	if !ok {
		return nil
	}
	if err := e.versions(ctx, prefix); err != nil {
		return err
	}
	return e.uploads(ctx, prefix)
}

// versions removes the versions that have expired.
func (e *expiry) versions(ctx context.Context, prefix string) error {
	r := meta.ListVersionsRequest{Bucket: e.state.Name, Prefix: prefix, Limit: expirePage}
	// Tags and locks are in whole rows only.
	if r.Full = e.rules.UsesTags() || e.state.ObjectLock; r.Full {
		r.Limit = expireRowsPage
	}
	for {
		started := time.Now()
		page, err := e.store.meta.ListVersions(ctx, r)
		if err != nil {
			return err
		}
		for i := range page.Entries {
			e.next(&page.Entries[i])
		}
		if !page.Truncated {
			e.decide(true)
			return e.remove(ctx, expireBatch)
		}
		if err := rest(ctx, time.Since(started)); err != nil {
			return err
		}
		if err := e.remove(ctx, expireBatch); err != nil {
			return err
		}
		last := &page.Entries[len(page.Entries)-1]
		r.KeyMarker, r.VersionMarker = string(last.Key), last.Head.Version
	}
}

// rest waits as long as a piece of work took, so that a pass takes no more than half of what there is.
func rest(ctx context.Context, worked time.Duration) error {
	timer := time.NewTimer(worked)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// next takes the next version of the bucket, and decides of the one before. The latest of a key begins it, also where the
// listing has to begin a key again.
func (e *expiry) next(v *meta.VersionEntry) {
	e.decide(v.Latest)
	if v.Latest {
		e.judge = e.rules.Judge(e.now)
	}
	e.held = v
}

// decide judges the version that is held; last says that no older one of its key follows.
func (e *expiry) decide(last bool) {
	held := e.held
	e.held = nil
	if held == nil {
		return
	}
	v := lifecycle.Version{
		Key: string(held.Key), Size: held.Head.Size, Modified: held.Head.Modified, Marker: held.Marker,
	}
	if held.Object != nil {
		v.Tags = make([]lifecycle.Tag, 0, len(held.Object.Tags))
		for _, t := range held.Object.Tags {
			v.Tags = append(v.Tags, lifecycle.Tag(t))
		}
	}
	if !e.judge.Next(&v, last) {
		return
	}
	m := meta.DeleteObject{
		Bucket: e.state.Name, Key: held.Key, Now: e.store.timestamp(), Owner: e.state.Owner,
		Precondition: meta.Precondition{IfModified: held.Head.Modified},
	}
	kind := expiredObject
	switch {
	case held.Latest && !held.Marker: // it is hidden where the bucket keeps versions: a lock does not forbid that
	case held.Object != nil && held.Object.Locked(e.now, false):
		return
	default:
		m.Version, m.Precondition.IfNoncurrent = held.Head.Version, !held.Latest
		kind = expiredVersion
		if held.Marker {
			kind = expiredMarker
		}
	}
	e.going = append(e.going, removal{kind: kind, mutation: m})
}

// uploads aborts the uploads whose time is over.
func (e *expiry) uploads(ctx context.Context, prefix string) error {
	r := meta.UploadsRequest{Bucket: e.state.Name, Prefix: prefix, Limit: expirePage}
	for {
		started := time.Now()
		page, err := e.store.meta.Uploads(ctx, r)
		if err != nil {
			return err
		}
		for _, entry := range page.Entries {
			u := entry.Upload
			if at, _, ok := e.rules.AbortsUpload(string(u.Key), u.Initiated); ok && !e.now.Before(at) {
				e.going = append(e.going, abortion(u))
			}
		}
		if err := rest(ctx, time.Since(started)); err != nil {
			return err
		}
		if err := e.remove(ctx, abortBatch); err != nil || !page.Truncated {
			return err
		}
		last := page.Entries[len(page.Entries)-1].Upload
		r.KeyMarker, r.UploadMarker = string(last.Key), last.ID
	}
}

// remove removes what is to go, a batch at a time, as long as the bucket's rules are those that were asked. What has
// changed since it was judged stays, and so does what is locked.
func (e *expiry) remove(ctx context.Context, batch int) error {
	going := e.going
	e.going = nil
	var errs []error
	for removals := range slices.Chunk(going, batch) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		state, err := e.store.buckets.get(e.state.Name)
		if err != nil {
			return err
		}
		if !slices.Equal(state.Configs[ConfigLifecycle], e.raw) {
			return errRulesChanged
		}
		started := time.Now()
		if err := e.commit(removals); err != nil {
			errs = append(errs, err)
		}
		if err := rest(ctx, time.Since(started)); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// commit commits removals together. Of what goes wrong it returns one error.
func (e *expiry) commit(removals []removal) error {
	return e.store.removeTogether(removals, true, func(r removal, refused error) {
		if refused == nil {
			e.removed[r.kind]++
			e.store.metrics.expired.WithLabelValues(r.kind).Inc()
		}
	})
}

// removeTogether commits removals together, and tells done of each that was made, or refused since it is gone, has
// changed since it was judged, or is locked. Of what goes wrong otherwise it returns one error. expires says that rules of
// the bucket have it so: events tell.
func (s *Store) removeTogether(removals []removal, expires bool, done func(r removal, refused error)) error {
	proposals := make([]*proposal, 0, len(removals))
	var failed error
	for _, r := range removals {
		p := &proposal{mutation: r.mutation}
		if deletion, ok := r.mutation.(meta.DeleteObject); ok {
			p.notice = s.noticeOfDeletion(context.Background(), &deletion, expires)
		}
		if failed = s.committer.enqueue(p); failed != nil {
			break // the store closes; what is queued is waited for
		}
		proposals = append(proposals, p)
	}
	for i, p := range proposals {
		_, err := p.wait()
		switch {
		case err == nil, errors.Is(err, meta.ErrPreconditionFailed), errors.Is(err, meta.ErrNoSuchUpload),
			errors.Is(err, meta.ErrObjectLocked):
			done(removals[i], err)
		default:
			failed = err
		}
	}
	return failed
}
