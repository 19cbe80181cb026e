package bolt

import (
	"fmt"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// BenchmarkCommit puts objects of one blob under new keys. An operation is one put.
func BenchmarkCommit(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, size := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("sync=%t/batch=%d", sync, size), func(b *testing.B) {
				r := fresh(b, Options{Sync: sync})
				must(b, r, createBucket("b"))
				n := 0
				for b.Loop() {
					batch := make([]meta.Mutation, size)
					for i := range batch {
						n++
						batch[i] = put(fmt.Sprintf("%08x", uint32(n)*2654435761), n, 4096)
					}
					must(b, r, batch...)
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "puts/s")
			})
		}
	}
}

// BenchmarkLimits is BenchmarkCommit with and without limits of all scopes, two prefixes among them.
func BenchmarkLimits(b *testing.B) {
	limit := quota.Limit{MaxBytes: 1 << 60, MaxObjects: 1 << 60}
	for _, scopes := range [][]quota.Scope{nil, {
		quota.ServerScope, quota.OwnerScope("ada"), quota.BucketScope("b"),
		quota.PrefixScope("b", "outer/"), quota.PrefixScope("b", "outer/inner/"),
	}} {
		b.Run(fmt.Sprintf("scopes=%d", len(scopes)), func(b *testing.B) {
			r := fresh(b, Options{})
			must(b, r, createBucket("b"))
			for _, scope := range scopes {
				must(b, r, meta.SetLimit{Scope: scope, Limit: limit})
			}
			n := 0
			for b.Loop() {
				batch := make([]meta.Mutation, 16)
				for i := range batch {
					n++
					batch[i] = put(fmt.Sprintf("outer/inner/%08x", uint32(n)*2654435761), n, 4096)
				}
				must(b, r, batch...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/put")
		})
	}
}

const benchmarkKeys = 100_000

func filled(b *testing.B) *Repository {
	r := fresh(b, Options{})
	must(b, r, createBucket("b"))
	batch := make([]meta.Mutation, 0, 1000)
	for n := range benchmarkKeys {
		batch = append(batch, put(fmt.Sprintf("directory-%03d/object-%06d", n/1000, n), n, 4096))
		if len(batch) == cap(batch) {
			must(b, r, batch...)
			batch = batch[:0]
		}
	}
	return r
}

func BenchmarkList(b *testing.B) {
	r := filled(b)
	for _, delimiter := range []string{"", "/"} {
		b.Run(fmt.Sprintf("delimiter=%q", delimiter), func(b *testing.B) {
			for b.Loop() {
				req := meta.ListRequest{Bucket: "b", Delimiter: delimiter, Limit: 1000}
				page, err := r.List(background, req)
				if err != nil || page.Truncated != (delimiter == "") {
					b.Fatal(len(page.Entries), err)
				}
			}
		})
	}
}

func BenchmarkStat(b *testing.B) {
	r := filled(b)
	n := 0
	for b.Loop() {
		n = (n + 7919) % benchmarkKeys
		key := meta.Key(fmt.Sprintf("directory-%03d/object-%06d", n/1000, n))
		if _, err := r.Stat(background, "b", key); err != nil {
			b.Fatal(err)
		}
	}
}
