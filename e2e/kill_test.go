package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

const (
	kills       = 50
	killWriters = 6
	killKeys    = 4 // of each writer: few, so that overwrites and deletes meet what is there
)

// TestKill kills the server at random moments under load, at least fifty times, each time with the next load on what
// the last left. What was acknowledged must be there, byte for byte, or gone if it was deleted. What was under way when
// the server died may have happened or not, whole: nothing in between. And the checker must find nothing.
func TestKill(t *testing.T) {
	t.Parallel()
	s := startKilled(t, killLoad{writers: killWriters, keys: killKeys})
	acknowledged, uncertain := 0, 0
	for round := range kills {
		s.load()
		s.killWithin(round, 20*time.Millisecond, 220*time.Millisecond)
		s.check()
		s.run()
		for _, w := range s.writers {
			acknowledged += w.acknowledged
			uncertain += w.settle(t, round)
			w.acknowledged = 0
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d kills, %d acknowledged operations, %d under way when the server died", kills, acknowledged, uncertain)
	if acknowledged < kills || uncertain == 0 {
		t.Error("the load was too small to show anything")
	}
}

// killLoad is the load on a server that is killed: how many writers, how many keys each has, and how many bytes every
// content, 0 for all sizes.
type killLoad struct{ writers, keys, size int }

// killedServer is a server that is killed under load, and started again.
type killedServer struct {
	*server
	writers []*killWriter
	moments *rand.Rand // of the kills
	// unload waits for the end of what load has begun: the server is dead then.
	unload func()
}

// startKilled starts a server with a bucket that the load writes to.
func startKilled(t *testing.T, l killLoad, flags ...string) *killedServer {
	t.Helper()
	seed := killSeed(t)
	s := &killedServer{
		server:  start(t, append([]string{"--bucket", "killed", "--sync", "always"}, flags...)...),
		writers: make([]*killWriter, l.writers), moments: rand.New(rand.NewPCG(seed, 0)),
	}
	for i := range s.writers {
		s.writers[i] = &killWriter{
			s: s.server, id: i, keys: l.keys, size: l.size, random: rand.New(rand.NewPCG(seed, uint64(i+1))),
			known: make(map[string]outcomes),
		}
	}
	return s
}

// load has all writers write, and does what else there is beside them, until the server is killed.
func (s *killedServer) load(beside ...func(context.Context)) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var group sync.WaitGroup
	for _, do := range beside {
		group.Go(func() { do(ctx) })
	}
	for _, w := range s.writers {
		group.Go(func() { w.work(ctx) }) // ends when the server does
	}
	s.unload = func() {
		cancel()
		group.Wait()
	}
}

// killWithin kills the server at a random moment between least and most from now, and ends the load.
func (s *killedServer) killWithin(round int, least, most time.Duration) {
	s.t.Helper()
	timer := time.NewTimer(least + time.Duration(s.moments.Int64N(int64(most-least))))
	select {
	case <-timer.C:
	case <-s.exited:
		s.t.Fatalf("round %d: the server ended by itself: %v", round, s.exit)
	}
	s.kill()
	s.unload()
	s.http.CloseIdleConnections()
}

// killSeed is what the load is drawn from.
func killSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("PLIMSOLL_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("PLIMSOLL_SEED=%d runs the same load again; the moments of the kills are the clock's", seed)
	return seed
}

// version is what a key holds: the content of the operation of this number, or nothing where it is 0.
type version int64

// outcomes are the versions that a key may hold. There are two while an operation is under way or its answer was lost.
type outcomes []version

// killWriter writes to keys of its own, so that it knows what must be in them.
type killWriter struct {
	s            *server
	id           int
	keys         int // how many it has
	size         int // of every content, in bytes; 0 for all sizes
	random       *rand.Rand
	known        map[string]outcomes
	next         version
	acknowledged int
}

// content is a version's bytes: its number and its key first, so that a mix-up shows, then what follows from them.
func (w *killWriter) content(key string, v version) []byte {
	sum := sha256.Sum256([]byte(fmt.Sprint(key, v)))
	size := int(binary.LittleEndian.Uint32(sum[:4]) % (48 * kib))
	switch {
	case w.size > 0:
		size = w.size
	case sum[4]%8 == 0:
		size += 200 * kib
	}
	return append([]byte(fmt.Sprintf("%s %d\n", key, v)), random(binary.LittleEndian.Uint64(sum[8:]), size)...)
}

// work runs operations, one at a time, until one is not answered.
func (w *killWriter) work(ctx context.Context) {
	for {
		key := fmt.Sprintf("w%d/k%d", w.id, w.random.IntN(w.keys))
		w.next++
		before, v := w.known[key], w.next
		if len(before) == 0 {
			before = outcomes{0}
		}
		var err error
		switch n := w.random.IntN(10); {
		case n < 6:
			w.known[key] = append(before[:1:1], v)
			_, err = w.do(ctx, http.MethodPut, "/killed/"+key, w.content(key, v))
		case n < 8:
			v = 0
			w.known[key] = append(before[:1:1], 0)
			_, err = w.do(ctx, http.MethodDelete, "/killed/"+key, nil)
		default:
			w.known[key] = append(before[:1:1], v)
			err = w.multipart(ctx, key, w.content(key, v))
		}
		if err != nil {
			return
		}
		w.known[key] = outcomes{v}
		w.acknowledged++
	}
}

// multipart stores a content as an upload of one part: its commit is Complete's.
func (w *killWriter) multipart(ctx context.Context, key string, content []byte) error {
	body, err := w.do(ctx, http.MethodPost, "/killed/"+key+"?uploads=", nil)
	if err != nil {
		return err
	}
	var created struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(body, &created); err != nil {
		return err
	}
	if _, err := w.do(ctx, http.MethodPut, "/killed/"+key+"?partNumber=1&uploadId="+created.UploadID, content); err != nil {
		return err
	}
	list := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + quotedMD5(content) + "</ETag></Part></CompleteMultipartUpload>"
	_, err = w.do(ctx, http.MethodPost, "/killed/"+key+"?uploadId="+created.UploadID, []byte(list))
	return err
}

// do sends one request, once, and returns the body of a success. Anything but a success is a failure of the test
// unless it is the connection that broke.
func (w *killWriter) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	r := w.s.build(request{method: method, path: path, body: body, payloadHash: sigv4.UnsignedPayload})
	r.GetBody = nil // the transport must not send it twice: an answer that was lost is lost
	response, err := w.s.http.Do(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		err := fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
		w.s.t.Error(err)
		return nil, err
	}
	return answer, nil
}

// settle compares every key with what it may hold, and so learns what became of operations that were not answered.
// It returns how many of those there were.
func (w *killWriter) settle(t *testing.T, round int) (uncertain int) {
	t.Helper()
	for key, possible := range w.known {
		got, err := w.get(key)
		if err != nil {
			t.Errorf("round %d: %s: %v", round, key, err)
			continue
		}
		if len(possible) > 1 {
			uncertain++
		}
		held := outcomes(nil)
		for _, v := range possible {
			if v == 0 && got == nil || v != 0 && bytes.Equal(got, w.content(key, v)) {
				held = outcomes{v}
			}
		}
		if held == nil {
			t.Errorf("round %d: %s holds %d bytes that begin %.40q, which are none of versions %v (0 is absent)",
				round, key, len(got), got, possible)
		}
		w.known[key] = held
	}
	return uncertain
}

// get returns what a key holds, nil if nothing.
func (w *killWriter) get(key string) ([]byte, error) {
	response, err := w.s.http.Do(w.s.build(request{method: http.MethodGet, path: "/killed/" + key}))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		return nil, nil
	case response.StatusCode != http.StatusOK:
		return nil, errors.New(response.Status)
	default:
		return body, nil
	}
}
