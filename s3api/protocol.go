package s3api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Listener returns l with connections on which what net/http refuses by itself, before any handler, is answered in S3's
// form as well: headers beyond the limit, and requests that are not HTTP. Under TLS, where that cannot be told, it only
// sees to the deadlines.
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
//
// It also sends the beginning of an answer that was announced together with what follows: net/http's buffer ends within
// most bodies, and a write of its own for either side of its end is a good part of what a small answer costs.
//
// One goroutine writes, net/http's for the connection.
type protocolConn struct {
	net.Conn
	served bool // something was written

	reads, writes lazyDeadline

	// patience is for how long a write may stand still; 0 where there is no deadline, and then it is stuckTicks.
	patience atomic.Int64 // of nanoseconds; crypto/tls sets a deadline when it closes a connection beside a write
	awaited  int64        // bytes of the body that was announced; 0 where none was
	held     *[]byte      // the beginning of its answer, until the next write
	parts    [2][]byte
	unsent   net.Buffers
}

// stuckTicks is how often the connection's own deadline may pass in a write that nobody has given one, before it ends
// because its client takes nothing: a minute or two. Small answers are such writes: net/http sends them when the handler,
// and with it its deadline, is gone. Whoever does not read them would hold a goroutine and a connection for ever.
const stuckTicks = 4

// heldBytes is the length of net/http's buffer, and so of the beginning of an answer.
const heldBytes = 4 << 10

var heldPool = sync.Pool{New: func() any { p := make([]byte, 0, heldBytes); return &p }}

type connKey struct{}

// ConnContext is an http.Server's ConnContext: it lets the handler find the Listener's connection.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(*protocolConn); ok {
		return context.WithValue(ctx, connKey{}, p)
	}
	return ctx
}

// announce tells the connection how long the body of the answer will be, before anything of it is written.
func (rq *request) announce(bodyBytes int64) {
	if c, ok := rq.r.Context().Value(connKey{}).(*protocolConn); ok {
		c.awaited = bodyBytes
	}
}

// hold takes the beginning of an announced answer, and reports whether more of it will come.
func (c *protocolConn) hold(p []byte) bool {
	awaited := c.awaited
	c.awaited = 0
	if awaited == 0 || len(p) > heldBytes {
		return false
	}
	head := bytes.Index(p, headEnd)
	if head < 0 || int64(len(p)-head-len(headEnd)) >= awaited {
		return false
	}
	c.held = heldPool.Get().(*[]byte)
	*c.held = append((*c.held)[:0], p...)
	return true
}

// send writes what is held and p. A write that is slow and not stuck goes on: the deadline is moved as long as the
// client takes something.
func (c *protocolConn) send(p []byte) (int, error) {
	before := 0
	c.parts[0], c.unsent = p, c.parts[:1]
	if c.held != nil {
		before = len(*c.held)
		c.parts, c.unsent = [2][]byte{*c.held, p}, c.parts[:]
	}
	c.writes.watch(c.Conn.SetWriteDeadline)
	var sent, moved int64 // moved is what was sent since the deadline was set
	var still int         // how often a tick has passed in which nothing was
	var err error
	for {
		var n int64
		n, err = c.unsent.WriteTo(c.Conn)
		sent, moved = sent+n, moved+n
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		patience := time.Duration(c.patience.Load())
		if !c.writes.passed(c.Conn.SetWriteDeadline) {
			if still++; n > 0 {
				still = 0
			}
			if patience == 0 && still == stuckTicks {
				break
			}
			continue
		}
		if moved == 0 || patience <= 0 {
			break
		}
		moved = 0
		_ = c.writes.set(time.Now().Add(patience), c.Conn.SetWriteDeadline)
	}
	if c.held != nil {
		heldPool.Put(c.held)
		c.held = nil
	}
	c.parts, c.unsent = [2][]byte{}, nil
	return max(0, int(sent)-before), err
}

// SetWriteDeadline implements net.Conn.
func (c *protocolConn) SetWriteDeadline(t time.Time) error {
	patience := time.Duration(0)
	if !t.IsZero() {
		patience = time.Until(t)
	}
	c.patience.Store(int64(patience))
	return c.writes.set(t, c.Conn.SetWriteDeadline)
}

// SetReadDeadline implements net.Conn.
func (c *protocolConn) SetReadDeadline(t time.Time) error {
	return c.reads.set(t, c.Conn.SetReadDeadline)
}

// SetDeadline implements net.Conn.
func (c *protocolConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Read implements net.Conn.
func (c *protocolConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.reads.passed(c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// readyMade is what follows the status line of net/http's own refusals, and of nothing that this package writes.
var readyMade = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

var (
	statusLine   = []byte("HTTP/1.1 4")
	tooLargeLine = []byte("HTTP/1.1 431")
	headEnd      = []byte("\r\n\r\n")
)

const (
	refusedDrainBytes = 64 << 20
	refusedDrainTime  = 2 * time.Second
)

func (c *protocolConn) Write(p []byte) (int, error) {
	if c.served || !bytes.HasPrefix(p, statusLine) || !bytes.Contains(p[:min(len(p), 256)], readyMade) {
		c.served = true
		if c.held == nil && c.hold(p) {
			return len(p), nil
		}
		return c.send(p)
	}
	e := s3err("InvalidRequest", "The request is not well-formed HTTP.")
	if bytes.HasPrefix(p, tooLargeLine) {
		e = s3err("RequestHeaderSectionTooLarge")
	}
	x := newXML(256)
	x.open("Error")
	x.text("Code", e.Code)
	x.text("Message", e.Message)
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
	_, _ = io.CopyN(io.Discard, c, refusedDrainBytes)
}

// CloseWrite lets net/http end its side of the connection first.
func (c *protocolConn) CloseWrite() error {
	if closer, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return closer.CloseWrite()
	}
	return nil
}
