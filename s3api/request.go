package s3api

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/iam"
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

	identity *sigv4.Identity // nil for an anonymous request
	who      *iam.Identity   // never nil once the request is authenticated
	asked    *meta.Settings  // what the body sets, once it has been read, of an operation that sets what it has
	access   *bucketAccess   // the bucket of the path; nil where none is named, or it does not exist
	rawBody  idleBody        // the body as it comes from the connection
	// missing says that the key is not there, and that it is to be decided whether that may be told.
	missing bool
	// checksumsOfObject says that x-amz-checksum- headers are not of this request's body.
	checksumsOfObject bool
	// origin is what events tell of the request; nil where nobody wants to be told.
	origin *event.Origin

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
	if !saysNothing(rq.r.URL.RawQuery) { // without parameters query stays nil, which can be read
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

// maxHeaderSectionBytes is how large the headers of a request may be: their names and values, as lines.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
const maxHeaderSectionBytes = 8 << 10

// checkHeaderSize refuses a request with more headers than S3 takes.
func (rq *request) checkHeaderSize() error {
	size := 0
	for name, values := range rq.r.Header {
		for _, value := range values {
			size += len(name) + len(": ") + len(value) + len("\r\n")
		}
	}
	if size > maxHeaderSectionBytes {
		return s3err("RequestHeaderSectionTooLarge").with("MaxSizeAllowed", itoa(maxHeaderSectionBytes))
	}
	return nil
}

// saysNothing reports whether a query has no parameters, or only x-id: SDKs name the operation in it, for themselves.
func saysNothing(query string) bool {
	id, named := strings.CutPrefix(query, "x-id=")
	return query == "" || (named && !strings.ContainsAny(id, "&;%"))
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

// authenticate verifies the signature, and finds out whose it is.
func (rq *request) authenticate() error {
	identity, err := rq.handler.verifier.Verify(rq.r)
	if errors.Is(err, sigv4.ErrAnonymous) {
		rq.who = iam.Anonymous
		return nil
	}
	if err != nil {
		return err
	}
	return rq.identify(identity)
}

// identify finds out who has signed the request.
func (rq *request) identify(identity *sigv4.Identity) error {
	credential, ok := rq.handler.config.Directory.CredentialOf(identity.AccessKey, identity.Token)
	if !ok { // it was removed since its signature was verified
		return s3err("AccessDenied")
	}
	rq.identity, rq.who = identity, credential.Identity
	return rq.checkEmptyPayload()
}

// checkEmptyPayload refuses a write without a body whose hash is that of another: to see that, nothing must be read.
func (rq *request) checkEmptyPayload() error {
	writes := rq.r.Method == http.MethodPut || rq.r.Method == http.MethodPost
	declared := rq.identity.Payload
	if !writes || rq.r.ContentLength != 0 || len(declared) != len(sigv4.EmptyPayload) ||
		strings.EqualFold(declared, sigv4.EmptyPayload) {
		return nil
	}
	return contentSHA256Mismatch(declared, sigv4.EmptyPayload)
}

// enter finds the bucket, and decides whether the request may do what it asks for.
func (rq *request) enter() error {
	if rq.bucket != "" && rq.op.name != "CreateBucket" {
		access, err := rq.handler.bucketAccess(rq.bucket)
		// Who sends a form is known when it has been read: until then nothing is said of what exists.
		if err != nil && rq.op.name != "PostObject" {
			return err
		}
		rq.access = access
		if err == nil && rq.op.name == "HeadBucket" {
			rq.w.set(regionHeader, rq.handler.config.Region) // a denial tells it too
		}
	}
	return rq.authorize()
}

// bringOrigin has the store know who asks, where somebody wants to be told of what happens to objects.
func (rq *request) bringOrigin() {
	if rq.bucket == "" || rq.r.Method == http.MethodGet || rq.r.Method == http.MethodHead || !rq.store().TellsObjects() {
		return
	}
	rq.origin = rq.newOrigin()
	rq.r = rq.r.WithContext(event.WithOrigin(rq.r.Context(), rq.origin))
}

// tellRefusal tells whoever wants to know that the request did not fit, if that is why it fails.
func (rq *request) tellRefusal(err error) {
	reads := rq.r.Method == http.MethodGet || rq.r.Method == http.MethodHead // asks whether something would fit, at most
	if rq.bucket == "" || reads || rq.who == nil || !rq.store().TellsRefusals() {
		return
	}
	ctx := event.WithOrigin(rq.r.Context(), rq.newOrigin())
	rq.store().Refused(ctx, rq.op.name, rq.bucket, rq.key, err)
}

// maxUserAgentBytes is how much of a client's name events keep.
const maxUserAgentBytes = 256

func (rq *request) newOrigin() *event.Origin {
	address := rq.r.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	return &event.Origin{
		RequestID: rq.id, Principal: rq.principalName(), SourceIP: address,
		// Clients may send as much as a header has room for, and the outbox is for the events of all.
		UserAgent: rq.r.UserAgent()[:min(len(rq.r.UserAgent()), maxUserAgentBytes)],
		Form:      rq.op.name == "PostObject",
	}
}

// principalName is who asks, as events tell it.
func (rq *request) principalName() string {
	if rq.who.Name == "" {
		return "anonymous"
	}
	return rq.who.Name
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

// headerOf returns a header's first value, like http.Header's Get, which also looks through each name for letters that its
// canonical form has otherwise: 2 % of a small request. The name given is in that form.
func headerOf(header http.Header, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
