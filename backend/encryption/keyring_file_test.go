package encryption

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestCreateKeyring(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	if _, err := LoadKeyring(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadKeyring without a file: %v", err)
	}
	first, created, err := LoadOrCreateKeyring(path)
	if err != nil || !created {
		t.Fatalf("%v, %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, created, err := LoadOrCreateKeyring(path)
	if err != nil || created {
		t.Fatalf("once more: %v, %v", created, err)
	}
	d := NewDataKey()
	if got, err := again.Unwrap(first.WrapS3(d)); err != nil || !sameKey(got, d) {
		t.Errorf("the file has other keys: %v", err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(names) != 1 {
		t.Errorf("files %v, %v", names, err)
	}
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(hidden) != 0 {
		t.Errorf("files %v, %v", hidden, err)
	}
}

// TestCreateKeyringOnce starts many at once: all must have the key that the file has in the end.
func TestCreateKeyringOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	const n = 8
	var rings [n]*Keyring
	var made [n]bool
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if rings[i], made[i], err = LoadOrCreateKeyring(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	creators := 0
	d := NewDataKey()
	for i := range n {
		if made[i] {
			creators++
		}
		if _, err := rings[i].Unwrap(rings[0].WrapS3(d)); err != nil {
			t.Errorf("keyring %d: %v", i, err)
		}
	}
	if creators != 1 {
		t.Errorf("%d say that they made the file", creators)
	}
}

func TestKeyringIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	for _, text := range []string{"", "default\n"} { // a file that cannot be used is still somebody's
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, created, err := LoadOrCreateKeyring(path); !errors.Is(err, ErrKeyring) || created {
			t.Errorf("%q: %v, %v", text, created, err)
		}
		if err := createKeyring(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%q: createKeyring: %v", text, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

func TestKeyringFileMode(t *testing.T) {
	tests := []struct {
		mode       fs.FileMode
		ours, root bool // may be loaded if the file belongs to a user, to root
	}{
		{0o600, true, true},
		{0o400, true, true},
		{0o700, true, true},
		{0o640, false, true},
		{0o440, false, true},
		{0o660, false, false},
		{0o620, false, false},
		{0o604, false, false},
		{0o602, false, false},
		{0o601, false, false},
		{0o644, false, false},
		{0o777, false, false},
	}
	for _, tt := range tests {
		for _, owned := range []bool{false, true} {
			want := tt.ours
			if owned {
				want = tt.root
			}
			if err := checkMode(tt.mode, owned); (err == nil) != want || err != nil && !errors.Is(err, ErrKeyring) {
				t.Errorf("mode %o, owned by root %v: %v", tt.mode, owned, err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(path, []byte(keyLine(DefaultKeyName, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(path); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, created, err := LoadOrCreateKeyring(path)
	if !errors.Is(err, ErrKeyring) || created {
		t.Fatalf("a file that all can read: %v, %v", created, err)
	}
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "0644") {
		t.Errorf("the error does not say what is wrong with which file: %v", err)
	}
}

func TestKeyringFileIsNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadKeyring(dir); !errors.Is(err, ErrKeyring) {
		t.Errorf("a directory: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxKeyringBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(large); !errors.Is(err, ErrKeyring) {
		t.Errorf("a large file: %v", err)
	}
	_, created, err := LoadOrCreateKeyring(filepath.Join(dir, "none", "keyring"))
	if !errors.Is(err, fs.ErrNotExist) || created {
		t.Errorf("no directory: %v, %v", created, err)
	}
	if err := os.Symlink(large, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, []byte(keyLine(DefaultKeyName, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(filepath.Join(dir, "link")); err != nil {
		t.Errorf("a symbolic link, as Kubernetes mounts secrets: %v", err)
	}
}
