package bolt

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// TestPageMemory decodes more heads than a chunk has room for and then writes over the rows: each head is still what its
// row said, and none has a part of another.
func TestPageMemory(t *testing.T) {
	var (
		memory    pageMemory
		got       []*meta.ObjectHead
		gotKeys   []string
		want      []meta.ObjectHead
		wantKeys  []string
		rows      [][]byte
		longOwner = strings.Repeat("o", 2*chunkBytes)
	)
	for i := range 3 * maxChunkHeads {
		o := meta.Object{ObjectHead: meta.ObjectHead{
			Size: int64(i), ETag: meta.ETag(fmt.Sprintf("%032x", i)), Modified: time.UnixMilli(int64(i)).UTC(),
			Checksum: checksum.Checksum{Algorithm: checksum.CRC32C, Value: []byte(fmt.Sprintf("%04d", i))},
			Class:    []string{"", "GLACIER"}[i/100%2], Owner: []string{"mine", "yours", longOwner}[i/50%3],
		}}
		key := objectKey("b", meta.Key(fmt.Sprintf("key %d", i)))
		o.Version = meta.NullVersion
		row := encodeVersion(tableObjects, key, &version{identity: identity{null: true}, object: o})
		want, wantKeys = append(want, o.ObjectHead), append(wantKeys, string(key))
		gotKeys = append(gotKeys, memory.string(key))
		head, err := memory.head(tableObjects, key, row)
		if err != nil {
			t.Fatal(err)
		}
		got, rows = append(got, head), append(rows, key, row)
	}
	for _, row := range rows {
		clear(row)
	}
	for i := range want {
		if gotKeys[i] != wantKeys[i] || !reflect.DeepEqual(*got[i], want[i]) {
			t.Fatalf("row %d: key %q, head %+v, want key %q, head %+v", i, gotKeys[i], *got[i], wantKeys[i], want[i])
		}
	}
	if value := got[0].Checksum.Value; cap(value) != len(value) {
		t.Error("to append to a checksum's value writes over the next one")
	}
}
