package bolt

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// The least that items of a counted list take: what bounds the count.
const (
	pairMinBytes     = 2
	segmentMinBytes  = len(meta.BlobID{}) + 2
	partHeadMinBytes = 3
)

func appendBool(row []byte, b bool) []byte {
	if b {
		return append(row, 1)
	}
	return append(row, 0)
}

// oneOf reads a byte that is at most last.
func (d *decoder) oneOf(last byte) byte {
	b := d.byte()
	if b > last {
		d.fail(fmt.Errorf("%d is beyond %d", b, last))
		return 0
	}
	return b
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
		a.StorageClass, a.WebsiteRedirect,
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
		&a.StorageClass, &a.WebsiteRedirect,
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
		row = appendUint(row, s.Stored)
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
		s.Size, s.Stored = d.uint(), d.uint()
		if d.err == nil && s.Stored != 0 && s.Stored <= s.Size {
			d.fail(fmt.Errorf("a segment of %d bytes stored as %d", s.Size, s.Stored))
			return nil
		}
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

func appendSettings(row []byte, s *meta.Settings) []byte {
	row = appendUint(row, int64(len(s.Tags)))
	for _, t := range s.Tags {
		row = appendString(row, t.Key)
		row = appendString(row, t.Value)
	}
	row = append(row, byte(s.Retention.Mode))
	if s.Retention.Mode != meta.RetentionNone {
		row = appendTime(row, s.Retention.Until)
	}
	row = append(row, byte(s.LegalHold))
	row = appendString(row, s.ACL)
	return appendString(row, s.Encryption)
}

func (d *decoder) settings() meta.Settings {
	var s meta.Settings
	if n := d.count(pairMinBytes); n > 0 {
		s.Tags = make([]meta.Tag, 0, n)
		for range n {
			s.Tags = append(s.Tags, meta.Tag{Key: d.string(), Value: d.string()})
		}
	}
	s.Retention.Mode = meta.RetentionMode(d.oneOf(byte(meta.RetentionCompliance)))
	if s.Retention.Mode != meta.RetentionNone {
		s.Retention.Until = d.time()
	}
	s.LegalHold = meta.LegalHold(d.oneOf(byte(meta.LegalHoldOn)))
	s.ACL, s.Encryption = d.bytes(), d.bytes()
	return s
}
