package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	formatVersion = 1

	fileMode    = 0o600
	lockTimeout = 250 * time.Millisecond

	// mapBytes of address space are mapped from the start, so that a growing file is mapped anew, which waits for all
	// readers, once in a gigabyte and not at every doubling.
	mapBytes = 1 << 30
)

var (
	keyVersion = []byte("version")

	errClosed = errors.New("the metadata repository is closed")
)

// Options says how a Repository keeps its file.
type Options struct {
	// Sync makes every Commit durable before it returns. Without it a crash of the machine may lose commits, or the
	// whole file: for tests and throw-away data.
	Sync bool
}

// Repository is the metadata in one file. It implements meta.Repository.
type Repository struct {
	path    string
	options Options

	// commitTx commits a transaction. It is a field so that tests can have it fail.
	commitTx func(*bbolt.Tx) error

	// commitMu serialises Commit and Close. It is taken before the other two.
	commitMu sync.Mutex

	// dbMu guards db and unusable. Reads hold it shared while their transaction lasts; whoever writes the two holds
	// commitMu as well, so the holder of commitMu may read them without it.
	dbMu     sync.RWMutex
	db       *bbolt.DB
	unusable error // why db is nil, or must not be committed to

	// ledgerMu guards ledger: the committed limits and usage of every scope.
	ledgerMu sync.RWMutex
	ledger   ledger
}

var _ meta.Repository = (*Repository)(nil)

// Open opens the file at path, and makes it where there is none. The directory must exist. It fails with meta.ErrLocked
// where another process, or another Repository, has the file open, meta.ErrNewerFormat, and meta.ErrCorrupt.
func Open(path string, options Options) (*Repository, error) {
	r := &Repository{path: path, options: options, commitTx: (*bbolt.Tx).Commit}
	_, err := os.Lstat(path)
	created := errors.Is(err, os.ErrNotExist)
	if r.db, err = openFile(path, options); err != nil {
		return nil, err
	}
	if err := r.load(created); err != nil {
		return nil, errors.Join(err, r.db.Close())
	}
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
	return openDB(path, bbolt.Options{
		NoSync:          !options.Sync,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapSize,
	})
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

// load checks the format, creates the tables of a new file, and reads limits and usage.
func (r *Repository) load(created bool) error {
	empty := false
	err := r.view(context.Background(), func(tx *bbolt.Tx) error {
		first, _ := tx.Cursor().First()
		empty = first == nil
		if empty {
			return nil
		}
		return checkFormat(tx)
	})
	if err == nil && empty {
		err = r.initialise(created)
	}
	if err == nil {
		err = r.view(context.Background(), func(tx *bbolt.Tx) error {
			r.ledger, err = loadLedger(tx)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", r.path, err)
	}
	return nil
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
		if tx.Bucket(table) == nil {
			return fmt.Errorf("%w: no table %s", meta.ErrCorrupt, table)
		}
	}
	return nil
}

// initialise creates the tables. A file that was created here is made durable under its name, too.
func (r *Repository) initialise(created bool) error {
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
		return format.Put(keyVersion, encodeFormat(formatVersion))
	})
	if err != nil {
		return restoreCause(err)
	}
	if !created || !r.options.Sync || runtime.GOOS == "windows" {
		return nil
	}
	directory, err := os.Open(filepath.Dir(r.path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// Close waits for the calls under way and closes the file. Closing again does nothing.
func (r *Repository) Close() error {
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	r.dbMu.Lock()
	defer r.dbMu.Unlock()
	db := r.db
	r.db, r.unusable = nil, errClosed
	if db == nil {
		return nil
	}
	return db.Close()
}

// view runs read in a read transaction. bbolt has no checksums of its own and panics, or reads where nothing is mapped,
// when a page is damaged: that is an error here.
func (r *Repository) view(ctx context.Context, read func(*bbolt.Tx) error) (err error) {
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
	return r.db.View(read)
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
