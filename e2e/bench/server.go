package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
	startPoll    = 2 * time.Millisecond
)

// server is a running server.
type server struct {
	spec
	place
	command *exec.Cmd
	exited  chan struct{} // closed when the process has ended
	logs    *tailBuffer
}

// start starts a server in a directory of its own below dir, and waits until it takes requests.
func start(ctx context.Context, s spec, dir string) (*server, error) {
	p := place{dir: filepath.Join(dir, s.name), addressFile: filepath.Join(dir, s.name+".address")}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, err
	}
	return launch(ctx, s, p)
}

// launch starts a server on what is in its place already.
func launch(ctx context.Context, s spec, p place) (*server, error) {
	var err error
	if p.address, err = freeAddress(); err != nil {
		return nil, err
	}
	if p.console, err = freeAddress(); err != nil {
		return nil, err
	}
	v := &server{spec: s, place: p, exited: make(chan struct{}), logs: &tailBuffer{}}
	v.command = exec.Command(s.binary, s.args(p)...)
	v.command.Dir = filepath.Dir(p.dir)
	v.command.Env = cleanEnvironment(filepath.Dir(p.dir))
	if s.env != nil {
		v.command.Env = append(v.command.Env, s.env(p)...)
	}
	v.command.Stdout, v.command.Stderr = v.logs, v.logs
	v.command.SysProcAttr = diesWithParent()
	if s.choosesPort {
		_ = os.Remove(p.addressFile)
	}
	if err := v.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	go func() { // ends with the process
		_ = v.command.Wait()
		close(v.exited)
	}()
	if err := v.awaitReady(ctx); err != nil {
		v.kill()
		return nil, fmt.Errorf("start %s: %w\n%s", s.name, err, v.logs.tail())
	}
	return v, nil
}

// freeAddress returns a port of the system's choice. Another process could take it first: nothing on loopback that
// chooses its own port does.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// cleanEnvironment is ours without what would point a server elsewhere, and with a home that has no settings.
func cleanEnvironment(home string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		upper := strings.ToUpper(name)
		foreign := upper == "HOME" || strings.HasSuffix(upper, "_PROXY")
		for _, prefix := range []string{"AWS_", "PLIMSOLL_", "MINIO_", "RCLONE_", "VGW_", "ROOT_", "GOMEMLIMIT", "GOGC"} {
			foreign = foreign || strings.HasPrefix(upper, prefix)
		}
		if !foreign {
			env = append(env, variable)
		}
	}
	return append(env, "HOME="+home)
}

// awaitReady waits until the server answers a request for a bucket that is not there, whatever it answers.
func (s *server) awaitReady(ctx context.Context) error {
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for deadline := time.Now().Add(startTimeout); ; {
		ready, err := s.ask()
		if ready {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it takes no requests after %v: %w", startTimeout, err)
		}
		select {
		case <-s.exited:
			return errors.New("it has ended by itself")
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}

func (s *server) ask() (ready bool, err error) {
	if s.choosesPort {
		raw, err := os.ReadFile(s.addressFile)
		if err != nil {
			return false, err
		}
		s.address = strings.TrimPrefix(strings.TrimSpace(string(raw)), "http://")
	}
	c := newConn(s.address)
	defer c.close()
	a, err := c.roundTrip(newSigner(s.address).appendHead(nil, "HEAD", "/not-there-1", "", -1, time.Now()), nil, false)
	if err != nil {
		return false, err
	}
	// MinIO answers 503 until it has read its disk.
	return a.status < 500, fmt.Errorf("status %d", a.status)
}

// pause stops the server's time; resume lets it go on.
func (s *server) pause()  { s.signal(syscall.SIGSTOP) }
func (s *server) resume() { s.signal(syscall.SIGCONT) }

func (s *server) signal(signal syscall.Signal) { _ = s.command.Process.Signal(signal) }

// stop ends the server in an orderly way, and kills it where it does not.
func (s *server) stop() error {
	s.resume()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopTimeout):
		s.kill()
		return fmt.Errorf("%s does not stop after %v", s.name, stopTimeout)
	}
}

// kill ends the server at once.
func (s *server) kill() {
	s.signal(syscall.SIGKILL)
	<-s.exited
}

// tailBuffer keeps the end of what a server writes.
type tailBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

const tailBytes = 4 << 10

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - tailBytes; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tailBuffer) tail() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
