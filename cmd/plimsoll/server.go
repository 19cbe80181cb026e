package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/s3api"
)

// Bounds of what a connection may take. Bodies are bounded by s3api, which knows how they move.
const (
	// headerTimeout bounds reading a request's head, so that slow clients do not pile up.
	headerTimeout = 30 * time.Second
	// keepAliveTimeout is how long a connection may wait for its next request.
	keepAliveTimeout = 2 * time.Minute
	// maxHeaderBytes bounds a request's head: more than a presigned URL with a long key and 2 KiB of metadata needs.
	// s3api.Listener says so in S3's form; over TLS it is net/http's own 431.
	maxHeaderBytes = 64 << 10
	// cutTimeout is how long handlers have to return after their connections have been cut.
	cutTimeout = 5 * time.Second
)

// server is a bound listener, and how to speak on it.
type server struct {
	listener *net.TCPListener
	tls      *tls.Config // nil for http
	url      string
}

// listen binds the address of c. With the default credentials it binds loopback addresses only.
func listen(c *serveCommand, keys credentials) (*server, error) {
	s := &server{url: "http://"}
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		s.url = "https://"
		s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	// What is judged must be what is bound: a name is resolved once.
	address, err := net.ResolveTCPAddr("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("--address %s: %w", c.Address, err)
	}
	if keys.isDefault() {
		if err := loopbackOnly(c.Address, address); err != nil {
			return nil, err
		}
	}
	if s.listener, err = net.ListenTCP("tcp", address); err != nil {
		return nil, fmt.Errorf("--address %s: %w", c.Address, err)
	}
	s.url += s.listener.Addr().String()
	return s, nil
}

// runOptions is what a server needs to run.
type runOptions struct {
	handler     http.Handler
	log         *slog.Logger
	addressFile string // gets the bound address; none where empty
	// shutdownTimeout bounds how long requests under way may go on after ctx has ended.
	shutdownTimeout time.Duration
	// stopping is called when ctx has ended, before the server waits.
	stopping func()
}

// run serves until ctx ends, and returns when no handler is running any more.
func (s *server) run(ctx context.Context, o runOptions) error {
	inFlight := &inFlight{handler: o.handler}
	// Requests go on after ctx has ended; cut ends them.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	h := &http.Server{
		Handler:           inFlight,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       keepAliveTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       s3api.ConnContext,
		Protocols:         new(http.Protocols),
	}
	// S3 clients speak HTTP/1.1. Over HTTP/2 a refusal before the body would be a stream reset, Expect and
	// Connection: close would mean nothing, and one connection's flow control would be shared by all uploads on it.
	h.Protocols.SetHTTP1(true)
	if o.addressFile != "" {
		// One that is left of a run that was killed has an address of the past.
		_ = os.Remove(o.addressFile)
		defer os.Remove(o.addressFile) //nolint:errcheck // it may never have been written
	}
	served := make(chan error, 1) // written once, when the goroutine below ends: h.Shutdown stops it
	go func() {
		if s.tls != nil {
			h.TLSConfig = s.tls
			served <- h.ServeTLS(s3api.Listener(s.listener), "", "")
			return
		}
		served <- h.Serve(s3api.Listener(s.listener))
	}()
	var err error
	if o.addressFile != "" {
		err = writeFileAtomically(o.addressFile, s.listener.Addr().String()+"\n")
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-served:
			return fmt.Errorf("serve: %w", err)
		}
	}
	o.stopping()
	o.log.Info("stopping", "timeout", o.shutdownTimeout.String())
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.shutdownTimeout)
	defer cancel()
	if shutdownErr := h.Shutdown(deadline); shutdownErr != nil {
		o.log.Warn("requests are still under way: cutting their connections", "requests", inFlight.count())
		cut()
		err = errors.Join(err, h.Close())
	}
	if !inFlight.wait(cutTimeout) {
		o.log.Warn("requests did not end in time", "requests", inFlight.count())
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// inFlight counts the requests that a handler is serving. http.Server.Close cuts connections without waiting for the
// handlers on them, and the store must not be closed under those.
type inFlight struct {
	handler http.Handler

	mu      sync.Mutex
	n       int           // guarded by mu
	stopped chan struct{} // guarded by mu; set by wait: no more are let in, closed when n is 0
}

// ServeHTTP implements http.Handler.
func (f *inFlight) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.stopped != nil {
		f.mu.Unlock()
		panic(http.ErrAbortHandler) // the connection is being closed
	}
	f.n++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.n--; f.n == 0 && f.stopped != nil {
			close(f.stopped)
		}
	}()
	f.handler.ServeHTTP(w, r)
}

func (f *inFlight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// wait lets no more requests in, and reports whether all have ended within the timeout. It is called once.
func (f *inFlight) wait(timeout time.Duration) bool {
	f.mu.Lock()
	stopped := make(chan struct{})
	if f.stopped = stopped; f.n == 0 {
		close(stopped)
	}
	f.mu.Unlock()
	select {
	case <-stopped:
		return true
	case <-time.After(timeout):
		return false
	}
}

// writeFileAtomically replaces a file, so that who looks for it finds all of it or nothing.
func writeFileAtomically(path, content string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
