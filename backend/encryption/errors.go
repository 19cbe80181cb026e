package encryption

import "errors"

var (
	// ErrCorrupt says that what is stored is not what was written, or was written under another key.
	ErrCorrupt = errors.New("encryption: corrupt, or of another key")
	// ErrMasterKeyMissing says that the keyring no longer has the master key that an envelope or a secret was sealed
	// under: somebody has dropped it too early, or given the server another keyring.
	ErrMasterKeyMissing = errors.New("encryption: the master key is not in the keyring")
	// ErrNoSuchKeyName says that the keyring has no key of the name that a request for SSE-KMS gave. S3 answers
	// KMS.NotFoundException.
	ErrNoSuchKeyName = errors.New("encryption: no key of this name")
	// ErrKeyring says that the keyring itself cannot be used: its text, or the permissions of its file.
	ErrKeyring = errors.New("encryption: unusable keyring")
	// ErrRange says that a range is not within the blob.
	ErrRange = errors.New("encryption: range is not within the blob")
	// ErrTooLarge says that a blob has more than MaxBlobBytes.
	ErrTooLarge = errors.New("encryption: blob is too large")
)

// What can be wrong with a request for SSE-C. S3 answers InvalidArgument to what ParseCustomerKey finds, except
// InvalidEncryptionAlgorithmError for ErrCustomerAlgorithm, and InvalidRequest to what does not fit the object, except
// 403 AccessDenied for a read with the wrong key.
var (
	// ErrCustomerAlgorithmMissing says that a request with a key or its MD5 does not name the algorithm.
	ErrCustomerAlgorithmMissing = errors.New("encryption: no algorithm for the customer key")
	// ErrCustomerAlgorithm says that the algorithm is not AES256.
	ErrCustomerAlgorithm = errors.New("encryption: the algorithm for the customer key is not AES256")
	// ErrCustomerKeyMissing says that a request names the algorithm, but has no key.
	ErrCustomerKeyMissing = errors.New("encryption: no customer key")
	// ErrCustomerKeyInvalid says that the key is not the base64 of 256 bits.
	ErrCustomerKeyInvalid = errors.New("encryption: the customer key is not 256 bits in base64")
	// ErrCustomerMD5Missing says that a request has no MD5 of the key.
	ErrCustomerMD5Missing = errors.New("encryption: no MD5 of the customer key")
	// ErrCustomerMD5Mismatch says that what was sent as the MD5 of the key is not that, whether or not it is base64.
	ErrCustomerMD5Mismatch = errors.New("encryption: the MD5 is not that of the customer key")
	// ErrCustomerKeyRequired says that the object is encrypted under a customer's key, and none was given.
	ErrCustomerKeyRequired = errors.New("encryption: the object needs its customer key")
	// ErrCustomerKeyNotApplicable says that a customer key was given for an object that is not encrypted under one.
	ErrCustomerKeyNotApplicable = errors.New("encryption: the object has no customer key")
	// ErrCustomerKeyWrong says that the object was encrypted under another customer key. A damaged envelope looks
	// the same; metadata has checksums against that.
	ErrCustomerKeyWrong = errors.New("encryption: not the customer key of the object")
)
