package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const idleConnections = 1000

// memoryScenario measures what the server takes when idle, for connections that wait, and while one large object goes
// up and comes down.
func memoryScenario(ctx context.Context, s *scenario) error {
	if err := createBucket(s.server, "memory"); err != nil {
		return err
	}
	idle, err := s.noteMemory("VmRSS", 0, "idle")
	if err != nil {
		return err
	}
	clients := newClients(s.server, s.bodies, idleConnections)
	for _, c := range clients {
		// One answered request each: a connection that has never spoken costs less.
		if err := c.do(http.MethodHead, "/memory", "", nil, http.StatusOK, nil); err != nil {
			return err
		}
	}
	if _, err := s.noteMemory("VmRSS", idle, "%d idle connections", idleConnections); err != nil {
		return err
	}
	together(clients, func(c *client) { c.conn.close() })
	// What the connections left in the heap would hide what the large object takes.
	if err := s.server.stop(); err != nil {
		return err
	}
	server, err := launch(ctx, s.server.spec, s.server.place)
	if err != nil {
		return err
	}
	s.server = server
	if idle, err = s.noteMemory("VmRSS", 0, "idle after a restart"); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{{"up", s.upload}, {"down", s.download}} {
		if err := s.server.resetPeak(); err != nil {
			return err
		}
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		s.note(float64(s.bytes)/mib/time.Since(began).Seconds(), "MiB/s", "%.3g GiB %s", float64(s.bytes)/(1<<30), step.name)
		if _, err := s.noteMemory("VmHWM", idle, "peak, %.3g GiB %s", float64(s.bytes)/(1<<30), step.name); err != nil {
			return err
		}
	}
	return nil
}

// noteMemory reports memory, and how much it is more than idle, and returns it.
func (s *scenario) noteMemory(field string, idle int64, name string, args ...any) (int64, error) {
	if field == "VmRSS" {
		time.Sleep(s.calm)
	}
	now, err := s.server.memory(field)
	if err != nil {
		return 0, err
	}
	name = fmt.Sprintf(name, args...)
	s.note(float64(now)/mib, "MiB", "memory, %s", name)
	if idle > 0 {
		s.note(float64(now-idle)/mib, "MiB", "memory, %s: more than idle", name)
	}
	return now, nil
}

// pattern is a body of any length, the same bytes over and over.
type pattern struct {
	block []byte
	at    int
}

func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, p.block[p.at:])
	p.at = (p.at + n) % len(p.block)
	return n, nil
}

func (s *scenario) newPattern() *pattern {
	s.bodies.prepare(mib)
	return &pattern{block: s.bodies[mib][0]}
}

// large makes a signed request for the one large object. net/http's client serves: here no time is measured that it
// would spoil.
func (s *scenario) large(ctx context.Context, method string, body io.Reader) (*http.Response, error) {
	const path = "/memory/large"
	signer := newSigner(s.server.address)
	// The head is made for the wire; what it says is taken over.
	raw := signer.appendHead(nil, method, path, "", -1, time.Now())
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.server.address+path, body)
	if err != nil {
		return nil, err
	}
	for _, line := range bytes.Split(raw, []byte("\r\n"))[1:] {
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && string(name) != "Host" {
			r.Header.Set(string(name), string(value))
		}
	}
	if body != nil {
		r.ContentLength = s.bytes
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, keepBytes))
		return nil, fmt.Errorf("%s: %s", response.Status, text)
	}
	return response, err
}

func (s *scenario) upload(ctx context.Context) error {
	defer s.tick(func(elapsed time.Duration) { s.say("  going up for %v", elapsed.Round(time.Second)) })()
	response, err := s.large(ctx, http.MethodPut, io.LimitReader(s.newPattern(), s.bytes))
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (s *scenario) download(ctx context.Context) error {
	defer s.tick(func(elapsed time.Duration) { s.say("  coming down for %v", elapsed.Round(time.Second)) })()
	response, err := s.large(ctx, http.MethodGet, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	want, block := s.newPattern(), make([]byte, readBytes)
	expected := make([]byte, readBytes)
	var total int64
	for {
		n, err := response.Body.Read(block)
		total += int64(n)
		if _, wantErr := io.ReadFull(want, expected[:n]); wantErr != nil {
			return wantErr
		}
		if !bytes.Equal(block[:n], expected[:n]) {
			return fmt.Errorf("other bytes than were put, before %d", total)
		}
		switch {
		case err == io.EOF && total == s.bytes:
			return nil
		case err != nil:
			return fmt.Errorf("%s bytes of %s: %w", strconv.FormatInt(total, 10), strconv.FormatInt(s.bytes, 10), err)
		}
	}
}
