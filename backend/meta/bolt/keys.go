package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// The tables. Their names are part of the format.
var (
	tableFormat  = []byte("format")
	tableBuckets = []byte("buckets")
	tableObjects = []byte("objects")
	tableUploads = []byte("uploads")
	tableParts   = []byte("parts")
	tableBlobs   = []byte("blobs")
	tableGarbage = []byte("garbage")
	tableLimits  = []byte("limits")
	tableUsage   = []byte("usage")

	tableVersions = []byte("versions")
	tableNulls    = []byte("nulls")
	tableConfigs  = []byte("configs")
	tableRecords  = []byte("records")

	tableEvents = []byte("events")
)

// dataTables are all tables but the format's. Their order is part of the format: the journal has their places.
var dataTables = [][]byte{
	tableBuckets, tableObjects, tableUploads, tableParts, tableBlobs, tableGarbage, tableLimits, tableUsage,
	tableVersions, tableNulls, tableConfigs, tableRecords, tableEvents,
}

// The bytes after a zero byte in an escaped string. A string ends below all that go on from it.
const (
	escapedZero = 0xff
	terminator  = 0x01
)

const (
	partNumberBytes = 2
	eventKeyBytes   = 8
	positionBytes   = len(position{})
)

// bucketPrefix begins the keys of everything in a bucket.
func bucketPrefix(bucket meta.BucketName) []byte {
	return append([]byte(bucket), 0)
}

func objectKey(bucket meta.BucketName, key meta.Key) []byte {
	k := make([]byte, 0, len(bucket)+1+len(key))
	k = append(k, bucket...)
	k = append(k, 0)
	return append(k, key...)
}

// versionPrefix begins the keys of a key's versions in versions.
func versionPrefix(bucket meta.BucketName, key meta.Key) []byte {
	k := make([]byte, 0, len(bucket)+len(key)+4+positionBytes)
	k = append(k, bucket...)
	k = append(k, 0)
	return appendTerminated(k, string(key))
}

// versionKey is a version's key in versions. The position is inverted, so that the newest comes first.
func versionKey(prefix []byte, at position) []byte {
	k := make([]byte, 0, len(prefix)+positionBytes)
	k = append(k, prefix...)
	for _, b := range at {
		k = append(k, ^b)
	}
	return k
}

func configKey(bucket meta.BucketName, kind meta.ConfigKind) []byte {
	return append(bucketPrefix(bucket), kind...)
}

// recordPrefix begins the keys of all records of a kind.
func recordPrefix(kind meta.RecordKind) []byte { return append([]byte(kind), 0) }

func recordKey(kind meta.RecordKind, name string) []byte {
	return append(recordPrefix(kind), name...)
}

// uploadKey is an upload's key in uploads, and the prefix of its parts' keys in parts.
func uploadKey(bucket meta.BucketName, key meta.Key, id meta.UploadID) []byte {
	k := make([]byte, 0, len(bucket)+len(key)+len(id)+8)
	k = append(k, bucket...)
	k = append(k, 0)
	k = appendTerminated(k, string(key))
	return appendTerminated(k, string(id))
}

func partKey(upload []byte, number int) []byte {
	k := make([]byte, 0, len(upload)+partNumberBytes)
	k = append(k, upload...)
	return binary.BigEndian.AppendUint16(k, uint16(number))
}

// The first bytes of a scope's key.
const (
	serverKey = 's'
	ownerKey  = 'o'
	bucketKey = 'b'
	prefixKey = 'p'
)

func scopeKey(s quota.Scope) []byte {
	switch s.Kind {
	case quota.Server:
		return []byte{serverKey}
	case quota.Owner:
		return append([]byte{ownerKey}, s.Name...)
	case quota.Prefix:
		k := make([]byte, 0, len(s.Name)+len(s.Prefix)+2)
		k = append(append(k, prefixKey), s.Name...)
		return append(append(k, 0), s.Prefix...)
	default:
		return append([]byte{bucketKey}, s.Name...)
	}
}

// appendEscaped appends s so that the order of strings is kept and no zero byte is followed by a terminator.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, escapedZero)
		}
	}
	return dst
}

func appendTerminated(dst []byte, s string) []byte {
	return append(appendEscaped(dst, s), 0, terminator)
}

// unescape reads a terminated string from the start of k and returns what follows it.
func unescape(k []byte) (s string, rest []byte, err error) {
	var out []byte
	for i := 0; i < len(k); i++ {
		if k[i] != 0 {
			out = append(out, k[i])
			continue
		}
		if i+1 == len(k) {
			break
		}
		switch k[i+1] {
		case escapedZero:
			out = append(out, 0)
			i++
		case terminator:
			return string(out), k[i+2:], nil
		default:
			return "", nil, fmt.Errorf("%w: escape 00 %02x in a key", meta.ErrCorrupt, k[i+1])
		}
	}
	return "", nil, fmt.Errorf("%w: a key ends early", meta.ErrCorrupt)
}

func splitBucket(k []byte) (meta.BucketName, []byte, error) {
	bucket, rest, found := bytes.Cut(k, []byte{0})
	if !found || len(bucket) == 0 {
		return "", nil, fmt.Errorf("%w: a key without a bucket", meta.ErrCorrupt)
	}
	return meta.BucketName(bucket), rest, nil
}

func parseObjectKey(k []byte) (meta.BucketName, meta.Key, error) {
	bucket, rest, err := splitBucket(k)
	if err != nil {
		return "", "", err
	}
	if len(rest) == 0 {
		return "", "", fmt.Errorf("%w: an empty key", meta.ErrCorrupt)
	}
	return bucket, meta.Key(rest), nil
}

// splitVersionKey returns the prefix of a version's key, which it shares with the other versions, and its position.
func splitVersionKey(k []byte) (prefix []byte, at position, err error) {
	n := len(k) - positionBytes
	if n < 0 {
		return nil, position{}, fmt.Errorf("%w: a version's key ends early", meta.ErrCorrupt)
	}
	for i, b := range k[n:] {
		at[i] = ^b
	}
	return k[:n], at, nil
}

// parseVersionPrefix returns what a prefix of versions' keys is made of.
func parseVersionPrefix(prefix []byte) (meta.BucketName, meta.Key, error) {
	bucket, rest, err := splitBucket(prefix)
	if err != nil {
		return "", "", err
	}
	key, rest, err := unescape(rest)
	if err != nil {
		return "", "", err
	}
	if len(rest) != 0 || key == "" {
		return "", "", fmt.Errorf("%w: a version's key of another length", meta.ErrCorrupt)
	}
	return bucket, meta.Key(key), nil
}

func parseConfigKey(k []byte) (meta.BucketName, meta.ConfigKind, error) {
	bucket, kind, err := parseObjectKey(k)
	return bucket, meta.ConfigKind(kind), err
}

func parseRecordKey(k []byte) (meta.RecordKind, string, error) {
	kind, name, err := parseObjectKey(k)
	return meta.RecordKind(kind), string(name), err
}

func parseUploadKey(k []byte) (meta.BucketName, meta.Key, meta.UploadID, error) {
	bucket, rest, err := splitBucket(k)
	if err != nil {
		return "", "", "", err
	}
	key, rest, err := unescape(rest)
	if err != nil {
		return "", "", "", err
	}
	id, rest, err := unescape(rest)
	if err != nil {
		return "", "", "", err
	}
	if len(rest) != 0 {
		return "", "", "", fmt.Errorf("%w: %d bytes after an upload's key", meta.ErrCorrupt, len(rest))
	}
	return bucket, meta.Key(key), meta.UploadID(id), nil
}

// splitPartKey returns the key of the part's upload and the part's number.
func splitPartKey(k []byte) (upload []byte, number int, err error) {
	at := len(k) - partNumberBytes
	if at < 0 {
		return nil, 0, fmt.Errorf("%w: a part's key ends early", meta.ErrCorrupt)
	}
	number = int(binary.BigEndian.Uint16(k[at:]))
	if number < 1 || number > maxPartNumber {
		return nil, 0, fmt.Errorf("%w: part number %d", meta.ErrCorrupt, number)
	}
	return k[:at], number, nil
}

func parseBlobKey(k []byte) (meta.BlobID, error) {
	if len(k) != len(meta.BlobID{}) {
		return meta.BlobID{}, fmt.Errorf("%w: a blob id of %d bytes", meta.ErrCorrupt, len(k))
	}
	return meta.BlobID(k), nil
}

// eventKey is an event's key in events.
func eventKey(sequence uint64) []byte { return binary.BigEndian.AppendUint64(nil, sequence) }

func parseEventKey(k []byte) (uint64, error) {
	if len(k) != eventKeyBytes {
		return 0, fmt.Errorf("%w: an event's key of %d bytes", meta.ErrCorrupt, len(k))
	}
	sequence := binary.BigEndian.Uint64(k)
	if sequence == 0 || sequence >= maxSequence {
		return 0, fmt.Errorf("%w: sequence %d of an event", meta.ErrCorrupt, sequence)
	}
	return sequence, nil
}

func parseScopeKey(k []byte) (quota.Scope, error) {
	switch {
	case len(k) == 1 && k[0] == serverKey:
		return quota.ServerScope, nil
	case len(k) > 1 && k[0] == ownerKey:
		return quota.OwnerScope(string(k[1:])), nil
	case len(k) > 1 && k[0] == bucketKey:
		return quota.BucketScope(string(k[1:])), nil
	case len(k) > 1 && k[0] == prefixKey:
		bucket, prefix, err := parseObjectKey(k[1:])
		return quota.PrefixScope(string(bucket), string(prefix)), err
	default:
		return quota.Scope{}, fmt.Errorf("%w: scope key %x", meta.ErrCorrupt, k)
	}
}

// successor returns the smallest key that sorts after all keys with this prefix, nil where there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}
