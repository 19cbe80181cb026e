package backend

import (
	"context"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

const (
	// refusalsEvery is how often refusals are told of, and refusalsAtOnce of how many buckets and scopes together. A client
	// that tries again and again must not fill the outbox.
	refusalsEvery  = time.Second
	refusalsAtOnce = 1000
)

// refusalOf is what refusals are told of together for.
type refusalOf struct {
	bucket string
	scope  quota.Scope
}

// refusalQueue holds the refusals that are not told of yet: the newest of each bucket by each scope.
type refusalQueue struct {
	wake chan struct{} // has room for one word that there are some

	mu      sync.Mutex // guards pending and order
	pending map[refusalOf]*notice
	order   []refusalOf // in which they came first
}

// Refused tells whoever wants to know that an operation did not fit: err is what the store has refused it with. All other
// errors are none of its business. It does not wait.
func (s *Store) Refused(ctx context.Context, operation string, bucket meta.BucketName, key meta.Key, err error) {
	if !s.TellsRefusals() {
		return
	}
	refusal, ok := isRefusal(err)
	if !ok {
		return
	}
	n := s.newNotice(ctx, bucket, key)
	if n == nil {
		return
	}
	n.Type, n.Time, n.Object = event.QuotaRefused, s.timestamp(), nil
	refusal.Operation, refusal.Count = operation, 1
	n.Refusal = &refusal
	if n.wanted() != nil {
		s.events.refusals.add(n)
	}
}

func (q *refusalQueue) add(n *notice) {
	of := refusalOf{n.Bucket, quota.Scope{Kind: n.Refusal.Scope, Name: n.Refusal.Name, Prefix: n.Refusal.Prefix}}
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.pending[of]
	switch {
	case before != nil:
		n.Refusal.Count += before.Refusal.Count
	case len(q.order) == refusalsAtOnce:
		return
	default:
		q.order = append(q.order, of)
	}
	if q.pending == nil {
		q.pending = make(map[refusalOf]*notice)
	}
	q.pending[of] = n
	select {
	case q.wake <- struct{}{}:
	default: // it has been told
	}
}

func (q *refusalQueue) take() (values [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, of := range q.order {
		n := q.pending[of]
		n.ID = newEventID()
		values = append(values, n.Marshal())
	}
	q.pending, q.order = nil, nil
	return values
}

// keepRefusals puts refusals into the outbox: the first at once, those that follow together. Close stops it, after a last
// round.
func (s *Store) keepRefusals(ctx context.Context) {
	timer := time.NewTimer(refusalsEvery)
	defer timer.Stop()
	defer s.tellRefusals()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.events.refusals.wake:
		}
		s.tellRefusals()
		timer.Reset(refusalsEvery)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

func (s *Store) tellRefusals() {
	values := s.events.refusals.take()
	if len(values) == 0 {
		return
	}
	m := s.events.appending(func([]meta.Result) [][]byte { return values })
	if _, err := s.commit(&proposal{mutation: m}); err != nil {
		s.log.Warn("refusals are not told of", "error", err)
	}
}
