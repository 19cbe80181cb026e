package blobtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// testFlippedBytes changes bytes in the files below the store's directory, whatever they are. What is then read must be
// what was written, or an error, and never anything else.
func testFlippedBytes(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	s := open(t, dir)
	defer mustClose(t, s)
	contents := make(map[blob.ID][]byte)
	for _, size := range []int{1, 700, 3*block + 5} {
		content := Bytes(6, size)
		contents[mustPut(t, s, content)] = content
	}
	missed := true
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/300 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << (at % 8)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				return err
			}
			for id, content := range contents {
				got, err := Get(s, id, 0, int64(len(content)), 0)
				if !bytes.HasPrefix(content, got) || (err == nil && len(got) < len(content)) {
					t.Fatalf("byte %d of %s was changed: blob %s is served otherwise, error %v", at, path, id, err)
				}
				if err != nil {
					missed = false
				}
			}
		}
		return os.WriteFile(path, whole, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if missed {
		t.Error("no change of a byte was noticed: the test does not find the store's files")
	}
	for id, content := range contents {
		wantContent(t, s, id, content)
	}
}
