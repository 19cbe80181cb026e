package disk

import "golang.org/x/sys/unix"

// syncFile leaves out the times of the file, which nobody reads.
func syncFile(fd int) error { return unix.Fdatasync(fd) }

func syncDirectory(fd int) error { return unix.Fsync(fd) }

func sendOut(fd int, offset, bytes int64) error {
	return unix.SyncFileRange(fd, offset, bytes, unix.SYNC_FILE_RANGE_WRITE)
}
