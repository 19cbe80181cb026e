package encryption_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll/plimsoll/backend/encryption"
)

const (
	keyMay  = "default q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n"
	keyJune = "default ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=\n"
)

// Puts an object, reads a range of it, copies it, and replaces the master key.
func Example() {
	keyring, err := encryption.ParseKeyring(keyMay)
	check(err)

	// Put: a data key, its envelope for metadata, and the encrypted blob.
	const plain = "Samuel Plimsoll had a line painted on every hull."
	key := encryption.NewDataKey()
	row := keyring.WrapS3(key).Marshal()
	var blob bytes.Buffer
	w := encryption.NewWriter(&blob, key)
	_, err = io.Copy(w, strings.NewReader(plain))
	check(err)
	check(w.Close())
	fmt.Println(len(plain), "bytes are stored as", blob.Len())

	// Get of a range: metadata knows the plain size, the blob store opens stored ranges.
	open := func(offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(bytes.NewReader(blob.Bytes()), offset, length)), nil
	}
	get := func(keyring *encryption.Keyring, row []byte) {
		envelope, err := encryption.UnmarshalEnvelope(row)
		check(err)
		key, err := keyring.Unwrap(envelope)
		check(err)
		r, err := encryption.NewReader(open, key, int64(len(plain)), 7, 8)
		check(err)
		defer r.Close()
		part, err := io.ReadAll(r)
		check(err)
		fmt.Printf("%s: %s\n", envelope.Kind(), part)
	}
	get(keyring, row)

	// Copy: the same blob and the same envelope.
	copied := bytes.Clone(row)
	get(keyring, copied)

	// Rotation: the new key stands first. The old one opens what it has wrapped until everything is wrapped again.
	keyring, err = encryption.ParseKeyring(keyJune + keyMay)
	check(err)
	get(keyring, row)
	envelope, err := encryption.UnmarshalEnvelope(row)
	check(err)
	envelope, changed, err := keyring.Rewrap(envelope)
	check(err)
	keyring, err = encryption.ParseKeyring(keyJune)
	check(err)
	get(keyring, envelope.Marshal())
	fmt.Println("wrapped again:", changed)

	// Output:
	// 49 bytes are stored as 97
	// SSE-S3: Plimsoll
	// SSE-S3: Plimsoll
	// SSE-S3: Plimsoll
	// SSE-S3: Plimsoll
	// wrapped again: true
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
