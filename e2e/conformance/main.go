// Command conformance runs a public S3 test suite against Plimsoll, and compares what fails with what is expected to:
//
//	go run ./e2e/conformance
//	go run ./e2e/conformance --only '^PutBucketPolicy_' --verbose
//	go run ./e2e/conformance --server http://127.0.0.1:9000 --only '^ListObjects_delimiter$'
//	go run ./e2e/conformance --suite minio-go
//
// The suite is "versitygw test" of github.com/versity/versitygw, or with --suite minio-go the functional tests of
// github.com/minio/minio-go/v7, at the versions that suite.go names; the one must be installed, the other is downloaded
// and built. Three files say what is run: "names" (what is in scope, by group), "excluded" (what is not, and why) and
// "expected-failures" (what Plimsoll answers otherwise, and why); those of minio-go are in the directory miniogo. Where
// a suite and AWS's documentation disagree, Plimsoll follows AWS.
//
// Every test is a process of its own, with a Plimsoll of its own on an empty directory: the suite calls its buckets
// test-bucket-1, test-bucket-2 and so on in every process, and some tests list all buckets. So any number of tests run
// side by side, and none finds what another left behind. After each, its server must stop at SIGTERM with exit code 0,
// and "plimsoll check" must find nothing wrong; a test whose server fails that is never an expected failure.
//
// With --server, the tests run one after the other on the server at that address, with the keys in PLIMSOLL_ACCESS_KEY
// and PLIMSOLL_SECRET_KEY. A test that fails may leave a bucket there which fails the next: this is for looking into
// single tests.
//
// A test that fails without being expected to, or passes although it is expected to fail, runs once more, alone, when
// the others are done: that verdict counts. If it is still a surprise, the exit code is 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// config is what a run does.
type config struct {
	suite    *suite
	server   string // the address of a running server; empty starts one for each test
	plimsoll string // the binary; built where empty
	parallel int
	timeout  time.Duration // of one test
	only     *regexp.Regexp
	jsonFile string
	verbose  bool

	out      io.Writer // the report
	progress io.Writer
}

// errSurprises is what the run ends with when a test's verdict is not the expected one.
var errSurprises = errors.New("there were surprises")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c, err := parseFlags(os.Args[1:])
	if err == nil {
		err = run(ctx, c)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (*config, error) {
	c := &config{out: os.Stdout, progress: os.Stderr}
	f := flag.NewFlagSet("conformance", flag.ContinueOnError)
	name := f.String("suite", suites[0].name, "the suite: versitygw or minio-go")
	f.StringVar(&c.server, "server", "", "address of a running server, http://HOST:PORT (a fresh one for each test)")
	f.StringVar(&c.plimsoll, "plimsoll", "", "Plimsoll's binary (built from the tree)")
	f.IntVar(&c.parallel, "parallel", 4*runtime.NumCPU(), "tests that run at the same time; with --server always 1")
	f.DurationVar(&c.timeout, "timeout", 2*time.Minute, "end a test that takes longer")
	only := f.String("only", "", "run the tests whose name matches this regular expression")
	f.StringVar(&c.jsonFile, "json", "", "write the verdicts and what failed tests printed to this file as JSON")
	f.BoolVar(&c.verbose, "verbose", false, "print what failed tests and their servers printed, expected failures too")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if c.parallel < 1 || c.timeout <= 0 {
		return nil, errors.New("--parallel and --timeout must be more than 0")
	}
	if c.server != "" {
		c.parallel = 1
	}
	for _, s := range suites {
		if s.name == *name {
			c.suite = s
		}
	}
	if c.suite == nil {
		return nil, fmt.Errorf("there is no suite %q", *name)
	}
	var err error
	if c.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	return c, nil
}

// run does what c says, in a directory that it removes.
func run(ctx context.Context, c *config) (err error) {
	tests, err := loadTests(c.suite)
	if err != nil {
		return err
	}
	tests = slices.DeleteFunc(tests, func(t test) bool { return !c.only.MatchString(t.name) })
	if len(tests) == 0 {
		return errors.New("no test in scope has such a name")
	}
	dir, err := os.MkdirTemp("", "plimsoll-conformance-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := c.suite.find(ctx, dir)
	if err != nil {
		return err
	}
	s := &stand{suite: c.suite, binary: binary, dir: dir, timeout: c.timeout, plimsoll: c.plimsoll}
	if c.server != "" {
		s.fixed = &target{
			endpoint: c.server, accessKey: os.Getenv("PLIMSOLL_ACCESS_KEY"), secretKey: os.Getenv("PLIMSOLL_SECRET_KEY"),
		}
	} else if s.plimsoll == "" {
		if s.plimsoll, err = buildPlimsoll(ctx, dir); err != nil {
			return err
		}
	}

	began := time.Now()
	results := runAll(ctx, tests, c.parallel, s.run, c.progress)
	if err := ctx.Err(); err != nil {
		return err
	}
	r := newReport(c.suite, results, time.Since(began))
	r.print(c.out, c.verbose)
	if c.jsonFile != "" {
		if err := r.writeJSON(c.jsonFile); err != nil {
			return err
		}
	}
	if r.surprises() > 0 {
		return errSurprises
	}
	return nil
}
