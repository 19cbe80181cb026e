package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Generous: with many tests side by side, a start may take seconds.
const (
	startTimeout = time.Minute
	stopTimeout  = time.Minute
	startPoll    = 2 * time.Millisecond
)

// The keys of the servers under test.
const (
	accessKey = "conformance-access"
	secretKey = "conformance-secret"
)

// server is a running Plimsoll with a data directory of its own.
type server struct {
	target
	binary  string
	data    string
	command *exec.Cmd
	exited  chan struct{} // closed when the process has ended and exit is set
	exit    error
	logs    *bytes.Buffer // what it printed; to be read when it has ended
}

// start starts a server below dir, with TLS if that is asked for, and waits until it says where it listens.
func start(ctx context.Context, binary, dir string, secure bool) (*server, error) {
	addressFile := filepath.Join(dir, "address")
	v := &server{binary: binary, data: filepath.Join(dir, "data"), exited: make(chan struct{}), logs: &bytes.Buffer{}}
	v.command = exec.Command(binary, "serve", "--data", v.data, "--sync=none", "--log-level=debug",
		"--address=127.0.0.1:0", "--address-file", addressFile, "--shutdown-timeout=10s")
	scheme := "http://"
	if secure {
		scheme = "https://"
		key, err := writeCertificate(dir)
		if err != nil {
			return nil, err
		}
		v.certificate = filepath.Join(dir, certificateName)
		v.command.Args = append(v.command.Args, "--tls-cert", v.certificate, "--tls-key", key)
	}
	v.command.Env = append(cleanEnvironment(dir), "PLIMSOLL_ACCESS_KEY="+accessKey, "PLIMSOLL_SECRET_KEY="+secretKey)
	v.command.Stdout, v.command.Stderr = v.logs, v.logs
	if err := v.command.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	go func() { // ends with the process
		v.exit = v.command.Wait()
		close(v.exited)
	}()
	address, err := v.awaitAddress(ctx, addressFile)
	if err != nil {
		v.kill()
		return nil, fmt.Errorf("start: %w\n%s", err, v.logs)
	}
	v.target = target{endpoint: scheme + address, accessKey: accessKey, secretKey: secretKey, certificate: v.certificate}
	return v, nil
}

func (v *server) awaitAddress(ctx context.Context, file string) (string, error) {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for {
		raw, _ := os.ReadFile(file)
		if address := strings.TrimSpace(string(raw)); address != "" {
			return address, nil
		}
		select {
		case <-v.exited:
			return "", fmt.Errorf("it has ended by itself: %w", v.exit)
		case <-ctx.Done():
			return "", ctx.Err()
		case <-deadline.C:
			return "", fmt.Errorf("it does not listen after %v", startTimeout)
		case <-poll.C:
		}
	}
}

// finish ends the server and says what must not be said of it after any test: that it crashed, did not stop, or left a
// store which is not in order.
func (v *server) finish(ctx context.Context) error {
	select {
	case <-v.exited:
		return fmt.Errorf("the server ended by itself: %w", v.exit)
	default:
	}
	if err := v.command.Process.Signal(syscall.SIGTERM); err != nil {
		v.kill()
		return fmt.Errorf("SIGTERM: %w", err)
	}
	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	select {
	case <-v.exited:
	case <-deadline.C:
		_ = v.command.Process.Signal(syscall.SIGQUIT) // its goroutines go to the log
		<-v.exited
		return fmt.Errorf("the server still runs %v after SIGTERM", stopTimeout)
	}
	if v.exit != nil {
		return fmt.Errorf("exit at SIGTERM: %w", v.exit)
	}
	check := exec.CommandContext(ctx, v.binary, "check", "--data", v.data)
	check.Env = v.command.Env
	if out, err := check.CombinedOutput(); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("plimsoll check: %w\n%s", err, out)
	}
	return nil
}

// kill ends the server at once.
func (v *server) kill() {
	_ = v.command.Process.Kill()
	<-v.exited
}
