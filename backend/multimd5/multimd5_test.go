package multimd5

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"hash"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func random(n int, seed uint64) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	p := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(p)
	return p
}

// TestPass: a pass over any number of streams gives each the sum that it has alone.
func TestPass(t *testing.T) {
	if !haveVectors {
		t.Skip("the processor has no AVX-512: crypto/md5 does everything")
	}
	for n := 1; n <= lanes; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var jobs []*job
			var wants []hash.Hash
			for i := range n {
				p := random(md5.BlockSize*(i+3), uint64(i))
				want := md5.New()
				jobs = append(jobs, &job{state: marshal(want).state(), left: p})
				want.Write(p[:3*md5.BlockSize])
				wants = append(wants, want)
			}
			var p pass
			p.run(jobs)
			for i, j := range jobs {
				if want := marshal(wants[i]).state(); j.state != want || len(j.left) != md5.BlockSize*i {
					t.Errorf("stream %d: %x with %d bytes left, want %x", i, j.state, len(j.left), want)
				}
			}
		})
	}
}

// TestHash: however a stream is cut into writes, and whoever computes beside it, its sum is crypto/md5's, at its end and on
// the way.
func TestHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g Group
		sizes := rapid.SliceOfN(rapid.SliceOfN(rapid.OneOf(
			rapid.IntRange(0, 130), rapid.IntRange(minShared-70, minShared+70), rapid.IntRange(0, 3*passBlocks*md5.BlockSize),
		), 1, 5), 1, lanes+3).Draw(t, "sizes of writes")
		var together sync.WaitGroup
		wrong := make([]string, len(sizes))
		for i, writes := range sizes {
			together.Go(func() {
				got, want := g.New(), md5.New()
				for round := range 2 {
					for k, size := range writes {
						p := random(size, uint64(i*31+k))
						n, err := got.Write(p)
						want.Write(p)
						if n != size || err != nil || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
							wrong[i] = fmt.Sprintf("round %d, stream %d, after write %d of %v", round, i, k, writes)
							return
						}
					}
					got.Reset()
					want.Reset()
				}
			})
		}
		together.Wait()
		for _, w := range wrong {
			if w != "" {
				t.Error(w)
			}
		}
		if g.leaders != 0 || len(g.queue) != 0 {
			t.Errorf("%d compute and %d wait when all have ended", g.leaders, len(g.queue))
		}
		for _, j := range g.queue[:cap(g.queue)] {
			if j != nil {
				t.Error("the queue holds on to a job, and to the bytes that were written")
			}
		}
	})
}

// BenchmarkPass is a core's speed with some streams in a pass.
func BenchmarkPass(b *testing.B) {
	if !haveVectors {
		b.Skip("the processor has no AVX-512")
	}
	b.Run("crypto/md5", func(b *testing.B) {
		p, h := random(passBlocks*md5.BlockSize, 0), md5.New()
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			h.Write(p)
		}
	})
	for _, n := range []int{2, 4, 8, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			blocks := make([][]byte, n)
			jobs := make([]*job, n)
			for i := range blocks {
				blocks[i] = random(passBlocks*md5.BlockSize, uint64(i))
				jobs[i] = new(job)
			}
			b.SetBytes(int64(n * len(blocks[0])))
			var p pass
			for b.Loop() {
				for i := range jobs {
					jobs[i].left = blocks[i]
				}
				p.run(jobs)
			}
		})
	}
}

// BenchmarkStreams is many goroutines that hash objects of 128 KiB.
func BenchmarkStreams(b *testing.B) {
	for name, make := range map[string]func() hash.Hash{"crypto": md5.New, "group": new(Group).New} {
		b.Run(name, func(b *testing.B) {
			p := random(128<<10, 0)
			b.SetBytes(int64(len(p)))
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				h := make()
				for pb.Next() {
					h.Reset()
					h.Write(p)
					h.Sum(nil)
				}
			})
		})
	}
}
