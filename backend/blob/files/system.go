package files

import (
	"errors"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"

	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// fileSystem is what the store does to a disk. Tests stand between, to make it fail. Errors that it returns know their
// path, and errors.Is finds both fs.ErrNotExist and the system's own among them.
type fileSystem interface {
	// create makes a file that is not there yet.
	create(path string) (file, error)
	open(path string) (file, error)
	mkdir(path string) error
	remove(path string) error
	// syncDir makes the names in a directory durable.
	syncDir(path string) error
}

// file is a file that is open: one that was created is written from its beginning to its end, one that was opened is
// read. It is used by one goroutine at a time, and closed once.
type file interface {
	// write appends all of p, or fails.
	write(p []byte) error
	// readAt reads by one system call. Less than len(p) bytes is mostly, 0 certainly, the end of the file.
	readAt(p []byte, offset int64) (int, error)
	size() (int64, error)
	// preallocate reserves space for a file of that many bytes, and leaves its length alone. It does nothing where the
	// file system cannot.
	preallocate(bytes int64) error
	truncate(bytes int64) error
	// sendOut has the disk begin to write so many bytes from offset, and does not wait for it. Nothing is durable by that.
	sendOut(offset, bytes int64) error
	// sync makes the file's bytes and its length durable.
	sync() error
	close() error
}

// diskFileSystem is the real one.
type diskFileSystem struct{}

func (diskFileSystem) create(path string) (file, error) {
	return openDiskFile(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

func (diskFileSystem) open(path string) (file, error) { return openDiskFile(path, unix.O_RDONLY) }

func (diskFileSystem) mkdir(path string) error {
	return disk.PathError("mkdir", path, disk.Retry(func() error { return unix.Mkdir(path, 0o700) }))
}

func (diskFileSystem) remove(path string) error { return disk.Remove(path) }

func (diskFileSystem) syncDir(path string) error { return disk.SyncDirectory(path) }

type diskFile struct{ disk.File }

func openDiskFile(path string, flags int) (file, error) {
	f, err := disk.Open(path, flags)
	if err != nil {
		return nil, err
	}
	return &diskFile{f}, nil
}

func (f *diskFile) write(p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(f.FD, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return disk.PathError("write", f.Path, err)
		}
		p = p[n:]
	}
	return nil
}

func (f *diskFile) readAt(p []byte, offset int64) (n int, err error) {
	err = disk.Retry(func() error {
		n, err = unix.Pread(f.FD, p, offset)
		return err
	})
	return max(n, 0), disk.PathError("read", f.Path, err)
}

func (f *diskFile) preallocate(bytes int64) error {
	err := disk.Retry(func() error { return preallocate(f.FD, bytes) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return disk.PathError("preallocate", f.Path, err)
}

func (f *diskFile) size() (int64, error) { return f.Size() }

func (f *diskFile) truncate(bytes int64) error { return f.Truncate(bytes) }

func (f *diskFile) sendOut(offset, bytes int64) error { return f.SendOut(offset, bytes) }

func (f *diskFile) sync() error { return f.Sync() }

func (f *diskFile) close() error { return f.Close() }

// spaceBytes returns the bytes of that many blocks of a disk, or the most that an int64 can say.
func spaceBytes(blocks, blockBytes uint64) int64 {
	high, low := bits.Mul64(blocks, blockBytes)
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}
