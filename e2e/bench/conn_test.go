package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func bufferedReader(raw []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(raw)) }

func TestReceive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, raw    string
		head         bool
		status, keys int
		bytes        int64
		first        string
		keep, fails  bool
	}{
		{name: "length", raw: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", status: 200, bytes: 5, first: "hello", keep: true},
		{name: "continue", raw: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, keep: true},
		{
			name: "chunks", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n<Key><K\r\nA;x=y\r\ney></Key>!\r\n0\r\nT: 1\r\n\r\n",
			status: 200, bytes: 17, first: "<Key><Key></Key>!", keys: 2, keep: true,
		},
		{name: "head", head: true, raw: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", status: 200, keep: true},
		{name: "no content", raw: "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", status: 204},
		{name: "until the end", raw: "HTTP/1.0 200 OK\r\n\r\nrest", status: 200, bytes: 4, first: "rest"},
		{name: "short", raw: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", fails: true},
		{name: "not HTTP", raw: "220 ready for mail\r\n", fails: true},
		{name: "nothing", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := newConn("")
			conn.br.Reset(strings.NewReader(c.raw))
			a, keep, err := conn.receive(c.head, true)
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			if c.fails {
				return
			}
			if a.status != c.status || a.bytes != c.bytes || string(a.first) != c.first || a.keys != c.keys || keep != c.keep {
				t.Errorf("%+v, keep %v", a, keep)
			}
			if rest, _ := io.ReadAll(conn.br); len(rest) > 0 {
				t.Errorf("%q is left unread", rest)
			}
		})
	}
}

// TestRoundTripRedials shows that a connection that the server closed is dialled again.
func TestRoundTripRedials(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1<<10)
			_, _ = nc.Read(buf)
			_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
			_ = nc.Close()
		}
	}()
	c := newConn(l.Addr().String())
	defer c.close()
	for range 3 {
		if a, err := c.roundTrip([]byte("GET / HTTP/1.1\r\n\r\n"), nil, false); err != nil || a.status != 200 || a.bytes != 2 {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if c.dials != 3 {
		t.Errorf("%d dials", c.dials)
	}
}
