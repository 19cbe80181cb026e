package bolt

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/backend/meta/bolt/journal"
	"github.com/plimsoll/plimsoll/backend/meta/metatest"
	"github.com/plimsoll/plimsoll/quota"
)

var (
	update     = flag.Bool("update", false, "write the fixture of the present format anew")
	background = context.Background()
	now        = time.Date(2026, time.March, 4, 5, 6, 7, 89e6, time.UTC)
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	for name, options := range map[string]Options{"": {}, "tiny journal": tiny(Options{})} {
		t.Run(name, func(t *testing.T) {
			metatest.Run(t, func(t testing.TB, dir string) meta.Repository {
				return open(t, filepath.Join(dir, "meta.db"), options)
			})
		})
	}
}

func open(t testing.TB, path string, options Options) *Repository {
	t.Helper()
	r, err := Open(path, options)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

// fresh opens a new repository that is closed, after a recount, when the test ends.
func fresh(t testing.TB, options Options) *Repository {
	t.Helper()
	r := open(t, filepath.Join(t.TempDir(), "meta.db"), options)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

func must(t testing.TB, r *Repository, batch ...meta.Mutation) {
	t.Helper()
	results, err := r.Commit(background, batch)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	for i, result := range results {
		if result.Err != nil {
			t.Fatalf("%T: %v", batch[i], result.Err)
		}
	}
}

func createBucket(name meta.BucketName) meta.CreateBucket {
	return meta.CreateBucket{Bucket: meta.Bucket{Name: name, Created: now, Owner: "ada"}}
}

func put(key string, n int, size int64) meta.PutObject {
	return meta.PutObject{Bucket: "b", Key: meta.Key(key), Object: meta.Object{
		ObjectHead: meta.ObjectHead{Size: size, ETag: "d41d8cd98f00b204e9800998ecf8427e", Modified: now},
		Segments:   []meta.Segment{{Blob: blob(n), Size: size}},
	}}
}

func blob(n int) meta.BlobID {
	return meta.BlobID{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 15: 1}
}

func TestOpenLocked(t *testing.T) {
	r := fresh(t, Options{})
	_, err := Open(r.path, Options{})
	if !errors.Is(err, meta.ErrLocked) || !strings.Contains(err.Error(), r.path) {
		t.Errorf("second Open: %v", err)
	}
}

func TestOpenMode(t *testing.T) {
	r := fresh(t, Options{Sync: true})
	if info, err := os.Stat(r.path); err != nil || info.Mode() != fileMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*bbolt.Tx) error
		want error
		text string
	}{
		{"newer format", func(tx *bbolt.Tx) error {
			return tx.Bucket(tableFormat).Put(keyVersion, encodeFormat(7))
		}, meta.ErrNewerFormat, "format 7, this program knows formats up to 1"},
		{"format 0", func(tx *bbolt.Tx) error {
			return tx.Bucket(tableFormat).Put(keyVersion, encodeFormat(0))
		}, meta.ErrCorrupt, "format 0"},
		{"flipped format", func(tx *bbolt.Tx) error {
			return tx.Bucket(tableFormat).Put(keyVersion, flipped(encodeFormat(1), 9))
		}, meta.ErrCorrupt, "checksum"},
		{"no version", func(tx *bbolt.Tx) error {
			return tx.Bucket(tableFormat).Delete(keyVersion)
		}, meta.ErrCorrupt, "no version"},
		{"no table", func(tx *bbolt.Tx) error { return tx.DeleteBucket(tableParts) }, meta.ErrCorrupt, "parts"},
		{"foreign", func(tx *bbolt.Tx) error { return tx.DeleteBucket(tableFormat) }, meta.ErrCorrupt, "not a metadata"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "meta.db")
			if err := open(t, path, Options{}).Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, path, test.edit)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, Options{}); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("Open: %v", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the refused file was changed (%v)", err)
			}
		})
	}
	t.Run("not bbolt", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "meta.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("plimsoll", 4096)), fileMode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Options{}); !errors.Is(err, meta.ErrCorrupt) {
			t.Errorf("Open: %v", err)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		if _, err := Open(filepath.Join(t.TempDir(), "none", "meta.db"), Options{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Open: %v", err)
		}
	})
}

// TestOpenDamagedPages overwrites pages of the tree: bbolt panics on those.
func TestOpenDamagedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	must(t, r, createBucket("b"))
	for i := range 50 {
		must(t, r, put(fmt.Sprint(i), i, 1))
	}
	size := int64(r.db.Info().PageSize)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for page := int64(2); page < min(20, int64(len(whole))/size); page++ {
		damaged := append([]byte(nil), whole...)
		copy(damaged[page*size+8:], make([]byte, 8)) // the page's flags and count
		if err := os.WriteFile(path, damaged, fileMode); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, Options{})
		if err == nil {
			_ = r.Walk(background, func(meta.Row) error { return nil })
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if !errors.Is(err, meta.ErrCorrupt) {
			t.Fatalf("page %d: %v", page, err)
		}
		refused++
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}

// edit changes a closed file with bbolt.
func edit(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, fileMode, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func flipped(value []byte, bit int) []byte {
	c := append([]byte(nil), value...)
	c[bit/8] ^= 1 << (bit % 8)
	return c
}

// populate makes a repository with a row in every table.
func populate(t testing.TB, r *Repository) {
	o := put("dir/key\x00\xff", 1, 10)
	o.Object.Class, o.Object.Owner = "STANDARD_IA", "ada"
	o.Object.Checksum = checksum.Checksum{
		Algorithm: checksum.CRC32C, Type: checksum.Composite, Value: []byte{1, 2}, Parts: 2,
	}
	o.Object.Attributes = meta.Attributes{ContentType: "text/plain", User: map[string]string{"a": "1", "b": "2"}}
	o.Object.Parts = []meta.PartHead{{Number: 1, Size: 4, Checksum: []byte{3}}, {Number: 9, Size: 6}}
	u := meta.Upload{Bucket: "b", Key: "up\x00", ID: "01J", Initiated: now, Owner: "bob", Algorithm: checksum.SHA1}
	must(t, r, createBucket("b"), createBucket("empty"), o, put("gone", 2, 20), put("other", 4, 40),
		meta.DeleteObject{Bucket: "b", Key: "gone"},
		meta.PutObject{Bucket: "b", Key: "copy", Object: o.Object, Shared: true},
		meta.SetLimit{Scope: quota.BucketScope("b"), Limit: quota.Limit{MaxBytes: 1000, MaxObjects: 100}},
		meta.SetLimit{Scope: quota.ServerScope, Limit: quota.Limit{MaxBytes: 1 << 40}},
		meta.SetLimit{Scope: quota.OwnerScope("ada"), Limit: quota.Limit{MaxBytes: 1 << 30}},
		meta.SetLimit{Scope: quota.OwnerScope("eve"), Limit: quota.Limit{MaxObjects: 7}}, // who has no bucket
		meta.SetLimit{Scope: quota.PrefixScope("b", "dir/"), Limit: quota.Limit{MaxObjects: 9}, Rows: 1},
		meta.SetLimit{Scope: quota.PrefixScope("b", "o"), Limit: quota.Limit{MaxBytes: 99}}, // which is being counted
		meta.CreateUpload{Upload: u},
		meta.PutPart{Bucket: "b", Key: u.Key, Upload: u.ID, Part: meta.Part{
			Number: 3, Size: 30, ETag: "e", Modified: now, Segments: []meta.Segment{{Blob: blob(3), Size: 30}},
		}})
	populateVersions(t, r)
}

// populateEvents adds events, which the fixture does not have.
func populateEvents(t testing.TB, r *Repository) {
	must(t, r, meta.AppendEvents{MaxEvents: 9, MaxBytes: 99, Make: func([]meta.Result) [][]byte {
		return [][]byte{[]byte("first"), []byte("second")}
	}})
}

// populateVersions makes a bucket whose keys have versions of every kind.
func populateVersions(t testing.TB, r *Repository) {
	r.clock.random = func(b []byte) { copy(b, "repeated") }
	version := func(key string, n int) meta.PutObject {
		m := put(key, n, int64(n))
		m.Bucket = "v"
		m.Object.Settings = meta.Settings{
			Tags: []meta.Tag{{Key: "z", Value: "1"}, {Key: "a"}}, LegalHold: meta.LegalHoldOff,
			Retention: meta.Retention{Mode: meta.RetentionGovernance, Until: now}, ACL: []byte("acl"), Encryption: []byte("key"),
		}
		m.Object.Segments[0].Stored = int64(n) + 16
		return m
	}
	remove := func(key meta.Key) meta.DeleteObject {
		return meta.DeleteObject{Bucket: "v", Key: key, Now: now, Owner: "bob"}
	}
	enable := meta.SetVersioning{Bucket: "v", Versioning: meta.VersioningEnabled}
	must(t, r, createBucket("v"), version("k", 20), version("oldest\x00", 21), enable,
		version("k", 22), version("oldest\x00", 23), remove("gone"), remove("k"),
		meta.SetVersioning{Bucket: "v", Versioning: meta.VersioningSuspended}, version("null", 24), remove("k"),
		enable, version("null", 25), meta.SetObjectLock{Bucket: "v"},
		meta.PutBucketConfig{Bucket: "v", Kind: "policy", Value: []byte("{}")},
		meta.PutRecord{Kind: "user", Name: "ada", Value: []byte("secret")})
}

// TestFlippedBit flips single bits of every row, and finds each of them in a walk and in the read that meets the row.
func TestFlippedBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	populate(t, r)
	populateEvents(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	pristine, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range dataTables {
		for _, place := range []string{"first", "middle", "last"} {
			t.Run(fmt.Sprintf("%s/%s", table, place), func(t *testing.T) {
				if err := os.WriteFile(path, pristine, fileMode); err != nil {
					t.Fatal(err)
				}
				edit(t, path, func(tx *bbolt.Tx) error {
					k, v := tx.Bucket(table).Cursor().First()
					bit := map[string]int{"first": 0, "middle": len(v) * 4, "last": len(v)*8 - 1}[place]
					return tx.Bucket(table).Put(k, flipped(v, bit))
				})
				r := open(t, path, Options{})
				defer r.Close()
				found := false
				err := r.Walk(background, func(row meta.Row) error {
					if c, ok := row.(meta.CorruptRow); ok && c.Table == string(table) {
						found = errors.Is(c.Err, meta.ErrCorrupt)
					}
					return nil
				})
				if err != nil || !found {
					t.Errorf("Walk: %v, found: %t", err, found)
				}
				if err := readAll(r); string(table) != "blobs" && !errors.Is(err, meta.ErrCorrupt) {
					t.Errorf("reads: %v", err)
				}
			})
		}
	}
}

// readAll reads everything but the blobs' reference counts, which only mutations read.
func readAll(r *Repository) error {
	_, err := r.Buckets(background)
	_, e := r.Accounts(background)
	err = errors.Join(err, e)
	for _, key := range []meta.Key{"dir/key\x00\xff", "copy", "other"} {
		_, e = r.Stat(background, "b", key)
		err = errors.Join(err, e)
	}
	_, e = r.Uploads(background, meta.UploadsRequest{Bucket: "b", Limit: 10})
	err = errors.Join(err, e)
	_, _, e = r.Parts(background, "b", "up\x00", "01J", 0, 10)
	err = errors.Join(err, e)
	_, e = r.Garbage(background, meta.BlobID{}, 10)
	err = errors.Join(err, e)
	_, e = r.ListVersions(background, meta.ListVersionsRequest{Bucket: "v", Limit: 100})
	err = errors.Join(err, e)
	_, e = r.StatVersion(background, "v", "k", meta.NullVersion)
	if !errors.As(e, new(*meta.DeleteMarkerError)) {
		err = errors.Join(err, e)
	}
	_, e = r.BucketConfigs(background, "v")
	err = errors.Join(err, e)
	_, e = r.Records(background, "user", "", 10)
	err = errors.Join(err, e)
	events, e := r.Events(background, 0, 10)
	for _, event := range events {
		err = errors.Join(err, event.Err)
	}
	return errors.Join(err, e)
}

// TestFlippedHead flips every bit of an object's head: List, which reads no further, must find each.
func TestFlippedHead(t *testing.T) {
	o := put("k", 1, 10).Object
	key := objectKey("b", "k")
	row := encodeVersion(tableObjects, key, &version{identity: identity{at: position{1}}, object: o})
	head := len(row) - 4 - 5 - (8 + 1) - (1 + segmentMinBytes) - 1 // up to and with its checksum
	for bit := range head * 8 {
		if _, _, err := decodeHead(tableObjects, key, flipped(row, bit)); !errors.Is(err, meta.ErrCorrupt) {
			t.Errorf("bit %d: %v", bit, err)
		}
	}
	if _, _, err := decodeHead(tableObjects, key, row[:head]); err != nil {
		t.Errorf("a head alone: %v", err)
	}
	if _, _, err := decodeHead(tableObjects, objectKey("b", "l"), row); !errors.Is(err, meta.ErrCorrupt) {
		t.Errorf("a row under another key: %v", err)
	}
}

// TestCorruptAccount checks that a scope with a corrupt row refuses mutations and everything else goes on.
func TestCorruptAccount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	populate(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		key := scopeKey(quota.BucketScope("b"))
		return tx.Bucket(tableUsage).Put(key, flipped(tx.Bucket(tableUsage).Get(key), 9))
	})
	r = open(t, path, Options{})
	defer r.Close()
	other := put("k", 50, 1)
	other.Bucket = "empty"
	results, err := r.Commit(background, []meta.Mutation{put("k", 49, 1), other})
	if err != nil || !errors.Is(results[0].Err, meta.ErrCorrupt) || results[1].Err != nil {
		t.Errorf("%+v, %v", results, err)
	}
	if _, err := r.Stat(background, "b", "copy"); err != nil {
		t.Errorf("Stat: %v", err)
	}
}

// TestFormatFixture opens files of each released format: a database, and a journal with rows that it does not have. Run
// with -update to write those of the present format, before it is released and never after.
func TestFormatFixture(t *testing.T) {
	fixture := filepath.Join("testdata", fmt.Sprintf("format-%d", formatVersion))
	if *update {
		if err := writeFixture(t, fixture); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	r := open(t, filepath.Join(dir, "meta.db"), Options{})
	defer r.Close()
	if r.layers.Load()[0].version != 1 {
		t.Error("the journal was not replayed")
	}
	metatest.Recount(t, r)
	want := fresh(t, Options{})
	populate(t, want)
	must(t, want, journaled()...)
	if got, want := allRows(t, r), allRows(t, want); !reflect.DeepEqual(got, want) {
		t.Errorf("the fixture holds\n%+v, want\n%+v", got, want)
	}
	must(t, r, put("new", 100, 1), meta.DeleteObject{Bucket: "b", Key: "copy"})
	metatest.Recount(t, r)
}

// journaled is what the fixture has in its journal.
func journaled() []meta.Mutation {
	return []meta.Mutation{put("journaled", 101, 7), meta.DeleteObject{Bucket: "b", Key: "other"}}
}

func writeFixture(t *testing.T, dir string) error {
	r := open(t, filepath.Join(t.TempDir(), "meta.db"), Options{journalBytes: 8 << 10})
	defer r.Close()
	populate(t, r)
	err := errors.Join(r.flushAll(), os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
	if err != nil {
		return err
	}
	must(t, r, journaled()...)
	path := filepath.Join(dir, "meta.db")
	for number := range 2 {
		content, err := os.ReadFile(journal.Path(r.path, number))
		if err == nil {
			err = os.WriteFile(journal.Path(path, number), content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	// bbolt grows a file in steps of its map; a fixture is cut to the pages that are in use.
	return r.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o644) })
}

func allRows(t *testing.T, r *Repository) (rows []meta.Row) {
	t.Helper()
	if err := r.Walk(background, func(row meta.Row) error { rows = append(rows, row); return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestPartBytes checks that a walk compares the sum in an upload's row with the parts.
func TestPartBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	populate(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		k, v := tx.Bucket(tableUploads).Cursor().First()
		u, err := decodeUpload(k, v)
		if err != nil {
			return err
		}
		u.PartBytes++
		return tx.Bucket(tableUploads).Put(k, encodeUpload(k, &u))
	})
	r = open(t, path, Options{})
	defer r.Close()
	found := false
	for _, row := range allRows(t, r) {
		if c, ok := row.(meta.CorruptRow); ok {
			found = errors.Is(c.Err, errPartBytes)
		}
	}
	if !found {
		t.Error("the wrong sum was not found")
	}
}

// TestCorruptOutbox loses the outbox's own row: it is counted anew, and sequences go on.
func TestCorruptOutbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	r := open(t, path, Options{})
	populateEvents(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		table := tx.Bucket(tableEvents)
		return table.Put(outboxKey, flipped(table.Get(outboxKey), 9))
	})
	r = open(t, path, Options{})
	defer r.Close()
	want := meta.Outbox{Last: 2, Events: 2, Bytes: 11}
	if got, err := r.Outbox(background); err != nil || got != want {
		t.Errorf("the outbox is %+v, %v, want %+v", got, err, want)
	}
}
