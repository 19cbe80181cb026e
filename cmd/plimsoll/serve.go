package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/admin"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/minioadmin"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

type serveCommand struct {
	Data    string `default:"./plimsoll-data" env:"PLIMSOLL_DATA" placeholder:"DIR" help:"Data directory, made if missing (${default})."`
	Address string `env:"PLIMSOLL_ADDRESS" placeholder:"HOST:PORT" help:"Where to listen (127.0.0.1:9000); port 0 picks a free one."`
	keyFlags
	keyringFlags
	auditFlags

	MaxBytes    *size        `env:"PLIMSOLL_MAX_BYTES" placeholder:"SIZE|none" help:"Limit of the whole server in bytes, set at the start; what is not given stays as it was set before."`
	MaxObjects  *count       `env:"PLIMSOLL_MAX_OBJECTS" placeholder:"N|none" help:"Limit of the whole server in objects, likewise."`
	Bucket      []bucketSpec `env:"PLIMSOLL_BUCKET" placeholder:"NAME[:SIZE]" help:"Bucket to create at the start if missing, with its limit of bytes if one is given; repeatable."`
	DiskReserve string       `default:"256MiB" env:"PLIMSOLL_DISK_RESERVE" placeholder:"SIZE|PERCENT" help:"Free disk space that uploads leave alone (${default})."`
	Sync        string       `default:"always" enum:"always,none" env:"PLIMSOLL_SYNC" placeholder:"always|none" help:"always: acknowledge what is on disk; none: for tests and throw-away data (${default})."`

	QuotaThresholds thresholds `default:"80,90,100" env:"PLIMSOLL_QUOTA_THRESHOLDS" placeholder:"PERCENT,…" help:"Percentages of limits whose crossing is logged, counted and sent to webhooks (${default}); none for none."`

	Region  string   `env:"PLIMSOLL_REGION" placeholder:"REGION" help:"Region that requests are signed for (us-east-1)."`
	Domain  []string `env:"PLIMSOLL_DOMAIN" placeholder:"HOST" help:"Host name under which buckets are found as BUCKET.HOST; repeatable."`
	TLSCert string   `name:"tls-cert" env:"PLIMSOLL_TLS_CERT" placeholder:"FILE" help:"Certificate chain in PEM; serves https."`
	TLSKey  string   `name:"tls-key" env:"PLIMSOLL_TLS_KEY" placeholder:"FILE" help:"Its private key in PEM."`

	AbortUploadsAfter age `default:"7d" env:"PLIMSOLL_ABORT_UPLOADS_AFTER" placeholder:"DURATION" help:"Abort multipart uploads that were begun so long ago and are still not completed; 0 keeps them (${default})."`

	RetryAfter      time.Duration `default:"1h" env:"PLIMSOLL_RETRY_AFTER" placeholder:"DURATION" help:"Retry-After of a refusal for want of space (${default})."`
	QuotaHeaders    bool          `default:"true" negatable:"" env:"PLIMSOLL_QUOTA_HEADERS" help:"Tell in the answer to every write how much of the tightest limit is left (${default})."`
	IdleTimeout     time.Duration `default:"1m" env:"PLIMSOLL_IDLE_TIMEOUT" placeholder:"DURATION" help:"End a request that has not moved for so long (${default})."`
	ShutdownTimeout time.Duration `default:"30s" env:"PLIMSOLL_SHUTDOWN_TIMEOUT" placeholder:"DURATION" help:"How long to wait for requests under way when stopping (${default})."`

	MetricsBuckets int `default:"1000" env:"PLIMSOLL_METRICS_BUCKETS" placeholder:"N" help:"How many buckets, and how many users, have metrics of their own, the largest; the rest is summed as \"(other)\" (${default})."`

	LogFormat   string `default:"text" enum:"text,json" env:"PLIMSOLL_LOG_FORMAT" placeholder:"text|json" help:"Format of the log on standard error (${default})."`
	LogLevel    string `default:"info" enum:"debug,info,warn,error" env:"PLIMSOLL_LOG_LEVEL" placeholder:"LEVEL" help:"debug, info, warn or error (${default}); debug logs every request."`
	AddressFile string `env:"PLIMSOLL_ADDRESS_FILE" placeholder:"FILE" help:"Write the bound address, host:port, to this file once it is serving; removed when it stops."`

	// notes are what the log shall say of where settings came from.
	notes []note
}

// What holds where nothing is given. Kong does not fill it in: MinIO's variables come before it.
const (
	defaultAddress = "127.0.0.1:9000"
	defaultRegion  = "us-east-1"
)

// Validate is called by kong with the flags.
func (c *serveCommand) Validate() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together: give both or none")
	}
	if c.RetryAfter < 0 || c.ShutdownTimeout < 0 {
		return errors.New("--retry-after and --shutdown-timeout cannot be negative")
	}
	if c.IdleTimeout <= 0 {
		return errors.New("--idle-timeout must be more than 0")
	}
	if _, err := backend.ParseDiskReserve(c.DiskReserve); err != nil {
		return fmt.Errorf("--disk-reserve: %w", err)
	}
	if c.MetricsBuckets < 1 {
		return errors.New("--metrics-buckets must be more than 0")
	}
	return c.auditFlags.check()
}

// credentials returns the keys of the server, the default pair where none are given.
func (c *serveCommand) credentials() (credentials, error) {
	keys, ok, err := c.read()
	if err != nil {
		return credentials{}, err
	}
	if !ok {
		keys = credentials{defaultAccessKey, defaultSecretKey}
	}
	return keys, keys.check()
}

// gcPercent lets the heap, which is a few MiB, grow to four times what is alive before it is collected. With Go's own 100
// the collector takes a sixth of the server's processor time under small writes: PUT 4 KiB with 64 clients made 8,522/s
// with it and 9,732/s with this, for 12 MiB more.
const gcPercent = 300

// spareProcs is how many more goroutines may run than there are processors for them. The goroutine that commits is as a
// rule in a system call, and comes back from each to wait for one of Go's own places to run, behind requests that each
// could be held up as well: the system shares the processors more evenly. With one more, medians of 9 interleaved runs on
// two processors that the load's source shared: mixed 18,081/s for 16,653/s, GET 4 KiB 30,018/s for 27,088/s, PUT 4 KiB
// with 16 clients 9,885/s for 9,423/s, HEAD 37,802/s for 36,617/s, one client the same. With two more it was no better.
// The number stays what it was at the start, also where a container's is changed later; GOMAXPROCS in the environment is
// taken as it is.
const spareProcs = 1

// Run implements the command. It returns when the server has stopped.
func (c *serveCommand) Run() error {
	// Before anything else, so that a signal that comes early still ends in an orderly way.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	log := newLog(os.Stderr, c.LogFormat, c.LogLevel)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcs)
	}
	if err := c.adoptMinIO(); err != nil {
		return err
	}
	c.Address, c.Region = cmp.Or(c.Address, defaultAddress), cmp.Or(c.Region, defaultRegion)
	keys, err := c.credentials()
	if err != nil {
		return err
	}
	server, err := listen(c, keys)
	if err != nil {
		return err
	}
	defer server.listener.Close() //nolint:errcheck // it is closed already where the server has run
	log.Info("plimsoll listens", "address", server.listener.Addr().String(), "url", server.url,
		"data", c.Data, "version", readVersion().Version)
	for _, n := range c.notes {
		log.Log(ctx, n.level, n.text)
	}
	if keys.isDefault() {
		log.Warn("the credentials are the default ones, which everybody knows; set PLIMSOLL_ACCESS_KEY and "+
			"PLIMSOLL_SECRET_KEY", "access_key", keys.accessKey, "secret_key", keys.secretKey)
	}
	if c.Sync == "none" {
		log.Warn("--sync=none: a crash of the machine may lose what was acknowledged")
	}
	store, err := c.openStore(ctx, log)
	if err != nil {
		return err
	}
	keyring, directory, err := c.openDirectory(ctx, store, keys, log)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	auditLog, err := c.auditFlags.open(c, log)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	webhooks, err := webhook.Open(ctx, webhook.Options{Store: store, Keyring: keyring, Region: c.Region, Log: log})
	if err != nil {
		return errors.Join(err, auditLog.Close(), store.Close())
	}
	webhooks.Start()
	var draining atomic.Bool
	err = server.run(ctx, runOptions{
		handler:         c.handler(store, keyring, directory, webhooks, auditLog, &draining, log),
		log:             log,
		addressFile:     c.AddressFile,
		shutdownTimeout: c.ShutdownTimeout,
		stopping: func() {
			draining.Store(true)
			stop() // a second signal ends the process at once
		},
	})
	webhooks.Close()
	if err = errors.Join(err, auditLog.Close(), store.Close()); err == nil {
		log.Info("stopped")
	}
	return err
}

// openStore opens the store and brings its limits and buckets to what the flags say.
func (c *serveCommand) openStore(ctx context.Context, log *slog.Logger) (*backend.Store, error) {
	reserve, err := backend.ParseDiskReserve(c.DiskReserve)
	if err != nil {
		return nil, err
	}
	if err := refuseMinIOData(c.Data); err != nil {
		return nil, err
	}
	store, err := backend.Open(backend.Options{
		Dir: c.Data, NoSync: c.Sync == "none", Reserve: reserve, AbortUploadsAfter: time.Duration(c.AbortUploadsAfter),
		Thresholds: c.QuotaThresholds, MetricsBuckets: c.MetricsBuckets, Log: log,
	})
	if errors.Is(err, meta.ErrCorrupt) {
		return nil, fmt.Errorf("%w; \"plimsoll check --data %s\" says what is wrong, and what --repair would put right",
			explainOpen(c.Data, err), absolute(c.Data))
	}
	if err != nil {
		return nil, explainOpen(c.Data, err)
	}
	if err := c.prepare(ctx, store, log); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// openDirectory opens the users and keys of a store, with root's from the flags, and the keyring that seals them.
func (c *serveCommand) openDirectory(
	ctx context.Context, store *backend.Store, keys credentials, log *slog.Logger,
) (*encryption.Keyring, *iam.Directory, error) {
	keyring, err := c.keyringFlags.load(ctx, c.Data, store, log)
	if err != nil {
		return nil, nil, err
	}
	directory, err := iam.Open(ctx, iam.Options{
		Records: store, Keyring: keyring, RootAccessKey: keys.accessKey, RootSecretKey: keys.secretKey,
	})
	return keyring, directory, err
}

// absolute is the path of a directory from the root on, where that can be told.
func absolute(dir string) string {
	if path, err := filepath.Abs(dir); err == nil {
		return path
	}
	return dir
}

// explainOpen says what to do about a store that does not open.
func explainOpen(dir string, err error) error {
	dir = absolute(dir)
	switch {
	case errors.Is(err, meta.ErrLocked):
		return fmt.Errorf("the data directory %s is in use by another plimsoll process: stop that one first", dir)
	case errors.Is(err, meta.ErrNewerFormat):
		return fmt.Errorf("the data directory %s was written by a newer plimsoll: use that version (%w)", dir, err)
	default:
		return fmt.Errorf("open the data directory %s: %w", dir, err)
	}
}

func (c *serveCommand) prepare(ctx context.Context, store *backend.Store, log *slog.Logger) error {
	err := changeLimit(ctx, store, quota.ServerScope, (*int64)(c.MaxBytes), (*int64)(c.MaxObjects))
	if err != nil {
		return fmt.Errorf("set the server's limit: %w", err)
	}
	for _, b := range c.Bucket {
		var limit quota.Limit
		if b.maxBytes != nil {
			limit.MaxBytes = *b.maxBytes
		}
		err := store.CreateBucket(ctx, backend.CreateBucketInput{Name: meta.BucketName(b.name), Owner: iam.RootName, Limit: limit})
		switch {
		case errors.Is(err, meta.ErrBucketExists):
			err = changeLimit(ctx, store, quota.BucketScope(b.name), b.maxBytes, nil)
		case err == nil:
			log.Info("created bucket", "bucket", b.name, "max_bytes", limit.MaxBytes)
		}
		if err != nil {
			return fmt.Errorf("bucket %s: %w", b.name, err)
		}
	}
	return nil
}

// changeLimit sets the figures that are given.
func changeLimit(ctx context.Context, store *backend.Store, scope quota.Scope, maxBytes, maxObjects *int64) error {
	account, ok := store.Account(scope)
	if !ok {
		return meta.ErrNoSuchBucket
	}
	limit := account.Limit
	if maxBytes != nil {
		limit.MaxBytes = *maxBytes
	}
	if maxObjects != nil {
		limit.MaxObjects = *maxObjects
	}
	if limit == account.Limit {
		return nil
	}
	return store.SetLimit(ctx, scope, limit)
}

// handler builds what answers requests.
func (c *serveCommand) handler(
	store *backend.Store, keyring *encryption.Keyring, directory *iam.Directory, webhooks *webhook.Service,
	auditLog *audit.Log, draining *atomic.Bool, log *slog.Logger,
) *s3api.Handler {
	metrics := s3api.NewMetrics()
	registry := prometheus.NewRegistry()
	registry.MustRegister(store, metrics, webhooks, auditLog, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	config := s3api.Config{
		Store: store, Directory: directory, Keyring: keyring, Region: c.Region, Domains: c.Domain,
		RetryAfter: c.RetryAfter, IdleTimeout: c.IdleTimeout,
		Audit: auditLog, NoQuotaHeaders: !c.QuotaHeaders, Version: readVersion().Version, Webhooks: webhooks, Log: log,
	}
	config.System = admin.New(admin.Config{
		Store: store, Verifier: s3api.NewVerifier(config), Directory: directory, Webhooks: webhooks, Gatherer: registry,
		Audit: auditLog, About: c.about(), Ready: func() bool { return !draining.Load() }, Log: log,
	})
	config.MinIOAdmin = minioadmin.New(minioadmin.Config{
		Store: store, Directory: directory, Region: c.Region, Domains: c.Domain, Data: absolute(c.Data),
		Version: readVersion().Version, Commit: readVersion().Commit, Audit: auditLog, Log: log,
	})
	return s3api.New(config, metrics)
}

// buildInfo is a metric that is always 1 and tells the version in its labels.
func buildInfo() prometheus.Collector {
	v := readVersion()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plimsoll_build_info", Help: "What the server was built from; always 1.",
		ConstLabels: prometheus.Labels{"version": v.Version, "commit": v.Commit, "goversion": v.Go},
	}, func() float64 { return 1 })
}

func newLog(w io.Writer, format, level string) *slog.Logger {
	var options slog.HandlerOptions
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		panic(err) // kong has checked it against the enum
	}
	options.Level = parsed
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, &options))
	}
	return slog.New(slog.NewTextHandler(w, &options))
}

// loopbackOnly refuses an address that others may reach.
func loopbackOnly(given string, address *net.TCPAddr) error {
	if address.IP.IsLoopback() {
		return nil
	}
	where := given
	if strings.HasPrefix(given, ":") {
		where += " (all interfaces)"
	}
	return fmt.Errorf("will not listen on %s with the default credentials, which everybody knows: set "+
		"PLIMSOLL_ACCESS_KEY and PLIMSOLL_SECRET_KEY, or MINIO_ROOT_USER and MINIO_ROOT_PASSWORD, or listen on 127.0.0.1", where)
}
