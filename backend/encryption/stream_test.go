package encryption

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// sizes are drawn around the borders of chunks.
var sizes = rapid.Custom(func(t *rapid.T) int64 {
	chunks := rapid.Int64Range(0, 4).Draw(t, "chunks")
	return max(0, chunks*ChunkBytes+rapid.Int64Range(-20, 20).Draw(t, "rest"))
})

func TestSizes(t *testing.T) {
	tests := []struct {
		name          string
		plain, stored int64
	}{
		{"nothing", 0, 48},
		{"one byte", 1, 49},
		{"a chunk but one byte", ChunkBytes - 1, ChunkBytes + 47},
		{"a chunk", ChunkBytes, ChunkBytes + 48},
		{"a chunk and a byte", ChunkBytes + 1, ChunkBytes + 65},
		{"two chunks", 2 * ChunkBytes, 2*ChunkBytes + 64},
		{"the largest", MaxBlobBytes, 32 + MaxBlobBytes/ChunkBytes*sealedBytes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := StoredSize(tt.plain); got != tt.stored {
				t.Errorf("StoredSize(%d) = %d, want %d", tt.plain, got, tt.stored)
			}
			if got, ok := PlainSize(tt.stored); !ok || got != tt.plain {
				t.Errorf("PlainSize(%d) = %d, %v, want %d", tt.stored, got, ok, tt.plain)
			}
		})
	}
	for _, plain := range []int64{MaxBlobBytes + 1, math.MaxInt64} {
		if got := StoredSize(plain); got != math.MaxInt64 {
			t.Errorf("StoredSize(%d) = %d", plain, got)
		}
	}
	if got := StoredSize(-1); got != -1 {
		t.Errorf("StoredSize(-1) = %d", got)
	}
	for _, stored := range []int64{
		math.MinInt64, -1, 0, 32, 47, 32 + sealedBytes + 1, 32 + sealedBytes + 15, 32 + sealedBytes + 16,
		StoredSize(MaxBlobBytes) + 1, StoredSize(MaxBlobBytes) + 17, math.MaxInt64,
	} {
		if plain, ok := PlainSize(stored); ok {
			t.Errorf("PlainSize(%d) = %d", stored, plain)
		}
	}
}

// TestSizesInverse checks that PlainSize takes the values of StoredSize, and no others.
func TestSizesInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.OneOf(sizes, rapid.Int64Range(0, MaxBlobBytes)).Draw(t, "plain")
		if got, ok := PlainSize(StoredSize(plain)); !ok || got != plain {
			t.Fatalf("%d is stored as %d, which is of %d, %v", plain, StoredSize(plain), got, ok)
		}
		stored := StoredSize(plain) + rapid.Int64Range(-40, 40).Draw(t, "off")
		if got, ok := PlainSize(stored); ok && StoredSize(got) != stored {
			t.Fatalf("%d is of %d, which is stored as %d", stored, got, StoredSize(got))
		}
	})
}

// TestReadFrom reads from readers that give few bytes at a time, some of them together with io.EOF.
func TestReadFrom(t *testing.T) {
	content := randomBytes(2, 3*ChunkBytes)
	key := NewDataKey()
	for _, size := range []int{0, 1, ChunkBytes - 1, ChunkBytes, ChunkBytes + 1, 3 * ChunkBytes} {
		for name, reader := range map[string]io.Reader{
			"whole": bytes.NewReader(content[:size]), "halves": iotest.HalfReader(bytes.NewReader(content[:size])),
			"with io.EOF": iotest.DataErrReader(bytes.NewReader(content[:size])),
		} {
			var out bytes.Buffer
			w := NewWriter(&out, key)
			n, err := io.Copy(w, reader)
			if err = errors.Join(err, w.Close()); err != nil || n != int64(size) || int64(out.Len()) != StoredSize(n) {
				t.Fatalf("%s of %d: read %d, stored %d, %v", name, size, n, out.Len(), err)
			}
			got, err := decrypt(out.Bytes(), key, n, 0, n)
			if err != nil || !bytes.Equal(got, content[:size]) {
				t.Errorf("%s of %d: %d bytes, %v", name, size, len(got), err)
			}
			if _, err := w.ReadFrom(reader); !errors.Is(err, os.ErrClosed) {
				t.Errorf("ReadFrom after Close: %v", err)
			}
		}
	}
}

func TestReadFromFails(t *testing.T) {
	w := NewWriter(io.Discard, NewDataKey())
	source := io.MultiReader(bytes.NewReader(make([]byte, 100)), errReader{})
	if n, err := w.ReadFrom(source); n != 100 || !errors.Is(err, errBroken) {
		t.Errorf("read %d, %v", n, err)
	}
	w = NewWriter(&brokenWriter{writes: 1}, NewDataKey())
	if _, err := w.ReadFrom(bytes.NewReader(make([]byte, 4*ChunkBytes))); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	content := randomBytes(1, 5*ChunkBytes)
	key := NewDataKey()
	rapid.Check(t, func(t *rapid.T) {
		size := sizes.Draw(t, "size")
		plain := content[:size]
		var out bytes.Buffer
		w := NewWriter(&out, key)
		for rest := plain; len(rest) > 0; {
			n := min(len(rest), rapid.OneOf(rapid.IntRange(1, 3*ChunkBytes), rapid.Just(ChunkBytes)).Draw(t, "write"))
			p := bytes.Clone(rest[:n])
			if m, err := w.Write(p); m != n || err != nil {
				t.Fatalf("wrote %d of %d: %v", m, n, err)
			}
			clear(p) // a writer must not keep what it was given
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if int64(out.Len()) != StoredSize(size) {
			t.Fatalf("%d bytes are stored as %d, want %d", size, out.Len(), StoredSize(size))
		}
		for range 3 {
			offset := min(size, rapid.OneOf(sizes, rapid.Int64Range(0, size)).Draw(t, "offset"))
			length := min(size-offset, rapid.OneOf(sizes, rapid.Int64Range(0, size-offset)).Draw(t, "length"))
			checkRange(t, out.Bytes(), key, plain, offset, length)
		}
		checkRange(t, out.Bytes(), key, plain, 0, size)
	})
}

func checkRange(t *rapid.T, b []byte, key DataKey, plain []byte, offset, length int64) {
	s := &stored{b: b}
	r, err := NewReader(s.openRange, key, int64(len(plain)), offset, length)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if rapid.Bool().Draw(t, "WriteTo") {
		// A few bytes by Read first, so that the two are mixed.
		_, err = io.CopyN(&got, struct{ io.Reader }{r}, min(length, 10))
		if err == nil {
			_, err = r.WriteTo(&got)
		}
	} else {
		_, err = io.Copy(&got, struct{ io.Reader }{r})
	}
	if err != nil || !bytes.Equal(got.Bytes(), plain[offset:offset+length]) {
		t.Fatalf("%d bytes from %d of %d: got %d bytes, %v", length, offset, len(plain), got.Len(), err)
	}
	if s.open != 0 {
		t.Fatal("a range is open after its last byte")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTouched checks which stored ranges are asked for: the chunks that are needed, and the header.
func TestTouched(t *testing.T) {
	const size = 3*ChunkBytes + 100
	key := NewDataKey()
	b := encrypt(t, key, randomBytes(1, size))
	tests := []struct {
		name           string
		offset, length int64
		want           []string
	}{
		{"all", 0, size, []string{"0+196804"}},
		{"the first byte", 0, 1, []string{"0+65584"}},
		{"the first chunk", 0, ChunkBytes, []string{"0+65584"}},
		{"a byte of the second", ChunkBytes, 1, []string{"0+32", "65584+65552"}},
		{"across a border", 2*ChunkBytes - 1, 2, []string{"0+32", "65584+131104"}},
		{"the last byte", size - 1, 1, []string{"0+32", "196688+116"}},
		{"nothing", 5, 0, nil},
		{"nothing at the end", size, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stored{b: b, oneByte: true}
			r, err := NewReader(s.openRange, key, size, tt.offset, tt.length)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); n != tt.length || err != nil {
				t.Errorf("read %d bytes: %v", n, err)
			}
			if !slices.Equal(s.asked, tt.want) || s.open != 0 {
				t.Errorf("asked for %v, want %v; %d open", s.asked, tt.want, s.open)
			}
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
				t.Errorf("a read after Close: %v", err)
			}
		})
	}
}

func TestBadRanges(t *testing.T) {
	key := NewDataKey()
	for _, r := range [][3]int64{
		{10, 0, 11},
		{10, 11, 0},
		{10, -1, 1},
		{10, 1, -1},
		{10, math.MaxInt64, math.MaxInt64},
		{10, 1, math.MaxInt64},
		{-1, 0, 0},
		{MaxBlobBytes + 1, 0, 1},
	} {
		if _, err := decrypt(nil, key, r[0], r[1], r[2]); !errors.Is(err, ErrRange) {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// TestUnauthenticated checks that a damaged chunk is noticed before any of it is returned, and after those before it.
func TestUnauthenticated(t *testing.T) {
	plain := randomBytes(1, 3*ChunkBytes)
	key := NewDataKey()
	b := encrypt(t, key, plain)
	b[headerBytes+2*sealedBytes-1] ^= 1 // the last byte of the second chunk's tag
	got, err := decrypt(b, key, int64(len(plain)), 0, int64(len(plain)))
	if !errors.Is(err, ErrCorrupt) || !bytes.Equal(got, plain[:ChunkBytes]) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	s := &stored{b: b}
	if _, err := NewReader(s.openRange, key, int64(len(plain)), ChunkBytes+5, 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a reader of the damaged chunk: %v", err)
	}
	if s.open != 0 {
		t.Error("a range is left open")
	}
}

func TestEveryByteIsAuthenticated(t *testing.T) {
	key := NewDataKey()
	for _, size := range []int{0, 1, 200} {
		b := encrypt(t, key, randomBytes(1, size))
		for i := range b {
			for bit := range 8 {
				b[i] ^= 1 << bit
				got, err := decrypt(b, key, int64(size), 0, int64(size))
				if !errors.Is(err, ErrCorrupt) || len(got) > 0 {
					t.Errorf("size %d, bit %d of byte %d: got %d bytes, %v", size, bit, i, len(got), err)
				}
				b[i] ^= 1 << bit
			}
		}
	}
}

func TestTampering(t *testing.T) {
	const size = 3*ChunkBytes + 100
	key := NewDataKey()
	good := encrypt(t, key, randomBytes(1, size))
	other := encrypt(t, key, randomBytes(2, size))
	chunk := func(b []byte, i int) []byte {
		return b[headerBytes+i*sealedBytes : min(len(b), headerBytes+(i+1)*sealedBytes)]
	}
	join := func(header []byte, chunks ...[]byte) []byte {
		return append(bytes.Clone(header[:headerBytes]), bytes.Join(chunks, nil)...)
	}
	c := [][]byte{chunk(good, 0), chunk(good, 1), chunk(good, 2), chunk(good, 3)}
	whole := encrypt(t, key, randomBytes(1, ChunkBytes)) // one chunk, which is the last
	tests := []struct {
		name string
		b    []byte
		size int64 // that metadata would have; -1 for what fits the stored size
	}{
		{"header only", good[:headerBytes], size},
		{"nothing", nil, size},
		{"half a header", good[:10], size},
		{"a byte less", good[:len(good)-1], size},
		{"a byte less, and metadata agrees", good[:len(good)-1], -1},
		{"the last chunk less", join(good, c[0], c[1], c[2]), size},
		{"the last chunk less, and metadata agrees", join(good, c[0], c[1], c[2]), -1},
		{"a chunk less in the middle", join(good, c[0], c[1], c[3]), -1},
		{"the first chunk less", join(good, c[1], c[2], c[3]), -1},
		{"a chunk more", join(good, c[0], c[1], c[2], c[0], c[3]), -1},
		{"a chunk after the last", join(whole, chunk(whole, 0), chunk(whole, 0)), -1},
		{"bytes after the last chunk", append(bytes.Clone(good), make([]byte, 50)...), -1},
		{"chunks exchanged", join(good, c[1], c[0], c[2], c[3]), size},
		{"a chunk twice", join(good, c[0], c[0], c[2], c[3]), size},
		{"the last chunk of another blob", join(good, c[0], c[1], c[2], chunk(other, 3)), size},
		{"a chunk of another blob", join(good, c[0], chunk(other, 1), c[2], c[3]), size},
		{"the header of another blob", join(other, c...), size},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.size < 0 {
				plain, ok := PlainSize(int64(len(tt.b)))
				if !ok {
					t.Fatal("no blob has this size: the test is wrong")
				}
				tt.size = plain
			}
			if got, err := decrypt(tt.b, key, tt.size, 0, tt.size); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
	if _, err := decrypt(good, key, size, 0, size); err != nil {
		t.Error(err)
	}
	if _, err := decrypt(good, NewDataKey(), size, 0, size); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another key: %v", err)
	}
}

// TestSaltIsRandom checks that no two blobs of an object share a key.
func TestSaltIsRandom(t *testing.T) {
	key := NewDataKey()
	a, b := encrypt(t, key, make([]byte, 100)), encrypt(t, key, make([]byte, 100))
	if bytes.Equal(a[:headerBytes], b[:headerBytes]) || bytes.Equal(a[headerBytes:], b[headerBytes:]) {
		t.Error("two blobs are the same")
	}
}
