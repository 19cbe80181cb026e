package s3api

import (
	"sync"
	"time"
)

// deadlineTick is how far ahead a connection's own deadline is set at the most. It is below what net/http and handlers ask
// for, so that most of what they ask is met by what is set already.
const deadlineTick = 20 * time.Second

// lazyDeadline is a deadline of a connection for reads or for writes. net/http sets and clears that for reads six times for
// a request, and each time it is a timer of the runtime's. A lazyDeadline lets the connection's own be too early, and whoever
// runs into it find out whether it was meant: two times are left. It was 4 % of a HEAD.
//
// It may be used concurrently: net/http ends a read by a deadline that has passed.
type lazyDeadline struct {
	mu sync.Mutex // guards what follows
	// wanted is the deadline that was asked for; zero for none.
	wanted time.Time
	// armed is the connection's own: never after wanted. Zero where it has none, and then wanted is zero as well.
	armed time.Time
}

// set asks for a deadline. arm sets the connection's own.
func (d *lazyDeadline) set(t time.Time, arm func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if t.IsZero() || (!d.armed.IsZero() && !d.armed.After(t)) {
		return nil
	}
	d.armed = t
	return arm(t)
}

// watch has the connection's own deadline pass before long, also where none was asked for.
func (d *lazyDeadline) watch(arm func(time.Time) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed.IsZero() {
		d.armed = time.Now().Add(deadlineTick)
		_ = arm(d.armed)
	}
}

// passed decides what the connection's own deadline, which has passed, means: true for the deadline that was asked for;
// false for one that was too early, and then the connection has another, and goes on.
func (d *lazyDeadline) passed(arm func(time.Time) error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.armed.IsZero() || (!d.wanted.IsZero() && !d.wanted.After(now)) {
		return true
	}
	d.armed = now.Add(deadlineTick)
	if !d.wanted.IsZero() && d.wanted.Before(d.armed) {
		d.armed = d.wanted
	}
	return arm(d.armed) != nil
}
