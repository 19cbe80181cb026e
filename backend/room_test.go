package backend

import (
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func TestRoomIsOfTheTightestScope(t *testing.T) {
	f := open(t)
	b := meta.Bucket{Name: "b", Owner: "ada"}
	bucket, owner := quota.BucketScope("b"), quota.OwnerScope("ada")
	want := func(scope quota.Scope, total, used, available int64) {
		t.Helper()
		wanted := quota.Room{Scope: scope, Total: total, Used: used, Available: available}
		if got, ok := f.Room(b, ""); !ok || got != wanted {
			t.Errorf("%+v, %v, want %+v", got, ok, wanted)
		}
	}
	if got, ok := f.Room(b, ""); ok {
		t.Errorf("without limits: %+v", got)
	}
	f.put("k", noise(10, 1))
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: 100})
	want(quota.ServerScope, 100, 10, 90)
	f.limit(owner, quota.Limit{MaxBytes: 100})
	want(owner, 100, 10, 90) // as little, and further in
	f.limit(bucket, quota.Limit{MaxBytes: 1000})
	want(owner, 100, 10, 90)
	f.limit(bucket, quota.Limit{MaxBytes: 5})
	want(bucket, 5, 10, 0)
	if disk, err := f.RoomOnDisk(b); err != nil || disk.Scope != bucket {
		t.Errorf("%+v, error %v", disk, err)
	}
	// Of a key those of its prefixes hold, too.
	f.limit(bucket, quota.Limit{MaxBytes: 50})
	f.limit(quota.PrefixScope("b", "k"), quota.Limit{MaxBytes: 50})
	f.limit(quota.PrefixScope("b", "kk"), quota.Limit{MaxBytes: 45})
	want(bucket, 50, 10, 40)
	for key, scope := range map[meta.Key]quota.Scope{
		"k2": quota.PrefixScope("b", "k"), "kk": quota.PrefixScope("b", "k"), "j": bucket,
	} {
		if got, ok := f.Room(b, key); !ok || got.Scope != scope || got.Available != 40 {
			t.Errorf("%s: %+v, %v, want %s", key, got, ok, scope)
		}
	}
	// Of a bucket that is gone, what else holds is told.
	if got, ok := f.Room(meta.Bucket{Name: "gone", Owner: "nobody"}, ""); !ok || got.Scope != quota.ServerScope {
		t.Errorf("%+v, %v", got, ok)
	}
}

func TestRoomOnDisk(t *testing.T) {
	f := open(t, func(o *Options) { o.Reserve = DiskReserve{Percent: 1} })
	b := meta.Bucket{Name: "b", Owner: "ada"}
	_, size, err := f.Free()
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{0, 1 << 62} { // none, and more than the disk has
		f.limit(quota.BucketScope("b"), quota.Limit{MaxBytes: limit})
		room, err := f.RoomOnDisk(b)
		if err != nil {
			t.Fatal(err)
		}
		if room.Scope != diskScope || room.Total != size || room.Used+room.Available != size || room.Used < size/100 {
			t.Errorf("%+v of a disk of %d", room, size)
		}
	}
}

func BenchmarkRoom(b *testing.B) {
	f := open(b)
	bucket := meta.Bucket{Name: "b", Owner: "ada"}
	for _, scope := range []quota.Scope{quota.BucketScope("b"), quota.OwnerScope("ada"), quota.ServerScope} {
		f.limit(scope, quota.Limit{MaxBytes: 1 << 40})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := f.Room(bucket, "k"); !ok {
			b.Fatal("no room")
		}
	}
}
