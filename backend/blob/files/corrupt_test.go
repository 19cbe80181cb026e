package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

// fixture is one blob, and the bytes of its file.
type fixture struct {
	*Store
	id      blob.ID
	path    string
	content []byte
	whole   []byte
}

func newFixture(t *testing.T, size int) *fixture {
	t.Helper()
	f := &fixture{Store: mustOpen(t, t.TempDir(), Options{}), content: blobtest.Bytes(1, size)}
	f.id = mustPut(t, f.Store, f.content)
	f.path = f.Store.path(f.id)
	var err error
	if f.whole, err = os.ReadFile(f.path); err != nil {
		t.Fatal(err)
	}
	if int64(len(f.whole)) != fileBytes(int64(size)) {
		t.Fatalf("the file of %d bytes has %d, want %d", size, len(f.whole), fileBytes(int64(size)))
	}
	return f
}

func (f *fixture) put(t *testing.T, file []byte) {
	t.Helper()
	if err := os.WriteFile(f.path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantCorrupt checks that the file is found out by Verify and by a read of the blob, which serves whole blocks of the
// right content, at most, before it fails.
func (f *fixture) wantCorrupt(t *testing.T, what string) {
	t.Helper()
	if err := f.Verify(context.Background(), f.id); !errors.Is(err, blob.ErrCorrupt) {
		t.Errorf("%s: Verify: %v", what, err)
	}
	for _, chunk := range []int{0, 100} {
		got, err := blobtest.Get(f.Store, f.id, 0, int64(len(f.content)), chunk)
		switch {
		case !bytes.HasPrefix(f.content, got) || len(got)%BlockSize != 0:
			t.Errorf("%s: %d wrong bytes are served", what, len(got))
		case !errors.Is(err, blob.ErrCorrupt) || !strings.Contains(err.Error(), f.id.String()):
			t.Errorf("%s: read: %v", what, err)
		}
	}
}

func TestEveryFlippedBit(t *testing.T) {
	for _, size := range []int{1, 100} {
		f := newFixture(t, size)
		for at := range f.whole {
			for bit := range 8 {
				damaged := bytes.Clone(f.whole)
				damaged[at] ^= 1 << bit
				f.put(t, damaged)
				f.wantCorrupt(t, "flipped bit")
				if t.Failed() {
					t.Fatalf("bit %d of byte %d of %d", bit, at, len(f.whole))
				}
			}
		}
	}
}

func TestFlippedByteOfManyBlocks(t *testing.T) {
	f := newFixture(t, 6*BlockSize+10)
	for at := 0; at < len(f.whole); at += 4001 {
		damaged := bytes.Clone(f.whole)
		damaged[at] ^= 0x40
		f.put(t, damaged)
		f.wantCorrupt(t, "flipped byte")
		// Blocks that are whole are still served.
		bad := int64(at / BlockSize)
		if past := at - len(f.content); past >= 0 {
			bad = int64(past / crcBytes)
		}
		if at >= len(f.whole)-footerBytes {
			continue
		}
		for block := range int64(7) {
			size := min(BlockSize, int64(len(f.content))-block*BlockSize)
			got, err := blobtest.Get(f.Store, f.id, block*BlockSize, size, 0)
			if block == bad && (len(got) > 0 || !errors.Is(err, blob.ErrCorrupt)) {
				t.Fatalf("byte %d: damaged block %d: %d bytes are served, error %v", at, block, len(got), err)
			}
			if block != bad && (err != nil || !bytes.Equal(got, f.content[block*BlockSize:][:size])) {
				t.Fatalf("byte %d: block %d: %v", at, block, err)
			}
		}
	}
}

func TestCutOrExtended(t *testing.T) {
	for _, size := range []int{0, 1, 100, BlockSize, 5 * BlockSize, 5*BlockSize + 77} {
		f := newFixture(t, size)
		lengths := []int{0, 1, footerBytes - 1, footerBytes, footerBytes + crcBytes, footerBytes + crcBytes + 1}
		for n := -5; n <= 5; n++ {
			lengths = append(lengths, len(f.whole)+n, len(f.whole)+n-frameBytes, len(f.whole)+n+frameBytes)
		}
		for block := range 8 {
			lengths = append(lengths, footerBytes+block*frameBytes)
		}
		for _, length := range lengths {
			if length < 0 || length == len(f.whole) {
				continue
			}
			f.put(t, append(bytes.Clone(f.whole), make([]byte, 10*frameBytes)...)[:length])
			if err := f.Verify(context.Background(), f.id); !errors.Is(err, blob.ErrCorrupt) {
				t.Errorf("a file of %d bytes instead of %d: Verify: %v", length, len(f.whole), err)
			}
			got, err := blobtest.Get(f.Store, f.id, 0, int64(size), 0)
			if !bytes.HasPrefix(f.content, got) || !errors.Is(err, blob.ErrCorrupt) {
				t.Errorf("a file of %d bytes instead of %d: %d bytes are served, %v", length, len(f.whole), len(got), err)
			}
			if length < len(f.whole) && size > 4*BlockSize && len(got) > 0 {
				t.Errorf("a file of %d bytes instead of %d: Open should have found out", length, len(f.whole))
			}
		}
	}
}

// join makes a file of blocks with their checksums, as split returns them, and a footer.
func join(footer []byte, frames ...[]byte) []byte {
	var file, sums []byte
	for _, frame := range frames {
		file = append(file, frame[:len(frame)-crcBytes]...)
		sums = append(sums, frame[len(frame)-crcBytes:]...)
	}
	return slices.Concat(file, sums, footer)
}

// split returns the full blocks of a file of one group, each with its checksum behind it, and the footer.
func split(file []byte) (footer []byte, frames [][]byte) {
	n := (len(file) - footerBytes) / frameBytes
	for i := range n {
		sum := file[n*BlockSize+i*crcBytes:][:crcBytes]
		frames = append(frames, slices.Concat(file[i*BlockSize:][:BlockSize], sum))
	}
	return file[len(file)-footerBytes:], frames
}

// TestCutAtBlock: the blocks that are left fit one by one; that there should be more of them is seen by the missing
// mark of the last one.
func TestCutAtBlock(t *testing.T) {
	f := newFixture(t, 3*BlockSize)
	footer, frames := split(f.whole)
	f.put(t, join(footer, frames[:2]...))
	f.content = f.content[:2*BlockSize]
	f.wantCorrupt(t, "cut at the end of a block, and metadata that agrees")
}

func TestMovedBlocks(t *testing.T) {
	f := newFixture(t, 3*BlockSize)
	footer, frames := split(f.whole)
	f.put(t, join(footer, frames...))
	if got, err := blobtest.Get(f.Store, f.id, 0, int64(len(f.content)), 0); err != nil || !bytes.Equal(got, f.content) {
		t.Fatalf("the blob, taken apart and put together: %v", err)
	}
	f.put(t, join(footer, frames[1], frames[0], frames[2]))
	f.wantCorrupt(t, "swapped blocks")
	f.put(t, join(footer, frames[0], frames[0], frames[2]))
	f.wantCorrupt(t, "repeated block")

	other := mustPut(t, f.Store, blobtest.Bytes(2, 3*BlockSize))
	stranger, err := os.ReadFile(f.Store.path(other))
	if err != nil {
		t.Fatal(err)
	}
	_, strangers := split(stranger)
	for i := range 3 {
		foreign := slices.Clone(frames)
		foreign[i] = strangers[i]
		f.put(t, join(footer, foreign...))
		f.wantCorrupt(t, "block of another blob")
	}
	f.put(t, stranger)
	f.wantCorrupt(t, "file of another blob")
	f.put(t, join(footer, strangers...))
	f.wantCorrupt(t, "blocks of another blob over the right footer")
}

func TestOtherFormat(t *testing.T) {
	f := newFixture(t, 10)
	newer := bytes.Clone(f.whole)
	footer := newer[len(newer)-footerBytes:]
	footer[11] = formatVersion + 1
	binary.BigEndian.PutUint32(footer[36:], crc32.Checksum(footer[:36], castagnoli))
	f.put(t, newer)
	f.wantCorrupt(t, "newer format")
	if err := f.Verify(context.Background(), f.id); !strings.Contains(err.Error(), "unknown format 2") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
}

func TestWalkMeetsStrangers(t *testing.T) {
	f := newFixture(t, 1000)
	dir := filepath.Dir(f.path)
	cut := mustPut(t, f.Store, []byte("to be cut"))
	if err := os.Truncate(f.Store.path(cut), 20); err != nil {
		t.Fatal(err)
	}
	notFile := f.nextID()
	misplaced := blob.ID{0, 0, 0, 9, 15: 1}
	for _, path := range []string{f.Store.path(notFile), filepath.Join(f.dir, "lost+found")} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	strangers := []string{
		filepath.Join(f.dir, "lost+found"), filepath.Join(f.dir, "notes.txt"), filepath.Join(dir, "epoch"),
		filepath.Join(dir, fileName(misplaced)), filepath.Join(dir, "x.blob"),
	}
	for _, path := range strangers[1:] {
		if err := os.WriteFile(path, f.whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	missing := make(map[string]bool)
	for _, path := range strangers {
		missing[path] = true
	}
	visits := 0
	err := f.Walk(context.Background(), func(id blob.ID, size int64, err error) error {
		visits++
		switch id {
		case f.id:
			if err != nil || size != 1000 {
				t.Errorf("the whole blob: %d bytes, error %v", size, err)
			}
			return nil
		case blob.ID{}:
			for path := range missing {
				if strings.Contains(err.Error(), path+" ") {
					delete(missing, path)
				}
			}
		case cut, notFile:
		default:
			t.Errorf("visit of %s", id)
		}
		if !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("visit of %s: error %v", id, err)
		}
		return nil
	})
	if err != nil || visits != len(strangers)+3 || len(missing) > 0 {
		t.Errorf("Walk: %d visits, error %v, not reported: %v", visits, err, missing)
	}
}
