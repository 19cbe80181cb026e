package backend

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// crew is many writers of one store, whose every refusal is judged.
type crew struct {
	*fixture
	refused, transient, stored atomic.Int64
}

// judge looks at the answer to a writer.
func (c *crew) judge(err error, others ...error) {
	var e *quota.ExceededError
	switch {
	case err == nil:
		c.stored.Add(1)
	case errors.As(err, &e):
		c.refused.Add(1)
		if e.Transient {
			c.transient.Add(1)
		}
		if why := unfounded(e); why != "" {
			c.t.Error(why)
		}
	default:
		for _, other := range others {
			if errors.Is(err, other) {
				return
			}
		}
		c.t.Errorf("a writer failed: %v", err)
	}
}

// write does something at random, n times.
func (c *crew) write(writer, n int, buckets []meta.BucketName) {
	r := rand.New(rand.NewPCG(uint64(writer), 64))
	sizes := []int{0, 1, 100, 4096, 20_000, 70_000}
	content := noise(70_000, uint64(writer))
	for i := range n {
		bucket := buckets[r.IntN(len(buckets))]
		// Half of the keys are shared by all writers.
		key := meta.Key(fmt.Sprintf("shared %d", r.IntN(20)))
		if r.IntN(2) == 0 {
			key = meta.Key(fmt.Sprintf("%d of %d", r.IntN(4), writer))
		}
		piece := content[:sizes[r.IntN(len(sizes))]]
		switch r.IntN(10) {
		case 0, 1, 2, 3, 4:
			_, err := c.PutObject(background, PutObjectInput{Bucket: bucket, Key: key, Body: body(piece)})
			c.judge(err)
		case 5, 6:
			if _, err := c.DeleteObject(background, DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
				c.t.Error(err)
			}
		case 7:
			source := Source{Bucket: buckets[r.IntN(len(buckets))], Key: meta.Key(fmt.Sprintf("shared %d", r.IntN(20)))}
			_, err := c.CopyObject(background, CopyObjectInput{Source: source, Bucket: bucket, Key: key})
			c.judge(err, meta.ErrNoSuchKey)
		default:
			c.multipart(bucket, key, piece, i%4 == 0)
		}
	}
}

// multipart uploads two parts, takes one of them, and completes, or aborts where that is refused or not wanted.
func (c *crew) multipart(bucket meta.BucketName, key meta.Key, content []byte, abort bool) {
	id, err := c.CreateMultipartUpload(background, meta.Upload{Bucket: bucket, Key: key})
	if err != nil {
		c.t.Error(err)
		return
	}
	var parts []CompletedPart
	for number := 1; number <= 2; number++ {
		part, err := c.UploadPart(background, UploadPartInput{
			Bucket: bucket, Key: key, Upload: id, Number: number, Body: body(content[:len(content)/number]),
		})
		if c.judge(err); err == nil {
			parts = []CompletedPart{{Number: number, ETag: part.ETag}}
		}
	}
	if len(parts) > 0 && !abort {
		_, err := c.CompleteMultipartUpload(background, CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, Upload: id, Parts: parts, Size: -1,
		})
		if c.judge(err); err == nil {
			return
		}
	}
	if err := c.AbortMultipartUpload(background, bucket, key, id); err != nil {
		c.t.Error(err)
	}
}

// sample observes all accounts until stop is closed, and returns how often it did. A figure that is over its limit at
// any moment is an error.
func (c *crew) sample(stop <-chan struct{}) (samples int) {
	for {
		accounts, err := c.meta.Accounts(background)
		if err != nil {
			c.t.Error(err)
			return samples
		}
		for _, a := range append(accounts, c.Accounts()...) {
			if why := over(a); why != "" {
				c.t.Error(why)
				return samples
			}
		}
		samples++
		select {
		case <-stop:
			return samples
		default:
			runtime.Gosched()
		}
	}
}

// over says how an account is over its limit, or nothing.
func over(a quota.Account) string {
	bytes := a.Usage.Bytes
	if a.Scope == quota.ServerScope {
		bytes += a.Usage.PartBytes
	}
	switch l := a.Limit; {
	case a.Counting: // what is counted last may have been let in before
	case l.MaxBytes > 0 && max(bytes, a.Usage.PartBytes) > l.MaxBytes, l.MaxObjects > 0 && a.Usage.Objects > l.MaxObjects:
		return fmt.Sprintf("%s is over its limit: %+v", a.Scope, a)
	case a.Reserved.Bytes < 0 || a.Reserved.Objects < 0 || a.Reserved.PartBytes < 0:
		return fmt.Sprintf("%s reserves less than nothing: %+v", a.Scope, a)
	}
	return ""
}

// TestSixtyFourWritersNeverPassALimit has 64 writers put, overwrite, delete, copy and complete at once. Usage is within
// every limit whenever it is looked at, and equals a recount in the end; whoever was refused really did not fit.
func TestSixtyFourWritersNeverPassALimit(t *testing.T) {
	const writers = 64
	operations := 60
	if testing.Short() {
		operations = 20
	}
	for _, test := range []struct {
		name   string
		limits map[quota.Scope]quota.Limit
	}{
		{"a bucket's bytes", map[quota.Scope]quota.Limit{bucketB: {MaxBytes: 300_000}}},
		{"a bucket's objects", map[quota.Scope]quota.Limit{bucketB: {MaxObjects: 25}}},
		{"an owner's bytes", map[quota.Scope]quota.Limit{ownerAda: {MaxBytes: 400_000}}},
		{"an owner's objects", map[quota.Scope]quota.Limit{ownerAda: {MaxObjects: 40}}},
		{"the server's bytes", map[quota.Scope]quota.Limit{quota.ServerScope: {MaxBytes: 600_000}}},
		{"the server's objects", map[quota.Scope]quota.Limit{quota.ServerScope: {MaxObjects: 50}}},
		{"a prefix's bytes", map[quota.Scope]quota.Limit{quota.PrefixScope("b", "shared "): {MaxBytes: 150_000}}},
		{"a prefix's objects", map[quota.Scope]quota.Limit{quota.PrefixScope("b", "1"): {MaxObjects: 9}}},
		{"all of them", map[quota.Scope]quota.Limit{
			bucketB:                {MaxBytes: 400_000, MaxObjects: 30},
			quota.BucketScope("c"): {MaxBytes: 500_000, MaxObjects: 200},
			ownerAda:               {MaxBytes: 650_000, MaxObjects: 55},

			quota.PrefixScope("b", "s"):        {MaxBytes: 350_000, MaxObjects: 18},
			quota.PrefixScope("b", "shared 1"): {MaxBytes: 200_000, MaxObjects: 9},
			quota.PrefixScope("c", "shared "):  {MaxBytes: 300_000, MaxObjects: 17},
			quota.PrefixScope("c", "2"):        {MaxBytes: 100_000, MaxObjects: 5},
			quota.ServerScope:                  {MaxBytes: 700_000, MaxObjects: 60},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &crew{fixture: open(t)}
			c.createBucket("c", quota.Limit{})
			for scope, limit := range test.limits {
				c.limit(scope, limit)
			}
			stop, samples := make(chan struct{}), make(chan int, 1)
			go func() { samples <- c.sample(stop) }()
			var group sync.WaitGroup
			for writer := range writers {
				group.Go(func() { c.write(writer, operations, []meta.BucketName{"b", "c"}) })
			}
			group.Wait()
			close(stop)
			n := <-samples
			t.Logf("%d stored, %d refused, %d of them for reservations; looked %d times",
				c.stored.Load(), c.refused.Load(), c.transient.Load(), n)
			if c.stored.Load() == 0 || c.refused.Load() == 0 || n == 0 {
				t.Error("the limits were never reached: the test shows nothing")
			}
		})
	}
}

// TestSixtyFourWritersReachAnOwnersLimitExactly fills eight buckets of one owner until not a byte, or not an object, fits
// any more. What another owner's bucket takes meanwhile is no matter.
func TestSixtyFourWritersReachAnOwnersLimitExactly(t *testing.T) {
	const writers, buckets = 64, 8
	for _, test := range []struct {
		name  string
		limit quota.Limit
		sizes []int // what each writer puts until it is refused, one size after the other
	}{
		{"bytes", quota.Limit{MaxBytes: 1_234_567}, []int{9000, 700, 40, 1}},
		{"objects", quota.Limit{MaxObjects: 777}, []int{3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &crew{fixture: open(t)}
			var names []meta.BucketName
			for i := range buckets {
				names = append(names, meta.BucketName(fmt.Sprintf("bucket-%d", i)))
				c.createBucket(names[i], quota.Limit{})
			}
			if err := c.CreateBucket(background, CreateBucketInput{Name: "bobs", Owner: "bob"}); err != nil {
				t.Fatal(err)
			}
			c.limit(ownerAda, test.limit)
			stop, samples := make(chan struct{}), make(chan int, 1)
			go func() { samples <- c.sample(stop) }()
			var group sync.WaitGroup
			for writer := range writers {
				group.Go(func() {
					c.fill(writer, names, test.sizes)
					_, err := c.PutObject(background, PutObjectInput{
						Bucket: "bobs", Key: meta.Key(fmt.Sprint(writer)), Body: body(noise(100, 1)),
					})
					if err != nil {
						t.Errorf("another owner: %v", err)
					}
				})
			}
			group.Wait()
			close(stop)
			<-samples
			a, _ := c.Account(ownerAda)
			if test.limit.MaxBytes != 0 && a.Usage.Bytes != test.limit.MaxBytes ||
				test.limit.MaxObjects != 0 && a.Usage.Objects != test.limit.MaxObjects {
				t.Errorf("%+v does not reach %+v", a.Usage, test.limit)
			}
			c.wantUsage(ownerAda, a.Usage)
			c.wantUsage(quota.OwnerScope("bob"), quota.Usage{Bytes: writers * 100, Objects: writers})
			var sum quota.Usage
			for _, name := range names {
				b, _ := c.Account(quota.BucketScope(string(name)))
				sum = sum.Apply(quota.Delta(b.Usage))
			}
			if sum != a.Usage {
				t.Errorf("the buckets hold %+v, their owner %+v", sum, a.Usage)
			}
		})
	}
}

// fill puts objects of each size, in all buckets by turns, until one is refused.
func (c *crew) fill(writer int, buckets []meta.BucketName, sizes []int) {
	n := 0
	for _, size := range sizes {
		for err := error(nil); err == nil; n++ {
			_, err = c.PutObject(background, PutObjectInput{
				Bucket: buckets[(writer+n)%len(buckets)], Key: meta.Key(fmt.Sprintf("%d of %d", n, writer)),
				Body: body(noise(size, uint64(writer))),
			})
			c.judge(err)
		}
	}
}

// TestLimitsThatChangeUnderLoad has limits go up and down, and a prefix get one and lose it again, while writers write:
// refusals are still founded, in the figures of their moment, and usage equals a recount in the end.
func TestLimitsThatChangeUnderLoad(t *testing.T) {
	c := &crew{fixture: open(t, func(o *Options) { o.countRows = 2 })}
	var group sync.WaitGroup
	for writer := range 16 {
		group.Go(func() { c.write(writer, 40, []meta.BucketName{"b"}) })
	}
	stop := make(chan struct{})
	var changer sync.WaitGroup
	changer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				c.limit(bucketB, quota.Limit{MaxBytes: int64(50_000 + i%7*100_000)})
				c.limit(quota.PrefixScope("b", "shared"), quota.Limit{MaxBytes: int64(i % 3 * 100_000)})
			}
		}
	})
	group.Wait()
	close(stop)
	changer.Wait()
}
