package awschunked_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/s3api/awschunked"
	"github.com/plimsoll/plimsoll/s3api/awschunked/awschunkedtest"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := make([]byte, rapid.IntRange(0, 40000).Draw(t, "length"))
		for i := range data {
			data[i] = byte(i * 7)
		}
		names := rapid.SampledFrom([][]string{nil, {crc32c}, {"x-b", "x-a"}}).Draw(t, "trailers")
		length := int64(len(data))
		if rapid.Bool().Draw(t, "unknown length") {
			length = -1
		}
		cfg := config(rapid.Bool().Draw(t, "signed"), length, plainSeed, names...)
		chunk := rapid.IntRange(awschunked.MinChunkBytes, 20000).Draw(t, "chunk")
		ending := rapid.SampledFrom([]awschunkedtest.Ending{
			awschunkedtest.SDK, awschunkedtest.Minio, awschunkedtest.Bare,
		}).Draw(t, "ending")
		body := awschunkedtest.Encode(data, options(cfg, chunk, ending))

		var src io.Reader = bytes.NewReader(body)
		if rapid.Bool().Draw(t, "one byte") {
			src = iotest.OneByteReader(src)
		}
		r := awschunked.New(src, cfg)
		var got []byte
		for {
			p := make([]byte, rapid.IntRange(0, 9000).Draw(t, "p"))
			n, err := r.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, data) {
			t.Fatalf("%d bytes for %d", len(got), len(data))
		}
		for _, name := range names {
			if v, ok := r.Trailer(name); !ok || v != "value of "+name {
				t.Fatalf("trailer %q: %q, %v", name, v, ok)
			}
		}
		// One byte less, anywhere, is never right but for the end of line of what may be missing altogether.
		cut := rapid.IntRange(0, len(body)-1).Draw(t, "cut")
		if _, err := io.ReadAll(awschunked.New(bytes.NewReader(body[:cut]), cfg)); err == nil && cut < len(body)-4 {
			t.Fatalf("the first %d of %d bytes are accepted", cut, len(body))
		}
	})
}

// fuzzConfig is that of a fuzzed body, the same for each of the four variants.
func fuzzConfig(signed, trailer bool, length int64) awschunked.Config {
	if trailer {
		return config(signed, length, plainSeed, crc32c)
	}
	return config(signed, length, plainSeed)
}

func FuzzReader(f *testing.F) {
	for _, signed := range []bool{false, true} {
		for _, trailer := range []bool{false, true} {
			cfg := fuzzConfig(signed, trailer, 5)
			f.Add(signed, trailer, int64(5), awschunkedtest.Encode([]byte("hello"), options(cfg, 0, awschunkedtest.SDK)))
			f.Add(signed, trailer, int64(-1), awschunkedtest.Encode([]byte("hello"), options(cfg, 0, awschunkedtest.Minio)))
		}
	}
	f.Add(false, false, int64(5), []byte("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, signed, trailer bool, length int64, body []byte) {
		if len(body) > 64<<10 {
			t.Skip()
		}
		cfg := fuzzConfig(signed, trailer, length)
		got, err := io.ReadAll(awschunked.New(bytes.NewReader(body), cfg))
		slow, slowErr := io.ReadAll(iotest.OneByteReader(awschunked.New(iotest.OneByteReader(bytes.NewReader(body)), cfg)))
		if (err == nil) != (slowErr == nil) || err != nil && err.Error() != slowErr.Error() {
			t.Fatalf("%v, byte by byte %v", err, slowErr)
		}
		if err != nil {
			for _, s := range sentinels {
				if errors.Is(err, s) {
					return
				}
			}
			t.Fatalf("no sentinel: %v", err)
		}
		if !bytes.Equal(got, slow) || length >= 0 && int64(len(got)) != length {
			t.Fatalf("%d bytes, byte by byte %d, of %d", len(got), len(slow), length)
		}
		if signed && string(got) != "hello" {
			t.Fatalf("accepted %q, which nobody signed", got)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	const length = 8 << 20
	data := make([]byte, length)
	for name, cfg := range map[string]awschunked.Config{
		"unsigned": config(false, length, ""),
		"signed":   config(true, length, plainSeed),
	} {
		body := awschunkedtest.Encode(data, options(cfg, 64<<10, 0))
		p := make([]byte, 128<<10)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(length)
			b.ReportAllocs()
			for b.Loop() {
				r := awschunked.New(bytes.NewReader(body), cfg)
				for {
					if _, err := r.Read(p); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
