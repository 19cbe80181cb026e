package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	// pageEvents is how many events a queue reads at a time, and holds in memory.
	pageEvents = 256
	// deliverAtOnce is how many requests to a webhook are under way at a time, at most: each of another bucket.
	deliverAtOnce = 4
	// The time before a second attempt, and the longest between two.
	firstBackoff, longestBackoff = 500 * time.Millisecond, time.Minute
	// drainBytes is how much of an answer is read, so that its connection can be used again.
	drainBytes = 64 << 10
)

// queue sends events to one webhook. It is one goroutine and those that it waits for; the service stops it.
type queue struct {
	service *Service
	hook    *Webhook // is not changed: a webhook that is gets another queue
	key     []byte
	// cursor is the event up to which the webhook has everything; saved is what is stored of it, guarded by
	// Service.changes.
	cursor atomic.Uint64
	saved  uint64
	wake   chan struct{} // has room for one word that there is something new
	stats  *stats

	cancel context.CancelFunc // nil where it does not run
	done   chan struct{}      // closed when it has stopped
}

func newQueue(s *Service, w *Webhook, key []byte, cursor uint64) *queue {
	q := &queue{service: s, hook: w, key: key, saved: cursor, wake: make(chan struct{}, 1), stats: new(stats)}
	q.cursor.Store(cursor)
	return q
}

func (q *queue) stop() {
	if q.cancel != nil {
		q.cancel()
		<-q.done
	}
}

func (q *queue) run(ctx context.Context) {
	for ctx.Err() == nil {
		page, err := q.service.options.Store.Events(ctx, q.cursor.Load(), pageEvents)
		if err != nil && ctx.Err() == nil {
			q.service.options.Log.Error("read events", "webhook", q.hook.Name, "error", err)
			q.service.options.Wait(ctx, longestBackoff)
			continue
		}
		if len(page) > 0 {
			q.deliver(ctx, page)
			continue
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		}
	}
}

// progress is how much of a page is delivered.
type progress struct {
	queue *queue
	page  []meta.Event

	mu   sync.Mutex // guards what follows
	done []bool
	next int // all before it are done
}

// finish notes that an event needs no more attention, and moves the cursor up to the first that does.
func (p *progress) finish(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[i] = true
	before := p.next
	for p.next < len(p.done) && p.done[p.next] {
		p.next++
	}
	if p.next > before {
		p.queue.cursor.Store(p.page[p.next-1].Sequence)
		p.queue.service.told()
	}
}

// delivery is an event on its way.
type delivery struct {
	index int // in the page
	id    string
	body  []byte
}

// deliver sends what the webhook wants of a page. It returns when all of it is delivered, or ctx has ended.
func (q *queue) deliver(ctx context.Context, page []meta.Event) {
	p := &progress{queue: q, page: page, done: make([]bool, len(page))}
	lines := q.lines(p)
	waiting := make(chan []delivery, len(lines))
	for _, line := range lines {
		waiting <- line
	}
	close(waiting)
	var workers sync.WaitGroup
	for range min(deliverAtOnce, len(lines)) {
		workers.Go(func() {
			for line := range waiting {
				for _, d := range line {
					if !q.send(ctx, d) {
						return
					}
					p.finish(d.index)
				}
			}
		})
	}
	workers.Wait()
}

// lines returns the events of a page that the webhook wants, those of a bucket together and in their order. The others
// are finished.
func (q *queue) lines(p *progress) (lines [][]delivery) {
	places := make(map[string]int)
	for i, row := range p.page {
		e, err := event.Unmarshal(row.Value)
		if err = errors.Join(row.Err, err); err != nil {
			q.service.options.Log.Error("an event cannot be read, and is left out", "sequence", row.Sequence, "error", err)
			p.finish(i)
			continue
		}
		rule, wanted := q.wants(e)
		if !wanted {
			p.finish(i)
			continue
		}
		place, known := places[e.Bucket]
		if !known {
			place = len(lines)
			places[e.Bucket] = place
			lines = append(lines, nil)
		}
		body := marshal(render(e, row.Sequence, rule, q.service.options.Region))
		lines[place] = append(lines[place], delivery{index: i, id: e.ID, body: body})
	}
	return lines
}

// wants reports whether the webhook gets an event, and the id of the bucket's rule that says so, if one does.
func (q *queue) wants(e *event.Event) (rule *string, wanted bool) {
	for i := range e.To {
		if e.To[i].Webhook == q.hook.Name {
			return &e.To[i].Rule, true
		}
	}
	subscribed := func(pattern string) bool { return event.Matches(pattern, e.Type) }
	return nil, slices.ContainsFunc(q.hook.Events, subscribed)
}

// send sends an event until it is taken. It returns false where ctx has ended before that.
func (q *queue) send(ctx context.Context, d delivery) bool {
	backoff := firstBackoff
	for {
		_, err := q.attempt(ctx, d)
		if err == nil {
			q.succeeded()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		q.failed(err)
		q.service.options.Wait(ctx, jittered(backoff))
		backoff = min(2*backoff, longestBackoff)
	}
}

// attempt sends an event once, and returns the status of the answer, 0 where there was none.
func (q *queue) attempt(ctx context.Context, d delivery) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, q.hook.URL, bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=UTF-8")
	request.Header.Set("User-Agent", "Plimsoll")
	sign(request.Header, q.key, d.id, q.service.options.Now(), d.body)
	response, err := q.service.options.Client.Do(request)
	if err != nil {
		return 0, brief(withoutURL(err))
	}
	_, _ = io.CopyN(io.Discard, response.Body, drainBytes) // what it says is no matter
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		// In our words: those of the answer may be as long as they like, and are logged and kept.
		return response.StatusCode, fmt.Errorf("it answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	return response.StatusCode, nil
}

// withoutURL leaves the URL out of an error: it may have a token, and errors are logged.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// maxErrorBytes bounds the text of an error that quotes what a receiver has sent.
const maxErrorBytes = 256

func brief(err error) error {
	if text := err.Error(); len(text) > maxErrorBytes {
		return errors.New(strings.ToValidUTF8(text[:maxErrorBytes], "") + "…")
	}
	return err
}

// TestResult is what became of a test.
type TestResult struct {
	// Status is that of the answer, 0 where there was none; Error is empty where the webhook has taken the event.
	Status   int
	Error    string
	Duration time.Duration
}

// Test sends an event of type webhook.test, once, also to a webhook that is disabled. It fails with ErrNoSuchWebhook.
func (s *Service) Test(ctx context.Context, name string) (r TestResult, err error) {
	q := s.take(name)
	if q == nil {
		return r, ErrNoSuchWebhook
	}
	e := event.Event{ID: newID(), Type: event.Test, Time: s.now()}
	started := time.Now()
	r.Status, err = q.attempt(ctx, delivery{id: e.ID, body: marshal(render(&e, 0, nil, s.options.Region))})
	r.Duration = time.Since(started)
	if err != nil {
		r.Error = err.Error()
	}
	return r, nil
}
