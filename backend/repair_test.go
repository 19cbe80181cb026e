package backend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt"
)

// rowsOf returns the rows of the blobs of a closed store, and replaces those that change returns.
func rowsOf(t *testing.T, dir string, change func([]meta.BlobRow) []meta.BlobRow) []meta.BlobRow {
	t.Helper()
	repository, err := bolt.Open(filepath.Join(dir, "meta.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := repository.ScanBlobs(background, meta.BlobID{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		if _, err := repository.Commit(background, []meta.Mutation{
			meta.RestoreBlobs{Rows: change(slices.Clone(rows))},
		}); err != nil {
			t.Error(err)
		}
	}
	if err := repository.Close(); err != nil {
		t.Error(err)
	}
	return rows
}

// each changes every row.
func each(change func(*meta.BlobRow)) func([]meta.BlobRow) []meta.BlobRow {
	return func(rows []meta.BlobRow) []meta.BlobRow {
		for i := range rows {
			change(&rows[i])
		}
		return rows
	}
}

// A store whose rows of blobs are lost or wrong is repaired from what the packs and the files know, and from what refers
// to them.
func TestRepair(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func([]meta.BlobRow) []meta.BlobRow
		want   string // a problem before
		blobs  int64  // that are repaired
	}{
		{"nothing is wrong", nil, "", 0},
		{"lost rows", each(func(r *meta.BlobRow) { r.References = 0 }), "its row says 0", 4},
		{"places of no pack", each(func(r *meta.BlobRow) { r.Place = 77 << 32 }), "is missing", 4},
		{"no places", each(func(r *meta.BlobRow) { r.Place = 0 }), "is missing", 3},
		{"wrong references", each(func(r *meta.BlobRow) { r.References += 3 }), "references, its row says", 4},
		{"wrong sizes", each(func(r *meta.BlobRow) { r.Size++ }), "bytes", 4},
		{"places of each other", func(rows []meta.BlobRow) []meta.BlobRow {
			var packed []*meta.BlobRow
			for i := range rows {
				if rows[i].Place != 0 {
					packed = append(packed, &rows[i])
				}
			}
			packed[0].Place, packed[1].Place = packed[1].Place, packed[0].Place
			return rows
		}, "is missing", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			f.put("one", noise(1000, 1))
			f.put("two", noise(2000, 2))
			f.put("large", noise(300_000, 3)) // in a file
			if err := f.copy("one", "copy"); err != nil {
				t.Fatal(err)
			}
			id := f.createUpload("up", meta.Upload{})
			f.part("up", id, 1, noise(500, 4))
			f.put("dead", noise(100, 5))
			f.delete("dead")
			f.finish()
			dir := f.options.Dir
			before := rowsOf(t, dir, test.change)

			report, err := Check(background, dir, false)
			if err != nil {
				t.Fatal(err)
			}
			said := slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, test.want) })
			if said != (test.want != "") || report.Repairable != test.blobs || report.Repaired != 0 {
				t.Errorf("before: %+v, want %d blobs to be repaired, and a problem with %q", report, test.blobs, test.want)
			}
			report, err = Repair(background, dir, true)
			if err != nil || len(report.Problems) > 0 || report.Repaired != test.blobs || report.Repairable != 0 {
				t.Errorf("the repair: %+v, error %v; want %d blobs to be repaired", report, err, test.blobs)
			}
			if report.DeadBlobs != 1 || report.DeadBytes != 100 || report.DeadDamaged != 0 {
				t.Errorf("%+v, want one dead blob of 100 bytes", report)
			}
			if after := rowsOf(t, dir, nil); !slices.Equal(after, before) {
				t.Errorf("rows %+v, want %+v", after, before)
			}
			again := openWith(t, f.options)
			for key, content := range map[meta.Key][]byte{
				"one": noise(1000, 1), "two": noise(2000, 2), "large": noise(300_000, 3), "copy": noise(1000, 1),
			} {
				again.wantContent(key, content)
			}
		})
	}
}

// What is not there is not repaired, and what is has no row made up for it.
func TestRepairOfWhatIsLost(t *testing.T) {
	f := open(t)
	f.put("one", noise(1000, 1))
	f.put("two", noise(1001, 2))
	f.finish()
	damagePack(t, f.options.Dir, 600) // within the bytes of the first
	before := rowsOf(t, f.options.Dir, each(func(r *meta.BlobRow) { r.References = 0 }))
	report, err := Repair(background, f.options.Dir, false)
	if err != nil || report.Repaired != 1 || len(report.Problems) != 2 {
		t.Errorf("%+v, error %v; want one blob to be repaired, and two problems of the other", report, err)
	}
	after := rowsOf(t, f.options.Dir, nil)
	if len(after) != 1 || !slices.Contains(before, after[0]) || after[0].Size != 1001 {
		t.Errorf("rows %+v, want that of the second of %+v", after, before)
	}
}

// A deep check reads what is dead in the packs, too, and takes no offence at its damage.
func TestCheckReadsDeadRecords(t *testing.T) {
	f := open(t)
	f.put("dead", noise(1000, 1))
	f.put("k", noise(1000, 2))
	f.delete("dead")
	f.finish()
	damagePack(t, f.options.Dir, 600)
	for _, deep := range []bool{false, true} {
		report, err := Check(background, f.options.Dir, deep)
		want := int64(0)
		if deep {
			want = 1
		}
		if err != nil || len(report.Problems) > 0 || report.DeadDamaged != want || report.DeadBlobs != 1 {
			t.Errorf("deep %v: %+v, error %v; want %d damaged", deep, report, err, want)
		}
	}
}

// A blob that is referred to and listed as garbage would be deleted at the next start.
func TestFindRestorableSavesGarbage(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	refs := f.blobRefs()
	c := newChecker(false)
	id := meta.BlobID(refs[0].ID)
	row := meta.BlobRow{Blob: id, Size: 1000, References: 1, Place: uint64(refs[0].Place)}
	for _, r := range []meta.Row{
		row,
		meta.GarbageRow{Blob: id},
		meta.ObjectRow{Bucket: "b", Key: "k", Object: meta.Object{
			ObjectHead: meta.ObjectHead{Size: 1000}, Segments: []meta.Segment{{Blob: id, Size: 1000}},
		}},
	} {
		if err := c.row(r); err != nil {
			t.Fatal(err)
		}
	}
	c.blob(blob.Ref{ID: refs[0].ID, Size: 1000, Place: refs[0].Place}, nil)
	c.findRestorable(background, f.blobs)
	if !slices.Equal(c.restorable, []meta.BlobRow{row}) {
		t.Errorf("to be restored: %+v, want %+v", c.restorable, row)
	}
}

// damagePack flips a bit of the only pack.
func damagePack(t *testing.T, dir string, at int64) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "packs", "*.pack"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packs %v, error %v; want one", found, err)
	}
	content, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	content[at] ^= 4
	if err := os.WriteFile(found[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
}
