package files

import (
	"golang.org/x/sys/unix"

	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

func preallocate(fd int, bytes int64) error {
	return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, bytes)
}

func diskSpace(path string) (available, total int64, err error) {
	var stat unix.Statfs_t
	if err := disk.Retry(func() error { return unix.Statfs(path, &stat) }); err != nil {
		return 0, 0, disk.PathError("statfs", path, err)
	}
	unit := uint64(stat.Frsize)
	if unit == 0 {
		unit = uint64(stat.Bsize)
	}
	return spaceBytes(stat.Bavail, unit), spaceBytes(stat.Blocks, unit), nil
}
