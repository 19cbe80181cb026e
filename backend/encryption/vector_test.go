package encryption

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// The vectors here were computed by another implementation (Python's hmac, and OpenSSL's AES-GCM), from what the
// package comment says of the formats. They stay as they are: what has been stored must remain readable.
const (
	vectorBlobKey = "a176050ef4748e3147f2e3013025db06ea150332df8c57b6692ae2182a266d23"
	vectorHeader  = "706c4501808182838485868788898a8b8c8d8e8f909192939495969798999a9b"
	vectorKeyID   = "b6f66dbdceb688c0"
	vectorSecret  = "01b6f66dbdceb688c0a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacb5826d272f1aecb6969" +
		"d27ddfa7aa856407e9d7cd971b47"
	vectorS3 = "010101b6f66dbdceb688c000a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacbbd2adeaf33163ae77c" +
		"493b90c7278bb73127373daec10c6a3c28a1839e241fe933f501b5c691a59c475e892c2b9c7ad4"
	vectorKMS = "010201b6f66dbdceb688c00764656661756c74a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacbbd2a" +
		"deaf33163ae77c493b90c7278bb73127373daec10c6a3c28a1839e241fe9c673daee9675ad1199ff89a7d427694b"
	vectorCustomer = "010301000000000000000000a0a1a2a3a4a5a6a7a8a9aaabacadaeafc0c1c2c3c4c5c6c7c8c9cacbb914c5117c56" +
		"57471e16cc36e71ab9e9bb99a6ad3074fed3fd1898068ede1106219cb633c800b4e27eedb0508d13b666"
)

func vectorDataKey() DataKey { return DataKey{newSecret(sequence(0, KeyBytes))} }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hkdfByHand is RFC 5869 for one block of output, from HMAC alone.
func hkdfByHand(key, salt []byte, info string) []byte {
	extract := hmac.New(sha256.New, salt)
	extract.Write(key)
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write([]byte(info + "\x01"))
	return expand.Sum(nil)
}

func TestDerivationVector(t *testing.T) {
	salt := sequence(0x80, blobSaltBytes)
	byHand := hkdfByHand(sequence(0, KeyBytes), salt, "plimsoll blob v1")
	if hex.EncodeToString(byHand) != vectorBlobKey {
		t.Fatalf("by hand %x, want %s", byHand, vectorBlobKey)
	}
	want, err := aes.NewCipher(byHand)
	if err != nil {
		t.Fatal(err)
	}
	if got := vectorDataKey().derive(salt, blobPurpose); !sameBlock(got, want) {
		t.Error("the derived cipher is another")
	}
}

func sameBlock(a, b cipher.Block) bool {
	var x, y [aes.BlockSize]byte
	a.Encrypt(x[:], x[:])
	b.Encrypt(y[:], y[:])
	return x == y
}

func TestBlobVectors(t *testing.T) {
	long := append(bytes.Repeat(sequence(0, 256), 512), "tail"...)
	tests := []struct {
		name   string
		plain  []byte
		chunks string // in hexadecimal
		sum    string // SHA-256 of everything, where that is too long
	}{
		{"empty", nil, "ddd2bab38db802e0e17d81aff853b6e2", ""},
		{"short", []byte("plimsoll"), "438df43d57c590083a05abe7eb1a421b35b84855643b0230", ""},
		{"three chunks", long, "", "cca3dad9ff233ca931022847d8522ea1db6441b40351c99e5fb93dc66c061ade"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			w := newWriter(&out, vectorDataKey(), [blobSaltBytes]byte(sequence(0x80, blobSaltBytes)))
			if _, err := w.Write(tt.plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(out.Bytes()); tt.sum != "" && hex.EncodeToString(sum[:]) != tt.sum {
				t.Errorf("the sum is %x", sum)
			}
			if tt.sum == "" && hex.EncodeToString(out.Bytes()) != vectorHeader+tt.chunks {
				t.Errorf("%x", out.Bytes())
			}
			size := int64(len(tt.plain))
			got, err := decrypt(out.Bytes(), vectorDataKey(), size, 0, size)
			if err != nil || !bytes.Equal(got, tt.plain) {
				t.Errorf("reads %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestEnvelopeVectors(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 0x20))
	unwrapCustomer := customerKey(0x40).Unwrap
	tests := []struct {
		name, hex string
		kind      Kind
		keyName   string
		keyID     string
		unwrap    func(Envelope) (DataKey, error)
	}{
		{"SSE-S3", vectorS3, S3, "", vectorKeyID, k.Unwrap},
		{"SSE-KMS", vectorKMS, KMS, "default", vectorKeyID, k.Unwrap},
		{"SSE-C", vectorCustomer, Customer, "", "0000000000000000", unwrapCustomer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := UnmarshalEnvelope(unhex(t, tt.hex))
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind() != tt.kind || e.Kind().String() != tt.name || e.KeyName() != tt.keyName ||
				e.KeyID().String() != tt.keyID {
				t.Errorf("%v, %q, %v", e.Kind(), e.KeyName(), e.KeyID())
			}
			if d, err := tt.unwrap(e); err != nil || !sameKey(d, vectorDataKey()) {
				t.Errorf("unwrap: %v", err)
			}
		})
	}
}

func TestSecretVector(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 0x20))
	plain, current, err := k.Open("access key ada", unhex(t, vectorSecret))
	if err != nil || !current || string(plain) != "hunter2" {
		t.Errorf("%q, %v, %v", plain, current, err)
	}
}
