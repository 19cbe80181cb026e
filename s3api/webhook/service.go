package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	// requestTimeout bounds one attempt, from the connection to the end of the answer.
	requestTimeout = 10 * time.Second
	// saveEvery is how long after an event was delivered that is stored: what a crash has sent again.
	saveEvery = time.Second
	// keptEvents is how many of the newest events stay in the outbox when all are delivered, to be looked at.
	keptEvents = 1000
	// loadPage is how many records are read at a time.
	loadPage = 1000
)

// Options are what a Service is opened with.
type Options struct {
	Store *backend.Store
	// Keyring seals the secrets; without one no webhooks can be made.
	Keyring *encryption.Keyring
	// Region is that of the events of buckets.
	Region string
	// Log gets what an operator should know; nil means nowhere.
	Log *slog.Logger
	// Client sends the events; the package's own where nil. It must not follow redirects.
	Client *http.Client
	// Now is the clock; time.Now where nil.
	Now func() time.Time
	// Wait waits for a time, or until the context ends; nil waits by the system's clock.
	Wait func(ctx context.Context, d time.Duration)

	// kept is keptEvents where it is 0, and room what the outbox has room for. Tests change them.
	kept, room uint64
}

// Service keeps webhooks, and sends them events from Start until Close. It is safe for concurrent use.
type Service struct {
	options Options
	moved   chan struct{} // has room for one word that something was delivered, or that there is something new

	// changes is held by the change of webhooks that is under way, and while cursors are stored. It is taken before mu.
	changes sync.Mutex

	mu      sync.Mutex        // guards what follows
	queues  map[string]*queue // one for each webhook
	ctx     context.Context   // of the queues; nil before Start
	running sync.WaitGroup

	cancel  context.CancelFunc
	stopped chan struct{} // closed when run has ended
}

// Open reads the webhooks that the store has. Nothing is sent before Start.
func Open(ctx context.Context, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.kept == 0 {
		o.kept = keptEvents
	}
	if o.Client == nil {
		o.Client = newClient()
	}
	s := &Service{
		options: o, moved: make(chan struct{}, 1), queues: make(map[string]*queue), stopped: make(chan struct{}),
	}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return s, nil
}

// newClient returns a client that follows no redirects: an event goes where an administrator has sent it, and nowhere
// else.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = deliverAtOnce
	transport.MaxResponseHeaderBytes = drainBytes // none of them is looked at
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// jittered shortens a time at random, by up to a half: receivers that come back are not met by all senders at once.
func jittered(d time.Duration) time.Duration { return d - time.Duration(rand.Float64()*float64(d)/2) }

func (s *Service) now() time.Time { return s.options.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) load(ctx context.Context) error {
	outbox, err := s.options.Store.Outbox(ctx)
	if err != nil {
		return err
	}
	records, err := s.options.Store.Records(ctx, hookRecord, "", loadPage)
	if err != nil {
		return err
	}
	for _, r := range records {
		w := new(Webhook)
		if err := json.Unmarshal(r.Value, w); err != nil {
			return fmt.Errorf("webhook %q: %w", r.Name, err)
		}
		key, err := s.key(w)
		if err != nil {
			return err
		}
		s.install(w, key, min(outbox.Last, s.storedCursor(ctx, r.Name)))
	}
	s.subscribe()
	return nil
}

// storedCursor returns up to where a webhook has everything. Without a cursor, or with one that is beyond all events, it
// goes on with the next there will be. With one that cannot be read it gets all that are kept: again is better than not
// at all.
func (s *Service) storedCursor(ctx context.Context, name string) uint64 {
	raw, err := s.options.Store.Record(ctx, cursorRecord, name)
	if errors.Is(err, meta.ErrNoSuchRecord) {
		return math.MaxUint64
	}
	if err == nil {
		var cursor uint64
		if cursor, err = strconv.ParseUint(string(raw), 10, 64); err == nil {
			return cursor
		}
	}
	s.options.Log.Error("how far a webhook is cannot be read: it gets all events that are kept", "webhook", name,
		"error", err)
	return 0
}

// Start begins to send. Close ends it.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx = ctx
	for _, q := range s.queues {
		s.startLocked(q)
	}
	go s.run(ctx)
}

// Close ends what is being sent, and stores up to where each webhook has everything. The store must still be open.
func (s *Service) Close() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	<-s.stopped
	s.running.Wait()
	s.save(context.Background())
}

// run wakes the queues when there are events, and stores their cursors. Close stops it.
func (s *Service) run(ctx context.Context) {
	defer close(s.stopped)
	timer := time.NewTimer(saveEvery)
	defer timer.Stop()
	armed := true // what an earlier run has left is looked at once
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.options.Store.EventsChanged():
			s.wake()
			armed = arm(timer, armed)
		case <-s.moved:
			armed = arm(timer, armed)
		case <-timer.C:
			if armed = false; !s.save(ctx) {
				armed = arm(timer, armed)
			}
		}
	}
}

func arm(timer *time.Timer, armed bool) bool {
	if !armed {
		timer.Reset(saveEvery)
	}
	return true
}

func (s *Service) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		select {
		case q.wake <- struct{}{}:
		default: // it has been told
		}
	}
}

// save stores the cursors that have moved, and tells the store which events nobody needs. It returns false where that is
// to be tried again.
func (s *Service) save(ctx context.Context) bool {
	s.changes.Lock()
	defer s.changes.Unlock()
	outbox, err := s.options.Store.Outbox(ctx)
	if err != nil {
		return false
	}
	s.leaveBehind(outbox)
	var (
		records []meta.PutRecord
		saved   = make(map[*queue]uint64)
		needed  = outbox.Last
	)
	s.mu.Lock()
	for _, q := range s.sortedLocked() {
		if !q.hook.Enabled {
			continue
		}
		cursor := q.cursor.Load()
		if needed = min(needed, cursor); cursor != q.saved {
			records = append(records, cursorPut(q.hook.Name, cursor))
			saved[q] = cursor
		}
	}
	s.mu.Unlock()
	if len(records) > 0 {
		if err := s.options.Store.PutRecords(ctx, records...); err != nil {
			s.options.Log.Warn("store how far webhooks are", "error", err)
			return false
		}
	}
	for q, cursor := range saved {
		q.saved = cursor
	}
	if outbox.Last > s.options.kept {
		s.options.Store.ForgetEvents(min(needed, outbox.Last-s.options.kept))
	}
	return true
}

// leaveBehind keeps a webhook that takes nothing from filling the outbox for all others: one may be behind the one that
// is furthest ahead by half of what the outbox has room for, and what is older is dropped for it. It is called with
// changes held.
func (s *Service) leaveBehind(outbox meta.Outbox) {
	s.mu.Lock()
	queues := s.sortedLocked()
	s.mu.Unlock()
	queues = slices.DeleteFunc(queues, func(q *queue) bool { return !q.hook.Enabled })
	ahead := uint64(0)
	for _, q := range queues {
		ahead = max(ahead, q.cursor.Load())
	}
	most := s.room(outbox) / 2
	for _, q := range queues {
		if cursor := q.cursor.Load(); ahead-min(ahead, cursor) > most {
			q.stop()
			cursor = q.cursor.Load()
			dropped := ahead - most - min(ahead-most, cursor)
			if dropped > 0 { // else it has caught up until it stopped
				q.stats.dropped.Add(int64(dropped))
				s.options.Log.Error("the webhook is too far behind: events are dropped for it", "webhook", q.hook.Name,
					"events", dropped)
			}
			s.install(q.hook, q.key, cursor+dropped)
		}
	}
}

// room is how many events the outbox has room for, if they are as large as those that it has.
func (s *Service) room(outbox meta.Outbox) uint64 {
	if s.options.room > 0 {
		return s.options.room
	}
	events, bytes := s.options.Store.OutboxBounds()
	if outbox.Events > 0 && outbox.Bytes > 0 {
		events = min(events, bytes/max(1, outbox.Bytes/outbox.Events))
	}
	return uint64(events)
}

func (s *Service) sortedLocked() []*queue {
	all := make([]*queue, 0, len(s.queues))
	for _, q := range s.queues {
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b *queue) int { return cmp.Compare(a.hook.Name, b.hook.Name) })
	return all
}

// install puts a webhook in force, from a cursor on, in the place of what it was before.
func (s *Service) install(w *Webhook, key []byte, cursor uint64) {
	old := s.take(w.Name)
	q := newQueue(s, w, key, cursor)
	if old != nil {
		old.stop()
		q.stats = old.stats
		if w.Enabled && old.hook.Enabled {
			q.cursor.Store(max(cursor, old.cursor.Load())) // it may have moved until it stopped
			q.saved = old.saved
		}
	}
	s.mu.Lock()
	s.queues[w.Name] = q
	s.startLocked(q)
	s.mu.Unlock()
	s.subscribe()
}

func (s *Service) uninstall(name string) {
	if q := s.take(name); q != nil {
		q.stop()
	}
	s.mu.Lock()
	delete(s.queues, name)
	s.mu.Unlock()
	s.subscribe()
	s.told()
}

func (s *Service) take(name string) *queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[name]
}

func (s *Service) startLocked(q *queue) {
	if s.ctx == nil || s.ctx.Err() != nil || !q.hook.Enabled {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	q.cancel, q.done = cancel, make(chan struct{})
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer close(q.done)
		q.run(ctx)
	}()
}

// subscribe tells the store what webhooks want by themselves.
func (s *Service) subscribe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var filter event.Filter
	for _, q := range s.queues {
		if q.hook.Enabled {
			filter = append(filter, q.hook.Events...)
		}
	}
	s.options.Store.Subscribe(filter)
}

func (s *Service) cursor(name string) uint64 {
	if q := s.take(name); q != nil {
		return q.cursor.Load()
	}
	return 0
}

// told has run look at the cursors before long.
func (s *Service) told() {
	select {
	case s.moved <- struct{}{}:
	default: // it has been told
	}
}

// Has reports whether there is a webhook with this name.
func (s *Service) Has(name string) bool { return s != nil && s.take(name) != nil }

// Region is that of the events; empty where there is no Service.
func (s *Service) Region() string {
	if s == nil {
		return ""
	}
	return s.options.Region
}
