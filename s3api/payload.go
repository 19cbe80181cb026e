package s3api

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/s3api/awschunked"
)

// payload is the decoded body of a request. Its Read returns io.EOF only when everything that the client declared of
// the body is true: the payload hash, chunk signatures, trailers, and the checksum. Content-MD5 is for who reads it:
// the store computes that sum anyway.
type payload struct {
	reader      io.Reader // the decoded bytes
	size        int64
	least, most int64 // of a size that is known only at the end, as in backend.Body

	chunked *awschunked.Reader // nil unless the body is aws-chunked
	sha     hash.Hash          // nil unless the payload hash is a hash
	wantSHA string
	md5     []byte // of the Content-MD5 header of an upload; nil where there is none

	algorithm checksum.Algorithm // that the client declared
	sum       hash.Hash          // nil where algorithm is None
	value     []byte             // of the header; nil where it comes as a trailer
	trailer   bool

	err error // sticks
}

// Payload hashes that are not hashes.
const (
	unsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingPrefix        = "STREAMING-"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// newPayload prepares the body for reading. No byte of it is read.
func (rq *request) newPayload() (*payload, error) {
	p := &payload{reader: &rq.rawBody, size: rq.r.ContentLength}
	if !rq.checksumsOfObject {
		if err := p.declareChecksum(rq); err != nil {
			return nil, err
		}
	}
	hash := rq.payloadHash()
	if rq.identity == nil && strings.HasPrefix(hash, streamingPrefix) && hash != streamingTrailer {
		return nil, s3err("InvalidRequest", "Anonymous requests don't support this x-amz-content-sha256 value. Please use "+
			"UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.")
	}
	switch hash {
	case unsignedPayload:
	case streamingSigned, streamingSignedTrailer, streamingTrailer:
		if err := p.decodeChunks(rq, hash); err != nil {
			return nil, err
		}
	default:
		// Of a signed request it is a hash. Of an anonymous one it may be anything, which the body then does not have.
		p.sha, p.wantSHA = sha256.New(), hash
	}
	if p.trailer && p.chunked == nil {
		return nil, s3err("InvalidRequest", "x-amz-trailer is only for streaming payloads.")
	}
	if p.size < 0 {
		return nil, s3err("MissingContentLength")
	}
	return p, nil
}

// payloadHash is what the request says of its body's hash: in its signature, or, where it has none, in its header.
func (rq *request) payloadHash() string {
	if rq.identity != nil {
		return rq.identity.Payload
	}
	return cmp.Or(headerOf(rq.r.Header, "X-Amz-Content-Sha256"), unsignedPayload)
}

func (p *payload) decodeChunks(rq *request, hash string) error {
	declared := headerOf(rq.r.Header, "X-Amz-Decoded-Content-Length")
	if declared == "" {
		return s3err("MissingContentLength")
	}
	size, err := strconv.ParseInt(declared, 10, 64)
	if err != nil || size < 0 {
		return s3err("MissingContentLength")
	}
	p.size = size
	config := awschunked.Config{
		Signed:        hash != streamingTrailer,
		Trailer:       hash != streamingSigned,
		DecodedLength: size,
		TrailerNames:  trailerNames(rq),
	}
	if rq.identity != nil {
		config.SeedSignature, config.SigningKey = rq.identity.Signature, rq.identity.SigningKey
		config.Scope, config.Time = rq.identity.Scope, rq.identity.Time
	}
	p.chunked = awschunked.New(&rq.rawBody, config)
	p.reader = p.chunked
	return nil
}

// trailerNames are the trailers that the request announces, in lower case.
func trailerNames(rq *request) []string {
	var names []string
	for _, value := range rq.r.Header.Values("X-Amz-Trailer") {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

const multipleChecksums = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."

// declareChecksum finds the checksum that the client declared, in a header or as a trailer.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func (p *payload) declareChecksum(rq *request) error {
	header := rq.r.Header
	declare := func(a checksum.Algorithm) error {
		if p.algorithm != checksum.None {
			return s3err("InvalidRequest", multipleChecksums)
		}
		p.algorithm, p.sum = a, checksum.New(a)
		return nil
	}
	for _, name := range trailerNames(rq) {
		if !strings.HasPrefix(name, "x-amz-checksum-") {
			continue
		}
		a, ok := checksum.FromHeader(name)
		if !ok {
			return s3err("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
		}
		if err := declare(a); err != nil {
			return err
		}
		p.trailer = true
	}
	for name := range header {
		suffix, ok := strings.CutPrefix(name, "X-Amz-Checksum-")
		if !ok || suffix == "Type" || suffix == "Mode" || suffix == "Algorithm" {
			continue
		}
		a, ok := checksum.FromHeader(name)
		if !ok {
			return s3err("InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
		}
		if err := declare(a); err != nil {
			return err
		}
	}
	if p.algorithm != checksum.None && !p.trailer {
		var err error
		if p.value, err = p.algorithm.Decode(header.Get(p.algorithm.Header())); err != nil {
			return s3err("InvalidRequest", "Value for "+p.algorithm.Header()+" header is invalid.")
		}
	}
	return p.checkSDKAlgorithm(headerOf(header, "X-Amz-Sdk-Checksum-Algorithm"))
}

// checkSDKAlgorithm compares x-amz-sdk-checksum-algorithm, which names the checksum that should be there.
func (p *payload) checkSDKAlgorithm(name string) error {
	if name == "" {
		return nil
	}
	a, ok := checksum.ParseAlgorithm(name)
	switch {
	case !ok:
		return s3err("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	case p.algorithm == checksum.None:
		return s3err("InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* "+
			"or x-amz-trailer headers were found.")
	case a != p.algorithm:
		return s3err("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

// Read implements io.Reader.
func (p *payload) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.reader.Read(b)
	if n > 0 {
		if p.sha != nil {
			p.sha.Write(b[:n])
		}
		if p.sum != nil {
			p.sum.Write(b[:n])
		}
	}
	if errors.Is(err, io.EOF) {
		if bad := p.verify(); bad != nil {
			err = bad
		}
	}
	p.err = err
	return n, err
}

// body is the payload as the store takes it.
func (p *payload) body() backend.Body {
	body := backend.Body{Reader: p, Size: p.size, Least: p.least, Most: p.most, MD5: p.md5}
	if p.algorithm != checksum.None {
		body.Algorithm = p.algorithm
		body.Sum = func() []byte { return p.sum.Sum(nil) }
	}
	return body
}

// verify checks, at the end, what was declared of the body.
func (p *payload) verify() error {
	if p.sha != nil {
		if got := hex.EncodeToString(p.sha.Sum(nil)); !strings.EqualFold(got, p.wantSHA) {
			return contentSHA256Mismatch(p.wantSHA, got)
		}
	}
	if p.algorithm == checksum.None {
		return nil
	}
	want := p.value
	if p.trailer {
		text, _ := p.chunked.Trailer(p.algorithm.Header())
		var err error
		if want, err = p.algorithm.Decode(text); err != nil {
			return s3err("InvalidRequest", "Value for "+p.algorithm.Header()+" trailing header is invalid.")
		}
	}
	if subtle.ConstantTimeCompare(p.sum.Sum(nil), want) != 1 {
		return s3err("BadDigest", fmt.Sprintf("The %s you specified did not match the calculated checksum.", p.algorithm))
	}
	return nil
}

func contentSHA256Mismatch(declared, computed string) error {
	return s3err("XAmzContentSHA256Mismatch").with("ClientComputedContentSHA256", declared).
		with("S3ComputedContentSHA256", computed)
}

// contentMD5 returns the Content-MD5 header's digest, nil where there is none.
func (rq *request) contentMD5() ([]byte, error) {
	values, ok := rq.r.Header["Content-Md5"]
	if !ok {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil || len(sum) != md5.Size {
		return nil, s3err("InvalidDigest").with("Content-MD5", values[0])
	}
	return sum, nil
}

// Largest request documents. CompleteMultipartUpload names up to 10,000 parts with a checksum each, DeleteObjects up to
// 1,000 keys of 1,024 bytes that may be escaped.
const (
	maxCompleteBytes = 4 << 20
	maxDeleteBytes   = 8 << 20
	maxConfigBytes   = 64 << 10
)

// readXML reads and verifies a request document in XML.
func (rq *request) readXML(root string, maxBytes int64, into any) error {
	raw, err := rq.readDocument(maxBytes)
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		return s3err("MissingRequestBodyError")
	}
	return parseXML(raw, root, into)
}

// readDocument reads and verifies a request document, which may be empty.
func (rq *request) readDocument(maxBytes int64) ([]byte, error) {
	p, err := rq.newPayload()
	if err != nil {
		return nil, err
	}
	if p.chunked != nil {
		return nil, errStreamedDocument()
	}
	want, err := rq.contentMD5()
	if err != nil {
		return nil, err
	}
	if p.size > maxBytes {
		return nil, s3err("MaxMessageLengthExceeded").with("MaxMessageLengthBytes", strconv.FormatInt(maxBytes, 10))
	}
	sum := md5.New()
	raw, err := io.ReadAll(io.TeeReader(io.LimitReader(p, maxBytes+1), sum))
	if err != nil {
		return nil, err
	}
	if want != nil && subtle.ConstantTimeCompare(sum.Sum(nil), want) != 1 {
		return nil, s3err("BadDigest")
	}
	return raw, nil
}
