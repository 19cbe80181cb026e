package s3api

import (
	"cmp"
	"errors"
	"net"
	"net/netip"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// Server-side encryption: what the headers of a request ask for, and what those of an answer tell. The store has the
// bytes encrypted; which key wraps an object's data key is decided here.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html

const (
	encryptionHeader    = "X-Amz-Server-Side-Encryption"
	encryptionKeyHeader = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	bucketKeyHeader     = "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"
)

// The values of x-amz-server-side-encryption.
const (
	encryptionAES256 = "AES256"
	encryptionKMS    = "aws:kms"
	encryptionDSSE   = "aws:kms:dsse"
)

// customerHeaders are the headers that bring a customer's key.
type customerHeaders struct{ algorithm, key, md5 string }

var (
	// ownCustomerKey is that of the object which the request reads or writes.
	ownCustomerKey = customerHeaders{
		"X-Amz-Server-Side-Encryption-Customer-Algorithm",
		"X-Amz-Server-Side-Encryption-Customer-Key",
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5",
	}
	// sourceCustomerKey is that of the source of a copy.
	sourceCustomerKey = customerHeaders{
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5",
	}
)

// customerKey reads the customer's key of the request; nil where it has none.
func (rq *request) customerKey(names *customerHeaders) (*encryption.CustomerKey, error) {
	header := rq.r.Header
	algorithm, key, sum := headerOf(header, names.algorithm), headerOf(header, names.key), headerOf(header, names.md5)
	if algorithm == "" && key == "" && sum == "" {
		return nil, nil
	}
	if !rq.isPrivate() {
		return nil, s3err("InvalidRequest", "Requests specifying Server Side Encryption with Customer provided keys must be "+
			"made over a secure connection.")
	}
	customer, err := encryption.ParseCustomerKey(algorithm, key, sum)
	if err != nil {
		return nil, err
	}
	return &customer, nil
}

// isPrivate reports whether nobody can read along: the connection has TLS, does not leave the machine, or comes from a
// proxy that says it has ended the TLS. Who is not a proxy and says so gives away nothing but a key of their own.
func (rq *request) isPrivate() bool {
	if rq.r.TLS != nil || headerOf(rq.r.Header, "X-Forwarded-Proto") == "https" {
		return true
	}
	host, _, err := net.SplitHostPort(rq.r.RemoteAddr)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// newWrap is how the object that the request writes is encrypted: as its headers ask, else as the bucket does by
// default. It is nil where neither wants encryption.
func (rq *request) newWrap() (backend.WrapKey, error) {
	header := rq.r.Header
	method, keyName := headerOf(header, encryptionHeader), headerOf(header, encryptionKeyHeader)
	customer, err := rq.customerKey(&ownCustomerKey)
	if err != nil {
		return nil, err
	}
	// One key for many objects spares calls to a KMS: here there is none to be called.
	if value := headerOf(header, bucketKeyHeader); value != "" && value != "true" && value != "false" {
		return nil, invalidArgument("x-amz-server-side-encryption-bucket-key-enabled", value, "Invalid Argument")
	}
	switch {
	case customer != nil && (method != "" || keyName != ""):
		return nil, invalidArgument("x-amz-server-side-encryption", method, "Server Side Encryption with Customer provided "+
			"key is incompatible with the encryption method specified")
	case customer != nil:
		return func(key encryption.DataKey) (encryption.Envelope, error) { return customer.Wrap(key), nil }, nil
	case method == "" && keyName == "":
		return rq.defaultWrap(), nil
	case method != encryptionKMS && method != encryptionDSSE && keyName != "":
		return nil, invalidArgument("x-amz-server-side-encryption", method, "Server Side Encryption with AWS KMS managed "+
			"key requires HTTP header x-amz-server-side-encryption : aws:kms")
	}
	switch method {
	case encryptionAES256:
		return rq.wrapS3, nil
	case encryptionKMS:
		return rq.wrapKMS(keyName), nil
	case encryptionDSSE:
		return nil, notImplementedHeader("x-amz-server-side-encryption")
	}
	return nil, invalidArgument("x-amz-server-side-encryption", method, "The encryption method specified is not supported")
}

// defaultWrap is how the bucket encrypts by default; nil where it does not.
func (rq *request) defaultWrap() backend.WrapKey {
	switch d := rq.access.encryption; {
	case d == nil:
		return nil
	case d.Algorithm == encryptionKMS:
		return rq.wrapKMS(d.Key)
	}
	return rq.wrapS3
}

func (rq *request) wrapS3(key encryption.DataKey) (encryption.Envelope, error) {
	return rq.handler.config.Keyring.WrapS3(key), nil
}

// wrapKMS wraps under the key of a name; the empty one is the default key's.
func (rq *request) wrapKMS(name string) backend.WrapKey {
	name = cmp.Or(name, encryption.DefaultKeyName)
	return func(key encryption.DataKey) (encryption.Envelope, error) {
		envelope, err := rq.handler.config.Keyring.WrapKMS(name, key)
		if errors.Is(err, encryption.ErrNoSuchKeyName) {
			return envelope, noSuchEncryptionKey(name)
		}
		return envelope, err
	}
}

func noSuchEncryptionKey(name string) error {
	return s3err("KMS.NotFoundException", "Invalid keyId '"+name+"'")
}

// copyWrap is newWrap for a copy. Where neither the request nor the bucket says how, the copy of an encrypted object
// does not lose its encryption: it is wrapped under the server's key, and shares the source's blobs.
func (rq *request) copyWrap() (func(source meta.Object) backend.WrapKey, error) {
	wrap, err := rq.newWrap()
	return func(source meta.Object) backend.WrapKey {
		if wrap == nil && len(source.Encryption) > 0 {
			return rq.wrapS3
		}
		return wrap
	}, err
}

// asksForEncryption reports whether the request says by itself how its object is encrypted.
func (rq *request) asksForEncryption() bool {
	return headerOf(rq.r.Header, encryptionHeader) != "" || headerOf(rq.r.Header, ownCustomerKey.algorithm) != ""
}

// refuseEncryption refuses a request that asks for the encryption of what is there already.
func (rq *request) refuseEncryption() error {
	if value := headerOf(rq.r.Header, encryptionHeader); value != "" {
		return invalidArgument("x-amz-server-side-encryption", value,
			"x-amz-server-side-encryption header is not supported for this operation.")
	}
	return nil
}

// dataKey returns the data key of what has an envelope, or refuses the customer's key that the request brings, or does
// not bring. It is nil where there is no envelope.
func (rq *request) dataKey(envelope []byte, names *customerHeaders) (*encryption.DataKey, error) {
	customer, err := rq.customerKey(names)
	if err != nil {
		return nil, err
	}
	if len(envelope) == 0 {
		if customer != nil {
			return nil, encryption.ErrCustomerKeyNotApplicable
		}
		return nil, nil
	}
	e, err := encryption.UnmarshalEnvelope(envelope)
	if err != nil {
		return nil, err
	}
	var key encryption.DataKey
	if customer != nil {
		key, err = customer.Unwrap(e)
	} else {
		key, err = rq.handler.config.Keyring.Unwrap(e)
	}
	if err != nil {
		return nil, err
	}
	return &key, nil
}

// checkCustomerKey is dataKey for an operation that does not read the bytes: it needs no master key.
func (rq *request) checkCustomerKey(envelope []byte) error {
	if len(envelope) > 0 && headerOf(rq.r.Header, ownCustomerKey.algorithm) == "" {
		if e, err := encryption.UnmarshalEnvelope(envelope); err == nil && e.Kind() != encryption.Customer {
			return nil
		}
	}
	_, err := rq.dataKey(envelope, &ownCustomerKey)
	return err
}

// sourceKey is the UnwrapKey of the source of a copy.
func (rq *request) sourceKey(envelope []byte) (*encryption.DataKey, error) {
	return rq.dataKey(envelope, &sourceCustomerKey)
}

// uploadKey is the UnwrapKey of the upload that a part is for.
func (rq *request) uploadKey(envelope []byte) (*encryption.DataKey, error) {
	key, err := rq.dataKey(envelope, &ownCustomerKey)
	switch {
	case errors.Is(err, encryption.ErrCustomerKeyRequired):
		return nil, s3err("InvalidRequest", "The multipart upload initiate requested encryption. Subsequent part requests "+
			"must include the appropriate encryption parameters.")
	case errors.Is(err, encryption.ErrCustomerKeyNotApplicable):
		return nil, s3err("InvalidRequest", "The multipart upload initiate did not request encryption. Please resend the "+
			"request without sending encryption parameters.")
	case errors.Is(err, encryption.ErrCustomerKeyWrong):
		return nil, s3err("InvalidRequest", "The provided encryption parameters did not match the ones used originally.")
	}
	return key, err
}

// checkUploadKey refuses the completion of an upload with another customer's key than it was begun with. Without a key it
// is refused only where the client chose a checksum: S3 asks for none elsewhere, and older clients send none.
func (rq *request) checkUploadKey(upload meta.Upload) error {
	envelope := upload.Encryption
	if e, err := encryption.UnmarshalEnvelope(envelope); headerOf(rq.r.Header, ownCustomerKey.algorithm) == "" &&
		(upload.Algorithm == checksum.None || err != nil || e.Kind() != encryption.Customer) {
		return nil
	}
	_, err := rq.uploadKey(envelope)
	return err
}

// setEncryption tells how an object or an upload is encrypted.
func (rq *request) setEncryption(envelope []byte) { rq.tellEncryption(envelope, rq.w.set) }

func (rq *request) tellEncryption(envelope []byte, set func(name, value string)) {
	if len(envelope) == 0 {
		return
	}
	e, err := encryption.UnmarshalEnvelope(envelope)
	if err != nil {
		return // who reads the bytes hears of it
	}
	switch e.Kind() {
	case encryption.S3:
		set(encryptionHeader, encryptionAES256)
	case encryption.KMS:
		set(encryptionHeader, encryptionKMS)
		set(encryptionKeyHeader, e.KeyName())
	case encryption.Customer:
		if sum := headerOf(rq.r.Header, ownCustomerKey.md5); sum != "" {
			set(ownCustomerKey.algorithm, encryptionAES256)
			set(ownCustomerKey.md5, sum)
		}
	}
}

// encryptionError maps what may be wrong with a customer's key.
func encryptionError(err error) *Error {
	const asking = "Requests specifying Server Side Encryption with Customer provided keys must provide "
	invalid := func(message string) *Error {
		return invalidArgument("x-amz-server-side-encryption", "null", message)
	}
	switch {
	case errors.Is(err, encryption.ErrCustomerAlgorithmMissing):
		return invalid(asking + "a valid encryption algorithm.")
	case errors.Is(err, encryption.ErrCustomerAlgorithm):
		return s3err("InvalidEncryptionAlgorithmError")
	case errors.Is(err, encryption.ErrCustomerKeyMissing):
		return invalid(asking + "an appropriate secret key.")
	case errors.Is(err, encryption.ErrCustomerKeyInvalid):
		return invalid("The secret key was invalid for the specified algorithm.")
	case errors.Is(err, encryption.ErrCustomerMD5Missing):
		return invalid(asking + "the client calculated MD5 of the secret key.")
	case errors.Is(err, encryption.ErrCustomerMD5Mismatch):
		return invalid("The calculated MD5 hash of the key did not match the hash that was provided.")
	case errors.Is(err, encryption.ErrCustomerKeyRequired):
		return s3err("InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct "+
			"parameters must be provided to retrieve the object.")
	case errors.Is(err, encryption.ErrCustomerKeyNotApplicable):
		return s3err("InvalidRequest", "The encryption parameters are not applicable to this object.")
	case errors.Is(err, encryption.ErrCustomerKeyWrong):
		return s3err("AccessDenied")
	}
	return nil
}
