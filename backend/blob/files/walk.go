package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// Walk implements blob.ByID. Blobs that are being written are passed over. What is no blob of this store (a name of
// another form, a blob in a directory that is not its own) is visited with the zero ID and an error that wraps
// blob.ErrCorrupt and names the path. Directories of earlier epochs that are found empty are removed: nothing is ever
// put into them again.
func (s *Store) Walk(ctx context.Context, visit func(id blob.ID, size int64, err error) error) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("files: walk: %w", err)
	}
	for _, entry := range entries {
		if err := s.usable(ctx); err != nil {
			return err
		}
		name := entry.Name()
		if name == epochFile || name == epochTemporary {
			continue
		}
		epoch, ok := parseDirName(name)
		if !ok || !entry.IsDir() {
			if err := visit(blob.ID{}, 0, stranger(filepath.Join(s.dir, name))); err != nil {
				return err
			}
			continue
		}
		if err := s.walkDir(ctx, name, epoch, visit); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) walkDir(
	ctx context.Context, name string, epoch uint32, visit func(id blob.ID, size int64, err error) error,
) error {
	dir := filepath.Join(s.dir, name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("files: walk: %w", err)
	}
	if len(entries) == 0 && epoch < s.epoch {
		_ = os.Remove(dir) // another Walk may have been first, and a directory too many is no harm
	}
	for _, entry := range entries {
		if err := s.usable(ctx); err != nil {
			return err
		}
		id, ok := parseFileName(entry.Name())
		if !ok || dirName(id) != name {
			if err := visit(blob.ID{}, 0, stranger(filepath.Join(dir, entry.Name()))); err != nil {
				return err
			}
			continue
		}
		// In this order: once it is no longer being written its length will not change.
		if s.isWriting(id) {
			continue
		}
		size, err := entryBytes(id, entry)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err := visit(id, size, err); err != nil {
			return err
		}
	}
	return nil
}

// entryBytes returns the size of the blob in a file, judged by the file's length.
func entryBytes(id blob.ID, entry fs.DirEntry) (int64, error) {
	info, err := entry.Info()
	if err != nil {
		return 0, fmt.Errorf("files: walk: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("files: blob %s: is no regular file: %w", id, blob.ErrCorrupt)
	}
	size, ok := blobBytes(info.Size())
	if !ok {
		return 0, badLength(id, info.Size())
	}
	return size, nil
}

func stranger(path string) error {
	return fmt.Errorf("files: %s is no blob of this store: %w", path, blob.ErrCorrupt)
}

// parseDirName returns the epoch of a directory that dirName named.
func parseDirName(name string) (epoch uint32, ok bool) {
	head, tail, ok := strings.Cut(name, "-")
	if !ok || len(head) != 8 || len(tail) != 13 {
		return 0, false
	}
	// The digits that the directory leaves out make it an id, whose parser does the rest.
	id, err := blob.ParseID(head + tail + strings.Repeat("0", 11))
	if err != nil || dirName(id) != name {
		return 0, false
	}
	return id.Epoch(), true
}

// parseFileName returns the id of a file that fileName named.
func parseFileName(name string) (blob.ID, bool) {
	digits, ok := strings.CutSuffix(name, fileSuffix)
	if !ok {
		return blob.ID{}, false
	}
	id, err := blob.ParseID(digits)
	return id, err == nil && fileName(id) == name
}
