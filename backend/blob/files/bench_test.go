package files

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
)

func BenchmarkWrite(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, size := range []int{4 << 10, 128 << 10, 16 << 20} {
			b.Run(fmt.Sprintf("sync=%v/KiB=%d", sync, size>>10), func(b *testing.B) {
				s := mustOpen(b, b.TempDir(), Options{Sync: sync})
				content := blobtest.Bytes(1, size)
				ctx := context.Background()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					id := mustPut(b, s, content)
					// So that a long run does not fill the disk; it is a small part of what is measured.
					if err := s.Delete(ctx, []blob.ID{id}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkWriteParallel has 64 writers of 4 KiB, each of which syncs its own blob.
func BenchmarkWriteParallel(b *testing.B) {
	s := mustOpen(b, b.TempDir(), Options{Sync: true})
	content := blobtest.Bytes(1, 4<<10)
	b.SetBytes(int64(len(content)))
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := blobtest.Put(s, content, int64(len(content)), len(content)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 10, 128 << 10, 16 << 20} {
		b.Run(fmt.Sprintf("KiB=%d", size>>10), func(b *testing.B) {
			s := mustOpen(b, b.TempDir(), Options{})
			id := mustPut(b, s, blobtest.Bytes(1, size))
			ctx := context.Background()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r, err := s.Open(ctx, id, 0, int64(size))
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, r)
				if err != nil || n != int64(size) {
					b.Fatalf("%d bytes, %v", n, err)
				}
				_ = r.Close()
			}
		})
	}
}
