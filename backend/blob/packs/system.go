package packs

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// maxVectors is how many slices one system call writes at most (IOV_MAX).
const maxVectors = 1024

// fileSystem is what the store does to a disk. Tests stand between, to make it fail. Errors that it returns know their
// path, and errors.Is finds both fs.ErrNotExist and the system's own among them.
type fileSystem interface {
	// create makes a file that is not there yet, to be read and written.
	create(path string) (file, error)
	// open opens a file to be read, and to be written where that is asked for.
	open(path string, write bool) (file, error)
	remove(path string) error
	// list returns what is in a directory.
	list(path string) ([]fs.DirEntry, error)
	// syncDir makes the names in a directory durable.
	syncDir(path string) error
}

// file is a file that is open. Reading is safe for concurrent use; it is closed once.
type file interface {
	// writeAt writes all of the slices, one behind the other, from offset, or fails. It may use up vectors.
	writeAt(vectors [][]byte, offset int64) error
	// readAt reads until p is full or the file ends, and returns how much it has read. The end is no error.
	readAt(p []byte, offset int64) (int, error)
	size() (int64, error)
	// preallocate makes the file that long, with space for all of it on the disk.
	preallocate(bytes int64) error
	truncate(bytes int64) error
	// sendOut has the disk begin to write what is in so many bytes from offset, and does not wait. Nothing is durable
	// by that, but an error is one of sync's.
	sendOut(offset, bytes int64) error
	// sync makes the file's bytes and its length durable.
	sync() error
	close() error
}

// diskFileSystem is the real one.
type diskFileSystem struct{}

func (diskFileSystem) create(path string) (file, error) {
	return openDiskFile(path, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
}

func (diskFileSystem) open(path string, write bool) (file, error) {
	if write {
		return openDiskFile(path, unix.O_RDWR)
	}
	return openDiskFile(path, unix.O_RDONLY)
}

func (diskFileSystem) remove(path string) error { return disk.Remove(path) }

func (diskFileSystem) list(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

func (diskFileSystem) syncDir(path string) error { return disk.SyncDirectory(path) }

type diskFile struct{ disk.File }

func openDiskFile(path string, flags int) (file, error) {
	f, err := disk.Open(path, flags)
	if err != nil {
		return nil, err
	}
	return &diskFile{f}, nil
}

func (f *diskFile) writeAt(vectors [][]byte, offset int64) error {
	for len(vectors) > 0 {
		n, err := writeVectors(f.FD, vectors[:min(len(vectors), maxVectors)], offset)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = unix.EIO // no progress, and no reason given: trying again might never end
		}
		if err != nil {
			return disk.PathError("write", f.Path, err)
		}
		offset += int64(n)
		for len(vectors) > 0 && n >= len(vectors[0]) {
			n -= len(vectors[0])
			vectors = vectors[1:]
		}
		if n > 0 {
			vectors[0] = vectors[0][n:]
		}
	}
	return nil
}

func (f *diskFile) readAt(p []byte, offset int64) (int, error) {
	total := 0
	for total < len(p) {
		n, err := unix.Pread(f.FD, p[total:], offset+int64(total))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return total, disk.PathError("read", f.Path, err)
		case n == 0:
			return total, nil
		}
		total += n
	}
	return total, nil
}

func (f *diskFile) preallocate(bytes int64) error {
	return disk.PathError("preallocate", f.Path, disk.Retry(func() error { return preallocate(f.FD, bytes) }))
}

func (f *diskFile) size() (int64, error) { return f.Size() }

func (f *diskFile) truncate(bytes int64) error { return f.Truncate(bytes) }

func (f *diskFile) sendOut(offset, bytes int64) error { return f.SendOut(offset, bytes) }

func (f *diskFile) sync() error { return f.Sync() }

func (f *diskFile) close() error { return f.Close() }
