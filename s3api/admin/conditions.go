package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// etagOf returns the strong entity tag of a representation.
func etagOf(representation []byte) string {
	sum := sha256.Sum256(representation)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// documentETag returns the strong entity tag of what the API shows as this document.
func documentETag(document any) string {
	raw, err := json.Marshal(document)
	if err != nil {
		panic(err) // documents are structs of strings, numbers and times
	}
	return etagOf(raw)
}

// conditional reports whether the request is about a state that the client knows: it has If-Match.
func (rq *request) conditional() bool { return len(rq.r.Header.Values("If-Match")) > 0 }

// condition holds If-Match and If-None-Match against the entity tag of what is there, which is empty where nothing is.
// https://www.rfc-editor.org/rfc/rfc9110#section-13.1
func (rq *request) condition(etag string) error {
	if rq.conditional() && !rq.lists("If-Match", etag) {
		return problem("PreconditionFailed", http.StatusPreconditionFailed,
			"It is not, or no longer, as If-Match says: read it again.")
	}
	if rq.lists("If-None-Match", etag) {
		return problem("PreconditionFailed", http.StatusPreconditionFailed,
			"There is one already, and If-None-Match says none.")
	}
	return nil
}

// taken returns the error of what makes something, and replaces nothing: where it exists already, that is what
// If-None-Match has asked about.
func (rq *request) taken(err, exists error) error {
	if errors.Is(err, exists) && rq.lists("If-None-Match", "*") {
		return rq.condition("*")
	}
	return err
}

// lists reports whether a header lists the entity tag of what is there, or * where anything is. Ours have no commas, so
// that one with a comma, cut in two, is none of ours. Weak ones are none either.
func (rq *request) lists(header, etag string) bool {
	if etag == "" {
		return false
	}
	for _, value := range rq.r.Header.Values(header) {
		for listed := range strings.SplitSeq(value, ",") {
			if listed = strings.TrimSpace(listed); listed == "*" || listed == etag {
				return true
			}
		}
	}
	return false
}
