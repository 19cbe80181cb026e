package files

import "sync"

// runBlocks is how many blocks are written, or read, by one system call.
const runBlocks = 4

// bufferBytes are the lengths of buffers. Each takes a header and the frames of whole blocks (or, the small ones, of a
// blob of that size), and one byte more: a read that does not fill it has met the end of the file.
var bufferBytes = [...]int{
	headerBytes + 4<<10 + crcBytes + 1,
	headerBytes + 16<<10 + crcBytes + 1,
	headerBytes + frameBytes + 1,
	headerBytes + runBlocks*frameBytes + 1,
}

var bufferPools [len(bufferBytes)]sync.Pool

// buffer is a slice of bytes that is used again. One goroutine owns it between newBuffer and free.
type buffer struct {
	p     []byte
	class int
}

// newBuffer returns a buffer of at least n bytes, or the largest there is. What it holds is arbitrary.
func newBuffer(n int) *buffer {
	class := 0
	for class < len(bufferBytes)-1 && bufferBytes[class] < n {
		class++
	}
	if b, ok := bufferPools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{p: make([]byte, bufferBytes[class]), class: class}
}

func (b *buffer) isLargest() bool { return b.class == len(bufferBytes)-1 }

// grown returns a buffer of at least n bytes that begins with the first used bytes of b, which it takes over.
func (b *buffer) grown(n, used int) *buffer {
	if n <= len(b.p) {
		return b
	}
	larger := newBuffer(n)
	copy(larger.p, b.p[:used])
	b.free()
	return larger
}

func (b *buffer) free() { bufferPools[b.class].Put(b) }
