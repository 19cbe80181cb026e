package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

const (
	maxPartNumber = 10_000

	// The least that items of a counted list take: what bounds the count.
	pairMinBytes     = 2
	segmentMinBytes  = len(meta.BlobID{}) + 1
	partHeadMinBytes = 3
)

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
	row := newRow(16 + len(b.Owner))
	row = appendTime(row, b.Created)
	row = appendString(row, b.Owner)
	return appendSum(tableBuckets, key, row)
}

func decodeBucket(key, value []byte) (meta.Bucket, error) {
	d, err := openRow(tableBuckets, key, value)
	if err != nil {
		return meta.Bucket{}, err
	}
	b := meta.Bucket{Name: meta.BucketName(key), Created: d.time(), Owner: d.string()}
	return b, d.finish(tableBuckets, key)
}

func encodeObject(key []byte, o *meta.Object) []byte {
	row := newRow(128 + len(o.Segments)*(segmentMinBytes+4) + len(o.Parts)*12)
	row = appendUint(row, o.Size)
	row = appendString(row, o.ETag)
	row = appendTime(row, o.Modified)
	row = appendChecksum(row, o.Checksum)
	row = appendString(row, o.Class)
	row = appendString(row, o.Owner)
	row = appendSum(tableObjects, key, row)
	row = appendAttributes(row, &o.Attributes)
	row = appendSegments(row, o.Segments)
	row = appendUint(row, int64(len(o.Parts)))
	for _, p := range o.Parts {
		row = appendUint(row, int64(p.Number))
		row = appendUint(row, p.Size)
		row = appendString(row, p.Checksum)
	}
	return appendSum(tableObjects, key, row)
}

// readHead reads an object's head and verifies its checksum; d is then at the attributes.
func readHead(d *decoder, key, value []byte) meta.ObjectHead {
	class, owner := d.page.last()
	d.version()
	h := meta.ObjectHead{
		Size: d.uint(), ETag: meta.ETag(d.string()), Modified: d.time(), Checksum: d.checksum(),
		Class: d.repeated(class), Owner: d.repeated(owner),
	}
	at := len(value) - len(d.rest)
	if d.err == nil {
		if err := checkSum(tableObjects, key, value, at); err != nil {
			d.fail(err)
		}
	}
	d.take(crcBytes)
	return h
}

// decodeObjectHead reads only the beginning of value, and verifies what it reads.
func decodeObjectHead(key, value []byte) (meta.ObjectHead, error) {
	d := decoder{rest: value}
	h := readHead(&d, key, value)
	if d.err != nil {
		return meta.ObjectHead{}, corruptRow(tableObjects, key, d.err)
	}
	return h, nil
}

func decodeObject(key, value []byte) (meta.Object, error) {
	at := len(value) - crcBytes
	if err := checkSum(tableObjects, key, value, at); err != nil {
		return meta.Object{}, corruptRow(tableObjects, key, err)
	}
	d := &decoder{rest: value[:at]}
	o := meta.Object{ObjectHead: readHead(d, key, value[:at]), Attributes: d.attributes(), Segments: d.segments()}
	if n := d.count(partHeadMinBytes); n > 0 {
		o.Parts = make([]meta.PartHead, 0, n)
		for range n {
			o.Parts = append(o.Parts, meta.PartHead{Number: d.partNumber(), Size: d.uint(), Checksum: d.bytes()})
		}
	}
	return o, d.finish(tableObjects, key)
}

// encodeUpload returns an upload's row. PartBytes is kept in it so that a part is admitted without a look at the ten
// thousand others.
func encodeUpload(key []byte, u *meta.Upload) []byte {
	row := newRow(128)
	row = appendUint(row, u.PartBytes)
	row = appendTime(row, u.Initiated)
	row = appendString(row, u.Owner)
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
		Attributes: d.attributes(), Algorithm: checksum.Algorithm(d.byte()), Type: checksum.Type(d.byte()),
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

func encodeUsage(key []byte, u quota.Usage) []byte {
	row := newRow(48)
	for _, v := range []int64{u.Bytes, u.Objects, u.PartBytes, u.Uploads} {
		row = appendUint(row, v)
	}
	return appendSum(tableUsage, key, row)
}

func decodeUsage(key, value []byte) (quota.Usage, error) {
	d, err := openRow(tableUsage, key, value)
	if err != nil {
		return quota.Usage{}, err
	}
	u := quota.Usage{Bytes: d.uint(), Objects: d.uint(), PartBytes: d.uint(), Uploads: d.uint()}
	return u, d.finish(tableUsage, key)
}

func appendChecksum(row []byte, c checksum.Checksum) []byte {
	row = append(row, byte(c.Algorithm), byte(c.Type))
	row = appendString(row, c.Value)
	return appendUint(row, int64(c.Parts))
}

func (d *decoder) checksum() checksum.Checksum {
	c := checksum.Checksum{Algorithm: checksum.Algorithm(d.byte()), Type: checksum.Type(d.byte()), Value: d.bytes()}
	parts := d.uint()
	if parts > maxPartNumber {
		d.fail(fmt.Errorf("a checksum of %d parts", parts))
		return c
	}
	c.Parts = int(parts)
	return c
}

func appendAttributes(row []byte, a *meta.Attributes) []byte {
	for _, s := range []string{
		a.ContentType, a.CacheControl, a.ContentDisposition, a.ContentEncoding, a.ContentLanguage, a.Expires,
		a.StorageClass,
	} {
		row = appendString(row, s)
	}
	row = appendUint(row, int64(len(a.User)))
	if len(a.User) == 0 {
		return row
	}
	for _, name := range slices.Sorted(maps.Keys(a.User)) {
		row = appendString(row, name)
		row = appendString(row, a.User[name])
	}
	return row
}

func (d *decoder) attributes() meta.Attributes {
	var a meta.Attributes
	for _, s := range []*string{
		&a.ContentType, &a.CacheControl, &a.ContentDisposition, &a.ContentEncoding, &a.ContentLanguage, &a.Expires,
		&a.StorageClass,
	} {
		*s = d.string()
	}
	n := d.count(pairMinBytes)
	if n == 0 {
		return a
	}
	a.User = make(map[string]string, n)
	last := ""
	for i := range n {
		name := d.string()
		if i > 0 && name <= last {
			d.fail(errors.New("attributes are out of order"))
			return a
		}
		a.User[name], last = d.string(), name
	}
	return a
}

func appendSegments(row []byte, segments []meta.Segment) []byte {
	row = appendUint(row, int64(len(segments)))
	for _, s := range segments {
		row = append(row, s.Blob[:]...)
		row = appendUint(row, s.Size)
	}
	return row
}

func (d *decoder) segments() []meta.Segment {
	n := d.count(segmentMinBytes)
	if n == 0 {
		return nil
	}
	segments := make([]meta.Segment, 0, n)
	for range n {
		var s meta.Segment
		copy(s.Blob[:], d.take(uint64(len(s.Blob))))
		s.Size = d.uint()
		segments = append(segments, s)
	}
	return segments
}

func (d *decoder) partNumber() int {
	n := d.uint()
	if d.err == nil && (n < 1 || n > maxPartNumber) {
		d.fail(fmt.Errorf("part number %d", n))
		return 0
	}
	return int(n)
}
