package bolt

import (
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/memtable"
)

const (
	// flushEvery is how long rows of a repository that has little to do stay out of the database.
	flushEvery = 30 * time.Second

	// flushRows is how many rows a transaction of a flush has at most. Each may touch a page of its own, which bbolt
	// keeps in memory, as one object for each of its rows, until the transaction ends.
	flushRows = 1024

	// leastRows is what a full disk must have room for.
	leastRows = 4
)

// flushPosition is where a flush goes on: at a key of one of dataTables.
type flushPosition struct {
	table int
	key   []byte
}

// makeRoom makes the active journal file one that has room for the batch's record. It is called with commitMu held.
func (r *Repository) makeRoom() error {
	if r.journal.Fits(&r.writes.record) {
		return nil
	}
	r.flushMu.Lock() // waits for the flush under way
	defer r.flushMu.Unlock()
	if err := r.flush(); err != nil {
		return fmt.Errorf("the journal is full: %w", err)
	}
	if err := r.journal.Mend(); err != nil {
		return err
	}
	r.freeze()
	r.journal.Switch()
	select {
	case r.frozen <- struct{}{}:
	default: // the flusher has been told, and has not looked yet
	}
	return nil
}

// freeze makes the rows of the active journal file those that are to be flushed. It is called with commitMu and flushMu
// held, and with nothing frozen.
func (r *Repository) freeze() {
	r.layersMu.Lock()
	defer r.layersMu.Unlock()
	old := r.layers.Load()
	r.layers.Store(&layers{{rows: memtable.New()}, old[0]})
	r.flushing, r.position = r.journal.Last(), flushPosition{}
}

// keepFlushing flushes what is frozen, and from time to time what is not. Close stops it. What fails is tried again: by
// the next round, or by a Commit that finds the journal full, which tells its caller.
func (r *Repository) keepFlushing(stop <-chan struct{}) {
	defer close(r.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-r.frozen:
			r.flushMu.Lock()
			_ = r.flush()
			r.flushMu.Unlock()
		case <-tick.C:
			_ = r.flushAll()
		}
	}
}

// flushAll flushes everything that is committed.
func (r *Repository) flushAll() error {
	r.flushMu.Lock()
	err := r.flush()
	r.flushMu.Unlock()
	if err != nil {
		return err
	}
	frozen, err := r.freezeActive()
	if err != nil || !frozen {
		return err
	}
	r.flushMu.Lock()
	defer r.flushMu.Unlock()
	return r.flush()
}

// freezeActive freezes what is in the active journal file, if there is something and nothing else is frozen.
func (r *Repository) freezeActive() (bool, error) {
	r.commitMu.Lock()
	defer r.commitMu.Unlock()
	r.flushMu.Lock()
	defer r.flushMu.Unlock()
	l := r.layers.Load()
	if l[0].version == 0 || l[1].rows != nil {
		return false, nil
	}
	// A record that must be taken back has to be before its file is left alone.
	if err := r.journal.Mend(); err != nil {
		return false, err
	}
	r.freeze()
	r.journal.Switch()
	return true, nil
}

// flush writes the frozen rows to the database, durably, and forgets them. It is called with flushMu held. Where it
// fails, readers still have the rows, and it goes on from there when it is called again. A full disk gets smaller
// transactions: each gives back the pages that it has replaced.
func (r *Repository) flush() error {
	if r.layers.Load()[1].rows == nil {
		return nil
	}
	if r.db == nil {
		return r.unusable
	}
	for rows := r.options.flushRows; ; {
		done, err := r.flushSome(rows)
		switch {
		case err == nil && done:
			r.layersMu.Lock()
			defer r.layersMu.Unlock()
			r.layers.Store(&layers{r.layers.Load()[0]})
			return nil
		case err == nil:
		case isFull(err) && rows > leastRows:
			rows = max(rows/4, leastRows)
		default:
			return fmt.Errorf("flush: %w", err)
		}
	}
}

// flushSome commits one transaction of up to so many rows, the last of them with the number of the journal's record.
func (r *Repository) flushSome(rows int) (done bool, err error) {
	tx, err := r.db.Begin(true)
	if err != nil {
		return false, r.settle(0, err)
	}
	id := tx.ID()
	next, done, err := r.commitSome(tx, rows)
	if err != nil {
		return false, r.settle(id, restoreCause(err))
	}
	r.position = next
	return done, nil
}

// commitSome fills the transaction and commits it. A panic of bbolt, which finds its pages to be inconsistent, is an
// error.
func (r *Repository) commitSome(tx *bbolt.Tx, rows int) (next flushPosition, done bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanicked{fmt.Errorf("%w: %v", meta.ErrCorrupt, p)}
			_ = tx.Rollback() // gives up bbolt's writer lock, where Commit has not
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	next, err = r.fill(tx, rows)
	done = next.table == len(dataTables)
	if err == nil && done {
		err = progress{id: r.id, flushed: r.flushing}.write(tx)
	}
	if err != nil {
		return next, false, errors.Join(err, tx.Rollback())
	}
	return next, done, r.commitTx(tx)
}

// fill writes up to so many frozen rows into tx, and returns the position of the one that follows.
func (r *Repository) fill(tx *bbolt.Tx, rows int) (flushPosition, error) {
	frozen := r.layers.Load()[1].rows
	for at := r.position; ; at = (flushPosition{table: at.table + 1}) {
		if at.table == len(dataTables) {
			return at, nil
		}
		name := dataTables[at.table]
		bucket := tx.Bucket(name)
		it := frozen.Iterator(memtable.MaxVersion, tableIDs[string(name)])
		for it.Seek(at.key); it.Key() != nil; it.Next() {
			if rows == 0 {
				return flushPosition{table: at.table, key: it.Key()}, nil
			}
			rows--
			var err error
			if value := it.Value(); value != nil {
				err = bucket.Put(it.Key(), value)
			} else {
				err = bucket.Delete(it.Key())
			}
			if err != nil {
				return at, err
			}
		}
	}
}

// finish flushes everything, for Close. A full disk is no error: the journal keeps what is not in the database. A record
// that could not be taken back is one, unless the database gets past its number.
func (r *Repository) finish() error {
	err := r.flush()
	torn := r.journal.Mend()
	if err == nil && (torn != nil || r.layers.Load()[0].version != 0) {
		r.freeze()
		if err = r.flush(); err == nil {
			torn = nil
		}
	}
	if torn != nil {
		return errors.Join(err, torn)
	}
	if isFull(err) {
		return nil
	}
	return err
}

// isFull says whether the disk had no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
