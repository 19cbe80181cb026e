package files

import "golang.org/x/sys/unix"

// syncFile leaves out the times of the file, which nobody reads.
func syncFile(fd int) error { return unix.Fdatasync(fd) }

func syncDirectory(fd int) error { return unix.Fsync(fd) }

func preallocate(fd int, bytes int64) error {
	return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, bytes)
}

func diskSpace(path string) (available, total int64, err error) {
	var stat unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &stat) }); err != nil {
		return 0, 0, pathError("statfs", path, err)
	}
	unit := uint64(stat.Frsize)
	if unit == 0 {
		unit = uint64(stat.Bsize)
	}
	return spaceBytes(stat.Bavail, unit), spaceBytes(stat.Blocks, unit), nil
}
