package encryption

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// sequence returns n bytes that count up from first.
func sequence(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// randomBytes returns n bytes that are the same for the same seed.
func randomBytes(seed uint64, n int) []byte {
	var key [32]byte
	key[0] = byte(seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

func keyLine(name string, first byte) string {
	return name + " " + base64.StdEncoding.EncodeToString(sequence(first, KeyBytes)) + "\n"
}

func mustParse(t testing.TB, text string) *Keyring {
	t.Helper()
	k, err := ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func customerKey(first byte) CustomerKey {
	return CustomerKey{secret: newSecret(sequence(first, KeyBytes))}
}

func sameKey(a, b DataKey) bool { return *a.bytes() == *b.bytes() }

// encrypt returns what is stored for a blob.
func encrypt(t testing.TB, key DataKey, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, key)
	if n, err := w.Write(plain); n != len(plain) || err != nil {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(plain), err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// stored is a blob in memory. Its ranges end where it does, as those of a file would.
type stored struct {
	b       []byte
	asked   []string // "offset+length" of every range
	open    int      // ranges that were not closed yet
	oneByte bool     // return one byte at a time
}

func (s *stored) openRange(offset, length int64) (io.ReadCloser, error) {
	s.asked = append(s.asked, fmt.Sprintf("%d+%d", offset, length))
	s.open++
	size := int64(len(s.b))
	return &storedRange{s: s, r: bytes.NewReader(s.b[min(offset, size):min(offset+length, size)])}, nil
}

type storedRange struct {
	s      *stored
	r      *bytes.Reader
	closed bool
}

func (r *storedRange) Read(p []byte) (int, error) {
	if r.s.oneByte && len(p) > 1 {
		p = p[:1]
	}
	return r.r.Read(p)
}

func (r *storedRange) Close() error {
	if !r.closed {
		r.closed = true
		r.s.open--
	}
	return nil
}

// decrypt reads a range, and returns what it got before an error too.
func decrypt(b []byte, key DataKey, size, offset, length int64) ([]byte, error) {
	r, err := NewReader((&stored{b: b}).openRange, key, size, offset, length)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
