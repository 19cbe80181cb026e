package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// keyringFlags say where the master keys are.
type keyringFlags struct {
	Keyring     string `env:"PLIMSOLL_KEYRING" placeholder:"KEYS" help:"Master keys themselves, as a keyring file has them; others see the command line, so prefer the variable or the file."`
	KeyringFile string `env:"PLIMSOLL_KEYRING_FILE" placeholder:"FILE" help:"File with the master keys that seal secrets and encrypt objects, made with mode 0600 if missing (keyring in the data directory)."`
}

// keyringWitness is the kind of a record that only the right keyring opens.
const keyringWitness meta.RecordKind = "keyring"

// witnessName is the record's name and what is sealed in it.
const witnessName = "witness"

// load returns the keyring of a store. A store whose secrets were sealed under other keys is refused.
func (k keyringFlags) load(ctx context.Context, dataDir string, store *backend.Store, log *slog.Logger) (*encryption.Keyring, error) {
	if k.Keyring != "" && k.KeyringFile != "" {
		return nil, errors.New("--keyring (PLIMSOLL_KEYRING) and --keyring-file (PLIMSOLL_KEYRING_FILE) are both given: give one")
	}
	if k.Keyring != "" {
		keyring, err := encryption.ParseKeyring(k.Keyring)
		if err != nil {
			return nil, fmt.Errorf("--keyring: %w", err)
		}
		return keyring, verifyKeyring(ctx, keyring, store)
	}
	path := cmp.Or(k.KeyringFile, filepath.Join(dataDir, "keyring"))
	keyring, created, err := encryption.LoadOrCreateKeyring(path)
	if err != nil {
		return nil, err
	}
	if created {
		log.Info("made a keyring; keep a copy of it: without it secrets and encrypted objects are lost", "file", path)
	}
	return keyring, verifyKeyring(ctx, keyring, store)
}

// verifyKeyring fails where the store has been used with a keyring whose keys this one does not have.
func verifyKeyring(ctx context.Context, keyring *encryption.Keyring, store *backend.Store) error {
	sealed, err := store.Record(ctx, keyringWitness, witnessName)
	if errors.Is(err, meta.ErrNoSuchRecord) {
		return store.PutRecords(ctx, meta.PutRecord{
			Kind: keyringWitness, Name: witnessName, Value: keyring.Seal(witnessName, []byte(witnessName)),
		})
	}
	if err != nil {
		return err
	}
	if _, _, err := keyring.Open(witnessName, sealed); err != nil {
		return fmt.Errorf("the keyring is not the one that this data directory was used with: give that one with --keyring-file: %w", err)
	}
	return nil
}
