package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// bodies holds a few random bodies of each size in use; which one an object has follows from its key. They are made
// once, before clients run.
type bodies map[int][][]byte

const bodiesPerSize = 4

// prepare makes the bodies of a size.
func (b bodies) prepare(size int) {
	if b[size] != nil {
		return
	}
	// Seeded, so that every run stores the same.
	random := rand.NewChaCha8([32]byte{1})
	for range bodiesPerSize {
		body := make([]byte, size)
		_, _ = random.Read(body) // never fails
		b[size] = append(b[size], body)
	}
}

func (b bodies) of(key string, size int) []byte {
	return b[size][key[len(key)-1]%bodiesPerSize]
}

// nextKey numbers the objects that clients make, over all of a run: no key is ever made twice.
var nextKey atomic.Uint64

// client is one connection's worth of load. Not safe for concurrent use.
type client struct {
	server *server
	conn   *conn
	signer *signer
	random *rand.Rand
	bodies bodies
	buf    []byte

	latency histogram
	errors  int64
	sample  error // the first of the errors

	made []string // the keys that it put and has not deleted
}

func newClient(s *server, b bodies, number int) *client {
	return &client{
		server: s, conn: newConn(s.address), signer: newSigner(s.address), bodies: b,
		random: rand.New(rand.NewPCG(uint64(number), 1)),
	}
}

// reset forgets what was measured.
func (c *client) reset() {
	c.latency, c.errors, c.sample = histogram{}, 0, nil
	c.conn.dials = 0
}

// do sends one request and counts it. check may be nil; it is asked about answers of the status that is wanted.
func (c *client) do(method, path, query string, body []byte, want int, check func(answer) error) error {
	length := int64(-1)
	if method == http.MethodPut {
		length = int64(len(body))
	}
	began := time.Now()
	c.buf = c.signer.appendHead(c.buf[:0], method, path, query, length, began)
	a, err := c.conn.roundTrip(c.buf, body, query != "")
	c.latency.add(time.Since(began))
	switch {
	case err != nil:
	case a.status != want && (!c.server.stub || a.status != http.StatusOK):
		err = fmt.Errorf("status %d, not %d: %.200q", a.status, want, a.first)
	case check != nil:
		err = check(a)
	}
	if err != nil {
		err = fmt.Errorf("%s: %s %s: %w", c.server.name, method, path, err)
		c.errors++
		if c.sample == nil {
			c.sample = err
		}
	}
	return err
}

func (c *client) put(bucket, key string, size int) error {
	return c.do(http.MethodPut, "/"+bucket+"/"+key, "", c.bodies.of(key, size), http.StatusOK, nil)
}

func (c *client) get(bucket, key string, size int) error {
	return c.do(http.MethodGet, "/"+bucket+"/"+key, "", nil, http.StatusOK, func(a answer) error {
		switch {
		case a.bytes != int64(size):
			return fmt.Errorf("%d bytes, not %d", a.bytes, size)
		case !c.server.stub && !bytes.HasPrefix(c.bodies.of(key, size), a.first):
			return fmt.Errorf("other bytes than were put")
		}
		return nil
	})
}

func (c *client) head(bucket, key string) error {
	return c.do(http.MethodHead, "/"+bucket+"/"+key, "", nil, http.StatusOK, nil)
}

func (c *client) delete(bucket, key string) error {
	return c.do(http.MethodDelete, "/"+bucket+"/"+key, "", nil, http.StatusNoContent, nil)
}

// list asks for a page behind a key, and fails unless it has so many keys.
func (c *client) list(bucket, after string, page, want int) error {
	query := "list-type=2&max-keys=" + strconv.Itoa(page)
	if after != "" {
		query += "&start-after=" + escape(after)
	}
	return c.do(http.MethodGet, "/"+bucket, query, nil, http.StatusOK, wantKeys(want))
}

func wantKeys(want int) func(answer) error {
	return func(a answer) error {
		if a.keys != want {
			return fmt.Errorf("a page of %d keys, not %d", a.keys, want)
		}
		return nil
	}
}

// escape escapes a key of ours as SigV4 wants it in a query.
func escape(key string) string {
	return string(bytes.ReplaceAll([]byte(key), []byte("/"), []byte("%2F")))
}

// step does one operation of a workload. Errors are counted in c.
func (c *client) step(w workload, set *objectSet) {
	switch w.kind {
	case put:
		key := set.under + keyOf(nextKey.Add(1))
		if c.put(set.bucket, key, w.bytes) == nil && w.bytes >= dropFrom {
			c.made = append(c.made, key)
		}
	case get:
		_ = c.get(set.bucket, set.keys[c.random.IntN(len(set.keys))], w.bytes)
	case head:
		_ = c.head(set.bucket, set.keys[c.random.IntN(len(set.keys))])
	case list:
		page := min(listPage, len(set.keys)/10)
		after := set.keys[c.random.IntN(len(set.keys)-page)]
		_ = c.list(set.bucket, after, page, page)
	case mixed:
		c.mixedStep(w, set)
	}
}

// mixedStep reads and deletes only what this client has made: what exists is known without asking.
func (c *client) mixedStep(w workload, set *objectSet) {
	dice := c.random.IntN(100)
	if len(c.made) == 0 || dice >= mixedGet+mixedHead && dice < mixedGet+mixedHead+mixedPut {
		key := set.under + keyOf(nextKey.Add(1))
		if c.put(set.bucket, key, w.bytes) == nil {
			c.made = append(c.made, key)
		}
		return
	}
	i := c.random.IntN(len(c.made))
	key := c.made[i]
	switch {
	case dice < mixedGet:
		_ = c.get(set.bucket, key, w.bytes)
	case dice < mixedGet+mixedHead:
		_ = c.head(set.bucket, key)
	default:
		last := len(c.made) - 1
		c.made[i] = c.made[last]
		c.made = c.made[:last]
		_ = c.delete(set.bucket, key)
	}
}
