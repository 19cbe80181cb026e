package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	// requestTimeout ends a request to a server that hangs.
	requestTimeout = 2 * time.Minute
	// writeTogether is the largest body that is copied behind its head, to send both in one write.
	writeTogether = 32 << 10
	// readBytes is how much of a body is read at once.
	readBytes = 256 << 10
	// keepBytes is how much of a body's beginning is kept.
	keepBytes = 256
)

var keyElement = []byte("<Key>")

// conn is a keep-alive connection that sends requests made by hand and reads answers with the least that HTTP/1.1
// takes. It dials when it must. Not safe for concurrent use.
type conn struct {
	address string
	nc      net.Conn // nil where the next request must dial
	br      *bufio.Reader
	out     []byte
	sink    []byte
	first   []byte // the beginning of the last body
	tail    []byte // the end of what was read of a body so far, where an element may begin
	dials   int
}

// answer is what is known of a response.
type answer struct {
	status int
	bytes  int64  // of the body
	first  []byte // its first keepBytes, until the next request
	keys   int    // <Key> elements in it, where they were asked for
}

func newConn(address string) *conn {
	return &conn{address: address, br: bufio.NewReaderSize(nil, 16<<10), sink: make([]byte, readBytes)}
}

func (c *conn) close() {
	if c.nc != nil {
		_ = c.nc.Close()
		c.nc = nil
	}
}

func (c *conn) dial() error {
	nc, err := net.DialTimeout("tcp", c.address, requestTimeout)
	if err != nil {
		return err
	}
	c.nc = nc
	c.br.Reset(nc)
	c.dials++
	return nil
}

// roundTrip sends a request and reads the whole answer. After an error the connection is closed.
func (c *conn) roundTrip(head, body []byte, countKeys bool) (a answer, err error) {
	if c.nc == nil {
		if err := c.dial(); err != nil {
			return a, err
		}
	}
	_ = c.nc.SetDeadline(time.Now().Add(requestTimeout))
	writeErr := c.send(head, body)
	// A server that refuses may answer without reading the body: its answer says more than the write's error.
	a, keep, err := c.receive(bytes.HasPrefix(head, []byte("HEAD ")), countKeys)
	if err != nil || writeErr != nil || !keep {
		c.close()
	}
	if err != nil && writeErr != nil {
		err = writeErr
	}
	return a, err
}

func (c *conn) send(head, body []byte) error {
	if len(body) <= writeTogether {
		c.out = append(append(c.out[:0], head...), body...)
		_, err := c.nc.Write(c.out)
		return err
	}
	parts := net.Buffers{head, body}
	_, err := parts.WriteTo(c.nc)
	return err
}

// receive reads an answer; keep reports whether the connection can take another request.
func (c *conn) receive(head, countKeys bool) (a answer, keep bool, err error) {
	c.first, c.tail = c.first[:0], c.tail[:0]
	var h header
	for {
		if h, err = c.header(); err != nil {
			return a, false, err
		}
		if h.status >= 200 {
			break
		}
	}
	a.status = h.status
	switch {
	case head || h.status == 204 || h.status == 304:
	case h.chunked:
		err = c.chunks(&a, countKeys)
	case h.length >= 0:
		err = c.body(&a, h.length, countKeys)
	default:
		h.close = true
		if err = c.body(&a, 1<<62, countKeys); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	a.first = c.first
	return a, !h.close, err
}

// header is what matters of a response's head.
type header struct {
	status  int
	length  int64 // -1 where it is not said
	chunked bool
	close   bool
}

func (c *conn) header() (header, error) {
	h := header{length: -1}
	line, err := c.br.ReadSlice('\n')
	if err != nil {
		return h, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return h, fmt.Errorf("not a status line: %q", line)
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, fmt.Errorf("not a status line: %q", line)
	}
	h.close = line[7] == '0'
	for {
		line, err = c.br.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return h, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch len(name) { // few headers get past the length
		case len("Content-Length"):
			if bytes.EqualFold(name, []byte("Content-Length")) {
				if h.length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
					return h, fmt.Errorf("not a length: %q", line)
				}
			}
		case len("Transfer-Encoding"):
			if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
				h.chunked = bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
			}
		case len("Connection"):
			if bytes.EqualFold(name, []byte("Connection")) {
				h.close = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
			}
		}
	}
}

func (c *conn) chunks(a *answer, countKeys bool) error {
	for {
		line, err := c.br.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 64)
		if err != nil {
			return fmt.Errorf("not a chunk's size: %q", line)
		}
		if err := c.body(a, n, countKeys); err != nil {
			return err
		}
		// The line's end behind a chunk; behind the last one, trailers up to an empty line.
		for {
			if line, err = c.br.ReadSlice('\n'); err != nil {
				return err
			}
			if n > 0 || len(bytes.TrimRight(line, "\r\n")) == 0 {
				break
			}
		}
		if n == 0 {
			return nil
		}
	}
}

// body reads n bytes of a body and forgets them.
func (c *conn) body(a *answer, n int64, countKeys bool) error {
	for n > 0 {
		got, err := c.br.Read(c.sink[:min(n, int64(len(c.sink)))])
		b := c.sink[:got]
		n -= int64(got)
		a.bytes += int64(got)
		if room := keepBytes - len(c.first); room > 0 {
			c.first = append(c.first, b[:min(room, got)]...)
		}
		if countKeys {
			c.tail = append(c.tail, b[:min(got, len(keyElement)-1)]...)
			a.keys += bytes.Count(c.tail, keyElement) + bytes.Count(b, keyElement)
			c.tail = append(c.tail[:0], b[max(0, got-len(keyElement)+1):]...)
		}
		if err != nil {
			if errors.Is(err, io.EOF) && n > 0 {
				return fmt.Errorf("the body ends %d bytes early: %w", n, err)
			}
			return err
		}
	}
	return nil
}
