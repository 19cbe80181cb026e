package bolt

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// TestCorruptOwner checks that an owner with a corrupt row refuses what would change their buckets, and nobody else does.
func TestCorruptOwner(t *testing.T) {
	r := damagedOwner(t, func(usage *bbolt.Bucket, key []byte) error { return usage.Put(key, flipped(usage.Get(key), 9)) })
	defer r.Close()
	other := put("k", 50, 1)
	other.Bucket = "bobs"
	results, err := r.Commit(background, []meta.Mutation{put("k", 49, 1), createBucket("new"), other})
	if err != nil || !errors.Is(results[0].Err, meta.ErrCorrupt) || !errors.Is(results[1].Err, meta.ErrCorrupt) ||
		results[2].Err != nil {
		t.Errorf("%+v, %v", results, err)
	}
	if _, err := r.Accounts(background); !errors.Is(err, meta.ErrCorrupt) {
		t.Errorf("Accounts: %v", err)
	}
}

// TestWalkOfOwners checks that a walk finds the usage row that an owner lacks, and the one that belongs to nobody.
func TestWalkOfOwners(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(usage *bbolt.Bucket, key []byte) error
		owner  string
		text   string
	}{
		{"missing", (*bbolt.Bucket).Delete, "ada", "no row"},
		{"of nobody", func(usage *bbolt.Bucket, _ []byte) error {
			key := scopeKey(quota.OwnerScope("nobody"))
			return usage.Put(key, encodeUsage(key, quota.Usage{}, nil))
		}, "nobody", "belongs to nothing"},
		{"without a name", func(usage *bbolt.Bucket, _ []byte) error {
			key := []byte{ownerKey}
			return usage.Put(key, encodeUsage(key, quota.Usage{}, nil))
		}, "", "scope key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := damagedOwner(t, test.damage)
			defer r.Close()
			var found []meta.CorruptRow
			for _, row := range allRows(t, r) {
				if c, ok := row.(meta.CorruptRow); ok {
					found = append(found, c)
				}
			}
			if len(found) != 1 || string(found[0].Key) != "o"+test.owner || !strings.Contains(found[0].Err.Error(), test.text) {
				t.Errorf("%+v", found)
			}
		})
	}
}

// damagedOwner is a repository with something wrong in the row of ada's usage, and another owner's bucket "bobs".
func damagedOwner(t *testing.T, damage func(usage *bbolt.Bucket, key []byte) error) *Repository {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	populate(t, r)
	bobs := createBucket("bobs")
	bobs.Bucket.Owner = "bob"
	must(t, r, bobs)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		return damage(tx.Bucket(tableUsage), scopeKey(quota.OwnerScope("ada")))
	})
	return open(t, path, Options{})
}
