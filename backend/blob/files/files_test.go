package files

import (
	"context"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
	}{
		{"Sync", Options{Sync: true}},
		{"NoSync", Options{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			blobtest.Run(t, func(t testing.TB, dir string) blob.ByID { return mustOpen(t, dir, test.options) })
		})
	}
}

func mustOpen(t testing.TB, dir string, options Options) *Store {
	t.Helper()
	s, err := Open(dir, options)
	if err != nil {
		t.Fatalf("Open(%s): %v", dir, err)
	}
	return s
}

func mustPut(t testing.TB, s *Store, content []byte) blob.ID {
	t.Helper()
	id, err := blobtest.Put(s, content, int64(len(content)), max(1, len(content)))
	if err != nil {
		t.Fatalf("put %d bytes: %v", len(content), err)
	}
	return id
}

// blobFiles returns the paths of all files below dir but the epoch file.
func blobFiles(t testing.TB, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != epochFile {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestLengthOfFile(t *testing.T) {
	for size := int64(0); size < 3*BlockSize; size++ {
		if got, ok := blobBytes(fileBytes(size)); !ok || got != size {
			t.Fatalf("a blob of %d bytes: its file's length says %d, %v", size, got, ok)
		}
	}
	lengths := make(map[int64]bool)
	for size := int64(0); size <= 2*BlockSize; size++ {
		lengths[fileBytes(size)] = true
	}
	for length := int64(0); length <= fileBytes(2*BlockSize); length++ {
		if _, ok := blobBytes(length); ok != lengths[length] {
			t.Fatalf("a file of %d bytes: a blob's: %v, want %v", length, ok, lengths[length])
		}
	}
	if size, ok := blobBytes(fileBytes(maxBlobBytes)); !ok || size != maxBlobBytes {
		t.Errorf("the largest blob: %d, %v", size, ok)
	}
}

// TestBlockCRC holds the checksum of a block against the definition in the package comment.
func TestBlockCRC(t *testing.T) {
	id := blob.ID{1, 2, 3, 15: 9}
	for _, test := range []struct {
		index  int64
		isLast bool
		place  []byte
	}{
		{0, false, []byte{0, 0, 0, 0, 0, 0, 0, 0}},
		{0, true, []byte{0, 0, 0, 0, 0, 0, 0, 1}},
		{0x1234567, false, []byte{0, 0, 0, 0, 2, 0x46, 0x8a, 0xce}},
		{0x7fffffff, true, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
	} {
		want := crc32.Checksum(slices.Concat(id[:], test.place, []byte("payload")), castagnoli)
		if got := blockCRC(blockSeed(id), test.index, test.isLast, []byte("payload")); got != want {
			t.Errorf("block %d, last %v: %08x, want %08x", test.index, test.isLast, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	id := blob.ID{0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0x5f, 0xff, 0xaa, 0xbb, 0xcc, 0xdd}
	if got, want := dirName(id), "00000007-0000000000005"; got != want {
		t.Errorf("dirName: %s, want %s", got, want)
	}
	if got, want := fileName(id), "000000070000000000005fffaabbccdd.blob"; got != want {
		t.Errorf("fileName: %s, want %s", got, want)
	}
	if epoch, ok := parseDirName(dirName(id)); !ok || epoch != 7 {
		t.Errorf("parseDirName: %d, %v", epoch, ok)
	}
	if got, ok := parseFileName(fileName(id)); !ok || got != id {
		t.Errorf("parseFileName: %s, %v", got, ok)
	}
	for _, name := range []string{
		"", "-", "lost+found", "00000007_0000000000005", "0000000G-0000000000005", "0000000A-0000000000005",
		"00000007-000000000005", "000000007-000000000005", "00000007-00000000000055",
	} {
		if _, ok := parseDirName(name); ok {
			t.Errorf("parseDirName accepts %q", name)
		}
	}
	for _, name := range []string{
		"", ".blob", fileName(id) + "x", "x" + fileName(id), strings.ToUpper(fileName(id)),
		strings.Replace(fileName(id), "aabb", "AABB", 1), id.String(),
	} {
		if _, ok := parseFileName(name); ok {
			t.Errorf("parseFileName accepts %q", name)
		}
	}
}

// TestDirectories: a directory takes 4,096 blobs, and ids sort in the order of their creation.
func TestDirectories(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{})
	s.sequence.Store(blobsPerDir - 2)
	var last string
	for range 4 {
		id := mustPut(t, s, []byte("x"))
		if id.String() <= last {
			t.Errorf("id %s comes after %s", id, last)
		}
		last = id.String()
	}
	paths, err := filepath.Glob(filepath.Join(s.dir, "*", "*.blob"))
	if err != nil || len(paths) != 4 {
		t.Fatalf("%d files, error %v", len(paths), err)
	}
	for i, want := range []string{"0", "0", "1", "1"} {
		if dir := filepath.Base(filepath.Dir(paths[i])); dir != "00000001-000000000000"+want {
			t.Errorf("blob %d is in %s", i, dir)
		}
	}
}

func TestAbortRemovesFile(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Sync: true})
	for _, size := range []int64{-1, 10, 5 << 20} {
		w, err := s.Create(context.Background(), size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(blobtest.Bytes(1, 300_000)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
	}
	if paths := blobFiles(t, s.dir); len(paths) != 0 {
		t.Errorf("files are left: %v", paths)
	}
	if len(s.writing) != 0 {
		t.Errorf("%d writers are still remembered", len(s.writing))
	}
}

// TestWalkRemovesEmptyDirectories of earlier epochs, and never one that blobs are put into.
func TestWalkRemovesEmptyDirectories(t *testing.T) {
	dir := t.TempDir()
	visit := func(_ blob.ID, _ int64, err error) error { return err }
	ctx := context.Background()
	var kept []string
	for epoch := range 3 {
		s := mustOpen(t, dir, Options{Sync: true})
		id := mustPut(t, s, []byte("x"))
		if epoch == 1 {
			kept = append(kept, dirName(id))
		} else if err := s.Delete(ctx, []blob.ID{id}); err != nil {
			t.Fatal(err)
		}
		if err := s.Walk(ctx, visit); err != nil {
			t.Fatal(err)
		}
		if epoch == 2 {
			kept = append(kept, dirName(id)) // empty, but in use
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*-*"))
	if err != nil || len(found) != len(kept) {
		t.Fatalf("directories %v are left, error %v; want %v", found, err, kept)
	}
	for i := range found {
		if filepath.Base(found[i]) != kept[i] {
			t.Errorf("directory %s is left, want %s", found[i], kept[i])
		}
	}
}
