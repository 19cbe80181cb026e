// Package memtable is an ordered map of rows in memory that one goroutine writes and any number read, without locks.
//
// # Invariants
//
// Rows are only added: to change or delete a key is to add a newer version of it. Versions are numbers that never fall;
// a reader names the version up to which it sees rows, so whoever keeps that number has a snapshot that costs nothing,
// and rows of a later version can be added beside it. Nothing moves, so what a reader was given stays as it is for as
// long as it is kept.
//
// # Structure
//
// A skip list, ordered by table, key, and version, the newest first. Its nodes hold no pointers: they are numbers in a
// few large chunks of memory, behind which the garbage collector has nothing to look for, and a row costs 21 bytes or so
// more than its key and value. It was chosen over a B-tree that is copied on write, whose every batch copies the nodes
// that it touches: most of a leaf for each row, where keys are random.
//
//	node:   key's place | key's length | value's length, or deleted | version | next on level 0 | ... | next on top level
//	bytes:  table, key, value
//
// A place is the number of a chunk, 16 bits, and an offset in it, 16 bits. What is larger than a chunk gets one of its
// own.
//
// Beside it stands a Bloom filter of the keys. It was added because a server that stores new objects looks for most of
// its keys in vain, and spent a twentieth of its time in that.
package memtable

import (
	"bytes"
	"math"
	"math/bits"
	"sync/atomic"
)

// MaxVersion sees every row.
const MaxVersion = math.MaxUint32

const (
	maxHeight = 12
	deleted   = math.MaxUint32 // in the place of a value's length

	// The fields of a node.
	keyPlace = iota - 2
	keyLength
	valueLength
	rowVersion
	tower // the first of the next nodes
)

// head is the place of the node before the first. No node has it for its next, so there it means the end.
const head = 0

// Map is the map. New makes one.
type Map struct {
	nodes slab[uint32]
	bytes slab[byte]
	keys  filter

	// The writer's own.
	random uint64
	size   int
	last   uint32 // the newest version
}

// New returns an empty map.
func New() *Map {
	m := &Map{}
	m.Reset()
	return m
}

// Reset empties the map, and keeps some of its memory. Nobody may read it, or keep anything that it returned.
func (m *Map) Reset() {
	m.random, m.size, m.last = 0x9e3779b97f4a7c15, 0, 0
	m.nodes.reset()
	m.bytes.reset()
	clear(m.keys[:])
	_, node := m.nodes.allocate(tower + maxHeight)
	clear(node)
}

// Bytes is how many bytes of keys and values have been added.
func (m *Map) Bytes() int { return m.size }

// Put adds a row. No version may be lower than the one before; of rows with the same version, that which is added last
// is the newest.
func (m *Map) Put(version uint32, table byte, key, value []byte) {
	m.add(version, table, key, value, uint32(len(value)))
}

// Delete adds a row that says that the key has no value.
func (m *Map) Delete(version uint32, table byte, key []byte) {
	m.add(version, table, key, nil, deleted)
}

func (m *Map) add(version uint32, table byte, key, value []byte, length uint32) {
	if version < m.last {
		panic("memtable: versions fall")
	}
	m.last = version
	height := m.height()
	m.keys.add(table, key)
	before := m.findAll(table, key, version)
	text, content := m.bytes.allocate(1 + len(key) + len(value))
	content[0] = table
	copy(content[1:], key)
	copy(content[1+len(key):], value)
	place, node := m.nodes.allocate(tower + height)
	node[keyPlace], node[keyLength], node[valueLength], node[rowVersion] = text, uint32(len(key)), length, version
	for level := range height {
		node[tower+level] = m.next(before[level], level)
	}
	// From here on readers find it. Each of them sees the node whole: a store is not seen before what precedes it.
	for level := range height {
		atomic.StoreUint32(&m.nodes.at(before[level])[tower+level], place)
	}
	m.size += 1 + len(key) + len(value)
}

// height returns how many levels a new node is on: each level has a quarter of the nodes of the one below.
func (m *Map) height() int {
	m.random ^= m.random << 13
	m.random ^= m.random >> 7
	m.random ^= m.random << 17
	return 1 + min(bits.TrailingZeros64(m.random|1<<63)/2, maxHeight-1)
}

func (m *Map) next(place uint32, level int) uint32 {
	return atomic.LoadUint32(&m.nodes.at(place)[tower+level])
}

// isBefore says whether a node comes before the rows of a key of this version and lower ones.
func (m *Map) isBefore(place uint32, table byte, key []byte, version uint32) bool {
	node := m.nodes.at(place)
	text := m.bytes.at(node[keyPlace])
	if text[0] != table {
		return text[0] < table
	}
	if c := bytes.Compare(text[1:1+node[keyLength]], key); c != 0 {
		return c < 0
	}
	return node[rowVersion] > version
}

// find returns the first node that is not before a key of a version, head where there is none.
func (m *Map) find(table byte, key []byte, version uint32) uint32 {
	at, seen := uint32(head), uint32(head)
	for level := maxHeight - 1; ; level-- {
		next := m.next(at, level)
		// What the level above has ended at need not be compared again.
		for next != head && next != seen && m.isBefore(next, table, key, version) {
			at, next = next, m.next(next, level)
		}
		if level == 0 {
			return next
		}
		seen = next
	}
}

// findAll returns the node before a key of a version on every level.
func (m *Map) findAll(table byte, key []byte, version uint32) (before [maxHeight]uint32) {
	at, seen := uint32(head), uint32(head)
	for level := maxHeight - 1; level >= 0; level-- {
		next := m.next(at, level)
		for next != head && next != seen && m.isBefore(next, table, key, version) {
			at, next = next, m.next(next, level)
		}
		before[level], seen = at, next
	}
	return before
}

// Get returns what a key has in the newest row up to a version. found says whether there is such a row; the value is
// nil where that says that the key was deleted, and never otherwise.
func (m *Map) Get(version uint32, table byte, key []byte) (value []byte, found bool) {
	if !m.keys.mayHave(table, key) {
		return nil, false
	}
	at := m.find(table, key, version)
	if at == head {
		return nil, false
	}
	node := m.nodes.at(at)
	text := m.bytes.at(node[keyPlace])
	if text[0] != table || int(node[keyLength]) != len(key) || !bytes.Equal(text[1:1+len(key)], key) {
		return nil, false
	}
	return valueOf(node, text), true
}

func valueOf(node []uint32, text []byte) []byte {
	if node[valueLength] == deleted {
		return nil
	}
	start := 1 + node[keyLength]
	end := start + node[valueLength]
	return text[start:end:end]
}

// Iterator goes through the rows of a table up to a version, one for each key, in the order of keys. It is at the end
// before the first Seek.
type Iterator struct {
	m       *Map
	version uint32
	table   byte
	key     []byte // nil at the end
	value   []byte // nil for a deleted key
	place   uint32
}

// Iterator returns an iterator over a table.
func (m *Map) Iterator(version uint32, table byte) Iterator {
	return Iterator{m: m, version: version, table: table}
}

// Key is the key, nil at the end.
func (i *Iterator) Key() []byte { return i.key }

// Value is the value, nil where the key was deleted.
func (i *Iterator) Value() []byte { return i.value }

// Seek goes to the first key that is not below key.
func (i *Iterator) Seek(key []byte) { i.settle(i.m.find(i.table, key, i.version)) }

// Next goes to the next key. It must not be called at the end.
func (i *Iterator) Next() {
	for {
		i.place = i.m.next(i.place, 0)
		if i.place == head {
			break
		}
		node := i.m.nodes.at(i.place)
		text := i.m.bytes.at(node[keyPlace])
		if text[0] != i.table || !bytes.Equal(text[1:1+node[keyLength]], i.key) {
			break
		}
	}
	i.settle(i.place)
}

// settle takes the first row from place on that the iterator sees.
func (i *Iterator) settle(place uint32) {
	for ; place != head; place = i.m.next(place, 0) {
		node := i.m.nodes.at(place)
		text := i.m.bytes.at(node[keyPlace])
		if text[0] != i.table {
			break
		}
		if node[rowVersion] <= i.version {
			end := 1 + node[keyLength]
			i.place, i.key, i.value = place, text[1:end:end], valueOf(node, text)
			return
		}
	}
	i.place, i.key, i.value = head, nil, nil
}
