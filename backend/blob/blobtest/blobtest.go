// Package blobtest checks that an engine keeps the promises of blob.ByID. An engine's tests call Run.
package blobtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// block is the size of block that the edges in these tests are at. Engines may use another; they only lose edges.
const block = 64 << 10

// OpenFunc opens the store in dir, which may hold what an earlier one, closed since, has left there.
type OpenFunc func(t testing.TB, dir string) blob.ByID

// Run runs the suite. Every store that a test opened is checked at the test's end: everything that Walk finds must
// pass Verify.
func Run(t *testing.T, open OpenFunc) {
	tests := []struct {
		name string
		run  func(*testing.T, OpenFunc)
	}{
		{"RoundTrip", testRoundTrip},
		{"WrongSizeHint", testWrongSizeHint},
		{"Ranges", testRanges},
		{"RangeOutside", testRangeOutside},
		{"AnyChunksAnyRange", testAnyChunksAnyRange},
		{"WriterEndsOnce", testWriterEndsOnce},
		{"AbortLeavesNothing", testAbortLeavesNothing},
		{"BeingWritten", testBeingWritten},
		{"Delete", testDelete},
		{"DeleteWhileOpen", testDeleteWhileOpen},
		{"NotFound", testNotFound},
		{"Walk", testWalk},
		{"WalkStops", testWalkStops},
		{"Concurrent", testConcurrent},
		{"Reopen", testReopen},
		{"Close", testClose},
		{"Canceled", testCanceled},
		{"Free", testFree},
		{"FlippedBytes", testFlippedBytes},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// newStore opens a store in a directory of its own, and checks and closes it at the end of the test.
func newStore(t *testing.T, open OpenFunc) blob.ByID {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() {
		for id := range walk(t, s) {
			if err := s.Verify(context.Background(), id); err != nil {
				t.Errorf("at the end of the test: Verify(%s): %v", id, err)
			}
		}
		mustClose(t, s)
	})
	return s
}

func mustClose(t *testing.T, s blob.ByID) {
	t.Helper()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// Bytes returns n bytes that look random and depend on seed only.
func Bytes(seed uint64, n int) []byte {
	p := make([]byte, n)
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(p) // it never fails
	return p
}

// Put stores content in one blob, written in chunks of at most chunk bytes, and syncs it.
func Put(s blob.ByID, content []byte, size int64, chunk int) (blob.ID, error) {
	ctx := context.Background()
	w, err := s.Create(ctx, size)
	if err != nil {
		return blob.ID{}, err
	}
	for p := content; len(p) > 0; {
		n := min(chunk, len(p))
		if m, err := w.Write(p[:n]); m != n || err != nil {
			w.Abort()
			return blob.ID{}, fmt.Errorf("write returned %d of %d: %w", m, n, err)
		}
		p = p[n:]
	}
	if err := w.Commit(); err != nil {
		return blob.ID{}, err
	}
	return w.ID(), s.Sync(ctx, []blob.ID{w.ID()})
}

// Get reads a range of a blob, by Read in pieces of at most chunk bytes, or by WriteTo where chunk is 0 and the reader
// has it. It returns what was served before an error too.
func Get(s blob.ByID, id blob.ID, offset, size int64, chunk int) ([]byte, error) {
	r, err := s.Open(context.Background(), id, offset, size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var got bytes.Buffer
	if chunk == 0 {
		_, err = io.Copy(&got, r)
		return got.Bytes(), err
	}
	p := make([]byte, chunk)
	for {
		n, err := r.Read(p)
		got.Write(p[:n])
		if err == io.EOF {
			return got.Bytes(), nil
		}
		if err != nil {
			return got.Bytes(), err
		}
	}
}

func mustPut(t *testing.T, s blob.ByID, content []byte) blob.ID {
	t.Helper()
	id, err := Put(s, content, int64(len(content)), max(1, len(content)))
	if err != nil {
		t.Fatalf("put %d bytes: %v", len(content), err)
	}
	return id
}

func wantContent(t *testing.T, s blob.ByID, id blob.ID, want []byte) {
	t.Helper()
	for _, chunk := range []int{0, 1000, block + 1} {
		got, err := Get(s, id, 0, int64(len(want)), chunk)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read blob %s of %d bytes in pieces of %d: %d bytes that are equal: %v, error %v",
				id, len(want), chunk, len(got), bytes.Equal(got, want), err)
		}
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// walk returns the sizes of all blobs, and fails the test where Walk visits anything with an error, or twice.
func walk(t *testing.T, s blob.ByID) map[blob.ID]int64 {
	t.Helper()
	found := make(map[blob.ID]int64)
	err := s.Walk(context.Background(), func(id blob.ID, size int64, err error) error {
		if _, again := found[id]; again || err != nil {
			t.Errorf("Walk visits %s, again: %v, error %v", id, again, err)
		}
		found[id] = size
		return nil
	})
	if err != nil {
		t.Errorf("Walk: %v", err)
	}
	return found
}

func sizes() []int {
	return []int{
		0, 1, 2, 100, 4095, 4096, 4097, 4098, 16 << 10, 16<<10 + 1, 16<<10 + 2, block - 5, block - 4, block - 1, block,
		block + 1, block + 4, block + 5, 2*block - 1, 2 * block, 2*block + 1, 4*block - 1, 4 * block, 4*block + 1,
		5 * block, 8*block - 1, 8 * block, 8*block + 1, 1<<20 + 3,
	}
}

func testRoundTrip(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	seen := make(map[blob.ID]bool)
	for _, size := range sizes() {
		for _, chunk := range []int{max(1, size), 13, 4096, block, block + 1, 300_001} {
			if size > 100_000 && chunk == 13 {
				continue
			}
			content := Bytes(1, size)
			id, err := Put(s, content, int64(size), chunk)
			if err != nil {
				t.Fatalf("put %d bytes in chunks of %d: %v", size, chunk, err)
			}
			if id == (blob.ID{}) || seen[id] || id.Epoch() != s.Epoch() {
				t.Fatalf("id %s is zero, used before, or not of epoch %d", id, s.Epoch())
			}
			seen[id] = true
			wantContent(t, s, id, content)
			if err := s.Verify(context.Background(), id); err != nil {
				t.Fatalf("Verify after %d bytes in chunks of %d: %v", size, chunk, err)
			}
		}
	}
}

func testWrongSizeHint(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for _, size := range []int{0, 1, 5000, block, block + 1, 5*block + 17} {
		for _, hint := range []int64{-1, 0, 1, 4096, block, block + 1, 2 << 20} {
			content := Bytes(2, size)
			id, err := Put(s, content, hint, 777)
			if err != nil {
				t.Fatalf("put %d bytes, %d announced: %v", size, hint, err)
			}
			wantContent(t, s, id, content)
		}
	}
}

func testRanges(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for _, size := range []int{0, 1, 3, 5000, block - 1, block, block + 1, 2*block + 1, 4 * block, 9*block + 100} {
		content := Bytes(3, size)
		id := mustPut(t, s, content)
		var edges []int
		for edge := 0; edge <= size+block; edge += block {
			for _, at := range []int{edge - 1, edge, edge + 1} {
				if at >= 0 && at <= size {
					edges = append(edges, at)
				}
			}
		}
		edges = append(edges, size, size/2)
		for _, from := range edges {
			for _, to := range edges {
				if to < from {
					continue
				}
				got, err := Get(s, id, int64(from), int64(to-from), 0)
				if err != nil || !bytes.Equal(got, content[from:to]) {
					t.Fatalf("range %d-%d of %d bytes: %d bytes, error %v", from, to, size, len(got), err)
				}
			}
		}
	}
}

func testRangeOutside(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for _, size := range []int64{0, 1, 100, block - 1, block, block + 1, 6 * block} {
		id := mustPut(t, s, Bytes(4, int(size)))
		for _, r := range [][2]int64{
			{-1, 1},
			{0, -1},
			{0, 1<<63 - 1},
			{1<<63 - 1, 1<<63 - 1},
			{0, size + 1},
			{size, 1},
			{size + 1, 0},
			{size + 1, 1},
			{size - 1, 2},
			{0, size + block},
			{0, size + 10*block},
			{size + 10*block, 1},
		} {
			if got, err := Get(s, id, r[0], r[1], 0); err == nil || len(got) > 0 {
				t.Errorf("%d bytes from %d of a blob of %d: served %d bytes, error %v", r[1], r[0], size, len(got), err)
			}
		}
	}
}

func testAnyChunksAnyRange(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	content := Bytes(5, 12*block)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(
			rapid.IntRange(0, 300), rapid.IntRange(0, len(content)),
			rapid.Map(rapid.IntRange(0, 36), func(i int) int { return max(0, i/3*block+i%3-1) }),
		).Draw(t, "size")
		hint := rapid.SampledFrom([]int64{-1, int64(size), int64(size) / 2, int64(size) * 2}).Draw(t, "hint")
		ctx := context.Background()
		w, err := s.Create(ctx, hint)
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		for at := 0; at < size; {
			n := rapid.OneOf(rapid.IntRange(0, size-at), rapid.Just(min(block, size-at))).Draw(t, "chunk")
			if m, err := w.Write(content[at : at+n]); m != n || err != nil {
				t.Fatalf("Write of %d: %d, %v", n, m, err)
			}
			at += n
		}
		if err := w.Commit(); err != nil {
			t.Fatalf("Commit: %v", err)
		}
		for range 3 {
			from := rapid.IntRange(0, size).Draw(t, "from")
			to := rapid.IntRange(from, size).Draw(t, "to")
			chunk := rapid.SampledFrom([]int{0, 511, 100_000}).Draw(t, "read")
			got, err := Get(s, w.ID(), int64(from), int64(to-from), chunk)
			if err != nil || !bytes.Equal(got, content[from:to]) {
				t.Fatalf("range %d-%d of %d: %d bytes, %v", from, to, size, len(got), err)
			}
		}
		if err := s.Delete(ctx, []blob.ID{w.ID()}); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	})
}

func testConcurrent(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	const writers, each = 16, 12
	var mu sync.Mutex // guards ids
	ids := make(map[blob.ID]bool)
	var wg sync.WaitGroup // every goroutine below ends by itself
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				content := Bytes(uint64(i), j*j*2500)
				id, err := Put(s, content, []int64{-1, int64(len(content))}[j%2], 50_000)
				if err != nil {
					t.Errorf("writer %d: put: %v", i, err)
					return
				}
				got, err := Get(s, id, 0, int64(len(content)), 0)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("writer %d: read blob %s: %d bytes, %v", i, id, len(got), err)
				}
				if j%3 == 0 {
					if err := s.Delete(context.Background(), []blob.ID{id}); err != nil {
						t.Errorf("writer %d: delete: %v", i, err)
					}
					continue
				}
				mu.Lock()
				ids[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			walk(t, s) // blobs come and go under it, and it must not trip over any
		}
	})
	wg.Wait()
	found := walk(t, s)
	if len(found) != len(ids) || len(ids) != writers*each*2/3 {
		t.Errorf("%d blobs are left, Walk finds %d, want %d", len(ids), len(found), writers*each*2/3)
	}
	for id := range ids {
		if _, ok := found[id]; !ok {
			t.Errorf("Walk misses %s", id)
		}
	}
}

func testReopen(t *testing.T, open OpenFunc) {
	dir := t.TempDir()
	contents := make(map[blob.ID][]byte)
	var last uint32
	for round := range 4 {
		s := open(t, dir)
		if s.Epoch() <= last {
			t.Fatalf("epoch %d after epoch %d", s.Epoch(), last)
		}
		last = s.Epoch()
		for id, content := range contents {
			wantContent(t, s, id, content)
		}
		for i := range 5 {
			content := Bytes(uint64(10*round+i), i*40_000)
			id := mustPut(t, s, content)
			if _, used := contents[id]; used || id.Epoch() != last {
				t.Fatalf("id %s was used before, or is not of epoch %d", id, last)
			}
			contents[id] = content
		}
		if found := walk(t, s); len(found) != len(contents) {
			t.Errorf("Walk finds %d blobs, want %d", len(found), len(contents))
		}
		mustClose(t, s)
	}
}
