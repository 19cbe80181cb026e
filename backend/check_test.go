package backend

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/files"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// blobFile returns the file of the only blob under a data directory.
func blobFile(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*.blob"))
	if err != nil || len(found) != 1 {
		t.Fatalf("blobs %v, error %v; want one", found, err)
	}
	return found[0]
}

func addBlob(t *testing.T, dir string) {
	t.Helper()
	s, err := files.Open(filepath.Join(dir, "blobs"), files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(background, 7)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("nothing"))
	if err := errors.Join(err, w.Commit(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func addDirtyMark(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, dirtyMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckReportsDamageToBlobs(t *testing.T) {
	const size = 200_000
	for _, test := range []struct {
		name    string
		damage  func(t *testing.T, dir string)
		deep    string // what a deep check says; empty where it finds nothing
		shallow bool   // whether a check that reads no blobs says so as well
		unswept int64
	}{
		{"nothing", func(*testing.T, string) {}, "", true, 0},
		{"a missing blob", func(t *testing.T, dir string) {
			if err := os.Remove(blobFile(t, dir)); err != nil {
				t.Fatal(err)
			}
		}, "is missing", true, 0},
		{"a blob too many", addBlob, "nothing refers to it", true, 0},
		{"a blob too many after a crash", func(t *testing.T, dir string) { addBlob(t, dir); addDirtyMark(t, dir) }, "", true, 1},
		{"a stranger's file", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "blobs", "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is no blob of this store", true, 0},
		{"a stranger's file after a crash, which no sweep deletes", func(t *testing.T, dir string) {
			addDirtyMark(t, dir)
			if err := os.WriteFile(filepath.Join(dir, "blobs", "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is no blob of this store", true, 0},
		{"a blob cut off at no block", cutTo(func(int64) int64 { return 43 }), "corrupt", true, 0},
		{"a blob cut off by a byte", cutTo(func(n int64) int64 { return n - 1 }), "has 199999 bytes, not 200000", true, 0},
		{"a blob cut off at a block", cutTo(func(int64) int64 { return 40 + 65_540 }), "has 65536 bytes, not 200000", true, 0},
		{"a flipped bit", func(t *testing.T, dir string) {
			path := blobFile(t, dir)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			content[100_000] ^= 4
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "corrupt", false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			f.put("k", noise(size, 1))
			f.finish()
			test.damage(t, f.options.Dir)
			for _, deep := range []bool{false, true} {
				report, err := Check(background, f.options.Dir, deep)
				if err != nil {
					t.Fatal(err)
				}
				said := slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, test.deep) })
				if want := test.deep != "" && (deep || test.shallow); want != said || want != (len(report.Problems) > 0) {
					t.Errorf("deep: %v, problems %q; want one with %q: %v", deep, report.Problems, test.deep, want)
				}
				if report.Unswept != test.unswept {
					t.Errorf("%d blobs to sweep, want %d", report.Unswept, test.unswept)
				}
			}
		})
	}
}

// cutTo cuts the file of the only blob.
func cutTo(to func(length int64) int64) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := blobFile(t, dir)
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, to(info.Size()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckOfNoStore(t *testing.T) {
	dir := t.TempDir()
	if _, err := Check(background, dir, false); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it has left %v, error %v", entries, err)
	}
}

func TestCheckCounts(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	if err := f.copy("k", "l"); err != nil {
		t.Fatal(err)
	}
	id := f.createUpload("up", meta.Upload{})
	f.part("up", id, 1, noise(500, 2))
	f.finish()
	report := f.check()
	report.Problems = nil
	want := CheckReport{Buckets: 1, Objects: 2, Uploads: 1, Blobs: 2, Bytes: 1500}
	if report.Buckets != want.Buckets || report.Objects != want.Objects || report.Uploads != want.Uploads ||
		report.Blobs != want.Blobs || report.Bytes != want.Bytes || report.Unswept != 0 {
		t.Errorf("%+v, want %+v", report, want)
	}
}

// soundRows are those of a bucket with an object of one blob and an upload with a part of another.
func soundRows() map[string]meta.Row {
	one, two := meta.BlobID{1}, meta.BlobID{2}
	usage := quota.Usage{Bytes: 10, Objects: 1, PartBytes: 5, Uploads: 1}
	return map[string]meta.Row{
		"bucket": meta.Bucket{Name: "b", Owner: "ada"},
		"object": meta.ObjectRow{Bucket: "b", Key: "k", Object: meta.Object{
			ObjectHead: meta.ObjectHead{Size: 10}, Segments: []meta.Segment{{Blob: one, Size: 10}},
		}},
		"upload": meta.Upload{Bucket: "b", Key: "up", ID: "id", PartBytes: 5},
		"part": meta.PartRow{Bucket: "b", Key: "up", Upload: "id", Part: meta.Part{
			Number: 1, Size: 5, Segments: []meta.Segment{{Blob: two, Size: 5}},
		}},
		"blob one": meta.BlobRow{Blob: one, Size: 10, References: 1},
		"blob two": meta.BlobRow{Blob: two, Size: 5, References: 1},
		"account":  quota.Account{Scope: bucketB, Usage: usage},
		"owner":    quota.Account{Scope: ownerAda, Usage: usage},
		"server":   quota.Account{Scope: quota.ServerScope, Usage: usage},
	}
}

// checkRows checks soundRows with others: these replace those of the same name, or come to them; a nil row is taken away.
func checkRows(t *testing.T, others map[string]meta.Row) *checker {
	t.Helper()
	rows := soundRows()
	for name, row := range others {
		if rows[name] = row; row == nil {
			delete(rows, name)
		}
	}
	c := newChecker(false)
	for _, first := range []bool{true, false} { // accounts and what of them is lost; all others in any order
		for _, row := range rows {
			_, account := row.(quota.Account)
			corrupt, _ := row.(meta.CorruptRow)
			if (account || corrupt.Lost == meta.LostUsage) != first {
				continue
			}
			if err := c.row(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.blob(blob.Ref{ID: blob.ID{1}, Size: 10}, nil)
	c.blob(blob.Ref{ID: blob.ID{2}, Size: 5}, nil)
	c.compareUsage()
	c.compareBlobs()
	return c
}

func TestCheckReportsRowsThatContradictEachOther(t *testing.T) {
	for _, test := range []struct {
		name string
		rows map[string]meta.Row // as checkRows takes them
		want string
	}{
		{"sound rows", nil, ""},
		{"usage of a bucket that is wrong", map[string]meta.Row{
			"account": quota.Account{Scope: bucketB, Usage: quota.Usage{Bytes: 11, Objects: 1, PartBytes: 5, Uploads: 1}},
		}, `Bucket "b": usage is {Bytes:11 Objects:1 PartBytes:5 Uploads:1 Noncurrent:0 Markers:0}, a recount gives {Bytes:10`},
		{
			"usage of the server that is wrong",
			map[string]meta.Row{"server": quota.Account{Scope: quota.ServerScope}},
			"The server: usage is {Bytes:0 Objects:0 PartBytes:0 Uploads:0 Noncurrent:0 Markers:0}, a recount gives {Bytes:10",
		},
		{
			"usage of an owner that is wrong",
			map[string]meta.Row{"owner": quota.Account{Scope: ownerAda}},
			`User "ada": usage is {Bytes:0 Objects:0 PartBytes:0 Uploads:0 Noncurrent:0 Markers:0}, a recount gives {Bytes:10`,
		},
		{"an owner who has another's bucket counted", map[string]meta.Row{
			"bucket": meta.Bucket{Name: "b", Owner: "bob"}, "more": quota.Account{Scope: quota.OwnerScope("bob")},
		}, `User "bob": usage is {Bytes:0`},
		{"an owner without a bucket, who has a limit", map[string]meta.Row{
			"more": quota.Account{Scope: quota.OwnerScope("bob"), Limit: quota.Limit{MaxBytes: 1}},
		}, ""},
		{"usage of an owner that is missing", map[string]meta.Row{"owner": nil}, `User "ada" has no usage row`},
		{"a prefix", map[string]meta.Row{
			"more": quota.Account{Scope: quota.PrefixScope("b", "k"), Usage: quota.Usage{Bytes: 10, Objects: 1}},
		}, ""},
		{"usage of a prefix that is wrong", map[string]meta.Row{
			"more": quota.Account{Scope: quota.PrefixScope("b", "u"), Usage: quota.Usage{PartBytes: 4, Uploads: 1}},
		}, `Prefix "u" of bucket "b": usage is {Bytes:0 Objects:0 PartBytes:4`},
		{"a prefix with nothing under it", map[string]meta.Row{"more": quota.Account{Scope: quota.PrefixScope("b", "l")}}, ""},
		{"a prefix that is being counted", map[string]meta.Row{
			"more": quota.Account{Scope: quota.PrefixScope("b", "k"), Counting: true, CountedTo: "j"},
		}, ""},
		{"a prefix that is counted up to a key", map[string]meta.Row{
			"more": quota.Account{Scope: quota.PrefixScope("b", "k"), Counting: true, CountedTo: "k"},
		}, `Prefix "k" of bucket "b": usage is {Bytes:0 Objects:0 PartBytes:0 Uploads:0 Noncurrent:0 Markers:0}, a recount gives {Bytes:10`},
		{"a prefix of no bucket", map[string]meta.Row{
			"more": quota.Account{Scope: quota.PrefixScope("c", "k")},
		}, "which does not exist"},
		{"usage that is missing", map[string]meta.Row{"account": nil}, "has no usage row"},
		{"usage of no bucket", map[string]meta.Row{"more": quota.Account{Scope: quota.BucketScope("c")}}, "which does not exist"},
		{"objects of no bucket", map[string]meta.Row{"bucket": nil}, "which does not exist"},
		{"a version that is noncurrent", map[string]meta.Row{
			"object": meta.ObjectRow{Bucket: "b", Key: "k", Noncurrent: true, Object: meta.Object{
				ObjectHead: meta.ObjectHead{Size: 10}, Segments: []meta.Segment{{Blob: meta.BlobID{1}, Size: 10}},
			}},
		}, "a recount gives {Bytes:10 Objects:1 PartBytes:5 Uploads:1 Noncurrent:1 Markers:0}"},
		{"a delete marker that is not counted", map[string]meta.Row{
			"more": meta.MarkerRow{Bucket: "b", Key: "l"},
		}, "a recount gives {Bytes:10 Objects:1 PartBytes:5 Uploads:1 Noncurrent:0 Markers:1}"},
		{"a configuration of no bucket", map[string]meta.Row{
			"more": meta.ConfigRow{Bucket: "c"},
		}, `rows of bucket "c", which does not exist`},
		{"a record", map[string]meta.Row{"more": meta.Record{Kind: "user", Name: "ada"}}, ""},
		{"a blob that is stored with more bytes than its object has", map[string]meta.Row{
			"object": meta.ObjectRow{Bucket: "b", Key: "k", Object: meta.Object{
				ObjectHead: meta.ObjectHead{Size: 10}, Segments: []meta.Segment{{Blob: meta.BlobID{1}, Size: 10, Stored: 26}},
			}},
		}, "blob 01"},
		{"a reference too many", map[string]meta.Row{
			"blob one": meta.BlobRow{Blob: meta.BlobID{1}, Size: 10, References: 2},
		}, "has 1 references, its row says 2"},
		{"references that are missing", map[string]meta.Row{"blob one": nil}, "has 1 references, its row says 0"},
		{"references from nothing", map[string]meta.Row{
			"more": meta.BlobRow{Blob: meta.BlobID{3}, Size: 1, References: 1},
		}, "has 0 references, its row says 1"},
		{"a blob of another size", map[string]meta.Row{
			"blob one": meta.BlobRow{Blob: meta.BlobID{1}, Size: 9, References: 1},
		}, "blob 01"},
		{"an object of another size", map[string]meta.Row{
			"object": meta.ObjectRow{Bucket: "b", Key: "k", Object: meta.Object{
				ObjectHead: meta.ObjectHead{Size: 11}, Segments: []meta.Segment{{Blob: meta.BlobID{1}, Size: 10}},
			}},
		}, "its size and its segments differ by 1 bytes"},
		{
			"garbage that is referred to",
			map[string]meta.Row{"more": meta.GarbageRow{Blob: meta.BlobID{1}}},
			"is referred to and listed as garbage",
		},
		{"parts of no upload", map[string]meta.Row{"upload": nil}, "parts of upload id, which does not exist"},
		{"an upload with other parts", map[string]meta.Row{
			"upload": meta.Upload{Bucket: "b", Key: "up", ID: "id", PartBytes: 6},
		}, "its row says 6 bytes of parts, a recount gives 5"},
		{"a row that cannot be read", map[string]meta.Row{
			"more": meta.CorruptRow{Table: "objects", Key: []byte("k"), Err: meta.ErrCorrupt},
		}, `table objects, key "k": corrupt metadata`},
		{"a limit that cannot be read", map[string]meta.Row{
			"more": meta.CorruptRow{Table: "limits", Err: meta.ErrCorrupt, Lost: meta.LostLimit, Scope: bucketB},
		}, `Bucket "b": its limit cannot be read, and nothing else tells it`},
		{"usage that cannot be read", map[string]meta.Row{
			"account": meta.CorruptRow{Table: "usage", Err: meta.ErrCorrupt, Lost: meta.LostUsage, Scope: bucketB},
		}, `Bucket "b" has no usage row that can be read, a recount gives {Bytes:10`},
		{"a row of an unknown kind", map[string]meta.Row{"more": 7}, "unknown kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := checkRows(t, test.rows)
			said := slices.ContainsFunc(c.report.Problems, func(p string) bool { return strings.Contains(p, test.want) })
			if (test.want != "") != said || (test.want == "") != (len(c.report.Problems) == 0) {
				t.Errorf("problems %q, want one with %q", c.report.Problems, test.want)
			}
		})
	}
}
