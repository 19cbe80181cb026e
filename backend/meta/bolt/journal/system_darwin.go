package journal

import "golang.org/x/sys/unix"

// syncData asks the disk to empty its cache, which fsync does not on this system.
func syncData(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	if err == unix.ENOTSUP || err == unix.ENOTTY || err == unix.EINVAL {
		return unix.Fsync(fd)
	}
	return err
}

// preallocate cannot: what this system has for it leaves the length alone, which is what matters here.
func preallocate(int, int64) error { return unix.EOPNOTSUPP }

// DiskBytes returns the size of the file system that has a directory.
func DiskBytes(directory string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(directory, &stat); err != nil {
		return 0, pathError("statfs", directory, err)
	}
	return int64(stat.Blocks) * int64(stat.Bsize), nil
}
