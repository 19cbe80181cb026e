package files

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

// preallocate does nothing: it only saves time, and what this system has for it costs as much as it saves.
func preallocate(int, int64) error { return nil }

func diskSpace(path string) (available, total int64, err error) {
	var stat unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &stat) }); err != nil {
		return 0, 0, pathError("statfs", path, err)
	}
	unit := uint64(stat.Bsize)
	return spaceBytes(stat.Bavail, unit), spaceBytes(stat.Blocks, unit), nil
}
