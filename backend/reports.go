package backend

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// Bounds of reports.
const (
	// MaxBreakdownPrefixes is how many prefixes a report tells, MaxBreakdownDepth how deep they may be.
	MaxBreakdownPrefixes = 1000
	MaxBreakdownDepth    = 16
	// MaxLargest is how many of the largest versions a report tells.
	MaxLargest = 1000
	// MaxReports is how many reports are kept, finished ones for keepReports; maxPendingReports how many may be unfinished.
	MaxReports        = 16
	maxPendingReports = 4
	keepReports       = time.Hour
)

// Errors of reports.
var (
	// ErrNoSuchReport says that there is no such report, or no more.
	ErrNoSuchReport = errors.New("no such report")
	// ErrTooManyReports says that enough reports are being made.
	ErrTooManyReports = errors.New("too many reports are being made")
)

// BreakdownInput is what a report explains. The caller has checked it against the bounds.
type BreakdownInput struct {
	Bucket meta.BucketName
	// Prefix limits the report to keys that begin with it.
	Prefix string
	// Depth is how many elements of a key make a prefix, after Prefix; 0 for no prefixes. Delimiter ends an element: it is
	// not empty where there is a depth.
	Depth     int
	Delimiter string
	// Largest is how many of the largest versions are wanted.
	Largest int
}

// ReportState is how far a report is.
type ReportState string

// The states of a report.
const (
	ReportWaiting  ReportState = "waiting"
	ReportRunning  ReportState = "running"
	ReportDone     ReportState = "done"
	ReportFailed   ReportState = "failed"
	ReportCanceled ReportState = "canceled"
)

// finished says that nothing will come of it any more.
func (s ReportState) finished() bool { return s != ReportWaiting && s != ReportRunning }

// Report is a report that is being made, or was.
type Report struct {
	ID    string
	Input BreakdownInput
	State ReportState
	// Created is when it was asked for. Snapshot is the time of the state of the bucket that it tells; zero before that.
	// Finished is zero before the end.
	Created, Snapshot, Finished time.Time
	// Read is how many versions and delete markers have been read, Of how many there are in the bucket. With a prefix Of is
	// more than there are to read.
	Read, Of int64
	// Err is why it failed.
	Err error
	// Breakdown is the result; nil before the end. It is not changed any more.
	Breakdown *Breakdown
}

// reports makes reports, one at a time, each in a goroutine that ends with it, or with stop.
type reports struct {
	store *Store
	turn  chan struct{} // has room for one: taken while a report is made
	work  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	all    []*reportJob // the newest last
}

type reportJob struct {
	Report // guarded by reports.mu
	cancel context.CancelFunc
}

// stop cancels all reports and waits for them.
func (r *reports) stop() {
	r.mu.Lock()
	r.closed = true
	for _, job := range r.all {
		job.cancel()
	}
	r.mu.Unlock()
	r.work.Wait()
}

// CreateReport begins to make a report, and does not wait for it. The whole of it is read from one snapshot of the
// metadata, beside everything else: no write waits for it. It fails with meta.ErrNoSuchBucket and ErrTooManyReports.
func (s *Store) CreateReport(in BreakdownInput) (Report, error) {
	account, ok := s.ledger.account(quota.BucketScope(string(in.Bucket)))
	if !ok {
		return Report{}, meta.ErrNoSuchBucket
	}
	now := s.timestamp()
	r := &s.reports
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Report{}, ErrClosed
	}
	r.forgetLocked(now)
	pending := 0
	for _, job := range r.all {
		if !job.State.finished() {
			pending++
		}
	}
	if pending >= maxPendingReports {
		return Report{}, ErrTooManyReports
	}
	ctx, cancel := context.WithCancel(context.Background())
	job := &reportJob{cancel: cancel, Report: Report{
		ID: ulid.Make().String(), Input: in, State: ReportWaiting, Created: now,
		Of: account.Usage.Objects + account.Usage.Markers,
	}}
	r.all = append(r.all, job)
	r.work.Add(1)
	go func() {
		defer r.work.Done()
		defer cancel()
		r.run(ctx, job)
	}()
	return job.Report, nil
}

// forgetOldLocked drops what is old.
func (r *reports) forgetOldLocked(now time.Time) {
	r.all = slices.DeleteFunc(r.all, func(job *reportJob) bool {
		return job.State.finished() && now.Sub(job.Finished) > keepReports
	})
}

// forgetLocked drops what is old, and the oldest finished one where there would be too many.
func (r *reports) forgetLocked(now time.Time) {
	r.forgetOldLocked(now)
	for len(r.all) >= MaxReports {
		i := slices.IndexFunc(r.all, func(job *reportJob) bool { return job.State.finished() })
		if i < 0 {
			return
		}
		r.all = slices.Delete(r.all, i, i+1)
	}
}

// run makes a report when it is its turn.
func (r *reports) run(ctx context.Context, job *reportJob) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done(): // it was deleted, or the store closes, before its turn
	}
	var (
		result   *Breakdown
		started  = time.Now()
		err      = ctx.Err()
		snapshot = r.store.timestamp()
	)
	if err == nil {
		r.change(job, func(report *Report) { report.State, report.Snapshot = ReportRunning, snapshot })
		result, err = r.store.breakDown(ctx, job.Input, func(read int64) {
			r.change(job, func(report *Report) { report.Read = read })
		})
	}
	r.change(job, func(report *Report) {
		report.Finished, report.Err, report.Breakdown = r.store.timestamp(), err, result
		switch {
		case ctx.Err() != nil:
			report.State, report.Err, report.Breakdown = ReportCanceled, nil, nil
		case err != nil:
			report.State = ReportFailed
		default:
			report.State = ReportDone
		}
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, meta.ErrNoSuchBucket) {
		r.store.log.Error("report", "bucket", job.Input.Bucket, "error", err)
		return
	}
	r.store.log.Info("report", "bucket", job.Input.Bucket, "versions", job.Read, "duration", time.Since(started))
}

func (r *reports) change(job *reportJob, change func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&job.Report)
}

// restFactor is how much longer a report rests than it works: it takes a quarter of one processor, and those who write
// have the rest.
const restFactor = 3

// breakDown reads a bucket in one snapshot.
func (s *Store) breakDown(ctx context.Context, in BreakdownInput, progress func(read int64)) (*Breakdown, error) {
	b := newBreakdown(in)
	var read int64
	begun := time.Now()
	err := s.meta.WalkVersions(ctx, in.Bucket, in.Prefix, func(page []meta.VersionEntry) error {
		for i := range page {
			b.next(&page[i])
		}
		read += int64(len(page))
		progress(read)
		if worked := time.Since(begun); worked > leastRest {
			if err := rest(ctx, restFactor*worked); err != nil {
				return err
			}
			begun = time.Now()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b.finish(), nil
}

// leastRest is the shortest time that is worth a rest: the clock of timers is a coarse one.
const leastRest = 5 * time.Millisecond

// Report returns a report. It fails with ErrNoSuchReport.
func (s *Store) Report(id string) (Report, error) {
	r := &s.reports
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetOldLocked(s.timestamp())
	for _, job := range r.all {
		if job.ID == id {
			return job.Report, nil
		}
	}
	return Report{}, ErrNoSuchReport
}

// Reports returns all reports that are kept, the newest first.
func (s *Store) Reports() []Report {
	r := &s.reports
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetOldLocked(s.timestamp())
	all := make([]Report, 0, len(r.all))
	for _, job := range slices.Backward(r.all) {
		all = append(all, job.Report)
	}
	return all
}

// DeleteReport forgets a report, and stops it where it is being made. It fails with ErrNoSuchReport.
func (s *Store) DeleteReport(id string) error {
	r := &s.reports
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.all, func(job *reportJob) bool { return job.ID == id })
	if i < 0 {
		return ErrNoSuchReport
	}
	r.all[i].cancel()
	r.all = slices.Delete(r.all, i, i+1)
	return nil
}
