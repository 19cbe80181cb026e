package s3api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// dial opens a connection to the server that no test can hang on.
func (s *server) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// head is the head of a signed PUT with a body of size bytes.
func (s *server) head(path string, size int64, extra map[string]string) []byte {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPut, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range extra {
		r.Header.Set(name, value)
	}
	sigv4.Sign(r, testAccessKey, testSecretKey, testRegion, "UNSIGNED-PAYLOAD", time.Now())
	var b bytes.Buffer
	fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", path, r.Host, size)
	if err := r.Header.Write(&b); err != nil {
		s.t.Fatal(err)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// A client that sends 64 MiB and reads nothing until it has sent everything, or can send no more, still finds the whole
// 507 and not a reset connection.
func TestRefusalReachesAClientThatOnlySends(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 1 << 20})
	for _, size := range []int64{300 << 10, 2 << 20, 64 << 20} {
		size += 1 << 20
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			conn := s.dial()
			if _, err := conn.Write(s.head("/photos/big", size, nil)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(conn, zeros{}, size); err != nil {
				t.Fatalf("sending ended early: %v", err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != 507 || !strings.Contains(string(body), "<Code>QuotaExceeded</Code>") {
				t.Errorf("status %d, %v: %s", response.StatusCode, err, body)
			}
			if !response.Close {
				t.Error("the connection stays open with a body on its way")
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A client that waits for 100 Continue is refused without it, and sends no byte of its body.
func TestRefusalComesBefore100Continue(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 1})
	conn := s.dial()
	if _, err := conn.Write(s.head("/photos/big", 64<<20, map[string]string{"Expect": "100-continue"})); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn) // to the end of the connection: the server closes it
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(raw), "HTTP/1.1 507 ") || !strings.Contains(string(raw), "</Error>") {
		t.Errorf("%s", raw)
	}
}

// A client that waits for 100 Continue and fits is asked for its body.
func TestContinue(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	conn := s.dial()
	if _, err := conn.Write(s.head("/photos/k", 5, map[string]string{"Expect": "100-continue"})); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v, %v", response, err)
	}
	defer response.Body.Close()
	if got := s.get("/photos/k").body; got != "hello" {
		t.Errorf("%q", got)
	}
}

// A client that waits for 100 Continue without having a body gets it before the answer, whatever that is, and the
// connection stays. boto3 takes an answer without it to be that of the next request on the connection, too.
func TestContinueWithoutABody(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	conn := s.dial()
	reader := bufio.NewReader(conn)
	for _, request := range []struct {
		path   string
		header map[string]string
		status int
	}{
		{"/photos/empty", nil, 200},
		{"/photos/empty", map[string]string{"If-None-Match": "*"}, 412},
		{"/missing/empty", nil, 404},
		{"/photos/again", nil, 200},
	} {
		header := map[string]string{"Expect": "100-continue"}
		maps.Copy(header, request.header)
		if _, err := conn.Write(s.head(request.path, 0, header)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
			if line, err := reader.ReadString('\n'); err != nil || line != want {
				t.Fatalf("%s: %q, %v", request.path, line, err)
			}
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != request.status || response.Close {
			t.Errorf("%s: status %d, want %d; closed %v", request.path, response.StatusCode, request.status, response.Close)
		}
	}
}

// An object whose length nobody told is not an empty one.
func TestUploadWithoutALength(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	id := s.newUpload("/photos/m", nil)
	for _, path := range []string{"/photos/k", "/photos/m?partNumber=1&uploadId=" + id} {
		conn := s.dial()
		head := bytes.Replace(s.head(path, 0, nil), []byte("Content-Length: 0\r\n"), nil, 1)
		if _, err := conn.Write(head); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 411 || !strings.Contains(string(body), "<Code>MissingContentLength</Code>") {
			t.Errorf("%s: status %d, %v: %s", path, response.StatusCode, err, body)
		}
	}
	s.get("/photos/k").wantError(t, 404, "NoSuchKey")
}

// After a small refused body the connection serves the next request.
func TestConnectionOutlivesASmallRefusal(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 1})
	var reused []bool
	trace := func(r *http.Request) {
		*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = append(reused, info.Reused) },
		}))
	}
	for range 3 {
		s.do(call{
			method: http.MethodPut, path: "/photos/k", body: strings.Repeat("x", 100<<10), edit: trace,
		}).wantError(t, 507, "QuotaExceeded")
	}
	for i, again := range reused {
		if !again {
			t.Errorf("request %d had a new connection", i)
		}
	}
}

// A client that hangs up leaves nothing behind; newServer's end checks that.
func TestHangUp(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	head := s.head("/photos/k", 1<<20, nil)
	for _, sent := range []int{0, 10, len(head) / 2, len(head), len(head) + 1, len(head) + 70<<10} {
		conn := s.dial()
		raw := append(bytes.Clone(head), make([]byte, 70<<10)...)
		if _, err := conn.Write(raw[:sent]); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.get("/photos/k").wantError(t, 404, "NoSuchKey")
}

// A client that stops in the middle of its body is let go after the idle time.
func TestStalledBody(t *testing.T) {
	s := newServer(t, func(c *s3api.Config) { c.IdleTimeout = 200 * time.Millisecond })
	s.bucket("photos")
	conn := s.dial()
	if _, err := conn.Write(append(s.head("/photos/k", 1<<20, nil), "hello"...)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 400 || !strings.Contains(string(body), "<Code>RequestTimeout</Code>") {
		t.Errorf("status %d, %v: %s", response.StatusCode, err, body)
	}
}

// What net/http refuses before any handler has S3's form too.
func TestProtocolErrors(t *testing.T) {
	s := newServer(t)
	for name, c := range map[string]struct {
		send io.Reader
		code string
	}{
		"20 MiB of headers": {
			io.MultiReader(strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\nX-Long: "), io.LimitReader(letters{}, 20<<20),
				strings.NewReader("\r\n\r\n")), "RequestHeaderSectionTooLarge",
		},
		"not HTTP":    {strings.NewReader("hello\r\n\r\n"), "InvalidRequest"},
		"no host":     {strings.NewReader("GET / HTTP/1.1\r\n\r\n"), "InvalidRequest"},
		"two lengths": {strings.NewReader("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), "InvalidRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial()
			if _, err := io.Copy(conn, c.send); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != 400 || !strings.Contains(string(body), "<Code>"+c.code+"</Code>") {
				t.Errorf("status %d, %v: %s", response.StatusCode, err, body)
			}
		})
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// An object whose bytes look like an answer of net/http's own comes back as it is.
func TestObjectOfRefusals(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	refusal := "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n404 page"
	body := strings.Repeat(refusal+strings.Repeat("x", 64<<10-len(refusal)), 16)
	s.put("/photos/archive.warc", body)
	if got := s.get("/photos/archive.warc").want(t, 200).body; got != body {
		t.Errorf("%d bytes came back of %d, or others", len(got), len(body))
	}
}

// The headers of a request are bounded as S3 bounds them; what is within is taken.
func TestHeaderSection(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	with := func(bytes int) answer {
		return s.do(call{
			method: http.MethodPut, path: "/photos/k", header: map[string]string{"X-Something": strings.Repeat("x", bytes)},
		})
	}
	with(7<<10).want(t, 200)
	a := with(8 << 10)
	a.wantMessage(t, 400, "RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed size.")
	if !strings.Contains(a.body, "<MaxSizeAllowed>8192</MaxSizeAllowed>") {
		t.Errorf("%s", a.body)
	}
}

// A write without a body whose signature is over another one is told so before anything is looked up; reads, whose hash
// nobody can need, go on.
func TestHashOfNothing(t *testing.T) {
	s := newServer(t)
	other := strings.Repeat("0", 64)
	for path, method := range map[string]string{"/absent/k?tagging": http.MethodPut, "/absent/k?uploads": http.MethodPost} {
		s.do(call{method: method, path: path, payload: other}).wantError(t, 400, "XAmzContentSHA256Mismatch")
		s.do(call{method: method, path: path}).wantError(t, 404, "NoSuchBucket")
	}
	s.do(call{method: http.MethodGet, path: "/", payload: other}).want(t, 200)
}

// The default region is that of buckets without a LocationConstraint. By its name it is none, as on AWS.
func TestLocationConstraint(t *testing.T) {
	create := func(s *server, location string) answer {
		return s.do(call{
			method: http.MethodPut, path: "/b-" + strings.ToLower(location) + "-x", body: "<CreateBucketConfiguration><LocationConstraint>" +
				location + "</LocationConstraint></CreateBucketConfiguration>",
		})
	}
	s := newServer(t)
	for _, location := range []string{"us-east-1", "us-west-1", "EU"} {
		create(s, location).wantError(t, 400, "InvalidLocationConstraint")
	}
	create(s, "").want(t, 200)
}
