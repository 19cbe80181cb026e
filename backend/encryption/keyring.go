package encryption

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// DefaultKeyName is the name of the master keys for SSE-S3, for SSE-KMS without a name, and for small secrets. Every
// keyring has one.
const DefaultKeyName = "default"

const (
	keyIDBytes   = 8
	maxNameBytes = 255 // an envelope has one byte for the length
	keyIDPurpose = "plimsoll master key id v1"
)

// KeyID names a master key. It is computed from the key, so an id cannot be given to two keys, or a key be taken for
// another. It tells nothing of the key. The zero KeyID names none.
type KeyID [keyIDBytes]byte

// String returns the id as 16 hexadecimal digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

type masterKey struct {
	secret
	id KeyID
}

func newMasterKey(s secret) masterKey {
	h := hmac.New(sha256.New, s.bytes()[:])
	h.Write([]byte(keyIDPurpose))
	return masterKey{secret: s, id: KeyID(h.Sum(nil)[:keyIDBytes])}
}

// Keyring holds the master keys. It never changes, and is safe for concurrent use. A server that is to see a new key
// parses a new one.
type Keyring struct {
	keys   map[KeyID]masterKey
	newest map[string]masterKey // by name: what new envelopes are wrapped under
}

// ParseKeyring reads a keyring from its text, which is that of a file or of an environment variable: one key in a line,
// a name and the base64 of 32 random bytes, with blanks between. Commas separate keys as line breaks do, for variables
// that cannot have those. Empty lines, and lines that begin with "#", are left out.
//
//	# the key since May; made by: openssl rand -base64 32
//	default q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=
//	# the one before
//	default ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=
//	photos  /ty6mHZUMhD+3LqYdlQyEP7cuph2VDIQ/ty6mHZUMhA=
//
// Of several keys with a name the first is the newest: it wraps, and the others open what they have wrapped. So a key
// is replaced by a line above it. Its own line may go when Rewrap has been through all envelopes, and all small secrets
// were sealed again.
//
// Names have 1 to 255 of the letters, digits and the characters ":/_.-" of KMS key ids, aliases and ARNs. A keyring has
// a key named DefaultKeyName. The error wraps ErrKeyring, and says the line, but nothing of what is in it.
func ParseKeyring(text string) (*Keyring, error) {
	k := &Keyring{keys: map[KeyID]masterKey{}, newest: map[string]masterKey{}}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		for entry := range strings.SplitSeq(line, ",") {
			if err := k.add(strings.Fields(entry)); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
	}
	if _, ok := k.newest[DefaultKeyName]; !ok {
		return nil, fmt.Errorf("no key is named %q: %w", DefaultKeyName, ErrKeyring)
	}
	return k, nil
}

func (k *Keyring) add(fields []string) error {
	if len(fields) == 0 {
		return nil
	}
	if len(fields) != 2 {
		return fmt.Errorf("not a name and a key: %w", ErrKeyring)
	}
	name := fields[0]
	if !validName(name) {
		return fmt.Errorf("not a valid name of a key: %w", ErrKeyring) // it may be the key, in the wrong place
	}
	raw, ok := decodeKey(fields[1])
	if !ok {
		return fmt.Errorf("the key is not %d bytes in base64: %w", KeyBytes, ErrKeyring)
	}
	m := newMasterKey(newSecret(raw))
	if _, ok := k.keys[m.id]; ok {
		return fmt.Errorf("the key is listed twice: %w", ErrKeyring)
	}
	k.keys[m.id] = m
	if _, ok := k.newest[name]; !ok {
		k.newest[name] = m
	}
	return nil
}

// validName reports whether a key can be named so. Base64 of a key ends in "=", so none can be mistaken for a name.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte(":/_.-", c) >= 0:
		default:
			return false
		}
	}
	return 0 < len(s) && len(s) <= maxNameBytes
}

// newKeyringText is the text of a keyring with one random key.
func newKeyringText() string {
	return "# Plimsoll's master keys. What is encrypted cannot be read without them: keep a copy elsewhere.\n" +
		"# To replace a key, write a line above it: a name, and what \"openssl rand -base64 32\" prints.\n" +
		DefaultKeyName + " " + base64.StdEncoding.EncodeToString(randomSecret().bytes()[:]) + "\n"
}

// HasName reports whether WrapKMS knows a key of this name.
func (k *Keyring) HasName(name string) bool {
	_, ok := k.newest[name]
	return ok
}

// WrapS3 returns the envelope of a data key for SSE-S3.
func (k *Keyring) WrapS3(d DataKey) Envelope {
	m := k.newest[DefaultKeyName]
	return m.wrap(Envelope{kind: S3, keyID: m.id}, d)
}

// WrapKMS returns the envelope of a data key for SSE-KMS with the key of this name; DefaultKeyName stands for S3's own
// key, which is meant where a request names none. It fails with ErrNoSuchKeyName.
func (k *Keyring) WrapKMS(name string, d DataKey) (Envelope, error) {
	m, ok := k.newest[name]
	if !ok {
		return Envelope{}, ErrNoSuchKeyName
	}
	return m.wrap(Envelope{kind: KMS, keyID: m.id, keyName: name}, d), nil
}

// Unwrap returns the data key of an envelope. It fails with ErrCustomerKeyRequired for SSE-C, ErrMasterKeyMissing, and
// ErrCorrupt.
func (k *Keyring) Unwrap(e Envelope) (DataKey, error) {
	if e.kind == Customer {
		return DataKey{}, ErrCustomerKeyRequired
	}
	m, ok := k.keys[e.keyID]
	if !ok {
		return DataKey{}, fmt.Errorf("unwrap a data key of master key %v: %w", e.keyID, ErrMasterKeyMissing)
	}
	d, ok := m.unwrap(e)
	if !ok {
		return DataKey{}, fmt.Errorf("unwrap a data key of master key %v: %w", e.keyID, ErrCorrupt)
	}
	return d, nil
}

// Rewrap returns an envelope with the same data key under the newest master key of the envelope's kind and name.
// changed is false where that is what it is under already, and for SSE-C. It fails as Unwrap and WrapKMS do.
func (k *Keyring) Rewrap(e Envelope) (rewrapped Envelope, changed bool, err error) {
	name := DefaultKeyName
	switch e.kind {
	case Customer:
		return e, false, nil
	case KMS:
		name = e.keyName
	}
	if m, ok := k.newest[name]; ok && m.id == e.keyID {
		return e, false, nil
	}
	d, err := k.Unwrap(e)
	if err != nil {
		return Envelope{}, false, err
	}
	if e.kind == KMS {
		rewrapped, err = k.WrapKMS(name, d)
		return rewrapped, err == nil, err
	}
	return k.WrapS3(d), true, nil
}
