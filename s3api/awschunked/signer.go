package awschunked

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
)

const (
	chunkAlgorithm   = "AWS4-HMAC-SHA256-PAYLOAD"
	trailerAlgorithm = "AWS4-HMAC-SHA256-TRAILER"
	signatureDigits  = 2 * sha256.Size
	// emptyHash is the SHA-256 of nothing; a chunk's string to sign has it in the place of headers.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// signer is the chain of signatures of a body.
type signer struct {
	hash     hash.Hash // over the current chunk's data
	mac      hash.Hash // keyed with the signing key
	middle   string    // the lines of a string to sign between its algorithm and the previous signature
	previous []byte    // the previous signature in hex

	// Scratch, kept from chunk to chunk.
	toSign []byte
	sum    [sha256.Size]byte
}

func newSigner(cfg Config) *signer {
	return &signer{
		hash:     sha256.New(),
		mac:      hmac.New(sha256.New, cfg.SigningKey),
		middle:   "\n" + cfg.Time.UTC().Format("20060102T150405Z") + "\n" + cfg.Scope + "\n",
		previous: []byte(cfg.SeedSignature),
	}
}

// verifyChunk compares the signature of the data in hash with the one provided, in 64 hex digits, and starts the next
// chunk. The string to sign is
//
//	AWS4-HMAC-SHA256-PAYLOAD \n time \n scope \n previous signature \n hash of nothing \n hash of the data
func (s *signer) verifyChunk(provided []byte) bool {
	b := s.prefix(chunkAlgorithm)
	b = append(b, emptyHash+"\n"...)
	b = hex.AppendEncode(b, s.hash.Sum(s.sum[:0]))
	s.hash.Reset()
	return s.verify(b, provided)
}

// verifyTrailers does the same for the trailers. The string to sign is
//
//	AWS4-HMAC-SHA256-TRAILER \n time \n scope \n previous signature \n hash of the canonical trailers
func (s *signer) verifyTrailers(canonical []byte, provided string) bool {
	sum := sha256.Sum256(canonical)
	return s.verify(hex.AppendEncode(s.prefix(trailerAlgorithm), sum[:]), []byte(provided))
}

func (s *signer) prefix(algorithm string) []byte {
	b := append(s.toSign[:0], algorithm...)
	b = append(b, s.middle...)
	b = append(b, s.previous...)
	return append(b, '\n')
}

func (s *signer) verify(toSign, provided []byte) bool {
	s.toSign = toSign
	s.mac.Reset()
	s.mac.Write(toSign)
	want := s.mac.Sum(s.sum[:0])
	s.previous = hex.AppendEncode(s.previous[:0], want)
	if len(provided) != signatureDigits {
		return false
	}
	var got [sha256.Size]byte
	if _, err := hex.Decode(got[:], provided); err != nil {
		return false
	}
	return subtle.ConstantTimeCompare(got[:], want) == 1
}
