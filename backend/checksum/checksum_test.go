package checksum

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sum(a Algorithm, data []byte) []byte {
	h := New(a)
	h.Write(data)
	return h.Sum(nil)
}

func TestKnownVectors(t *testing.T) {
	// The check values over "123456789" are those of the CRC catalogue (CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME);
	// "sOO8/Q==" is the CRC32C of AWS's example of a trailing checksum.
	tests := []struct {
		name string
		alg  Algorithm
		data string
		hex  string
	}{
		{"crc32", CRC32, "123456789", "cbf43926"},
		{"crc32 of nothing", CRC32, "", "00000000"},
		{"crc32c", CRC32C, "123456789", "e3069283"},
		{"crc32c of the AWS example", CRC32C, strings.Repeat("a", 66560), "b0e3bcfd"},
		{"crc64nvme", CRC64NVME, "123456789", "ae8b14860a799888"},
		{"crc64nvme of nothing", CRC64NVME, "", "0000000000000000"},
		{"sha1", SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha256", SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"sha512", SHA512, "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{"md5", MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"xxhash64 of nothing", XXHASH64, "", "ef46db3751d8e999"},
		{"xxhash64", XXHASH64, "abc", "44bc2cf5ad770999"},
		{"xxhash3 of nothing", XXHASH3, "", "2d06800538d394c2"},
		{"xxhash3", XXHASH3, "abc", "78af5f94892f3950"},
		{"xxhash128 of nothing", XXHASH128, "", "99aa06d3014798d86001c324468d497f"},
		{"xxhash128", XXHASH128, "abc", "06b05ab6733a618578af5f94892f3950"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := sum(tt.alg, []byte(tt.data))
			if hex.EncodeToString(got) != tt.hex {
				t.Errorf("got %x, want %s", got, tt.hex)
			}
			if len(got) != tt.alg.Size() {
				t.Errorf("Size() is %d, the digest has %d bytes", tt.alg.Size(), len(got))
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, a := range Algorithms() {
		for _, s := range []string{a.String(), strings.ToLower(a.String())} {
			if got, ok := ParseAlgorithm(s); !ok || got != a {
				t.Errorf("ParseAlgorithm(%q) = %v, %v", s, got, ok)
			}
		}
		if want := "x-amz-checksum-" + strings.ToLower(a.String()); a.Header() != want {
			t.Errorf("Header() = %q, want %q", a.Header(), want)
		}
		for _, s := range []string{a.Header(), strings.ToUpper(a.Header())} {
			if got, ok := FromHeader(s); !ok || got != a {
				t.Errorf("FromHeader(%q) = %v, %v", s, got, ok)
			}
		}
	}
	for _, s := range []string{"", "MD4", "CRC", "XXHASH", "CRC32 ", "crc64", "\u212arc32"} {
		if got, ok := ParseAlgorithm(s); ok {
			t.Errorf("ParseAlgorithm(%q) = %v", s, got)
		}
		if got, ok := FromHeader("x-amz-checksum-" + s); ok {
			t.Errorf("FromHeader of %q = %v", s, got)
		}
	}
	for _, s := range []string{"x-amz-checksum-mode", "x-amz-checksum-type", "x-amz-checksum-algorithm", "crc32"} {
		if got, ok := FromHeader(s); ok {
			t.Errorf("FromHeader(%q) = %v", s, got)
		}
	}
	for _, ty := range []Type{FullObject, Composite} {
		if got, ok := ParseType(strings.ToLower(ty.String())); !ok || got != ty {
			t.Errorf("ParseType(%q) = %v, %v", ty, got, ok)
		}
	}
	if _, ok := ParseType("FULL"); ok {
		t.Error("ParseType took FULL")
	}
	if None.String() != "" || None.Header() != "" || None.Size() != 0 || Algorithm(99).Size() != 0 ||
		Algorithm(99).Header() != "" || Algorithm(99).String() != "Algorithm(99)" || Type(7).String() != "Type(7)" {
		t.Error("None or unknown numbers have a name")
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name string
		alg  Algorithm
		in   string
		hex  string // "" for an error
	}{
		{"crc32c", CRC32C, "sOO8/Q==", "b0e3bcfd"},
		{"crc64nvme", CRC64NVME, "rosUhgp5mIg=", "ae8b14860a799888"},
		{"no padding", CRC32C, "sOO8/Q", ""},
		{"stray bits", CRC32C, "sOO8/R==", ""},
		{"url alphabet", CRC32C, "sOO8_Q==", ""},
		{"too long", CRC32C, "sOO8/QA=", ""},
		{"too short", CRC32C, "sOO8", ""},
		{"a line break in the right length", CRC32C, "sOO8\n/Q=", ""},
		{"line breaks for data", CRC32C, "sOO8\r\n\r\n", ""},
		{"another algorithm's", CRC64NVME, "sOO8/Q==", ""},
		{"empty", SHA256, "", ""},
		{"none", None, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.alg.Decode(tt.in)
			if tt.hex == "" {
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("got %x, %v; want ErrInvalid", got, err)
				}
				return
			}
			if err != nil || hex.EncodeToString(got) != tt.hex {
				t.Errorf("got %x, %v; want %s", got, err, tt.hex)
			}
		})
	}
}

func TestChecksumString(t *testing.T) {
	v := []byte{0xb0, 0xe3, 0xbc, 0xfd}
	tests := []struct {
		c    Checksum
		want string
	}{
		{Checksum{Algorithm: CRC32C, Type: FullObject, Value: v}, "sOO8/Q=="},
		{Checksum{Algorithm: CRC32C, Type: Composite, Value: v, Parts: 12}, "sOO8/Q==-12"},
		{Checksum{Algorithm: CRC32C, Type: Composite, Value: v}, "sOO8/Q=="},
		{Checksum{Algorithm: CRC32C, Type: FullObject, Value: v, Parts: 12}, "sOO8/Q=="},
	}
	for _, tt := range tests {
		if got := tt.c.String(); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.c, got, tt.want)
		}
	}
}

func TestMultipartRules(t *testing.T) {
	tests := []struct {
		alg             Algorithm
		full, composite bool
		def             Type
	}{
		{CRC32, true, true, Composite},
		{CRC32C, true, true, Composite},
		{CRC64NVME, true, false, FullObject},
		{SHA1, false, true, Composite},
		{SHA256, false, true, Composite},
		{SHA512, false, true, Composite},
		{MD5, false, true, Composite},
		{XXHASH64, false, true, Composite},
		{XXHASH3, false, true, Composite},
		{XXHASH128, false, true, Composite},
		{None, false, false, Composite},
	}
	for _, tt := range tests {
		if Supports(tt.alg, FullObject) != tt.full || Supports(tt.alg, Composite) != tt.composite {
			t.Errorf("%v: wrong support", tt.alg)
		}
		if Supports(tt.alg, Type(9)) {
			t.Errorf("%v: supports an unknown type", tt.alg)
		}
		if DefaultType(tt.alg) != tt.def {
			t.Errorf("%v: default %v", tt.alg, DefaultType(tt.alg))
		}
	}
}

func TestCompositeOf(t *testing.T) {
	a, b := sum(SHA256, []byte("a")), sum(SHA256, []byte("b"))
	want := sum(SHA256, append(bytes.Clone(a), b...))
	if got := CompositeOf(SHA256, [][]byte{a, b}); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestCombineErrors(t *testing.T) {
	good := []PartSum{{Value: make([]byte, 4), Size: 1}}
	for _, a := range []Algorithm{SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128, None, 99} {
		if _, err := Combine(a, good); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v: %v, want ErrUnsupported", a, err)
		}
	}
	for _, p := range []PartSum{{Value: make([]byte, 8), Size: 1}, {Value: make([]byte, 4), Size: -1}, {}} {
		if _, err := Combine(CRC32, append(good, p)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", p, err)
		}
	}
	for _, a := range []Algorithm{CRC32, CRC32C, CRC64NVME} {
		if got, err := Combine(a, nil); err != nil || !bytes.Equal(got, sum(a, nil)) {
			t.Errorf("%v of no parts: %x, %v", a, got, err)
		}
	}
}

func TestCombineEqualsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom([]Algorithm{CRC32, CRC32C, CRC64NVME}).Draw(t, "algorithm")
		chunks := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 12).Draw(t, "parts")
		var whole []byte
		var parts []PartSum
		for _, c := range chunks {
			whole = append(whole, c...)
			parts = append(parts, PartSum{Value: sum(a, c), Size: int64(len(c))})
		}
		got, err := Combine(a, parts)
		if err != nil || !bytes.Equal(got, sum(a, whole)) {
			t.Fatalf("%v: %x, %v; want %x", a, got, err, sum(a, whole))
		}
	})
}

// TestCombineLarge checks sizes that no test can hash: n zero bytes behind a message, taken in one step and in two.
func TestCombineLarge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom([]Algorithm{CRC32, CRC32C, CRC64NVME}).Draw(t, "algorithm")
		n := rapid.Int64Range(0, 1<<62-1).Draw(t, "n")
		m := rapid.Int64Range(0, 1<<62-1).Draw(t, "m")
		zero := make([]byte, a.Size())
		first := PartSum{Value: sum(a, []byte("first")), Size: 5}
		one, err1 := Combine(a, []PartSum{first, {zero, n + m}})
		two, err2 := Combine(a, []PartSum{first, {zero, n}, {zero, m}})
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Fatalf("%x, %v; %x, %v", one, err1, two, err2)
		}
	})
}

func TestDecodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(Algorithms()).Draw(t, "algorithm")
		v := rapid.SliceOfN(rapid.Byte(), a.Size(), a.Size()).Draw(t, "value")
		s := Checksum{Algorithm: a, Value: v}.String()
		if got, err := a.Decode(s); err != nil || !bytes.Equal(got, v) {
			t.Fatalf("%x, %v; want %x", got, err, v)
		}
		if base64.StdEncoding.EncodeToString(v) != s {
			t.Fatal(s)
		}
	})
}

func TestNewPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New(None) did not panic")
		}
	}()
	New(None)
}

func BenchmarkCombine(b *testing.B) {
	for _, a := range []Algorithm{CRC32, CRC64NVME} {
		parts := make([]PartSum, 10_000)
		for i := range parts {
			parts[i] = PartSum{Value: sum(a, []byte{byte(i)}), Size: 5<<30 - int64(i)}
		}
		b.Run(a.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := Combine(a, parts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
