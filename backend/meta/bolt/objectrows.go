package bolt

import (
	"errors"
	"fmt"

	"github.com/plimsoll/plimsoll/backend/meta"
)

var (
	errZeroPosition  = errors.New("the position is zero")
	errWrongPosition = errors.New("the position is not that of the key")
	errIsMarker      = errors.New("a delete marker among objects")
)

// version is a row of objects or of versions: an object or a delete marker.
type version struct {
	identity
	object  meta.Object // of a marker, Modified, Owner and Version only
	shelved bool        // in versions
}

// encodeVersion returns the row of a version.
func encodeVersion(table, key []byte, v *version) []byte {
	if v.marker {
		row := appendIdentity(newRow(48+len(v.object.Owner)), v.identity)
		row = appendTime(row, v.object.Modified)
		row = appendString(row, v.object.Owner)
		return appendSum(table, key, row)
	}
	o := &v.object
	row := newRow(160 + len(o.Segments)*(segmentMinBytes+4) + len(o.Parts)*12)
	row = appendIdentity(row, v.identity)
	row = appendUint(row, o.Size)
	row = appendString(row, o.ETag)
	row = appendTime(row, o.Modified)
	row = appendChecksum(row, o.Checksum)
	row = appendString(row, o.Class)
	row = appendString(row, o.Owner)
	row = appendSum(table, key, row)
	row = appendSettings(row, &o.Settings)
	row = appendAttributes(row, &o.Attributes)
	row = appendSegments(row, o.Segments)
	row = appendUint(row, int64(len(o.Parts)))
	for _, p := range o.Parts {
		row = appendUint(row, int64(p.Number))
		row = appendUint(row, p.Size)
		row = appendString(row, p.Checksum)
	}
	return appendSum(table, key, row)
}

// readHead reads an object's head and verifies its checksum; d is then at the settings.
func readHead(d *decoder, table, key, value []byte) (identity, meta.ObjectHead) {
	class, owner := d.page.last()
	d.version()
	id := d.identity()
	if id.marker {
		d.fail(errIsMarker)
	}
	h := meta.ObjectHead{
		Size: d.uint(), ETag: meta.ETag(d.string()), Modified: d.time(), Checksum: d.checksum(),
		Class: d.repeated(class), Owner: d.repeated(owner),
	}
	at := len(value) - len(d.rest)
	if d.err == nil {
		if err := checkSum(table, key, value, at); err != nil {
			d.fail(err)
		}
	}
	d.take(crcBytes)
	if d.err == nil {
		h.Version = d.page.versionOf(id)
		d.position(table, key, id)
	}
	return id, h
}

// position compares the position of a row of versions with that in its key.
func (d *decoder) position(table, key []byte, id identity) {
	if string(table) != string(tableVersions) {
		return
	}
	if _, at, err := splitVersionKey(key); err != nil || at != id.at {
		d.fail(errWrongPosition)
	}
}

// decodeHead reads only the beginning of an object's value, and verifies what it reads.
func decodeHead(table, key, value []byte) (identity, meta.ObjectHead, error) {
	d := decoder{rest: value}
	id, h := readHead(&d, table, key, value)
	if d.err != nil {
		return identity{}, meta.ObjectHead{}, corruptRow(table, key, d.err)
	}
	return id, h, nil
}

// decodeVersion decodes and verifies a whole row.
func decodeVersion(table, key, value []byte) (*version, error) {
	if isMarker(value) {
		return decodeMarker(table, key, value)
	}
	at := len(value) - crcBytes
	if err := checkSum(table, key, value, at); err != nil {
		return nil, corruptRow(table, key, err)
	}
	d := &decoder{rest: value[:at]}
	v := &version{shelved: string(table) == string(tableVersions)}
	v.identity, v.object.ObjectHead = readHead(d, table, key, value[:at])
	v.object.Settings, v.object.Attributes, v.object.Segments = d.settings(), d.attributes(), d.segments()
	if n := d.count(partHeadMinBytes); n > 0 {
		v.object.Parts = make([]meta.PartHead, 0, n)
		for range n {
			part := meta.PartHead{Number: d.partNumber(), Size: d.uint(), Checksum: d.bytes()}
			v.object.Parts = append(v.object.Parts, part)
		}
	}
	if err := d.finish(table, key); err != nil {
		return nil, err
	}
	return v, nil
}

func decodeMarker(table, key, value []byte) (*version, error) {
	d, err := openRow(table, key, value)
	if err != nil {
		return nil, err
	}
	v := &version{identity: d.identity(), shelved: true}
	v.object.Modified, v.object.Owner, v.object.Version = d.time(), d.string(), v.version()
	if d.position(table, key, v.identity); string(table) == string(tableObjects) {
		d.fail(errIsMarker)
	}
	if err := d.finish(table, key); err != nil {
		return nil, err
	}
	return v, nil
}

// encodeNull returns the row that says where in versions a key's null version is.
func encodeNull(key []byte, at position) []byte {
	return appendSum(tableNulls, key, append(newRow(8+positionBytes), at[:]...))
}

func decodeNull(key, value []byte) (position, error) {
	d, err := openRow(tableNulls, key, value)
	if err != nil {
		return position{}, err
	}
	var at position
	copy(at[:], d.take(uint64(len(at))))
	if err := d.finish(tableNulls, key); err != nil {
		return position{}, err
	}
	return at, nil
}

// corruptNull is the error of a row of nulls that does not lead to a null version.
func corruptNull(key []byte, at position) error {
	return corruptRow(tableNulls, key, fmt.Errorf("no null version at %s", at))
}
