package s3api

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// scriptedConn takes what steps say of each write, then everything, and remembers all of it.
type scriptedConn struct {
	net.Conn
	steps     []int // bytes to take before the deadline passes
	written   []string
	deadlines int
}

func (c *scriptedConn) Write(p []byte) (int, error) {
	n, err := len(p), error(nil)
	if len(c.steps) > 0 {
		n, err = min(n, c.steps[0]), os.ErrDeadlineExceeded
		c.steps = c.steps[1:]
	}
	c.written = append(c.written, string(p[:n]))
	return n, err
}

func (c *scriptedConn) SetWriteDeadline(time.Time) error {
	c.deadlines++
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
		{"slow", time.Minute, []int{2, 1}, []string{"ab", "c", "def"}, 6, false},
		{"stuck", time.Minute, []int{2, 0}, []string{"ab", ""}, 2, true},
		{"deadline of another", 0, []int{2}, []string{"ab"}, 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
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
