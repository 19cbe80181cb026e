package backend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt"
	"github.com/plimsoll/plimsoll/quota"
)

// usageRow returns a row of usage as it is in meta.db: its key, and behind it the value up to the checksum.
func usageRow(key string, u quota.Usage) (row []byte) {
	row = append([]byte(key), 1)
	for _, figure := range []int64{u.Bytes, u.Objects, u.PartBytes, u.Uploads, u.Noncurrent, u.Markers} {
		row = binary.AppendUvarint(row, uint64(figure))
	}
	return row
}

// damageRow replaces a row in the metadata of a closed store, which is found by how it begins.
func damageRow(t *testing.T, dir string, row, by []byte) {
	t.Helper()
	path := filepath.Join(dir, "meta.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, row) || len(row) != len(by) {
		t.Fatalf("no row %q in %s to be replaced by %q", row, path, by)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(content, row, by), 0o600); err != nil { // in pages of old, too
		t.Fatal(err)
	}
}

// flipAt returns a copy with one bit flipped.
func flipAt(row []byte, at int) []byte {
	row = bytes.Clone(row)
	row[at] ^= 1
	return row
}

// stateUsage makes rows of usage wrong.
func stateUsage(t *testing.T, dir string, accounts ...quota.Account) {
	t.Helper()
	repository, err := bolt.Open(filepath.Join(dir, "meta.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := repository.Commit(background, []meta.Mutation{meta.RestoreUsage{Accounts: accounts}})
	if err := errors.Join(err, results[0].Err, repository.Close()); err != nil {
		t.Fatal(err)
	}
}

// stocked is a closed store of two buckets with limits, objects and parts, and what its scopes hold.
func stocked(t *testing.T) (*fixture, map[quota.Scope]quota.Account) {
	f := open(t)
	f.createBucket("other", quota.Limit{})
	f.createBucket("empty", quota.Limit{})
	f.put("raw/1", noise(1000, 1))
	f.put("raw/2", noise(3000, 1))
	f.put("x", noise(500, 1))
	id := f.createUpload("raw/u", meta.Upload{})
	f.part("raw/u", id, 1, noise(700, 2))
	if _, err := f.PutObject(background, PutObjectInput{Bucket: "other", Key: "k", Body: body(noise(300, 3))}); err != nil {
		t.Fatal(err)
	}
	f.limit(bucketB, quota.Limit{MaxBytes: 10_000})
	f.limit(raw, quota.Limit{MaxBytes: 8_000})
	f.limit(quota.OwnerScope("eve"), quota.Limit{MaxBytes: 5})
	f.wantCounted(raw, quota.Usage{Bytes: 4000, Objects: 2, PartBytes: 700, Uploads: 1})
	accounts := make(map[quota.Scope]quota.Account)
	for _, a := range f.Accounts() {
		accounts[a.Scope] = a
	}
	f.finish()
	return f, accounts
}

// TestRepairOfUsage: whatever has become of rows of usage, a repair restores all of them from a recount, the store opens,
// and what its limits leave is what it was.
func TestRepairOfUsage(t *testing.T) {
	keys := map[quota.Scope]string{
		quota.ServerScope: "s", ownerAda: "oada", quota.OwnerScope("eve"): "oeve", bucketB: "bb",
		quota.BucketScope("empty"): "bempty", raw: "pb\x00raw/",
	}
	type damage struct {
		name string
		rows int64 // that are restored or removed
		do   func(t *testing.T, dir string, a quota.Account)
		// opens says that the store can be opened without the repair. It must not be, of course, and yet it can.
		opens func(quota.Scope) bool
	}
	isPrefix := func(s quota.Scope) bool { return s.Kind == quota.Prefix }
	for _, damage := range []damage{
		{"a flipped bit", 1, func(t *testing.T, dir string, a quota.Account) {
			row := usageRow(keys[a.Scope], a.Usage)
			damageRow(t, dir, row, flipAt(row, len(row)-1))
		}, isPrefix},
		{"under another key", 2, func(t *testing.T, dir string, a quota.Account) {
			key := keys[a.Scope]
			row := usageRow(key, a.Usage)
			damageRow(t, dir, row, flipAt(row, len(key)-1))
		}, func(s quota.Scope) bool { return isPrefix(s) || s == quota.ServerScope }},
		{"too much", 1, func(t *testing.T, dir string, a quota.Account) {
			a.Usage.Bytes, a.Usage.Markers = a.Usage.Bytes+5000, 7
			stateUsage(t, dir, a)
		}, func(quota.Scope) bool { return true }},
		{"nothing", 1, func(t *testing.T, dir string, a quota.Account) {
			a.Usage = quota.Usage{Uploads: 9}
			stateUsage(t, dir, a)
		}, func(quota.Scope) bool { return true }},
	} {
		for scope := range keys {
			t.Run(damage.name+"/"+scope.String(), func(t *testing.T) {
				f, want := stocked(t)
				dir := f.options.Dir
				damage.do(t, dir, want[scope])

				report, err := Check(background, dir, false)
				if err != nil || len(report.Problems) == 0 || report.RepairableUsage != damage.rows ||
					report.RepairedUsage+report.Repairable+report.Repaired != 0 {
					t.Errorf("before: %+v, error %v; want %d rows of usage to be repaired", report, err, damage.rows)
				}
				if store, err := Open(Options{Dir: dir, NoSync: true, countRows: -1}); (err == nil) != damage.opens(scope) {
					t.Errorf("before: open: %v", err)
				} else if err == nil {
					err = store.Close()
					if err != nil {
						t.Fatal(err)
					}
				}
				report, err = Repair(background, dir, true)
				if err != nil || len(report.Problems) > 0 || report.RepairedUsage != damage.rows ||
					report.RepairableUsage+report.Repairable+report.Repaired != 0 {
					t.Errorf("the repair: %+v, error %v; want %d rows of usage to be repaired", report, err, damage.rows)
				}
				f.options.countRows = -1 // the prefix must be exact without
				again := openWith(t, f.options)
				for _, a := range again.Accounts() {
					if a != want[a.Scope] {
						t.Errorf("%+v, want %+v", a, want[a.Scope])
					}
				}
				// Of 8,000 under raw/, 4,000 are taken; of 10,000 in all, 4,500.
				wantExceeded(t, again.tryPut("raw/3", noise(4001, 4)), raw, quota.Bytes)
				wantExceeded(t, again.tryPut("y", noise(5501, 4)), bucketB, quota.Bytes)
				again.put("raw/3", noise(4000, 4))
				again.put("y", noise(1500, 4))
			})
		}
	}
}

// TestRepairOfMuchUsage restores in one go whatever is wrong, rows of blobs as well.
func TestRepairOfMuchUsage(t *testing.T) {
	f, want := stocked(t)
	dir := f.options.Dir
	rowsOf(t, dir, each(func(r *meta.BlobRow) { r.References = 0 }))
	for scope, key := range map[quota.Scope]string{quota.ServerScope: "s", ownerAda: "oada", bucketB: "bb"} {
		row := usageRow(key, want[scope].Usage)
		damageRow(t, dir, row, flipAt(row, len(row)-1))
	}
	report, err := Repair(background, dir, true)
	if err != nil || len(report.Problems) > 0 || report.RepairedUsage != 3 || report.Repaired != report.Blobs {
		t.Errorf("%+v, error %v; want 3 rows of usage and all blobs to be repaired", report, err)
	}
	again := openWith(t, f.options)
	for _, a := range again.Accounts() {
		if a != want[a.Scope] {
			t.Errorf("%+v, want %+v", a, want[a.Scope])
		}
	}
}

// TestUsageIsLeftAloneWhereItCannotBeRecounted: an object that cannot be read still counts.
func TestUsageIsLeftAloneWhereItCannotBeRecounted(t *testing.T) {
	f, want := stocked(t)
	dir := f.options.Dir
	key := []byte("b\x00raw/2\x01")
	damageRow(t, dir, key, append(key[:len(key)-1:len(key)-1], 9)) // a version of rows that there is not
	wrong := want[bucketB]
	wrong.Usage.Objects += 70
	stateUsage(t, dir, wrong)
	for _, check := range []func() (CheckReport, error){
		func() (CheckReport, error) { return Check(background, dir, true) },
		func() (CheckReport, error) { return Repair(background, dir, true) },
	} {
		report, err := check()
		if err != nil || report.RepairableUsage+report.RepairedUsage != 0 {
			t.Errorf("%+v, error %v; want no usage to be repaired", report, err)
		}
		if !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, "usage cannot be restored") }) {
			t.Errorf("problems %q do not say why usage is left alone", report.Problems)
		}
	}
	store, err := Open(f.options)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, a := range store.Accounts() {
		if a.Scope == bucketB {
			a.Usage.Objects -= 70
		}
		if a != want[a.Scope] {
			t.Errorf("%+v, want %+v as before", a, want[a.Scope])
		}
	}
}

// TestALimitThatCannotBeRead is told, and not made up.
func TestALimitThatCannotBeRead(t *testing.T) {
	f, _ := stocked(t)
	dir := f.options.Dir
	row := binary.AppendUvarint([]byte("bb\x01"), 10_000)
	damageRow(t, dir, row, flipAt(row, len(row)-1))
	report, err := Repair(background, dir, true)
	if err != nil || report.RepairableUsage+report.RepairedUsage != 0 || len(report.Problems) != 2 ||
		!strings.Contains(report.Problems[0], `Bucket "b": its limit cannot be read`) {
		t.Errorf("%+v, error %v", report, err)
	}
	if store, err := Open(f.options); !errors.Is(err, meta.ErrCorrupt) {
		t.Errorf("open: %v", err)
		if err == nil {
			store.Close()
		}
	}
}

// TestFindUsage: what is restored is what is wrong, of scopes that are there, and of prefixes as far as they are counted.
func TestFindUsage(t *testing.T) {
	k, u := quota.PrefixScope("b", "k"), quota.PrefixScope("b", "u")
	whole := quota.Usage{Bytes: 10, Objects: 1, PartBytes: 5, Uploads: 1}
	lost := func(scope quota.Scope) meta.CorruptRow {
		return meta.CorruptRow{Table: "usage", Key: []byte("key"), Err: meta.ErrCorrupt, Lost: meta.LostUsage, Scope: scope}
	}
	for _, test := range []struct {
		name string
		rows map[string]meta.Row // as checkRows takes them
		want []quota.Account
		// strays is how many rows are to be removed.
		strays int
	}{
		{"nothing is wrong", nil, nil, 0},
		{
			"nothing is left",
			map[string]meta.Row{"account": lost(bucketB), "owner": lost(ownerAda), "server": lost(quota.ServerScope)},
			[]quota.Account{
				{Scope: quota.ServerScope, Usage: whole}, {Scope: ownerAda, Usage: whole}, {Scope: bucketB, Usage: whole},
			},
			0,
		},
		{"no row at all", map[string]meta.Row{"account": nil}, []quota.Account{{Scope: bucketB, Usage: whole}}, 0},
		{
			"a limit is kept",
			map[string]meta.Row{"account": quota.Account{Scope: bucketB, Limit: quota.Limit{MaxBytes: 9}}},
			[]quota.Account{{Scope: bucketB, Limit: quota.Limit{MaxBytes: 9}, Usage: whole}},
			0,
		},
		{"an owner who has only a limit", map[string]meta.Row{"more": lost(quota.OwnerScope("eve"))}, []quota.Account{
			{Scope: quota.OwnerScope("eve")},
		}, 0},
		{"a prefix that is lost", map[string]meta.Row{"more": lost(u)}, []quota.Account{
			{Scope: u, Usage: quota.Usage{PartBytes: 5, Uploads: 1}},
		}, 0},
		{"a prefix that is wrong, and counted up to a key", map[string]meta.Row{
			"more": quota.Account{Scope: k, Counting: true, CountedTo: "k"},
		}, []quota.Account{{Scope: k, Usage: quota.Usage{Bytes: 10, Objects: 1}, Counting: true, CountedTo: "k"}}, 0},
		{"a bucket that does not exist", map[string]meta.Row{
			"more": quota.Account{Scope: quota.BucketScope("c"), Usage: whole},
		}, nil, 0},
		{"strays", map[string]meta.Row{"more": lost(quota.Scope{})}, nil, 1},
		{"a configuration that cannot be read", map[string]meta.Row{
			"account": lost(bucketB),
			"more":    meta.CorruptRow{Table: "configs", Err: meta.ErrCorrupt},
		}, []quota.Account{{Scope: bucketB, Usage: whole}}, 0},
		{"an object that cannot be read", map[string]meta.Row{
			"account": lost(bucketB), "stray": lost(quota.Scope{}),
			"more": meta.CorruptRow{Table: "objects", Err: meta.ErrCorrupt, Lost: meta.LostCounted},
		}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := checkRows(t, test.rows)
			slices.SortFunc(c.usage, func(a, b quota.Account) int { return quota.CompareScopes(a.Scope, b.Scope) })
			if !slices.Equal(c.usage, test.want) || len(c.strays) != test.strays {
				t.Errorf("to be restored: %+v, and %d strays; want %+v and %d", c.usage, len(c.strays), test.want, test.strays)
			}
			if n := int64(len(test.want) + test.strays); c.report.RepairableUsage != n {
				t.Errorf("%d rows can be restored, want %d", c.report.RepairableUsage, n)
			}
		})
	}
}
