package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	rowVersion = 1
	crcBytes   = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumSeparator stands between a table's name and a key in a row's checksum. As a literal it would be allocated for each
// row.
var sumSeparator = []byte{0}

func rowSum(table, key, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, table)
	sum = crc32.Update(sum, castagnoli, sumSeparator)
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, value)
}

// appendSum closes a row, or an object's head, with the checksum of what is in value so far.
func appendSum(table, key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, rowSum(table, key, value))
}

// checkSum verifies the checksum that stands at value[at:].
func checkSum(table, key, value []byte, at int) error {
	if at < 0 || len(value)-at < crcBytes {
		return errShort
	}
	if binary.BigEndian.Uint32(value[at:]) != rowSum(table, key, value[:at]) {
		return errors.New("checksum mismatch")
	}
	return nil
}

// newRow begins a value.
func newRow(capacity int) []byte {
	return append(make([]byte, 0, capacity), rowVersion)
}

// openRow verifies a whole value and returns a decoder of its fields.
func openRow(table, key, value []byte) (*decoder, error) {
	at := len(value) - crcBytes
	if err := checkSum(table, key, value, at); err != nil {
		return nil, corruptRow(table, key, err)
	}
	d := &decoder{rest: value[:at]}
	d.version()
	return d, nil
}

func corruptRow(table, key []byte, cause error) error {
	if errors.Is(cause, meta.ErrCorrupt) {
		return fmt.Errorf("table %s, key %q: %w", table, key, cause)
	}
	return fmt.Errorf("%w: table %s, key %q: %w", meta.ErrCorrupt, table, key, cause)
}

func appendUint(dst []byte, v int64) []byte { return binary.AppendUvarint(dst, uint64(v)) }

func appendTime(dst []byte, t time.Time) []byte { return binary.AppendVarint(dst, t.UnixMilli()) }

func appendString[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var (
	errShort    = errors.New("value ends early")
	errOverlong = errors.New("varint is not in its shortest form, or too large")
)

// decoder reads the fields of a value in order. The first error sticks; after it every read returns a zero value. No
// length or count is trusted before it is known to fit what is left.
type decoder struct {
	rest []byte
	err  error
	page *pageMemory // where strings and bytes are copied to; nil gives each its own memory
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// finish returns the first error, or one where bytes are left over.
func (d *decoder) finish(table, key []byte) error {
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("%d bytes are left over", len(d.rest))
	}
	if d.err != nil {
		return corruptRow(table, key, d.err)
	}
	return nil
}

func (d *decoder) version() {
	if v := d.byte(); d.err == nil && v != rowVersion {
		d.fail(fmt.Errorf("row version %d", v))
	}
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail(errShort)
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	switch {
	case n == 0:
		d.fail(errShort)
		return 0
	case n < 0 || (n > 1 && d.rest[n-1] == 0):
		d.fail(errOverlong)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// uint reads a number that is never negative.
func (d *decoder) uint() int64 {
	v := d.uvarint()
	if v > math.MaxInt64 {
		d.fail(errOverlong)
		return 0
	}
	return int64(v)
}

func (d *decoder) time() time.Time {
	u := d.uvarint()
	milliseconds := int64(u >> 1)
	if u&1 != 0 {
		milliseconds = ^milliseconds
	}
	if d.err != nil {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// take returns the next n bytes of the value, not copied.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail(errShort)
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) string() string { return d.page.string(d.take(d.uvarint())) }

// repeated is string for a field that is mostly the same in neighbouring rows; last is what it was before.
func (d *decoder) repeated(last string) string {
	b := d.take(d.uvarint())
	if string(b) == last {
		return last
	}
	return d.page.string(b)
}

// bytes returns a copy, nil where there are none.
func (d *decoder) bytes() []byte {
	b := d.take(d.uvarint())
	if len(b) == 0 {
		return nil
	}
	return d.page.bytes(b)
}

// count reads the number of items that follow, each of which takes at least itemBytes.
func (d *decoder) count(itemBytes int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/itemBytes) {
		d.fail(errShort)
		return 0
	}
	return int(n)
}
