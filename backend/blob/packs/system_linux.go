package packs

import "golang.org/x/sys/unix"

func preallocate(fd int, bytes int64) error { return unix.Fallocate(fd, 0, 0, bytes) }

func writeVectors(fd int, vectors [][]byte, offset int64) (int, error) {
	if len(vectors) == 1 {
		return unix.Pwrite(fd, vectors[0], offset)
	}
	return unix.Pwritev(fd, vectors, offset)
}
