package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const smallBytes = 16 << 10

var someID = ID{1, 2, 3, 15: 16}

func options() Options {
	return Options{ID: someID, Sync: true, Bytes: smallBytes, FileSystem: Disk{}}
}

// created makes a journal and returns the path of its database.
func created(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	if err := Create(path, options()); err != nil {
		t.Fatal(err)
	}
	return path
}

// replayed opens a journal and returns it with what Replay visits, a line for each row.
func replayed(path string, after uint64, o Options) (*Journal, []string, error) {
	j, err := Open(path, o)
	if err != nil {
		return nil, nil, err
	}
	var lines []string
	err = j.Replay(after, func(file int, sequence uint64, row Row) {
		line := fmt.Sprintf("%d %d: %d %q", file, sequence, row.Table, row.Key)
		if !row.Deleted {
			line += fmt.Sprintf(" = %q", row.Value)
		}
		lines = append(lines, line)
	})
	if err != nil {
		return nil, nil, errors.Join(err, j.Close())
	}
	return j, lines, nil
}

func mustReplay(t *testing.T, path string, after uint64, want ...string) *Journal {
	t.Helper()
	j, lines, err := replayed(path, after, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	if !slices.Equal(lines, want) {
		t.Fatalf("after %d:\n%s\nwant\n%s", after, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	return j
}

func record(key, value string) *Record {
	var r Record
	r.Reset()
	r.Put(3, []byte(key), []byte(value))
	return &r
}

func mustAppend(t *testing.T, j *Journal, records ...*Record) {
	t.Helper()
	for _, r := range records {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplay(t *testing.T) {
	path := created(t)
	j := mustReplay(t, path, 0)
	many := record("a", "1")
	many.Delete(4, []byte("b\x00"))
	many.Put(255, nil, nil)
	mustAppend(t, j, many, record("c", "3"))
	all := []string{`0 1: 3 "a" = "1"`, `0 1: 4 "b\x00"`, `0 1: 255 "" = ""`, `0 2: 3 "c" = "3"`}
	mustReplay(t, path, 0, all...)
	j = mustReplay(t, path, 1, all[3])
	if j.Last() != 2 {
		t.Errorf("the last record is %d", j.Last())
	}
	j.Switch()
	mustAppend(t, j, record("d", "4"))
	mustReplay(t, path, 0, append(all, `1 3: 3 "d" = "4"`)...)
	j = mustReplay(t, path, 2, `1 3: 3 "d" = "4"`)
	j.Switch() // the first file begins anew, over what is in it
	mustAppend(t, j, record("e", "5"))
	mustReplay(t, path, 2, `1 3: 3 "d" = "4"`, `0 4: 3 "e" = "5"`)
	mustReplay(t, path, 3, `0 4: 3 "e" = "5"`)
	j = mustReplay(t, path, 4)
	mustAppend(t, j, record("f", "6"))
	mustReplay(t, path, 4, `0 5: 3 "f" = "6"`)
}

// TestLap goes round both files with records of many sizes, and finds in them what is not forgotten.
func TestLap(t *testing.T) {
	path := created(t)
	j := mustReplay(t, path, 0)
	var flushed, frozen uint64
	var kept []string
	for i := range 300 {
		r := record(fmt.Sprint(i), strings.Repeat("v", i*7%1500))
		if !j.Fits(r) {
			kept = slices.DeleteFunc(kept, func(line string) bool {
				return strings.HasPrefix(line, fmt.Sprint(1-j.active))
			})
			flushed, frozen = frozen, j.Last()
			j.Switch()
		}
		mustAppend(t, j, r)
		kept = append(kept, fmt.Sprintf("%d %d: 3 %q = %q", j.active, j.Last(), fmt.Sprint(i), strings.Repeat("v", i*7%1500)))
		if i%10 == 0 {
			j = mustReplay(t, path, flushed, kept...)
		}
	}
	if flushed == 0 {
		t.Error("the files were not filled")
	}
}

// TestLargeRecord appends a record that no file has room for. The file is as small as ever when it begins anew.
func TestLargeRecord(t *testing.T) {
	path := created(t)
	j := mustReplay(t, path, 0)
	large := record("large", strings.Repeat("x", 3*smallBytes))
	if !j.Fits(large) {
		t.Error("an empty file takes no large record")
	}
	mustAppend(t, j, large)
	if j.Fits(record("k", "")) {
		t.Error("a file that has grown takes more")
	}
	mustReplay(t, path, 0, fmt.Sprintf(`0 1: 3 "large" = %q`, strings.Repeat("x", 3*smallBytes)))
	j.Switch()
	mustAppend(t, j, record("k", ""))
	j.Switch()
	if info, err := os.Stat(Path(path, 0)); err != nil || info.Size() != smallBytes {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}

// damaged writes content as the first file of a journal and replays it.
func damaged(t *testing.T, path string, content []byte) ([]string, error) {
	t.Helper()
	if err := os.WriteFile(Path(path, 0), content, 0o600); err != nil {
		t.Fatal(err)
	}
	j, lines, err := replayed(path, 0, options())
	if err == nil {
		err = j.Close()
	}
	return lines, err
}

// TestTornTail cuts the last record at every byte, with zeros, an old record or nothing behind the cut: the records
// before it are found, and the journal goes on behind them.
func TestTornTail(t *testing.T) {
	path := created(t)
	j := mustReplay(t, path, 0)
	mustAppend(t, j, record("a", "1"), record("b", "2"))
	start := j.files[0].end
	mustAppend(t, j, record("c", "3"))
	end := j.files[0].end
	whole, err := os.ReadFile(Path(path, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`0 1: 3 "a" = "1"`, `0 2: 3 "b" = "2"`}
	// The padding is zeros, and may be missing.
	payload := start + headerBytes + int64(len(record("c", "3").buffer)-headerBytes)
	for cut := start; cut < payload; cut++ {
		for name, rest := range map[string][]byte{
			"nothing": nil, "zeros": make([]byte, smallBytes-cut), "other bytes": bytes.Repeat([]byte{0xa5}, smallBytes-int(cut)),
		} {
			lines, err := damaged(t, path, append(slices.Clone(whole[:cut]), rest...))
			if err != nil || !slices.Equal(lines, want) {
				t.Fatalf("cut at %d of %d to %d, %s behind it: %q, %v", cut, start, end, name, lines, err)
			}
		}
	}
	j = mustReplay(t, path, 0, want...)
	mustAppend(t, j, record("d", "4"))
	mustReplay(t, path, 0, append(want, `0 3: 3 "d" = "4"`)...)
}

// TestFlippedBits flips every bit of three records: the last may be torn, of the others the damage is found.
func TestFlippedBits(t *testing.T) {
	path := created(t)
	j := mustReplay(t, path, 0)
	var starts []int64
	for i := range 3 {
		starts = append(starts, j.files[0].end)
		mustAppend(t, j, record(fmt.Sprint("key", i), fmt.Sprint("value", i)))
	}
	end := j.files[0].end
	whole, err := os.ReadFile(Path(path, 0))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(len(record("key0", "value0").buffer))
	for at := starts[0]; at < end; at++ {
		number := (at - starts[0]) / (starts[1] - starts[0])
		if at-starts[number] >= size {
			continue // the padding
		}
		for bit := range 8 {
			content := slices.Clone(whole)
			content[at] ^= 1 << bit
			lines, err := damaged(t, path, content)
			switch {
			case number < 2 && (!errors.Is(err, meta.ErrCorrupt) || !strings.Contains(err.Error(), Path(path, 0))):
				t.Fatalf("byte %d, bit %d: %q, %v", at, bit, lines, err)
			case number == 2 && (err != nil || len(lines) != 2):
				t.Fatalf("byte %d, bit %d of the last record: %q, %v", at, bit, lines, err)
			}
		}
	}
}

// TestOpenRefuses takes files away, and puts the wrong ones in their place.
func TestOpenRefuses(t *testing.T) {
	other := options()
	other.ID = ID{9}
	for _, test := range []struct {
		name  string
		after uint64
		spoil func(t *testing.T, path string) error
		text  string
	}{
		{"missing file", 0, func(_ *testing.T, path string) error { return os.Remove(Path(path, 1)) }, "missing"},
		{"empty file", 0, func(_ *testing.T, path string) error { return os.Truncate(Path(path, 0), 0) }, "header"},
		{"swapped files", 0, func(_ *testing.T, path string) error {
			return errors.Join(os.Rename(Path(path, 0), path+".x"), os.Rename(Path(path, 1), Path(path, 0)),
				os.Rename(path+".x", Path(path, 1)))
		}, "another store"},
		{"another store's", 0, func(t *testing.T, path string) error {
			elsewhere := filepath.Join(t.TempDir(), "db")
			return errors.Join(Create(elsewhere, other), os.Rename(Path(elsewhere, 0), Path(path, 0)))
		}, "another store"},
		{"an older database", 1, nil, ""},
		{"a database that is too old", 0, func(_ *testing.T, path string) error {
			return os.Truncate(Path(path, 0), firstRecord)
		}, "record 1 is expected, and 3 is the first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := created(t)
			j := mustReplay(t, path, 0)
			mustAppend(t, j, record("a", "1"), record("b", "2"))
			j.Switch()
			mustAppend(t, j, record("c", "3"))
			if test.spoil != nil {
				if err := test.spoil(t, path); err != nil {
					t.Fatal(err)
				}
			}
			j, _, err := replayed(path, test.after, options())
			if err == nil {
				err = j.Close()
			}
			if test.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, meta.ErrCorrupt) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want one with %q", err, test.text)
			}
		})
	}
}

// TestCreate replaces what an interrupted attempt has left, and nothing else.
func TestCreate(t *testing.T) {
	path := created(t)
	if err := os.Truncate(Path(path, 1), 10); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, options()); err != nil {
		t.Error(err)
	}
	mustAppend(t, mustReplay(t, path, 0), record("a", "1"))
	if err := Create(path, options()); !errors.Is(err, meta.ErrCorrupt) {
		t.Errorf("Create over records: %v", err)
	}
}

// faulty is a file system that fails when it is told to.
type faulty struct {
	Disk
	fail map[string]error // by operation
}

func (f *faulty) Open(path string) (File, error) {
	file, err := f.Disk.Open(path)
	return faultyFile{file, f}, err
}

type faultyFile struct {
	File
	system *faulty
}

func (f faultyFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.system.fail["write"]; err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], at)
		return n, err
	}
	return f.File.WriteAt(p, at)
}

func (f faultyFile) Sync() error { return errors.Join(f.system.fail["sync"], f.File.Sync()) }

func (f faultyFile) Preallocate(bytes int64) error {
	if err := f.system.fail["preallocate"]; err != nil {
		return err
	}
	return f.File.Preallocate(bytes)
}

// TestFailedAppend has each operation fail: nothing of the record is found, then or later, and the journal goes on as soon
// as it can be certain of that.
func TestFailedAppend(t *testing.T) {
	for _, operation := range []string{"write", "sync", "preallocate"} {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
			t.Run(fmt.Sprintf("%s/%v", operation, cause), func(t *testing.T) {
				path := created(t)
				o, system := options(), &faulty{fail: make(map[string]error)}
				o.FileSystem = system
				j, _, err := replayed(path, 0, o)
				if err != nil {
					t.Fatal(err)
				}
				defer j.Close()
				mustAppend(t, j, record("a", "1"))
				system.fail[operation] = cause
				for range 2 {
					if err := j.Append(record("lost", strings.Repeat("x", smallBytes))); !errors.Is(err, cause) {
						t.Fatal(err)
					}
				}
				delete(system.fail, operation)
				if j.torn > 0 && j.Last() != 2 {
					t.Errorf("the last record that may be there is %d", j.Last())
				}
				if err := j.Mend(); err != nil || j.Last() != 1 {
					t.Errorf("the last record is %d, %v", j.Last(), err)
				}
				mustReplay(t, path, 0, `0 1: 3 "a" = "1"`)
				mustAppend(t, j, record("b", "2"))
				mustReplay(t, path, 0, `0 1: 3 "a" = "1"`, `0 2: 3 "b" = "2"`)
			})
		}
	}
}

// FuzzRecord checks that what decodes as rows encodes to the same bytes, and that a record is found where it begins and
// nowhere else.
func FuzzRecord(f *testing.F) {
	r := record("key", "value")
	r.Delete(4, []byte("other"))
	r.Put(5, nil, nil)
	whole, err := r.finish(someID, 7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[headerBytes:])
	f.Add(whole)
	f.Add([]byte{})
	f.Add([]byte{1, 0x80, 0, 1})
	f.Add(bytes.Repeat([]byte(recordMagic), 10))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again Record
		again.Reset()
		if err := Rows(b, func(row Row) {
			if row.Deleted {
				again.Delete(row.Table, row.Key)
			} else {
				again.Put(row.Table, row.Key, row.Value)
			}
		}); err == nil && !bytes.Equal(again.buffer[headerBytes:], b) {
			t.Fatalf("%x is encoded as %x", b, again.buffer[headerBytes:])
		}
		if _, _, ok := decode(ID{9}, b); ok {
			t.Fatalf("%x is a record", b)
		}
		r := Record{buffer: append(make([]byte, headerBytes), b...)}
		whole, err := r.finish(someID, 5)
		if err != nil {
			t.Fatal(err)
		}
		sequence, payload, ok := decode(someID, append(whole, b...))
		if !ok || sequence != 5 || !bytes.Equal(payload, b) {
			t.Fatalf("%d, %x, %t", sequence, payload, ok)
		}
		if got := search(someID, append(make([]byte, 16), whole...), 4); got != 5 {
			t.Fatalf("record %d is found", got)
		}
	})
}
