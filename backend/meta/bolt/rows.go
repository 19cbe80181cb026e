package bolt

import (
	"encoding/binary"
	"errors"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

const maxPartNumber = 10_000

func encodeFormat(version int64) []byte {
	return appendSum(tableFormat, keyVersion, appendUint(newRow(8), version))
}

func decodeFormat(value []byte) (int64, error) {
	d, err := openRow(tableFormat, keyVersion, value)
	if err != nil {
		return 0, err
	}
	version := d.uint()
	return version, d.finish(tableFormat, keyVersion)
}

func encodeBucket(key []byte, b meta.Bucket) []byte {
	row := newRow(18 + len(b.Owner))
	row = appendTime(row, b.Created)
	row = appendString(row, b.Owner)
	row = append(row, byte(b.Versioning))
	row = appendBool(row, b.ObjectLock)
	return appendSum(tableBuckets, key, row)
}

func decodeBucket(key, value []byte) (meta.Bucket, error) {
	d, err := openRow(tableBuckets, key, value)
	if err != nil {
		return meta.Bucket{}, err
	}
	b := meta.Bucket{
		Name: meta.BucketName(key), Created: d.time(), Owner: d.string(),
		Versioning: meta.Versioning(d.oneOf(byte(meta.VersioningSuspended))), ObjectLock: d.oneOf(1) == 1,
	}
	return b, d.finish(tableBuckets, key)
}

// encodeUpload returns an upload's row. PartBytes is kept in it so that a part is admitted without a look at the ten
// thousand others.
func encodeUpload(key []byte, u *meta.Upload) []byte {
	row := newRow(128)
	row = appendUint(row, u.PartBytes)
	row = appendTime(row, u.Initiated)
	row = appendString(row, u.Owner)
	row = appendSettings(row, &u.Settings)
	row = appendAttributes(row, &u.Attributes)
	row = append(row, byte(u.Algorithm), byte(u.Type))
	return appendSum(tableUploads, key, row)
}

func decodeUpload(key, value []byte) (meta.Upload, error) {
	bucket, objectKey, id, err := parseUploadKey(key)
	if err != nil {
		return meta.Upload{}, corruptRow(tableUploads, key, err)
	}
	d, err := openRow(tableUploads, key, value)
	if err != nil {
		return meta.Upload{}, err
	}
	u := meta.Upload{
		Bucket: bucket, Key: objectKey, ID: id, PartBytes: d.uint(), Initiated: d.time(), Owner: d.string(),
		Settings: d.settings(), Attributes: d.attributes(),
		Algorithm: checksum.Algorithm(d.byte()), Type: checksum.Type(d.byte()),
	}
	return u, d.finish(tableUploads, key)
}

func encodePart(key []byte, p *meta.Part) []byte {
	row := newRow(96 + len(p.Segments)*(segmentMinBytes+4))
	row = appendUint(row, p.Size)
	row = appendString(row, p.ETag)
	row = appendTime(row, p.Modified)
	row = appendChecksum(row, p.Checksum)
	row = appendSegments(row, p.Segments)
	return appendSum(tableParts, key, row)
}

func decodePart(key, value []byte) (meta.Part, error) {
	_, number, err := splitPartKey(key)
	if err != nil {
		return meta.Part{}, corruptRow(tableParts, key, err)
	}
	d, err := openRow(tableParts, key, value)
	if err != nil {
		return meta.Part{}, err
	}
	p := meta.Part{
		Number: number, Size: d.uint(), ETag: meta.ETag(d.string()), Modified: d.time(), Checksum: d.checksum(),
		Segments: d.segments(),
	}
	return p, d.finish(tableParts, key)
}

// blobRow is how large a blob is, how often segments name it, and where its store has it.
type blobRow struct {
	size, references int64
	place            uint64
}

func encodeBlob(key []byte, b blobRow) []byte {
	row := appendUint(newRow(32), b.size)
	row = appendUint(row, b.references)
	return appendSum(tableBlobs, key, binary.AppendUvarint(row, b.place))
}

func decodeBlob(key, value []byte) (blobRow, error) {
	d, err := openRow(tableBlobs, key, value)
	if err != nil {
		return blobRow{}, err
	}
	b := blobRow{size: d.uint(), references: d.uint(), place: d.uvarint()}
	if d.err == nil && b.references == 0 {
		d.fail(errors.New("no references"))
	}
	return b, d.finish(tableBlobs, key)
}

func (b blobRow) public(id meta.BlobID) meta.BlobRow {
	return meta.BlobRow{Blob: id, Size: b.size, References: b.references, Place: b.place}
}

func encodeGarbage(key []byte) []byte { return appendSum(tableGarbage, key, newRow(8)) }

func decodeGarbage(key, value []byte) error {
	d, err := openRow(tableGarbage, key, value)
	if err != nil {
		return err
	}
	return d.finish(tableGarbage, key)
}

func encodeLimit(key []byte, l quota.Limit) []byte {
	row := appendUint(newRow(24), l.MaxBytes)
	return appendSum(tableLimits, key, appendUint(row, l.MaxObjects))
}

func decodeLimit(key, value []byte) (quota.Limit, error) {
	d, err := openRow(tableLimits, key, value)
	if err != nil {
		return quota.Limit{}, err
	}
	l := quota.Limit{MaxBytes: d.uint(), MaxObjects: d.uint()}
	return l, d.finish(tableLimits, key)
}

// encodeUsage returns a row of usage. counting is account.counting; only a prefix can have it.
func encodeUsage(key []byte, u quota.Usage, counting *string) []byte {
	row := newRow(48)
	for _, v := range []int64{u.Bytes, u.Objects, u.PartBytes, u.Uploads, u.Noncurrent, u.Markers} {
		row = appendUint(row, v)
	}
	if isPrefixKey(key) {
		row = appendBool(row, counting != nil)
		if counting != nil {
			row = appendString(row, *counting)
		}
	}
	return appendSum(tableUsage, key, row)
}

func decodeUsage(key, value []byte) (u quota.Usage, counting *string, err error) {
	d, err := openRow(tableUsage, key, value)
	if err != nil {
		return quota.Usage{}, nil, err
	}
	u = quota.Usage{
		Bytes: d.uint(), Objects: d.uint(), PartBytes: d.uint(), Uploads: d.uint(), Noncurrent: d.uint(), Markers: d.uint(),
	}
	if isPrefixKey(key) && d.oneOf(1) == 1 {
		counting = new(d.string())
	}
	return u, counting, d.finish(tableUsage, key)
}

func isPrefixKey(key []byte) bool { return len(key) > 0 && key[0] == prefixKey }

// encodeOpaque returns the row of a configuration or a record: a value that means nothing here.
func encodeOpaque(table, key, value []byte) []byte {
	return appendSum(table, key, appendString(newRow(16+len(value)), value))
}

// decodeOpaque never returns a nil value without an error.
func decodeOpaque(table, key, value []byte) ([]byte, error) {
	d, err := openRow(table, key, value)
	if err != nil {
		return nil, err
	}
	stored := append([]byte{}, d.take(d.uvarint())...)
	return stored, d.finish(table, key)
}
