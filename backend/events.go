package backend

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// ConfigNotification is whom a bucket's rules tell of what happens in it, as event.Rules marshals them. They are put into
// force here.
const ConfigNotification meta.ConfigKind = "notification"

const (
	// maxEvents and maxEventBytes bound what the outbox holds: a receiver that is away must not fill the disk.
	maxEvents     = 100_000
	maxEventBytes = 64 << 20
	// forgetBatch is how many delivered events one commit removes.
	forgetBatch = 1000
)

// events is what the store knows of who wants to be told.
type events struct {
	// filter is what webhooks subscribe to by themselves; nil where that is neither objects nor refusals. objects says
	// that it is objects.
	filter  atomic.Pointer[event.Filter]
	objects atomic.Bool
	// changed has room for one word that there are new events.
	changed             chan struct{}
	maxEvents, maxBytes int64
	full                bool // events were dropped last; the committer's
	refusals            refusalQueue
}

func newEvents(o Options) *events {
	e := &events{changed: make(chan struct{}, 1), maxEvents: o.maxEvents, maxBytes: o.maxEventBytes}
	if e.maxEvents == 0 {
		e.maxEvents = maxEvents
	}
	if e.maxBytes == 0 {
		e.maxBytes = maxEventBytes
	}
	e.refusals.wake = make(chan struct{}, 1)
	return e
}

// Subscribe says what webhooks want to be told by themselves, whatever the rules of buckets say. Events of quota
// thresholds are always kept.
func (s *Store) Subscribe(filter event.Filter) {
	s.events.objects.Store(filter.WantsObjects())
	if !filter.WantsObjects() && !filter.Wants(event.QuotaRefused) {
		s.events.filter.Store(nil)
		return
	}
	s.events.filter.Store(&filter)
}

// TellsObjects reports whether anybody wants to be told of what happens to objects: then requests should carry their
// event.Origin.
func (s *Store) TellsObjects() bool {
	return s.buckets.notifying.Load() > 0 || s.events.objects.Load()
}

// TellsRefusals reports whether anybody may want to be told of refusals.
func (s *Store) TellsRefusals() bool {
	return s.buckets.notifying.Load() > 0 || s.events.filter.Load() != nil
}

// BucketsTelling returns the names of the buckets whose rules tell a webhook, in order.
func (s *Store) BucketsTelling(webhook string) (names []string) {
	for _, state := range s.buckets.having(ConfigNotification) {
		named := func(r event.Rule) bool { return r.Webhook == webhook }
		if state.Notifications != nil && slices.ContainsFunc(state.Notifications.Rules, named) {
			names = append(names, string(state.Name))
		}
	}
	return names
}

// EventsChanged receives when there may be new events. It is for one reader.
func (s *Store) EventsChanged() <-chan struct{} { return s.events.changed }

// Events returns up to limit events of the outbox, those with the lowest sequences above after.
func (s *Store) Events(ctx context.Context, after uint64, limit int) ([]meta.Event, error) {
	return s.meta.Events(ctx, after, limit)
}

// Outbox tells what the outbox holds.
func (s *Store) Outbox(ctx context.Context) (meta.Outbox, error) { return s.meta.Outbox(ctx) }

// OutboxBounds returns how many events the outbox holds at most, and how many bytes of them.
func (s *Store) OutboxBounds() (events, bytes int64) { return s.events.maxEvents, s.events.maxBytes }

// ForgetEvents says that nobody needs the events up to a sequence any more. They are removed with later commits.
func (s *Store) ForgetEvents(through uint64) { s.committer.delivered.Store(through) }

func newEventID() string { return ulid.Make().String() }

func (e *events) appending(values func([]meta.Result) [][]byte) meta.AppendEvents {
	return meta.AppendEvents{Make: values, MaxEvents: e.maxEvents, MaxBytes: e.maxBytes}
}

// notice is what is to be told of a proposal once it is committed, if somebody wants to know.
type notice struct {
	event.Event
	rules  *event.Rules
	filter *event.Filter
	// deletion says that nothing is told where nothing was removed, and marker is the type where that made a delete
	// marker; empty where a version was named.
	deletion bool
	marker   string
}

// notice returns a notice about a key, nil where nobody would be told: then it costs two loads.
func (s *Store) notice(ctx context.Context, bucket meta.BucketName, key meta.Key) *notice {
	if !s.TellsObjects() {
		return nil
	}
	return s.newNotice(ctx, bucket, key)
}

func (s *Store) newNotice(ctx context.Context, bucket meta.BucketName, key meta.Key) *notice {
	state, err := s.buckets.get(bucket)
	if err != nil {
		return nil // it is being deleted
	}
	n := &notice{rules: state.Notifications, filter: s.events.filter.Load()}
	if n.rules == nil && n.filter == nil {
		return nil
	}
	n.Event = event.Event{
		Bucket: string(bucket), Owner: state.Owner, Key: string(key), Origin: event.OriginOf(ctx), Object: new(event.Object),
	}
	return n
}

// noticeOfObject is the notice of an object that is being made.
func (s *Store) noticeOfObject(
	ctx context.Context, bucket meta.BucketName, key meta.Key, eventType string, object *meta.Object,
) *notice {
	n := s.notice(ctx, bucket, key)
	if n == nil {
		return nil
	}
	if n.Type = eventType; n.Form {
		n.Type = event.ObjectCreatedPost
	}
	n.Object.Size, n.Object.ETag, n.Time = object.Size, string(object.ETag), object.Modified
	return n.wanted()
}

// noticeOfDeletion is the notice of a deletion.
func (s *Store) noticeOfDeletion(ctx context.Context, m *meta.DeleteObject, expires bool) *notice {
	n := s.notice(ctx, m.Bucket, m.Key)
	if n == nil {
		return nil
	}
	n.deletion, n.Time = true, m.Now
	n.Type, n.marker = event.ObjectRemovedDelete, event.ObjectRemovedMarkerCreated
	if expires {
		n.Type, n.marker = event.LifecycleExpirationDelete, event.LifecycleExpirationMarker
	}
	if m.Version != "" {
		n.marker = ""
	}
	return n
}

// noticeOfUpdate is the notice of a change of a stored object; S3 tells of tags and grants.
func (s *Store) noticeOfUpdate(ctx context.Context, m *meta.UpdateObject) *notice {
	if m.Tags == nil && m.ACL == nil {
		return nil
	}
	n := s.notice(ctx, m.Bucket, m.Key)
	if n == nil {
		return nil
	}
	n.Time = m.Now
	switch {
	case m.ACL != nil:
		n.Type = event.ObjectACLPut
	case len(*m.Tags) == 0:
		n.Type = event.ObjectTaggingDelete
	default:
		n.Type = event.ObjectTaggingPut
	}
	return n.wanted()
}

// wanted returns the notice if somebody wants its type, and nil otherwise.
func (n *notice) wanted() *notice {
	n.To = n.rules.Match(n.Type, n.Key)
	if n.To == nil && (n.filter == nil || !n.filter.Wants(n.Type)) {
		return nil
	}
	return n
}

// committed returns what is to be told of a committed mutation, or nil. It may be called again, where the commit has
// failed after all.
func (n *notice) committed(r *meta.Result) *event.Event {
	told := *n
	if n.deletion {
		if len(r.Accounts) == 0 {
			return nil // there was nothing
		}
		if n.marker != "" && r.DeleteMarker {
			told.Type = n.marker
		}
		if told.wanted() == nil {
			return nil
		}
	}
	object := *n.Object
	object.Version = string(r.Version)
	told.Object, told.ID = &object, newEventID()
	return &told.Event
}

// batchEvents are the events of a batch.
type batchEvents struct {
	committer *committer
	batch     []*proposal
	crossings crossings
	forget    uint64 // the events up to it are to be forgotten; 0 for none
	forgets   int    // which mutation that is
	append    int    // which mutation adds the events, never the first; 0 for none
}

// addEvents adds what a batch does to the outbox to its mutations. As a rule that is nothing, and what is returned nil:
// nobody wants to be told of objects, no scope has a limit, and nothing was delivered.
func (c *committer) addEvents(mutations []meta.Mutation, batch []*proposal) ([]meta.Mutation, *batchEvents) {
	if c.silent {
		return mutations, nil
	}
	delivered, tells := c.delivered.Load(), c.tells(batch)
	if delivered <= c.forgotten && !tells {
		return mutations, nil
	}
	b := &batchEvents{committer: c, batch: batch, crossings: crossings{thresholds: &c.thresholds}}
	if delivered > c.forgotten {
		b.forget, b.forgets = delivered, len(mutations)
		mutations = append(mutations, meta.ForgetEvents{Through: delivered, Limit: forgetBatch})
	}
	if tells {
		b.append = len(mutations)
		mutations = append(mutations, c.store.events.appending(b.values))
	}
	return mutations, b
}

// tells reports whether a batch may have something to tell.
func (c *committer) tells(batch []*proposal) bool {
	follows := len(c.thresholds.percents) > 0
	if follows && len(c.thresholds.reaches) > 0 {
		return len(batch) > 0
	}
	for _, p := range batch {
		if p.notice != nil {
			return true
		}
		switch m := p.mutation.(type) {
		case meta.AppendEvents:
			return true
		case meta.SetLimit, meta.CreateBucket:
			if follows {
				return true
			}
		case meta.PutRecords: // those of a new user may come with a limit
			if follows && m.Limit != nil {
				return true
			}
		}
	}
	return false
}

// values returns the events of the batch, in the order of its mutations. It is called within the transaction.
func (b *batchEvents) values(results []meta.Result) (values [][]byte) {
	now := b.committer.store.timestamp()
	for i, p := range b.batch {
		r := &results[i]
		if r.Err != nil {
			continue
		}
		if p.notice != nil {
			if e := p.notice.committed(r); e != nil {
				values = append(values, e.Marshal())
			}
		}
		if len(b.crossings.percents) == 0 {
			continue
		}
		for _, a := range r.Accounts {
			for _, crossed := range b.crossings.observe(a) {
				e := event.Event{ID: newEventID(), Type: event.QuotaThreshold, Time: now, Threshold: crossed}
				if a.Scope.Kind == quota.Bucket || a.Scope.Kind == quota.Prefix {
					e.Bucket = a.Scope.Name
				}
				values = append(values, e.Marshal())
			}
		}
		for _, scope := range r.RemovedScopes {
			b.crossings.removed(scope)
		}
	}
	return values
}

// committed takes over what the batch has done to the outbox. b may be nil.
func (b *batchEvents) committed(results []meta.Result) {
	if b == nil {
		return
	}
	if b.forget > 0 {
		if e := results[b.forgets].Events; e != nil && e.Forgotten < forgetBatch {
			b.committer.forgotten = b.forget
		}
	}
	if b.append == 0 {
		return
	}
	b.crossings.committed()
	for _, crossed := range b.crossings.events {
		b.committer.store.tell(crossed)
	}
	b.committer.store.eventsAdded(results[b.append].Events)
	for i := range b.batch {
		b.committer.store.eventsAdded(results[i].Events) // of an AppendEvents by itself
	}
}

// eventsAdded tells of new events, and of those that had no room.
func (s *Store) eventsAdded(r *meta.EventsResult) {
	if r == nil || r.Added+r.Dropped == 0 {
		return
	}
	s.metrics.dropped.Add(float64(r.Dropped))
	if full := r.Dropped > 0; full != s.events.full {
		if s.events.full = full; full {
			s.log.Error("the outbox is full: events are dropped until receivers have taken some",
				"events", r.Outbox.Events, "bytes", r.Outbox.Bytes)
		} else {
			s.log.Info("the outbox has room for events again", "events", r.Outbox.Events)
		}
	}
	if r.Added == 0 {
		return
	}
	select {
	case s.events.changed <- struct{}{}:
	default: // the reader has been told, and has not looked yet
	}
}

// isRefusal reports whether an error says that an operation did not fit, and why.
func isRefusal(err error) (event.Refusal, bool) {
	var (
		exceeded *quota.ExceededError
		full     *InsufficientStorageError
	)
	switch {
	case errors.As(err, &exceeded):
		return event.Refusal{
			Scope: exceeded.Scope.Kind, Name: exceeded.Scope.Name, Prefix: exceeded.Scope.Prefix,
			Resource: exceeded.Resource, Limit: exceeded.Total, Used: exceeded.Used, Reserved: exceeded.Reserved, Requested: exceeded.Requested, Transient: exceeded.Transient,
		}, true
	case errors.As(err, &full):
		return event.Refusal{
			Scope: quota.Disk, Resource: quota.Bytes, Limit: full.Total, Used: max(0, full.Total-full.Available),
			Requested: full.Requested, Transient: full.Transient,
		}, true
	}
	return event.Refusal{}, false
}
