// Package encryption is what server-side encryption needs of cryptography: master keys, data keys and their envelopes,
// and the form in which the bytes of a blob are stored. It knows neither HTTP nor where anything is kept.
//
// # Keys
//
// Every object, or multipart upload, has a random DataKey of its own, under which its blobs are encrypted. The data key
// is kept beside the object in an Envelope: wrapped under a master key of the Keyring (SSE-S3, and SSE-KMS, whose
// "KMS keys" are master keys with a name), or under the key that the customer sends with every request (SSE-C).
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
//
//	Keyring or CustomerKey -- wraps --> DataKey -- HKDF with the blob's salt --> blob key -- seals --> chunks
//
// What an envelope is bound to: its own head, which is its kind, the algorithm, and the master key's id and name. So an
// SSE-KMS object cannot be passed off as an SSE-S3 one, or as one of another KMS key. It is bound to neither bucket nor
// key nor blobs: CopyObject shares blobs and takes the envelope along unchanged, and the blobs of a multipart upload do
// not exist yet when its envelope is made. Nothing is lost by that. An envelope that is put beside other blobs holds a
// data key that does not open them, and whoever can move an envelope together with its blobs can as well move the whole
// row of metadata. In the same way a blob is not bound to its place among the parts of an object: metadata, with its
// checksums, says which blobs make up an object and in what order.
//
// For a copy under other encryption the data key is unwrapped and wrapped again, and the blobs are still shared. Blobs
// of objects with different data keys cannot be joined into one object without being encrypted again.
//
// A key that wraps or seals is never used itself: each message has its own, derived with a random salt. So there is no
// number of objects after which a master key must be replaced, as there would be (2^32) for AES-GCM under one key.
//
// Of a customer's key nothing is kept, not even a hash: the envelope opens under no other key, which is the proof.
//
// # Formats
//
// All integers are big-endian. A sealed message, which is AES-256-GCM under HKDF-SHA256(root key, salt, purpose):
//
//	salt 16 | nonce 12 | ciphertext | tag 16
//
// An envelope. The head, which is everything before the sealed data key, is the additional data of the seal:
//
//	version 1 | kind 1 | algorithm 1 | master key id 8 (zero for SSE-C) | name length 1 | name | sealed data key 76
//
// A small secret, sealed with its head as additional data, and the caller's purpose in that of the derivation:
//
//	version 1 | master key id 8 | sealed secret
//
// A stored blob of n plain bytes: a header, and chunks of 64 KiB of plain bytes, the last of which may be shorter, each
// followed by its tag. A blob of no bytes has one empty chunk. The key is HKDF-SHA256(data key, salt, "plimsoll blob
// v1"), and the nonce has the chunk's index, and whether it is the last: the STREAM construction
// (https://eprint.iacr.org/2015/189). Chunks that are changed, cut off, appended, reordered, or taken from another blob
// fail to open.
//
//	header: magic "plE" | version 1 | salt 28          nonce: zero 3 | index 8 | last 1
//
// # Concurrency, errors, logs
//
// A Keyring, keys and envelopes are immutable and safe for concurrent use; a Writer or Reader is used by one goroutine.
//
// Errors wrap one of the package's Err values. ErrCorrupt means that what was stored is not what was written, or not
// under this key: the two cannot be told apart. Errors never contain keys, and values that hold one print as "[key]",
// or, where they are an unexported field of something else, as an address. Derived and decoded copies of keys are
// zeroed as soon as they have been used. The texts that keys come in, and the key schedules inside crypto/aes, cannot
// be, so that is no defence against who reads this memory.
package encryption
