package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

const (
	manyClients = 16
	// manyLimit is the limit of every bucket and every user: nothing is refused.
	manyLimit = 1 << 40
	// manyAsks is how often each answer is timed.
	manyAsks = 9
	oneName  = "one-server"
)

// manyScenario measures what many buckets with limits, and the users who own them, cost: start, scrape, listings, and
// PUT into one of the buckets beside a server that has one bucket only. The two take turns.
func manyScenario(ctx context.Context, s *scenario) error {
	users := max(1, s.buckets/10)
	if err := s.makeMany(ctx, users); err != nil {
		return err
	}
	const bucket = "many-0"
	if err := s.askMany(ctx); err != nil {
		return err
	}
	if err := s.putBeside(ctx, bucket); err != nil {
		return err
	}
	peak, err := s.server.memory("VmRSS")
	if err != nil {
		return err
	}
	s.note(float64(peak)/mib, "MiB", "memory with %s buckets", thousands(int64(s.buckets)))
	if err := s.server.stop(); err != nil {
		return err
	}
	settle()
	began := time.Now()
	server, err := launch(ctx, s.server.spec, s.server.place)
	if err != nil {
		return err
	}
	s.note(time.Since(began).Seconds()*1000, "ms", "start with %s buckets and %s users: answering",
		thousands(int64(s.buckets)), thousands(int64(users)))
	s.server = server
	return s.scrape(ctx, "the first after the start")
}

func (s *scenario) admin(accessKey, secretKey string) (*adminclient.Client, error) {
	return adminclient.New("http://"+s.server.address, accessKey, secretKey, region, nil)
}

// makeMany makes the users, each with a key and a limit, and their buckets with limits.
func (s *scenario) makeMany(ctx context.Context, users int) error {
	root, err := s.admin(accessKey, secretKey)
	if err != nil {
		return err
	}
	limit := adminapi.Limit{MaxBytes: new(int64(manyLimit)), MaxObjects: new(int64(manyLimit))}
	clients := make([]*adminclient.Client, users)
	began := time.Now()
	err = inParallel(ctx, users, func(i int) error {
		name := fmt.Sprintf("user-%d", i)
		if _, err := root.CreateUser(ctx, name, adminapi.UserSettings{Policies: []string{"consoleAdmin"}}); err != nil {
			return err
		}
		key, err := root.CreateKey(ctx, name, adminapi.NewKey{})
		if err != nil {
			return err
		}
		if _, err := root.ReplaceQuota(ctx, quota.OwnerScope(name), limit); err != nil {
			return err
		}
		clients[i], err = s.admin(key.AccessKey, key.SecretKey)
		return err
	})
	if err != nil {
		return fmt.Errorf("make users: %w", err)
	}
	s.note(time.Since(began).Seconds(), "s", "%s users with a key and a limit made", thousands(int64(users)))
	began = time.Now()
	err = inParallel(ctx, s.buckets, func(i int) error {
		_, err := clients[i%users].CreateBucket(ctx, fmt.Sprintf("many-%d", i), limit)
		return err
	})
	if err != nil {
		return fmt.Errorf("make buckets: %w", err)
	}
	s.note(time.Since(began).Seconds(), "s", "%s buckets with limits made", thousands(int64(s.buckets)))
	return nil
}

// inParallel does n things, some at a time, and stops at the first error.
func inParallel(ctx context.Context, n int, do func(i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next  atomic.Int64
		group sync.WaitGroup
	)
	for range manyClients {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// askMany times what is asked of a server with many buckets.
func (s *scenario) askMany(ctx context.Context) error {
	root, err := s.admin(accessKey, secretKey)
	if err != nil {
		return err
	}
	if err := s.scrape(ctx, "median"); err != nil {
		return err
	}
	for _, asked := range []struct {
		name string
		ask  func() (int, error)
	}{
		{"usage of all", func() (int, error) {
			o, err := root.Overview(ctx)
			return len(o.Buckets), err
		}},
		{"all limits", func() (int, error) {
			q, err := root.Quotas(ctx)
			return len(q.Buckets), err
		}},
		{"all buckets", func() (int, error) {
			b, err := root.Buckets(ctx)
			return len(b), err
		}},
		{"a limit changed", func() (int, error) {
			_, err := root.ChangeQuota(ctx, quota.BucketScope("many-0"), adminapi.Limit{MaxBytes: new(int64(manyLimit))})
			return s.buckets, err
		}},
	} {
		var times []float64
		for range manyAsks {
			began := time.Now()
			n, err := asked.ask()
			if err != nil || n != s.buckets {
				return fmt.Errorf("%s: %d of %d, %w", asked.name, n, s.buckets, err)
			}
			times = append(times, time.Since(began).Seconds()*1000)
		}
		s.note(median(times), "ms", "%s, client included: median", asked.name)
	}
	c := newClient(s.server, s.bodies, 0)
	defer c.conn.close()
	for range manyAsks {
		if err := c.do(http.MethodGet, "/", "", nil, http.StatusOK, nil); err != nil {
			return err
		}
	}
	s.note(micros(c.latency.quantile(0.5))/1000, "ms", "ListBuckets: median")
	return nil
}

// scrape times /_plimsoll/metrics as Prometheus asks for it, and what it costs the server.
func (s *scenario) scrape(ctx context.Context, which string) error {
	var (
		times []float64
		size  int64
		asks  = manyAsks
	)
	if which != "median" {
		asks = 1
	}
	before, err := s.server.cpu()
	if err != nil {
		return err
	}
	for range asks {
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.server.address+"/_plimsoll/metrics", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Accept-Encoding", "gzip") // so that it is not decoded here
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return err
		}
		size, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("metrics: %s", response.Status)
		}
		times = append(times, time.Since(began).Seconds()*1000)
	}
	after, err := s.server.cpu()
	if err != nil {
		return err
	}
	s.note(median(times), "ms", "scrape of %.0f KiB, compressed: %s", float64(size)/kib, which)
	s.note((after-before).Seconds()*1000/float64(asks), "ms", "scrape: processor time of the server, %s", which)
	return nil
}

// putBeside measures PUT into one of the buckets, and into the only bucket of another server, in turns.
func (s *scenario) putBeside(ctx context.Context, bucket string) (err error) {
	other := s.server.spec
	other.name = oneName
	one, err := start(ctx, other, filepath.Dir(s.server.dir))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.stop()) }()
	s.bodies.prepare(4 * kib)
	rates := map[*server][]float64{}
	w := workload{kind: put, bytes: 4 * kib}
	clients := map[*server][]*client{}
	for _, server := range []*server{s.server, one} {
		if err := createBucket(server, bucket); err != nil {
			return err
		}
		clients[server] = newClients(server, s.bodies, manyClients)
	}
	defer func() {
		for _, of := range clients {
			together(of, func(c *client) { c.conn.close() })
		}
	}()
	for round := range s.rounds {
		turns := []*server{s.server, one}
		if round%2 == 1 {
			turns = []*server{one, s.server}
		}
		for i, server := range turns {
			turns[1-i].pause()
			settle()
			server.resume()
			m, err := measure(ctx, server, w, clients[server], &objectSet{bucket: bucket}, s.duration)
			turns[1-i].resume()
			if err != nil {
				return err
			}
			if m.errors > 0 {
				return fmt.Errorf("put: %w", m.sample)
			}
			rates[server] = append(rates[server], m.rate)
		}
	}
	many, alone := median(rates[s.server]), median(rates[one])
	s.note(alone, "/s", "PUT 4 KiB, %d clients, one bucket", manyClients)
	s.note(many, "/s", "PUT 4 KiB, %d clients, one of %s buckets", manyClients, thousands(int64(s.buckets)))
	s.note(100*(many/alone-1), "%", "PUT: more than with one bucket")
	return nil
}
