package packs

import "sync"

// bufferBytes are the lengths of buffers: a whole record of a blob of a round size each.
var bufferBytes = [...]int{
	recordBytes(1 << 10), recordBytes(4 << 10), recordBytes(16 << 10), recordBytes(64 << 10), recordBytes(128 << 10),
	recordBytes(256 << 10), recordBytes(512 << 10), recordBytes(maxPayload),
}

var bufferPools [len(bufferBytes)]sync.Pool

// buffer is a slice of bytes that is used again: it holds one record. One goroutine owns it between newBuffer and free.
type buffer struct {
	p     []byte
	class int
}

// newBuffer returns a buffer for a record with n bytes of payload, which are at most maxPayload. What it holds is
// arbitrary.
func newBuffer(n int) *buffer {
	class := 0
	for bufferBytes[class] < recordBytes(n) {
		class++
	}
	if b, ok := bufferPools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{p: make([]byte, bufferBytes[class]), class: class}
}

// grown returns a buffer for n bytes of payload that begins with the first used bytes of payload of b, which it takes
// over.
func (b *buffer) grown(n, used int) *buffer {
	if recordBytes(n) <= len(b.p) {
		return b
	}
	larger := newBuffer(n)
	copy(larger.p[headerBytes:], b.p[headerBytes:headerBytes+used])
	b.free()
	return larger
}

func (b *buffer) free() { bufferPools[b.class].Put(b) }

// copyBytes is how much of a large blob is read at once.
const copyBytes = 256 << 10

var copyBuffers = sync.Pool{New: func() any { p := make([]byte, copyBytes); return &p }}
