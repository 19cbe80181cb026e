package backend

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func TestAbortAbandoned(t *testing.T) {
	const day = 24 * time.Hour
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		after   time.Duration
		now     time.Time
		aborted int
	}{
		{"none is old", 7 * day, begun.Add(7*day - time.Millisecond), 0},
		{"the first is as old as it may get", 7 * day, begun.Add(7 * day), 1},
		{"both are old", 7 * day, begun.Add(8 * day), 2},
		{"a clock that was set back", 7 * day, begun.Add(-day), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := begun
			f := open(t, func(o *Options) { o.Now = func() time.Time { return now } })
			f.createBucket("c", quota.Limit{})
			first := f.createUpload("first", meta.Upload{})
			f.part("first", first, 1, noise(300_000, 1))
			now = begun.Add(day)
			if _, err := f.CreateMultipartUpload(background, meta.Upload{Bucket: "c", Key: "second", Owner: "ada"}); err != nil {
				t.Fatal(err)
			}
			now = tt.now
			if aborted, err := f.abortAbandoned(background, tt.after); err != nil || aborted != tt.aborted {
				t.Fatalf("%d aborted, error %v; want %d", aborted, err, tt.aborted)
			}
			want := quota.Usage{PartBytes: 300_000, Uploads: 1}
			if tt.aborted > 0 {
				want = quota.Usage{}
			}
			f.wantUsage(bucketB, want)
		})
	}
}

func TestAbortAbandonedPages(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := open(t, func(o *Options) { o.Now = func() time.Time { return now } })
	for i := range abandonedPage + 1 {
		f.createUpload(meta.Key(fmt.Sprintf("k%04d", i)), meta.Upload{})
	}
	now = now.Add(time.Hour)
	kept := f.createUpload("k0000", meta.Upload{})
	if aborted, err := f.abortAbandoned(background, time.Hour); err != nil || aborted != abandonedPage+1 {
		t.Fatalf("%d aborted, error %v", aborted, err)
	}
	page, err := f.ListMultipartUploads(background, meta.UploadsRequest{Bucket: "b", Limit: 10})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Upload.ID != kept {
		t.Errorf("%+v, error %v; want only the new upload", page.Entries, err)
	}
}

// awaitedLog closes seen when a message is logged.
type awaitedLog struct {
	slog.Handler
	message string
	seen    chan struct{}
}

func (l *awaitedLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *awaitedLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == l.message {
		close(l.seen)
	}
	return nil
}

// TestAbortAbandonedAtOpen: what was abandoned while the store was closed is aborted when it is opened.
func TestAbortAbandonedAtOpen(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := open(t, func(o *Options) { o.Now = func() time.Time { return begun } })
	f.createUpload("k", meta.Upload{})
	f.finish()
	passed := make(chan struct{})
	f.options.AbortUploadsAfter = time.Hour
	f.options.Now = func() time.Time { return begun.Add(time.Hour) }
	f.options.Log = slog.New(&awaitedLog{slog.DiscardHandler, "aborted uploads that were not completed", passed})
	again := openWith(t, f.options)
	<-passed
	again.wantUsage(bucketB, quota.Usage{})
}
