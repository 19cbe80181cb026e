package s3api_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// benchHandler is a handler without a network, over a store that does not sync: what is left is the front end's own cost
// and the engine's.
func benchHandler(b *testing.B, change ...func(*s3api.Config)) http.Handler {
	b.Helper()
	store, err := backend.Open(backend.Options{Dir: b.TempDir(), NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := store.CreateBucket(context.Background(), backend.CreateBucketInput{Name: "bench", Owner: "o"}); err != nil {
		b.Fatal(err)
	}
	config := s3api.Config{
		Store: store, Directory: newDirectory(b, store), Keyring: newKeyring(b), Region: testRegion,
		IdleTimeout: time.Minute, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&config)
	}
	return s3api.New(config, s3api.NewMetrics())
}

// discard is a ResponseWriter that keeps the status only.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header              { return d.header }
func (d *discard) WriteHeader(status int)           { d.status = status }
func (d *discard) Write(p []byte) (int, error)      { return len(p), nil }
func (d *discard) SetReadDeadline(time.Time) error  { return nil }
func (d *discard) SetWriteDeadline(time.Time) error { return nil }

// signed returns a signed request as a server gets it.
func signed(b *testing.B, method, target string, body []byte) *http.Request {
	b.Helper()
	r, err := http.NewRequest(method, "http://127.0.0.1:9000"+target, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		b.Fatal(err)
	}
	r.ContentLength = int64(len(body))
	if body == nil {
		r.Body = http.NoBody
	}
	r.RequestURI = target
	sigv4.Sign(r, testAccessKey, testSecretKey, testRegion, "UNSIGNED-PAYLOAD", time.Now())
	return r
}

// serve sends one signed request through the handler.
func serve(b *testing.B, h http.Handler, method, target string, body []byte, want int) {
	b.Helper()
	handle(b, h, signed(b, method, target, body), want)
}

func handle(b *testing.B, h http.Handler, r *http.Request, want int) {
	b.Helper()
	w := &discard{header: make(http.Header)}
	h.ServeHTTP(w, r)
	if w.status != want {
		b.Fatalf("%s %s: status %d, want %d", r.Method, r.RequestURI, w.status, want)
	}
}

// BenchmarkRequest is the cost of whole requests but for the network; making and signing the request is in it ("sign"
// shows how much that is).
func BenchmarkRequest(b *testing.B) {
	h := benchHandler(b)
	small := bytes.Repeat([]byte("x"), 4<<10)
	for i := range 10_000 {
		serve(b, h, http.MethodPut, fmt.Sprintf("/bench/list/%05d", i), nil, 200)
	}
	serve(b, h, http.MethodPut, "/bench/small", small, 200)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:9000/bench/small", nil)
			if err != nil {
				b.Fatal(err)
			}
			sigv4.Sign(r, testAccessKey, testSecretKey, testRegion, "UNSIGNED-PAYLOAD", time.Now())
		}
	})
	b.Run("head", func(b *testing.B) {
		for b.Loop() {
			serve(b, h, http.MethodHead, "/bench/small", nil, 200)
		}
	})
	b.Run("get 4 KiB", func(b *testing.B) {
		for b.Loop() {
			serve(b, h, http.MethodGet, "/bench/small", nil, 200)
		}
	})
	b.Run("put 4 KiB", func(b *testing.B) {
		for b.Loop() {
			serve(b, h, http.MethodPut, "/bench/small", small, 200)
		}
	})
	for _, list := range []struct{ name, query string }{
		{"list 1000", "list-type=2&prefix=list/"},
		{"list 1000 v1 url", "prefix=list/&encoding-type=url"},
		{"list 1000 with delimiter", "list-type=2&prefix=list/&delimiter=00"},
	} {
		b.Run(list.name, func(b *testing.B) {
			for b.Loop() {
				serve(b, h, http.MethodGet, "/bench?"+list.query, nil, 200)
			}
		})
	}
}

// BenchmarkAnswer is BenchmarkRequest without the making and the signing of requests: each is made once and answered
// again and again.
func BenchmarkAnswer(b *testing.B) {
	h := benchHandler(b)
	small := bytes.Repeat([]byte("x"), 4<<10)
	serve(b, h, http.MethodPut, "/bench/small", small, 200)
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		b.Run(method, func(b *testing.B) {
			r := signed(b, method, "/bench/small", nil)
			for b.Loop() {
				handle(b, h, r, 200)
			}
		})
	}
	b.Run("PUT", func(b *testing.B) {
		r, body := signed(b, http.MethodPut, "/bench/small", small), bytes.NewReader(small)
		r.Body = io.NopCloser(body)
		for b.Loop() {
			body.Reset(small)
			handle(b, h, r, 200)
		}
	})
	limited := func(c *s3api.Config) {
		for _, scope := range []quota.Scope{quota.BucketScope("bench"), quota.OwnerScope("o"), quota.ServerScope} {
			if err := c.Store.SetLimit(context.Background(), scope, quota.Limit{MaxBytes: 1 << 40}); err != nil {
				b.Fatal(err)
			}
		}
	}
	// What the x-plimsoll-quota- headers cost a write: compare these two.
	for _, test := range []struct {
		name string
		off  bool
	}{{"PUT limited, without headers", true}, {"PUT limited", false}} {
		b.Run(test.name, func(b *testing.B) {
			h := benchHandler(b, limited, func(c *s3api.Config) { c.NoQuotaHeaders = test.off })
			r, body := signed(b, http.MethodPut, "/bench/small", small), bytes.NewReader(small)
			r.Body = io.NopCloser(body)
			for b.Loop() {
				body.Reset(small)
				handle(b, h, r, 200)
			}
		})
	}
	b.Run("no such key", func(b *testing.B) {
		r := signed(b, http.MethodGet, "/bench/none", nil)
		for b.Loop() {
			handle(b, h, r, 404)
		}
	})
}

// BenchmarkConnection is the cost of requests with the network: one connection that is kept, and a client that does
// little but write and read. Compare "empty", a handler that does nothing.
func BenchmarkConnection(b *testing.B) {
	h := benchHandler(b)
	small, large := bytes.Repeat([]byte("x"), 4<<10), bytes.Repeat([]byte("x"), 16<<20)
	serve(b, h, http.MethodPut, "/bench/small", small, 200)
	serve(b, h, http.MethodPut, "/bench/large", large, 200)
	empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, test := range []struct {
		name, method, target string
		handler              http.Handler
		bodyBytes            int64
	}{
		{"empty", http.MethodHead, "/bench/small", empty, 0},
		{"HEAD", http.MethodHead, "/bench/small", h, 0},
		{"GET", http.MethodGet, "/bench/small", h, int64(len(small))},
		{"GET 16 MiB", http.MethodGet, "/bench/large", h, int64(len(large))},
	} {
		b.Run(test.name, func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			server := &http.Server{
				Handler: test.handler, ReadHeaderTimeout: time.Minute, ConnContext: s3api.ConnContext,
			}
			go func() { _ = server.Serve(s3api.Listener(listener)) }() // Close ends it
			defer server.Close()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			var request bytes.Buffer
			if err := signed(b, test.method, test.target, nil).Write(&request); err != nil {
				b.Fatal(err)
			}
			reader := bufio.NewReaderSize(conn, 16<<10)
			for b.Loop() {
				if _, err := conn.Write(request.Bytes()); err != nil {
					b.Fatal(err)
				}
				line, err := reader.ReadSlice('\n')
				if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
					b.Fatalf("%q, %v", line, err)
				}
				for len(line) > len("\r\n") {
					if line, err = reader.ReadSlice('\n'); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := io.CopyN(io.Discard, reader, test.bodyBytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
