package backend

import (
	"errors"
	"fmt"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func TestDeleteObjectCreditsItsBytes(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	f.put("empty", nil)
	f.delete("k")
	f.wantGone("k")
	f.wantUsage(bucketB, quota.Usage{Objects: 1})
	f.delete("empty")
	f.wantUsage(bucketB, quota.Usage{})
	f.wantUsage(quota.ServerScope, quota.Usage{})
}

func TestDeleteObjectOfNothingIsNoError(t *testing.T) {
	f := open(t)
	f.delete("none")
	f.wantUsage(bucketB, quota.Usage{})
}

func TestDeleteObjectInNoBucket(t *testing.T) {
	f := open(t)
	if err := f.tryDelete("none", "k"); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Error(err)
	}
}

func TestDeleteObjectIsAllowedOverALoweredLimit(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	f.put("l", noise(1000, 2))
	f.limit(bucketB, quota.Limit{MaxBytes: 10, MaxObjects: 1})
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: 10, MaxObjects: 1})
	f.delete("k")
	f.wantUsage(bucketB, quota.Usage{Bytes: 1000, Objects: 1})
}

func TestDeleteObjectsAnswersForEachKey(t *testing.T) {
	f := open(t)
	keys := []meta.Key{"none", "", "k0"} // a key that is not there, one that cannot be, one twice
	for i := range 50 {
		key := meta.Key(fmt.Sprintf("k%d", i))
		f.put(key, noise(10, uint64(i)))
		keys = append(keys, key)
	}
	errs := f.deleteAll("b", keys)
	if len(errs) != len(keys) {
		t.Fatalf("%d answers to %d keys", len(errs), len(keys))
	}
	for i, err := range errs {
		if (err != nil) != (keys[i] == "") {
			t.Errorf("key %q: %v", keys[i], err)
		}
	}
	f.wantUsage(bucketB, quota.Usage{})
	for _, err := range f.deleteAll("none", keys) {
		if !errors.Is(err, meta.ErrNoSuchBucket) {
			t.Error(err)
		}
	}
}
