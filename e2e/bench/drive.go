package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	fillClients = 64
	dropClients = 16
	// fillAttempts is how often an object is put where nothing is measured: rclone now and then answers 500 to a PUT
	// beside another that makes the same directory.
	fillAttempts = 5
	// errorPause keeps a client from spinning on a server that is gone.
	errorPause = 10 * time.Millisecond
	// minWarmup is for connections, caches and the server's heap.
	minWarmup = 250 * time.Millisecond
)

// objectSet is what a workload reads or writes in one server.
type objectSet struct {
	bucket string
	keys   []string // sorted
	under  string   // how the keys begin that are put later
}

// sample is one measurement.
type sample struct {
	rate     float64 // operations per second
	p50, p99 time.Duration
	cpu      time.Duration // of the server, per operation
	errors   int64
	sample   error
	redials  int     // connections that the server closed while the load ran
	others   float64 // share of the processors that neither server nor client used
}

// together runs f for every client at once.
func together(clients []*client, f func(*client)) {
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() { f(c) })
	}
	wg.Wait()
}

func newClients(s *server, b bodies, n int) []*client {
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = newClient(s, b, i)
	}
	return clients
}

// phase has every client work for a time, and returns the sum of their rates. Each client's rate is over its own time
// up to its last answer, so that a slow operation at the end counts neither too much nor too little.
func phase(ctx context.Context, clients []*client, w workload, set *objectSet, length time.Duration) float64 {
	var mu sync.Mutex
	var rate float64 // guarded by mu
	began := time.Now()
	together(clients, func(c *client) {
		for time.Since(began) < length && ctx.Err() == nil {
			before := c.errors
			c.step(w, set)
			if c.errors > before {
				time.Sleep(errorPause)
			}
		}
		mine := float64(c.latency.n-c.errors) / time.Since(began).Seconds()
		mu.Lock()
		rate += mine
		mu.Unlock()
	})
	return rate
}

// measure runs a workload against a server that has its objects already.
func measure(ctx context.Context, s *server, w workload, clients []*client, set *objectSet, length time.Duration) (sample, error) {
	phase(ctx, clients, w, set, min(length, max(length/4, minWarmup)))
	for _, c := range clients {
		c.reset()
	}
	used, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	load := readLoad()
	m := sample{rate: phase(ctx, clients, w, set, length)}
	usedAfter, err := s.cpu()
	if err != nil {
		return sample{}, fmt.Errorf("%s has ended: %w\n%s", s.name, err, s.logs.tail())
	}
	m.others = load.othersSince(usedAfter - used)
	var h histogram
	for _, c := range clients {
		h.merge(&c.latency)
		m.errors += c.errors
		m.redials += c.conn.dials
		if m.sample == nil {
			m.sample = c.sample
		}
	}
	m.p50, m.p99 = h.quantile(0.5), h.quantile(0.99)
	if h.n > 0 {
		m.cpu = (usedAfter - used) / time.Duration(h.n)
	}
	return m, ctx.Err()
}

// drop deletes what the clients made, with a few connections, outside of any measurement.
func drop(ctx context.Context, s *server, b bodies, bucket string, clients []*client) {
	var keys []string
	for _, c := range clients {
		keys = append(keys, c.made...)
		c.made = nil
	}
	if len(keys) == 0 || s.stub {
		return
	}
	_ = each(ctx, s, b, dropClients, len(keys), func(c *client, i int) error { return c.delete(bucket, keys[i]) })
}

// each does n things with so many connections, and stops at the first error.
func each(ctx context.Context, s *server, b bodies, connections, n int, do func(c *client, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	together(newClients(s, b, min(connections, n)), func(c *client) {
		defer c.conn.close()
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			if err := do(c, i); err != nil {
				cancel(err)
			}
		}
	})
	return context.Cause(ctx)
}

// createBucket makes a bucket; one that exists is fine.
func createBucket(s *server, bucket string) error {
	c := newConn(s.address)
	defer c.close()
	a, err := c.roundTrip(newSigner(s.address).appendHead(nil, http.MethodPut, "/"+bucket, "", 0, time.Now()), nil, false)
	if err == nil && a.status != http.StatusOK && a.status != http.StatusConflict {
		err = fmt.Errorf("status %d: %.200q", a.status, a.first)
	}
	if err != nil {
		return fmt.Errorf("%s: create a bucket: %w", s.name, err)
	}
	return nil
}

// fill puts n objects of a size into a bucket that it makes, and tells of its progress.
func fill(ctx context.Context, c *config, s *server, b bodies, bucket string, n, size int, key func(uint64) string) (*objectSet, error) {
	if err := createBucket(s, bucket); err != nil {
		return nil, err
	}
	set := &objectSet{bucket: bucket, keys: make([]string, n)}
	for i := range set.keys {
		set.keys[i] = key(uint64(i))
	}
	if !s.stub {
		if err := putAll(ctx, c, s, b, set, size); err != nil {
			return nil, err
		}
	}
	slices.Sort(set.keys)
	return set, nil
}

// putAll puts an object under every key of a set.
func putAll(ctx context.Context, c *config, s *server, b bodies, set *objectSet, size int) error {
	b.prepare(size)
	var done atomic.Int64
	n := len(set.keys)
	stop := c.tick(func(elapsed time.Duration) {
		c.say("  %s: %s of %s objects put, %s/s", s.name, thousands(done.Load()), thousands(int64(n)),
			thousands(int64(float64(done.Load())/elapsed.Seconds())))
	})
	defer stop()
	connections := fillClients
	if size >= mib {
		connections = 4
	}
	err := each(ctx, s, b, connections, n, func(c *client, i int) error {
		defer done.Add(1)
		var err error
		for range fillAttempts {
			if err = c.put(set.bucket, set.keys[i], size); err == nil {
				return nil
			}
			time.Sleep(errorPause)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put objects: %w", err)
	}
	return nil
}

// tick calls f now and then until the function that it returns is called.
func (c *config) tick(f func(elapsed time.Duration)) (stop func()) {
	const every = 3 * time.Second
	began := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // stop ends it
		defer close(ended)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				f(time.Since(began))
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// settle writes back what servers left in the page cache, so that none pays for another.
func settle() { syscall.Sync() }

var errFailed = errors.New("requests to Plimsoll have failed: these figures are not to be used")
