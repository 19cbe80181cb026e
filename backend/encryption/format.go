package encryption

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// ChunkBytes is how many plain bytes of a blob share a tag, and so the least that is read to serve any of them.
const ChunkBytes = 64 << 10

const (
	headerMagic    = "plE\x01" // with the version
	blobSaltBytes  = 28
	headerBytes    = len(headerMagic) + blobSaltBytes
	sealedBytes    = ChunkBytes + tagBytes // of every chunk but the last
	blobPurpose    = "plimsoll blob v1"
	nonceBytes     = 12
	maxBlobChunks  = 1 << 32 // NIST SP 800-38D allows a key no more messages
	nonceIndexAt   = 3
	nonceLastAt    = nonceBytes - 1
	nonceLastChunk = 1
)

// MaxBlobBytes is how many plain bytes a blob may have: 256 TiB.
const MaxBlobBytes = maxBlobChunks * ChunkBytes

// StoredSize returns how many bytes are stored for a blob of plain bytes: 48 more for up to 64 KiB, and 16 more for
// every 64 KiB begun after that. A negative size, which says that it is not known, is returned as it is; one beyond
// MaxBlobBytes, which cannot be stored, becomes math.MaxInt64.
func StoredSize(plain int64) int64 {
	switch {
	case plain < 0:
		return plain
	case plain > MaxBlobBytes:
		return math.MaxInt64
	}
	return int64(headerBytes) + plain + (lastChunk(plain)+1)*tagBytes
}

// PlainSize is the inverse of StoredSize. ok is false where no blob is stored as so many bytes.
func PlainSize(stored int64) (plain int64, ok bool) {
	if stored < StoredSize(0) || stored > StoredSize(MaxBlobBytes) {
		return 0, false
	}
	chunks := stored - int64(headerBytes)
	full, rest := chunks/sealedBytes, chunks%sealedBytes
	switch {
	case rest == 0:
		return full * ChunkBytes, true
	case rest < tagBytes, rest == tagBytes && full > 0: // only a blob of no bytes has an empty chunk
		return 0, false
	}
	return full*ChunkBytes + rest - tagBytes, true
}

// lastChunk returns the index of the last chunk of a blob of size bytes.
func lastChunk(size int64) int64 { return max(0, size-1) / ChunkBytes }

// blobCipher seals and opens the chunks of one blob.
type blobCipher struct {
	aead  cipher.AEAD
	nonce [nonceBytes]byte // here, so that it is not allocated for every chunk
}

func newBlobCipher(key DataKey, salt []byte) (c blobCipher) {
	aead, err := cipher.NewGCM(key.derive(salt, blobPurpose))
	if err != nil {
		panic("encryption: new GCM: " + err.Error()) // only for blocks that are not those of AES
	}
	c.aead = aead
	return c
}

func (c *blobCipher) setNonce(index int64, isLast bool) {
	binary.BigEndian.PutUint64(c.nonce[nonceIndexAt:], uint64(index))
	c.nonce[nonceLastAt] = 0
	if isLast {
		c.nonce[nonceLastAt] = nonceLastChunk
	}
}

// seal appends a chunk and its tag to dst. plain may be where they go.
func (c *blobCipher) seal(dst []byte, index int64, isLast bool, plain []byte) []byte {
	c.setNonce(index, isLast)
	return c.aead.Seal(dst, c.nonce[:], plain, nil)
}

// open decrypts a chunk where it is, and returns it without its tag. Where it fails, the chunk is zeroed.
func (c *blobCipher) open(index int64, isLast bool, sealed []byte) ([]byte, error) {
	c.setNonce(index, isLast)
	plain, err := c.aead.Open(sealed[:0], c.nonce[:], sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("chunk %d: %w", index, ErrCorrupt)
	}
	return plain, nil
}

// buffer has room for a header and one sealed chunk. One goroutine owns it between Get and Put. What it holds is
// arbitrary.
type buffer [headerBytes + sealedBytes]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}
