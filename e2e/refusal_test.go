package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// wire counts what a client really does: requests it starts, and bytes it writes to its connections.
type wire struct {
	attempts, written atomic.Int64
}

// options makes an SDK client use the SDK's own transport, counted.
func (w *wire) options(o *s3.Options) {
	inner := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &countedConn{conn, w}, err
		}
	})
	o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		w.attempts.Add(1)
		return inner.Do(r)
	})
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

type countedConn struct {
	net.Conn
	w *wire
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.w.written.Add(int64(n))
	return n, err
}

// headBytes is more than any request's head is, and less than any body that is looked for.
const headBytes = 16 * kib

// TestRefusalReachesSDK: 64 MiB into a bucket of 10 MiB is refused once, as 507. By default the SDK sends Expect:
// 100-continue and yet does not wait: its requests carry no protocol version, and Go's transport waits for HTTP/1.1
// requests only. So both ways the server must take enough of the body for the answer to be seen.
func TestRefusalReachesSDK(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "small:10MiB")
	body := make([]byte, 64*mib)
	const rounds = 5 // a broken pipe is a race that the client may win by chance
	for name, option := range map[string]func(*s3.Options){
		"by default":     func(*s3.Options) {},
		"without Expect": func(o *s3.Options) { o.ContinueHeaderThresholdBytes = -1 },
	} {
		for range rounds {
			var w wire
			_, err := s.sdk(w.options, option).PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("small"), Key: aws.String("k"), Body: bytes.NewReader(body),
			})
			want507(t, name, err)
			if n := w.attempts.Load(); n != 1 {
				t.Errorf("%s: %d attempts, want one", name, n)
			}
		}
	}
	s.wantUsage("small", 0, 0, 0)
	if n := s.metric("plimsoll_quota_refusals_total"); n != 2*rounds {
		t.Errorf("%v refusals counted, want %d", n, 2*rounds)
	}
}

// TestRefusalSparesBody: a client that waits for 100 Continue sends no byte of the body.
func TestRefusalSparesBody(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "small:10MiB")
	var w wire
	client := &http.Client{Transport: &http.Transport{
		ExpectContinueTimeout: time.Minute, // it waits for an answer, not for the clock
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &countedConn{conn, &w}, err
		},
	}}
	for _, size := range []int{11 * mib, 64 * mib} {
		r := s.build(request{
			method: http.MethodPut, path: "/small/k", body: make([]byte, size), payloadHash: sigv4.UnsignedPayload,
			header: map[string]string{"Expect": "100-continue"},
		})
		r.ProtoMajor, r.ProtoMinor = 1, 1
		before := w.written.Load()
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		s.read(response).want(t, "waiting", http.StatusInsufficientStorage, "QuotaExceeded")
		if n := w.written.Load() - before; n > headBytes {
			t.Errorf("%d bytes sent, want the head alone", n)
		}
	}
	// What fits is asked for.
	data := random(1, 9*mib)
	r := s.build(request{method: http.MethodPut, path: "/small/k", body: data, header: map[string]string{"Expect": "100-continue"}})
	r.ProtoMajor, r.ProtoMinor = 1, 1
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s.read(response).want(t, "fits", http.StatusOK, "")
	client.CloseIdleConnections()
	wantObject(t, s.sdk(), "small", "k", data)
}

// rawHead is the head of a signed PUT, for a test that writes to a connection itself.
func (s *server) rawHead(path string, length int64, header map[string]string) string {
	s.t.Helper()
	r := s.build(request{method: http.MethodPut, path: path, header: header, payloadHash: sigv4.UnsignedPayload})
	var head strings.Builder
	fmt.Fprintf(&head, "PUT %s HTTP/1.1\r\nHost: %s\r\n", path, r.Host)
	if length >= 0 {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", length)
	}
	for name, values := range r.Header {
		fmt.Fprintf(&head, "%s: %s\r\n", name, values[0])
	}
	return head.String() + "\r\n"
}

func (s *server) dial() net.Conn {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.address, startTimeout)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// TestRefusalReachesClientThatOnlyWrites: a client that does not look for an answer before it has sent everything, or
// can send no more, finds the whole 507 waiting.
func TestRefusalReachesClientThatOnlyWrites(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "small:10MiB")
	for _, size := range []int64{11 * mib, 64 * mib} {
		conn := s.dial()
		if _, err := io.WriteString(conn, s.rawHead("/small/k", size, nil)); err != nil {
			t.Fatal(err)
		}
		block, sent := make([]byte, 256*kib), int64(0)
		var writeErr error
		for sent < size && writeErr == nil {
			var n int
			n, writeErr = conn.Write(block[:min(int64(len(block)), size-sent)])
			sent += int64(n)
		}
		if size <= 16*mib && writeErr != nil { // within what the server drains, the pipe must not break
			t.Errorf("%d bytes: write after %d: %v", size, sent, writeErr)
		}
		a, err := s.receive(bufio.NewReader(conn))
		if err != nil {
			t.Errorf("%d bytes: no answer after %d bytes were written (%v): %v", size, sent, writeErr, err)
			continue
		}
		a.want(t, fmt.Sprintf("%d bytes", size), http.StatusInsufficientStorage, "QuotaExceeded")
		if a.err.QuotaRequested != size {
			t.Errorf("%d bytes: the answer says %d were asked for", size, a.err.QuotaRequested)
		}
		conn.Close()
	}
}

// TestRefusalComesBeforeBody: with nothing but the head sent, the answer is there.
func TestRefusalComesBeforeBody(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "small:10MiB")
	for name, header := range map[string]map[string]string{
		"Content-Length": nil,
		"Expect":         {"Expect": "100-continue"},
		"decoded length": nil,
	} {
		length := int64(64 * mib)
		head := s.rawHead("/small/k", length, header)
		if name == "decoded length" {
			// An aws-chunked body is larger than what it decodes to: only the latter is charged.
			r := s.build(request{method: http.MethodPut, path: "/small/k", payloadHash: sigv4.StreamingUnsignedTrailer, header: map[string]string{
				"X-Amz-Decoded-Content-Length": fmt.Sprint(length), "Content-Encoding": "aws-chunked",
				"X-Amz-Trailer": "x-amz-checksum-crc32",
			}})
			head = fmt.Sprintf("PUT /small/k HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n", r.Host)
			for n, v := range r.Header {
				head += n + ": " + v[0] + "\r\n"
			}
			head += "\r\n"
		}
		conn := s.dial()
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		a, err := s.receive(bufio.NewReader(conn))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Above all it is not 100 Continue for a body that will be refused.
		a.want(t, name, http.StatusInsufficientStorage, "QuotaExceeded")
		if a.err.QuotaRequested != length || !a.closes {
			t.Errorf("%s: %d bytes asked for, connection closes %v", name, a.err.QuotaRequested, a.closes)
		}
		conn.Close()
	}
}

// TestRefusalKeepsConnection: a small body is read away, and the connection serves the next request.
func TestRefusalKeepsConnection(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "tiny:100")
	var reused []bool
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { reused = append(reused, info.Reused) },
	})
	for range 3 {
		response, err := s.http.Do(s.build(request{method: http.MethodPut, path: "/tiny/k", body: make([]byte, 4096)}).WithContext(trace))
		if err != nil {
			t.Fatal(err)
		}
		s.read(response).want(t, "refused", http.StatusInsufficientStorage, "QuotaExceeded")
	}
	response, err := s.http.Do(s.build(request{method: http.MethodPut, path: "/tiny/k", body: make([]byte, 100)}).WithContext(trace))
	if err != nil {
		t.Fatal(err)
	}
	s.read(response).want(t, "stored", http.StatusOK, "")
	if fmt.Sprint(reused) != "[false true true true]" {
		t.Errorf("connections reused: %v", reused)
	}
}
