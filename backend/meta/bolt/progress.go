package bolt

import (
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
)

var keyJournal = []byte("journal")

// progress says which journal is the database's, and up to which of its records the database holds everything.
type progress struct {
	id      journal.ID
	flushed uint64
}

func (p progress) write(tx *bbolt.Tx) error {
	row := appendUint(append(newRow(32), p.id[:]...), int64(p.flushed))
	return tx.Bucket(tableFormat).Put(keyJournal, appendSum(tableFormat, keyJournal, row))
}

func readProgress(tx *bbolt.Tx) (p progress, err error) {
	value := tx.Bucket(tableFormat).Get(keyJournal)
	if value == nil {
		return p, fmt.Errorf("%w: the format table does not know of the journal", meta.ErrCorrupt)
	}
	d, err := openRow(tableFormat, keyJournal, value)
	if err != nil {
		return p, err
	}
	copy(p.id[:], d.take(uint64(len(p.id))))
	p.flushed = uint64(d.uint())
	return p, d.finish(tableFormat, keyJournal)
}
