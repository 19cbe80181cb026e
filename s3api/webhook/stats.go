package webhook

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
)

func newID() string { return ulid.Make().String() }

// stats are what became of the deliveries to a webhook since the server was started.
type stats struct {
	delivered, failures, dropped atomic.Int64
	failing                      atomic.Bool // the last attempt has failed

	mu            sync.Mutex // guards what follows
	lastError     string
	lastFailure   time.Time
	lastDelivered time.Time
}

// Status is how a webhook is doing. Counts are those since the server was started.
type Status struct {
	// Queued is how many events of the outbox the webhook has not been through; some of them may not be for it.
	Queued uint64
	// Delivered and Dropped count events, FailedAttempts requests. What is dropped was too old; some may not have been for
	// the webhook.
	Delivered, Dropped, FailedAttempts int64
	// Failing says that the last attempt failed; LastError is why the last one did that did.
	Failing                    bool
	LastError                  string
	LastFailure, LastDelivered time.Time
}

func (q *queue) succeeded() {
	q.stats.delivered.Add(1)
	q.stats.mu.Lock()
	q.stats.lastDelivered = q.service.now()
	q.stats.mu.Unlock()
	if q.stats.failing.Swap(false) {
		q.service.options.Log.Info("the webhook takes events again", "webhook", q.hook.Name)
	}
}

func (q *queue) failed(err error) {
	q.stats.failures.Add(1)
	q.stats.mu.Lock()
	q.stats.lastError, q.stats.lastFailure = err.Error(), q.service.now()
	q.stats.mu.Unlock()
	if !q.stats.failing.Swap(true) {
		q.service.options.Log.Warn("the webhook takes no event, and is tried again", "webhook", q.hook.Name, "error", err)
	}
}

// Status tells how a webhook is doing. It fails with ErrNoSuchWebhook.
func (s *Service) Status(ctx context.Context, name string) (Status, error) {
	q := s.take(name)
	if q == nil {
		return Status{}, ErrNoSuchWebhook
	}
	outbox, err := s.options.Store.Outbox(ctx)
	if err != nil {
		return Status{}, err
	}
	return q.status(outbox.Last), nil
}

func (q *queue) status(last uint64) Status {
	s := Status{
		Delivered: q.stats.delivered.Load(), FailedAttempts: q.stats.failures.Load(), Failing: q.stats.failing.Load(),
		Dropped: q.stats.dropped.Load(),
	}
	if cursor := q.cursor.Load(); q.hook.Enabled && last > cursor {
		s.Queued = last - cursor
	}
	q.stats.mu.Lock()
	defer q.stats.mu.Unlock()
	s.LastError, s.LastFailure, s.LastDelivered = q.stats.lastError, q.stats.lastFailure, q.stats.lastDelivered
	return s
}

var (
	deliveredTotal = prometheus.NewDesc("plimsoll_webhook_delivered_events_total",
		"Events that a webhook has taken.", []string{"webhook"}, nil)
	failedTotal = prometheus.NewDesc("plimsoll_webhook_failed_attempts_total",
		"Requests that a webhook has not taken, and that are made again.", []string{"webhook"}, nil)
	droppedTotal = prometheus.NewDesc("plimsoll_webhook_dropped_events_total",
		"Events that were dropped for a webhook, since it was too far behind others.", []string{"webhook"}, nil)
	queuedEvents = prometheus.NewDesc("plimsoll_webhook_queued_events",
		"Events of the outbox that a webhook has not been through yet.", []string{"webhook"}, nil)
)

// Describe implements prometheus.Collector.
func (s *Service) Describe(ch chan<- *prometheus.Desc) {
	ch <- deliveredTotal
	ch <- failedTotal
	ch <- droppedTotal
	ch <- queuedEvents
}

// Collect implements prometheus.Collector.
func (s *Service) Collect(ch chan<- prometheus.Metric) {
	outbox, err := s.options.Store.Outbox(context.Background())
	if err != nil {
		return
	}
	s.mu.Lock()
	queues := s.sortedLocked()
	s.mu.Unlock()
	for _, q := range queues {
		st, name := q.status(outbox.Last), q.hook.Name
		ch <- prometheus.MustNewConstMetric(deliveredTotal, prometheus.CounterValue, float64(st.Delivered), name)
		ch <- prometheus.MustNewConstMetric(failedTotal, prometheus.CounterValue, float64(st.FailedAttempts), name)
		ch <- prometheus.MustNewConstMetric(droppedTotal, prometheus.CounterValue, float64(st.Dropped), name)
		ch <- prometheus.MustNewConstMetric(queuedEvents, prometheus.GaugeValue, float64(st.Queued), name)
	}
}
