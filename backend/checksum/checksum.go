// Package checksum holds the additional checksums of S3: their names, how they are computed over a stream, and how
// the checksum of a multipart object follows from those of its parts. It is pure: no state but tables that are
// computed once, so everything in it may be called concurrently.
//
// Digests are raw bytes, big-endian for the CRCs and the XXHashes, as S3 encodes them in base64.
//
// Errors: values that a client sent and that cannot be a digest are ErrInvalid; asking for a combination that S3 does
// not define is ErrUnsupported.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// ErrInvalid is wrapped by the errors for values that are not a digest of the algorithm: bad base64 or a bad length.
var ErrInvalid = errors.New("invalid checksum value")

// ErrUnsupported is wrapped by the errors for combinations that S3 does not define, such as a full-object SHA256 from
// those of the parts.
var ErrUnsupported = errors.New("unsupported checksum combination")

// Algorithm is one of S3's checksum algorithms. Its numbers are stored: never renumber.
type Algorithm uint8

// The algorithms. None is the zero value: no checksum.
const (
	None      Algorithm = 0
	CRC32     Algorithm = 1
	CRC32C    Algorithm = 2
	CRC64NVME Algorithm = 3
	SHA1      Algorithm = 4
	SHA256    Algorithm = 5
	SHA512    Algorithm = 6
	MD5       Algorithm = 7
	XXHASH64  Algorithm = 8
	XXHASH3   Algorithm = 9
	XXHASH128 Algorithm = 10
)

// Lengths of the digests of XXHash.
const (
	xxhash64Size  = 8
	xxhash128Size = 16
)

// headerPrefix starts the header and trailer names of the checksums.
const headerPrefix = "x-amz-checksum-"

// algorithms is indexed by Algorithm. The zero entry is that of None.
var algorithms = [...]struct {
	name   string
	header string
	size   int
}{
	None:      {},
	CRC32:     {"CRC32", headerPrefix + "crc32", crc32.Size},
	CRC32C:    {"CRC32C", headerPrefix + "crc32c", crc32.Size},
	CRC64NVME: {"CRC64NVME", headerPrefix + "crc64nvme", crc64nvme.Size},
	SHA1:      {"SHA1", headerPrefix + "sha1", sha1.Size},
	SHA256:    {"SHA256", headerPrefix + "sha256", sha256.Size},
	SHA512:    {"SHA512", headerPrefix + "sha512", sha512.Size},
	MD5:       {"MD5", headerPrefix + "md5", md5.Size},
	XXHASH64:  {"XXHASH64", headerPrefix + "xxhash64", xxhash64Size},
	XXHASH3:   {"XXHASH3", headerPrefix + "xxhash3", xxhash64Size},
	XXHASH128: {"XXHASH128", headerPrefix + "xxhash128", xxhash128Size},
}

// Algorithms returns every algorithm except None, in the order of their numbers.
func Algorithms() []Algorithm {
	return []Algorithm{CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128}
}

// ParseAlgorithm reads one of S3's names, such as "CRC32C", in any case. It reports false for everything else, the
// empty string included.
func ParseAlgorithm(s string) (Algorithm, bool) {
	for _, a := range Algorithms() {
		if equalFold(s, a.String()) {
			return a, true
		}
	}
	return None, false
}

// FromHeader reads the name of a checksum header or trailer, such as "x-amz-checksum-crc32c", in any case.
func FromHeader(name string) (Algorithm, bool) {
	if len(name) <= len(headerPrefix) || !equalFold(name[:len(headerPrefix)], headerPrefix) {
		return None, false
	}
	return ParseAlgorithm(name[len(headerPrefix):])
}

// equalFold is strings.EqualFold without Unicode's folds ("K" for the Kelvin sign), which no name of S3 has.
func equalFold(s, t string) bool {
	return len(s) == len(t) && strings.EqualFold(s, t)
}

// String returns S3's name in upper case, such as "CRC32C"; "" for None; "Algorithm(N)" for a number that is none.
func (a Algorithm) String() string {
	if int(a) >= len(algorithms) {
		return "Algorithm(" + strconv.Itoa(int(a)) + ")"
	}
	return algorithms[a].name
}

// Header returns the name of the algorithm's header and trailer in lower case, such as "x-amz-checksum-crc32c"; "" for
// None and for unknown numbers.
func (a Algorithm) Header() string {
	if int(a) >= len(algorithms) {
		return ""
	}
	return algorithms[a].header
}

// Size returns the length of the digest in bytes; 0 for None and for unknown numbers.
func (a Algorithm) Size() int {
	if int(a) >= len(algorithms) {
		return 0
	}
	return algorithms[a].size
}

// Decode reads a digest as S3 writes it: standard base64 with its padding, in the canonical form, of exactly Size
// bytes. The error wraps ErrInvalid.
func (a Algorithm) Decode(s string) ([]byte, error) {
	size := a.Size()
	if size == 0 {
		return nil, fmt.Errorf("decode a digest of algorithm %d: %w", uint8(a), ErrInvalid)
	}
	if len(s) != base64.StdEncoding.EncodedLen(size) {
		return nil, fmt.Errorf("decode %s: %d characters: %w", a, len(s), ErrInvalid)
	}
	// Go's decoder skips line breaks even when strict; the length of the result shows them.
	v, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(v) != size {
		return nil, fmt.Errorf("decode %s: not canonical base64 of %d bytes: %w", a, size, ErrInvalid)
	}
	return v, nil
}

// castagnoli is the table of CRC32C; hash/crc32 uses the processor's instruction for it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// New returns a hash whose Sum is the digest as S3 encodes it. It panics for None and for unknown numbers: whether
// there is a checksum at all is for the caller to know.
func New(a Algorithm) hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(castagnoli)
	case CRC64NVME:
		return crc64nvme.New()
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New()
	case XXHASH64:
		return xxhash.New()
	case XXHASH3:
		return xxh3.New()
	case XXHASH128:
		return xxh3.New128()
	default:
		panic("checksum: no hash for algorithm " + strconv.Itoa(int(a)))
	}
}

// Type says what a checksum covers. Its numbers are stored: never renumber.
type Type uint8

// The types. FullObject covers all bytes of the object; Composite is the checksum of the parts' checksums.
const (
	FullObject Type = 0
	Composite  Type = 1
)

// String returns S3's name: "FULL_OBJECT" or "COMPOSITE"; "Type(N)" for a number that is none.
func (t Type) String() string {
	switch t {
	case FullObject:
		return "FULL_OBJECT"
	case Composite:
		return "COMPOSITE"
	default:
		return "Type(" + strconv.Itoa(int(t)) + ")"
	}
}

// ParseType reads "FULL_OBJECT" or "COMPOSITE", in any case.
func ParseType(s string) (Type, bool) {
	for _, t := range []Type{FullObject, Composite} {
		if equalFold(s, t.String()) {
			return t, true
		}
	}
	return FullObject, false
}

// Supports reports whether S3 takes this type for a multipart upload with this algorithm: CRC64NVME is always of the
// full object, CRC32 and CRC32C can be either, all others are always composite.
func Supports(a Algorithm, t Type) bool {
	switch a {
	case CRC32, CRC32C:
		return t == FullObject || t == Composite
	case CRC64NVME:
		return t == FullObject
	case SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128:
		return t == Composite
	default:
		return false
	}
}

// DefaultType is the type of a multipart upload that names an algorithm and no type: FullObject for CRC64NVME,
// Composite for the others.
func DefaultType(a Algorithm) Type {
	if a == CRC64NVME {
		return FullObject
	}
	return Composite
}

// Checksum is a computed checksum.
type Checksum struct {
	Algorithm Algorithm
	Type      Type
	// Value is the raw digest, as S3 encodes it in base64.
	Value []byte
	// Parts is the number of parts of a Composite checksum, S3's "-N" suffix; 0 otherwise.
	Parts int
}

// String returns the value as S3 shows it: base64, with "-N" behind a composite checksum of N parts. The value of a
// single part of a composite upload has no suffix: its Parts is 0.
func (c Checksum) String() string {
	s := base64.StdEncoding.EncodeToString(c.Value)
	if c.Type == Composite && c.Parts > 0 {
		s += "-" + strconv.Itoa(c.Parts)
	}
	return s
}
