package s3api

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// responseWriter is the client's ResponseWriter with what the middleware needs to know of the answer. It ends a
// connection that does not take the answer for the idle time.
type responseWriter struct {
	http.ResponseWriter
	controller *http.ResponseController
	idle       time.Duration

	wroteHeader bool
	lost        bool // a write has failed: the client is gone, or takes nothing
	status      int
	bytes       int64
	deadline    time.Time // of writes, as it was last set
	values      []string  // what set has put into the header
}

// usualHeaders is how many headers most answers have.
const usualHeaders = 16

// set sets a header. name is in its canonical form, or in the one that is to be sent. Unlike http.Header's Set it gives
// the values of one answer common memory.
func (w *responseWriter) set(name, value string) {
	if len(w.values) == cap(w.values) {
		w.values = make([]string, 0, usualHeaders) // the header keeps the old one
	}
	n := len(w.values)
	w.values = append(w.values, value)
	w.Header()[name] = w.values[n : n+1 : n+1]
}

// WriteHeader sets no deadline: net/http keeps the header until there is a body, a flush, or the handler's end. Two
// deadlines, one to set and one to take back, are 5 % of a HEAD.
func (w *responseWriter) WriteHeader(status int) {
	if w.wroteHeader {
		return
	}
	w.wroteHeader, w.status = true, status
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
	w.extend()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if err != nil {
		w.lost = true
	}
	return n, err
}

// extend moves the write deadline on, at most ten times in an idle time.
func (w *responseWriter) extend() {
	if w.idle <= 0 {
		return
	}
	now := time.Now()
	if w.deadline.Sub(now) > w.idle*9/10 {
		return
	}
	w.deadline = now.Add(w.idle)
	// A connection that takes no deadline is one of a test recorder.
	_ = w.controller.SetWriteDeadline(w.deadline)
}

// endDeadlines leaves the connection to the next request without this one's deadlines.
func (w *responseWriter) endDeadlines() {
	if !w.deadline.IsZero() {
		_ = w.controller.SetWriteDeadline(time.Time{})
	}
}

// idleBody is the body as it comes from the connection. It ends with os.ErrDeadlineExceeded when nothing has come for
// the idle time. Close does nothing: net/http closes the real body, and closing one that waits for 100-continue early
// makes it read on.
type idleBody struct {
	body       io.ReadCloser
	controller *http.ResponseController
	idle       time.Duration

	deadline time.Time
	bytes    int64
	ended    bool // io.EOF has been seen
	touched  bool // Read has been called: 100 Continue has gone out
}

func (b *idleBody) Read(p []byte) (int, error) {
	b.touched = true
	if b.idle > 0 {
		if now := time.Now(); b.deadline.Sub(now) <= b.idle*9/10 {
			b.deadline = now.Add(b.idle)
			_ = b.controller.SetReadDeadline(b.deadline)
		}
	}
	n, err := b.body.Read(p)
	b.bytes += int64(n)
	if err == io.EOF {
		b.ended = true
	}
	return n, err
}

func (b *idleBody) Close() error { return nil }

// Bounds of what is read of a body after its refusal, so that the client sees the answer and not a broken connection.
const (
	// keepAliveDrainBytes is how much is read so that the connection can serve the next request.
	keepAliveDrainBytes = 256 << 10
	// lastDrainBytes and lastDrainTime bound what is read after the answer on a connection that ends with it. Bodies of
	// 64 MiB are common (a part, a disk image); what is dropped costs no more than its transfer.
	lastDrainBytes = 128 << 20
	lastDrainTime  = 5 * time.Second
	// lastDrainIdle ends it earlier: a client that has sent nothing for so long is waiting for the end.
	lastDrainIdle = 500 * time.Millisecond
)

// writeError sends an error and deals with what is left of the request's body.
func (rq *request) writeError(e *Error) {
	header := rq.w.Header()
	for _, name := range entityHeaders {
		header.Del(name)
	}
	for name, value := range e.Headers {
		header.Set(name, value)
	}
	rest := rq.drainForKeepAlive()
	if rest {
		header.Set("Connection", "close")
	}
	var body []byte
	switch {
	case e.Status == http.StatusNotModified:
	case e.Quota != nil && prefersJSON(rq.r):
		header.Set("Content-Type", "application/json")
		body, _ = json.Marshal(e.Quota) // a struct of strings and numbers
	default:
		header.Set("Content-Type", "application/xml")
		body = rq.errorXML(e)
	}
	if e.Status != http.StatusNotModified {
		header.Set("Content-Length", itoa(len(body)))
	}
	rq.w.WriteHeader(e.Status)
	if rq.r.Method != http.MethodHead {
		_, _ = rq.w.Write(body) // the client may be gone
	}
	if rest {
		rq.drainLast()
	}
}

// entityHeaders are those of a success that turned into an error.
var entityHeaders = []string{
	"Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Content-Disposition", "Content-Language",
	"Cache-Control", "Expires", "Accept-Ranges",
}

// drainForKeepAlive reads the rest of a small body, so that the connection stays. It reports whether something is left:
// then the connection ends with the answer. A body that waits for 100 Continue is not asked for.
func (rq *request) drainForKeepAlive() (rest bool) {
	b := &rq.rawBody
	if b.ended || rq.r.ContentLength == 0 {
		return false
	}
	waits := !b.touched && strings.EqualFold(headerOf(rq.r.Header, "Expect"), "100-continue")
	left := rq.r.ContentLength - b.bytes
	if waits || rq.r.ContentLength < 0 || left > keepAliveDrainBytes {
		return true
	}
	_ = b.controller.SetReadDeadline(time.Now().Add(lastDrainTime))
	b.deadline = time.Now().Add(b.idle) // the deadline above stays
	_, err := io.CopyN(io.Discard, b.body, left)
	return err != nil
}

// drainLast flushes the answer and then reads on for a while: a client that is still sending would otherwise meet a
// reset connection before it reads the answer.
func (rq *request) drainLast() {
	rq.w.extend()
	_ = rq.w.controller.Flush()
	// A client that sent Expect may be sending all the same: some do not wait for long, and aws-sdk-go-v2 not at all. With
	// the answer gone, reading makes no 100 Continue go out any more.
	b := &rq.rawBody
	end := time.Now().Add(lastDrainTime)
	buffer := make([]byte, 32<<10)
	for left := lastDrainBytes; left > 0; {
		deadline := time.Now().Add(lastDrainIdle)
		if deadline.After(end) {
			deadline = end
		}
		_ = b.controller.SetReadDeadline(deadline)
		n, err := b.body.Read(buffer)
		if left -= n; err != nil {
			return
		}
	}
}

// prefersJSON reports whether the client asks for JSON and not for XML.
func prefersJSON(r *http.Request) bool {
	for _, accept := range strings.Split(headerOf(r.Header, "Accept"), ",") {
		media, _, err := mime.ParseMediaType(strings.TrimSpace(accept))
		if err != nil {
			continue
		}
		switch media {
		case "application/json", "application/problem+json":
			return true
		case "application/xml", "text/xml":
			return false
		}
	}
	return false
}

// errorXML is S3's error document.
func (rq *request) errorXML(e *Error) []byte {
	x := newXML(512)
	x.open("Error")
	x.text("Code", e.Code)
	// S3 has quotation marks in messages as they are, and elsewhere escaped.
	x.open("Message")
	x.raw(strings.ReplaceAll(string(appendEscaped(nil, e.Message)), "&quot;", `"`))
	x.close("Message")
	for _, extra := range e.Extra {
		x.text(extra.Name, extra.Value)
	}
	x.text("Resource", rq.resource())
	x.text("RequestId", rq.id)
	x.text("HostId", rq.handler.hostID)
	x.close("Error")
	return x.bytes()
}

// writeXML sends a document with status 200, and releases x.
func (rq *request) writeXML(x *xmlWriter) error {
	return rq.writeXMLAs(http.StatusOK, x)
}

// writeXMLAs is writeXML with another status.
func (rq *request) writeXMLAs(status int, x *xmlWriter) error {
	err := rq.writeDocument(status, "application/xml", x.bytes())
	x.release()
	return err
}

// writeDocument sends an answer that is there as a whole.
func (rq *request) writeDocument(status int, contentType string, document []byte) error {
	rq.w.set("Content-Type", contentType)
	rq.w.set("Content-Length", itoa(len(document)))
	rq.w.WriteHeader(status)
	_, err := rq.w.Write(document)
	return err
}
