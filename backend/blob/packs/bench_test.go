package packs

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
	"github.com/plimsoll/plimsoll/backend/blob/files"
)

// engine is what the benchmarks need of a store: packs, or files behind the same methods.
type engine interface {
	put(content []byte) (blob.Ref, error) // not synced
	sync(refs []blob.Ref) error
	open(ref blob.Ref) (io.ReadCloser, error)
}

type packEngine struct{ *Store }

func (e packEngine) put(content []byte) (blob.Ref, error) { return commit(e.Store, content) }
func (e packEngine) sync(refs []blob.Ref) error           { return e.Sync(background, refs) }
func (e packEngine) open(ref blob.Ref) (io.ReadCloser, error) {
	return e.Open(background, ref, 0, ref.Size)
}

type fileEngine struct{ *files.Store }

func (e fileEngine) put(content []byte) (blob.Ref, error) {
	w, err := e.Create(background, int64(len(content)))
	if err != nil {
		return blob.Ref{}, err
	}
	if _, err := w.Write(content); err != nil {
		w.Abort()
		return blob.Ref{}, err
	}
	return blob.Ref{ID: w.ID(), Size: int64(len(content))}, w.Commit()
}

func (e fileEngine) sync(refs []blob.Ref) error {
	ids := make([]blob.ID, len(refs))
	for i, ref := range refs {
		ids[i] = ref.ID
	}
	return e.Sync(background, ids)
}

func (e fileEngine) open(ref blob.Ref) (io.ReadCloser, error) {
	return e.Open(background, ref.ID, 0, ref.Size)
}

// eachEngine runs a benchmark on packs and on files.
func eachEngine(b *testing.B, name string, run func(*testing.B, engine)) {
	b.Run(name+"/packs", func(b *testing.B) {
		s := openIn(b, b.TempDir(), Options{Sync: true, Threshold: 1 << 20}, diskFileSystem{})
		defer mustClose(b, s)
		run(b, packEngine{s})
	})
	b.Run(name+"/files", func(b *testing.B) {
		s, err := files.Open(filepath.Join(b.TempDir(), "files"), files.Options{Sync: true})
		if err != nil {
			b.Fatal(err)
		}
		run(b, fileEngine{s})
	})
}

// BenchmarkPut has writers that wait for a committer, which gathers what is there, syncs it, and answers.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10} {
		for _, writers := range []int{1, 16, 64} {
			eachEngine(b, fmt.Sprintf("KiB=%d/writers=%d", size>>10, writers), func(b *testing.B, e engine) {
				benchmarkPut(b, e, size, writers)
			})
		}
	}
}

type waiting struct {
	ref    blob.Ref
	answer chan error
}

func benchmarkPut(b *testing.B, e engine, size, writers int) {
	queue, done := make(chan waiting, writers), make(chan struct{})
	go func() { // it ends when queue is closed
		defer close(done)
		for first := range queue {
			batch := []waiting{first}
			for len(queue) > 0 {
				batch = append(batch, <-queue)
			}
			refs := make([]blob.Ref, len(batch))
			for i, w := range batch {
				refs[i] = w.ref
			}
			err := e.sync(refs)
			for _, w := range batch {
				w.answer <- err
			}
		}
	}()
	content := blobtest.Bytes(1, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup // the writers end by themselves
	for i := range writers {
		wg.Go(func() {
			answer := make(chan error, 1)
			for range (b.N + writers - 1 - i) / writers {
				ref, err := e.put(content)
				if err == nil {
					queue <- waiting{ref, answer}
					err = <-answer
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	close(queue)
	<-done
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 10, 128 << 10} {
		eachEngine(b, fmt.Sprintf("KiB=%d", size>>10), func(b *testing.B, e engine) {
			var refs []blob.Ref
			for range 100 {
				ref, err := e.put(blobtest.Bytes(1, size))
				if err != nil {
					b.Fatal(err)
				}
				refs = append(refs, ref)
			}
			if err := e.sync(refs); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				r, err := e.open(refs[i%len(refs)])
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, r); err != nil || n != int64(size) {
					b.Fatalf("%d bytes, %v", n, err)
				}
				_ = r.Close()
				i++
			}
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	s := openIn(b, b.TempDir(), Options{}, diskFileSystem{})
	defer mustClose(b, s)
	for range 15_000 {
		mustCommit(b, s, make([]byte, 4096))
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := s.Walk(context.Background(), func(blob.Ref, error) error {
			n++
			return nil
		})
		if err != nil || n != 15_000 {
			b.Fatalf("%d blobs, %v", n, err)
		}
	}
}
