package packs

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"sync"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// memoryDisk is a file system in memory: as quick on every machine, and it knows what a power cut may take.
type memoryDisk struct {
	mu    sync.Mutex // guards files
	files map[string]*memoryFile
}

func newMemoryDisk() *memoryDisk { return &memoryDisk{files: make(map[string]*memoryFile)} }

// crashed returns the disk as it is after a crash, without what was not synced if that is lost. Names are never lost.
func (d *memoryDisk) crashed(lost bool) *memoryDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newMemoryDisk()
	for path, f := range d.files {
		f.mu.Lock()
		content := f.content
		if lost {
			content = f.synced
		}
		after.files[path] = &memoryFile{content: bytes.Clone(content), synced: bytes.Clone(content)}
		f.mu.Unlock()
	}
	return after
}

func (d *memoryDisk) create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[path] != nil {
		return nil, disk.PathError("open", path, unix.EEXIST)
	}
	f := &memoryFile{}
	d.files[path] = f
	return f, nil
}

func (d *memoryDisk) open(path string, _ bool) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[path]; f != nil {
		return f, nil
	}
	return nil, disk.PathError("open", path, unix.ENOENT)
}

func (d *memoryDisk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, path)
	return nil
}

func (d *memoryDisk) list(string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := make(fstest.MapFS, len(d.files))
	for path := range d.files {
		names[filepath.Base(path)] = &fstest.MapFile{}
	}
	return names.ReadDir(".")
}

func (*memoryDisk) syncDir(string) error { return nil }

type memoryFile struct {
	mu              sync.Mutex // guards what follows
	content, synced []byte
}

func (f *memoryFile) writeAt(vectors [][]byte, offset int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := bytes.Join(vectors, nil)
	f.resize(max(int64(len(f.content)), offset+int64(len(p))))
	copy(f.content[offset:], p)
	return nil
}

func (f *memoryFile) readAt(p []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copy(p, f.content[min(offset, int64(len(f.content))):]), nil
}

func (f *memoryFile) size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.content)), nil
}

func (f *memoryFile) preallocate(n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resize(max(int64(len(f.content)), n))
	return nil
}

func (f *memoryFile) truncate(n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resize(n)
	return nil
}

// resize is called with mu held.
func (f *memoryFile) resize(n int64) {
	if more := n - int64(len(f.content)); more > 0 {
		f.content = append(f.content, make([]byte, more)...)
	}
	f.content = f.content[:n]
}

func (f *memoryFile) sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced = bytes.Clone(f.content)
	return nil
}

func (*memoryFile) sendOut(int64, int64) error { return nil }

func (*memoryFile) close() error { return nil }
