package admin_test

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/admin"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

const (
	manyBuckets = 10_000
	manyOwners  = 1_000
)

// manyStore is a store of 10,000 buckets with limits, of 1,000 owners with limits.
func manyStore(t testing.TB) *backend.Store {
	t.Helper()
	store, err := backend.Open(backend.Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := worker; i < manyBuckets; i += 16 {
				err := store.CreateBucket(t.Context(), backend.CreateBucketInput{
					Name: meta.BucketName(fmt.Sprintf("bucket-%05d", i)), Owner: fmt.Sprintf("user-%04d", i%manyOwners),
					Limit: quota.Limit{MaxBytes: 1 << 30, MaxObjects: 1000},
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	for i := range manyOwners {
		limit := quota.Limit{MaxBytes: 10 << 30, MaxObjects: 10_000}
		if err := store.SetLimit(t.Context(), quota.OwnerScope(fmt.Sprintf("user-%04d", i)), limit); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// processorTime returns what the process has used: on a machine that others use too, the time says little.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkScrape measures one answer of /_plimsoll/metrics; it is to take less than 100 ms. The answer is compressed
// where who scrapes takes that, as Prometheus does.
func BenchmarkScrape(b *testing.B) {
	store := manyStore(b)
	registry := prometheus.NewRegistry()
	registry.MustRegister(store)
	handler := admin.New(admin.Config{Store: store, Gatherer: registry})
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			var size int
			began := processorTime(b)
			for b.Loop() {
				r, err := http.NewRequest(http.MethodGet, "/_plimsoll/metrics", nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("Accept-Encoding", encoding)
				answer := newRecorder()
				handler.ServeHTTP(answer, r)
				if size = answer.body.Len(); size < 10_000 {
					b.Fatalf("%s", answer.body.Bytes())
				}
			}
			b.ReportMetric((processorTime(b)-began).Seconds()*1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(size)/1024, "KiB/answer")
		})
	}
}

// BenchmarkOverview measures GET usage, without its signature.
func BenchmarkOverview(b *testing.B) {
	store := manyStore(b)
	directory, err := iam.Open(b.Context(), iam.Options{Records: store, RootAccessKey: accessKey, RootSecretKey: secretKey})
	if err != nil {
		b.Fatal(err)
	}
	handler := admin.New(admin.Config{
		Store: store, Gatherer: prometheus.NewRegistry(), Directory: directory,
		Verifier: s3api.NewVerifier(s3api.Config{Directory: directory, Region: region}),
	})
	for _, path := range []string{"usage", "quotas", "buckets", "quotas/buckets/bucket-00042"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				r := (&fixture{url: "http://127.0.0.1"}).signed(http.MethodGet, path, "")
				answer := newRecorder()
				handler.ServeHTTP(answer, r)
				if !bytes.Contains(answer.body.Bytes(), []byte("bucket-00042")) {
					b.Fatalf("%.500s", answer.body.Bytes())
				}
			}
		})
	}
}
