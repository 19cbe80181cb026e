package encryption

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

var errBroken = errors.New("broken")

// brokenWriter takes some writes, and fails then.
type brokenWriter struct {
	writes int
	short  bool // take a part of the write that fails, and say nothing
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	w.writes--
	switch {
	case w.writes >= 0:
		return len(p), nil
	case w.short:
		return len(p) - 1, nil
	}
	return 0, errBroken
}

func TestWriterFails(t *testing.T) {
	tests := []struct {
		name  string
		w     brokenWriter
		wrote int // of four chunks
		want  error
	}{
		{"at once", brokenWriter{writes: 0}, 0, errBroken},
		{"in the middle", brokenWriter{writes: 2}, 2 * ChunkBytes, errBroken},
		{"short", brokenWriter{writes: 1, short: true}, ChunkBytes, io.ErrShortWrite},
		{"at the end", brokenWriter{writes: 3}, 4 * ChunkBytes, errBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := NewWriter(&tt.w, NewDataKey())
			n, err := w.Write(make([]byte, 4*ChunkBytes))
			if n != tt.wrote || n < 4*ChunkBytes && !errors.Is(err, tt.want) {
				t.Errorf("wrote %d, %v", n, err)
			}
			left := tt.w.writes
			for range 2 {
				if err := w.Close(); !errors.Is(err, tt.want) {
					t.Errorf("Close: %v", err)
				}
			}
			if n < 4*ChunkBytes && tt.w.writes != left {
				t.Error("it was written to after it failed")
			}
			if _, err := w.Write([]byte{1}); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Write after Close: %v", err)
			}
		})
	}
}

func TestWriterTooLarge(t *testing.T) {
	w := NewWriter(io.Discard, NewDataKey())
	w.index = maxBlobChunks - 1
	if n, err := w.Write(make([]byte, ChunkBytes)); n != ChunkBytes || err != nil {
		t.Errorf("the last chunk: %d, %v", n, err)
	}
	if _, err := w.Write([]byte{1}); err != nil { // seals the chunk before, and opens one that is too many
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte too many: %v", err)
	}
}

// brokenRange fails after some bytes, when it is opened or read.
type brokenRange struct{ io.Reader }

func (brokenRange) Close() error { return nil }

func TestReaderFails(t *testing.T) {
	key := NewDataKey()
	plain := randomBytes(1, 2*ChunkBytes)
	b := encrypt(t, key, plain)
	for _, after := range []int{0, 10, headerBytes, headerBytes + 5, headerBytes + sealedBytes, len(b) - 1} {
		r, err := NewReader(func(_, _ int64) (io.ReadCloser, error) {
			return brokenRange{io.MultiReader(bytes.NewReader(b[:after]), errReader{})}, nil
		}, key, int64(len(plain)), 0, int64(len(plain)))
		if err == nil {
			var got []byte
			got, err = io.ReadAll(r)
			if !bytes.Equal(got, plain[:ChunkBytes]) {
				t.Errorf("after %d bytes: got %d", after, len(got))
			}
			if _, again := r.Read(make([]byte, 1)); !errors.Is(again, errBroken) {
				t.Errorf("after %d bytes, once more: %v", after, again)
			}
			r.Close()
		}
		if !errors.Is(err, errBroken) || errors.Is(err, ErrCorrupt) {
			t.Errorf("after %d bytes: %v", after, err)
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }

func TestOpenFails(t *testing.T) {
	key := NewDataKey()
	s := &stored{b: encrypt(t, key, make([]byte, 2*ChunkBytes))}
	for _, opens := range []int{0, 1} {
		left := opens
		_, err := NewReader(func(offset, length int64) (io.ReadCloser, error) {
			left--
			if left < 0 {
				return nil, errBroken
			}
			return s.openRange(offset, length)
		}, key, 2*ChunkBytes, ChunkBytes, 1)
		if !errors.Is(err, errBroken) || s.open != 0 {
			t.Errorf("after %d opens: %v, %d open", opens, err, s.open)
		}
	}
}

func TestWriteToFails(t *testing.T) {
	key := NewDataKey()
	b := encrypt(t, key, make([]byte, 2*ChunkBytes))
	for _, w := range []*brokenWriter{{writes: 1}, {writes: 1, short: true}} {
		r, err := NewReader((&stored{b: b}).openRange, key, 2*ChunkBytes, 0, 2*ChunkBytes)
		if err != nil {
			t.Fatal(err)
		}
		want, wrote := errBroken, int64(ChunkBytes)
		if w.short {
			want, wrote = io.ErrShortWrite, 2*ChunkBytes-1
		}
		if n, err := r.WriteTo(w); n != wrote || !errors.Is(err, want) {
			t.Errorf("wrote %d, %v", n, err)
		}
		r.Close()
	}
}
