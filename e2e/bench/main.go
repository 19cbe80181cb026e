// Command bench measures Plimsoll against other S3 servers on this machine:
//
//	go run ./e2e/bench --peers minio,versitygw,rclone,gofakes3 --json bench.json
//
// It builds Plimsoll from the tree, installs the peers that are missing, and drives all of them with the same signed
// load over loopback. Each server is a process of its own with an empty data directory. All are started at the
// beginning; the one that is measured runs, the others are stopped with SIGSTOP, so that they take no time from it,
// and dirty pages are written back in between. Servers take turns within each workload, in an order that differs from
// round to round, and a figure is the median over the rounds: on a machine that others use too, only ratios of figures
// that were taken side by side mean anything.
//
// "empty" is a net/http handler that reads the body and answers 200: what a Go server cannot exceed here. It is started
// always, and is no peer.
//
// A peer may also be NAME=FILE, another build of Plimsoll, to measure a change:
//
//	go run ./e2e/bench --peers before=FILE --only put-4k-64,get-4k --rounds 9
//
// The peer "limited" is Plimsoll once more, with limits that nothing reaches on the server, the owner, each bucket, and
// two prefixes of all keys: what quotas cost. Then keys begin with those prefixes in all servers.
//
//	go run ./e2e/bench --peers limited --only put-4k,mixed,get-4k,head --rounds 9
//
// The load is made by this process with connections of its own and hand-made requests (conn.go, sign.go), since it
// shares the processors with the server under test. Every answer is checked for its status and, where it has one, its
// body's length and first bytes. A request that fails is in no rate; it is counted and printed below the table. With
// one of Plimsoll's the run ends with exit code 1.
//
// --scenario measures what a table of rates does not show, on Plimsoll alone: start, list-scaling, memory,
// disk and many-buckets.
//
// It reads /proc and therefore needs Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// emptyCommand as the first argument makes this program the empty server.
const emptyCommand = "serve-empty"

// config is what a run does.
type config struct {
	peers         []string
	only          []string
	rounds        int
	duration      time.Duration
	plimsoll      string // the binary; built where empty
	plimsollFlags []string
	dir           string // temporary data goes below it
	cache         string // installed peers
	jsonFile      string
	scenario      string
	objects       int   // of a scenario
	bytes         int64 // of the large object of the memory scenario
	buckets       int   // of the many-buckets scenario; a tenth as many users own them

	listKeys int // objects that GET, HEAD and LIST choose from; the first step of list-scaling
	perMixed int // objects that a client of the mixed workload begins with
	clients  int // overrides the workloads' own, for tests
	// calm is how long a server is left alone before its memory is called idle.
	calm    time.Duration
	command string

	out      io.Writer // the table
	progress io.Writer
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == emptyCommand {
		fmt.Fprintln(os.Stderr, serveEmpty(os.Args[2]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c, err := parseFlags(os.Args[1:])
	if err == nil {
		err = run(ctx, c)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (*config, error) {
	c := &config{
		listKeys: 10_000, perMixed: 50, calm: 3 * time.Second, out: os.Stdout, progress: os.Stderr,
		command: "go run ./e2e/bench " + strings.Join(args, " "),
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	peers := f.String("peers", "", "servers to compare with, by commas: minio, versitygw, rclone, gofakes3, limited for Plimsoll with limits, or NAME=FILE for another build of it")
	only := f.String("only", "", "workloads to run, by commas (all): "+strings.Join(workloadNames(), ", "))
	quick := f.Bool("quick", false, "1 round of 1s: under 3 minutes with four peers")
	f.IntVar(&c.rounds, "rounds", 3, "rounds; a figure is the median over them")
	f.DurationVar(&c.duration, "duration", 3*time.Second, "length of one measurement")
	f.StringVar(&c.plimsoll, "plimsoll", "", "Plimsoll's binary (built from the tree)")
	plimsollFlags := f.String("plimsoll-flags", "", "more flags for Plimsoll, by spaces")
	f.StringVar(&c.dir, "dir", os.TempDir(), "where the servers' temporary data directories are made")
	f.StringVar(&c.cache, "cache", "", "where missing peers are installed (plimsoll-bench in the user's cache directory)")
	f.StringVar(&c.jsonFile, "json", "", "write the results to this file as JSON")
	f.StringVar(&c.scenario, "scenario", "", "instead of the workloads: "+strings.Join(scenarioNames(), ", "))
	f.IntVar(&c.objects, "objects", 1_000_000, "objects of a scenario")
	f.Int64Var(&c.bytes, "bytes", 5<<30, "size of the large object of the memory scenario")
	f.IntVar(&c.buckets, "buckets", 10_000, "buckets of the many-buckets scenario; a tenth as many users own them")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if *quick {
		c.rounds, c.duration = 1, time.Second
	}
	c.peers, c.only = fields(*peers, ","), fields(*only, ",")
	c.plimsollFlags = fields(*plimsollFlags, " ")
	return c, c.check()
}

func (c *config) check() error {
	if c.rounds < 1 || c.duration <= 0 || c.objects < 1 || c.bytes < 1 || c.buckets < 1 {
		return errors.New("--rounds, --duration, --objects, --bytes and --buckets must be more than 0")
	}
	if _, err := selectWorkloads(c.only); err != nil {
		return err
	}
	if _, ok := scenarios[c.scenario]; c.scenario != "" && !ok {
		return fmt.Errorf("there is no scenario %q: choose of %s", c.scenario, strings.Join(scenarioNames(), ", "))
	}
	return nil
}

func fields(s, separator string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(separator, r) })
}

// run does what c says, in a directory that it removes.
func run(ctx context.Context, c *config) (err error) {
	dir, err := os.MkdirTemp(c.dir, "plimsoll-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if c.scenario != "" {
		return runScenario(ctx, c, dir)
	}
	return runTable(ctx, c, dir)
}

func (c *config) say(format string, args ...any) {
	fmt.Fprintf(c.progress, format+"\n", args...)
}
