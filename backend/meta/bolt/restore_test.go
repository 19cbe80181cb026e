package bolt

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/metatest"
	"github.com/plimsoll/plimsoll/quota"
)

// damagedRow is a repository with a row in every table, and something wrong with one row.
func damagedRow(t *testing.T, damage func(*bbolt.Tx) error) *Repository {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	populate(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, damage)
	return open(t, path, Options{})
}

func accountOf(t *testing.T, r *Repository, scope quota.Scope) quota.Account {
	t.Helper()
	accounts, err := r.Accounts(background)
	if err != nil {
		t.Fatalf("Accounts: %v", err)
	}
	i := slices.IndexFunc(accounts, func(a quota.Account) bool { return a.Scope == scope })
	if i < 0 {
		t.Fatalf("%s has no account", scope)
	}
	return accounts[i]
}

// corruptRows returns the corrupt rows of a walk, and fails where the accounts that a row tells of come after it.
func corruptRows(t *testing.T, r *Repository) (found []meta.CorruptRow) {
	t.Helper()
	counted := false
	for _, row := range allRows(t, r) {
		switch row := row.(type) {
		case meta.ObjectRow, meta.MarkerRow, meta.Upload, meta.PartRow:
			counted = true
		case meta.CorruptRow:
			if counted && row.Lost == meta.LostUsage {
				t.Errorf("%+v comes after what it counts", row)
			}
			found = append(found, row)
		}
	}
	return found
}

// TestRestoreUsage: whatever is wrong with a row of usage, a walk tells whose it is, and with the usage restored
// everything is as it was before the damage.
func TestRestoreUsage(t *testing.T) {
	pristine := fresh(t, Options{})
	populate(t, pristine)
	for _, scope := range []quota.Scope{
		quota.ServerScope, quota.OwnerScope("ada"), quota.OwnerScope("eve"), quota.BucketScope("b"),
		quota.BucketScope("empty"), quota.PrefixScope("b", "dir/"), quota.PrefixScope("b", "o"),
	} {
		key, want, noRow := scopeKey(scope), accountOf(t, pristine, scope), 1
		if scope == quota.ServerScope {
			noRow = 0 // a new server has none
		}
		for _, test := range []struct {
			name    string
			damage  func(usage *bbolt.Bucket, value []byte) error
			corrupt int // rows that a walk finds
			stray   bool
		}{
			{"flipped value", func(usage *bbolt.Bucket, value []byte) error { return usage.Put(key, flipped(value, 9)) }, 1, false},
			{"no row", func(usage *bbolt.Bucket, _ []byte) error { return usage.Delete(key) }, noRow, false},
			{"flipped key", func(usage *bbolt.Bucket, value []byte) error {
				return errors.Join(usage.Delete(key), usage.Put(flipped(key, len(key)*8-8), value))
			}, noRow + 1, true},
			{"another figure", func(usage *bbolt.Bucket, _ []byte) error {
				return usage.Put(key, encodeUsage(key, quota.Usage{Bytes: 7}, nil))
			}, 0, false},
		} {
			t.Run(scope.String()+"/"+test.name, func(t *testing.T) {
				r := damagedRow(t, func(tx *bbolt.Tx) error {
					usage := tx.Bucket(tableUsage)
					return test.damage(usage, slices.Clone(usage.Get(key)))
				})
				defer func() {
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}()
				restore := meta.RestoreUsage{Accounts: []quota.Account{want}}
				found := corruptRows(t, r)
				for _, c := range found {
					stray := c.Scope == quota.Scope{}
					if c.Lost != meta.LostUsage || (!stray && c.Scope != scope) || (stray && !test.stray) {
						t.Errorf("%+v", c)
					}
					if stray {
						restore.Strays = append(restore.Strays, c.Key)
					}
				}
				if len(found) != test.corrupt || len(restore.Strays) > 0 != test.stray {
					t.Errorf("a walk finds %+v", found)
				}
				must(t, r, restore)
				for range 2 {
					metatest.Recount(t, r)
					if got := accountOf(t, r, scope); got != want {
						t.Errorf("%+v, want %+v", got, want)
					}
					if err := r.Close(); err != nil {
						t.Fatal(err)
					}
					r = open(t, r.path, Options{})
				}
				must(t, r, put("dir/new", 60, 5), put("o/new", 61, 6))
				metatest.Recount(t, r)
			})
		}
	}
}

// TestLostLimit: a limit that cannot be read is not made up by restoring the usage of its scope, and keeps that from
// growing.
func TestLostLimit(t *testing.T) {
	for _, scope := range []quota.Scope{
		quota.ServerScope, quota.OwnerScope("ada"), quota.BucketScope("b"), quota.PrefixScope("b", "dir/"),
	} {
		t.Run(scope.String(), func(t *testing.T) {
			key := scopeKey(scope)
			r := damagedRow(t, func(tx *bbolt.Tx) error {
				limits, usage := tx.Bucket(tableLimits), tx.Bucket(tableUsage)
				return errors.Join(limits.Put(key, flipped(limits.Get(key), 9)), usage.Put(key, flipped(usage.Get(key), 9)))
			})
			defer r.Close()
			found := corruptRows(t, r)
			if len(found) != 2 || found[0].Lost != meta.LostLimit || found[1].Lost != meta.LostUsage ||
				found[0].Scope != scope || found[1].Scope != scope {
				t.Errorf("a walk finds %+v", found)
			}
			usage := quota.Usage{Bytes: 1, Objects: 1}
			must(t, r, meta.RestoreUsage{Accounts: []quota.Account{{Scope: scope, Usage: usage}}})
			if found := corruptRows(t, r); len(found) != 1 || found[0].Lost != meta.LostLimit || found[0].Scope != scope {
				t.Errorf("after it was restored, a walk finds %+v", found)
			}
			if !slices.Contains(allRows(t, r), meta.Row(quota.Account{Scope: scope, Usage: usage})) {
				t.Error("a walk does not find the account")
			}
			if _, err := r.Accounts(background); !errors.Is(err, meta.ErrCorrupt) || !strings.Contains(err.Error(), "limits") {
				t.Errorf("Accounts: %v", err)
			}
			results, err := r.Commit(background, []meta.Mutation{put("dir/new", 60, 5)})
			if err != nil || !errors.Is(results[0].Err, meta.ErrCorrupt) {
				t.Errorf("put: %+v, %v", results, err)
			}
		})
	}
}

// TestLostRows: a walk tells whether a recount can do without a row.
func TestLostRows(t *testing.T) {
	want := map[string]meta.Loss{
		"buckets": meta.LostCounted, "objects": meta.LostCounted, "versions": meta.LostCounted, "uploads": meta.LostCounted,
		"parts": meta.LostCounted, "usage": meta.LostUsage, "limits": meta.LostLimit,
	}
	for _, table := range dataTables {
		if slices.Equal(table, tableEvents) {
			continue // populate makes none
		}
		t.Run(string(table), func(t *testing.T) {
			r := damagedRow(t, func(tx *bbolt.Tx) error {
				k, v := tx.Bucket(table).Cursor().First()
				return tx.Bucket(table).Put(k, flipped(v, 9))
			})
			defer r.Close()
			found := false
			for _, c := range corruptRows(t, r) {
				if c.Table == string(table) {
					found = true
					if c.Lost != want[string(table)] {
						t.Errorf("%+v", c)
					}
				}
			}
			if !found {
				t.Error("a walk finds nothing")
			}
		})
	}
}

// TestRestoreUsageOfABucketThatCannotBeRead: usage that is restored does not make up for the row of the bucket itself.
func TestRestoreUsageOfABucketThatCannotBeRead(t *testing.T) {
	scope := quota.BucketScope("b")
	r := damagedRow(t, func(tx *bbolt.Tx) error {
		buckets, usage := tx.Bucket(tableBuckets), tx.Bucket(tableUsage)
		return errors.Join(
			buckets.Put([]byte("b"), flipped(buckets.Get([]byte("b")), 9)),
			usage.Put(scopeKey(scope), flipped(usage.Get(scopeKey(scope)), 9)),
		)
	})
	defer r.Close()
	must(t, r, meta.RestoreUsage{Accounts: []quota.Account{{Scope: scope}}})
	if _, err := r.Accounts(background); !errors.Is(err, meta.ErrCorrupt) || !strings.Contains(err.Error(), "table buckets") ||
		strings.Contains(err.Error(), "table usage") {
		t.Errorf("Accounts: %v", err)
	}
}

// TestStraysAreNoAccounts: what belongs to something is not removed as a stray.
func TestStraysAreNoAccounts(t *testing.T) {
	r := fresh(t, Options{})
	populate(t, r)
	before, err := r.Accounts(background)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range before {
		results, err := r.Commit(background, []meta.Mutation{meta.RestoreUsage{Strays: [][]byte{[]byte("s?"), scopeKey(a.Scope)}}})
		if err != nil || !errors.Is(results[0].Err, errInvalid) {
			t.Errorf("%s: %+v, %v", a.Scope, results, err)
		}
	}
	metatest.Recount(t, r)
}
