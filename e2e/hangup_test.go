package e2e

import (
	"bufio"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBadLengths: a Content-Length that lies. What was promised and did not come is not an object; what came beyond it
// is not part of one.
func TestBadLengths(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	// Too little, and then the connection is half closed: the client waits for an answer.
	conn := s.dial()
	if _, err := io.WriteString(conn, s.rawHead("/bad/short", 1000, nil)+"only this"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a, err := s.receive(bufio.NewReader(conn)); err == nil {
		// net/http may end the connection instead: nobody who lies so has a right to an answer.
		a.want(t, "short", 400, "IncompleteBody")
	}
	s.send(request{method: http.MethodGet, path: "/bad/short"}).want(t, "short", 404, "NoSuchKey")

	// Too much: the rest is the beginning of another request, which is nonsense.
	conn = s.dial()
	if _, err := io.WriteString(conn, s.rawHead("/bad/long", 4, nil)+"fourand more\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	a, err := s.receive(reader)
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, "long", 200, "")
	if second, err := s.receive(reader); err == nil && second.status < 400 {
		t.Errorf("what follows the body was taken for a request: %d", second.status)
	}
	wantObject(t, s.sdk(), "bad", "long", []byte("four"))
	s.send(request{method: http.MethodDelete, path: "/bad/long"}).want(t, "delete", 204, "")

	// More than a single PutObject may have is refused before a byte of it came.
	conn = s.dial()
	if _, err := io.WriteString(conn, s.rawHead("/bad/k", 5<<30+1, nil)); err != nil {
		t.Fatal(err)
	}
	if a, err = s.receive(bufio.NewReader(conn)); err != nil {
		t.Fatal(err)
	}
	a.want(t, "over 5 GiB", 400, "EntityTooLarge")

	// Two lengths, or a length of nonsense, are refused by net/http (RFC 9112, 6.3).
	for _, lines := range []string{"Content-Length: 4\r\nContent-Length: 5\r\n", "Content-Length: -4\r\n", "Content-Length: four\r\n"} {
		conn := s.dial()
		head := strings.Replace(s.rawHead("/bad/k", -1, nil), "\r\n", "\r\n"+lines, 1)
		if _, err := io.WriteString(conn, head+"four"); err != nil {
			t.Fatal(err)
		}
		if a, err := s.receive(bufio.NewReader(conn)); err != nil || a.status != http.StatusBadRequest {
			t.Errorf("%q: %d, %v", lines, a.status, err)
		}
	}
}

// TestBadHeads: 20 MiB of headers, and heads that are no HTTP.
func TestBadHeads(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	for name, head := range map[string]string{
		"one header of 20 MiB": "GET /bad/canary HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("x", 20*mib) + "\r\n\r\n",
		"20 MiB of headers":    "GET /bad/canary HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Many: "+strings.Repeat("x", 1000)+"\r\n", 20*1024) + "\r\n",
	} {
		conn := s.dial()
		_, writeErr := io.WriteString(conn, head)
		a, err := s.receive(bufio.NewReader(conn))
		if err == nil && a.status != http.StatusRequestHeaderFieldsTooLarge && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
		if err != nil && writeErr == nil {
			t.Errorf("%s: all was read, and not answered: %v", name, err)
		}
	}
	for _, head := range []string{"\x16\x03\x01\x02\x00\x01", "GET\r\n\r\n", "GET /bad HTTP/9.9\r\n\r\n", "GET /bad/canary HTTP/1.1\r\n\r\n"} {
		conn := s.dial()
		if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if a, err := s.receive(bufio.NewReader(conn)); err == nil && a.status < 400 {
			t.Errorf("%q: %d", head, a.status)
		}
	}
	// A path that is no URL, sent as it is.
	for path, want := range map[string]int{"/bad/%zz": 400, "/bad/\x01": 400} {
		conn := s.dial()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, s.address)
		if a, err := s.receive(bufio.NewReader(conn)); err != nil || a.status != want {
			t.Errorf("%q: %d, %v", path, a.status, err)
		}
	}
}

// TestBadHangUps: the client goes away in the head, in the body, while the server commits, and in the answer.
func TestBadHangUps(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	put(t, s.sdk(), "bad", "large", random(1, 16*mib))
	body := random(2, mib)
	head := s.rawHead("/bad/hangup", int64(len(body)), nil)
	whole := head + string(body)
	for _, at := range []int{1, len(head) / 2, len(head) - 1, len(head), len(head) + 1, len(head) + len(body)/2, len(whole) - 1} {
		for _, reset := range []bool{false, true} {
			conn := s.dial()
			if _, err := io.WriteString(conn, whole[:at]); err != nil {
				t.Fatal(err)
			}
			if reset { // RST instead of FIN
				if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
					t.Fatal(err)
				}
			}
			conn.Close()
		}
	}
	s.awaitNoReservations()
	s.send(request{method: http.MethodGet, path: "/bad/hangup"}).want(t, "nothing was whole", 404, "NoSuchKey")

	// In the answer: after one byte of 16 MiB.
	for range 5 {
		r := s.build(request{method: http.MethodGet, path: "/bad/large"})
		conn := s.dial()
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	// In the middle of a document.
	for _, text := range []string{"<Delete>", "<Delete><Object><Key>canary</Key></Object>"} {
		sum := md5.Sum([]byte(text))
		r := s.build(request{
			method: http.MethodPost, path: "/bad?delete", payloadHash: "UNSIGNED-PAYLOAD",
			header: map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])},
		})
		conn := s.dial()
		fmt.Fprintf(conn, "POST /bad?delete HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000\r\n", r.Host)
		for name, values := range r.Header {
			fmt.Fprintf(conn, "%s: %s\r\n", name, values[0])
		}
		fmt.Fprintf(conn, "\r\n%s", text)
		conn.Close()
	}
	s.eventually("every request has ended", func() (bool, string) {
		n := s.metric("plimsoll_http_requests_in_flight")
		return n == 0, fmt.Sprint(n)
	})
	s.send(request{method: http.MethodDelete, path: "/bad/large"}).want(t, "delete", 204, "")
}

// TestBadSlowHead: a client that sends its head a byte at a time does not hold others up, and the server can be
// stopped while it does.
func TestBadSlowHead(t *testing.T) {
	t.Parallel()
	s := startBad(t)
	for range 50 {
		conn := s.dial()
		if _, err := io.WriteString(conn, "GET /bad/canary HT"); err != nil {
			t.Fatal(err)
		}
	}
	started := time.Now()
	wantObject(t, s.sdk(), "bad", "canary", canary)
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("another client waited %v", took)
	}
}
