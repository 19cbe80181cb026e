package encryption

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
)

// KeyBytes is the length of every key: AES-256.
const KeyBytes = 32

const (
	saltBytes = 16
	tagBytes  = 16
	// sealOverhead is what a sealed message has beside the plain one: salt, nonce and tag.
	sealOverhead = saltBytes + 12 + tagBytes
)

// secret holds a key. It is a function since fmt calls no methods on unexported fields: where a secret is deep in
// something that is printed, what shows is an address, and with no verb what is behind it.
type secret struct{ bytes func() *[KeyBytes]byte }

// newSecret copies a key of KeyBytes, and zeroes b.
func newSecret(b []byte) secret {
	key := [KeyBytes]byte(b)
	clear(b)
	return secret{func() *[KeyBytes]byte { return &key }}
}

func randomSecret() secret {
	b := make([]byte, KeyBytes)
	_, _ = rand.Read(b) // it never fails: it ends the program instead
	return newSecret(b)
}

// Format implements fmt.Formatter, for all verbs: a key is never printed.
func (s secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key]") }

// derive returns the block cipher of the key for one use: HKDF-SHA256 of the secret, with a salt that makes the key
// this message's own, and an info that makes it useless for anything else.
func (s secret) derive(salt []byte, info string) cipher.Block {
	key, err := hkdf.Key(sha256.New, s.bytes()[:], salt, info, KeyBytes)
	if err != nil {
		panic("encryption: derive a key: " + err.Error()) // only for lengths that HKDF does not have
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("encryption: new cipher: " + err.Error()) // only for lengths that AES does not have
	}
	return block
}

// sealer returns the AEAD of one message. It makes the nonce itself, and puts it before the ciphertext. The derived key
// is for one message, so the nonce could be zero; a random one costs nothing and stands in if ever salts collide.
func (s secret) sealer(salt []byte, info string) cipher.AEAD {
	aead, err := cipher.NewGCMWithRandomNonce(s.derive(salt, info))
	if err != nil {
		panic("encryption: new GCM: " + err.Error()) // only for blocks that are not those of AES
	}
	return aead
}

// seal appends the sealed message to head, which is its additional data.
func (s secret) seal(head []byte, info string, plain []byte) []byte {
	out := make([]byte, len(head)+saltBytes, len(head)+len(plain)+sealOverhead)
	copy(out, head)
	salt := out[len(head):]
	_, _ = rand.Read(salt)
	return s.sealer(salt, info).Seal(out, nil, plain, head)
}

// open returns what seal was given. ok is false for anything that seal did not return for this secret, head and info.
func (s secret) open(head []byte, info string, sealed []byte) (plain []byte, ok bool) {
	if len(sealed) < sealOverhead {
		return nil, false
	}
	plain, err := s.sealer(sealed[:saltBytes], info).Open(nil, nil, sealed[saltBytes:], head)
	return plain, err == nil
}

// DataKey is the key that the blobs of one object, or of one multipart upload, are encrypted under. The zero DataKey is
// none, and using it panics. It is kept only in an Envelope.
type DataKey struct{ secret }

// NewDataKey returns a random key.
func NewDataKey() DataKey { return DataKey{randomSecret()} }
