package bolt

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// TestWalkComparesVersions breaks what the tables of versions say of each other, and finds it in a walk.
func TestWalkComparesVersions(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(tx *bbolt.Tx) error
		want error
	}{
		{"nothing", func(*bbolt.Tx) error { return nil }, nil},
		{"the latest is missing", func(tx *bbolt.Tx) error {
			return tx.Bucket(tableObjects).Delete(objectKey("v", "oldest\x00"))
		}, errNotLatest},
		{"a version is newer than the latest", func(tx *bbolt.Tx) error {
			key := versionKey(versionPrefix("v", "oldest\x00"), position{0xff})
			v := &version{identity: identity{at: position{0xff}, marker: true}}
			return tx.Bucket(tableVersions).Put(key, encodeVersion(tableVersions, key, v))
		}, errNewer},
		{"a null version that nothing leads to", func(tx *bbolt.Tx) error {
			return tx.Bucket(tableNulls).Delete(objectKey("v", "k"))
		}, errNoNull},
		{"a null version elsewhere", func(tx *bbolt.Tx) error {
			key := objectKey("v", "k")
			return tx.Bucket(tableNulls).Put(key, encodeNull(key, position{1}))
		}, errNoNull},
		{"a row that leads to nothing", func(tx *bbolt.Tx) error {
			key := objectKey("v", "none")
			return tx.Bucket(tableNulls).Put(key, encodeNull(key, position{1}))
		}, errOrphan},
		{"a version under another position", func(tx *bbolt.Tx) error {
			key := versionKey(versionPrefix("v", "other"), position{1})
			v := &version{identity: identity{at: position{2}, marker: true}}
			return tx.Bucket(tableVersions).Put(key, encodeVersion(tableVersions, key, v))
		}, errWrongPosition},
		{"a delete marker among objects", func(tx *bbolt.Tx) error {
			key := objectKey("v", "other")
			v := &version{identity: identity{at: position{1}, marker: true}}
			return tx.Bucket(tableObjects).Put(key, encodeVersion(tableObjects, key, v))
		}, errIsMarker},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "meta.db")
			r := open(t, path, Options{})
			populate(t, r)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, path, test.edit)
			r = open(t, path, Options{})
			defer r.Close()
			var found []error
			for _, row := range allRows(t, r) {
				if c, ok := row.(meta.CorruptRow); ok {
					found = append(found, c.Err)
				}
			}
			if all := errors.Join(found...); !errors.Is(all, test.want) || (test.want == nil && all != nil) {
				t.Errorf("found %v, want %v", found, test.want)
			}
		})
	}
}

// TestPositionOfNull: the position of a null version is not its id, wherever the version is.
func TestPositionOfNull(t *testing.T) {
	r := fresh(t, Options{})
	first, second := put("k", 1, 1), put("k", 2, 2)
	must(t, r, createBucket("b"), meta.SetVersioning{Bucket: "b", Versioning: meta.VersioningSuspended}, first)
	for _, shelve := range []bool{false, true} {
		if shelve {
			must(t, r, meta.SetVersioning{Bucket: "b", Versioning: meta.VersioningEnabled}, second)
		}
		var at position
		err := r.view(background, func(s snapshot) error {
			reader := s.keyReader(meta.Bucket{Name: "b", Versioning: meta.VersioningEnabled}, "k")
			current, err := reader.current()
			if err != nil {
				return err
			}
			null, err := reader.findNull(current)
			if err == nil {
				at = null.at
			}
			return err
		})
		if err != nil || at.IsZero() {
			t.Fatalf("position %s, %v", at, err)
		}
		_, err = r.StatVersion(background, "b", "k", meta.VersionID(at.String()))
		if !errors.Is(err, meta.ErrNoSuchVersion) {
			t.Errorf("StatVersion of a null version by its position, shelved: %t: %v", shelve, err)
		}
	}
}

// TestVersionClock: positions go up, whatever the clock does and wherever a key's newest version is.
func TestVersionClock(t *testing.T) {
	c := versionClock{random: func(b []byte) { clear(b) }}
	var last position
	for _, test := range []struct {
		name   string
		second int64
		after  position
	}{
		{"the first", 100, position{}},
		{"the same millisecond", 100, position{}},
		{"a clock that has gone back", 50, position{}},
		{"a version from the future", 60, position{0: 1, 15: 9}},
		{"after the future", 70, position{}},
		{"a counter that is full", 80, position{0: 2, 6: 0xff, 7: 0xff}},
		{"a time before 1970", -1, position{}},
	} {
		at, err := c.next(time.Unix(test.second, 0), test.after)
		if err != nil || at.Compare(last) <= 0 || at.Compare(test.after) <= 0 {
			t.Errorf("%s: %s after %s and %s, %v", test.name, at, last, test.after, err)
		}
		last = at
	}
	if _, err := c.next(now, position{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}); err == nil {
		t.Error("a version comes after the last that there can be")
	}
}
