package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/memtable"
)

// tableIDs are what the journal calls the tables: their places among dataTables, from 1.
var tableIDs = func() map[string]byte {
	ids := make(map[string]byte)
	for i, name := range dataTables {
		ids[string(name)] = byte(i + 1)
	}
	return ids
}()

// layer is the rows of one journal file that a snapshot sees: those up to version.
type layer struct {
	rows    *memtable.Map
	version uint32 // 0 where there are none
}

// layers are the rows that are not, or not for certain, in the database yet: those of the active journal file, then
// those of the one that is being flushed. A row of the first hides one of the second, and both hide the database's.
type layers [2]layer

// writes are the rows of the batch that is under way, which hide all others from it: in the order of keys to be read,
// and in the order of writing to be journaled.
type writes struct {
	rows   memtable.Map
	record journal.Record

	// disk are the database's tables that the batch has looked into, by id: bbolt looks for one in its pages every time.
	disk [1 << 4]*bbolt.Bucket
}

func (w *writes) reset() {
	w.rows.Reset()
	w.record.Reset()
	clear(w.disk[:])
}

// snapshot is what a read, or a batch, sees of all tables: one state, whatever is committed meanwhile.
type snapshot struct {
	tx     *bbolt.Tx
	layers *layers
	writes *writes // of the batch; nil for reads
}

// table returns a table as the snapshot has it.
func (s snapshot) table(name []byte) table {
	return table{snapshot: s, name: name, id: tableIDs[string(name)]}
}

// table is a table as a snapshot has it. Keys and values that it returns are the engine's memory: they must not be
// changed, and not be kept for longer than the snapshot.
type table struct {
	snapshot
	name []byte
	id   byte
}

// Get returns a key's value, nil where there is none.
func (t table) Get(key []byte) []byte {
	if t.writes != nil {
		if value, found := t.writes.rows.Get(memtable.MaxVersion, t.id, key); found {
			return value
		}
	}
	for i := range t.layers {
		if l := &t.layers[i]; l.version > 0 {
			if value, found := l.rows.Get(l.version, t.id, key); found {
				return value
			}
		}
	}
	return t.disk().Get(key)
}

// disk returns the database's table.
func (t table) disk() *bbolt.Bucket {
	if t.writes == nil {
		return t.tx.Bucket(t.name)
	}
	disk := &t.writes.disk[t.id]
	if *disk == nil {
		*disk = t.tx.Bucket(t.name)
	}
	return *disk
}

// Put gives a key a value, in a batch only. It copies both.
func (t table) Put(key, value []byte) {
	t.writes.rows.Put(0, t.id, key, value)
	t.writes.record.Put(t.id, key, value)
}

// Delete removes a key, in a batch only. Where there is none it does nothing.
func (t table) Delete(key []byte) {
	t.writes.rows.Delete(0, t.id, key)
	t.writes.record.Delete(t.id, key)
}

// Cursor returns a cursor. What it does after the table has changed is not defined.
func (t table) Cursor() *cursor {
	c := &cursor{disk: t.disk().Cursor()}
	if t.writes != nil {
		c.add(t.writes.rows.Iterator(memtable.MaxVersion, t.id))
	}
	for _, l := range t.layers {
		if l.version > 0 {
			c.add(l.rows.Iterator(l.version, t.id))
		}
	}
	return c
}

// ForEach visits all rows in the order of their keys.
func (t table) ForEach(visit func(key, value []byte) error) error {
	c := t.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if err := visit(k, v); err != nil {
			return err
		}
	}
	return nil
}

const (
	onDisk = -1 // the cursor's row is the database's
	atEnd  = -2
)

// cursor goes through a table's rows in the order of their keys. A nil key is the end. It merges what is in memory,
// newest first, with the database; where nothing is left in memory, a step costs no more than the database's.
type cursor struct {
	disk       *bbolt.Cursor
	key, value []byte // the row that disk is at
	newer      [3]memtable.Iterator
	n          int // how many of newer there are
	at         int // which of newer has the present row, or onDisk, or atEnd
}

func (c *cursor) add(it memtable.Iterator) {
	c.newer[c.n] = it
	c.n++
}

// First goes to the first row.
func (c *cursor) First() (key, value []byte) {
	for i := range c.n {
		c.newer[i].Seek(nil)
	}
	c.key, c.value = c.disk.First()
	return c.pick()
}

// Seek goes to the first row whose key is not below key.
func (c *cursor) Seek(key []byte) (k, value []byte) {
	for i := range c.n {
		c.newer[i].Seek(key)
	}
	c.key, c.value = c.disk.Seek(key)
	return c.pick()
}

// Next goes to the row after the present one.
func (c *cursor) Next() (key, value []byte) {
	switch c.at {
	case atEnd:
		return nil, nil
	case onDisk:
		c.key, c.value = c.disk.Next()
	default:
		c.newer[c.at].Next()
	}
	return c.pick()
}

// pick returns the row with the lowest key, the newest of those that have it, and takes the others past it.
func (c *cursor) pick() (key, value []byte) {
	for {
		c.at = atEnd
		var lowest []byte
		for i := range c.n {
			if k := c.newer[i].Key(); k != nil && (lowest == nil || bytes.Compare(k, lowest) < 0) {
				c.at, lowest = i, k
			}
		}
		if c.key != nil {
			order := -1
			if lowest != nil {
				order = bytes.Compare(c.key, lowest)
			}
			if order < 0 {
				c.at = onDisk
				return c.key, c.value
			}
			if order == 0 {
				c.key, c.value = c.disk.Next()
			}
		}
		if c.at == atEnd {
			return nil, nil
		}
		for i := c.at + 1; i < c.n; i++ {
			if k := c.newer[i].Key(); k != nil && bytes.Equal(k, lowest) {
				c.newer[i].Next()
			}
		}
		if value := c.newer[c.at].Value(); value != nil {
			return lowest, value
		}
		c.newer[c.at].Next() // deleted
	}
}
