package encryption

import "fmt"

const (
	sealedVersion   = 1
	sealedHeadBytes = 1 + keyIDBytes
	sealedPurpose   = "plimsoll secret v1 "
)

// Seal encrypts a small secret, such as that of an access key, under the newest default key. The purpose says what it
// is, and of whom ("access key AKIA..."), and must be given again to Open: so a sealed secret cannot be passed off as
// another's. It is not secret, and not stored.
func (k *Keyring) Seal(purpose string, plain []byte) []byte {
	m := k.newest[DefaultKeyName]
	head := append([]byte{sealedVersion}, m.id[:]...)
	return m.seal(head, sealedPurpose+purpose, plain)
}

// Open returns what Seal was given. current is false where it was sealed under another key than the newest: it is time
// to seal it again. It fails with ErrMasterKeyMissing and ErrCorrupt.
func (k *Keyring) Open(purpose string, sealed []byte) (plain []byte, current bool, err error) {
	if len(sealed) < sealedHeadBytes || sealed[0] != sealedVersion {
		return nil, false, fmt.Errorf("open a secret of %d bytes: %w", len(sealed), ErrCorrupt)
	}
	head, body := sealed[:sealedHeadBytes], sealed[sealedHeadBytes:]
	id := KeyID(head[1:])
	m, ok := k.keys[id]
	if !ok {
		return nil, false, fmt.Errorf("open a secret of master key %v: %w", id, ErrMasterKeyMissing)
	}
	plain, ok = m.open(head, sealedPurpose+purpose, body)
	if !ok {
		return nil, false, fmt.Errorf("open a secret of master key %v: %w", id, ErrCorrupt)
	}
	return plain, id == k.newest[DefaultKeyName].id, nil
}
