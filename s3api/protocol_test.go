package s3api

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scriptedConn takes what steps say of each write, then everything, and remembers all of it.
type scriptedConn struct {
	net.Conn
	steps    []int // bytes to take before the deadline passes
	written  []string
	deadline time.Time
}

func (c *scriptedConn) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if len(c.steps) > 0 {
		n, err = min(n, c.steps[0]), os.ErrDeadlineExceeded
		c.steps = c.steps[1:]
		time.Sleep(time.Until(c.deadline)) // the time that a client takes who takes no more
	}
	c.written = append(c.written, string(p[:n]))
	return n, err
}

func (c *scriptedConn) SetWriteDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

// TestHeldAnswer: the beginning of an announced answer waits for what follows, and only where something will.
func TestHeldAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
	for _, test := range []struct {
		name    string
		awaited int64
		writes  []string
		held    []bool // whether nothing has gone out after each write
	}{
		{"not announced", 0, []string{head + "abc", "def"}, []bool{false, false}},
		{"more to come", 6, []string{head + "abc", "def"}, []bool{true, false}},
		{"head alone", 6, []string{head, "abcdef"}, []bool{true, false}},
		{"complete", 6, []string{head + "abcdef"}, []bool{false}},
		{"head not complete", 6, []string{head[:20], head[20:], "abcdef"}, []bool{false, false, false}},
		{"longer than the buffer", 1 << 20, []string{head + strings.Repeat("x", heldBytes), "y"}, []bool{false, false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := &scriptedConn{}
			c := &protocolConn{Conn: to, awaited: test.awaited}
			for i, p := range test.writes {
				if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
					t.Fatalf("write %d: %d, %v", i, n, err)
				}
				if held := len(to.written) == 0; held != test.held[i] {
					t.Errorf("after write %d: held: %v, want %v", i, held, test.held[i])
				}
			}
			if got, want := strings.Join(to.written, ""), strings.Join(test.writes, ""); got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
			if c.held != nil || c.awaited != 0 {
				t.Error("something is left for the next answer")
			}
		})
	}
}

// inBubble runs a test in which time passes when all wait for it.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// TestNobodyReads: a write that was given no deadline, or whose deadline was taken back, ends all the same.
func TestNobodyReads(t *testing.T) {
	for _, test := range []struct {
		name string
		set  []time.Duration
	}{{"no deadline", nil}, {"taken back", []time.Duration{time.Minute, 0}}} {
		inBubble(t, test.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			c := &protocolConn{Conn: ours}
			defer c.Close()
			for _, d := range test.set {
				at := time.Time{}
				if d > 0 {
					at = time.Now().Add(d)
				}
				_ = c.SetWriteDeadline(at)
			}
			began := time.Now()
			_, err := c.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
			if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took < time.Minute || took > 3*time.Minute {
				t.Errorf("the write ended with %v after %s", err, took)
			}
		})
	}
}

// TestSlowClient: the deadline of a write is for a client that takes nothing, not for one that takes little.
func TestSlowClient(t *testing.T) {
	for _, test := range []struct {
		name     string
		patience time.Duration
		steps    []int
		want     []string
		sent     int
		stuck    bool
	}{
		{"slow", time.Millisecond, []int{2, 1}, []string{"ab", "c", "def"}, 6, false},
		// The first nothing is that of the deadline which has passed, before the next one is set.
		{"stuck", time.Millisecond, []int{2, 0, 0}, []string{"ab", "", ""}, 2, true},
		{"slow, without a deadline", 0, []int{2, 1}, []string{"ab", "c", "def"}, 6, false},
		{"pauses, without a deadline", 0, []int{2, 0, 0, 1}, []string{"ab", "", "", "c", "def"}, 6, false},
		{"stuck, without a deadline", 0, []int{2, 0, 0, 0, 0}, []string{"ab", "", "", "", ""}, 2, true},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			to := &scriptedConn{steps: test.steps}
			c := &protocolConn{Conn: to, served: true}
			if test.patience > 0 {
				_ = c.SetWriteDeadline(time.Now().Add(test.patience))
			}
			n, err := c.Write([]byte("abcdef"))
			if n != test.sent || (err != nil) != test.stuck || !slices.Equal(to.written, test.want) {
				t.Errorf("%d bytes, %v, writes %q; want %d bytes, writes %q", n, err, to.written, test.sent, test.want)
			}
		})
	}
}

// timerConn reads as one whose deadline passes a number of times before there is something.
type timerConn struct {
	net.Conn
	passes int
	armed  []time.Time
}

func (c *timerConn) Read(p []byte) (int, error) {
	if c.passes > 0 {
		c.passes--
		return 0, os.ErrDeadlineExceeded
	}
	return copy(p, "x"), nil
}

func (c *timerConn) SetReadDeadline(t time.Time) error {
	c.armed = append(c.armed, t)
	return nil
}

// TestLazyDeadline: the connection's own deadline may be too early, and never ends what was not meant to end.
func TestLazyDeadline(t *testing.T) {
	past, soon, later := time.Unix(1, 0), time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	for _, test := range []struct {
		name   string
		asked  []time.Time
		passes int
		ends   bool
		armed  int // how often the connection's own deadline is set
	}{
		{"none", nil, 0, false, 0},
		{"not reached", []time.Time{soon}, 0, false, 1},
		{"cleared", []time.Time{soon, {}}, 1, false, 2},
		{"cleared, and passed twice", []time.Time{soon, {}}, 2, false, 3},
		{"moved on", []time.Time{soon, later}, 1, false, 2},
		{"drawn in", []time.Time{later, soon}, 0, false, 2},
		{"reached", []time.Time{past}, 1, true, 1},
		{"reached after a later one", []time.Time{later, past}, 1, true, 2},
		{"reached, then cleared", []time.Time{past, {}}, 1, false, 2},
		{"reached, then moved on", []time.Time{past, soon}, 1, false, 2},
		{"the next request's", []time.Time{soon, {}, soon, {}, soon}, 0, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := &timerConn{passes: test.passes}
			c := &protocolConn{Conn: from}
			for _, d := range test.asked {
				if err := c.SetReadDeadline(d); err != nil {
					t.Fatal(err)
				}
			}
			_, err := c.Read(make([]byte, 1))
			if got := errors.Is(err, os.ErrDeadlineExceeded); got != test.ends {
				t.Errorf("read: %v, want an end: %v", err, test.ends)
			}
			if len(from.armed) != test.armed {
				t.Errorf("the connection's deadline was set %d times, want %d: %v", len(from.armed), test.armed, from.armed)
			}
		})
	}
}

// TestDeadlineEndsARead: net/http ends the read that it has in the background by a deadline that has passed.
func TestDeadlineEndsARead(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &protocolConn{Conn: ours}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	ended := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	_ = c.SetReadDeadline(time.Unix(1, 0))
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the read ended with %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
	go func() { _, _ = theirs.Write([]byte("x")) }() // ends with the read below
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("the next read: %d, %v", n, err)
	}
}
