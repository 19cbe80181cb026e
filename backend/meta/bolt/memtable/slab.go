package memtable

import "sync/atomic"

// chunkElements is how many elements a chunk has, and an offset can tell apart.
const chunkElements = 1 << 15

// offsetBits of a place are the offset, which for the last element of a chunk needs less; the others tell the chunk.
const offsetBits = 16

// slab hands out memory that never moves. The writer allocates, readers look up the places that they were given.
type slab[T any] struct {
	// chunks is replaced by a longer copy when a chunk is added: whoever has learnt of a place finds its chunk.
	chunks atomic.Pointer[[][]T]
	free   []T // what is left of the last chunk; the writer's own
}

// reset forgets everything, and keeps the first chunk.
func (s *slab[T]) reset() {
	if chunks := s.chunks.Load(); chunks != nil && len(*chunks) > 0 && len((*chunks)[0]) == chunkElements {
		kept := (*chunks)[:1:1]
		s.chunks.Store(&kept)
		s.free = kept[0]
		return
	}
	s.chunks.Store(&[][]T{})
	s.free = nil
}

// allocate returns memory for n elements, and its place. What is in it is not defined.
func (s *slab[T]) allocate(n int) (place uint32, memory []T) {
	if n > len(s.free) {
		s.grow(n)
	}
	chunks := *s.chunks.Load()
	offset := len(chunks[len(chunks)-1]) - len(s.free)
	memory, s.free = s.free[:n:n], s.free[n:]
	return uint32(len(chunks)-1)<<offsetBits | uint32(offset), memory
}

// grow adds a chunk that has room for n elements.
func (s *slab[T]) grow(n int) {
	chunks := *s.chunks.Load()
	s.free = make([]T, max(n, chunkElements))
	chunks = append(chunks[:len(chunks):len(chunks)], s.free)
	s.chunks.Store(&chunks)
}

// at returns the memory at a place, and what follows it in its chunk.
func (s *slab[T]) at(place uint32) []T {
	return (*s.chunks.Load())[place>>offsetBits][place&(1<<offsetBits-1):]
}
