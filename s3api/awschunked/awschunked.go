// Package awschunked decodes the aws-chunked payload of S3 uploads: the object's bytes in chunks, each with its size
// and, in the signed variants, a signature that chains to the request's, with trailers behind the last one.
//
//	signed                                     unsigned
//	<hex size>;chunk-signature=<64 hex>\r\n    <hex size>\r\n
//	<size bytes>\r\n                           <size bytes>\r\n
//	...                                        ...
//	0;chunk-signature=<64 hex>\r\n             0\r\n
//	[<trailer>:<value>\r\n]...                 [<trailer>:<value>\r\n]...
//	[x-amz-trailer-signature:<64 hex>\r\n]
//	[\r\n]                                     [\r\n]
//
// x-amz-content-sha256 names the variant:
//
//	STREAMING-AWS4-HMAC-SHA256-PAYLOAD          Signed
//	STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER  Signed and Trailer
//	STREAMING-UNSIGNED-PAYLOAD-TRAILER          Trailer
//	UNSIGNED-PAYLOAD, or a hash, with "Content-Encoding: aws-chunked": neither
//
// The Reader streams: bytes of a chunk go straight into the caller's buffer, whatever the size of the chunk, and its
// memory is one small buffer. Therefore bytes are handed on before the chunk that they belong to has been verified. The
// caller may keep what it read only after io.EOF, which means that the framing, all signatures, the length and the
// trailers are right and that nothing is left in the body. When the decoded length is known, all of that happens
// within the Read that returns the last byte, so a caller that reads exactly that many bytes is covered as well.
//
// After the last chunk real clients end the body in several ways; all of them are taken: trailer lines that end with
// "\n" (minio-go) or "\r\n" (the AWS SDKs), an empty line before x-amz-trailer-signature (minio-go), and up to three
// empty lines at the end, or none (the examples in AWS's documentation).
//
// Errors wrap one of the sentinels below, or are those of the body. S3 answers them with:
//
//	ErrMalformed      400 IncompleteBody (broken framing is the same to S3 as a body cut short)
//	ErrTruncated      400 IncompleteBody
//	ErrIncomplete     400 IncompleteBody, with another message
//	ErrTooLong        400 IncompleteBody
//	ErrSignature      403 SignatureDoesNotMatch
//	ErrTrailer        400 MalformedTrailerError
//	ErrChunkTooSmall  400 InvalidChunkSizeError
//
// A Reader is for one goroutine.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
package awschunked

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"
)

// The reasons to refuse a body. The messages that wrap them give the place.
var (
	// ErrMalformed is for framing that is not aws-chunked, for signed trailers without their signature, and for bytes behind
	// the end.
	ErrMalformed = errors.New("malformed aws-chunked body")
	// ErrIncomplete is for a body that ends too early, or whose chunks add up to less than the decoded length.
	ErrIncomplete = errors.New("incomplete aws-chunked body")
	// ErrTruncated is the ErrIncomplete of a body that ends before its last chunk and its trailers do.
	ErrTruncated = fmt.Errorf("truncated: %w", ErrIncomplete)
	// ErrTooLong is for chunks that add up to more than the decoded length.
	ErrTooLong = errors.New("aws-chunked body is longer than declared")
	// ErrSignature is for a wrong signature of a chunk or of the trailers.
	ErrSignature = errors.New("aws-chunked signature does not match")
	// ErrTrailer is for trailers that are malformed, not announced, repeated, missing, or too many.
	ErrTrailer = errors.New("malformed trailer")
	// ErrChunkTooSmall is for a chunk of less than MinChunkBytes that is not the last with data.
	ErrChunkTooSmall = errors.New("only the last chunk may have less than 8192 bytes")
)

// ChunkSizeError is the ErrChunkTooSmall of a body. S3 counts chunks from 1, and notices with the next one.
type ChunkSizeError struct{ Chunk, Size int64 }

func (e *ChunkSizeError) Error() string {
	return fmt.Sprintf("aws-chunked: chunk %d comes after one of %d bytes: %v", e.Chunk, e.Size, ErrChunkTooSmall)
}

func (e *ChunkSizeError) Unwrap() error { return ErrChunkTooSmall }

const (
	// MinChunkBytes is the least size of a chunk, except for the last one with data.
	MinChunkBytes = 8192

	// maxHeaderBytes bounds a chunk's header line; the longest good one has 99.
	maxHeaderBytes = 1024
	// maxTrailerBytes bounds the trailers with their empty lines, maxTrailers their number, and maxEmptyLines the
	// empty lines behind the last chunk.
	maxTrailerBytes = 16 << 10
	maxTrailers     = 32
	maxEmptyLines   = 3

	// bufferBytes is the memory of a Reader, and bounds a trailer line. Reads of as many bytes pass it by.
	bufferBytes = 4 << 10
)

// Config says what to expect of a body.
type Config struct {
	// Signed says that chunks carry signatures, and the trailers if there are any.
	Signed bool
	// Trailer says that trailers follow the last chunk.
	Trailer bool

	// SeedSignature is the request's own signature in lower-case hex, SigningKey the key of its Scope, and Time its
	// time: what sigv4.Identity holds. They are for the signed variants only.
	SeedSignature string
	SigningKey    []byte
	Scope         string
	Time          time.Time

	// DecodedLength is the number of the object's bytes, x-amz-decoded-content-length; negative if it is not known.
	DecodedLength int64
	// TrailerNames are the announced trailers, x-amz-trailer, in lower case. Exactly these must come.
	TrailerNames []string
}

// Reader decodes a body. Its errors stick.
type Reader struct {
	cfg    Config
	body   *bufio.Reader
	signer *signer // nil if unsigned

	chunk     int64   // the number of the current chunk, from 1, for messages
	chunkSize int64   // the size of the current or, between chunks, the last chunk
	remaining int64   // what is left of the current chunk's data
	declared  int64   // the sizes of all chunks so far
	provided  []byte  // the signature that the current chunk's header has; empty if unsigned
	end       [2]byte // what is read behind a chunk's data; a local one would be allocated for each chunk
	trailers  map[string]string
	err       error
}

// New returns a Reader of the body.
func New(body io.Reader, cfg Config) *Reader {
	r := &Reader{cfg: cfg, body: bufio.NewReaderSize(body, bufferBytes)}
	if cfg.Signed {
		r.signer = newSigner(cfg)
	}
	return r
}

// Trailer returns a trailer's value, by its name in lower case. Only after Read has returned io.EOF is there any; with
// a known decoded length, after the last byte.
func (r *Reader) Trailer(name string) (string, bool) {
	v, ok := r.trailers[name]
	return v, ok
}

// Read reads the object's bytes. It returns io.EOF, alone or with the last bytes, only if everything was right; see the
// package's documentation for the errors.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.read(p)
	r.err = err
	if err != nil && !errors.Is(err, io.EOF) {
		// What this call read belongs to a chunk that failed.
		return 0, err
	}
	return n, err
}

func (r *Reader) read(p []byte) (int, error) {
	for r.remaining == 0 {
		last, err := r.nextChunk()
		if err != nil {
			return 0, err
		}
		if last {
			return 0, r.finish()
		}
	}
	n, err := r.body.Read(p[:min(int64(len(p)), r.remaining)])
	if r.signer != nil {
		r.signer.hash.Write(p[:n])
	}
	r.remaining -= int64(n)
	switch {
	case r.remaining > 0:
		if err != nil {
			return n, r.bodyError(err, "its data")
		}
		return n, nil
	case err != nil && !errors.Is(err, io.EOF):
		return n, r.bodyError(err, "its data")
	}
	if err := r.endChunk(); err != nil {
		return n, err
	}
	if r.declared != r.cfg.DecodedLength {
		return n, nil
	}
	// That was the last byte. Do not wait to be asked for more: the caller may know the length too. The next chunk is
	// the empty one, for nextChunk refuses any that has more than is left.
	if _, err := r.nextChunk(); err != nil {
		return n, err
	}
	return n, r.finish()
}

// nextChunk reads a chunk's header. It reports true for the empty chunk that is the last.
func (r *Reader) nextChunk() (last bool, err error) {
	previous := r.chunkSize
	r.chunk++
	line, err := r.line(maxHeaderBytes)
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return false, r.fail(ErrMalformed, "its header is too long")
		}
		return false, r.bodyError(err, "its header")
	}
	size, signature, ok := parseHeader(line)
	if !ok {
		return false, r.fail(ErrMalformed, fmt.Sprintf("its header is %.80q", line))
	}
	if r.signer != nil && len(signature) == 0 {
		return false, r.fail(ErrMalformed, "it has no signature")
	}
	r.provided = append(r.provided[:0], signature...)
	r.chunkSize, r.remaining = size, size
	if size == 0 {
		return true, r.verifyChunk()
	}
	if r.chunk > 1 && previous < MinChunkBytes {
		return false, &ChunkSizeError{Chunk: r.chunk, Size: previous}
	}
	if size > maxInt64-r.declared || r.cfg.DecodedLength >= 0 && size > r.cfg.DecodedLength-r.declared {
		if err := r.peekEnd(size); err != nil {
			return false, err
		}
		return false, r.fail(ErrTooLong, fmt.Sprintf("it has %d bytes after %d of %d",
			size, r.declared, r.cfg.DecodedLength))
	}
	r.declared += size
	return false, nil
}

const maxInt64 = 1<<63 - 1

// peekEnd looks, behind the data of a small chunk that is too long, for what must be there: a chunk that has not the size
// that it says is malformed, whatever was declared of the body.
func (r *Reader) peekEnd(size int64) error {
	if size > bufferBytes-int64(len(r.end)) {
		return nil
	}
	data, err := r.body.Peek(int(size) + len(r.end))
	if err != nil {
		return r.bodyError(err, "its data")
	}
	if end := data[size:]; string(end) != "\r\n" {
		return r.fail(ErrMalformed, fmt.Sprintf("its data is followed by %q", end))
	}
	return nil
}

// endChunk reads what is behind a chunk's data and verifies the chunk.
func (r *Reader) endChunk() error {
	if _, err := io.ReadFull(r.body, r.end[:]); err != nil {
		return r.bodyError(err, "the end of its data")
	}
	if r.end != [2]byte{'\r', '\n'} {
		return r.fail(ErrMalformed, fmt.Sprintf("its data is followed by %q", r.end[:]))
	}
	return r.verifyChunk()
}

func (r *Reader) verifyChunk() error {
	if r.signer != nil && !r.signer.verifyChunk(r.provided) {
		return r.fail(ErrSignature, "its signature is wrong")
	}
	return nil
}

// finish checks everything behind the last chunk. It returns io.EOF if all is well.
func (r *Reader) finish() error {
	if r.cfg.DecodedLength >= 0 && r.declared != r.cfg.DecodedLength {
		return r.fail(ErrIncomplete, fmt.Sprintf("the body ends after %d bytes of %d", r.declared, r.cfg.DecodedLength))
	}
	if err := r.readTrailers(); err != nil {
		return err
	}
	return io.EOF
}

// line reads a line with its end, of at most limit bytes. It returns bufio.ErrBufferFull for a longer one and io.EOF
// if there is nothing. The line is valid until the next read.
func (r *Reader) line(limit int) ([]byte, error) {
	line, err := r.body.ReadSlice('\n')
	switch {
	case len(line) > limit:
		return nil, bufio.ErrBufferFull
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	}
	return line, err
}

// fail makes the error for the current chunk.
func (r *Reader) fail(reason error, detail string) error {
	return fmt.Errorf("aws-chunked: chunk %d: %s: %w", r.chunk, detail, reason)
}

// bodyError makes the error for a failed read of the body: ErrTruncated if that has ended.
func (r *Reader) bodyError(err error, where string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.fail(ErrTruncated, "the body ends within "+where)
	}
	return fmt.Errorf("aws-chunked: chunk %d: read %s: %w", r.chunk, where, err)
}

// parseHeader parses "<hex size>[;chunk-signature=<64 hex>]\r\n". The signature is nil if there is none.
func parseHeader(line []byte) (size int64, signature []byte, ok bool) {
	const extension = ";chunk-signature="
	const maxDigits = 16
	n := len(line) - 2
	if n < 1 || line[n] != '\r' || line[n+1] != '\n' {
		return 0, nil, false
	}
	line = line[:n]
	digits := 0
	for ; digits < len(line) && line[digits] != ';'; digits++ {
		d, ok := unhex(line[digits])
		if !ok || digits == maxDigits || size > maxInt64>>4 {
			return 0, nil, false
		}
		size = size<<4 | int64(d)
	}
	rest := line[digits:]
	switch {
	case digits == 0:
		return 0, nil, false
	case len(rest) == 0:
		return size, nil, true
	case len(rest) != len(extension)+signatureDigits || string(rest[:len(extension)]) != extension:
		return 0, nil, false
	}
	return size, rest[len(extension):], isHex(rest[len(extension):])
}

func isHex(b []byte) bool {
	for _, c := range b {
		if _, ok := unhex(c); !ok {
			return false
		}
	}
	return true
}

func unhex(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
