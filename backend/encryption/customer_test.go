package encryption

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestParseCustomerKey(t *testing.T) {
	raw := sequence(1, KeyBytes)
	sum := md5.Sum(raw)
	key, keyMD5 := base64.StdEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(sum[:])
	long := base64.StdEncoding.EncodeToString(sequence(1, 33))
	tests := []struct {
		name, algorithm, key, md5 string
		want                      error
	}{
		{"good", "AES256", key, keyMD5, nil},
		{"no algorithm", "", key, keyMD5, ErrCustomerAlgorithmMissing},
		{"aws:kms", "aws:kms", key, keyMD5, ErrCustomerAlgorithm},
		{"lower case", "aes256", key, keyMD5, ErrCustomerAlgorithm},
		{"AES128", "AES128", key, keyMD5, ErrCustomerAlgorithm},
		{"no key", "AES256", "", keyMD5, ErrCustomerKeyMissing},
		{"a key of 31 bytes", "AES256", base64.StdEncoding.EncodeToString(raw[1:]), keyMD5, ErrCustomerKeyInvalid},
		{"a key of 33 bytes", "AES256", long, keyMD5, ErrCustomerKeyInvalid},
		{"a key that is not base64", "AES256", strings.Repeat("!", 44), keyMD5, ErrCustomerKeyInvalid},
		{"a key as it is", "AES256", string(raw), keyMD5, ErrCustomerKeyInvalid},
		{"a key without its padding", "AES256", strings.TrimRight(key, "="), keyMD5, ErrCustomerKeyInvalid},
		{"a key with stray bits", "AES256", key[:42] + "B=", keyMD5, ErrCustomerKeyInvalid},
		{"a key with a line break more", "AES256", key[:40] + "\n" + key[40:], keyMD5, ErrCustomerKeyInvalid},
		{"a key with a line break", "AES256", key[:40] + "\n" + key[41:], keyMD5, ErrCustomerKeyInvalid},
		{"no MD5", "AES256", key, "", ErrCustomerMD5Missing},
		{"another MD5", "AES256", key, base64.StdEncoding.EncodeToString(make([]byte, 16)), ErrCustomerMD5Mismatch},
		{"an MD5 in hexadecimal", "AES256", key, strings.Repeat("a", 32), ErrCustomerMD5Mismatch},
		{"an MD5 cut off", "AES256", key, base64.StdEncoding.EncodeToString(sum[:15]), ErrCustomerMD5Mismatch},
		{"an MD5 that is not base64", "AES256", key, "?", ErrCustomerMD5Mismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCustomerKey(tt.algorithm, tt.key, tt.md5)
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if err == nil && (c.MD5() != keyMD5 || string(c.bytes()[:]) != string(raw)) {
				t.Errorf("another key, with MD5 %s", c.MD5())
			}
		})
	}
}

func TestCustomerKeyOfAnother(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 1))
	d := NewDataKey()
	c := customerKey(1) // the bytes of the master key
	e := c.Wrap(d)
	if got, err := c.Unwrap(e); err != nil || !sameKey(got, d) {
		t.Errorf("its own: %v", err)
	}
	if _, err := customerKey(2).Unwrap(e); !errors.Is(err, ErrCustomerKeyWrong) {
		t.Errorf("another customer key: %v", err)
	}
	if _, err := k.Unwrap(e); !errors.Is(err, ErrCustomerKeyRequired) {
		t.Errorf("the keyring: %v", err)
	}
	if _, err := c.Unwrap(k.WrapS3(d)); !errors.Is(err, ErrCustomerKeyNotApplicable) {
		t.Errorf("an object without customer key: %v", err)
	}
	if same, changed, err := k.Rewrap(e); err != nil || changed || same != e {
		t.Errorf("Rewrap: %v, %v", changed, err)
	}
}
