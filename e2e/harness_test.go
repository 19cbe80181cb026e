package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The keys of every server under test.
const (
	accessKey = "e2e-access-key"
	secretKey = "e2e-secret-key/with+odd=characters"
	region    = "us-east-1"
)

const (
	// startTimeout is generous: under -race, with both cores busy, a start takes seconds.
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
	// settleTimeout is how long a server may take to notice that a client is gone.
	settleTimeout = 20 * time.Second
)

// plimsoll is the server under test, built once.
var plimsoll string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	// What this machine has set for other clouds, other servers and a proxy must not reach the clients under test.
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if isForeign(name) {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	_ = os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	_ = os.Setenv("AWS_EC2_METADATA_DISABLED", "true")

	dir, err := os.MkdirTemp("", "plimsoll-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	plimsoll = filepath.Join(dir, "plimsoll")
	args := []string{"build", "-o", plimsoll}
	if raceEnabled {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../cmd/plimsoll")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the server:", err)
		return 1
	}
	return m.Run()
}

// isForeign tells the variables that would point a client, or a server, elsewhere.
func isForeign(name string) bool {
	switch name {
	case "PLIMSOLL_REQUIRE_CLIENTS", "PLIMSOLL_BIG", "PLIMSOLL_SEED":
		return false
	}
	upper := strings.ToUpper(name)
	return strings.HasPrefix(upper, "AWS_") || strings.HasPrefix(upper, "PLIMSOLL_") ||
		strings.HasPrefix(upper, "RCLONE_") || strings.HasPrefix(upper, "RESTIC_") || strings.HasPrefix(upper, "MC_") ||
		strings.HasPrefix(upper, "MINIO_") ||
		strings.HasSuffix(upper, "_PROXY") || upper == "REQUESTS_CA_BUNDLE" || upper == "CURL_CA_BUNDLE" ||
		upper == "NODE_EXTRA_CA_CERTS"
}

// server is a running plimsoll with a data directory of its own.
type server struct {
	t        testing.TB
	data     string // its data directory
	address  string // host:port
	endpoint string // scheme://host:port
	flags    []string
	compose  []string     // the environment where the server is started as one of MinIO is; nil otherwise
	http     *http.Client // trusts the server's certificate, if it has one
	command  *exec.Cmd
	exited   chan struct{} // closed when the process has ended and exit is set
	exit     error
	logs     *logBuffer
}

// start runs a server on a free port until the test ends, and then gives the verdict that every test ends with.
func start(t testing.TB, flags ...string) *server {
	t.Helper()
	return startWith(t, newHTTPClient(nil), flags...)
}

func startWith(t testing.TB, client *http.Client, flags ...string) *server {
	t.Helper()
	s := &server{t: t, data: filepath.Join(t.TempDir(), "data"), flags: flags, logs: &logBuffer{}, http: client}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server log:\n%s", s.logs.tail())
		}
	})
	s.run()
	t.Cleanup(s.verdict)
	return s
}

// run starts the process on the data directory and waits until it says where it listens.
func (s *server) run() {
	s.t.Helper()
	addressFile := filepath.Join(s.t.TempDir(), "address")
	args := append([]string{
		"serve", "--data", s.data, "--address", "127.0.0.1:0", "--address-file", addressFile,
		"--access-key", accessKey, "--secret-key", secretKey,
	}, s.flags...)
	s.command = exec.Command(plimsoll, args...)
	if s.compose != nil {
		s.command = exec.Command(plimsoll, "server", s.data, "--console-address", ":9001", "--address", "127.0.0.1:0")
		s.command.Env = append(append(os.Environ(), "PLIMSOLL_ADDRESS_FILE="+addressFile), s.compose...)
	}
	s.command.Stdout, s.command.Stderr = s.logs, s.logs
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	s.exited = exited
	go func() { // ends with the process
		s.exit = s.command.Wait()
		close(exited)
	}()

	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		raw, _ := os.ReadFile(addressFile)
		if s.address = strings.TrimSpace(string(raw)); s.address != "" {
			s.endpoint = "http://" + s.address
			if slices.Contains(s.flags, "--tls-cert") {
				s.endpoint = "https://" + s.address
			}
			return
		}
		select {
		case <-s.exited:
			s.t.Fatalf("the server ended before it listened: %v\n%s", s.exit, s.logs.tail())
		case <-deadline.C:
			_ = s.command.Process.Kill()
			s.t.Fatalf("the server does not listen after %v\n%s", startTimeout, s.logs.tail())
		case <-poll.C:
		}
	}
}

// verdict is what must hold at the end of every test, whatever it did to the server.
func (s *server) verdict() {
	s.t.Helper()
	select {
	case <-s.exited:
		s.t.Errorf("the server ended by itself: %v", s.exit)
	default:
		s.awaitNoReservations()
		s.stop()
	}
	s.check()
}

// awaitNoReservations fails the test unless every reservation is given back: at once after answers, within
// settleTimeout after a client that hung up.
func (s *server) awaitNoReservations() {
	s.t.Helper()
	s.eventually("no reservations are left", func() (bool, string) {
		n, reserved := s.metric("plimsoll_reservations"), s.metric("plimsoll_reserved_bytes")
		return n == 0 && reserved == 0, fmt.Sprintf("%v reservations of %v bytes", n, reserved)
	})
}

// eventually asks until the answer is yes, for what the server does on its own and tells no one of.
func (s *server) eventually(what string, ask func() (ok bool, state string)) {
	s.t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(settleTimeout); ; <-poll.C {
		ok, state := ask()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("not so after %v: %s: %s", settleTimeout, what, state)
			return
		}
	}
}

// stop ends the server the way a service manager does.
func (s *server) stop() {
	s.t.Helper()
	s.http.CloseIdleConnections()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("SIGTERM: %v", err)
	}
	s.await()
	if s.exit != nil {
		s.t.Errorf("exit at SIGTERM: %v, want code 0", s.exit)
	}
	if raceEnabled && s.logs.contains("DATA RACE") {
		s.t.Error("the server has a data race; its log has the report")
	}
}

// kill ends the server as a power cut would, as far as a process can tell.
func (s *server) kill() {
	s.t.Helper()
	if err := s.command.Process.Kill(); err != nil {
		s.t.Errorf("kill: %v", err)
	}
	s.await()
}

func (s *server) await() {
	s.t.Helper()
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.exited:
	case <-timeout.C:
		_ = s.command.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
		<-s.exited
		s.t.Fatalf("the server still runs %v after the signal", stopTimeout)
	}
}

// check runs "plimsoll check" on the data directory of the stopped server.
func (s *server) check() {
	s.t.Helper()
	out, err := exec.Command(plimsoll, "check", "--data", s.data).CombinedOutput()
	if err != nil {
		s.t.Errorf("plimsoll check: %v\n%s", err, out)
	}
}

// metric returns the sum of a metric's series.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint+"/_plimsoll/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.http.Do(request)
	if err != nil {
		s.t.Fatalf("metrics: %v", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("metrics: %s", response.Status)
	}
	sum, found := 0.0, false
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		v, err := strconv.ParseFloat(lines.Text()[strings.LastIndexByte(lines.Text(), ' ')+1:], 64)
		if err != nil {
			s.t.Fatalf("metric %s: %q", name, value)
		}
		sum, found = sum+v, true
	}
	if !found {
		s.t.Fatalf("the server has no metric %s", name)
	}
	return sum
}

// cli runs a plimsoll command against the server and returns what it prints.
func (s *server) cli(args ...string) string {
	s.t.Helper()
	command := exec.Command(plimsoll, args...)
	command.Env = append(os.Environ(), "PLIMSOLL_ENDPOINT="+s.endpoint,
		"PLIMSOLL_ACCESS_KEY="+accessKey, "PLIMSOLL_SECRET_KEY="+secretKey)
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("plimsoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// logBuffer keeps what the server writes.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.buf.Bytes(), []byte(s))
}

// tail is the end of the log, as much as a reader of a failed test wants.
func (l *logBuffer) tail() string {
	const keep = 16 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf.Bytes()
	if len(b) > keep {
		return "…" + string(b[len(b)-keep:])
	}
	return string(b)
}
