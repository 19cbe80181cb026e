package awschunked_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/plimsoll/plimsoll/s3api/awschunked"
	"github.com/plimsoll/plimsoll/s3api/awschunked/awschunkedtest"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

const (
	plainSeed   = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	trailerSeed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	crc32c      = "x-amz-checksum-crc32c"
	sum         = "sOO8/Q=="
	ok          = "ok"
)

var testTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

// config is that of AWS's examples.
func config(signed bool, length int64, seed string, trailers ...string) awschunked.Config {
	return awschunked.Config{
		Signed:        signed,
		Trailer:       len(trailers) > 0,
		SeedSignature: seed,
		SigningKey:    sigv4.DeriveKey("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1"),
		Scope:         "20130524/us-east-1/s3/aws4_request",
		Time:          testTime,
		DecodedLength: length,
		TrailerNames:  trailers,
	}
}

// options are those to encode what the config decodes.
func options(c awschunked.Config, chunkBytes int, ending awschunkedtest.Ending) awschunkedtest.Options {
	o := awschunkedtest.Options{
		Signed: c.Signed, SeedSignature: c.SeedSignature, SigningKey: c.SigningKey, Scope: c.Scope, Time: c.Time,
		ChunkBytes: chunkBytes, Ending: ending,
	}
	for _, name := range c.TrailerNames {
		o.Trailers = append(o.Trailers, awschunkedtest.Trailer{Name: name, Value: "value of " + name})
	}
	return o
}

// example puts together the body of AWS's examples: 66,560 times "a" in chunks of 64 KiB and 1 KiB.
func example(signatures [3]string, rest string) string {
	return "10000;chunk-signature=" + signatures[0] + "\r\n" + strings.Repeat("a", 65536) + "\r\n" +
		"400;chunk-signature=" + signatures[1] + "\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=" + signatures[2] + "\r\n" + rest
}

// The examples of sigv4-streaming.html and sigv4-streaming-trailers.html.
var (
	plainExample = example([3]string{
		"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	}, "\r\n")
	trailerExample = example([3]string{
		"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
		"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
		"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
	}, crc32c+":"+sum+"\r\n"+trailerSignature+"\r\n")
	trailerSignature = "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
)

func TestAWSExamples(t *testing.T) {
	data := strings.Repeat("a", 66560)
	wrappers := map[string]func(io.Reader) io.Reader{
		"whole":          func(r io.Reader) io.Reader { return r },
		"byte by byte":   iotest.OneByteReader,
		"half by half":   iotest.HalfReader,
		"data with EOF":  iotest.DataErrReader,
		"unbuffered end": func(r io.Reader) io.Reader { return io.MultiReader(r, strings.NewReader("")) },
	}
	for name, wrap := range wrappers {
		t.Run("plain, "+name, func(t *testing.T) {
			r := awschunked.New(wrap(strings.NewReader(plainExample)), config(true, 66560, plainSeed))
			if got, err := io.ReadAll(r); err != nil || string(got) != data {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
		t.Run("trailer, "+name, func(t *testing.T) {
			r := awschunked.New(wrap(strings.NewReader(trailerExample)), config(true, 66560, trailerSeed, crc32c))
			if got, err := io.ReadAll(r); err != nil || string(got) != data {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if v, ok := r.Trailer(crc32c); !ok || v != sum {
				t.Errorf("trailer %q, %v", v, ok)
			}
			if _, ok := r.Trailer("x-amz-trailer-signature"); ok {
				t.Error("the signature is a trailer")
			}
		})
	}
}

// TestEncoderMakesTheExamples holds the tests' encoder to AWS's words as well.
func TestEncoderMakesTheExamples(t *testing.T) {
	data := bytes.Repeat([]byte("a"), 66560)
	o := options(config(true, 66560, plainSeed), 0, awschunkedtest.SDK)
	if got := awschunkedtest.Encode(data, o); string(got) != plainExample {
		t.Errorf("plain: ...%q", got[len(got)-300:])
	}
	o = options(config(true, 66560, trailerSeed), 0, awschunkedtest.Bare)
	o.Trailers = []awschunkedtest.Trailer{{Name: crc32c, Value: sum}}
	if got := awschunkedtest.Encode(data, o); string(got) != trailerExample {
		t.Errorf("trailer: ...%q", got[len(got)-300:])
	}
}

var sentinels = map[string]error{
	"malformed":  awschunked.ErrMalformed,
	"incomplete": awschunked.ErrIncomplete,
	"too long":   awschunked.ErrTooLong,
	"signature":  awschunked.ErrSignature,
	"trailer":    awschunked.ErrTrailer,
	"too small":  awschunked.ErrChunkTooSmall,
}

// check reads a body in two ways and wants "ok" or the sentinel of that name.
func check(t *testing.T, body string, cfg awschunked.Config, want string) {
	t.Helper()
	r := awschunked.New(strings.NewReader(body), cfg)
	_, err := io.ReadAll(r)
	if want == ok && err != nil || want != ok && !errors.Is(err, sentinels[want]) {
		t.Fatalf("got %v, want %s", err, want)
	}
	if want != ok {
		if _, again := r.Read(make([]byte, 1)); !errors.Is(again, err) {
			t.Errorf("the error does not stick: %v", again)
		}
		if _, ok := r.Trailer(crc32c); ok {
			t.Error("there are trailers after an error")
		}
	}
	// A caller that knows the length and reads no further has the same verdict.
	if cfg.DecodedLength > 0 {
		p := make([]byte, cfg.DecodedLength)
		if _, err := io.ReadFull(awschunked.New(strings.NewReader(body), cfg), p); (err == nil) != (want == ok) {
			t.Errorf("io.ReadFull of the decoded length: %v", err)
		}
	}
}

func TestUnsignedFraming(t *testing.T) {
	plain := config(false, 5, "")
	unknown := config(false, -1, "")
	full := strings.Repeat("x", awschunked.MinChunkBytes)
	more := config(false, awschunked.MinChunkBytes+3, "")
	tests := []struct {
		name, body string
		cfg        awschunked.Config
		want       string
	}{
		{"one chunk", "5\r\nhello\r\n0\r\n\r\n", plain, ok},
		{"two chunks", "2000\r\n" + full + "\r\n3\r\nllo\r\n0\r\n\r\n", more, ok},
		{"a small chunk and another", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", plain, "too small"},
		{"no empty line at the end", "5\r\nhello\r\n0\r\n", plain, ok},
		{"a signature nobody needs", "5;chunk-signature=" + plainSeed + "\r\nhello\r\n0\r\n\r\n", plain, ok},
		{"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", plain, ok},
		{"unknown length", "5\r\nhello\r\n0\r\n\r\n", unknown, ok},
		{"nothing", "0\r\n\r\n", config(false, 0, ""), ok},
		{"nothing of unknown length", "0\r\n\r\n", unknown, ok},
		{"no body", "", plain, "incomplete"},
		{"no body for nothing", "", config(false, 0, ""), "incomplete"},
		{"no last chunk", "5\r\nhello\r\n", plain, "incomplete"},
		{"no last chunk of unknown length", "5\r\nhello\r\n", unknown, "incomplete"},
		{"cut in the data", "5\r\nhel", plain, "incomplete"},
		{"cut behind the data", "5\r\nhello", plain, "incomplete"},
		{"cut in the end of the data", "5\r\nhello\r", plain, "incomplete"},
		{"cut in the header", "5", plain, "incomplete"},
		{"cut in the last header", "5\r\nhello\r\n0\r", plain, "incomplete"},
		{"cut in the end", "5\r\nhello\r\n0\r\n\r", plain, "incomplete"},
		{"less than declared", "4\r\nhell\r\n0\r\n\r\n", plain, "incomplete"},
		{"more than declared", "6\r\nhello!\r\n0\r\n\r\n", plain, "too long"},
		{"more than declared, and not even that", "6\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"more than declared, and cut", "6\r\nhello", plain, "incomplete"},
		{"more than declared in two", "2000\r\n" + full + "\r\n4\r\nllo!\r\n0\r\n\r\n", more, "too long"},
		{"huge", "7fffffffffffffff\r\nhello", plain, "too long"},
		{"huge after some", "2000\r\n" + full + "\r\n7fffffffffffffff\r\n", unknown, "too long"},
		{"huge and cut", "7fffffffffffffff\r\nhello", unknown, "incomplete"},
		{"over 63 bits", "8000000000000000\r\nhello", unknown, "malformed"},
		{"over 64 bits", "10000000000000005\r\nhello", unknown, "malformed"},
		{"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"negative", "-5\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"plus", "+5\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"prefix", "0x5\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"underscore", "0_5\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"blank", "5 \r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"no digits", "\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"LF only", "5\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"LF behind the data", "5\r\nhello\n0\r\n\r\n", plain, "malformed"},
		{"longer data than the header says", "4\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"another extension", "5;a=b\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"an empty extension", "5;\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"a short signature", "5;chunk-signature=" + plainSeed[1:] + "\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"a signature of no hex", "5;chunk-signature=" + plainSeed[1:] + "g\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"a long header", strings.Repeat("0", 1100) + "5\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"a header without end", strings.Repeat("0", 9000), plain, "malformed"},
		{"another body", "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", plain, "malformed"},
		{"a chunk behind the last", "5\r\nhello\r\n0\r\n5\r\nhello\r\n0\r\n\r\n", plain, "malformed"},
		{"many empty lines", "5\r\nhello\r\n0\r\n\r\n\r\n\r\n\r\n", plain, "malformed"},
		{"a trailer that nobody expects", "5\r\nhello\r\n0\r\na:b\r\n\r\n", plain, "malformed"},
		{"a long line at the end", "5\r\nhello\r\n0\r\n" + strings.Repeat("x", 20000), plain, "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.body, tt.cfg, tt.want) })
	}
}

func TestUnsignedTrailers(t *testing.T) {
	one, two := config(false, 5, "", crc32c), config(false, 5, "", crc32c, "x-b")
	line := crc32c + ":" + sum
	tests := []struct {
		name, rest string
		cfg        awschunked.Config
		want       string
	}{
		{"as botocore", line + "\r\n\r\n", one, ok},
		{"as minio-go", line + "\n\r\n\r\n", one, ok},
		{"LF and one empty line", line + "\n\r\n", one, ok},
		{"bare", line + "\r\n", one, ok},
		{"blanks and case", "X-Amz-Checksum-CRC32C : \t" + sum + " \r\n\r\n", one, ok},
		{"two", line + "\r\nx-b:1\r\n\r\n", two, ok},
		{"two, the other way round", "x-b:1\r\n" + line + "\r\n\r\n", two, ok},
		{"missing", "\r\n", one, "trailer"},
		{"one of two missing", line + "\r\n\r\n", two, "trailer"},
		{"not announced", line + "\r\nx-b:1\r\n\r\n", one, "trailer"},
		{"repeated", line + "\r\n" + line + "\r\n\r\n", one, "trailer"},
		{"no colon", crc32c + "\r\n\r\n", one, "trailer"},
		{"no name", ":" + sum + "\r\n\r\n", one, "trailer"},
		{"signed for nobody", line + "\r\n" + trailerSignature + "\r\n\r\n", one, "trailer"},
		{"cut", line, one, "incomplete"},
		{"behind an empty line", line + "\r\n\r\nx-b:1\r\n\r\n", two, "malformed"},
		{"more behind the end", line + "\r\n\r\nmore:1", one, "incomplete"},
		{"a line behind the end", line + "\r\n\r\nmore\r\n", one, "trailer"},
		{"cut before them", "", one, "incomplete"},
		{"too long", crc32c + ":" + strings.Repeat("x", 5000) + "\r\n\r\n", one, "trailer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, "5\r\nhello\r\n0\r\n"+tt.rest, tt.cfg, tt.want) })
	}

	t.Run("too many bytes", func(t *testing.T) {
		var names []string
		rest := ""
		for i := range 8 {
			names = append(names, "x-"+string(rune('a'+i)))
			rest += names[i] + ":" + strings.Repeat("v", 3000) + "\r\n"
		}
		check(t, "5\r\nhello\r\n0\r\n"+rest+"\r\n", config(false, 5, "", names...), "trailer")
	})
	t.Run("too many", func(t *testing.T) {
		var names []string
		rest := ""
		for i := range 40 {
			names = append(names, "x-"+string(rune('A'+i+32)))
			rest += names[i] + ":1\r\n"
		}
		check(t, "5\r\nhello\r\n0\r\n"+rest+"\r\n", config(false, 5, "", names...), "trailer")
	})
}

func TestSignedBodies(t *testing.T) {
	plain, trailer := config(true, 66560, plainSeed), config(true, 66560, trailerSeed, crc32c)
	edit := func(body, from, to string) string {
		if !strings.Contains(body, from) {
			t.Fatalf("no %q in the body", from)
		}
		return strings.Replace(body, from, to, 1)
	}
	other := plain
	other.SigningKey = []byte("other")
	two := trailer
	two.TrailerNames = []string{crc32c, "x-b"}
	lastChunk := plainExample[strings.Index(plainExample, "0;chunk-signature=b6"):]
	later := plain
	later.Time = testTime.Add(time.Second)
	scope := plain
	scope.Scope = strings.Replace(scope.Scope, "us-east-1", "eu-west-1", 1)
	tests := []struct {
		name, body string
		cfg        awschunked.Config
		want       string
	}{
		{"upper case", edit(plainExample, "ad80c730", "AD80C730"), plain, ok},
		{"trailer as minio-go", edit(trailerExample, "==\r\n", "==\n\r\n") + "\r\n", trailer, ok},
		{"trailer with an end", trailerExample + "\r\n", trailer, ok},
		{"another key", plainExample, other, "signature"},
		{"another time", plainExample, later, "signature"},
		{"another scope", plainExample, scope, "signature"},
		{"another seed", plainExample, config(true, 66560, trailerSeed), "signature"},
		{"a changed byte in the first chunk", edit(plainExample, "aa\r\n400;", "ab\r\n400;"), plain, "signature"},
		{"a changed byte in the second chunk", edit(plainExample, "aa\r\n0;", "ab\r\n0;"), plain, "signature"},
		{"a changed signature of the last chunk", edit(plainExample, "b6c6ea", "b6c6eb"), plain, "signature"},
		{"no signature", edit(plainExample, lastChunk, "0\r\n\r\n"), plain, "malformed"},
		{"cut before the last chunk", strings.TrimSuffix(plainExample, lastChunk), plain, "incomplete"},
		{"a changed trailer", edit(trailerExample, sum, "AAAAAA=="), trailer, "signature"},
		{"a changed trailer signature", edit(trailerExample, "d81f", "d82f"), trailer, "signature"},
		{"no trailer signature", edit(trailerExample, trailerSignature+"\r\n", ""), trailer, "malformed"},
		{"a short trailer signature", edit(trailerExample, "d81f", "d81"), trailer, "malformed"},
		{"an unknown trailer that is signed", edit(trailerExample, crc32c, "x-other"), trailer, "trailer"},
		{"a trailer that runs into its signature", edit(trailerExample, sum+"\r\n", sum), trailer, "malformed"},
		{"two trailer signatures", trailerExample + trailerSignature + "\r\n", trailer, "malformed"},
		{"a trailer behind the signature", trailerExample + "x-b:1\r\n", two, "malformed"},
		{"no trailers", trailerExample[:strings.Index(trailerExample, crc32c)], trailer, "incomplete"},
		{"trailers for a plain body", trailerExample, config(true, 66560, trailerSeed), "malformed"},
		{"a shorter length", plainExample, config(true, 65536, plainSeed), "too long"},
		{"a longer length", plainExample, config(true, 66561, plainSeed), "incomplete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, tt.body, tt.cfg, tt.want) })
	}

	t.Run("signed trailers without trailers", func(t *testing.T) {
		cfg := config(true, 5, plainSeed)
		body := awschunkedtest.Encode([]byte("hello"), options(cfg, 0, awschunkedtest.SDK))
		cfg.Trailer = true
		check(t, string(body), cfg, "malformed")
	})
	t.Run("a small chunk", func(t *testing.T) {
		for size, want := range map[int]string{8191: "too small", 8192: ok, 1: "too small"} {
			cfg := config(true, 20000, plainSeed)
			check(t, string(awschunkedtest.Encode(make([]byte, 20000), options(cfg, size, 0))), cfg, want)
			cfg.Signed = false
			check(t, string(awschunkedtest.Encode(make([]byte, 20000), options(cfg, size, 0))), cfg, want)
		}
	})
}

// TestNoDataOfABadChunk makes sure that the bytes read together with a failure are not handed on.
func TestNoDataOfABadChunk(t *testing.T) {
	body := strings.Replace(plainExample, "aa\r\n400;", "ab\r\n400;", 1)
	r := awschunked.New(strings.NewReader(body), config(true, 66560, plainSeed))
	got, err := io.ReadAll(r)
	if !errors.Is(err, awschunked.ErrSignature) || len(got) >= 65536 || bytes.ContainsRune(got, 'b') {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestErrorsOfTheBody(t *testing.T) {
	broken := errors.New("broken")
	for cut := range 30 {
		body := "5\r\nhello\r\n0\r\n" + crc32c + ":x\r\n\r\n"
		r := awschunked.New(io.MultiReader(strings.NewReader(body[:cut]), iotest.ErrReader(broken)),
			config(false, 5, "", crc32c))
		if _, err := io.ReadAll(r); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", cut, err)
		}
		r = awschunked.New(io.MultiReader(strings.NewReader(body[:cut]), iotest.ErrReader(io.ErrUnexpectedEOF)),
			config(false, 5, "", crc32c))
		if _, err := io.ReadAll(r); !errors.Is(err, awschunked.ErrIncomplete) {
			t.Errorf("after %d bytes, as net/http says it: %v", cut, err)
		}
	}
}
