package memtable

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// model is the map as a list of rows in the order in which they were added.
type model []row

type row struct {
	version uint32
	table   byte
	key     string
	value   string
	deleted bool
}

func (m model) get(version uint32, table byte, key string) (value string, found, deleted bool) {
	for _, r := range m {
		if r.version <= version && r.table == table && r.key == key {
			value, found, deleted = r.value, true, r.deleted
		}
	}
	return value, found, deleted
}

func (m model) addTo(to *Map, r row) model {
	if r.deleted {
		to.Delete(r.version, r.table, []byte(r.key))
	} else {
		to.Put(r.version, r.table, []byte(r.key), []byte(r.value))
	}
	return append(m, r)
}

var (
	someKeys   = rapid.SampledFrom([]string{"", "\x00", "a", "a\x00", "ab", "b", "\xff", "\xff\xff"})
	someTables = rapid.SampledFrom([]byte{0, 1, 2, 255})
)

// TestModel compares every read of every version with the model's.
func TestModel(t *testing.T) {
	m := New()
	rapid.Check(t, func(t *rapid.T) {
		m.Reset()
		var (
			rows    model
			version uint32
		)
		for range rapid.IntRange(0, 40).Draw(t, "rows") {
			version += uint32(rapid.IntRange(0, 1).Draw(t, "step"))
			rows = rows.addTo(m, row{
				version: version, table: someTables.Draw(t, "table"), key: someKeys.Draw(t, "key"),
				value: fmt.Sprint("value ", len(rows)), deleted: rapid.Bool().Draw(t, "deleted"),
			})
		}
		for v := range version + 2 {
			compare(t, m, rows, v)
		}
		compare(t, m, rows, MaxVersion)
	})
}

func compare(t *rapid.T, m *Map, rows model, version uint32) {
	for _, table := range []byte{0, 1, 2, 3, 255} {
		it := m.Iterator(version, table)
		it.Seek(nil)
		for _, key := range []string{"", "\x00", "a", "a\x00", "ab", "b", "c", "\xff", "\xff\xff"} {
			want, found, deleted := rows.get(version, table, key)
			got, gotFound := m.Get(version, table, []byte(key))
			if gotFound != found || (found && (got == nil) != deleted) || (!deleted && string(got) != want) {
				t.Fatalf("Get(%d, %d, %q) = %q, %t, want %q, %t, deleted: %t", version, table, key, got, gotFound, want, found, deleted)
			}
			seek := m.Iterator(version, table)
			seek.Seek([]byte(key))
			if (seek.Key() == nil) != (it.Key() == nil) || !bytes.Equal(seek.Key(), it.Key()) {
				t.Fatalf("Seek(%q) in version %d goes to %q, want %q", key, version, seek.Key(), it.Key())
			}
			if !found {
				continue
			}
			if it.Key() == nil || string(it.Key()) != key || (it.Value() == nil) != deleted || (!deleted && string(it.Value()) != want) {
				t.Fatalf("version %d, table %d: the iterator has %q = %q, want %q = %q", version, table, it.Key(), it.Value(), key, want)
			}
			it.Next()
		}
		if it.Key() != nil {
			t.Fatalf("version %d, table %d: the iterator has %q behind the last key", version, table, it.Key())
		}
	}
}

// TestLarge adds rows that are larger than a chunk, and enough others for many chunks.
func TestLarge(t *testing.T) {
	m := New()
	for round := range 2 { // the second uses memory again
		const n = 20_000
		for i := range n {
			key := []byte(fmt.Sprintf("%x", uint32(i)*2654435761))
			m.Put(uint32(i), 1, key, key)
			if i%5000 == 0 {
				m.Put(uint32(i), 2, key, bytes.Repeat(key, 3*chunkElements))
			}
		}
		for i := range n {
			key := []byte(fmt.Sprintf("%x", uint32(i)*2654435761))
			if value, found := m.Get(MaxVersion, 1, key); !found || !bytes.Equal(value, key) {
				t.Fatalf("round %d, row %d: %q, %t", round, i, value, found)
			}
			if value, _ := m.Get(MaxVersion, 2, key); i%5000 == 0 && !bytes.Equal(value, bytes.Repeat(key, 3*chunkElements)) {
				t.Fatalf("round %d, large row %d has %d bytes", round, i, len(value))
			}
		}
		m.Reset()
		if _, found := m.Get(MaxVersion, 1, []byte("0")); found || m.Bytes() != 0 {
			t.Fatal("an empty map has a row")
		}
	}
}

// TestReadersAndAWriter reads versions that are complete while later ones are added.
func TestReadersAndAWriter(t *testing.T) {
	const (
		versions = 300
		keys     = 20
	)
	var (
		m       = New()
		readers sync.WaitGroup
	)
	key := func(i int) []byte { return []byte(fmt.Sprintf("key %03d", i)) }
	for version := uint32(1); version <= versions; version++ {
		for i := range keys {
			m.Put(version, 1, key(i), []byte(fmt.Sprint(version)))
		}
		readers.Add(1)
		go func() {
			defer readers.Done()
			it := m.Iterator(version, 1)
			it.Seek(nil)
			for i := range keys {
				value, _ := m.Get(version, 1, key(i))
				if want := fmt.Sprint(version); string(value) != want || string(it.Value()) != want || !bytes.Equal(it.Key(), key(i)) {
					t.Errorf("version %d, key %d: %q, iterator %q = %q", version, i, value, it.Key(), it.Value())
					return
				}
				it.Next()
			}
			if it.Key() != nil {
				t.Errorf("version %d has a key %q", version, it.Key())
			}
		}()
	}
	readers.Wait()
}

func BenchmarkGet(b *testing.B) {
	const rows = 1 << 16
	m := New()
	key := func(i int) []byte { return []byte(fmt.Sprintf("directory/object-%08x", uint32(i)*2654435761)) }
	for i := range rows {
		m.Put(uint32(i), 1, key(i), make([]byte, 150))
	}
	for _, hit := range []bool{true, false} {
		b.Run(fmt.Sprintf("hit=%t", hit), func(b *testing.B) {
			keys := make([][]byte, 1024)
			for i := range keys {
				keys[i] = key(i * 63)
				if !hit {
					keys[i] = append(keys[i], 'x')
				}
			}
			n := 0
			for b.Loop() {
				n++
				m.Get(MaxVersion, 1, keys[n%len(keys)])
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	m, n, value := New(), 0, make([]byte, 150)
	for b.Loop() {
		if n++; n%(1<<16) == 0 {
			m.Reset()
		}
		m.Put(1, 1, []byte(fmt.Sprintf("directory/object-%08x", uint32(n)*2654435761)), value)
	}
}
