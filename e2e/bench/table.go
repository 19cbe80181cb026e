package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// bench is a run of the workloads.
type bench struct {
	*config
	servers   []*server
	workloads []workload
	bodies    bodies
	sets      map[*server]map[string]*objectSet // by bucket
	samples   map[string]map[string][]sample    // by workload and server
	memory    map[string]int64                  // by server
	under     string                            // how all keys begin
}

// runTable starts every server, measures all workloads in rounds, and reports.
func runTable(ctx context.Context, c *config, dir string) (err error) {
	b := &bench{
		config: c, bodies: bodies{}, sets: map[*server]map[string]*objectSet{},
		samples: map[string]map[string][]sample{}, memory: map[string]int64{},
	}
	if b.workloads, err = selectWorkloads(c.only); err != nil {
		return err
	}
	specs, err := b.specs(ctx, dir)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(specs, func(s spec) bool { return s.limited }) {
		b.under = limitedOuter + limitedInner // in all servers, so that they do the same
	}
	began := time.Now()
	defer func() {
		for _, s := range b.servers {
			s.kill() // the data is thrown away, and some take long to stop
		}
	}()
	for _, spec := range specs {
		c.say("starting %s", spec.name)
		s, err := start(ctx, spec, dir)
		if err != nil {
			return err
		}
		b.servers = append(b.servers, s)
		s.pause()
	}
	if err := b.rounds(ctx); err != nil {
		return err
	}
	r := b.report(machine(dir), began)
	r.print(c.out)
	if c.jsonFile != "" {
		if err := writeJSON(c.jsonFile, r); err != nil {
			return err
		}
	}
	if r.failed() {
		return errFailed
	}
	return nil
}

func (b *bench) specs(ctx context.Context, dir string) ([]spec, error) {
	plimsoll, err := buildPlimsoll(ctx, b.config, dir)
	if err != nil {
		return nil, err
	}
	specs := []spec{plimsoll}
	for _, name := range b.peers {
		if name == limitedName {
			specs = append(specs, limitedSpec(plimsoll))
			continue
		}
		peer, err := findPeer(ctx, b.config, name)
		if err != nil {
			return nil, err
		}
		specs = append(specs, peer)
	}
	empty, err := emptySpec()
	if err != nil {
		return nil, err
	}
	specs = append(specs, empty)
	names := map[string]bool{}
	for _, s := range specs {
		if names[s.name] {
			return nil, fmt.Errorf("two servers are called %q", s.name)
		}
		names[s.name] = true
	}
	return specs, nil
}

// rounds measures everything, one server at a time.
func (b *bench) rounds(ctx context.Context) error {
	for round := range b.config.rounds {
		for i, w := range b.workloads {
			for j := range b.servers {
				// Another one begins each time: what follows a heavy writer must not always be the same.
				s := b.servers[(j+round+i)%len(b.servers)]
				if !w.fits(s) {
					continue
				}
				m, err := b.turn(ctx, s, w)
				if err != nil {
					return err
				}
				b.say("round %d of %d, %-9s %-9s %s", round+1, b.config.rounds, w.name, s.name, describe(w, m))
				if b.samples[w.name] == nil {
					b.samples[w.name] = map[string][]sample{}
				}
				b.samples[w.name][s.name] = append(b.samples[w.name][s.name], m)
			}
		}
	}
	return nil
}

// turn measures one workload on one server while the others stand still.
func (b *bench) turn(ctx context.Context, s *server, w workload) (m sample, err error) {
	s.resume()
	defer func() {
		peak, memoryErr := s.memory("VmHWM")
		b.memory[s.name] = max(b.memory[s.name], peak)
		err = errors.Join(err, memoryErr)
		s.pause()
		settle()
	}()
	set, err := b.objects(ctx, s, w)
	if err != nil {
		return m, err
	}
	n := w.clients
	if b.config.clients > 0 {
		n = b.config.clients
	}
	clients := newClients(s, b.bodies, n)
	defer together(clients, func(c *client) { c.conn.close() })
	if w.kind == mixed {
		together(clients, func(c *client) {
			for range b.perMixed {
				c.step(workload{kind: put, bytes: w.bytes}, set)
			}
		})
	}
	m, err = measure(ctx, s, w, clients, set, b.duration)
	if err == nil && w.kind == put && w.bytes >= dropFrom {
		drop(ctx, s, b.bodies, set.bucket, clients)
	}
	return m, err
}

// objects returns what a workload needs in a server, made the first time that it is asked for.
func (b *bench) objects(ctx context.Context, s *server, w workload) (*objectSet, error) {
	use, n := "write", 0
	switch w.kind {
	case get, head, list:
		use, n = "read", b.listKeys
		if w.inBytes() {
			n = largeObjects
		}
	case mixed:
		use = "mixed"
	}
	b.bodies.prepare(w.bytes)
	bucket := bucketFor(use, w.bytes)
	if set := b.sets[s][bucket]; set != nil {
		return set, nil
	}
	if s.limited {
		if err := limit(ctx, s, bucket); err != nil {
			return nil, err
		}
	}
	set, err := fill(ctx, b.config, s, b.bodies, bucket, n, w.bytes, func(i uint64) string { return b.under + keyOf(i) })
	if err != nil {
		return nil, err
	}
	set.under = b.under
	if n > 0 {
		settle()
	}
	if b.sets[s] == nil {
		b.sets[s] = map[string]*objectSet{}
	}
	b.sets[s][bucket] = set
	return set, nil
}

// report puts the figures together.
func (b *bench) report(machine string, began time.Time) *report {
	r := &report{
		Date: began.UTC().Format("2006-01-02 15:04 UTC"), Machine: machine, Command: b.command,
		Rounds: b.config.rounds, DurationSeconds: b.duration.Seconds(), TookSeconds: time.Since(began).Seconds(),
	}
	for _, s := range b.servers {
		r.Servers = append(r.Servers, serverReport{
			Name: s.name, Version: versionOf(s.binary), PeakBytes: b.memory[s.name],
			Anonymous: s.anonymous, Unsynced: s.unsynced, Ceiling: s.stub,
		})
	}
	// The empty server's binary is this program.
	if i := slices.IndexFunc(r.Servers, func(s serverReport) bool { return s.Ceiling }); i >= 0 {
		r.Servers[i].Version = "net/http"
	}
	for _, w := range b.workloads {
		wr := workloadReport{Name: w.name, Title: w.title, ObjectBytes: w.bytes, InBytes: w.inBytes()}
		for _, s := range b.servers {
			if samples := b.samples[w.name][s.name]; len(samples) > 0 {
				wr.Figures = append(wr.Figures, summarize(s.name, samples))
			}
		}
		wr.compare(r.Servers)
		r.Workloads = append(r.Workloads, wr)
	}
	return r
}
