package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// bbolt keeps two meta pages, at the start of the file, and writes the one or the other in turn: transaction n is
// committed by page n%2. A page begins with its own number.
const metaPages = 2

// finish commits tx. A panic of bbolt, which finds its pages to be inconsistent, is an error.
func (r *Repository) finish(tx *bbolt.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanicked{fmt.Errorf("%w: %v", meta.ErrCorrupt, p)}
			_ = tx.Rollback() // gives up bbolt's writer lock, where Commit has not
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return r.commitTx(tx)
}

// errPanicked says that bbolt's view of its free pages cannot be trusted.
type errPanicked struct{ error }

func (e errPanicked) Unwrap() error { return e.error }

// settle sees to it that the transaction id, whose Commit failed with cause, is not stored, and that the repository
// goes on. As a rule bbolt has rolled back and there is nothing to do. Two cases are different:
//
//   - The meta page was written, and syncing it failed. Every reader sees the transaction now, and after a crash it may
//     or may not be there. The meta page is put back and synced.
//   - bbolt could not map the grown file, and has no map at all; or it panicked. It must be opened again.
//
// Where this fails as well, the repository refuses all that follows: what is on the disk is not known.
func (r *Repository) settle(id int, cause error) error {
	visible, err := visibleTransaction(r.db)
	persisted := err == nil && id > 0 && visible >= id
	if err == nil && !persisted && !errors.As(cause, new(errPanicked)) {
		return cause
	}
	r.dbMu.Lock()
	defer r.dbMu.Unlock()
	if persisted {
		err = r.takeBack(id)
	} else {
		err = nil
	}
	err = errors.Join(err, r.db.Close())
	r.db = nil
	if err == nil {
		r.db, err = openFile(r.path, r.options)
	}
	if err != nil {
		r.unusable = fmt.Errorf("the metadata must be opened again after a failed commit: %w", errors.Join(cause, err))
		return r.unusable
	}
	return cause
}

// visibleTransaction returns the number of the transaction that readers see.
func visibleTransaction(db *bbolt.DB) (int, error) {
	tx, err := db.Begin(false)
	if err != nil {
		return 0, err
	}
	return tx.ID(), tx.Rollback()
}

// takeBack undoes the transaction id by putting the meta page of its predecessor in the place of its own. None of the
// pages that the predecessor needs has been written to since.
func (r *Repository) takeBack(id int) error {
	file, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var (
		size = int64(r.db.Info().PageSize)
		page = make([]byte, size)
		at   = int64(id % metaPages)
	)
	_, err = file.ReadAt(page, (1-at)*size)
	if err == nil {
		binary.NativeEndian.PutUint64(page, uint64(at))
		_, err = file.WriteAt(page, at*size)
	}
	if err == nil && r.options.Sync {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// restoreCause gives an error its system error back: bbolt formats some of those that it returns when it grows its file
// and does not wrap them.
func restoreCause(err error) error {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return err
	}
	for _, errno := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO, syscall.EROFS, syscall.ENOMEM,
	} {
		if strings.HasSuffix(err.Error(), ": "+errno.Error()) {
			return fmt.Errorf("%w (%w)", err, errno)
		}
	}
	return err
}
