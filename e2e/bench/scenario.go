package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// scenarios measure Plimsoll alone, each in a way of its own. --objects sets their size.
var scenarios = map[string]func(context.Context, *scenario) error{
	"start":        startScenario,
	"list-scaling": listScenario,
	"memory":       memoryScenario,
	"disk":         diskScenario,
	"many-buckets": manyScenario,
}

func scenarioNames() []string { return slices.Sorted(maps.Keys(scenarios)) }

// scenario is a run of one of them.
type scenario struct {
	*config
	server *server
	bodies bodies
	report scenarioReport
}

// scenarioReport is its outcome, as it is written as JSON.
type scenarioReport struct {
	Scenario string   `json:"scenario"`
	Date     string   `json:"date"`
	Machine  string   `json:"machine"`
	Command  string   `json:"command"`
	Figures  []figure `json:"figures"`
}

// figure is one measured value.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// note reports a figure.
func (s *scenario) note(value float64, unit, name string, args ...any) {
	f := figure{fmt.Sprintf(name, args...), value, unit}
	s.report.Figures = append(s.report.Figures, f)
	s.say("%s: %.4g %s", f.Name, value, unit)
}

func runScenario(ctx context.Context, c *config, dir string) (err error) {
	plimsoll, err := buildPlimsoll(ctx, c, dir)
	if err != nil {
		return err
	}
	s := &scenario{config: c, bodies: bodies{}, report: scenarioReport{
		Scenario: c.scenario, Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Machine: machine(dir), Command: c.command,
	}}
	if s.server, err = start(ctx, plimsoll, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.server.stop()) }()
	if err := scenarios[c.scenario](ctx, s); err != nil {
		return err
	}
	s.report.print(c)
	if c.jsonFile != "" {
		return writeJSON(c.jsonFile, s.report)
	}
	return nil
}

func (r *scenarioReport) print(c *config) {
	fmt.Fprintf(c.out, "\n%s\n%s\n%s\n\n", r.Date, r.Machine, r.Command)
	for _, f := range r.Figures {
		fmt.Fprintf(c.out, "%-72s %12s %s\n", f.Name, strings.TrimSuffix(fmt.Sprintf("%.2f", f.Value), ".00"), f.Unit)
	}
}

// smallBytes is the size of the objects where only their number matters.
const smallBytes = 100

// startScenario measures how long a start takes with many objects, after a clean stop and after kill -9.
func startScenario(ctx context.Context, s *scenario) error {
	set, err := fill(ctx, s.config, s.server, s.bodies, "start", s.objects, smallBytes, keyOf)
	if err != nil {
		return err
	}
	if err := s.server.stop(); err != nil {
		return err
	}
	if err := s.restart(ctx, set, "clean stop"); err != nil {
		return err
	}
	// Killed in the middle of writing, as a crash would find it.
	clients := newClients(s.server, s.bodies, fillClients)
	killed := time.AfterFunc(time.Second, s.server.kill)
	defer killed.Stop()
	w := workload{kind: put, bytes: smallBytes}
	together(clients, func(c *client) {
		defer c.conn.close()
		for c.errors == 0 && ctx.Err() == nil {
			c.step(w, set)
		}
	})
	<-s.server.exited
	return s.restart(ctx, set, "kill -9")
}

// restart starts the server again and times it up to the first object that it serves.
func (s *scenario) restart(ctx context.Context, set *objectSet, after string) error {
	settle()
	began := time.Now()
	server, err := launch(ctx, s.server.spec, s.server.place)
	if err != nil {
		return err
	}
	s.server = server
	answering := time.Since(began)
	c := newClient(server, s.bodies, 0)
	defer c.conn.close()
	if err := c.get(set.bucket, set.keys[len(set.keys)/2], smallBytes); err != nil {
		return err
	}
	serving := time.Since(began)
	s.note(answering.Seconds()*1000, "ms", "start with %s objects after %s: answering", thousands(int64(s.objects)), after)
	s.note(serving.Seconds()*1000, "ms", "start with %s objects after %s: first object served",
		thousands(int64(s.objects)), after)
	peak, err := server.memory("VmHWM")
	s.note(float64(peak)/mib, "MiB", "peak memory of the start after %s", after)
	return err
}

// listScenario measures a page of a listing while the bucket grows by powers of ten. All keys lie under one common
// prefix, so that a listing with a delimiter shows whether it steps over them.
func listScenario(ctx context.Context, s *scenario) error {
	const repeats = 50
	under := func(n uint64) string { return "all/" + keyOf(n) }
	var set *objectSet
	for n := min(s.listKeys, s.objects); ; n = min(n*10, s.objects) {
		begin := 0
		if set != nil {
			begin = len(set.keys)
		}
		more, err := fill(ctx, s.config, s.server, s.bodies, "list", n-begin, smallBytes,
			func(i uint64) string { return under(uint64(begin) + i) })
		if err != nil {
			return err
		}
		if set != nil {
			more.keys = append(more.keys, set.keys...)
			slices.Sort(more.keys)
		}
		set = more
		settle()
		if err := s.pages(ctx, set, repeats); err != nil {
			return err
		}
		if n == s.objects {
			return nil
		}
	}
}

// pages times single pages with one client.
func (s *scenario) pages(ctx context.Context, set *objectSet, repeats int) error {
	c := newClient(s.server, s.bodies, 0)
	defer c.conn.close()
	size := thousands(int64(len(set.keys)))
	page := min(listPage, len(set.keys)/10)
	for range repeats {
		if err := errors.Join(ctx.Err(), c.list(set.bucket, set.keys[c.random.IntN(len(set.keys)-page)], page, page)); err != nil {
			return err
		}
	}
	s.note(micros(c.latency.quantile(0.5)), "µs", "page of %d keys of %s: p50", page, size)
	s.note(micros(c.latency.quantile(0.99)), "µs", "page of %d keys of %s: p99", page, size)
	c.reset()
	for range repeats {
		// One common prefix that holds everything, and no key.
		err := c.do("GET", "/"+set.bucket, "delimiter=%2F&list-type=2", nil, 200, wantKeys(0))
		if err := errors.Join(ctx.Err(), err); err != nil {
			return err
		}
	}
	s.note(micros(c.latency.quantile(0.5)), "µs", "page with one common prefix of %s keys: p50", size)
	s.note(micros(c.latency.quantile(0.99)), "µs", "page with one common prefix of %s keys: p99", size)
	return nil
}

// diskScenario measures what the data directory takes, beyond the stored bytes, when half of all objects have been
// overwritten and the server has had time to tidy up.
func diskScenario(ctx context.Context, s *scenario) error {
	const size = 4 * kib
	set, err := fill(ctx, s.config, s.server, s.bodies, "disk", s.objects, size, keyOf)
	if err != nil {
		return err
	}
	if err := s.noteDisk("full", size); err != nil {
		return err
	}
	half := &objectSet{bucket: set.bucket}
	for i := 0; i < len(set.keys); i += 2 {
		half.keys = append(half.keys, set.keys[i])
	}
	if err := putAll(ctx, s.config, s.server, s.bodies, half, size); err != nil {
		return err
	}
	if err := s.noteDisk("half overwritten", size); err != nil {
		return err
	}
	if err := s.awaitQuiet(ctx); err != nil {
		return err
	}
	return s.noteDisk("half overwritten, compacted", size)
}

func (s *scenario) noteDisk(state string, size int) error {
	settle()
	taken, err := diskUse(s.server.dir)
	if err != nil {
		return err
	}
	stored := float64(s.objects) * float64(size)
	over := float64(taken) - stored
	s.note(float64(taken)/mib, "MiB", "%s: on disk, of %.0f MiB stored", state, stored/mib)
	s.note(over/stored*100, "%", "%s: over the stored bytes", state)
	s.note(over/float64(s.objects), "bytes", "%s: over the stored bytes, per object", state)
	return nil
}

// awaitQuiet waits until the server has used hardly any processor time, and its directory has not changed its size, for
// a while.
func (s *scenario) awaitQuiet(ctx context.Context) error {
	const atMost = 10 * time.Minute
	quietFor := 5 * s.calm
	began := time.Now()
	for last := int64(-1); time.Since(began) < atMost; {
		used, err := s.server.cpu()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quietFor):
		}
		usedAfter, err := s.server.cpu()
		if err != nil {
			return err
		}
		taken, err := diskUse(s.server.dir)
		if err != nil {
			return err
		}
		if taken == last && usedAfter-used < quietFor/100 {
			s.note(time.Since(began).Seconds(), "s", "until the server was quiet")
			return nil
		}
		last = taken
		s.say("  waiting for the server to tidy up: %s MiB on disk", thousands(taken/mib))
	}
	return fmt.Errorf("the server is still busy after %v", atMost)
}

// diskUse returns the bytes that the file system has allocated for what lies below dir.
func diskUse(dir string) (int64, error) {
	const block = 512 // st_blocks' unit, whatever the file system's
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		total += info.Sys().(*syscall.Stat_t).Blocks * block
		return nil
	})
	return total, err
}

// ignoreGone drops the error of a file that was deleted while the directory was read.
func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
