package encryption

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

var benchSizes = []int{4 << 10, 64 << 10, 16 << 20}

// BenchmarkWrite encrypts blobs as io.Copy brings them, 32 KiB at a time, and in one piece.
func BenchmarkWrite(b *testing.B) {
	for _, piece := range []int{32 << 10, 16 << 20} {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("piece=%d/KiB=%d", piece>>10, size>>10), func(b *testing.B) {
				plain := randomBytes(1, size)
				key := NewDataKey()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w := NewWriter(io.Discard, key)
					for rest := plain; len(rest) > 0; {
						n, err := w.Write(rest[:min(piece, len(rest))])
						if err != nil {
							b.Fatal(err)
						}
						rest = rest[n:]
					}
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("KiB=%d", size>>10), func(b *testing.B) {
			key := NewDataKey()
			blob := encrypt(b, key, randomBytes(1, size))
			open := func(offset, length int64) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(blob[offset : offset+length])), nil
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(open, key, int64(size), 0, int64(size))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEnvelope is what a PUT (wrap) and a GET (unwrap) cost beside the stream.
func BenchmarkEnvelope(b *testing.B) {
	k := mustParse(b, keyLine(DefaultKeyName, 1))
	marshaled := k.WrapS3(NewDataKey()).Marshal()
	b.Run("wrap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.WrapS3(NewDataKey()).Marshal()
		}
	})
	b.Run("unwrap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := UnmarshalEnvelope(marshaled)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := k.Unwrap(e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
