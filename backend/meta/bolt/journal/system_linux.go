package journal

import "golang.org/x/sys/unix"

// syncData leaves out the times of the file, which nobody reads.
func syncData(fd int) error { return unix.Fdatasync(fd) }

func preallocate(fd int, bytes int64) error { return unix.Fallocate(fd, 0, 0, bytes) }

// DiskBytes returns the size of the file system that has a directory.
func DiskBytes(directory string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(directory, &stat); err != nil {
		return 0, pathError("statfs", directory, err)
	}
	return int64(stat.Blocks) * stat.Frsize, nil
}
