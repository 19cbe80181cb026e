package backend

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/history"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (f *fixture) record() {
	f.t.Helper()
	if err := f.RecordUsage(background); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) history(scope quota.Scope) (history.Series, history.Trend) {
	f.t.Helper()
	series, trend, err := f.History(background, scope)
	if err != nil {
		f.t.Fatal(err)
	}
	return series, trend
}

// bytesOf are the figures of points.
func bytesOf(points []history.Point) string {
	text := ""
	for _, p := range points {
		text += fmt.Sprintf("%s %d/%d\n", p.Time.Format("02 15:04"), p.Bytes, p.Objects)
	}
	return text
}

func (f *fixture) wantHours(scope quota.Scope, want string) {
	f.t.Helper()
	series, _ := f.history(scope)
	if got := bytesOf(series.Hours); got != want {
		f.t.Errorf("hours of %s:\n%swant\n%s", scope, got, want)
	}
}

func TestHistory(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.createBucket("idle", quota.Limit{})
	f.wantHours(bucketB, "")
	f.record()
	f.record() // the hour has a point
	for i := range 3 {
		c.move(time.Hour)
		f.put(meta.Key(fmt.Sprint(i)), noise(100, 1))
		f.record()
	}
	id := f.createUpload("upload", meta.Upload{})
	f.part("upload", id, 1, noise(50, 1))
	f = f.reopen()
	c.move(5 * time.Hour) // nobody records
	f.record()
	hours := "01 12:00 0/0\n01 13:00 100/1\n01 14:00 200/2\n01 15:00 300/3\n01 20:00 300/3\n"
	f.wantHours(bucketB, hours)
	f.wantHours(ownerAda, hours)
	f.wantHours(quota.ServerScope, "01 12:00 0/0\n01 13:00 100/1\n01 14:00 200/2\n01 15:00 300/3\n01 20:00 350/3\n")
	f.wantHours(quota.BucketScope("idle"), "01 12:00 0/0\n01 13:00 0/0\n01 14:00 0/0\n01 15:00 0/0\n01 20:00 0/0\n")
	c.move(day)
	f.record()
	if series, _ := f.history(quota.BucketScope("idle")); bytesOf(series.Days) != "01 20:00 0/0\n" {
		t.Errorf("days: %s", bytesOf(series.Days))
	}
}

// What is idle is not written anew, and all that is written in an hour is written together.
func TestHistoryIsWrittenSparsely(t *testing.T) {
	c := newClock()
	var batches, written int
	x := &faults{}
	f := open(t, c.options, func(o *Options) {
		o.wrap = func(m meta.Repository, b blob.Store) (meta.Repository, blob.Store) {
			x.Repository = m
			return x, b
		}
	})
	for i := range 40 {
		f.createBucket(meta.BucketName(fmt.Sprintf("bucket-%d", i)), quota.Limit{})
	}
	x.set(func() {
		x.after = func(batch []meta.Mutation) {
			batches++
			for _, m := range batch {
				if put, ok := m.(meta.PutRecords); ok {
					written += len(put.Records)
				}
			}
		}
	})
	f.record()
	if written != 43 || batches != 2 { // the clock goes first
		t.Errorf("%d histories begun in %d transactions", written, batches)
	}
	written, batches = 0, 0
	c.move(time.Hour)
	f.record()
	if written != 1 || batches != 1 {
		t.Errorf("%d histories written in %d transactions, and only time has passed", written, batches)
	}
	x.set(func() { x.after = nil })
}

func TestHistoryGoesWithItsScope(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	if err := f.CreateBucket(background, CreateBucketInput{Name: "own", Owner: "bob"}); err != nil {
		t.Fatal(err)
	}
	f.put("k", noise(10, 1))
	f.record()
	own, bob := quota.BucketScope("own"), quota.OwnerScope("bob")
	f.wantHours(own, "01 12:00 0/0\n")
	c.move(time.Hour)
	again := func() {
		t.Helper()
		if err := f.DeleteBucket(background, "own"); err != nil {
			t.Fatal(err)
		}
		f.wantHours(own, "")
		f.wantHours(bob, "")
		c.move(time.Minute)
		if err := f.CreateBucket(background, CreateBucketInput{Name: "own", Owner: "bob"}); err != nil {
			t.Fatal(err)
		}
		f.wantHours(own, "")
		f.wantHours(bob, "")
	}
	again()
	f.record()
	f.wantHours(own, "01 13:01 0/0\n")
	f.wantHours(bob, "01 13:01 0/0\n")
	again()
	if err := f.DeleteBucket(background, "own"); err != nil {
		t.Fatal(err)
	}
	f = f.reopen() // before the records could be removed
	if err := f.passHistory(background, false); err != nil {
		t.Fatal(err)
	}
	if err := f.CreateBucket(background, CreateBucketInput{Name: "own", Owner: "bob"}); err != nil {
		t.Fatal(err)
	}
	f.wantHours(own, "")
	f.wantHours(bob, "")
	if err := f.DeleteBucket(background, "own"); err != nil {
		t.Fatal(err)
	}
	f.record()
	records, err := f.Records(background, RecordHistory, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Name == "bown" || r.Name == "obob" {
			t.Errorf("the history %q is left", r.Name)
		}
	}
	if len(records) != 3 {
		t.Errorf("%d histories, want those of the server, of ada and of b", len(records))
	}
}

func TestHistoriesAreCapped(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.createBucket("other", quota.Limit{})
	f.put("k", noise(10, 1))
	f.recorder.most = 3
	f.record()
	c.move(time.Hour)
	f.record()
	f.wantHours(bucketB, "01 12:00 10/1\n01 13:00 10/1\n")
	f.wantHours(quota.BucketScope("other"), "") // holds less
	f.recorder.most = 4
	c.move(time.Hour)
	f.record()
	f.wantHours(quota.BucketScope("other"), "01 14:00 0/0\n")
}

func TestForecastOfAccount(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.limit(bucketB, quota.Limit{MaxBytes: 10_000, MaxObjects: 1000})
	if trend := f.Trend(bucketB); trend.Known || trend.Points != 0 {
		t.Errorf("%+v", trend)
	}
	for i := range 48 {
		f.put(meta.Key(fmt.Sprint(i)), noise(100, 1))
		f.record()
		c.move(time.Hour)
	}
	f = f.reopen() // the growth is known again, without another point
	if err := f.passHistory(background, false); err != nil {
		t.Fatal(err)
	}
	trend := f.Trend(bucketB)
	if !trend.Known || trend.Bytes.PerDay != 2400 || trend.Objects.PerDay != 24 {
		t.Fatalf("%+v, want 2400 bytes and 24 objects per day", trend)
	}
	account, _ := f.Account(bucketB)
	got := f.Forecast(account, trend)
	if want := f.timestamp().Add(52 * time.Hour); got.Bytes == nil || !got.Bytes.At.Equal(want) {
		t.Errorf("bytes: %+v, want %v", got.Bytes, want)
	}
	if want := f.timestamp().Add(952 * time.Hour); got.Objects == nil || !got.Objects.At.Equal(want) {
		t.Errorf("objects: %+v, want %v", got.Objects, want)
	}
	server, _ := f.Account(quota.ServerScope)
	if got := f.Forecast(server, f.Trend(quota.ServerScope)); got != (Forecasts{}) {
		t.Errorf("without a limit: %+v", got)
	}
}

// A failed pass is tried again, and leaves no hole in the hour.
func TestHistoryAfterFailedCommit(t *testing.T) {
	c := newClock()
	x := &faults{}
	f := open(t, c.options, func(o *Options) {
		o.wrap = func(m meta.Repository, b blob.Store) (meta.Repository, blob.Store) {
			x.Repository = m
			return x, b
		}
	})
	f.dirtyStop = true
	x.set(func() { x.before = func([]meta.Mutation) error { return errors.New("no") } })
	if err := f.RecordUsage(background); err == nil {
		t.Error("a pass that stored nothing succeeds")
	}
	x.set(func() { x.before = nil })
	f.record()
	f.wantHours(bucketB, "01 12:00 0/0\n")
}
