package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/files"
	"github.com/plimsoll/plimsoll/backend/blob/packs"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt"
	"github.com/plimsoll/plimsoll/backend/multimd5"
	"github.com/plimsoll/plimsoll/quota"
)

// Sizes and counts that S3 fixes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	// MaxPutBytes is the largest body of one PutObject or UploadPart, and the largest source of one copy.
	MaxPutBytes = 5 << 30
	// MinPartBytes is the smallest size of a part that is not the last.
	MinPartBytes = 5 << 20
	// MaxPartNumber is the largest part number; the smallest is 1.
	MaxPartNumber = 10_000
	// MaxKeyBytes is the longest key.
	MaxKeyBytes = 1024
)

var diskScope = quota.Scope{Kind: quota.Disk}

// Options are what a Store is opened with.
type Options struct {
	// Dir is where everything is kept; it is made where it does not exist.
	Dir string
	// NoSync acknowledges writes that a power cut may lose. For tests and throw-away data.
	NoSync bool
	// Reserve is the free space that growth leaves alone.
	Reserve DiskReserve
	// AbortUploadsAfter is how old a multipart upload may get before it is aborted; 0 keeps all of them.
	AbortUploadsAfter time.Duration
	// Thresholds are the percentages of limits whose crossing is told, from 1 to 100, in ascending order; none where
	// empty.
	Thresholds []int
	// MetricsBuckets is how many buckets, and how many owners, have series of their own in each metric; 0 for
	// DefaultMetricsBuckets.
	MetricsBuckets int
	// Log gets what an operator should know.
	Log *slog.Logger
	// Now is the clock; time.Now where nil.
	Now func() time.Time

	// wrap puts something between the store and its engines, so that tests can have them fail; nil for nothing.
	wrap func(meta.Repository, blob.Store) (meta.Repository, blob.Store)
	// countRows is how many rows of a prefix are counted in one transaction; 0 for countRows, negative for none, and
	// nothing in the background. Tests change it.
	countRows int
	// packBytes is the size up to which blobs go into packs, and packLength the length at which a pack is full; 0 for the
	// packs' own. Tests change them.
	packBytes, packLength int64
	// maxEvents and maxEventBytes bound the outbox; 0 for the store's own. Tests change them.
	maxEvents, maxEventBytes int64
}

// Store is an open store.
type Store struct {
	dir         string
	meta        meta.Repository
	blobs       blob.Store // blobs of all sizes
	files       blob.ByID  // the large ones among them
	packs       *packs.Store
	diskReserve DiskReserve
	abortAfter  time.Duration // Options.AbortUploadsAfter
	countRows   int           // how many rows of a prefix are counted in one transaction
	log         *slog.Logger
	now         func() time.Time

	ledger    *ledger
	buckets   bucketStates
	committer *committer
	sums      multimd5.Group // of bodies that are arriving
	garbage   *garbage
	ballast   *ballast
	space     atomic.Pointer[space] // nil before the disk was first asked
	metrics   *metrics
	recorder  *recorder
	reports   reports
	events    *events
	series    *seriesSet

	// uncertain is set when a commit failed and something of it may be on disk: the next start sweeps.
	uncertain atomic.Bool

	toCount chan struct{} // tells keepCounting that there is something to count

	defaultsMu sync.Mutex // held by the change of a default
	defaults   atomic.Pointer[Defaults]

	compacting sync.Mutex // held from the choice of a pack until it is compacted
	limits     sync.Mutex // see LimitLock

	background sync.WaitGroup     // sweep and upkeep
	cleaned    chan struct{}      // closed when what earlier runs left behind has been looked for
	counted    chan struct{}      // closed when the packs have been counted
	cancel     context.CancelFunc // stops them
	closeOnce  sync.Once
	closeErr   error
}

// Open opens the store in o.Dir. It fails with meta.ErrLocked where another process has it open, and with
// meta.ErrNewerFormat where a newer Plimsoll wrote it.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := CheckThresholds(o.Thresholds); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MetricsBuckets == 0 {
		o.MetricsBuckets = DefaultMetricsBuckets
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &Store{
		dir: o.Dir, diskReserve: o.Reserve, abortAfter: o.AbortUploadsAfter, log: o.Log, now: o.Now,
		ballast: &ballast{path: filepath.Join(o.Dir, ballastFile)},
		metrics: newMetrics(), recorder: newRecorder(),
		events:  newEvents(o),
		series:  newSeriesSet(o.MetricsBuckets),
		cleaned: make(chan struct{}),
		counted: make(chan struct{}),
		toCount: make(chan struct{}, 1),

		countRows: cmp.Or(o.countRows, countRows),
	}
	repository, err := bolt.Open(filepath.Join(o.Dir, "meta.db"), bolt.Options{Sync: !o.NoSync})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	s.meta = repository
	// Only now is it certain that no other process uses the directory. A disk that is full must not keep the store from
	// opening: the ballast is dropped first and taken again later.
	s.ballast.drop()
	wasDirty, err := s.openBlobs(o)
	if err != nil {
		return nil, errors.Join(err, repository.Close())
	}
	if o.wrap != nil {
		s.meta, s.blobs = o.wrap(s.meta, s.blobs)
	}
	accounts, err := s.meta.Accounts(context.Background())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("usage: %w", err), s.blobs.Close(), repository.Close())
	}
	s.ledger = newLedger(accounts, o.MetricsBuckets)
	if err := s.buckets.load(context.Background(), s.meta); err != nil {
		return nil, errors.Join(fmt.Errorf("buckets: %w", err), s.blobs.Close(), repository.Close())
	}
	s.reports.store, s.reports.turn = s, make(chan struct{}, 1)
	if err := s.loadDefaults(context.Background()); err != nil {
		return nil, errors.Join(err, s.blobs.Close(), repository.Close())
	}
	s.countCrossings(o.Thresholds)
	s.committer = newCommitter(s, newThresholds(o.Thresholds, accounts))
	s.garbage = newGarbage(s.blobs, s.committer.forget, s.log)
	s.startBackground(wasDirty)
	return s, nil
}

// openBlobs opens the files of large blobs and the packs of small ones. Closing the packs closes both.
func openBlobs(dir string, options packs.Options) (blob.ByID, *packs.Store, error) {
	large, err := files.Open(filepath.Join(dir, "blobs"), files.Options{Sync: options.Sync})
	if err != nil {
		return nil, nil, fmt.Errorf("blobs: %w", err)
	}
	small, err := packs.Open(filepath.Join(dir, "packs"), large, options)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("packs: %w", err), large.Close())
	}
	return large, small, nil
}

func (s *Store) openBlobs(o Options) (wasDirty bool, err error) {
	wasDirty, err = markDirty(o.Dir)
	if err != nil {
		return false, fmt.Errorf("mark the store as open: %w", err)
	}
	s.files, s.packs, err = openBlobs(o.Dir, packs.Options{Sync: !o.NoSync, Threshold: o.packBytes, PackBytes: o.packLength})
	s.blobs = s.packs
	return wasDirty, err
}

// startBackground starts the goroutines that Close stops.
func (s *Store) startBackground(wasDirty bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.background.Go(func() { s.keepRefusals(ctx) })
	s.background.Go(func() { s.keepCounting(ctx) })
	s.background.Go(func() { s.keepAborting(ctx) })
	s.background.Go(func() {
		defer close(s.cleaned)
		s.cleanUp(ctx, wasDirty)
	})
	s.background.Go(func() { s.keepBallast(ctx) })
	s.background.Go(func() { s.keepCompact(ctx) })
	s.background.Go(func() { s.keepExpire(ctx) })
	s.background.Go(func() { s.keepHistory(ctx) })
}

// keepBallast takes the ballast, now and whenever it has been dropped and the disk has room again.
func (s *Store) keepBallast(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		if available, _, err := s.blobs.Free(); err == nil {
			s.ballast.take(available)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close commits what is queued, deletes what is garbage, and closes the files. Operations that come later fail with
// ErrClosed; the caller has ended those under way. It may be called more than once.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.cancel()
		s.reports.stop()
		s.background.Wait()
		s.garbage.stop()
		s.closeErr = errors.Join(s.committer.stop(), s.meta.Close(), s.blobs.Close())
		if s.closeErr == nil && !s.uncertain.Load() {
			s.closeErr = markClean(s.dir)
		}
	})
	return s.closeErr
}

// commit hands a mutation to the committer.
func (s *Store) commit(p *proposal) (meta.Result, error) { return s.committer.commit(p) }
