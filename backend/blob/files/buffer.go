package files

import "sync"

// runBlocks is how many blocks are written, or read, by one system call. Groups are made of whole runs.
const runBlocks = 4

// tailBytes is the most that follows the last block of a file: the checksums of a group, and the footer.
const tailBytes = groupBlocks*crcBytes + footerBytes

// bufferRoom is how much payload a buffer takes: that of a run of blocks, or of a small blob.
var bufferRoom = [...]int{4 << 10, 16 << 10, BlockSize, runBlocks * BlockSize}

var bufferPools [len(bufferRoom)]sync.Pool

// buffer is memory that is used again. One goroutine owns it between newBuffer and free.
type buffer struct {
	p     []byte // room for payload, and behind it for tailBytes
	class int
}

// newBuffer returns a buffer with room for n bytes of payload, or the largest there is. What it holds is arbitrary.
func newBuffer(n int64) *buffer {
	class := 0
	for class < len(bufferRoom)-1 && int64(bufferRoom[class]) < n {
		class++
	}
	if b, ok := bufferPools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{p: make([]byte, bufferRoom[class]+tailBytes), class: class}
}

// room is how much payload the buffer takes.
func (b *buffer) room() int { return bufferRoom[b.class] }

// tail is what is behind the room for payload.
func (b *buffer) tail() []byte { return b.p[b.room():] }

func (b *buffer) isLargest() bool { return b.class == len(bufferRoom)-1 }

// grown returns the next larger buffer, with what b holds, which it takes over.
func (b *buffer) grown() *buffer {
	larger := newBuffer(int64(b.room()) + 1)
	copy(larger.p, b.p[:b.room()])
	copy(larger.tail(), b.tail())
	b.free()
	return larger
}

func (b *buffer) free() { bufferPools[b.class].Put(b) }
