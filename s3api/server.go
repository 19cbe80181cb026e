package s3api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/s3api/acl"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
	"github.com/plimsoll/plimsoll/s3api/sts"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

// Config is what a Handler serves, and how.
type Config struct {
	Store *backend.Store
	// Directory knows the users and their access keys.
	Directory *iam.Directory
	// Keyring has the keys for objects that are encrypted.
	Keyring *encryption.Keyring
	// Region that requests are signed for.
	Region string
	// Domains are the host names under which a bucket's name may stand: bucket.domain. "localhost" is one of them
	// always.
	Domains []string
	// RetryAfter is what a 507 tells the client to wait, unless only reservations are in the way.
	RetryAfter time.Duration
	// IdleTimeout ends a request whose body, or whose answer, has not moved for so long.
	IdleTimeout time.Duration
	// NoQuotaHeaders leaves the x-plimsoll-quota- headers out of the answers to writes.
	NoQuotaHeaders bool
	// Version is the server's, as SOSAPI's system.xml tells it; may be empty.
	Version string
	// Webhooks are what buckets may tell of what happens in them; nil for none.
	Webhooks *webhook.Service
	// Audit records the limits that S3 requests set; nil means that they are not recorded.
	Audit *audit.Log
	// System answers what lies under SystemPrefix, with the credentials already verified where it asks for them.
	System http.Handler
	// MinIOAdmin answers what lies under MinIOAdminPrefix; where it is nil those are keys like others.
	MinIOAdmin http.Handler
	Log        *slog.Logger
	// Now is the clock; time.Now where nil.
	Now func() time.Time
}

// SystemPrefix is the path under which the server's own API lives. No bucket can have its name.
const SystemPrefix = "/_plimsoll/"

// MinIOAdminPrefix is how the paths of MinIO's admin API begin; a version follows. Such keys of a bucket with the name
// "minio", which MinIO itself does not allow, can be reached under a domain only.
const MinIOAdminPrefix = "/minio/admin/v"

// Handler serves S3. It is safe for concurrent use.
type Handler struct {
	config   Config
	verifier *sigv4.Verifier
	sts      *sts.Handler
	domains  []string // longest first, each with a leading dot
	metrics  *Metrics
	hostID   string
	idSeed   uint64
	idCount  atomic.Uint64
	owners   sync.Map // owner by name: users, as documents name them
	buckets  sync.Map // *bucketAccess by meta.BucketName
	rootXML  string   // root as an owner, as users are told: see shownID
}

// owner is who buckets and objects belong to, as S3 names them.
type owner struct {
	id, name string
	xml      string // both as elements
}

func (o owner) asGrantee() acl.Owner { return acl.Owner{ID: o.id, DisplayName: o.name} }

// ownerOf returns a user as an owner, also one that is no more.
func (h *Handler) ownerOf(name string) owner {
	if known, ok := h.owners.Load(name); ok {
		return known.(owner)
	}
	o := newOwner(name)
	h.owners.Store(name, o)
	return o
}

func newOwner(name string) owner {
	o := owner{id: iam.CanonicalID(name), name: name}
	o.xml = ownerXML(o.id, name)
	return o
}

func ownerXML(id, name string) string {
	var x xmlWriter
	x.text("ID", id)
	x.text("DisplayName", name)
	return string(x.bytes())
}

// New returns a handler.
func New(config Config, metrics *Metrics) *Handler {
	if config.Now == nil {
		config.Now = time.Now
	}
	h := &Handler{config: config, metrics: metrics, domains: sortedDomains(config.Domains)}
	h.verifier = NewVerifier(config)
	tokens := func(region string) *sigv4.Verifier {
		of := config
		of.Region = region
		v := NewVerifier(of)
		v.Service = sts.Service
		return v
	}
	h.sts = &sts.Handler{
		Directory: config.Directory, Verifier: tokens(config.Region), Unregional: tokens(""), Log: config.Log,
	}
	h.rootXML = ownerXML(config.Directory.RootKey(), iam.RootName)
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	h.hostID = base64.StdEncoding.EncodeToString(seed[8:])
	for _, b := range seed[:8] {
		h.idSeed = h.idSeed<<8 | uint64(b)
	}
	return h
}

// NewVerifier returns what verifies the signatures of requests to a server of this configuration.
func NewVerifier(config Config) *sigv4.Verifier {
	now := config.Now
	if now == nil {
		now = time.Now
	}
	return &sigv4.Verifier{
		Region: config.Region,
		Secret: func(accessKey string) (string, bool) {
			credential, ok := config.Directory.Lookup(accessKey)
			return credential.Secret, ok
		},
		Session: func(accessKey, token string) (string, error) {
			credential, err := config.Directory.LookupSession(accessKey, token)
			if errors.Is(err, iam.ErrExpiredToken) {
				err = sigv4.ErrExpiredToken
			}
			return credential.Secret, err
		},
		Now: now,
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, virtual := h.bucketOfHost(r.Host)
	if !virtual && h.config.System != nil && isSystemRequest(r) {
		h.config.System.ServeHTTP(w, r)
		return
	}
	if !virtual && sts.Is(r) {
		h.sts.ServeHTTP(w, r)
		return
	}
	if !virtual && h.config.MinIOAdmin != nil && strings.HasPrefix(r.URL.Path, MinIOAdminPrefix) {
		h.config.MinIOAdmin.ServeHTTP(w, r)
		return
	}
	started := h.config.Now()
	if waitsWithoutBody(r) {
		w.WriteHeader(http.StatusContinue)
	}
	rq := h.newRequest(w, r)
	rq.w.set("X-Amz-Request-Id", rq.id)
	rq.w.set("X-Amz-Id-2", h.hostID)
	rq.w.set("Server", "Plimsoll")
	h.metrics.inFlight.Inc()
	defer h.metrics.inFlight.Dec()
	defer rq.finish(started)
	if err := rq.serve(host, virtual); err != nil {
		rq.fail(err)
	}
}

// waitsWithoutBody reports whether the client waits for 100 Continue to send a body of no bytes. net/http gives it none,
// as HTTP allows, and S3 did give one for most of its life. botocore before 1.43.77 counts on it: it cannot read the
// next answer on a connection where one came without (https://github.com/boto/botocore/issues/3755).
func waitsWithoutBody(r *http.Request) bool {
	return r.ContentLength == 0 && (r.Method == http.MethodPut || r.Method == http.MethodPost) &&
		r.ProtoMajor == 1 && r.ProtoMinor == 1 && strings.EqualFold(headerOf(r.Header, "Expect"), "100-continue")
}

// isSystemRequest reports whether a request is for the server itself. MinIO's health checks are understood where no
// credentials come with them: "minio" can be a bucket.
func isSystemRequest(r *http.Request) bool {
	path := r.URL.Path
	switch path {
	case "/minio/health/live", "/minio/health/ready", "/minio/health/cluster":
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		return reads && headerOf(r.Header, "Authorization") == "" && !r.URL.Query().Has("X-Amz-Signature")
	}
	return strings.HasPrefix(path, SystemPrefix) || path == strings.TrimSuffix(SystemPrefix, "/")
}

// serve runs one request up to its answer; an error becomes the answer.
func (rq *request) serve(host string, virtual bool) error {
	if err := rq.parseTarget(host, virtual); err != nil {
		return err
	}
	rq.route()
	if err := rq.checkHeaderSize(); err != nil {
		return err
	}
	if rq.r.Method == http.MethodOptions {
		return rq.preflight()
	}
	rq.allowOrigin()
	if err := rq.authenticate(); err != nil {
		return err
	}
	if err := rq.hoistHeaders(); err != nil {
		return err
	}
	if err := rq.refuseAnonymous(); err != nil {
		return err
	}
	if err := rq.refuseMisplaced(); err != nil {
		return err
	}
	if rq.op.serve == nil && rq.op.permission.action == "" {
		return rq.unserved()
	}
	if err := rq.enter(); err != nil {
		return err
	}
	if err := rq.refuseOutsiders(); err != nil {
		return err
	}
	if rq.op.serve == nil {
		return rq.unserved()
	}
	if err := rq.checkExpectedOwner(expectedOwnerHeader, rq.access); err != nil {
		return err
	}
	if err := rq.refuseHeaders(); err != nil {
		return err
	}
	rq.bringOrigin()
	return rq.hideMissing(rq.op.serve(rq))
}

// newRequestID returns 16 upper-case hexadecimal digits, unique in this process and unlikely anywhere else.
func (h *Handler) newRequestID() string {
	n := h.idSeed + h.idCount.Add(1)*0x9E3779B97F4A7C15
	var id [16]byte
	for i := range id {
		id[i] = "0123456789ABCDEF"[n>>(60-4*i)&15]
	}
	return string(id[:])
}

// fail answers with an error.
func (rq *request) fail(err error) {
	e := rq.toError(err)
	if isFault(e) {
		level := slog.LevelError
		if rq.w.lost || errors.Is(rq.r.Context().Err(), context.Canceled) {
			level = slog.LevelDebug // the client is gone
		}
		rq.handler.config.Log.Log(rq.r.Context(), level, "request failed", "request_id", rq.id,
			"operation", rq.op.name, "bucket", rq.bucket, "key", rq.key, "error", err)
	}
	rq.errorCode = e.Code
	rq.tellRefusal(err)
	if rq.w.wroteHeader {
		// The answer has begun as a success and cannot be completed: the client must see that.
		panic(http.ErrAbortHandler)
	}
	rq.writeError(e)
}

// finish ends the request, whatever became of it.
func (rq *request) finish(started time.Time) {
	recovered := recover()
	if recovered != nil && recovered != http.ErrAbortHandler { //nolint:errorlint // what panic was given, not an error chain
		rq.handler.config.Log.Error("panic", "request_id", rq.id, "operation", rq.op.name, "panic", fmt.Sprint(recovered))
		rq.errorCode = "InternalError"
		if !rq.w.wroteHeader {
			rq.writeError(s3err("InternalError"))
			recovered = nil
		}
	}
	rq.w.endDeadlines()
	rq.handler.metrics.observe(rq, rq.handler.config.Now().Sub(started))
	rq.log(started)
	if recovered != nil {
		panic(http.ErrAbortHandler)
	}
}

func (rq *request) log(started time.Time) {
	log := rq.handler.config.Log
	if !log.Enabled(rq.r.Context(), slog.LevelDebug) {
		return
	}
	log.Debug("request", "request_id", rq.id, "operation", rq.op.name, "method", rq.r.Method, "uri", loggedURI(rq.r.RequestURI),
		"status", rq.w.status, "code", rq.errorCode, "bytes_in", rq.rawBody.bytes, "bytes_out", rq.w.bytes,
		"duration", rq.handler.config.Now().Sub(started), "remote", rq.r.RemoteAddr)
}

// loggedURI is a request's target without what makes a presigned URL good: who reads logs must not be able to use it.
func loggedURI(uri string) string {
	path, query, ok := strings.Cut(uri, "?")
	if !ok {
		return uri
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		escaped, _, _ := strings.Cut(parameter, "=")
		name, err := url.QueryUnescape(escaped)
		if err != nil || strings.EqualFold(name, "X-Amz-Signature") || strings.EqualFold(name, "X-Amz-Security-Token") {
			parameters[i] = escaped + "=..."
		}
	}
	return path + "?" + strings.Join(parameters, "&")
}
