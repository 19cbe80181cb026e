package sealed

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// vectorText is the text of the vectors that madmin-go made.
func vectorText(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// TestOpenVectors opens what madmin-go v3.0.96 sealed with EncryptData, built as it comes, without AES in the processor,
// and for FIPS; and the body of "mc admin user add" as it came over the wire.
func TestOpenVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, secret string
		algorithm    byte
		text         []byte
	}{
		{"argon2-aes-0", "vector-secret", argon2AES, nil},
		{"argon2-aes-40000", "vector-secret", argon2AES, vectorText(40000)},
		{"argon2-chacha-1", "vector-secret", argon2ChaCha, vectorText(1)},
		{"argon2-chacha-16385", "vector-secret", argon2ChaCha, vectorText(16385)},
		{"pbkdf2-aes-0", "vector-secret", pbkdf2AES, nil},
		{"pbkdf2-aes-1", "vector-secret", pbkdf2AES, vectorText(1)},
		{"pbkdf2-aes-16384", "vector-secret", pbkdf2AES, vectorText(16384)},
		{"pbkdf2-aes-16385", "vector-secret", pbkdf2AES, vectorText(16385)},
		{"pbkdf2-aes-40000", "vector-secret", pbkdf2AES, vectorText(40000)},
		{"mc-add-user", "adminadmin", argon2AES, []byte(`{"secretKey":"alice-secret","status":"enabled"}`)},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join("testdata", c.file+".sealed"))
			if err != nil {
				t.Fatal(err)
			}
			if body[saltBytes] != c.algorithm {
				t.Fatalf("the vector is of algorithm %d", body[saltBytes])
			}
			text, err := Open(c.secret, body)
			if err != nil || !bytes.Equal(text, c.text) {
				t.Errorf("Open: %d bytes, %v", len(text), err)
			}
		})
	}
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, fragmentBytes - 1, fragmentBytes, fragmentBytes + 1, 2 * fragmentBytes, 3*fragmentBytes + 5} {
		body := Seal("a secret", vectorText(n))
		if len(body) != n+overhead(n) {
			t.Errorf("%d bytes became %d", n, len(body))
		}
		text, err := Open("a secret", body)
		if err != nil || !bytes.Equal(text, vectorText(n)) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := Open("A secret", body); !errors.Is(err, ErrNotAuthentic) {
			t.Errorf("%d bytes under another secret: %v", n, err)
		}
	}
	if bytes.Equal(Seal("s", nil), Seal("s", nil)) {
		t.Error("two seals of one text are the same")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	body := Seal("s", vectorText(2*fragmentBytes+100))
	const whole = fragmentBytes + tagBytes
	first := body[headerBytes : headerBytes+whole]
	second := body[headerBytes+whole : headerBytes+2*whole]
	swapped := append(append(bytes.Clone(body[:headerBytes]), second...), first...)
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"nothing":               {nil, ErrFormat},
		"JSON":                  {[]byte(`{"secretKey":"in the clear, and long enough to have a header and a tag"}`), ErrFormat},
		"less than a tag":       {body[:headerBytes+tagBytes-1], ErrFormat},
		"cut within a fragment": {body[:len(body)-1], ErrNotAuthentic},
		"cut between fragments": {body[:headerBytes+2*whole], ErrNotAuthentic},
		"without the first":     {append(bytes.Clone(body[:headerBytes]), body[headerBytes+whole:]...), ErrNotAuthentic},
		"in another order":      {append(swapped, body[headerBytes+2*whole:]...), ErrNotAuthentic},
		"more behind it":        {append(bytes.Clone(body), body[headerBytes:]...), ErrNotAuthentic},
		"one byte more":         {append(bytes.Clone(body), 0), ErrNotAuthentic},
	} {
		if text, err := Open("s", c.body); !errors.Is(err, c.want) || text != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// quickly stands for the derivation of keys, which is slow on purpose.
func quickly(secret string) deriver {
	return func(algorithm byte, salt []byte) ([]byte, error) {
		sum := sha256.Sum256(append(append([]byte(secret), algorithm), salt...))
		return sum[:], nil
	}
}

// TestFlippedBits: a body in which any bit is another is not opened.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	body := seal([]byte(`{"status":"enabled"}`), quickly("s"))
	if _, err := open(body, quickly("s")); err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(body) {
		changed := bytes.Clone(body)
		changed[bit/8] ^= 1 << (bit % 8)
		if text, err := open(changed, quickly("s")); err == nil {
			t.Errorf("bit %d: opened to %q", bit, text)
		}
	}
}

// FuzzOpen: whatever comes is opened or refused, within its own size; keys are derived in a cheaper way.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"argon2-aes-0", "argon2-chacha-1", "pbkdf2-aes-1", "mc-add-user"} {
		body, err := os.ReadFile(filepath.Join("testdata", name+".sealed"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, err := open(body, quickly("s"))
		switch {
		case err == nil && len(body) != len(text)+overhead(len(text)):
			t.Errorf("%d bytes opened to %d", len(body), len(text))
		case err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrNotAuthentic):
			t.Errorf("error %v", err)
		}
	})
}
