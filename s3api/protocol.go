package s3api

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"time"
)

// Listener returns l with connections on which what net/http refuses by itself, before any handler, is answered in S3's
// form as well: headers beyond the limit, and requests that are not HTTP.
func Listener(l net.Listener) net.Listener { return protocolListener{l} }

type protocolListener struct{ net.Listener }

func (l protocolListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &protocolConn{Conn: c}, nil
}

// protocolConn replaces the answers that net/http has ready-made. They are told from a handler's by their headers, and
// only before anything else was written: later on, an object's own bytes could look like one.
type protocolConn struct {
	net.Conn
	served bool // something was written
}

// readyMade is what follows the status line of net/http's own refusals, and of nothing that this package writes.
var readyMade = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

var (
	statusLine   = []byte("HTTP/1.1 4")
	tooLargeLine = []byte("HTTP/1.1 431")
)

const (
	refusedDrainBytes = 64 << 20
	refusedDrainTime  = 2 * time.Second
)

func (c *protocolConn) Write(p []byte) (int, error) {
	if c.served || !bytes.HasPrefix(p, statusLine) || !bytes.Contains(p[:min(len(p), 256)], readyMade) {
		c.served = true
		return c.Conn.Write(p)
	}
	code, message := "InvalidRequest", "The request is not well-formed HTTP."
	if bytes.HasPrefix(p, tooLargeLine) {
		code = "RequestHeaderSectionTooLarge"
		message = "Your request header and query parameters exceed the maximum allowed size."
	}
	x := newXML(256)
	x.open("Error")
	x.text("Code", code)
	x.text("Message", message)
	x.close("Error")
	head := "HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nServer: Plimsoll\r\nConnection: close\r\n" +
		"Content-Length: " + strconv.Itoa(len(x.bytes())) + "\r\n\r\n"
	if _, err := c.Conn.Write(append([]byte(head), x.bytes()...)); err != nil {
		return 0, err
	}
	c.drain()
	return len(p), nil
}

// drain reads on for a while: a client that is still sending would otherwise meet a reset connection before it reads the
// answer.
func (c *protocolConn) drain() {
	if closer, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = closer.CloseWrite() // the answer is complete
	}
	_ = c.SetReadDeadline(time.Now().Add(refusedDrainTime))
	_, _ = io.CopyN(io.Discard, c.Conn, refusedDrainBytes)
}

// CloseWrite lets net/http end its side of the connection first.
func (c *protocolConn) CloseWrite() error {
	if closer, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return closer.CloseWrite()
	}
	return nil
}
