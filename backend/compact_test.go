package backend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// fillPacks puts n objects of size bytes, so that several packs are full.
func fillPacks(f *fixture, n, size int) map[meta.Key][]byte {
	f.t.Helper()
	want := make(map[meta.Key][]byte, n)
	for i := range n {
		key := meta.Key(fmt.Sprintf("k%04d", i))
		want[key] = noise(size, uint64(i))
		f.put(key, want[key])
	}
	return want
}

func smallPacks(o *Options) { o.packLength = 1 << 20 }

// Packs that are mostly dead are compacted: what lives in them reads as before, copies included, and their space comes
// back.
func TestCompaction(t *testing.T) {
	f := open(t, smallPacks)
	want := fillPacks(f, 200, 20_000)
	if _, err := f.CopyObject(background, CopyObjectInput{
		Source: Source{Bucket: "b", Key: "k0000"}, Bucket: "b", Key: "copy",
	}); err != nil {
		t.Fatal(err)
	}
	want["copy"] = want["k0000"]
	before := f.packs.Stats() // nothing is dead yet; later on the store compacts by itself as well
	for i := range 200 {
		if i%4 != 1 {
			key := meta.Key(fmt.Sprintf("k%04d", i))
			f.delete(key)
			delete(want, key)
		}
	}
	f.garbage.wait()
	<-f.counted
	if err := f.compact(background); err != nil {
		t.Fatal(err)
	}
	after := f.packs.Stats()
	if after.Bytes >= before.Bytes/2 {
		t.Errorf("the packs hold %d bytes after compaction, %d before it; 51 of 200 objects are left", after.Bytes, before.Bytes)
	}
	for key, body := range want {
		f.wantContent(key, body)
	}
}

// Downloads that are open while their pack is compacted read on; those that begin meanwhile find the new place.
func TestDownloadsDuringCompaction(t *testing.T) {
	f := open(t, smallPacks)
	want := fillPacks(f, 200, 20_000)
	open := make(map[meta.Key]io.ReadCloser)
	for i := range 200 {
		key := meta.Key(fmt.Sprintf("k%04d", i))
		switch {
		case i%10 == 0:
			_, reader, err := f.GetObject(background, "b", key, "", whole)
			if err != nil {
				t.Fatal(err)
			}
			open[key] = reader
		case i%2 == 0:
			f.delete(key)
			delete(want, key)
		}
	}
	f.garbage.wait()
	<-f.counted
	ctx, cancel := context.WithCancel(background)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				for key, body := range want {
					_, reader, err := f.GetObject(background, "b", key, "", whole)
					if err != nil {
						t.Errorf("get %s during compaction: %v", key, err)
						return
					}
					got, err := io.ReadAll(reader)
					if err != nil || !bytes.Equal(got, body) {
						t.Errorf("get %s during compaction: %d bytes, %v", key, len(got), err)
					}
					_ = reader.Close()
				}
			}
		})
	}
	if err := f.compact(background); err != nil {
		t.Error(err)
	}
	cancel()
	readers.Wait()
	for key, reader := range open {
		got, err := io.ReadAll(reader)
		if err != nil || !bytes.Equal(got, want[key]) {
			t.Errorf("%s, open since before the compaction: %d bytes, %v", key, len(got), err)
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What earlier runs have left is counted after the start, and compacted as if it were new.
func TestCompactionAfterARestart(t *testing.T) {
	f := open(t, smallPacks)
	want := fillPacks(f, 200, 20_000)
	f.finish()
	again := openWith(t, f.options)
	before := again.packs.Stats() // nothing is dead yet; later on the store compacts by itself as well
	for i := range 150 {
		key := meta.Key(fmt.Sprintf("k%04d", i))
		again.delete(key)
		delete(want, key)
	}
	again.garbage.wait()
	<-again.counted
	if err := again.compact(background); err != nil {
		t.Fatal(err)
	}
	if after := again.packs.Stats(); after.Bytes >= before.Bytes/2 {
		t.Errorf("the packs hold %d bytes after compaction, %d before it", after.Bytes, before.Bytes)
	}
	for key, body := range want {
		again.wantContent(key, body)
	}
	if a, _ := again.Account(quota.BucketScope("b")); a.Usage.Objects != int64(len(want)) {
		t.Errorf("usage %+v, want %d objects", a.Usage, len(want))
	}
}

// A crash at any step of a compaction loses nothing: a copy of the data directory, taken before a move is committed,
// after it, and when the old pack is gone, opens with every object as it was.
func TestCrashDuringCompaction(t *testing.T) {
	x := &faults{}
	f := open(t, smallPacks, withFaults(x))
	want := fillPacks(f, 120, 20_000)
	var crashes []Options
	moves := func(batch []meta.Mutation) bool {
		for _, m := range batch {
			if _, ok := m.(meta.MoveBlobs); ok {
				return true
			}
		}
		return false
	}
	x.set(func() {
		x.before = func(batch []meta.Mutation) error {
			if moves(batch) && len(crashes) < 6 {
				crashes = append(crashes, f.crashed())
			}
			return nil
		}
		x.after = func(batch []meta.Mutation) {
			if moves(batch) && len(crashes) < 6 {
				crashes = append(crashes, f.crashed())
			}
		}
	})
	for i := range 120 {
		if i%3 != 0 {
			key := meta.Key(fmt.Sprintf("k%04d", i))
			f.delete(key)
			delete(want, key)
		}
	}
	f.garbage.wait()
	<-f.counted
	if err := f.compact(background); err != nil {
		t.Fatal(err)
	}
	x.set(func() { x.before, x.after = nil, nil })
	if len(crashes) < 4 {
		t.Fatalf("%d moments of the compaction were seen, want 4 and more", len(crashes))
	}
	for i, options := range append(crashes, f.crashed()) {
		options.packLength = f.options.packLength
		after := openWith(t, options)
		for key, body := range want {
			after.wantContent(key, body)
		}
		<-after.counted
		if err := after.compact(background); err != nil {
			t.Errorf("moment %d: %v", i, err)
		}
		for key, body := range want {
			after.wantContent(key, body)
		}
		after.finish()
	}
}
