package s3api

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
)

// frontOptions are how gofakes3 is set up: what it would check is checked before it, and Content-MD5 by the store.
var frontOptions = []gofakes3.Option{
	gofakes3.WithTimeSkewLimit(0),
	gofakes3.WithMetadataSizeLimit(0),
	gofakes3.WithIntegrityCheck(false),
	gofakes3.WithLogger(gofakes3.DiscardLog()),
}

// front is what gofakes3 needs for a request: the bound backend, gofakes3 around it, and the writer. A front serves one
// request at a time and is then used again; making one is a good part of what a small request costs.
type front struct {
	bound   bound
	writer  frontWriter
	request http.Request
	url     url.URL
	header  http.Header // that gofakes3 sees
	handler http.Handler
}

var fronts = sync.Pool{New: func() any {
	f := &front{header: make(http.Header)}
	f.writer = frontWriter{header: make(http.Header), bound: &f.bound}
	f.handler = gofakes3.New(&f.bound, frontOptions...).Server()
	return f
}}

// newFront returns a front for the request.
func (rq *request) newFront() *front {
	f := fronts.Get().(*front)
	f.bound.rq, f.writer.to = rq, &rq.w
	return f
}

// release ends the use of f. Nothing of the request stays in it.
func (f *front) release() {
	clear(f.header)
	clear(f.writer.header)
	headers := f.bound.headers
	clear(headers)
	f.bound = bound{headers: headers[:0]}
	f.writer = frontWriter{header: f.writer.header, bound: &f.bound}
	f.request, f.url = http.Request{}, url.URL{}
	fronts.Put(f)
}

// serve lets gofakes3 answer the request, on the backend that is bound to it, and releases f. gofakes3 sees a copy of
// the request with only what it needs: the path, the query given, and the headers in f. It sees no body: its handlers
// would read that through a hash of their own, and the store computes the sum itself.
func (f *front) serve(query url.Values) error {
	b, rq := &f.bound, f.bound.rq
	f.url = url.URL{Path: rq.path(), RawQuery: query.Encode()}
	f.request = http.Request{
		Method: rq.r.Method,
		URL:    &f.url,
		Proto:  rq.r.Proto, ProtoMajor: rq.r.ProtoMajor, ProtoMinor: rq.r.ProtoMinor,
		Header:     f.header,
		Body:       http.NoBody,
		Host:       rq.r.Host,
		RemoteAddr: rq.r.RemoteAddr,
	}
	f.handler.ServeHTTP(&f.writer, f.request.WithContext(rq.r.Context()))
	err := b.err
	if err == nil {
		err = f.writer.end()
	}
	f.release() // not where gofakes3 or the store panics: nobody knows who uses it still
	return err
}

// path is the request's path in path style.
func (rq *request) path() string {
	if rq.key == "" {
		return "/" + string(rq.bucket)
	}
	return "/" + string(rq.bucket) + "/" + string(rq.key)
}

// frontWriter stands between gofakes3 and the client. It passes a success on, with the headers that are S3's, and
// discards what gofakes3 writes of an error: s3api writes that itself.
type frontWriter struct {
	to     *responseWriter
	header http.Header
	bound  *bound

	status  int
	failure bytes.Buffer // the beginning of an error document that gofakes3 made
}

func (w *frontWriter) Header() http.Header { return w.header }

// WriteHeader passes on a success.
func (w *frontWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if w.failed() {
		return
	}
	to := w.to.Header()
	for name, values := range w.header {
		if !isFrontHeader(name) {
			to[name] = values
		}
	}
	for _, h := range w.bound.headers {
		w.to.set(h.name, h.value)
	}
	w.to.WriteHeader(status)
}

// isFrontHeader reports whether a header is gofakes3's own: its request ids, its name, its CORS, and a delete marker
// that is always "false".
func isFrontHeader(name string) bool {
	switch name {
	case "X-Amz-Id-2", "X-Amz-Request-Id", "Server", "X-Amz-Delete-Marker":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

func (w *frontWriter) failed() bool { return w.bound.err != nil || w.status >= 300 }

func (w *frontWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		if len(p) == 0 {
			return 0, nil // gofakes3 asks for a status by it; end gives one
		}
		w.WriteHeader(http.StatusOK)
	}
	if w.failed() {
		if room := 1024 - w.failure.Len(); room > 0 {
			w.failure.Write(p[:min(len(p), room)])
		}
		return len(p), nil
	}
	return w.to.Write(p)
}

// end gives a success without a body its status, and returns an error that gofakes3 found by itself.
func (w *frontWriter) end() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status < 300 {
		return nil
	}
	_, rest, _ := bytes.Cut(w.failure.Bytes(), []byte("<Code>"))
	code, _, _ := bytes.Cut(rest, []byte("</Code>"))
	if _, known := errorTable[string(code)]; known {
		return s3err(string(code))
	}
	e := s3err("InternalError")
	e.cause = gofakes3.ErrorMessage(gofakes3.ErrInternal, w.failure.String())
	return e
}
