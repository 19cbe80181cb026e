package bolt

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var prefixK = quota.PrefixScope("b", "k")

// damagedPrefix is a repository with two limits on prefixes, "k" and "l", and something wrong with the rows of the first.
func damagedPrefix(t *testing.T, damage func(tx *bbolt.Tx, key []byte) error) *Repository {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	must(t, r, createBucket("b"), put("k1", 1, 1), put("l1", 2, 1))
	limit := quota.Limit{MaxBytes: 100}
	must(t, r, meta.SetLimit{Scope: prefixK, Limit: limit}, meta.SetLimit{Scope: quota.PrefixScope("b", "l"), Limit: limit})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bbolt.Tx) error { return damage(tx, scopeKey(prefixK)) })
	return open(t, path, Options{})
}

func flipUsage(tx *bbolt.Tx, key []byte) error {
	usage := tx.Bucket(tableUsage)
	return usage.Put(key, flipped(usage.Get(key), 9))
}

// TestCorruptUsageOfAPrefix checks that a prefix whose usage cannot be read is counted anew. Nothing is refused for that.
func TestCorruptUsageOfAPrefix(t *testing.T) {
	for name, damage := range map[string]func(*bbolt.Tx, []byte) error{
		"flipped": flipUsage,
		"missing": func(tx *bbolt.Tx, key []byte) error { return tx.Bucket(tableUsage).Delete(key) },
	} {
		t.Run(name, func(t *testing.T) {
			r := damagedPrefix(t, damage)
			defer r.Close()
			accounts, err := r.Accounts(background)
			if err != nil {
				t.Fatal(err)
			}
			want := quota.Account{Scope: prefixK, Limit: quota.Limit{MaxBytes: 100}, Counting: true}
			if !slices.Contains(accounts, want) {
				t.Errorf("%+v, want %+v among them", accounts, want)
			}
			must(t, r, put("k2", 3, 1), meta.CountPrefix{Bucket: "b", Prefix: "k", Rows: 10}, put("k3", 4, 1))
			for _, row := range allRows(t, r) {
				if c, ok := row.(meta.CorruptRow); ok {
					t.Errorf("after it was counted: %+v", c)
				}
				if a, ok := row.(quota.Account); ok && a.Scope == prefixK && (a.Counting || a.Usage.Objects != 3) {
					t.Errorf("%+v, want 3 objects", a)
				}
			}
		})
	}
}

func flipLimit(tx *bbolt.Tx, key []byte) error {
	limits := tx.Bucket(tableLimits)
	return limits.Put(key, flipped(limits.Get(key), 2))
}

// TestCorruptPrefix checks that a prefix with a corrupt limit refuses what would change it, and nothing else does. Without
// its limit all goes on, and a new one counts anew.
func TestCorruptPrefix(t *testing.T) {
	r := damagedPrefix(t, flipLimit)
	defer r.Close()
	results, err := r.Commit(background, []meta.Mutation{
		put("k2", 3, 1),
		meta.CountPrefix{Bucket: "b", Prefix: "k", Rows: 1},
		meta.SetLimit{Scope: prefixK, Limit: quota.Limit{MaxBytes: 1}},
		put("l2", 4, 1), put("m", 5, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range results {
		if corrupt := i < 3; errors.Is(result.Err, meta.ErrCorrupt) != corrupt || (result.Err != nil) != corrupt {
			t.Errorf("mutation %d: %v", i, result.Err)
		}
	}
	must(t, r, meta.SetLimit{Scope: prefixK}, put("k2", 3, 1))
	results, err = r.Commit(background, []meta.Mutation{
		meta.SetLimit{Scope: prefixK, Limit: quota.Limit{MaxBytes: 100}, Rows: 10},
	})
	if err != nil || results[0].Err != nil || results[0].Accounts[0].Counting || results[0].Accounts[0].Usage.Objects != 2 {
		t.Errorf("%+v, %v", results, err)
	}
}

// TestCountingFindsACorruptRow checks that a row which cannot be counted keeps its prefix from being exact, and its limit
// from nothing else.
func TestCountingFindsACorruptRow(t *testing.T) {
	r := damagedPrefix(t, func(tx *bbolt.Tx, _ []byte) error {
		objects, key := tx.Bucket(tableObjects), objectKey("b", "k1")
		return objects.Put(key, flipped(objects.Get(key), 3))
	})
	defer r.Close()
	must(t, r, put("k0", 3, 1), meta.SetLimit{Scope: prefixK}, meta.SetLimit{Scope: prefixK, Limit: quota.Limit{MaxBytes: 9}, Rows: 10})
	results, err := r.Commit(background, []meta.Mutation{
		meta.CountPrefix{Bucket: "b", Prefix: "k", Rows: 1}, meta.CountPrefix{Bucket: "b", Prefix: "k", Rows: 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := results[0].Accounts; results[0].Err != nil || !a[0].Counting || a[0].CountedTo != "k0" || a[0].Usage.Objects != 1 {
		t.Errorf("up to the row: %+v", results[0])
	}
	if !errors.Is(results[1].Err, meta.ErrCorrupt) || results[1].Accounts != nil {
		t.Errorf("the row: %+v", results[1])
	}
}

// TestWalkOfPrefixes checks that a walk finds a usage row that a prefix lacks, and rows that belong to nothing.
func TestWalkOfPrefixes(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(tx *bbolt.Tx, key []byte) error
		key    string
		text   string
	}{
		{"no usage", func(tx *bbolt.Tx, key []byte) error { return tx.Bucket(tableUsage).Delete(key) }, "pb\x00k", "no row"},
		{"corrupt", flipUsage, "pb\x00k", "checksum"},
		{"no limit", func(tx *bbolt.Tx, key []byte) error { return tx.Bucket(tableLimits).Delete(key) }, "pb\x00k", "belongs to nothing"},
		{"of no bucket", func(tx *bbolt.Tx, _ []byte) error {
			key := scopeKey(quota.PrefixScope("nope", "k"))
			return tx.Bucket(tableLimits).Put(key, encodeLimit(key, quota.Limit{MaxBytes: 1}))
		}, "pnope\x00k", "belongs to nothing"},
		{"without a prefix", func(tx *bbolt.Tx, _ []byte) error {
			key := []byte("pb\x00")
			return tx.Bucket(tableLimits).Put(key, encodeLimit(key, quota.Limit{MaxBytes: 1}))
		}, "pb\x00", "empty key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := damagedPrefix(t, test.damage)
			defer r.Close()
			var found []meta.CorruptRow
			for _, row := range allRows(t, r) {
				if c, ok := row.(meta.CorruptRow); ok {
					found = append(found, c)
				}
			}
			if len(found) != 1 || string(found[0].Key) != test.key || !strings.Contains(found[0].Err.Error(), test.text) {
				t.Errorf("%+v", found)
			}
			must(t, r, put("l3", 7, 1))
		})
	}
}
