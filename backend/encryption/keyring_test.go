package encryption

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestParseKeyring(t *testing.T) {
	a, b := keyLine(DefaultKeyName, 1), keyLine("photos", 2)
	key := strings.Fields(a)[1]
	loose := "# a, b\n\n \t" + strings.ReplaceAll(a, " ", " \t ") + "\r\n #x"
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"one key", a, true},
		{"no line break at the end", strings.TrimSpace(a), true},
		{"names", a + b, true},
		{"the default is not the first", b + a, true},
		{"two keys of a name", a + keyLine(DefaultKeyName, 2), true},
		{"comments, empty lines, blanks, carriage returns", loose, true},
		{"commas", strings.TrimSpace(a) + ", " + strings.TrimSpace(b) + ",", true},
		{"the longest name", a + keyLine(strings.Repeat("n", 255), 2), true},
		{"every character of a name", a + keyLine("aZ09:/_.-", 2), true},
		{"nothing", "", false},
		{"comments", "# " + a, false},
		{"no default", b, false},
		{"a key without a name", key, false},
		{"a name without a key", "default", false},
		{"the wrong way round", key + " default", false},
		{"three fields", "default " + key + " x", false},
		{"a name that is too long", a + keyLine(strings.Repeat("n", 256), 2), false},
		{"a name with an equals sign", a + keyLine("a=b", 2), false},
		{"a name that is not ASCII", a + keyLine("schlüssel", 2), false},
		{"a short key", "default " + base64.StdEncoding.EncodeToString(make([]byte, 16)), false},
		{"a key in hexadecimal", "default " + strings.Repeat("ab", 32), false},
		{"a key of URLs", "default " + strings.Repeat("_", 43) + "=", false},
		{"a key twice", a + a, false},
		{"a key with two names", a + keyLine("photos", 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := ParseKeyring(tt.text)
			if (err == nil) != tt.ok || (k != nil) != tt.ok || err != nil && !errors.Is(err, ErrKeyring) {
				t.Fatalf("%v, %v", k, err)
			}
			if err != nil && strings.Contains(err.Error(), key[:10]) {
				t.Errorf("the key is in the error: %v", err)
			}
		})
	}
	if _, err := ParseKeyring(a + "\n# x\nphotos\n"); err == nil || !strings.HasPrefix(err.Error(), "line 4: ") {
		t.Errorf("the line is not in the error: %v", err)
	}
}

func TestRotation(t *testing.T) {
	older, newer := keyLine(DefaultKeyName, 1)+keyLine("photos", 2), keyLine(DefaultKeyName, 3)+keyLine("photos", 4)
	before, after, dropped := mustParse(t, older), mustParse(t, newer+older), mustParse(t, newer)
	d := NewDataKey()
	kms, err := before.WrapKMS("photos", d)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Envelope{before.WrapS3(d), kms} {
		if got, err := after.Unwrap(e); err != nil || !sameKey(got, d) {
			t.Errorf("%v: the new keyring does not open the old envelope: %v", e.Kind(), err)
		}
		if same, changed, err := before.Rewrap(e); err != nil || changed || same != e {
			t.Errorf("%v: Rewrap by the keyring that wrapped: %v, %v", e.Kind(), changed, err)
		}
		if _, err := dropped.Unwrap(e); !errors.Is(err, ErrMasterKeyMissing) {
			t.Errorf("%v: opened without its key: %v", e.Kind(), err)
		}
		if _, changed, err := dropped.Rewrap(e); !errors.Is(err, ErrMasterKeyMissing) || changed {
			t.Errorf("%v: rewrapped without its key: %v", e.Kind(), err)
		}
		moved, changed, err := after.Rewrap(e)
		if err != nil || !changed || moved.KeyID() == e.KeyID() {
			t.Fatalf("%v: Rewrap: %+v, %v, %v", e.Kind(), moved, changed, err)
		}
		if moved.Kind() != e.Kind() || moved.KeyName() != e.KeyName() {
			t.Errorf("%v: became %v with key %q", e.Kind(), moved.Kind(), moved.KeyName())
		}
		if got, err := dropped.Unwrap(moved); err != nil || !sameKey(got, d) {
			t.Errorf("%v: the new key does not open the new envelope: %v", e.Kind(), err)
		}
		if _, err := before.Unwrap(moved); !errors.Is(err, ErrMasterKeyMissing) {
			t.Errorf("%v: the old keyring opens the new envelope: %v", e.Kind(), err)
		}
	}
}

// TestRenamedKey takes the name of a key away, but not the key.
func TestRenamedKey(t *testing.T) {
	before := mustParse(t, keyLine(DefaultKeyName, 1)+keyLine("photos", 2))
	after := mustParse(t, keyLine(DefaultKeyName, 1)+keyLine("pictures", 2))
	d := NewDataKey()
	e, err := before.WrapKMS("photos", d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Unwrap(e); err != nil || !sameKey(got, d) {
		t.Errorf("Unwrap: %v", err)
	}
	if _, err := after.WrapKMS("photos", d); !errors.Is(err, ErrNoSuchKeyName) {
		t.Errorf("WrapKMS: %v", err)
	}
	if _, changed, err := after.Rewrap(e); !errors.Is(err, ErrNoSuchKeyName) || changed {
		t.Errorf("Rewrap: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	before := mustParse(t, keyLine(DefaultKeyName, 1))
	after := mustParse(t, keyLine(DefaultKeyName, 2)+keyLine(DefaultKeyName, 1))
	for _, plain := range []string{"", "hunter2", strings.Repeat("long", 1000)} {
		sealed := before.Seal("access key ada", []byte(plain))
		for _, k := range []*Keyring{before, after} {
			got, current, err := k.Open("access key ada", sealed)
			if err != nil || string(got) != plain || current != (k == before) {
				t.Errorf("%d bytes: %d, %v, %v", len(plain), len(got), current, err)
			}
		}
		if _, _, err := before.Open("access key bob", sealed); !errors.Is(err, ErrCorrupt) {
			t.Errorf("for another purpose: %v", err)
		}
		newer := after.Seal("access key ada", []byte(plain))
		if _, _, err := before.Open("access key ada", newer); !errors.Is(err, ErrMasterKeyMissing) {
			t.Errorf("of a newer key: %v", err)
		}
		if plain != "" && strings.Contains(string(sealed), plain) {
			t.Error("the secret is not encrypted")
		}
	}
	sealed := before.Seal("p", []byte("x"))
	for i := range sealed {
		sealed[i] ^= 1
		if _, _, err := before.Open("p", sealed); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrMasterKeyMissing) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		sealed[i] ^= 1
		if _, _, err := before.Open("p", sealed[:i]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut off at %d: %v", i, err)
		}
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 1)+keyLine("photos", 2))
	d := NewDataKey()
	e := k.WrapS3(d)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got, err := k.Unwrap(e); err != nil || !sameKey(got, d) {
					t.Errorf("Unwrap: %v", err)
				}
				if _, err := k.WrapKMS("photos", d); err != nil {
					t.Error(err)
				}
				if _, _, err := k.Open("p", k.Seal("p", []byte("x"))); err != nil {
					t.Error(err)
				}
				b := encrypt(t, d, make([]byte, 100))
				if _, err := decrypt(b, d, 100, 0, 100); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
