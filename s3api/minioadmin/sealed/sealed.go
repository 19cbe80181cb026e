// Package sealed seals and opens bodies of MinIO's admin API as madmin-go does: under the secret key of whoever asks, so
// that secrets do not cross a network in the clear where there is no TLS.
//
// # Format
//
//	offset  bytes
//	0       32     salt of the key's derivation
//	32      1      algorithm: 0 Argon2id and AES-256-GCM, 1 Argon2id and ChaCha20-Poly1305, 2 PBKDF2 and AES-256-GCM
//	33      8      nonce
//	41             fragments: 16 KiB of text each, which the last need not fill, and a tag of 16 bytes after each
//
// Argon2id runs with one pass, 64 MiB and 4 lanes, PBKDF2 with HMAC-SHA256 and 8,192 rounds; both give 32 bytes. Fragment
// n, from 1, is sealed with the nonce and n as 4 bytes, little-endian. Its additional data is a byte, 0x80 for the last
// fragment and 0 for others, and the tag of the empty text under counter 0: so none can be left out, moved or added. An
// empty text is one empty fragment.
//
// The format is described in https://github.com/minio/madmin-go (EncryptData) and https://github.com/secure-io/sio-go.
//
// # What it costs
//
// Opening what an Argon2id key seals takes 64 MiB and some tens of milliseconds. It is done for one body at a time in the
// process, so that many requests cannot take the memory together; callers verify the signature of a request first.
//
// Seal uses PBKDF2, which takes a millisecond and which every madmin-go opens. Argon2id would only make guesses at the
// secret dearer, and whoever sees the body sees the signature of the request as well, where a guess costs five hashes.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	saltBytes   = 32
	nonceBytes  = 8
	headerBytes = saltBytes + 1 + nonceBytes
	tagBytes    = 16
	// fragmentBytes is how much text a fragment has.
	fragmentBytes = 16 << 10
	keyBytes      = 32
)

// The algorithms.
const (
	argon2AES    = 0
	argon2ChaCha = 1
	pbkdf2AES    = 2
)

const (
	argon2Passes = 1
	argon2KiB    = 64 << 10
	argon2Lanes  = 4
	pbkdf2Rounds = 8192
)

// What Open refuses.
var (
	// ErrFormat says that a body is not sealed, or not in a way that is known.
	ErrFormat = errors.New("the body is not encrypted as MinIO's admin API wants it")
	// ErrNotAuthentic says that a body was sealed under another secret, or changed since.
	ErrNotAuthentic = errors.New("the body was not encrypted with the secret key of the access key, or was changed since")
)

// overhead is how many bytes more than its text a sealed text has.
func overhead(text int) int { return headerBytes + tagBytes*fragments(text) }

// fragments is how many fragments a text has.
func fragments(text int) int { return max(1, (text+fragmentBytes-1)/fragmentBytes) }

// Seal returns the text sealed under a secret.
func Seal(secret string, text []byte) []byte { return seal(text, derivation(secret)) }

func seal(text []byte, derive deriver) []byte {
	var header [headerBytes]byte
	_, _ = rand.Read(header[:]) // never fails
	header[saltBytes] = pbkdf2AES
	s, err := newStream(header[:], derive)
	if err != nil {
		panic(err) // the algorithm is known, and its keys have the length that it wants
	}
	sealed := make([]byte, 0, len(text)+overhead(len(text)))
	sealed = append(sealed, header[:]...)
	for last := false; !last; {
		n := min(fragmentBytes, len(text))
		last = n == len(text)
		s.next(last)
		sealed = s.aead.Seal(sealed, s.nonce[:], text[:n], s.additional[:])
		text = text[n:]
	}
	return sealed
}

// Open returns the text of a body that was sealed under a secret. It fails with ErrFormat and ErrNotAuthentic.
func Open(secret string, body []byte) ([]byte, error) { return open(body, derivation(secret)) }

func open(body []byte, derive deriver) ([]byte, error) {
	if len(body) < headerBytes+tagBytes {
		return nil, ErrFormat
	}
	s, err := newStream(body[:headerBytes], derive)
	if err != nil {
		return nil, err
	}
	rest := body[headerBytes:]
	text := make([]byte, 0, len(rest))
	for last := false; !last; {
		n := min(fragmentBytes+tagBytes, len(rest))
		last = n == len(rest)
		s.next(last)
		if text, err = s.aead.Open(text, s.nonce[:], rest[:n], s.additional[:]); err != nil {
			return nil, ErrNotAuthentic
		}
		rest = rest[n:]
	}
	return text, nil
}

// stream is the state between two fragments.
type stream struct {
	aead       cipher.AEAD
	nonce      [nonceBytes + 4]byte
	additional [1 + tagBytes]byte
	counter    uint32 // of the last fragment; bodies are far too short for it to wrap
}

func newStream(header []byte, derive deriver) (*stream, error) {
	algorithm := header[saltBytes]
	if algorithm > pbkdf2AES {
		return nil, ErrFormat
	}
	key, err := derive(algorithm, header[:saltBytes])
	if err != nil {
		return nil, err
	}
	var s stream
	if s.aead, err = newAEAD(algorithm, key); err != nil {
		return nil, err
	}
	copy(s.nonce[:], header[saltBytes+1:])
	copy(s.additional[1:], s.aead.Seal(nil, s.nonce[:], nil, nil))
	return &s, nil
}

// next goes on to the next fragment.
func (s *stream) next(last bool) {
	s.counter++
	binary.LittleEndian.PutUint32(s.nonce[nonceBytes:], s.counter)
	if last {
		s.additional[0] = 0x80
	}
}

func newAEAD(algorithm byte, key []byte) (cipher.AEAD, error) {
	if algorithm == argon2ChaCha {
		return chacha20poly1305.New(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// argon2Mu is held by who runs Argon2id, for the memory that it takes.
var argon2Mu sync.Mutex

// deriver returns the key of an algorithm for a salt.
type deriver func(algorithm byte, salt []byte) ([]byte, error)

// derivation derives keys from a secret.
func derivation(secret string) deriver {
	return func(algorithm byte, salt []byte) ([]byte, error) {
		if algorithm == pbkdf2AES {
			return pbkdf2.Key(sha256.New, secret, salt, pbkdf2Rounds, keyBytes)
		}
		argon2Mu.Lock()
		defer argon2Mu.Unlock()
		return argon2.IDKey([]byte(secret), salt, argon2Passes, argon2KiB, argon2Lanes, keyBytes), nil
	}
}
