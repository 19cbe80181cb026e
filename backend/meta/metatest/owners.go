package metatest

import (
	"errors"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

var bob = quota.OwnerScope("bob")

// createBucketOf is createBucket of another owner.
func createBucketOf(owner quota.Scope, name meta.BucketName) meta.CreateBucket {
	m := createBucket(name)
	m.Bucket.Owner = owner.Name
	return m
}

// wantOwners checks which owners have accounts.
func (f *fixture) wantOwners(want ...quota.Scope) {
	f.Helper()
	var got []quota.Scope
	for _, a := range f.accounts() {
		if a.Scope.Kind == quota.Owner {
			got = append(got, a.Scope)
		}
	}
	if !slices.Equal(got, want) {
		f.Errorf("owners with accounts: %v, want %v", got, want)
	}
}

// wantRemoved checks the scopes that a mutation removed.
func (f *fixture) wantRemoved(r meta.Result, want ...quota.Scope) {
	f.Helper()
	if !slices.Equal(r.RemovedScopes, want) {
		f.Errorf("RemovedScopes are %v, want %v", r.RemovedScopes, want)
	}
	for _, a := range r.Accounts {
		if slices.Contains(want, a.Scope) {
			f.Errorf("%s is removed, and has the account %+v", a.Scope, a)
		}
	}
}

// testOwners: an owner has an account while they own a bucket or have a limit.
func testOwners(f *fixture) {
	limit := quota.Limit{MaxBytes: 100}
	f.wantOwners()
	if r := f.must(meta.SetLimit{Scope: bob}); r.Accounts != nil || r.RemovedScopes != nil {
		f.Errorf("no limit for nobody: %+v", r)
	}
	// A limit before there is a bucket.
	r := f.must(meta.SetLimit{Scope: bob, Limit: limit})
	if want := []quota.Account{{Scope: bob, Limit: limit}}; !slices.Equal(r.Accounts, want) {
		f.Errorf("accounts after SetLimit: %+v, want %+v", r.Accounts, want)
	}
	f.reopen()
	f.wantOwners(bob)
	f.must(createBucketOf(bob, "b"), createBucketOf(bob, "b2"), createBucket("a"))
	// An owner, a bucket and another owner may share a name.
	f.must(createBucketOf(quota.OwnerScope("a"), "bob"))
	f.wantOwners(quota.OwnerScope("a"), ada, bob)
	f.must(put("b", "k", object(1, 10)), put("b2", "k", object(2, 20)), put("a", "k", object(3, 5)))
	f.scopeUsage(bob, quota.Usage{Bytes: 30, Objects: 2})
	f.scopeUsage(ada, quota.Usage{Bytes: 5, Objects: 1})
	f.reopen()
	f.scopeUsage(bob, quota.Usage{Bytes: 30, Objects: 2})
	f.must(meta.DeleteObject{Bucket: "b", Key: "k"}, meta.DeleteObject{Bucket: "b2", Key: "k"})
	f.wantRemoved(f.must(meta.DeleteBucket{Bucket: "b"}), quota.BucketScope("b"))
	// The limit outlives the last bucket, and keeps the account; without it the account goes.
	f.wantRemoved(f.must(meta.DeleteBucket{Bucket: "b2"}), quota.BucketScope("b2"))
	f.wantOwners(quota.OwnerScope("a"), ada, bob)
	f.wantRemoved(f.must(meta.SetLimit{Scope: bob}), bob)
	f.wantRemoved(f.must(meta.DeleteBucket{Bucket: "bob"}), quota.BucketScope("bob"), quota.OwnerScope("a"))
	f.reopen()
	f.wantOwners(ada)
	// The limit goes first, then the last bucket.
	f.must(meta.SetLimit{Scope: ada, Limit: limit})
	f.wantRemoved(f.must(meta.SetLimit{Scope: ada}))
	f.must(meta.DeleteObject{Bucket: "a", Key: "k"})
	f.wantRemoved(f.must(meta.DeleteBucket{Bucket: "a"}), quota.BucketScope("a"), ada)
	f.wantOwners()
}

// testOwnersWithinBatch makes and removes the same owner several times in one transaction.
func testOwnersWithinBatch(f *fixture) {
	for range 2 { // the second finds nothing left of the first
		results := f.commit(
			createBucketOf(bob, "b"),
			put("b", "k", object(1, 10)),
			meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 10}},
			put("b", "l", object(2, 1)), // does not fit
			meta.DeleteObject{Bucket: "b", Key: "k"},
			meta.DeleteBucket{Bucket: "b"},
			createBucketOf(bob, "b"),
			put("b", "l", object(2, 11)), // nor does this, under the limit that is kept
			meta.SetLimit{Scope: bob},
			meta.DeleteBucket{Bucket: "b"},
			meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 10}},
			meta.SetLimit{Scope: bob},
			createBucketOf(bob, "b"),
			put("b", "l", object(2, 11)), // under none
			createBucketOf(ada, "b2"),
			meta.DeleteBucket{Bucket: "b2"},
			meta.ForgetGarbage{Blobs: []meta.BlobID{blob(1)}},
		)
		for i, r := range results {
			refused := errors.As(r.Err, new(*quota.ExceededError))
			if refused != (i == 3 || i == 7) || (r.Err != nil) != refused {
				f.Errorf("mutation %d: %v", i, r.Err)
			}
		}
		f.wantRemoved(results[5], quota.BucketScope("b"))
		f.wantRemoved(results[9], quota.BucketScope("b"), bob)
		f.reopen()
		f.wantOwners(bob)
		f.scopeUsage(bob, quota.Usage{Bytes: 11, Objects: 1})
		Recount(f, f.repo)
		f.must(meta.DeleteObject{Bucket: "b", Key: "l"}, meta.DeleteBucket{Bucket: "b"})
		f.must(meta.ForgetGarbage{Blobs: []meta.BlobID{blob(2)}})
		f.wantOwners()
	}
}

// testOwnerQuota: a limit of an owner holds for all of their buckets together, and for nobody else's.
func testOwnerQuota(f *fixture) {
	f.must(createBucketOf(bob, "b"), createBucketOf(bob, "c"), createBucket("other"))
	f.must(meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 100, MaxObjects: 3}})
	foreign := object(1, 60)
	foreign.Owner = "ada" // the bucket's owner is charged, whoever writes
	f.must(put("b", "k", foreign), put("other", "k", object(2, 1000)))
	f.exceeded(put("c", "k", object(3, 41)), bob, quota.Bytes)
	f.must(put("c", "k", object(3, 40))) // exactly
	f.exceeded(put("b", "l", object(4, 1)), bob, quota.Bytes)
	f.must(put("b", "empty", object(4)))
	f.exceeded(put("c", "empty", object(5)), bob, quota.Objects)
	f.exceeded(meta.PutObject{Bucket: "b", Key: "k", Object: object(2, 1000), Shared: true}, bob, quota.Bytes)
	f.must(meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 10, MaxObjects: 1}})
	f.must(put("b", "k", object(6, 60)), put("b", "k", object(7, 59))) // does not grow
	f.exceeded(put("b", "k", object(8, 60)), bob, quota.Bytes)
	f.must(meta.DeleteObject{Bucket: "b", Key: "k"}, meta.DeleteObject{Bucket: "b", Key: "empty"})
	f.scopeUsage(bob, quota.Usage{Bytes: 40, Objects: 1})

	f.must(meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 100}})
	f.must(createUpload("b", "u", "1"), createUpload("c", "k", "2"))
	f.exceeded(putPart("b", "u", "1", part(1, 10, 61)), bob, quota.Bytes) // 40 + 61
	f.must(putPart("b", "u", "1", part(1, 10, 60)))
	f.exceeded(putPart("c", "k", "2", part(1, 11, 41)), bob, quota.Bytes) // all parts: 60 + 41
	f.must(putPart("c", "k", "2", part(1, 11, 40)))                       // all parts, and 40 - 40 + 40
	f.must(meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 99}})
	f.exceeded(complete("b", "u", "1", "e", part(1, 10, 60)), bob, quota.Bytes)
	f.must(meta.SetLimit{Scope: bob, Limit: quota.Limit{MaxBytes: 100}}, complete("b", "u", "1", "e", part(1, 10, 60)))
	f.must(meta.AbortUpload{Bucket: "c", Key: "k", Upload: "2"})
	f.scopeUsage(bob, quota.Usage{Bytes: 100, Objects: 2})
	f.scopeUsage(ada, quota.Usage{Bytes: 1000, Objects: 1})
	f.usage("", quota.Usage{Bytes: 1100, Objects: 3})
}

// sumOwners adds up the buckets of each owner. One who has none has an account while they have a limit.
func (c *count) sumOwners() {
	for _, a := range c.accounts {
		if a.Scope.Kind == quota.Owner && !a.Limit.Unlimited() {
			c.usage[a.Scope] = new(quota.Usage)
		}
	}
	for bucket, owner := range c.owners {
		scope := quota.OwnerScope(owner)
		if c.usage[scope] == nil {
			c.usage[scope] = new(quota.Usage)
		}
		*c.usage[scope] = c.usage[scope].Apply(quota.Delta(*c.bucket(bucket)))
	}
}
