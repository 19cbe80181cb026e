// Package admin answers what lies beside the S3 API on the same listener: the admin API, health and metrics.
//
//	/_plimsoll/health/live    200 while the process answers; no credentials
//	/_plimsoll/health/ready   200 while it takes work, 503 when it is stopping; no credentials
//	/minio/health/…           the same, where MinIO's clients look: live, ready, cluster
//	/_plimsoll/metrics        Prometheus metrics; no credentials, as scrapers expect, so bucket names and figures are
//	                          visible to whoever reaches the port
//	/_plimsoll/admin/v1/…     the admin API, described in package adminapi; SigV4 by an administrator's access key; its
//	                          description, openapi.json, without credentials: it says nothing of this server
//
// Every answer has x-amz-request-id and Server; every error is a problem document (RFC 9457). A Handler may be used
// concurrently. Requests for the admin API are small, so their bodies are bounded by adminapi.MaxBodyBytes and must
// arrive within half a minute.
//
// # How a resource is added
//
// A resource is a line in Handler.table, a document in package adminapi, its description in a file of openapi/ (the tests
// fail without), and a method of package adminclient. What changes something is recorded in the audit log by itself:
// before and after are what GET of the same path says, unless the method has said it better with request.note. So GET
// tells no secrets. The answer of what changes something is held until it is recorded: it cannot be streamed.
package admin

import (
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
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

// Config is what a Handler serves.
type Config struct {
	Store *backend.Store
	// Verifier verifies the signatures of requests.
	Verifier *sigv4.Verifier
	// Directory knows the users: root, and whoever a policy allows iam.AdminAction, may use the admin API.
	Directory *iam.Directory
	// Webhooks are what events are sent to; nil for none.
	Webhooks *webhook.Service
	// Gatherer has the metrics.
	Gatherer prometheus.Gatherer
	// Audit records what is changed, and attempts that were denied; nil means that they are not recorded.
	Audit *audit.Log
	// About is what the server resource tells that does not change while the server runs.
	About adminapi.About
	// Ready reports whether the server takes work; nil means always.
	Ready func() bool
	// Log gets what an operator should know; nil means nowhere.
	Log *slog.Logger
}

// Handler is an http.Handler.
type Handler struct {
	config Config
	routes []route
	// describe returns the description of the API.
	describe func() ([]byte, error)
	started  time.Time
}

// New returns a handler for everything under /_plimsoll/ and /minio/health/.
func New(config Config) *Handler {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Ready == nil {
		config.Ready = func() bool { return true }
	}
	h := &Handler{config: config, describe: sync.OnceValues(describe), started: time.Now()}
	h.routes = h.table()
	return h
}

// methods are what answers each method of a resource.
type methods = map[string]func(*request) error

// route is one resource: its path, where {} stands for any one segment, at most twice.
type route struct {
	path    []string
	methods methods
	// public says that the resource is part of the admin API and needs no credentials all the same.
	public bool
	// reads are methods beside GET that change nothing, and are not recorded in the audit log.
	reads []string
	// everyone says that who has signed the request need not be an administrator.
	everyone bool
	// owner says that the path names a user, and means all buckets that they own. They may read it themselves.
	owner bool
}

func (h *Handler) table() []route {
	open := func(path string, get func(*request) error) route {
		return route{path: strings.Split(path, "/"), methods: methods{http.MethodGet: get}}
	}
	signed := func(path string, m methods) route {
		full := strings.TrimPrefix(adminapi.Prefix, "/") + path
		return route{path: strings.Split(full, "/"), methods: m}
	}
	// asking is a route none of whose methods changes what is stored, or who may do what.
	asking := func(r route) route {
		r.reads = []string{http.MethodPost, http.MethodDelete}
		return r
	}
	ofOwner := func(path string, m methods) route {
		r := signed(path, m)
		r.owner = true
		return r
	}
	self := signed("users/"+iam.SelfName, methods{"GET": getSelf})
	self.everyone = true
	description := signed("openapi.json", methods{"GET": getDescription})
	description.public = true
	quotas := methods{"GET": getQuota, "PUT": putQuota, "PATCH": patchQuota, "DELETE": deleteQuota}
	metrics := promhttp.HandlerFor(h.config.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(h.config.Log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
		DisableCompression:  true, // see scrape
	})
	return []route{
		open("_plimsoll/health/live", live),
		open("_plimsoll/health/ready", ready),
		open("minio/health/live", live),
		open("minio/health/ready", ready),
		open("minio/health/cluster", ready),
		open("_plimsoll/metrics", func(rq *request) error { return rq.scrape(metrics) }),
		description,
		signed("server", methods{"GET": getServer}),
		signed("audit", methods{"GET": getAudit}),
		signed("usage", methods{"GET": getOverview}),
		signed("usage/{}", methods{"GET": getUsage}),
		ofOwner("usage/owners/{}", methods{"GET": getUsage}),
		signed("history/server", methods{"GET": getHistory}),
		signed("history/buckets/{}", methods{"GET": getHistory}),
		ofOwner("history/owners/{}", methods{"GET": getHistory}),
		asking(signed("reports", methods{"GET": getReports, "POST": postReport})),
		asking(signed("reports/{}", methods{"GET": getReport, "DELETE": deleteReport})),
		signed("uploads", methods{"GET": getUploadSummaries}),
		signed("uploads/{}", methods{"GET": getUploads}),
		signed("uploads/{}/abort", methods{"POST": abortUploads}),
		signed("versions/{}/prune", methods{"POST": pruneVersions}),
		signed("quotas", methods{"GET": getQuotas}),
		signed("quotas/server", quotas),
		signed("quotas/buckets/{}", quotas),
		ofOwner("quotas/owners/{}", quotas),
		signed("quotas/buckets/{}/prefixes", methods{"GET": getPrefixes}),
		signed("quotas/buckets/{}/prefixes/{}", quotas),
		signed("quotas/defaults", methods{"GET": getDefaults}),
		signed("quotas/defaults/buckets", defaults(func(d *backend.Defaults) *quota.Limit { return &d.Bucket })),
		signed("quotas/defaults/owners", defaults(func(d *backend.Defaults) *quota.Limit { return &d.Owner })),
		signed("quotas/check", methods{"GET": getCheck}),
		signed("buckets", methods{"GET": getBuckets}),
		signed("buckets/{}", methods{"GET": getBucket, "PUT": putBucket, "DELETE": deleteBucket}),
		self, // before the users with names
		signed("users", methods{"GET": getUsers}),
		signed("users/{}", methods{"GET": getUser, "PUT": putUser, "PATCH": patchUser, "DELETE": deleteUser}),
		signed("users/{}/policies/{}", methods{"PUT": attachPolicy, "DELETE": detachPolicy}),
		signed("users/{}/keys", methods{"GET": getKeysOfUser, "POST": createKey}),
		signed("keys", methods{"GET": getKeys}),
		signed("keys/{}", methods{"GET": getKey, "PATCH": patchKey, "DELETE": deleteKey}),
		signed("keys/{}/rotate", methods{"POST": rotateKey}),
		signed("webhooks", methods{"GET": getWebhooks}),
		signed("webhooks/{}", methods{"GET": getWebhook, "PUT": putWebhook, "PATCH": patchWebhook, "DELETE": deleteWebhook}),
		asking(signed("webhooks/{}/test", methods{"POST": testWebhook})),
		signed("events", methods{"GET": getEvents}),
		signed("policies", methods{"GET": getPolicies}),
		signed("policies/{}", methods{"GET": getPolicy, "PUT": putPolicy, "DELETE": deletePolicy}),
	}
}

// match reports whether path is the route's, and what stands for each {}.
func (t *route) match(path []string) (names [2]string, ok bool) {
	if len(path) != len(t.path) {
		return names, false
	}
	n := 0
	for i, segment := range t.path {
		switch {
		case segment == "{}" && path[i] != "":
			names[n] = path[i]
			n++
		case segment != path[i]:
			return names, false
		}
	}
	return names, true
}

// allow lists the methods of the route as the Allow header has them.
func (t *route) allow() string {
	var names []string
	if t.methods[http.MethodGet] != nil {
		names = append(names, http.MethodHead)
	}
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
	name    string        // the path's first variable segment: a bucket's name, or another; or empty
	second  string        // the path's second variable segment, or empty
	owner   bool          // route.owner
	body    []byte        // of a signed request, held to its hash
	who     *iam.Identity // of a signed request

	accessKey     string // of a signed request, as it was given
	before, after any    // what is changed, for the audit log
	noted         bool   // before and after are set
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{handler: h, w: w, r: r, id: control.NewID()}
	defer control.Begin(w, rq.id)()
	if err := rq.serve(); err != nil {
		rq.fail(err)
	}
}

func (rq *request) serve() error {
	path, err := segments(rq.r.URL)
	if err != nil {
		return problem("InvalidURI", http.StatusBadRequest, "The path is not validly encoded.")
	}
	t := rq.route(path)
	if strings.HasPrefix(rq.r.URL.Path, adminapi.Prefix) && (t == nil || !t.public) {
		// Before anything is said of what exists.
		if err := rq.authenticate(t); err != nil {
			rq.recordDenial(err)
			return err
		}
	}
	if t == nil {
		return problem("NotFound", http.StatusNotFound, "There is nothing at this path.")
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
	if method == http.MethodGet || slices.Contains(t.reads, method) {
		return answer(rq)
	}
	return rq.recorded(t, answer)
}

// route finds the resource at a path, and keeps the variable segments; nil where there is none.
func (rq *request) route(path []string) *route {
	for i := range rq.handler.routes {
		t := &rq.handler.routes[i]
		if names, ok := t.match(path); ok {
			rq.name, rq.second, rq.owner = names[0], names[1], t.owner
			return t
		}
	}
	return nil
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
