package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestListenRefusesDefaultCredentialsElsewhere(t *testing.T) {
	known := credentials{defaultAccessKey, defaultSecretKey}
	own := credentials{"own", "secret"}
	for _, test := range []struct {
		address string
		keys    credentials
		refused bool
	}{
		{"127.0.0.1:0", known, false},
		{"127.8.8.8:0", known, false},
		{"localhost:0", known, false},
		{"0.0.0.0:0", known, true},
		{":0", known, true},
		{"[::]:0", known, true},
		{"192.0.2.1:0", known, true}, // not bound: this machine does not have it
		{":0", own, false},
	} {
		s, err := listen(&serveCommand{Address: test.address}, test.keys)
		if err == nil {
			_ = s.listener.Close()
		}
		refused := err != nil && strings.Contains(err.Error(), "default credentials")
		if refused != test.refused || (err != nil && !refused) {
			t.Errorf("%s with %q: %v; want refused %v", test.address, test.keys.accessKey, err, test.refused)
		}
	}
}

// running is a server under test.
type running struct {
	*server
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, handler http.Handler, shutdownTimeout time.Duration) *running {
	t.Helper()
	s, err := listen(&serveCommand{Address: "127.0.0.1:0"}, credentials{"a", "s"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{server: s, stop: cancel, done: make(chan error, 1)}
	go func() {
		r.done <- s.run(ctx, runOptions{
			handler: handler, log: slog.New(slog.DiscardHandler), shutdownTimeout: shutdownTimeout, stopping: func() {},
		})
	}()
	return r
}

func client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	entered, release := make(chan struct{}), make(chan struct{})
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "finished")
	}), time.Minute)
	answer := make(chan string, 1)
	c := client(t)
	go func() {
		response, err := c.Get(s.url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-entered
	s.stop()
	for { // until it has stopped accepting
		connection, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			break
		}
		_ = connection.Close()
	}
	select {
	case err := <-s.done:
		t.Fatalf("the server stopped under a request: %v", err)
	default:
	}
	close(release)
	if got := <-answer; got != "finished" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	c.CloseIdleConnections()
}

func TestShutdownCutsWhatTakesTooLong(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	entered, left := make(chan struct{}), make(chan error, 1)
	s := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		_, err := io.Copy(io.Discard, r.Body) // never ends by itself
		left <- err
	}), time.Millisecond)
	connection, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nsome")
	<-entered
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	select {
	case err := <-left:
		if err == nil {
			t.Error("the handler took the body to be whole")
		}
	default:
		t.Error("run returned before the handler")
	}
}

func TestServerBounds(t *testing.T) {
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}), time.Minute)
	t.Cleanup(func() {
		s.stop()
		if err := <-s.done; err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct {
		name   string
		header int
		status int
	}{
		{"a head as large as S3 needs it", 32 << 10, http.StatusOK},
		{"a head that is too large", 128 << 10, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			connection, err := net.Dial("tcp", s.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			go fmt.Fprintf(connection, "GET / HTTP/1.1\r\nHost: h\r\nX-A: %s\r\n\r\n", strings.Repeat("a", test.header))
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != test.status {
				t.Errorf("answered %s, want %d", response.Status, test.status)
			}
		})
	}
}

func TestWriteFileAtomically(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "address")
	for _, content := range []string{"first\n", "second\n"} {
		if err := writeFileAtomically(path, content); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if err := writeFileAtomically(filepath.Join(dir, "nowhere", "address"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that does not exist: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
