// Package admin answers what lies beside the S3 API on the same listener: the admin API, health and metrics.
//
//	/_plimsoll/health/live    200 while the process answers; no credentials
//	/_plimsoll/health/ready   200 while it takes work, 503 when it is stopping; no credentials
//	/minio/health/…           the same, where MinIO's clients look: live, ready, cluster
//	/_plimsoll/metrics        Prometheus metrics; no credentials, as scrapers expect, so bucket names and figures are
//	                          visible to whoever reaches the port
//	/_plimsoll/admin/v1/…     the admin API, described in package adminapi; SigV4 by the server's own access key
//
// Every answer has x-amz-request-id and Server; every error is a problem document (RFC 9457). A Handler may be used
// concurrently. Requests for the admin API are small, so their bodies are bounded by adminapi.MaxBodyBytes and must
// arrive within half a minute.
package admin

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// requestTime bounds reading a request's body and writing its answer.
const requestTime = 30 * time.Second

// Config is what a Handler serves.
type Config struct {
	Store *backend.Store
	// Verifier verifies the signatures of requests.
	Verifier *sigv4.Verifier
	// AccessKey is the key whose holder may use the admin API. Buckets made with it belong to it.
	AccessKey string
	// Gatherer has the metrics.
	Gatherer prometheus.Gatherer
	// Ready reports whether the server takes work; nil means always.
	Ready func() bool
	// Log gets what an operator should know; nil means nowhere.
	Log *slog.Logger
}

// Handler is an http.Handler.
type Handler struct {
	config Config
	routes []route
	// limitMu makes the read, the change and the write of a limit one step. Nothing else in the process sets limits
	// while the server runs.
	limitMu sync.Mutex
}

// New returns a handler for everything under /_plimsoll/ and /minio/health/.
func New(config Config) *Handler {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Ready == nil {
		config.Ready = func() bool { return true }
	}
	h := &Handler{config: config}
	h.routes = h.table()
	return h
}

// route is one resource: its path, where {} stands for any one segment, and what answers each method.
type route struct {
	path    []string
	signed  bool
	methods map[string]func(*request) error
}

func (h *Handler) table() []route {
	open := func(path string, get func(*request) error) route {
		return route{path: strings.Split(path, "/"), methods: map[string]func(*request) error{http.MethodGet: get}}
	}
	signed := func(path string, methods map[string]func(*request) error) route {
		full := strings.TrimPrefix(adminapi.Prefix, "/") + path
		return route{path: strings.Split(full, "/"), signed: true, methods: methods}
	}
	type methods = map[string]func(*request) error
	quotas := methods{"GET": getQuota, "PUT": putQuota, "PATCH": patchQuota, "DELETE": deleteQuota}
	metrics := promhttp.HandlerFor(h.config.Gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(h.config.Log.Handler(), slog.LevelWarn),
	})
	return []route{
		open("_plimsoll/health/live", live),
		open("_plimsoll/health/ready", ready),
		open("minio/health/live", live),
		open("minio/health/ready", ready),
		open("minio/health/cluster", ready),
		open("_plimsoll/metrics", func(rq *request) error {
			metrics.ServeHTTP(rq.w, rq.r)
			return nil
		}),
		signed("usage", methods{"GET": getOverview}),
		signed("usage/{}", methods{"GET": getUsage}),
		signed("quotas", methods{"GET": getQuotas}),
		signed("quotas/server", quotas),
		signed("quotas/buckets/{}", quotas),
		signed("buckets", methods{"GET": getBuckets}),
		signed("buckets/{}", methods{"GET": getBucket, "PUT": putBucket, "DELETE": deleteBucket}),
	}
}

// match reports whether path is the route's, and what stands for {}.
func (t *route) match(path []string) (name string, ok bool) {
	if len(path) != len(t.path) {
		return "", false
	}
	for i, segment := range t.path {
		switch {
		case segment == "{}" && path[i] != "":
			name = path[i]
		case segment != path[i]:
			return "", false
		}
	}
	return name, true
}

// allow lists the methods of the route as the Allow header has them.
func (t *route) allow() string {
	names := []string{http.MethodHead}
	for name := range t.methods {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// request is one request on its way.
type request struct {
	handler *Handler
	w       http.ResponseWriter
	r       *http.Request
	id      string
	name    string // the path's variable segment: a bucket's name, or empty
	body    []byte // of a signed request, held to its hash
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{handler: h, w: w, r: r, id: newRequestID()}
	header := w.Header()
	header.Set("X-Amz-Request-Id", rq.id)
	header.Set("Server", "Plimsoll")
	header.Set("Cache-Control", "no-store")
	// A connection that takes no deadline is one of a test recorder. net/http sets the read deadline anew for the next
	// request on the connection, but leaves the one for writing.
	controller := http.NewResponseController(w)
	deadline := time.Now().Add(requestTime)
	_ = controller.SetReadDeadline(deadline)
	_ = controller.SetWriteDeadline(deadline)
	defer func() { _ = controller.SetWriteDeadline(time.Time{}) }()
	if err := rq.serve(); err != nil {
		rq.fail(err)
	}
}

func (rq *request) serve() error {
	path, err := segments(rq.r.URL)
	if err != nil {
		return problem("InvalidURI", http.StatusBadRequest, "The path is not validly encoded.")
	}
	if strings.HasPrefix(rq.r.URL.Path, adminapi.Prefix) {
		// Before anything is said of what exists.
		if err := rq.authenticate(); err != nil {
			return err
		}
	}
	for i := range rq.handler.routes {
		t := &rq.handler.routes[i]
		name, ok := t.match(path)
		if !ok {
			continue
		}
		method := rq.r.Method
		if method == http.MethodHead {
			method = http.MethodGet // net/http leaves the body out
		}
		answer := t.methods[method]
		if answer == nil {
			rq.w.Header().Set("Allow", t.allow())
			return problem("MethodNotAllowed", http.StatusMethodNotAllowed,
				fmt.Sprintf("%s is not among the methods of this resource: %s.", rq.r.Method, t.allow()))
		}
		rq.name = name
		return answer(rq)
	}
	return problem("NotFound", http.StatusNotFound, "There is nothing at this path.")
}

// segments splits a path before it decodes it: an escaped slash is part of a name.
func segments(u *url.URL) ([]string, error) {
	path := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, segment := range path {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		path[i] = decoded
	}
	return path, nil
}

func live(rq *request) error {
	rq.w.WriteHeader(http.StatusOK)
	return nil
}

func ready(rq *request) error {
	if !rq.handler.config.Ready() {
		return problem("ServiceUnavailable", http.StatusServiceUnavailable, "The server is stopping.")
	}
	rq.w.WriteHeader(http.StatusOK)
	return nil
}

// newRequestID returns 16 upper-case hexadecimal digits.
func newRequestID() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}
