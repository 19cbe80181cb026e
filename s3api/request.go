package s3api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// request is one S3 request on its way. It is used by one goroutine.
type request struct {
	handler *Handler
	w       responseWriter
	r       *http.Request // as it came: signatures are over it
	id      string

	bucket meta.BucketName
	key    meta.Key
	query  url.Values
	op     *operation

	identity *sigv4.Identity
	rawBody  idleBody // the body as it comes from the connection
	// checksumsOfObject says that x-amz-checksum- headers are not of this request's body.
	checksumsOfObject bool

	errorCode string // of the answer, for logs and metrics
}

func (h *Handler) newRequest(w http.ResponseWriter, r *http.Request) *request {
	rq := &request{handler: h, r: r, id: h.newRequestID(), op: &unknownOperation}
	controller := http.NewResponseController(w)
	rq.w = responseWriter{ResponseWriter: w, controller: controller, idle: h.config.IdleTimeout}
	rq.rawBody = idleBody{body: r.Body, controller: controller, idle: h.config.IdleTimeout}
	return rq
}

// store is the store that the request works on.
func (rq *request) store() *backend.Store { return rq.handler.config.Store }

// parseTarget finds bucket, key and query of the request. bucket is that of a virtual host.
func (rq *request) parseTarget(bucket string, virtual bool) error {
	if rq.r.URL.RawQuery != "" { // without parameters query stays nil, which can be read
		query, err := url.ParseQuery(rq.r.URL.RawQuery)
		if err != nil {
			return s3err("InvalidURI")
		}
		rq.query = query
	}
	path := strings.TrimPrefix(rq.r.URL.Path, "/")
	key := path
	if !virtual {
		bucket, key, _ = strings.Cut(path, "/")
	}
	rq.bucket, rq.key = meta.BucketName(bucket), meta.Key(key)
	if !utf8.ValidString(path) {
		return s3err("InvalidURI")
	}
	if len(key) > backend.MaxKeyBytes {
		return s3err("KeyTooLongError").with("Size", itoa(len(key))).with("MaxSizeAllowed", itoa(backend.MaxKeyBytes))
	}
	return nil
}

// bucketOfHost returns the bucket that a host name carries: bucket.domain.
func (h *Handler) bucketOfHost(host string) (string, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range h.domains {
		if host == domain[1:] {
			return "", false
		}
		if bucket, ok := strings.CutSuffix(host, domain); ok && bucket != "" {
			return bucket, true
		}
	}
	return "", false
}

// sortedDomains returns the domains, localhost among them, each with a leading dot, the longest first: a domain may lie
// within another.
func sortedDomains(domains []string) []string {
	all := []string{".localhost"}
	for _, d := range domains {
		if d = "." + strings.ToLower(strings.Trim(d, ".")); d != "." && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// authenticate verifies the signature. Anonymous requests are refused.
func (rq *request) authenticate() error {
	identity, err := rq.handler.verifier.Verify(rq.r)
	if errors.Is(err, sigv4.ErrAnonymous) {
		return s3err("AccessDenied")
	}
	if err != nil {
		return err
	}
	rq.identity = identity
	return nil
}

// resource is the path that an error names: the key's or the bucket's.
func (rq *request) resource() string {
	if rq.bucket == "" {
		return "/"
	}
	if rq.key == "" {
		return "/" + string(rq.bucket)
	}
	return "/" + string(rq.bucket) + "/" + string(rq.key)
}

// canonicalID is the id of a user as S3 shows it: 64 hexadecimal digits.
func canonicalID(user string) string {
	sum := sha256.Sum256([]byte("plimsoll user " + user))
	return hex.EncodeToString(sum[:])
}
