package packs

import "golang.org/x/sys/unix"

// syncFile asks the disk to empty its cache, which fsync does not on this system.
func syncFile(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	if err == unix.ENOTSUP || err == unix.ENOTTY || err == unix.EINVAL {
		return unix.Fsync(fd)
	}
	return err
}

func syncDirectory(fd int) error { return syncFile(fd) }

// preallocate cannot: what this system has for it leaves the length alone, which is what matters here.
func preallocate(int, int64) error { return unix.EOPNOTSUPP }

func writeVectors(fd int, vectors [][]byte, offset int64) (int, error) {
	return unix.Pwrite(fd, vectors[0], offset)
}
