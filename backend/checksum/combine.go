package checksum

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/minio/crc64nvme"
)

// PartSum is the checksum of one part and the part's length.
type PartSum struct {
	// Value is the raw digest of the part, of the algorithm's Size.
	Value []byte
	// Size is the part's length in bytes; 0 is allowed.
	Size int64
}

// Combine returns the checksum of the parts' concatenation from the checksums of the parts, without their bytes. Only
// the CRCs have this property; the error wraps ErrUnsupported for the others and ErrInvalid for a part whose value has
// the wrong length or whose size is negative. Without parts it returns the checksum of no bytes.
//
// A CRC is the remainder of the message, taken as a polynomial over GF(2), divided by P. Appending n bytes multiplies
// the message by x^8n, so crc(A||B) = crc(A) * x^(8*len(B)) mod P + crc(B). The inversions at both ends of all three
// CRCs cancel out. The power costs at most 63 multiplications, and parts of one size, which is what clients send,
// share it: 10,000 parts take about a millisecond, and some 20 ms if every size is another.
func Combine(a Algorithm, parts []PartSum) ([]byte, error) {
	f := fieldOf(a)
	if f == nil {
		return nil, fmt.Errorf("combine %s of parts: %w", a, ErrUnsupported)
	}
	var crc, power uint64
	powerSize := int64(-1)
	for i, p := range parts {
		if len(p.Value) != a.Size() || p.Size < 0 {
			return nil, fmt.Errorf("combine %s: part at index %d: digest of %d bytes for a size of %d: %w",
				a, i, len(p.Value), p.Size, ErrInvalid)
		}
		if p.Size != powerSize {
			power, powerSize = f.powerOfBytes(p.Size), p.Size
		}
		crc = f.multiply(power, crc) ^ readCRC(p.Value)
	}
	return appendCRC(make([]byte, 0, a.Size()), crc, a.Size()), nil
}

// CompositeOf returns the checksum of the concatenated digests of the parts, in their order: the value of S3's
// COMPOSITE type. It panics where New does.
func CompositeOf(a Algorithm, values [][]byte) []byte {
	h := New(a)
	for _, v := range values {
		h.Write(v) // a hash.Hash never returns an error
	}
	return h.Sum(nil)
}

func readCRC(b []byte) uint64 {
	if len(b) == crc32.Size {
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

func appendCRC(b []byte, crc uint64, size int) []byte {
	if size == crc32.Size {
		return binary.BigEndian.AppendUint32(b, uint32(crc))
	}
	return binary.BigEndian.AppendUint64(b, crc)
}

// field is the arithmetic of polynomials over GF(2) modulo a CRC's P. Polynomials are reflected, as in the CRCs
// themselves: the coefficient of x^0 is the highest of the width's bits.
type field struct {
	poly uint64 // P without its leading term
	one  uint64 // the polynomial 1: the highest bit of the width
	// squares holds x^(2^k) mod P. Sizes are below 2^63 bytes, which is 2^66 bits.
	squares [66]uint64
}

var (
	fieldIEEE = sync.OnceValue(func() *field { return newField(crc32.IEEE, 32) })
	fieldC    = sync.OnceValue(func() *field { return newField(crc32.Castagnoli, 32) })
	fieldNVME = sync.OnceValue(func() *field { return newField(crc64nvme.NVME, 64) })
)

func fieldOf(a Algorithm) *field {
	switch a {
	case CRC32:
		return fieldIEEE()
	case CRC32C:
		return fieldC()
	case CRC64NVME:
		return fieldNVME()
	default:
		return nil
	}
}

func newField(poly uint64, width uint) *field {
	f := &field{poly: poly, one: 1 << (width - 1)}
	f.squares[0] = f.one >> 1
	for k := 1; k < len(f.squares); k++ {
		f.squares[k] = f.multiply(f.squares[k-1], f.squares[k-1])
	}
	return f
}

// multiply returns a*b mod P.
func (f *field) multiply(a, b uint64) uint64 {
	var product uint64
	for m := f.one; a != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
			a &^= m
		}
		// b becomes b*x: a shift to the right, and the leading term, if it falls out, is replaced by the rest of P.
		low := b & 1
		b = b>>1 ^ f.poly&-low
	}
	return product
}

// powerOfBytes returns x^(8n) mod P for n >= 0.
func (f *field) powerOfBytes(n int64) uint64 {
	p := f.one
	for k := 3; n != 0; k++ { // 8n = n * 2^3
		if n&1 != 0 {
			p = f.multiply(f.squares[k], p)
		}
		n >>= 1
	}
	return p
}
