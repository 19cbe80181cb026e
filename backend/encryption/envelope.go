package encryption

import (
	"fmt"
	"strconv"
)

// Kind is how the data key of an object is protected. Its numbers are stored: never renumber.
type Kind uint8

// The kinds. There is none with the number zero: an object that is not encrypted has no envelope.
const (
	S3       Kind = 1 // SSE-S3: under the default master key
	KMS      Kind = 2 // SSE-KMS: under a master key that the request names
	Customer Kind = 3 // SSE-C: under a key that comes with every request
)

// String returns S3's name of the kind, such as "SSE-KMS"; "Kind(N)" for a number that is none.
func (k Kind) String() string {
	switch k {
	case S3:
		return "SSE-S3"
	case KMS:
		return "SSE-KMS"
	case Customer:
		return "SSE-C"
	default:
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
}

const (
	envelopeVersion = 1
	// algorithmAES256GCM is the only way of storing blobs so far: chunks of 64 KiB under AES-256-GCM.
	algorithmAES256GCM = 1
	envelopeHeadBytes  = 3 + keyIDBytes + 1 // without the name
	wrappedBytes       = KeyBytes + sealOverhead
	envelopePurpose    = "plimsoll data key v1"
)

// Envelope is a wrapped data key, and what it takes to unwrap it. Envelopes are made by wrapping a data key or by
// UnmarshalEnvelope; the zero Envelope is none. They are comparable: equal envelopes have equal bytes. They are not
// secret.
type Envelope struct {
	kind    Kind
	keyID   KeyID
	keyName string
	wrapped [wrappedBytes]byte
}

// Kind says how the data key is protected.
func (e Envelope) Kind() Kind { return e.kind }

// KeyID names the master key that the data key is wrapped under. It is zero for SSE-C.
func (e Envelope) KeyID() KeyID { return e.keyID }

// KeyName is the name that the request for SSE-KMS gave, which S3 repeats in its answers. It is empty for other kinds.
func (e Envelope) KeyName() string { return e.keyName }

// head is what the wrapped key is bound to.
func (e Envelope) head() []byte {
	b := make([]byte, 0, envelopeHeadBytes+len(e.keyName)+wrappedBytes)
	b = append(b, envelopeVersion, byte(e.kind), algorithmAES256GCM)
	b = append(b, e.keyID[:]...)
	b = append(b, byte(len(e.keyName))) // names have at most 255 bytes
	return append(b, e.keyName...)
}

// wrap returns e with a data key in it. The rest of e must be set.
func (s secret) wrap(e Envelope, d DataKey) Envelope {
	head := e.head()
	copy(e.wrapped[:], s.seal(head, envelopePurpose, d.bytes()[:])[len(head):])
	return e
}

func (s secret) unwrap(e Envelope) (DataKey, bool) {
	key, ok := s.open(e.head(), envelopePurpose, e.wrapped[:])
	if !ok {
		return DataKey{}, false
	}
	return DataKey{newSecret(key)}, true
}

// Marshal returns the envelope's bytes, of which there are some 90: what metadata keeps. It panics for the zero
// Envelope.
func (e Envelope) Marshal() []byte {
	if e.kind == 0 {
		panic("encryption: marshal the zero Envelope")
	}
	return append(e.head(), e.wrapped[:]...)
}

// UnmarshalEnvelope reads what Marshal returned, and nothing else: for whatever it takes, Marshal returns the same
// bytes. Its error wraps ErrCorrupt. Whether the head is what was written shows when the data key is unwrapped.
func UnmarshalEnvelope(b []byte) (Envelope, error) {
	if len(b) < envelopeHeadBytes {
		return Envelope{}, fmt.Errorf("envelope of %d bytes: %w", len(b), ErrCorrupt)
	}
	if b[0] != envelopeVersion || b[2] != algorithmAES256GCM {
		return Envelope{}, fmt.Errorf("envelope of version %d with algorithm %d: %w", b[0], b[2], ErrCorrupt)
	}
	nameBytes := int(b[envelopeHeadBytes-1])
	if len(b) != envelopeHeadBytes+nameBytes+wrappedBytes {
		return Envelope{}, fmt.Errorf("envelope of %d bytes with a name of %d: %w", len(b), nameBytes, ErrCorrupt)
	}
	e := Envelope{
		kind:    Kind(b[1]),
		keyID:   KeyID(b[3 : 3+keyIDBytes]),
		keyName: string(b[envelopeHeadBytes : envelopeHeadBytes+nameBytes]),
		wrapped: [wrappedBytes]byte(b[envelopeHeadBytes+nameBytes:]),
	}
	ok := false
	switch e.kind {
	case S3:
		ok = e.keyName == "" && e.keyID != KeyID{}
	case KMS:
		ok = validName(e.keyName) && e.keyID != KeyID{}
	case Customer:
		ok = e.keyName == "" && e.keyID == KeyID{}
	}
	if !ok {
		return Envelope{}, fmt.Errorf("envelope of %v, key %v and name %q: %w", e.kind, e.keyID, e.keyName, ErrCorrupt)
	}
	return e, nil
}
