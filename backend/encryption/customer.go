package encryption

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
)

// customerAlgorithm is the only one that S3 knows.
const customerAlgorithm = "AES256"

// CustomerKey is a key that a client sends with a request for SSE-C. It is never stored.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
type CustomerKey struct {
	secret
	md5 [md5.Size]byte
}

// ParseCustomerKey reads the values of the three headers of SSE-C: the algorithm, the key, and the MD5 of the key. They
// belong together; a request that has none of them asks for no SSE-C, and is not for this function. The errors are
// those whose names begin with ErrCustomer. The MD5 guards against damage on the way, nothing else.
func ParseCustomerKey(algorithm, key, keyMD5 string) (CustomerKey, error) {
	switch {
	case algorithm == "":
		return CustomerKey{}, ErrCustomerAlgorithmMissing
	case algorithm != customerAlgorithm:
		return CustomerKey{}, ErrCustomerAlgorithm
	case key == "":
		return CustomerKey{}, ErrCustomerKeyMissing
	}
	raw, ok := decodeKey(key)
	if !ok {
		return CustomerKey{}, ErrCustomerKeyInvalid
	}
	if keyMD5 == "" {
		clear(raw)
		return CustomerKey{}, ErrCustomerMD5Missing
	}
	sum := md5.Sum(raw)
	given, err := base64.StdEncoding.Strict().DecodeString(keyMD5)
	if err != nil || subtle.ConstantTimeCompare(given, sum[:]) != 1 {
		clear(raw)
		return CustomerKey{}, ErrCustomerMD5Mismatch
	}
	return CustomerKey{secret: newSecret(raw), md5: sum}, nil
}

// decodeKey reads the standard base64 of a key, with its padding, in the canonical form.
func decodeKey(s string) ([]byte, bool) {
	// Go's decoder skips line breaks even when strict; the length shows them.
	if len(s) != base64.StdEncoding.EncodedLen(KeyBytes) {
		return nil, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != KeyBytes {
		clear(raw)
		return nil, false
	}
	return raw, true
}

// MD5 returns the base64 of the key's MD5, which S3 repeats in its answers.
func (c CustomerKey) MD5() string { return base64.StdEncoding.EncodeToString(c.md5[:]) }

// Wrap returns the envelope of a data key.
func (c CustomerKey) Wrap(d DataKey) Envelope { return c.wrap(Envelope{kind: Customer}, d) }

// Unwrap returns the data key of an envelope. It fails with ErrCustomerKeyNotApplicable and ErrCustomerKeyWrong.
func (c CustomerKey) Unwrap(e Envelope) (DataKey, error) {
	if e.kind != Customer {
		return DataKey{}, ErrCustomerKeyNotApplicable
	}
	d, ok := c.unwrap(e)
	if !ok {
		return DataKey{}, ErrCustomerKeyWrong
	}
	return d, nil
}
