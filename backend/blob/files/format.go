package files

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// BlockSize is how many bytes of a blob share a checksum, and so the least that is read to serve any of them.
const BlockSize = 64 << 10

const (
	magic         = "plimblob"
	formatVersion = 1
	footerBytes   = 40
	crcBytes      = 4
	frameBytes    = BlockSize + crcBytes // what a full block takes of a file, with its checksum
	groupBlocks   = 1024                 // of a group; their checksums take 4 KiB, so that all groups begin at a page
	groupBytes    = groupBlocks * frameBytes
	blobsPerDir   = 4096 // a power of 16, so that a directory is named by whole digits
	fileSuffix    = ".blob"
	// maxBlobBytes keeps 2*i+l within 32 bits: CRC-32 finds every difference that spans no more, so two blocks of
	// one blob can never be mistaken for each other.
	maxBlobBytes = (1 << 31) * BlockSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// dirName names the directory of a blob: the epoch, and all but the last three digits of the sequence number.
func dirName(id blob.ID) string {
	digits := id.String()
	return digits[:8] + "-" + digits[8:21]
}

func fileName(id blob.ID) string { return id.String() + fileSuffix }

// fileBytes returns the length of the file of a blob of size bytes.
func fileBytes(size int64) int64 {
	blocks := max(1, (size+BlockSize-1)/BlockSize)
	return size + blocks*crcBytes + footerBytes
}

// blobBytes returns the size of the blob that a file of length bytes holds. ok is false where no blob has such a file.
func blobBytes(length int64) (size int64, ok bool) {
	blocks := length - footerBytes
	if blocks == crcBytes {
		return 0, true
	}
	full, rest := blocks/frameBytes, blocks%frameBytes
	switch {
	case blocks <= 0, rest > 0 && rest <= crcBytes:
		return 0, false
	case rest == 0:
		return full * BlockSize, true
	}
	return full*BlockSize + rest - crcBytes, true
}

// lastBlock returns the index of the last block of a blob of size bytes.
func lastBlock(size int64) int64 { return max(0, size-1) / BlockSize }

// blockOffset returns where in a file a block begins.
func blockOffset(index int64) int64 {
	return index/groupBlocks*groupBytes + index%groupBlocks*BlockSize
}

// tablePlace returns where the checksums of a group are in the file of a blob of size bytes, and how long they are.
// Behind those of the last group is the footer.
func tablePlace(size, group int64) (offset int64, bytes int) {
	first := group * groupBlocks
	if last := lastBlock(size); last < first+groupBlocks {
		bytes = int(last-first+1) * crcBytes
		return fileBytes(size) - footerBytes - int64(bytes), bytes
	}
	return group*groupBytes + groupBlocks*BlockSize, groupBlocks * crcBytes
}

func putFooter(p []byte, id blob.ID) {
	copy(p, magic)
	binary.BigEndian.PutUint32(p[8:], formatVersion)
	binary.BigEndian.PutUint32(p[12:], BlockSize)
	copy(p[16:32], id[:])
	clear(p[32:36])
	binary.BigEndian.PutUint32(p[36:], crc32.Checksum(p[:36], castagnoli))
}

func checkFooter(p []byte, id blob.ID) error {
	var want [footerBytes]byte
	putFooter(want[:], id)
	if bytes.Equal(p, want[:]) {
		return nil
	}
	// The checksum decides whether the footer is a damaged one of ours, or a whole one that does not belong here.
	switch {
	case binary.BigEndian.Uint32(p[36:]) != crc32.Checksum(p[:36], castagnoli) || string(p[:8]) != magic:
		return fmt.Errorf("files: blob %s: footer is damaged: %w", id, blob.ErrCorrupt)
	case !bytes.Equal(p[16:32], id[:]):
		return fmt.Errorf("files: blob %s: file is that of blob %x: %w", id, p[16:32], blob.ErrCorrupt)
	}
	return fmt.Errorf("files: blob %s: unknown format %d with blocks of %d bytes: %w",
		id, binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint32(p[12:]), blob.ErrCorrupt)
}

// blockSeed begins the checksum of every block of a blob; it is the part that depends on the blob alone.
func blockSeed(id blob.ID) uint32 { return crc32.Checksum(id[:], castagnoli) }

// blockCRC returns the checksum of a block.
func blockCRC(seed uint32, index int64, isLast bool, payload []byte) uint32 {
	place := uint64(index) << 1
	if isLast {
		place |= 1
	}
	// By hand, since crc32.Update would have the eight bytes allocated, once for every block.
	crc := ^seed
	for shift := 56; shift >= 0; shift -= 8 {
		crc = castagnoli[byte(crc)^byte(place>>shift)] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, payload)
}

func badLength(id blob.ID, length int64) error {
	return fmt.Errorf("files: blob %s: no blob has a file of %d bytes: %w", id, length, blob.ErrCorrupt)
}
