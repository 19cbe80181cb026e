package files

import (
	"golang.org/x/sys/unix"

	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// preallocate does nothing: it only saves time, and what this system has for it costs as much as it saves.
func preallocate(int, int64) error { return nil }

func diskSpace(path string) (available, total int64, err error) {
	var stat unix.Statfs_t
	if err := disk.Retry(func() error { return unix.Statfs(path, &stat) }); err != nil {
		return 0, 0, disk.PathError("statfs", path, err)
	}
	unit := uint64(stat.Bsize)
	return spaceBytes(stat.Bavail, unit), spaceBytes(stat.Blocks, unit), nil
}
