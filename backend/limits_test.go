package backend

import (
	"errors"
	"sync"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// Changes of a limit come one after the other, whoever asks: none is lost.
func TestChangeLimit(t *testing.T) {
	f := open(t)
	scopes := []quota.Scope{bucketB, ownerAda, quota.ServerScope, quota.OwnerScope("nobody")}
	var group sync.WaitGroup
	const each = 10
	for range each {
		for _, scope := range scopes {
			group.Go(func() {
				err := f.ChangeLimit(background, scope, func(now quota.Limit) (quota.Limit, error) {
					now.MaxBytes++
					return now, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	for _, scope := range scopes {
		if a, ok := f.Account(scope); !ok || a.Limit != (quota.Limit{MaxBytes: each}) {
			t.Errorf("%s: %+v", scope, a.Limit)
		}
	}
	refuse := errors.New("no")
	err := f.ChangeLimit(background, bucketB, func(now quota.Limit) (quota.Limit, error) {
		return quota.Limit{}, refuse
	})
	if a, _ := f.Account(bucketB); !errors.Is(err, refuse) || a.Limit.MaxBytes != each {
		t.Errorf("%v, %+v", err, a.Limit)
	}
	err = f.ChangeLimit(background, quota.BucketScope("nope"), func(now quota.Limit) (quota.Limit, error) {
		t.Error("a bucket that is not there is shown")
		return now, nil
	})
	if !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Error(err)
	}
	if err := f.SetLimit(background, bucketB, quota.Limit{MaxBytes: -1}); err == nil {
		t.Error("a negative limit is taken")
	}
}

// What the disk says adds up.
func TestDiskSpace(t *testing.T) {
	f := open(t, func(o *Options) { o.Reserve = DiskReserve{Percent: 100} })
	d, err := f.Disk()
	if err != nil || d.Size <= 0 || d.Free > d.Size || d.Reserve != d.Size || d.Available != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
