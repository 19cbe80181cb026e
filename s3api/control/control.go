// Package control is what the APIs beside S3 have in common: the admin API (package admin), MinIO's (package minioadmin)
// and STS (package sts). Their requests are small. The body is read whole before anything is done, and the answer is sent
// whole after all is done, both within half a minute.
//
// What such a request may do, and in what form it is answered, is for those packages. All functions may be called
// concurrently.
package control

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

const (
	// MaxBodyBytes is the largest body of a request.
	MaxBodyBytes = adminapi.MaxBodyBytes
	// requestTime bounds reading a request's body and writing its answer.
	requestTime = 30 * time.Second
)

// NewID returns an id for a request: 16 upper-case hexadecimal digits.
func NewID() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}

// Begin sets the headers that every answer has, and the time by which the request must be read and answered. What it
// returns is to be called when the answer is written.
func Begin(w http.ResponseWriter, id string) (end func()) {
	header := w.Header()
	header.Set("X-Amz-Request-Id", id)
	header.Set("Server", "Plimsoll")
	header.Set("Cache-Control", "no-store")
	// A connection that takes no deadline is one of a test recorder. net/http sets the read deadline anew for the next
	// request on the connection, but leaves the one for writing.
	controller := http.NewResponseController(w)
	deadline := time.Now().Add(requestTime)
	_ = controller.SetReadDeadline(deadline)
	_ = controller.SetWriteDeadline(deadline)
	return func() { _ = controller.SetWriteDeadline(time.Time{}) }
}

// Send sends an answer. One without a body has no contentType.
func Send(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	if status != http.StatusNoContent {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// Refusal is an error in a body: what the client is told of it.
type Refusal struct {
	Code    string
	Status  int // of HTTP
	Message string
}

// Error implements error.
func (e *Refusal) Error() string { return e.Code + ": " + e.Message }

// PayloadHash returns the SHA-256 that a signature says the body has, or a *Refusal where it says something else of the
// body: one that is not signed could be replaced where there is no TLS.
func PayloadHash(payload string) ([]byte, error) {
	hash, err := hex.DecodeString(payload)
	if err != nil || len(hash) != sha256.Size {
		return nil, &Refusal{
			"InvalidRequest", http.StatusBadRequest, "The admin API wants the SHA-256 of the body in x-amz-content-sha256.",
		}
	}
	return hash, nil
}

// ReadBody reads the body. The error is an *http.MaxBytesError where it has more than MaxBodyBytes.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
}

// ReadSigned reads the body and holds it to its hash. The error is a *Refusal.
func ReadSigned(w http.ResponseWriter, r *http.Request, hash []byte) ([]byte, error) {
	body, err := ReadBody(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &Refusal{"EntityTooLarge", http.StatusRequestEntityTooLarge, "The body has more than 64 KiB."}
	case err != nil:
		return nil, &Refusal{"IncompleteBody", http.StatusBadRequest, "The body could not be read: " + err.Error() + "."}
	}
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:], hash) != 1 {
		return nil, &Refusal{
			"XAmzContentSHA256Mismatch", http.StatusBadRequest, "The body is not the one whose SHA-256 was signed.",
		}
	}
	return body, nil
}

// ClaimedKey returns the access key that a request names in its Authorization header, whether it is signed by it or not.
func ClaimedKey(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	return key
}

// Sentence returns an error's text as a sentence, without the name of the package that some begin with.
func Sentence(err error) string {
	text := strings.TrimSuffix(strings.TrimPrefix(err.Error(), "policy: "), ".")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
