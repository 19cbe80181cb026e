package bolt

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/memtable"
)

const (
	// The size of a journal file: a part of the disk, within bounds. A mebibyte has the rows of some four thousand objects.
	// With eight, no more objects were stored in a second; but the rows of both files are in memory, and on a full disk
	// bbolt needs room for them before a delete can be committed.
	diskPart        = 128
	minJournalBytes = 64 << 10
	maxJournalBytes = 1 << 20
)

func journalBytes(path string) int64 {
	disk, err := journal.DiskBytes(filepath.Dir(path))
	if err != nil {
		return maxJournalBytes
	}
	return max(minJournalBytes, min(disk/diskPart, maxJournalBytes))
}

func (r *Repository) journalOptions(id journal.ID) journal.Options {
	return journal.Options{ID: id, Sync: r.options.Sync, Bytes: r.options.journalBytes, FileSystem: r.options.system}
}

// replay opens the journal and loads what the database does not have into the layers. Both are as they were then: the
// file that comes first was full.
func (r *Repository) replay() error {
	var p progress
	err := r.view(context.Background(), func(s snapshot) (err error) {
		p, err = readProgress(s.tx)
		return err
	})
	if err != nil {
		return err
	}
	r.id = p.id
	if r.journal, err = journal.Open(r.path, r.journalOptions(p.id)); err != nil {
		return err
	}
	var (
		l           = *r.layers.Load()
		number      = -1
		last        = p.flushed
		unknownRows = 0
	)
	err = r.journal.Replay(p.flushed, func(file int, sequence uint64, row journal.Row) {
		if number >= 0 && file != number {
			l, r.flushing = layers{{rows: memtable.New()}, l[0]}, last
		}
		if number = file; sequence != last {
			l[0].version, last = l[0].version+1, sequence
		}
		if row.Table == 0 || int(row.Table) > len(dataTables) {
			unknownRows++
			return
		}
		addRow(l[0], row)
	})
	if err == nil && unknownRows > 0 {
		err = fmt.Errorf("%w: the journal has %d rows of tables that do not exist", meta.ErrCorrupt, unknownRows)
	}
	if err != nil {
		return err
	}
	r.layers.Store(&l)
	if l[1].rows != nil {
		r.frozen <- struct{}{}
	}
	return nil
}
