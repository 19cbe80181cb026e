package bolt

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
)

// errReopening ends a walk: it would hold up the opening of the database, and all reads with it.
var errReopening = errors.New("the metadata are being opened again after a failed flush: try again")

// errPanicked says that bbolt's view of its free pages cannot be trusted.
type errPanicked struct{ error }

func (e errPanicked) Unwrap() error { return e.error }

// settle makes the database usable after the transaction id of a flush has failed with cause, which it returns. As a rule
// bbolt has rolled back and there is nothing to do. It is opened again where it panicked, where it could not map the
// grown file and has no map at all, and where the transaction is visible all the same, since only the sync after its
// last write failed. That does no harm, because the rows are flushed once more; but the pages that it has replaced are
// free only if it is durable.
//
// Where this fails, the repository refuses all that follows. The journal has what was committed.
func (r *Repository) settle(id int, cause error) error {
	visible, err := visibleTransaction(r.db)
	persisted := err == nil && id > 0 && visible >= id
	if err == nil && !persisted && !errors.As(cause, new(errPanicked)) {
		return cause
	}
	r.reopening.Store(true)
	defer r.reopening.Store(false)
	r.dbMu.Lock()
	defer r.dbMu.Unlock()
	err = r.db.Close()
	r.db = nil
	if err == nil {
		r.db, err = openFile(r.path, r.options)
	}
	if err != nil {
		r.unusable = fmt.Errorf("the metadata must be opened again after a failed flush: %w", errors.Join(cause, err))
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

// restoreCause gives an error its system error back: bbolt formats some of those that it returns when it grows its file
// and does not wrap them.
func restoreCause(err error) error {
	if err == nil {
		return nil
	}
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
