package packs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

const firstPack = "packs/00000001.pack"

// TestTornTail cuts an unsealed pack at every byte of its last two records, with zeros or nothing behind the cut. What
// is whole is read, the rest is gone, and the pack goes on.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	options := Options{PackBytes: 4096}
	s := openIn(t, dir, options, diskFileSystem{})
	defer mustClose(t, s)
	var refs []blob.Ref
	var contents [][]byte
	for i, size := range []int{100, 0, 33, 71} {
		contents = append(contents, blobtest.Bytes(uint64(i), size))
		refs = append(refs, mustPut(t, s, contents[i]))
	}
	ends := make([]int64, len(refs))
	for i, ref := range refs {
		_, offset := splitPlace(ref.Place)
		ends[i] = offset + int64(recordBytes(int(ref.Size)))
	}
	whole, err := os.ReadFile(filepath.Join(dir, firstPack))
	if err != nil {
		t.Fatal(err)
	}
	for cut := ends[1]; cut <= ends[3]; cut++ {
		for _, zeros := range []bool{false, true} {
			torn := bytes.Clone(whole[:cut])
			if zeros {
				torn = append(torn, make([]byte, len(whole)-int(cut))...)
			}
			copied := copyDir(t, dir)
			if err := os.WriteFile(filepath.Join(copied, firstPack), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			again := openIn(t, copied, options, diskFileSystem{})
			for i, ref := range refs {
				// The padding at the end of a record is zeros too, and may be missing.
				switch got, err := get(again, ref); {
				case err == nil && !bytes.Equal(got, contents[i]):
					t.Fatalf("cut at %d: blob %d is served otherwise", cut, i)
				case err != nil && ends[i] <= cut, err == nil && !zeros && ends[i] > cut:
					t.Fatalf("cut at %d of %d: blob %d: %v", cut, ends[i], i, err)
				}
			}
			if _, damaged := walk(t, again); len(damaged) > 0 {
				t.Fatalf("cut at %d: Walk finds damage at %v", cut, damaged)
			}
			if again.resume == nil {
				t.Fatalf("cut at %d: the pack does not go on", cut)
			}
			next := mustPut(t, again, []byte("next"))
			wantContent(t, again, next, []byte("next"))
			if number, _ := splitPlace(next.Place); number != 1 {
				t.Fatalf("cut at %d: the next blob is in pack %d", cut, number)
			}
			mustClose(t, again)
		}
	}
}

// TestFlippedBytes changes every byte of a pack, sealed and not. It is never served, and found by Walk or by Verify,
// except for zeros behind the last record; and it hides no other blob.
func TestFlippedBytes(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		dir := t.TempDir()
		options := Options{PackBytes: 1024}
		s := openIn(t, dir, options, diskFileSystem{})
		var refs []blob.Ref
		var contents [][]byte
		for i, size := range []int{50, 0, 7, 120, 1} {
			contents = append(contents, blobtest.Bytes(uint64(i), size))
			refs = append(refs, mustPut(t, s, contents[i]))
		}
		_, last := splitPlace(refs[4].Place)
		end := int(last) + recordBytes(1)
		if sealed {
			mustClose(t, s)
			s = openIn(t, dir, options, diskFileSystem{})
		}
		path := filepath.Join(dir, firstPack)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := range end {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << (at % 8)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			found, places := walk(t, s)
			bad := len(places)
			for i, ref := range refs {
				_, start := splitPlace(ref.Place)
				hit := at >= int(start) && at < int(start)+recordBytes(int(ref.Size))
				got, err := get(s, ref)
				switch {
				case err == nil && !bytes.Equal(got, contents[i]):
					t.Fatalf("byte %d: blob %d is served otherwise", at, i)
				case hit != errors.Is(err, blob.ErrCorrupt):
					t.Fatalf("byte %d: blob %d: %v, was hit: %v", at, i, err, hit)
				case !hit && !found[ref]:
					t.Fatalf("byte %d: Walk does not find blob %d", at, i)
				}
				if err := s.Verify(background, ref); err != nil {
					bad++
				}
			}
			if bad == 0 {
				t.Fatalf("byte %d: nobody notices", at)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
	}
}

// TestRecoveryKeepsDamage: damage to what was durable is still damage after a crash, and the blobs around it are there;
// a gap in what was being written when the machine stopped is not.
func TestRecoveryKeepsDamage(t *testing.T) {
	for _, test := range []struct {
		name    string
		victim  int
		damaged int
	}{{"durable", 1, 1}, {"torn", 3, 0}} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openIn(t, dir, Options{Sync: true, PackBytes: 4096}, diskFileSystem{})
			defer mustClose(t, s)
			var refs []blob.Ref
			for i := range 5 {
				refs = append(refs, mustCommit(t, s, blobtest.Bytes(uint64(i), 100)))
				if i == 2 || i == 4 {
					if err := s.Sync(background, refs); err != nil {
						t.Fatal(err)
					}
				}
			}
			copied := copyDir(t, dir)
			path := filepath.Join(copied, firstPack)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, offset := splitPlace(refs[test.victim].Place)
			clear(whole[offset : offset+100])
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				again := openIn(t, copied, Options{Sync: true, PackBytes: 4096}, diskFileSystem{})
				found, damaged := walk(t, again)
				if len(found) != 4 || len(damaged) != test.damaged {
					t.Errorf("Walk finds %d records and damage at %v", len(found), damaged)
				}
				if err := again.Verify(background, refs[test.victim]); !errors.Is(err, blob.ErrCorrupt) {
					t.Errorf("Verify: %v", err)
				}
				mustClose(t, again)
			}
		})
	}
}

// TestCopyOfPackInside stores a pack as a blob and then damages the header before it: what is in the copy is not taken
// for records.
func TestCopyOfPackInside(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir, Options{PackBytes: 1 << 20}, diskFileSystem{})
	defer mustClose(t, s)
	for i := range 5 {
		mustPut(t, s, blobtest.Bytes(uint64(i), 200))
	}
	path := filepath.Join(dir, firstPack)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inside := mustPut(t, s, whole[:1400])
	after := mustPut(t, s, []byte("after"))
	if whole, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	_, offset := splitPlace(inside.Place)
	whole[offset] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	found, damaged := walk(t, s)
	if len(found) != 6 || !found[after] || len(damaged) != 1 || damaged[0].Place != inside.Place {
		t.Errorf("Walk finds %v, and damage at %v", found, damaged)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir, Options{}, diskFileSystem{})
	mustPut(t, s, []byte("x"))
	mustClose(t, s)
	path := filepath.Join(dir, firstPack)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	putNewerPackHeader(whole)
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "packs"), s.large, Options{}); !errors.Is(err, errFormat) {
		t.Errorf("Open: %v", err)
	}
}

// memory is a file that is not on a disk.
type memory struct {
	file
	p []byte
}

func (m memory) readAt(p []byte, offset int64) (int, error) {
	if offset >= int64(len(m.p)) {
		return 0, nil
	}
	return copy(p, m.p[offset:]), nil
}

// FuzzScan: a scan of anything ends, and what it takes for a record lies within the file, behind the one before, and
// is a record when it is read alone.
func FuzzScan(f *testing.F) {
	dir := f.TempDir()
	s := openIn(f, dir, Options{PackBytes: 2048}, diskFileSystem{})
	for i := range 4 {
		mustPut(f, s, blobtest.Bytes(uint64(i), i*30))
	}
	mustClose(f, s)
	whole, err := os.ReadFile(filepath.Join(dir, firstPack))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, true)
	f.Add(whole[:200], false)
	f.Add(append(bytes.Clone(whole[:60]), whole...), true)
	f.Add([]byte{}, false)
	f.Add(bytes.Repeat([]byte("plmBplmFplmE"), 50), true)
	f.Fuzz(func(t *testing.T, p []byte, recovering bool) {
		at := int64(packHeaderBytes)
		end, err := scan(memory{p: p}, 1, at, int64(len(p)), recovering, func(one found) error {
			if one.offset != at || one.bytes <= 0 || one.offset+one.bytes > int64(len(p)) {
				t.Fatalf("%d bytes at %d after %d of %d", one.bytes, one.offset, at, len(p))
			}
			at = one.offset + one.bytes
			if one.kind != kindBlob || one.damaged {
				return nil
			}
			err := checkRecord(p[one.offset:at], one.ref(1))
			if recovering && err != nil {
				t.Fatalf("record at %d: %v", one.offset, err)
			}
			return nil
		})
		if err != nil || end > max(at, int64(packHeaderBytes)) {
			t.Fatalf("end %d, %v", end, err)
		}
	})
}

func putNewerPackHeader(p []byte) {
	binary.BigEndian.PutUint32(p[8:], formatVersion+1)
	binary.BigEndian.PutUint32(p[28:], crc32.Checksum(p[:28], castagnoli))
}
