package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

const (
	recordMagic = "plrc"
	headerBytes = 24
	alignBytes  = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ID tells the journals of a store from those of all others.
type ID [16]byte

func (id ID) sum(b []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, id[:]), castagnoli, b)
}

// Row is a write: of a value, or of none where the key is deleted.
type Row struct {
	Table   byte
	Key     []byte
	Value   []byte
	Deleted bool
}

// keptBytes is how much memory a record keeps for the next.
const keptBytes = 1 << 20

// Record is made of the rows of one batch, in the order of their writing. Reset must come first.
type Record struct {
	buffer []byte // with room for the header
}

// Reset removes all rows. The memory of a record of the usual size is used again.
func (r *Record) Reset() {
	if cap(r.buffer) > keptBytes {
		r.buffer = nil
	}
	r.buffer = append(r.buffer[:0], make([]byte, headerBytes)...)
}

// Put adds a value.
func (r *Record) Put(table byte, key, value []byte) {
	r.key(table, key)
	r.buffer = binary.AppendUvarint(r.buffer, uint64(len(value))+1)
	r.buffer = append(r.buffer, value...)
}

// Delete adds the deletion of a key.
func (r *Record) Delete(table byte, key []byte) {
	r.key(table, key)
	r.buffer = append(r.buffer, 0)
}

func (r *Record) key(table byte, key []byte) {
	r.buffer = binary.AppendUvarint(append(r.buffer, table), uint64(len(key)))
	r.buffer = append(r.buffer, key...)
}

// Rows visits the rows.
func (r *Record) Rows(visit func(Row)) {
	if err := Rows(r.buffer[headerBytes:], visit); err != nil {
		panic(fmt.Sprintf("journal: a record that was just made: %v", err))
	}
}

// finish returns the record as it is written.
func (r *Record) finish(id ID, sequence uint64) ([]byte, error) {
	payload := r.buffer[headerBytes:]
	if uint64(len(payload)) > math.MaxUint32 {
		return nil, fmt.Errorf("a record of %d bytes is too large", len(payload))
	}
	b := r.buffer
	copy(b, recordMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(b[8:], sequence)
	binary.LittleEndian.PutUint32(b[16:], id.sum(payload))
	binary.LittleEndian.PutUint32(b[20:], id.sum(b[:20]))
	for len(b)%alignBytes != 0 {
		b = append(b, 0)
	}
	return b, nil
}

// size is how many bytes the record takes in a file.
func (r *Record) size() int64 { return align(int64(len(r.buffer))) }

func align(n int64) int64 { return (n + alignBytes - 1) / alignBytes * alignBytes }

// decode returns the record that b begins with, and whether there is one.
func decode(id ID, b []byte) (sequence uint64, payload []byte, ok bool) {
	if len(b) < headerBytes || string(b[:4]) != recordMagic ||
		binary.LittleEndian.Uint32(b[20:]) != id.sum(b[:20]) {
		return 0, nil, false
	}
	length := uint64(binary.LittleEndian.Uint32(b[4:]))
	if length > uint64(len(b)-headerBytes) {
		return 0, nil, false
	}
	payload = b[headerBytes : headerBytes+length]
	if binary.LittleEndian.Uint32(b[16:]) != id.sum(payload) {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64(b[8:]), payload, true
}

var errRow = errors.New("a row of a record makes no sense")

// Rows visits the rows of a payload. Their keys and values are parts of it. Those before one that makes no sense have
// been visited when it fails.
func Rows(payload []byte, visit func(Row)) error {
	for len(payload) > 0 {
		row := Row{Table: payload[0]}
		length, rest, ok := uvarint(payload[1:])
		if !ok || length > uint64(len(rest)) {
			return errRow
		}
		row.Key, rest = rest[:length:length], rest[length:]
		length, rest, ok = uvarint(rest)
		if !ok || (length > 0 && length-1 > uint64(len(rest))) {
			return errRow
		}
		if row.Deleted = length == 0; !row.Deleted {
			length--
			row.Value, rest = rest[:length:length], rest[length:]
		}
		visit(row)
		payload = rest
	}
	return nil
}

func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || (n > 1 && b[n-1] == 0) {
		return 0, nil, false
	}
	return v, b[n:], true
}

// search returns the first sequence number above last of a record in b, wherever it begins; 0 where there is none.
func search(id ID, b []byte, last uint64) uint64 {
	for ; len(b) >= headerBytes; b = b[alignBytes:] {
		if string(b[:4]) != recordMagic {
			continue
		}
		if sequence, _, ok := decode(id, b); ok && sequence > last {
			return sequence
		}
	}
	return 0
}
