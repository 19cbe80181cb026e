package metatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func testNeighbours(f *fixture) {
	f.must(createBucket("b"), meta.SetLimit{Scope: quota.BucketScope("b"), Limit: quota.Limit{MaxBytes: 100}})
	refused := put("b", "k1", object(9, 1))
	refused.Precondition.IfMatch = "other"
	results := f.commit(
		put("b", "k1", object(1, 60)),
		put("b", "k2", object(2, 60)), // does not fit behind the first
		put("c", "k", object(3, 1)),
		refused,
		put("b", "k3", object(4, 40)),
		putPart("b", "k1", "none", part(1, 5, 1)),
		meta.DeleteObject{Bucket: "b", Key: "k1"},
		put("b", "k4", object(6, 60)), // fits after the delete
	)
	if !errors.As(results[1].Err, new(*quota.ExceededError)) {
		f.Errorf("second put: %v", results[1].Err)
	}
	for i, want := range []error{
		nil, results[1].Err, meta.ErrNoSuchBucket, meta.ErrPreconditionFailed, nil,
		meta.ErrNoSuchUpload, nil, nil,
	} {
		if !errors.Is(results[i].Err, want) {
			f.Errorf("mutation %d: %v, want %v", i, results[i].Err, want)
		}
	}
	if want := (quota.Usage{Bytes: 100, Objects: 2}); results[4].Accounts[2].Usage != want {
		f.Errorf("usage after the fifth mutation: %+v, want %+v", results[4].Accounts, want)
	}
	f.wantGarbage(results[6], blob(1))
	f.usage("b", quota.Usage{Bytes: 100, Objects: 2})
	f.missing("b", "k2", meta.ErrNoSuchKey)
	known, err := f.repo.Known(background, []meta.BlobID{blob(2), blob(3), blob(4), blob(5), blob(9)})
	if err != nil || !slices.Equal(known, []bool{false, false, true, false, false}) {
		f.Errorf("Known: %v, %v", known, err)
	}
}

func testWithinBatch(f *fixture) {
	copied := put("b", "copy", object(1, 10))
	copied.Shared = true
	for round := range 2 { // the second finds the garbage of the first forgotten, and the bucket gone
		results := f.commit(
			createBucket("b"),
			put("b", "k", object(1, 10)),
			copied,
			createUpload("b", "u", "1"),
			putPart("b", "u", "1", part(1, 2, 5)),
			complete("b", "u", "1", "e", part(1, 2, 5)),
			meta.DeleteObject{Bucket: "b", Key: "k"},
			meta.DeleteBucket{Bucket: "b"},
			meta.DeleteObject{Bucket: "b", Key: "copy"},
			meta.DeleteObject{Bucket: "b", Key: "u"},
			meta.DeleteBucket{Bucket: "b"},
			put("b", "k", object(3, 10)),
			createBucket("b"),
			meta.SetLimit{Scope: quota.BucketScope("b"), Limit: quota.Limit{MaxObjects: 1}},
			put("b", "k", object(3, 1)),
			put("b", "l", object(4, 1)),
			meta.DeleteObject{Bucket: "b", Key: "k"},
			createUpload("b", "u", "1"),
			putPart("b", "u", "1", part(1, 5, 5)),
			meta.DeleteBucket{Bucket: "b"},
			meta.ForgetGarbage{Blobs: []meta.BlobID{blob(1), blob(2), blob(3), blob(5)}},
		)
		for i, r := range results {
			var want error
			switch i {
			case 7:
				want = meta.ErrBucketNotEmpty
			case 11:
				want = meta.ErrNoSuchBucket
			case 15:
				if !errors.As(r.Err, new(*quota.ExceededError)) {
					f.Errorf("round %d, mutation %d: %v", round, i, r.Err)
				}
				continue
			}
			if !errors.Is(r.Err, want) {
				f.Errorf("round %d, mutation %d: %v, want %v", round, i, r.Err, want)
			}
		}
		if got := f.accounts(); !slices.Equal(got, []quota.Account{{Scope: quota.ServerScope}}) {
			f.Errorf("accounts: %+v", got)
		}
		f.reopen()
	}
}

func testReopen(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 10)), createUpload("b", "u", "1"))
	f.must(putPart("b", "u", "1", part(1, 2, 5)))
	before := f.accounts()
	f.reopen()
	if after := f.accounts(); !slices.Equal(after, before) {
		f.Errorf("accounts: %+v, want %+v", after, before)
	}
	Recount(f, f.repo)
	f.stat("b", "k")
	f.must(complete("b", "u", "1", "e", part(1, 2, 5)))
	f.usage("b", quota.Usage{Bytes: 15, Objects: 2})
}

func testClose(f *fixture) {
	f.must(createBucket("b"))
	for range 2 {
		if err := f.repo.Close(); err != nil {
			f.Fatalf("Close: %v", err)
		}
	}
	if _, err := f.repo.Commit(background, []meta.Mutation{createBucket("c")}); err == nil {
		f.Error("Commit after Close succeeded")
	}
	if _, err := f.repo.Buckets(background); err == nil {
		f.Error("Buckets after Close succeeded")
	}
	if _, err := f.repo.Accounts(background); err == nil {
		f.Error("Accounts after Close succeeded")
	}
	f.reopen()
}

func testCancelled(f *fixture) {
	f.must(createBucket("b"))
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := f.repo.Commit(ctx, []meta.Mutation{createBucket("c")}); !errors.Is(err, context.Canceled) {
		f.Errorf("Commit: %v", err)
	}
	if _, err := f.repo.Bucket(ctx, "b"); !errors.Is(err, context.Canceled) {
		f.Errorf("Bucket: %v", err)
	}
	if _, err := f.repo.Bucket(background, "c"); !errors.Is(err, meta.ErrNoSuchBucket) {
		f.Errorf("a cancelled Commit is stored: %v", err)
	}
}

func testConcurrent(f *fixture) {
	const writers, rounds = 4, 25
	f.must(createBucket("b"), meta.SetLimit{Scope: quota.BucketScope("b"), Limit: quota.Limit{MaxObjects: 50}})
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex // guards admitted
		admitted int
	)
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				n := w*rounds + i
				results, err := f.repo.Commit(background, []meta.Mutation{put("b", meta.Key(fmt.Sprint(n)), object(n+1, 1))})
				if err != nil {
					f.Errorf("Commit: %v", err)
					return
				}
				if results[0].Err == nil {
					mu.Lock()
					admitted++
					mu.Unlock()
				}
				if _, err := f.repo.List(background, meta.ListRequest{Bucket: "b", Limit: 100}); err != nil {
					f.Errorf("List: %v", err)
				}
				if _, err := f.repo.Accounts(background); err != nil {
					f.Errorf("Accounts: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if admitted != 50 {
		f.Errorf("%d of 50 objects were admitted", admitted)
	}
	f.usage("b", quota.Usage{Bytes: 50, Objects: 50})
}

func testWalk(f *fixture) {
	f.must(createBucket("b"), put("b", "k", object(1, 10)), put("b", "gone", object(2, 10)), createUpload("b", "u", "1"))
	f.must(putPart("b", "u", "1", part(1, 3, 5)), meta.DeleteObject{Bucket: "b", Key: "gone"})
	f.must(versioned("v"), put("v", "k", object(4, 1)), put("v", "k", object(5, 1)), remove("v", "l", ""))
	f.must(meta.PutBucketConfig{Bucket: "v", Kind: "cors", Value: []byte("1")}, record("user", "ada", "1"))
	rows := map[string]int{}
	err := f.repo.Walk(background, func(row meta.Row) error {
		rows[fmt.Sprintf("%T", row)]++
		return nil
	})
	if err != nil {
		f.Fatalf("Walk: %v", err)
	}
	want := map[string]int{
		"meta.Bucket": 2, "quota.Account": 4, "meta.ObjectRow": 3, "meta.Upload": 1, "meta.PartRow": 1, "meta.BlobRow": 4,
		"meta.GarbageRow": 1, "meta.MarkerRow": 1, "meta.ConfigRow": 1, "meta.Record": 1,
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		f.Errorf("rows: %v, want %v", rows, want)
	}
	stop, visits := errors.New("stop"), 0
	err = f.repo.Walk(background, func(meta.Row) error { visits++; return stop })
	if !errors.Is(err, stop) || visits != 1 {
		f.Errorf("Walk: %v after %d visits", err, visits)
	}
	func() {
		defer func() {
			if p := recover(); p != "panic of visit" {
				f.Errorf("recovered %v", p)
			}
		}()
		_ = f.repo.Walk(background, func(meta.Row) error { panic("panic of visit") })
	}()
	f.must(createBucket("after"))
}
