package backend

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate makes f hold size bytes of the disk.
func allocate(f *os.File, size int64) error {
	return unix.Fallocate(int(f.Fd()), 0, 0, size)
}
