package encryption

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func FuzzUnmarshalEnvelope(f *testing.F) {
	known := map[string]bool{}
	for _, s := range []string{vectorS3, vectorKMS, vectorCustomer} {
		f.Add(unhex(f, s))
		known[string(unhex(f, s))] = true
	}
	f.Add([]byte{})
	k := mustParse(f, keyLine(DefaultKeyName, 0x20))
	c := customerKey(0x40)
	d := vectorDataKey()
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := UnmarshalEnvelope(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || e != (Envelope{}) {
				t.Fatalf("%x: %+v, %v", b, e, err)
			}
			return
		}
		if again := e.Marshal(); !bytes.Equal(again, b) {
			t.Fatalf("%x is marshaled as %x", b, again)
		}
		for _, unwrap := range []func(Envelope) (DataKey, error){k.Unwrap, c.Unwrap} {
			if got, err := unwrap(e); err == nil && (!known[string(b)] || !sameKey(got, d)) {
				t.Fatalf("%x unwraps", b)
			}
		}
	})
}

func FuzzParseKeyring(f *testing.F) {
	f.Add(keyLine(DefaultKeyName, 1))
	f.Add("# comment\n" + keyLine("photos", 2) + "\r\n" + keyLine(DefaultKeyName, 1))
	f.Add(strings.ReplaceAll(keyLine(DefaultKeyName, 1)+keyLine(DefaultKeyName, 3), "\n", ","))
	f.Add("default\n")
	d := NewDataKey()
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeyring(text)
		if err != nil {
			if !errors.Is(err, ErrKeyring) || k != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for _, field := range strings.Fields(text) {
				if len(field) >= 40 && strings.Contains(err.Error(), field) {
					t.Fatalf("%q: a key may be in %q", text, err)
				}
			}
			return
		}
		if got, err := k.Unwrap(k.WrapS3(d)); err != nil || !sameKey(got, d) {
			t.Fatalf("%q: %v", text, err)
		}
		for name := range k.newest {
			e, err := k.WrapKMS(name, d)
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			if again, err := UnmarshalEnvelope(e.Marshal()); err != nil || again != e {
				t.Fatalf("%q: %v", name, err)
			}
		}
	})
}

// FuzzReader puts arbitrary bytes over a blob, anywhere, and cuts it off: whatever is read before an error is what was
// written.
func FuzzReader(f *testing.F) {
	const size = ChunkBytes + 300
	key := vectorDataKey()
	plain := randomBytes(1, size)
	var out bytes.Buffer
	w := newWriter(&out, key, [blobSaltBytes]byte{})
	if _, err := w.Write(plain); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	good := out.Bytes()
	f.Add([]byte{}, uint32(0), uint32(len(good)), int64(size), int64(0), int64(size))
	f.Add([]byte("plE\x02"), uint32(0), uint32(len(good)), int64(size), int64(0), int64(1))
	f.Add(good[headerBytes+sealedBytes:], uint32(headerBytes), uint32(len(good)), int64(300), int64(0), int64(300))
	f.Add([]byte{}, uint32(0), uint32(headerBytes+sealedBytes), int64(ChunkBytes), int64(5), int64(100))
	f.Add([]byte{1}, uint32(len(good)-1), uint32(len(good)), int64(size), int64(ChunkBytes), int64(300))
	f.Fuzz(func(t *testing.T, patch []byte, at, length uint32, claimed, offset, count int64) {
		b := bytes.Clone(good)
		copy(b[min(int(at), len(b)):], patch)
		b = b[:min(int(length), len(b))]
		s := &stored{b: b}
		r, err := NewReader(s.openRange, key, claimed, offset, count)
		if err == nil {
			var got []byte
			got, err = io.ReadAll(r)
			end := offset + int64(len(got))
			if len(got) > 0 && (end > size || !bytes.Equal(got, plain[offset:end])) {
				t.Fatalf("%d bytes that nobody wrote", len(got))
			}
			if err == nil && int64(len(got)) != count {
				t.Fatalf("%d bytes of %d, and no error", len(got), count)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrRange) {
			t.Fatal(err)
		}
		if s.open != 0 {
			t.Fatal("a range is left open")
		}
	})
}
