package encryption

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxKeyringBytes is far more than any keyring has: a wrong path must not fill the memory.
const maxKeyringBytes = 1 << 20

// LoadKeyring reads the keyring in a file. It fails with fs.ErrNotExist, and with ErrKeyring for a file that others can
// read, or whose text ParseKeyring refuses.
func LoadKeyring(path string) (*Keyring, error) {
	k, err := loadKeyring(path)
	if err != nil {
		return nil, fmt.Errorf("load keyring %s: %w", path, err)
	}
	return k, nil
}

func loadKeyring(path string) (*Keyring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was opened to be read only: closing has nothing to lose
	info, err := f.Stat()            // of the file that is read, whatever the path names by now
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file: %w", ErrKeyring)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if err := checkMode(info.Mode().Perm(), ok && stat.Uid == 0); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyringBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyringBytes {
		return nil, fmt.Errorf("more than %d bytes: %w", maxKeyringBytes, ErrKeyring)
	}
	return ParseKeyring(string(text))
}

// checkMode refuses a file that more users than its owner can read or write. One that belongs to root may be readable
// by its group: that is how Kubernetes mounts a secret for a server that is not root.
func checkMode(mode fs.FileMode, ownedByRoot bool) error {
	allowed := fs.FileMode(0o700)
	if ownedByRoot {
		allowed |= 0o040
	}
	if mode&^allowed != 0 {
		return fmt.Errorf("its mode %#o lets other users at the keys; run: chmod 600: %w", mode, ErrKeyring)
	}
	return nil
}

// LoadOrCreateKeyring is LoadKeyring, but where there is no file it makes one with a random key, which nobody but the
// file's owner can read. created says so: the user must be told to keep a copy, and a store that has encrypted objects
// already must not go on, since its keyring has been lost.
func LoadOrCreateKeyring(path string) (k *Keyring, created bool, err error) {
	k, err = LoadKeyring(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	err = createKeyring(path)
	created = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process was faster: its keys are the ones
		return nil, false, fmt.Errorf("create keyring %s: %w", path, err)
	}
	k, err = LoadKeyring(path)
	return k, created && err == nil, err
}

// createKeyring makes the file durably, or not at all. It fails with fs.ErrExist, and never replaces a file: that could
// be the keyring of a process that has begun to use it.
func createKeyring(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".keyring-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(newKeyringText())
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // a rename would replace what is there
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
