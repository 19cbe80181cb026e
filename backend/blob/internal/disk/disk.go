// Package disk is what the stores of blobs have in common of their dealings with a disk: system calls that are made again
// where a signal interrupts them, whose errors know their path, and that make durable what they are to make durable on
// this system.
//
// It goes without os.File, which asks the poller about every file that it opens, in vain for those of a disk. Errors are
// *fs.PathError, and errors.Is finds both fs.ErrNotExist and the system's own among them.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File is a file, or a directory, that is open. Its methods may be called concurrently, but for Close.
type File struct {
	Path string
	FD   int
}

// Open opens a file with flags of open(2). One that it makes is for its owner only.
func Open(path string, flags int) (File, error) {
	f := File{Path: path}
	err := Retry(func() (err error) {
		f.FD, err = unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		return err
	})
	return f, PathError("open", path, err)
}

// Size returns the file's length in bytes.
func (f *File) Size() (int64, error) {
	var stat unix.Stat_t
	err := Retry(func() error { return unix.Fstat(f.FD, &stat) })
	return stat.Size, PathError("stat", f.Path, err)
}

// Truncate makes the file so many bytes long.
func (f *File) Truncate(bytes int64) error {
	return PathError("truncate", f.Path, Retry(func() error { return unix.Ftruncate(f.FD, bytes) }))
}

// SendOut has the disk begin to write what is in so many bytes from offset, and does not wait for it, where the system has
// that. Nothing is durable by that. What it cannot write is an error here or of the next Sync.
func (f *File) SendOut(offset, bytes int64) error {
	err := Retry(func() error { return sendOut(f.FD, offset, bytes) })
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.EPERM) { // a sandbox's, and never a disk's
		return nil // Sync does it all
	}
	return PathError("write out", f.Path, err)
}

// Sync makes the file's bytes and its length durable.
func (f *File) Sync() error {
	return PathError("sync", f.Path, Retry(func() error { return syncFile(f.FD) }))
}

// Close is not tried again when it is interrupted: the descriptor is gone then, and may be another file's already.
func (f *File) Close() error {
	err := unix.Close(f.FD)
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return PathError("close", f.Path, err)
}

// Remove removes a file.
func Remove(path string) error {
	return PathError("unlink", path, Retry(func() error { return unix.Unlink(path) }))
}

// SyncDirectory makes the names in a directory durable.
func SyncDirectory(path string) error {
	f, err := Open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	err = PathError("fsync", path, Retry(func() error { return syncDirectory(f.FD) }))
	return errors.Join(err, f.Close())
}

// MakeDirectories makes a directory and what is missing above it by mkdir, and their names durable by syncDirectory where
// sync is set.
func MakeDirectories(path string, sync bool, mkdir, syncDirectory func(path string) error) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no directory", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if err := MakeDirectories(parent, sync, mkdir, syncDirectory); err != nil {
		return err
	}
	if err := mkdir(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !sync {
		return nil
	}
	return syncDirectory(parent)
}

// Retry repeats what a signal interrupted.
func Retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// PathError returns an error that knows what failed, and nil for nil.
func PathError(operation, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: operation, Path: path, Err: err}
}
