package packs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// readers give the same bytes in different pieces, with io.EOF behind the last or beside it.
var readers = map[string]func([]byte) io.Reader{
	"at once":          func(p []byte) io.Reader { return bytes.NewReader(p) },
	"byte by byte":     func(p []byte) io.Reader { return iotest.OneByteReader(bytes.NewReader(p)) },
	"in halves":        func(p []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(p)) },
	"with EOF at once": func(p []byte) io.Reader { return iotest.DataErrReader(bytes.NewReader(p)) },
}

// TestReadFrom reads blobs of sizes around the buffers' and the threshold, announced as they are, as smaller and as
// larger.
func TestReadFrom(t *testing.T) {
	const threshold = 20_000
	s := openIn(t, t.TempDir(), Options{Threshold: threshold}, diskFileSystem{})
	defer mustClose(t, s)
	sizes := []int{0, 1, 1023, 1024, 1025, 4096, 4100, 4101, threshold - 1, threshold, threshold + 1, 300_000}
	for name, reader := range readers {
		for _, size := range sizes {
			for _, announced := range []int{size, 0, size / 2, size + 1, threshold, threshold + 1, -1} {
				t.Run(fmt.Sprintf("%s/%d announced as %d", name, size, announced), func(t *testing.T) {
					content := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
					w, err := s.Create(background, int64(announced))
					if err != nil {
						t.Fatal(err)
					}
					n, err := w.(io.ReaderFrom).ReadFrom(reader(content))
					if err != nil || n != int64(size) {
						t.Fatalf("read %d bytes, error %v", n, err)
					}
					if err := w.Commit(); err != nil {
						t.Fatal(err)
					}
					ref := blob.Ref{ID: w.ID(), Size: int64(size), Place: w.Place()}
					if packed := isPacked(ref.ID); packed != (size <= threshold && announced >= 0 && announced <= threshold) {
						t.Errorf("in a pack: %v", packed)
					}
					if err := s.Sync(background, []blob.Ref{ref}); err != nil {
						t.Fatal(err)
					}
					wantContent(t, s, ref, content)
				})
			}
		}
	}
}

func TestReadFromAReaderThatFails(t *testing.T) {
	s := openIn(t, t.TempDir(), Options{Threshold: 20_000}, diskFileSystem{})
	defer mustClose(t, s)
	failure := errors.New("halfway")
	for _, size := range []int{0, 1000, 20_001, 300_000} {
		t.Run(fmt.Sprintf("after %d bytes", size), func(t *testing.T) {
			w, err := s.Create(background, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			into := w.(io.ReaderFrom)
			_, err = into.ReadFrom(io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(failure)))
			if !errors.Is(err, failure) {
				t.Errorf("error %v", err)
			}
			if _, err := into.ReadFrom(bytes.NewReader([]byte("more"))); !errors.Is(err, failure) {
				t.Errorf("reading on: error %v", err)
			}
			if err := w.Commit(); !errors.Is(err, failure) {
				t.Errorf("a blob that lacks its end was committed: %v", err)
			}
			if _, err := into.ReadFrom(bytes.NewReader(nil)); err == nil {
				t.Error("a blob that has ended takes more")
			}
		})
	}
	if found, damaged := walk(t, s); len(found)+len(damaged) != 0 {
		t.Errorf("left behind: %v, %v", found, damaged)
	}
}
