package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// FuzzKey checks that keys of uploads and parts come back as they were, and sort as what they are made of.
func FuzzKey(f *testing.F) {
	f.Add("k", "1", "k\x00", "0")
	f.Add("", "\x00\x01", "\x00", "\xff")
	f.Add("a\x00\xff", "", "a", "\x00\x01\x00\x01")
	f.Fuzz(func(t *testing.T, key1, id1, key2, id2 string) {
		k1, k2 := uploadKey("b", meta.Key(key1), meta.UploadID(id1)), uploadKey("b", meta.Key(key2), meta.UploadID(id2))
		bucket, key, id, err := parseUploadKey(k1)
		if err != nil || bucket != "b" || string(key) != key1 || string(id) != id1 {
			t.Fatalf("%q, %q, %q, %v", bucket, key, id, err)
		}
		want := bytes.Compare([]byte(key1), []byte(key2))
		if want == 0 {
			want = bytes.Compare([]byte(id1), []byte(id2))
		}
		if got := bytes.Compare(k1, k2); got != want {
			t.Fatalf("%q and %q compare as %d, want %d", k1, k2, got, want)
		}
		if want != 0 && (bytes.HasPrefix(k1, k2) || bytes.HasPrefix(k2, k1)) {
			t.Fatalf("%q and %q: one is a prefix of the other", k1, k2)
		}
		upload, number, err := splitPartKey(partKey(k1, 258))
		if err != nil || !bytes.Equal(upload, k1) || number != 258 {
			t.Fatalf("%q, %d, %v", upload, number, err)
		}
		if next := successor(k1); bytes.Compare(next, k1) <= 0 || bytes.HasPrefix(next, k1) {
			t.Fatalf("%q follows %q", next, k1)
		}
	})
}

// FuzzParseKey checks that what parses as a key is one: that it is built to the same bytes again.
func FuzzParseKey(f *testing.F) {
	f.Add(uploadKey("b", "k\x00", "1"))
	f.Add(partKey(uploadKey("b", "k", "1"), 3))
	f.Add([]byte("b\x00\x00"))
	f.Add(versionKey(versionPrefix("b", "k\x00"), position{1, 2, 3}))
	f.Fuzz(func(t *testing.T, k []byte) {
		if bucket, key, id, err := parseUploadKey(k); err == nil && !bytes.Equal(uploadKey(bucket, key, id), k) {
			t.Errorf("upload key %q of %q, %q, %q", k, bucket, key, id)
		}
		if bucket, key, err := parseObjectKey(k); err == nil && !bytes.Equal(objectKey(bucket, key), k) {
			t.Errorf("object key %q of %q, %q", k, bucket, key)
		}
		if prefix, at, err := splitVersionKey(k); err == nil {
			bucket, key, err := parseVersionPrefix(prefix)
			if err == nil && !bytes.Equal(versionKey(versionPrefix(bucket, key), at), k) {
				t.Errorf("version key %q of %q, %q, %s", k, bucket, key, at)
			}
		}
		if bucket, kind, err := parseConfigKey(k); err == nil && !bytes.Equal(configKey(bucket, kind), k) {
			t.Errorf("configuration key %q of %q, %q", k, bucket, kind)
		}
		if kind, name, err := parseRecordKey(k); err == nil && !bytes.Equal(recordKey(kind, name), k) {
			t.Errorf("record key %q of %q, %q", k, kind, name)
		}
		if upload, number, err := splitPartKey(k); err == nil && !bytes.Equal(partKey(upload, number), k) {
			t.Errorf("part key %q of %q, %d", k, upload, number)
		}
		if scope, err := parseScopeKey(k); err == nil && !bytes.Equal(scopeKey(scope), k) {
			t.Errorf("scope key %q of %v", k, scope)
		}
		if id, err := parseBlobKey(k); err == nil && !bytes.Equal(id[:], k) {
			t.Errorf("blob key %q of %x", k, id)
		}
	})
}

// fuzzRow gives a target rows with valid checksums around arbitrary fields, and the bytes as they are. What decodes
// must encode to the same bytes.
func fuzzRow(f *testing.F, table, key, seed []byte, recode func(value []byte) ([]byte, error)) {
	f.Add(seed[1 : len(seed)-crcBytes])
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, fields []byte) {
		for _, value := range [][]byte{fields, appendSum(table, key, append(newRow(0), fields...))} {
			again, err := recode(value)
			if err != nil && !errors.Is(err, meta.ErrCorrupt) {
				t.Fatalf("%x: the error does not wrap ErrCorrupt: %v", value, err)
			}
			if err == nil && !bytes.Equal(again, value) {
				t.Fatalf("%x is encoded as %x", value, again)
			}
		}
	})
}

func FuzzBucketRow(f *testing.F) {
	k := []byte("b")
	fuzzRow(f, tableBuckets, k, encodeBucket(k, createBucket("b").Bucket), func(v []byte) ([]byte, error) {
		b, err := decodeBucket(k, v)
		return encodeBucket(k, b), err
	})
}

// FuzzObjectRow puts the checksum of the head in its place, so that the fields behind it are reached too: the first
// byte says where the head ends.
func FuzzObjectRow(f *testing.F) {
	k := objectKey("b", "k")
	o := put("k", 1, 10).Object
	o.Settings = meta.Settings{
		Tags: []meta.Tag{{Key: "a", Value: "1"}}, Retention: meta.Retention{Mode: meta.RetentionGovernance, Until: now},
		LegalHold: meta.LegalHoldOn, ACL: []byte("acl"),
	}
	o.Attributes.User = map[string]string{"a": "1"}
	o.Parts = []meta.PartHead{{Number: 1, Size: 10}}
	row := encodeVersion(tableObjects, k, &version{identity: identity{at: position{1}}, object: o})
	d := &decoder{rest: row}
	readHead(d, tableObjects, k, row)
	end := len(row) - len(d.rest) - crcBytes
	f.Add(byte(end-1), append(bytes.Clone(row[1:end]), row[end+crcBytes:len(row)-crcBytes]...))
	f.Fuzz(func(t *testing.T, head byte, fields []byte) {
		at := min(int(head), len(fields))
		value := appendSum(tableObjects, k, append(newRow(0), fields[:at]...))
		value = appendSum(tableObjects, k, append(value, fields[at:]...))
		for _, value := range [][]byte{fields, value} {
			v, err := decodeVersion(tableObjects, k, value)
			_, h, headErr := decodeHead(tableObjects, k, value)
			switch {
			case err != nil && !errors.Is(err, meta.ErrCorrupt), headErr != nil && !errors.Is(headErr, meta.ErrCorrupt):
				t.Fatalf("%x: %v, %v", value, err, headErr)
			case err != nil:
			case headErr != nil || h.ETag != v.object.ETag || h.Size != v.object.Size:
				t.Fatalf("%x: head %+v, %v", value, h, headErr)
			case !bytes.Equal(encodeVersion(tableObjects, k, v), value):
				t.Fatalf("%x is encoded as %x", value, encodeVersion(tableObjects, k, v))
			}
		}
	})
}

// FuzzVersionRow tries rows of versions that are delete markers, and rows of nulls.
func FuzzVersionRow(f *testing.F) {
	at := position{0xff, 15: 1}
	k := versionKey(versionPrefix("b", "k"), at)
	seed := &version{identity: identity{at: at, marker: true}}
	seed.object.Modified, seed.object.Owner = now, "ada"
	f.Add(encodeNull(k, at)[1 : 1+positionBytes])
	fuzzRow(f, tableVersions, k, encodeVersion(tableVersions, k, seed), func(value []byte) ([]byte, error) {
		if at, err := decodeNull(k, value); err == nil {
			return encodeNull(k, at), nil
		}
		v, err := decodeVersion(tableVersions, k, value)
		if err != nil {
			return nil, err
		}
		return encodeVersion(tableVersions, k, v), nil
	})
}

func FuzzOpaqueRow(f *testing.F) {
	k := configKey("b", "policy")
	fuzzRow(f, tableConfigs, k, encodeOpaque(tableConfigs, k, []byte("value")), func(v []byte) ([]byte, error) {
		value, err := decodeOpaque(tableConfigs, k, v)
		return encodeOpaque(tableConfigs, k, value), err
	})
}

func FuzzUploadRow(f *testing.F) {
	k := uploadKey("b", "k", "1")
	seed := &meta.Upload{PartBytes: 300, Initiated: now, Owner: "ada", Algorithm: 2}
	seed.Attributes.User = map[string]string{"a": "1", "b": ""}
	fuzzRow(f, tableUploads, k, encodeUpload(k, seed), func(v []byte) ([]byte, error) {
		u, err := decodeUpload(k, v)
		return encodeUpload(k, &u), err
	})
}

func FuzzPartRow(f *testing.F) {
	k := partKey(uploadKey("b", "k", "1"), 7)
	seed := &meta.Part{Size: 3, ETag: "e", Modified: now, Segments: []meta.Segment{{Blob: blob(1), Size: 3}}}
	fuzzRow(f, tableParts, k, encodePart(k, seed), func(v []byte) ([]byte, error) {
		p, err := decodePart(k, v)
		return encodePart(k, &p), err
	})
}

func FuzzFigureRows(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 1, 1, 'k'}) // a prefix that is being counted
	k, prefix := []byte("bname"), scopeKey(quota.PrefixScope("name", "k"))
	fields := binary.AppendUvarint(binary.AppendUvarint(nil, 300), 7)
	f.Add(fields)
	f.Add(bytes.Repeat(fields, 2))
	f.Add(bytes.Repeat(fields, 3))
	f.Add([]byte{0x80, 0})
	f.Fuzz(func(t *testing.T, fields []byte) {
		row := append(newRow(0), fields...)
		for _, c := range []struct {
			table  []byte
			recode func(v []byte) ([]byte, error)
		}{
			{tableBlobs, func(v []byte) ([]byte, error) { b, err := decodeBlob(k, v); return encodeBlob(k, b), err }},
			{tableLimits, func(v []byte) ([]byte, error) { l, err := decodeLimit(k, v); return encodeLimit(k, l), err }},
			{tableUsage, func(v []byte) ([]byte, error) {
				u, counting, err := decodeUsage(k, v)
				return encodeUsage(k, u, counting), err
			}},
			{tableUsage, func(v []byte) ([]byte, error) {
				u, counting, err := decodeUsage(prefix, v)
				return encodeUsage(prefix, u, counting), err
			}},
			{tableGarbage, func(v []byte) ([]byte, error) { return encodeGarbage(k), decodeGarbage(k, v) }},
			{tableEvents, func(v []byte) ([]byte, error) { o, err := decodeOutbox(k, v); return encodeOutbox(k, o), err }},
		} {
			value := appendSum(c.table, k, bytes.Clone(row))
			again, err := c.recode(value)
			if err != nil && !errors.Is(err, meta.ErrCorrupt) {
				t.Fatalf("%s %x: %v", c.table, value, err)
			}
			if err == nil && !bytes.Equal(again, value) {
				t.Fatalf("%s %x is encoded as %x", c.table, value, again)
			}
		}
	})
}

// TestSuccessor checks the defining property: no key lies between those with the prefix and their successor.
func TestSuccessor(t *testing.T) {
	few := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff}), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		prefix, key := few.Draw(t, "prefix"), few.Draw(t, "key")
		next := successor(prefix)
		below := next == nil || bytes.Compare(key, next) < 0
		if want := bytes.HasPrefix(key, prefix) || bytes.Compare(key, prefix) < 0; below != want {
			t.Fatalf("prefix %x, successor %x, key %x", prefix, next, key)
		}
	})
}
