package files

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

// TestGroups reads and damages blobs around the end of a group of blocks, where checksums lie between the blocks.
func TestGroups(t *testing.T) {
	const group = groupBlocks * BlockSize
	content := bytes.Repeat(blobtest.Bytes(1, 1<<20), 65)
	s := mustOpen(t, t.TempDir(), Options{})
	for _, size := range []int{group - 1, group, group + 1, group + 5*BlockSize + 9} {
		content := content[:size]
		id, err := blobtest.Put(s, content, -1, 300_001)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(context.Background(), id); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for _, r := range [][2]int{
			{0, size},
			{0, 1},
			{group - 1, 1},
			{group - 10, size - group + 10},
			{group - 5*BlockSize, 5*BlockSize - 1},
			{size - 1, 1},
			{size, 0},
			{group, size - group},
			{group + BlockSize - 1, 2},
		} {
			from, to := r[0], r[0]+r[1]
			if from > to || to > size {
				continue
			}
			got, err := blobtest.Get(s, id, int64(from), int64(r[1]), 0)
			if err != nil || !bytes.Equal(got, content[from:to]) {
				t.Errorf("%d bytes: %d from %d: %d bytes, %v", size, r[1], from, len(got), err)
			}
		}
		damageSums(t, s, id, size)
		if err := s.Delete(context.Background(), []blob.ID{id}); err != nil {
			t.Fatal(err)
		}
	}
}

// damageSums changes a checksum of the last block of the first group, and wants that block to be refused and those
// beside its run to be served.
func damageSums(t *testing.T, s *Store, id blob.ID, size int) {
	t.Helper()
	f, err := os.OpenFile(s.path(id), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	offset, length := tablePlace(int64(size), 0)
	var sum [1]byte
	at := offset + int64(length) - 1
	if _, err := f.ReadAt(sum[:], at); err != nil {
		t.Fatal(err)
	}
	sum[0] ^= 1
	if _, err := f.WriteAt(sum[:], at); err != nil {
		t.Fatal(err)
	}
	last := int64(groupBlocks-1) * BlockSize
	if got, err := blobtest.Get(s, id, last, 1, 0); len(got) > 0 || !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("%d bytes: the block of a changed checksum: %d bytes, %v", size, len(got), err)
	}
	if _, err := blobtest.Get(s, id, last-BlockSize, 1, 0); err != nil {
		t.Errorf("%d bytes: the block before: %v", size, err)
	}
	if after := last + BlockSize; after < int64(size) {
		if _, err := blobtest.Get(s, id, after, int64(size)-after, 0); err != nil {
			t.Errorf("%d bytes: the group behind: %v", size, err)
		}
	}
}
