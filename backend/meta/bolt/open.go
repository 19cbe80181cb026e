package bolt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/memtable"
)

const (
	formatVersion = 1

	fileMode    = 0o600
	lockTimeout = 250 * time.Millisecond

	// mapBytes of address space, not of memory, are mapped from the start: the rows of some 50 million objects. A file that
	// outgrows its map is mapped anew, which waits for all readers, and a walk reads for long.
	mapBytes = 16 << 30
)

var (
	keyVersion = []byte("version")

	errClosed = errors.New("the metadata repository is closed")
)

// Options says how a Repository keeps its files.
type Options struct {
	// Sync makes every Commit durable before it returns. Without it a crash of the machine may lose commits, or
	// everything: for tests and throw-away data.
	Sync bool

	// journalBytes is the size of each of the journal's two files, flushRows how many rows a transaction of a flush has at
	// most, and system where the journal is; the package's own where they are zero. Tests change them.
	journalBytes int64
	flushRows    int
	system       journal.FileSystem
}

// Repository is the metadata in a database and its journal. It implements meta.Repository.
type Repository struct {
	path    string
	options Options
	id      journal.ID

	// commitTx commits a transaction of a flush. It is a field so that tests can have it fail.
	commitTx func(*bbolt.Tx) error

	// commitMu serialises Commit, freezing, and Close. It is taken before the others.
	commitMu sync.Mutex
	journal  *journal.Journal // guarded by commitMu
	writes   writes           // guarded by commitMu

	// flushMu serialises flushes, freezing, and Close. It is taken before those below.
	flushMu  sync.Mutex
	flushing uint64        // the last journal record of the rows that are frozen; guarded by flushMu
	position flushPosition // where the flush goes on; guarded by flushMu

	// layers are the rows that the database may not have. What is loaded does not change, but for rows of later versions;
	// layersMu serialises those who store others.
	layersMu sync.Mutex
	layers   atomic.Pointer[layers]

	// dbMu guards db and unusable. Reads hold it shared while their transaction lasts; whoever writes the two holds
	// flushMu as well, so the holder of flushMu may read them without it.
	dbMu sync.RWMutex
	// reopening tells walks, which rest in between, that settle waits for dbMu, and all reads behind it.
	reopening atomic.Bool
	db        *bbolt.DB
	unusable  error // why db is nil

	// clock makes the positions of new versions; guarded by commitMu.
	clock versionClock

	// ledgerMu guards ledger, the committed limits and usage of every scope, and outbox.
	ledgerMu sync.RWMutex
	ledger   ledger
	outbox   meta.Outbox // guarded by ledgerMu

	// forgotten is the last event that was forgotten since Open; guarded by commitMu.
	forgotten uint64

	frozen  chan struct{} // tells the flusher that there is something to do
	stop    func()        // stops the flusher
	stopped chan struct{} // closed when it has stopped
}

var _ meta.Repository = (*Repository)(nil)

// Open opens the database at path and its journal, and makes them where there are none. The directory must exist. It
// fails with meta.ErrLocked where another process, or another Repository, has them open, meta.ErrNewerFormat, and
// meta.ErrCorrupt.
func Open(path string, options Options) (*Repository, error) {
	if options.journalBytes == 0 {
		options.journalBytes = journalBytes(path)
	}
	if options.flushRows == 0 {
		options.flushRows = flushRows
	}
	if options.system == nil {
		options.system = journal.Disk{}
	}
	r := &Repository{
		path: path, options: options, commitTx: (*bbolt.Tx).Commit,
		frozen: make(chan struct{}, 1), stopped: make(chan struct{}), clock: newVersionClock(),
	}
	r.layers.Store(&layers{{rows: memtable.New()}})
	stop := make(chan struct{})
	r.stop = sync.OnceFunc(func() { close(stop) })
	var err error
	if r.db, err = openFile(path, options); err != nil {
		return nil, err
	}
	if err := r.load(); err != nil {
		err = errors.Join(fmt.Errorf("open %s: %w", path, err), r.db.Close())
		if r.journal != nil {
			err = errors.Join(err, r.journal.Close())
		}
		return nil, err
	}
	go r.keepFlushing(stop)
	return r, nil
}

// openFile opens a bbolt file for writing.
func openFile(path string, options Options) (*bbolt.DB, error) {
	if err := probe(path); err != nil {
		return nil, err
	}
	mapSize := 0
	if bits.UintSize == 64 && runtime.GOOS != "windows" { // Windows makes the file as large as the map
		mapSize = mapBytes
	}
	writing := bbolt.Options{
		NoSync:          !options.Sync,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapSize,
	}
	db, err := openDB(path, writing)
	if errors.Is(err, syscall.ENOMEM) { // the process may not have as much address space
		writing.InitialMmapSize = 0
		db, err = openDB(path, writing)
	}
	if err != nil || !options.Sync {
		return db, err
	}
	if err := settleMetaPages(path, int64(db.Info().PageSize)); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// settleMetaPages makes bbolt's two meta pages durable as they are read. What a transaction has left in memory only, since
// its process was killed or its sync failed, would otherwise be built upon, and the pages that it has replaced be used
// again, while the disk still refers to them. They are written again, since the system takes what it could not write for
// written.
func settleMetaPages(path string, pageBytes int64) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	pages := make([]byte, 2*pageBytes)
	if _, err = io.ReadFull(file, pages); err == nil {
		_, err = file.WriteAt(pages, 0)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// probe looks at every page of an existing file. When bbolt opens a file for writing it does so itself, to find the
// pages that are free; but in a goroutine of its own, where a page that makes no sense panics and ends the process.
func probe(path string) (err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || (err == nil && info.Size() == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	db, err := openDB(path, bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", path, err)
		}
		err = errors.Join(err, db.Close())
	}()
	defer recoverCorrupt(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, table *bbolt.Bucket) error {
			if table != nil {
				table.Stats() // reads the header of every page
			}
			return nil
		})
	})
}

// openDB is bbolt.Open with the errors of package meta, and an error where bbolt panics.
func openDB(path string, options bbolt.Options) (db *bbolt.DB, err error) {
	var file *os.File
	defer func() {
		if p := recover(); p != nil {
			// Closing the file gives up its lock; there is no DB to close.
			err = errors.Join(fmt.Errorf("open %s: %w: %v", path, meta.ErrCorrupt, p), file.Close())
		}
	}()
	options.Timeout = lockTimeout
	options.NoStatistics = true
	options.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	db, err = bbolt.Open(path, fileMode, &options)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: %w", path, meta.ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("open %s: %w: %w", path, meta.ErrCorrupt, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// load checks the format, makes what a new file needs, replays the journal, and reads limits and usage.
func (r *Repository) load() error {
	empty := false
	err := r.view(context.Background(), func(s snapshot) error {
		first, _ := s.tx.Cursor().First()
		empty = first == nil
		if empty {
			return nil
		}
		return checkFormat(s.tx)
	})
	if err == nil && empty {
		err = r.initialise()
	}
	if err == nil {
		err = r.addTables()
	}
	if err == nil {
		err = r.replay()
	}
	if err != nil {
		return err
	}
	return r.view(context.Background(), func(s snapshot) error {
		r.ledger, err = loadLedger(s)
		r.outbox = loadOutbox(s)
		return err
	})
}

func checkFormat(tx *bbolt.Tx) error {
	format := tx.Bucket(tableFormat)
	if format == nil {
		return fmt.Errorf("%w: no format table: not a metadata file of Plimsoll", meta.ErrCorrupt)
	}
	value := format.Get(keyVersion)
	if value == nil {
		return fmt.Errorf("%w: the format table has no version", meta.ErrCorrupt)
	}
	version, err := decodeFormat(value)
	if err != nil {
		return err
	}
	// Versions below formatVersion are migrated here, in one transaction, once there is one.
	switch {
	case version > formatVersion:
		return fmt.Errorf("%w: the file has format %d, this program knows formats up to %d",
			meta.ErrNewerFormat, version, formatVersion)
	case version < formatVersion:
		return fmt.Errorf("%w: format %d does not exist", meta.ErrCorrupt, version)
	}
	for _, table := range dataTables {
		if tx.Bucket(table) == nil && !bytes.Equal(table, tableEvents) {
			return fmt.Errorf("%w: no table %s", meta.ErrCorrupt, table)
		}
	}
	return nil
}

// addTables makes the table that a database from before it was thought of does not have: an empty one says the same.
func (r *Repository) addTables() error {
	missing := false
	err := r.view(context.Background(), func(s snapshot) error {
		missing = s.tx.Bucket(tableEvents) == nil
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return restoreCause(r.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(tableEvents)
		return err
	}))
}

// initialise makes the journal, durably, and then the tables. A database without tables has been opened for the first
// time, or that failed.
func (r *Repository) initialise() error {
	var p progress
	if _, err := rand.Read(p.id[:]); err != nil {
		return err
	}
	if err := journal.Create(r.path, r.journalOptions(p.id)); err != nil {
		return err
	}
	err := r.db.Update(func(tx *bbolt.Tx) error {
		format, err := tx.CreateBucket(tableFormat)
		if err != nil {
			return err
		}
		for _, table := range dataTables {
			if _, err := tx.CreateBucket(table); err != nil {
				return err
			}
		}
		if err := format.Put(keyVersion, encodeFormat(formatVersion)); err != nil {
			return err
		}
		return p.write(tx)
	})
	if err != nil {
		return restoreCause(err)
	}
	return nil
}

// Close waits for the calls under way, flushes the journal, and closes the files. Closing again does nothing.
func (r *Repository) Close() error {
	r.stop()
	<-r.stopped
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	r.flushMu.Lock()
	defer r.flushMu.Unlock()
	var err error
	if r.db != nil {
		err = r.finish()
	}
	r.dbMu.Lock()
	defer r.dbMu.Unlock()
	if errors.Is(r.unusable, errClosed) {
		return nil
	}
	if r.db != nil {
		err = errors.Join(err, r.db.Close())
	}
	r.db, r.unusable = nil, errClosed
	return errors.Join(err, r.journal.Close())
}

// view runs read on a snapshot. bbolt has no checksums of its own and panics, or reads where nothing is mapped, when a
// page is damaged: that is an error here.
func (r *Repository) view(ctx context.Context, read func(snapshot) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.dbMu.RLock()
	defer r.dbMu.RUnlock()
	if r.db == nil {
		return r.unusable
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverCorrupt(&err)
	tx, l, err := r.begin()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return read(snapshot{tx: tx, layers: l})
}

// begin begins a read transaction, and returns the layers that make a snapshot with it. What was flushed before they were
// loaded is in the transaction, which began later. What has been flushed since is in the layers in whole, provided that
// the active layer has not been frozen in between: then there may be more of it in the transaction than they show.
func (r *Repository) begin() (*bbolt.Tx, *layers, error) {
	for {
		l := r.layers.Load()
		tx, err := r.db.Begin(false)
		if err != nil {
			return nil, nil, err
		}
		if r.layers.Load()[0].rows == l[0].rows {
			return tx, l, nil
		}
		if err := tx.Rollback(); err != nil {
			return nil, nil, err
		}
	}
}

// foreignPanic carries a panic of the caller's code through recoverCorrupt.
type foreignPanic struct{ value any }

func recoverCorrupt(err *error) {
	p := recover()
	if foreign, ok := p.(foreignPanic); ok {
		panic(foreign.value)
	}
	if p != nil {
		*err = fmt.Errorf("%w: %v", meta.ErrCorrupt, p)
	}
}
