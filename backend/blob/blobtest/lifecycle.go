package blobtest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
)

func create(t *testing.T, s blob.ByID, size int64) blob.Writer {
	t.Helper()
	w, err := s.Create(context.Background(), size)
	if err != nil {
		t.Fatalf("Create(%d): %v", size, err)
	}
	return w
}

func testWriterEndsOnce(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	w := create(t, s, 3)
	if _, err := w.Write([]byte("abc")); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := w.Commit(); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	w.Abort()
	if err := w.Commit(); err == nil {
		t.Error("a second Commit succeeds")
	}
	if _, err := w.Write([]byte("d")); err == nil {
		t.Error("Write after Commit succeeds")
	}
	wantContent(t, s, w.ID(), []byte("abc"))
}

func testAbortLeavesNothing(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for _, size := range []int{0, 1, block, 5*block + 1, 2 << 20} {
		for _, hint := range []int64{-1, int64(size), 4 << 20} {
			w := create(t, s, hint)
			if _, err := w.Write(Bytes(7, size)); err != nil {
				t.Fatalf("Write: %v", err)
			}
			w.Abort()
			_, err := Get(s, w.ID(), 0, 0, 0)
			wantError(t, "open an aborted blob", err, blob.ErrNotFound)
			if err := w.Commit(); err == nil {
				t.Error("Commit after Abort succeeds")
			}
			w.Abort()
		}
	}
	if found := walk(t, s); len(found) != 0 {
		t.Errorf("Walk finds %d blobs after nothing but aborts", len(found))
	}
}

// testBeingWritten: a blob is in no walk before its Commit, and in every one after it.
func testBeingWritten(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for _, size := range []int{0, 10, block + 7, 9*block + 3} {
		w := create(t, s, int64(size))
		if _, err := w.Write(Bytes(8, size)); err != nil {
			t.Fatalf("Write: %v", err)
		}
		if _, ok := walk(t, s)[w.ID()]; ok {
			t.Errorf("Walk finds a blob of %d bytes before its Commit", size)
		}
		if err := w.Commit(); err != nil {
			t.Fatalf("Commit: %v", err)
		}
		if got, ok := walk(t, s)[w.ID()]; !ok || got != int64(size) {
			t.Errorf("Walk after Commit: size %d, found %v; want %d", got, ok, size)
		}
		wantContent(t, s, w.ID(), Bytes(8, size))
	}
}

func testDelete(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	var ids []blob.ID
	for i := range 20 {
		ids = append(ids, mustPut(t, s, Bytes(uint64(i), 100*i)))
	}
	for range 2 { // what is gone already is no error
		if err := s.Delete(context.Background(), ids[:10]); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
	for i, id := range ids {
		if i >= 10 {
			wantContent(t, s, id, Bytes(uint64(i), 100*i))
			continue
		}
		_, err := Get(s, id, 0, int64(100*i), 0)
		wantError(t, "open a deleted blob", err, blob.ErrNotFound)
	}
	if found := walk(t, s); len(found) != 10 {
		t.Errorf("Walk finds %d blobs, want 10", len(found))
	}
}

func testDeleteWhileOpen(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for _, size := range []int{1, block, 20 * block} {
		content := Bytes(9, size)
		id := mustPut(t, s, content)
		r, err := s.Open(context.Background(), id, 0, int64(size))
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		if err := s.Delete(context.Background(), []blob.ID{id}); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != string(content) {
			t.Errorf("a blob of %d bytes that was deleted while open: %d bytes, %v", size, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("Read after Close: %v", err)
		}
	}
}

func testNotFound(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	near := mustPut(t, s, []byte("x"))
	near[15] ^= 1
	for _, id := range []blob.ID{{}, near, {0: 0xff, 15: 0xff}} {
		_, err := s.Open(context.Background(), id, 0, 0)
		wantError(t, "Open", err, blob.ErrNotFound)
		wantError(t, "Verify", s.Verify(context.Background(), id), blob.ErrNotFound)
		if err := s.Delete(context.Background(), []blob.ID{id}); err != nil {
			t.Errorf("Delete of a blob that is not there: %v", err)
		}
	}
}

func testWalk(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	if found := walk(t, s); len(found) != 0 {
		t.Errorf("Walk finds %d blobs in an empty store", len(found))
	}
	want := make(map[blob.ID]int64)
	for _, size := range sizes() {
		want[mustPut(t, s, Bytes(11, size))] = int64(size)
	}
	found := walk(t, s)
	if len(found) != len(want) {
		t.Errorf("Walk finds %d blobs, want %d", len(found), len(want))
	}
	for id, size := range want {
		if got, ok := found[id]; !ok || got != size {
			t.Errorf("Walk: blob %s: size %d, found %v; want %d", id, got, ok, size)
		}
	}
}

func testWalkStops(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	for range 3 {
		mustPut(t, s, []byte("x"))
	}
	enough, visits := errors.New("enough"), 0
	err := s.Walk(context.Background(), func(blob.ID, int64, error) error {
		visits++
		return enough
	})
	if wantError(t, "Walk", err, enough); visits != 1 {
		t.Errorf("Walk made %d visits after an error", visits)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = s.Walk(ctx, func(blob.ID, int64, error) error {
		cancel()
		return nil
	})
	wantError(t, "Walk that is canceled", err, context.Canceled)
}

// testClose: what is open when the store closes goes on; nothing new begins.
func testClose(t *testing.T, open OpenFunc) {
	s := open(t, t.TempDir())
	content := Bytes(12, 10*block)
	id := mustPut(t, s, content)
	r, err := s.Open(context.Background(), id, 0, int64(len(content)))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	mustClose(t, s)
	if got, err := io.ReadAll(r); err != nil || string(got) != string(content) {
		t.Errorf("a reader after Close: %d bytes, %v", len(got), err)
	}
	if _, err := s.Create(context.Background(), 0); err == nil {
		t.Error("Create after Close succeeds")
	}
	if err := s.Sync(context.Background(), []blob.ID{id}); err == nil {
		t.Error("Sync after Close succeeds")
	}
}

func testCanceled(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	id := mustPut(t, s, []byte("x"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Create(ctx, 0)
	wantError(t, "Create", err, context.Canceled)
	_, err = s.Open(ctx, id, 0, 1)
	wantError(t, "Open", err, context.Canceled)
	wantError(t, "Sync", s.Sync(ctx, []blob.ID{id}), context.Canceled)
	wantError(t, "Verify", s.Verify(ctx, id), context.Canceled)
	wantContent(t, s, id, []byte("x"))
}

func testFree(t *testing.T, open OpenFunc) {
	s := newStore(t, open)
	available, total, err := s.Free()
	if err != nil || available <= 0 || total < available {
		t.Errorf("Free: %d available of %d, error %v", available, total, err)
	}
}
