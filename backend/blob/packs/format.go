package packs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend/blob"
)

const (
	packMagic       = "plimpack"
	formatVersion   = 1
	packHeaderBytes = 32

	blobMagic   = "plmB"
	fillerMagic = "plmF"
	sealMagic   = "plmE"
	magicPrefix = "plm"
	headerBytes = 32 // of a record
	crcBytes    = 4
	alignBytes  = 8
	// maxPayload is the most that a record holds, whatever the threshold: a length beyond it is damage.
	maxPayload = 1 << 20
	// sealPayload is the records of a pack and the bytes of their payload, 8 bytes each.
	sealPayload = 16

	packSuffix = ".pack"
)

// kind is what a record is.
type kind byte

const (
	kindNone   kind = iota // no record: damage, or the end
	kindBlob               // a blob
	kindFiller             // bytes that hold nothing, and whose checksum is not kept
	kindSeal               // the end of a pack that is not written any more, or was not at one time
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what the header of a record says.
type header struct {
	kind   kind
	length int // of the payload, in bytes
	id     blob.ID
	synced uint32 // when the record was written, the pack was durable up to here
}

func fileName(number uint32) string { return fmt.Sprintf("%08x", number) + packSuffix }

// parseFileName returns the number of the pack that fileName named.
func parseFileName(name string) (number uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, packSuffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	return uint32(n), err == nil && n > 0 && fileName(uint32(n)) == name
}

func placeOf(number uint32, offset int64) blob.Place {
	return blob.Place(number)<<32 | blob.Place(offset)
}

func splitPlace(place blob.Place) (number uint32, offset int64) {
	return uint32(place >> 32), int64(uint32(place))
}

// recordBytes returns the length of a record with n bytes of payload.
func recordBytes(n int) int { return (headerBytes + n + crcBytes + alignBytes - 1) &^ (alignBytes - 1) }

// putPackHeader writes the header of a pack, of packHeaderBytes.
func putPackHeader(p []byte, number, epoch uint32) {
	clear(p[:packHeaderBytes])
	copy(p, packMagic)
	binary.BigEndian.PutUint32(p[8:], formatVersion)
	binary.BigEndian.PutUint32(p[12:], number)
	binary.BigEndian.PutUint32(p[16:], epoch)
	binary.BigEndian.PutUint32(p[28:], crc32.Checksum(p[:28], castagnoli))
}

// checkPackHeader returns blob.ErrCorrupt where p is not the header of that pack. Records are read all the same: each
// is bound to its place by its own header.
func checkPackHeader(p []byte, number uint32) error {
	switch {
	case len(p) < packHeaderBytes, string(p[:8]) != packMagic,
		binary.BigEndian.Uint32(p[28:]) != crc32.Checksum(p[:28], castagnoli):
		return fmt.Errorf("packs: pack %08x: its header is damaged: %w", number, blob.ErrCorrupt)
	case binary.BigEndian.Uint32(p[8:]) != formatVersion:
		return fmt.Errorf("packs: pack %08x: unknown format %d: %w", number, binary.BigEndian.Uint32(p[8:]), errFormat)
	case binary.BigEndian.Uint32(p[12:]) != number:
		return fmt.Errorf("packs: pack %08x: it was pack %08x: %w", number, binary.BigEndian.Uint32(p[12:]), blob.ErrCorrupt)
	}
	return nil
}

// putHeader writes the header of a record that stands at place.
func putHeader(p []byte, place blob.Place, h header) {
	magic := [...]string{kindNone: "\x00\x00\x00\x00", kindBlob: blobMagic, kindFiller: fillerMagic, kindSeal: sealMagic}
	copy(p, magic[h.kind])
	binary.BigEndian.PutUint32(p[4:], uint32(h.length))
	copy(p[8:24], h.id[:])
	binary.BigEndian.PutUint32(p[24:], h.synced)
	binary.BigEndian.PutUint32(p[28:], headerCRC(p, place))
}

// parseHeader reads a header. ok is false where p does not begin with one that was written at place.
func parseHeader(p []byte, place blob.Place) (h header, ok bool) {
	if len(p) < headerBytes {
		return header{}, false
	}
	switch string(p[:4]) {
	case blobMagic:
		h.kind = kindBlob
	case fillerMagic:
		h.kind = kindFiller
	case sealMagic:
		h.kind = kindSeal
	default:
		return header{}, false
	}
	length := binary.BigEndian.Uint32(p[4:])
	if binary.BigEndian.Uint32(p[28:]) != headerCRC(p, place) || (length > maxPayload && h.kind != kindFiller) ||
		(h.kind == kindSeal && length != sealPayload) {
		return header{}, false
	}
	h.length = int(length)
	copy(h.id[:], p[8:24])
	h.synced = binary.BigEndian.Uint32(p[24:])
	return h, true
}

// headerCRC is taken over the place and the first 28 bytes of a header: what was written to another place, or comes
// from a copy of a pack that somebody stored as a blob, does not fit.
func headerCRC(p []byte, place blob.Place) uint32 {
	// By hand, since crc32.Update would have the eight bytes allocated.
	crc := ^uint32(0)
	for shift := 56; shift >= 0; shift -= 8 {
		crc = castagnoli[byte(crc)^byte(place>>shift)] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, p[:28])
}

// putPayloadCRC puts the checksum behind the payload of a record, and clears the padding. Everything but the id (of
// which it is taken too) may still be missing in the header.
func putPayloadCRC(p []byte, n int) {
	end := headerBytes + n
	binary.BigEndian.PutUint32(p[end:], payloadCRC(p, n))
	clear(p[end+crcBytes : recordBytes(n)])
}

// payloadCRC is taken over the id and the payload.
func payloadCRC(p []byte, n int) uint32 {
	return crc32.Update(crc32.Checksum(p[8:24], castagnoli), castagnoli, p[headerBytes:headerBytes+n])
}

// checkPayload says whether the payload, its checksum and the padding of a whole record are what was written.
func checkPayload(p []byte, n int) bool {
	end := headerBytes + n
	if len(p) < recordBytes(n) || binary.BigEndian.Uint32(p[end:]) != payloadCRC(p, n) {
		return false
	}
	for _, b := range p[end+crcBytes : recordBytes(n)] {
		if b != 0 {
			return false
		}
	}
	return true
}

// putSeal writes the record that ends a pack, and returns its length. The pack is durable up to synced: what is written
// with the seal is not yet.
func putSeal(p []byte, place blob.Place, synced uint32, records, bytes int64) int {
	putHeader(p, place, header{kind: kindSeal, length: sealPayload, synced: synced})
	binary.BigEndian.PutUint64(p[headerBytes:], uint64(records))
	binary.BigEndian.PutUint64(p[headerBytes+8:], uint64(bytes))
	putPayloadCRC(p, sealPayload)
	return recordBytes(sealPayload)
}

// parseSeal reads what putSeal wrote.
func parseSeal(p []byte, place blob.Place) (records, bytes int64, ok bool) {
	h, ok := parseHeader(p, place)
	if !ok || h.kind != kindSeal || !checkPayload(p, sealPayload) {
		return 0, 0, false
	}
	records = int64(binary.BigEndian.Uint64(p[headerBytes:]))
	return records, int64(binary.BigEndian.Uint64(p[headerBytes+8:])), true
}
