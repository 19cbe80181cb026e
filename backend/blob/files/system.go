package files

import (
	"errors"
	"io/fs"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
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
	// sync makes the file's bytes and its length durable.
	sync() error
	close() error
}

// diskFileSystem is the real one. It goes without os.File, which asks the poller about every file that it opens, in
// vain for those of a disk.
type diskFileSystem struct{}

func (diskFileSystem) create(path string) (file, error) {
	return openDiskFile(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
}

func (diskFileSystem) open(path string) (file, error) { return openDiskFile(path, unix.O_RDONLY) }

func (diskFileSystem) mkdir(path string) error {
	return pathError("mkdir", path, retry(func() error { return unix.Mkdir(path, 0o700) }))
}

func (diskFileSystem) remove(path string) error {
	return pathError("unlink", path, retry(func() error { return unix.Unlink(path) }))
}

func (diskFileSystem) syncDir(path string) error {
	f, err := openDiskFile(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	err = pathError("fsync", path, retry(func() error { return syncDirectory(f.(*diskFile).fd) }))
	return errors.Join(err, f.close())
}

type diskFile struct {
	path string
	fd   int
}

func openDiskFile(path string, flags int) (file, error) {
	f := &diskFile{path: path}
	err := retry(func() (err error) {
		f.fd, err = unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return nil, pathError("open", path, err)
	}
	return f, nil
}

func (f *diskFile) write(p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(f.fd, p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return pathError("write", f.path, err)
		}
		p = p[n:]
	}
	return nil
}

func (f *diskFile) readAt(p []byte, offset int64) (n int, err error) {
	err = retry(func() error {
		n, err = unix.Pread(f.fd, p, offset)
		return err
	})
	return max(n, 0), pathError("read", f.path, err)
}

func (f *diskFile) size() (int64, error) {
	var stat unix.Stat_t
	err := retry(func() error { return unix.Fstat(f.fd, &stat) })
	return stat.Size, pathError("stat", f.path, err)
}

func (f *diskFile) preallocate(bytes int64) error {
	err := retry(func() error { return preallocate(f.fd, bytes) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return pathError("preallocate", f.path, err)
}

func (f *diskFile) truncate(bytes int64) error {
	return pathError("truncate", f.path, retry(func() error { return unix.Ftruncate(f.fd, bytes) }))
}

func (f *diskFile) sync() error {
	return pathError("sync", f.path, retry(func() error { return syncFile(f.fd) }))
}

// close is not tried again when it is interrupted: the descriptor is gone then, and may be another file's already.
func (f *diskFile) close() error {
	err := unix.Close(f.fd)
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return pathError("close", f.path, err)
}

// retry repeats what a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func pathError(operation, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: operation, Path: path, Err: err}
}

// spaceBytes returns the bytes of that many blocks of a disk, or the most that an int64 can say.
func spaceBytes(blocks, blockBytes uint64) int64 {
	high, low := bits.Mul64(blocks, blockBytes)
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}
