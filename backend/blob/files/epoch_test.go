package files

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestEpochFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "down")
	for want := uint32(1); want <= 3; want++ {
		s := mustOpen(t, dir, Options{Sync: want%2 == 0})
		if s.Epoch() != want {
			t.Fatalf("epoch %d, want %d", s.Epoch(), want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, epochFile))
	if err != nil || !bytes.HasPrefix(text, []byte("00000003 ")) {
		t.Fatalf("the epoch file says %q, error %v", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d entries in the directory, error %v; want the epoch file alone", len(entries), err)
	}
}

// TestEpochFileMissing, or taken back by an old copy: the directories' names keep the count.
func TestEpochFileMissing(t *testing.T) {
	dir := t.TempDir()
	old, err := []byte(nil), error(nil)
	for epoch := 1; epoch <= 5; epoch++ {
		mustPut(t, mustOpen(t, dir, Options{}), []byte("x"))
		if epoch == 2 {
			if old, err = os.ReadFile(filepath.Join(dir, epochFile)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, epochFile)); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{})
	if s.Epoch() != 6 {
		t.Errorf("epoch %d without an epoch file, want 6", s.Epoch())
	}
	mustPut(t, s, []byte("x"))
	if err := os.WriteFile(filepath.Join(dir, epochFile), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, dir, Options{}); s.Epoch() != 7 {
		t.Errorf("epoch %d with an old epoch file, want 7", s.Epoch())
	}
}

func TestEpochFileCorrupt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, epochFile)
	for _, text := range []string{
		"", "\n", "00000003", "00000003\n", "00000003 00000000\n", epochLine(3)[1:], epochLine(3) + "\n",
		"0000000A" + epochLine(10)[8:], "00000004" + epochLine(3)[8:], epochLine(1<<32 - 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(dir, Options{}); err == nil {
			t.Errorf("epoch file %q is read as epoch %d", text, s.Epoch())
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != text {
			t.Errorf("a failed Open changed the epoch file from %q to %q, error %v", text, after, err)
		}
	}
}

// TestEpochFails: no store is opened where its epoch could not be made durable, whichever step fails.
func TestEpochFails(t *testing.T) {
	for _, operation := range []string{"create", "write", "sync", "close", "syncDir"} {
		dir := t.TempDir()
		disk := newFaultyDisk()
		disk.fail(operation, "", syscall.ENOSPC)
		_, err := open(dir, Options{Sync: true}, disk)
		wantError(t, "Open, failing to "+operation, err, syscall.ENOSPC)
		if s := mustOpen(t, dir, Options{Sync: true}); s.Epoch() == 0 {
			t.Errorf("epoch %d after a failed Open", s.Epoch())
		}
	}
}
