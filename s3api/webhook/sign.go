package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a delivery. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"

	secretPrefix     = "whsec_"
	signatureVersion = "v1,"

	minSecretBytes, maxSecretBytes = 16, 256
)

// ErrSignature says that a request was not signed with the secret, or too long ago.
var ErrSignature = errors.New("the signature is not the secret's")

// newSecret returns a secret of 256 bits.
func newSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(raw[:])
}

// keyOf returns the key of a secret, or *InvalidError.
func keyOf(secret string) ([]byte, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, secretPrefix); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, &InvalidError{"secret", "what follows whsec_ is not base64"}
		}
	}
	if len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return nil, &InvalidError{"secret", "16 to 256 bytes are allowed"}
	}
	return key, nil
}

func signature(key []byte, id, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return signatureVersion + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func sign(header http.Header, key []byte, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, signature(key, id, timestamp, body))
}

// Verify returns ErrSignature unless the headers and the body of a delivery were signed with the secret, within tolerance
// of now. It is for receivers.
func Verify(header http.Header, body []byte, secret string, now time.Time, tolerance time.Duration) error {
	key, err := keyOf(secret)
	if err != nil {
		return err
	}
	timestamp := header.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return ErrSignature
	}
	want := signature(key, header.Get(headerID), timestamp, body)
	for given := range strings.FieldsSeq(header.Get(headerSignature)) {
		if hmac.Equal([]byte(given), []byte(want)) {
			return nil
		}
	}
	return ErrSignature
}
