// Package awschunkedtest encodes aws-chunked bodies for tests, in the ways of several clients. It shares no code with
// the decoder. It is pure.
package awschunkedtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Ending is how a client ends the trailers.
type Ending int

const (
	// SDK ends lines with CRLF and the trailers with an empty line, as the AWS SDKs do.
	SDK Ending = iota
	// Minio ends trailers with LF, has an empty line before the signature and two behind all, as minio-go does.
	Minio
	// Bare has nothing behind the last line, as the examples in AWS's documentation.
	Bare
)

// Trailer is a trailer, its name in lower case.
type Trailer struct {
	Name, Value string
}

// Options say how to encode.
type Options struct {
	// Signed signs the chunks, and the trailers if there are any, with the four fields below.
	Signed        bool
	SeedSignature string
	SigningKey    []byte
	Scope         string
	Time          time.Time

	// ChunkBytes is the size of each chunk but the last; 0 means 64 KiB.
	ChunkBytes int
	Trailers   []Trailer
	Ending     Ending
}

// Encode returns the body for the data.
func Encode(data []byte, o Options) []byte {
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = 64 << 10
	}
	e := encoder{Options: o, previous: o.SeedSignature}
	for len(data) > 0 {
		n := min(len(data), o.ChunkBytes)
		e.header(data[:n])
		e.out = append(e.out, data[:n]...)
		e.write("\r\n")
		data = data[n:]
	}
	e.header(nil)
	e.trailers()
	return e.out
}

type encoder struct {
	Options
	previous string
	out      []byte
}

func (e *encoder) write(s string) {
	e.out = append(e.out, s...)
}

func (e *encoder) header(data []byte) {
	e.write(strconv.FormatInt(int64(len(data)), 16))
	if e.Signed {
		e.write(";chunk-signature=" + e.sign("AWS4-HMAC-SHA256-PAYLOAD", hash(nil)+"\n"+hash(data)))
	}
	e.write("\r\n")
}

func (e *encoder) trailers() {
	end := "\r\n"
	if e.Ending == Minio {
		end = "\n"
	}
	for _, t := range e.Trailers {
		e.write(t.Name + ":" + t.Value + end)
	}
	if len(e.Trailers) > 0 && e.Ending == Minio {
		e.write("\r\n")
	}
	if len(e.Trailers) > 0 && e.Signed {
		sorted := slices.SortedFunc(slices.Values(e.Trailers), func(a, b Trailer) int {
			return strings.Compare(a.Name, b.Name)
		})
		canonical := ""
		for _, t := range sorted {
			canonical += t.Name + ":" + t.Value + "\n"
		}
		e.write("x-amz-trailer-signature:" + e.sign("AWS4-HMAC-SHA256-TRAILER", hash([]byte(canonical))) + "\r\n")
	}
	if e.Ending != Bare {
		e.write("\r\n")
	}
}

func (e *encoder) sign(algorithm, last string) string {
	mac := hmac.New(sha256.New, e.SigningKey)
	mac.Write([]byte(strings.Join([]string{
		algorithm, e.Time.UTC().Format("20060102T150405Z"), e.Scope, e.previous, last,
	}, "\n")))
	e.previous = hex.EncodeToString(mac.Sum(nil))
	return e.previous
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
