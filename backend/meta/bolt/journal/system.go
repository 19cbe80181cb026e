package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// FileSystem is what a journal does to a disk. Tests stand between, to make it fail.
type FileSystem interface {
	// Create makes a file, or empties the one that is there.
	Create(path string) (File, error)
	// Open opens a file to be read and written.
	Open(path string) (File, error)
	// SyncDirectory makes the names in a directory durable.
	SyncDirectory(path string) error
}

// File is a file that is open.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Preallocate makes the file that long, with space for all of it on the disk.
	Preallocate(bytes int64) error
	Truncate(bytes int64) error
	// Sync makes the file's bytes and its length durable.
	Sync() error
}

// Disk is the real file system.
type Disk struct{}

// Create implements FileSystem.
func (Disk) Create(path string) (File, error) { return openFile(path, os.O_CREATE|os.O_TRUNC) }

// Open implements FileSystem.
func (Disk) Open(path string) (File, error) { return openFile(path, 0) }

// SyncDirectory implements FileSystem.
func (Disk) SyncDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type diskFile struct{ *os.File }

func openFile(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f diskFile) Preallocate(bytes int64) error {
	return f.try("preallocate", func(fd int) error { return preallocate(fd, bytes) })
}

func (f diskFile) Sync() error { return f.try("sync", syncData) }

// try makes a system call, again where a signal interrupts it.
func (f diskFile) try(operation string, call func(fd int) error) error {
	for {
		err := call(int(f.Fd()))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EINTR):
			return pathError(operation, f.Name(), err)
		}
	}
}

func pathError(operation, path string, err error) error {
	return &fs.PathError{Op: operation, Path: path, Err: err}
}

// unsupported says that a file system cannot preallocate. Files grow with what is written to them there.
func unsupported(err error) bool {
	return errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL)
}
