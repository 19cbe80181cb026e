package backend

import (
	"errors"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (f *fixture) defaults(d Defaults) {
	f.t.Helper()
	changed, err := f.ChangeDefaults(background, func(to *Defaults) error {
		*to = d
		return nil
	})
	if err != nil || changed != d {
		f.t.Fatalf("%+v, %v", changed, err)
	}
}

func (f *fixture) wantLimit(scope quota.Scope, want quota.Limit) {
	f.t.Helper()
	if a, _ := f.Account(scope); a.Limit != want {
		f.t.Errorf("%s has %+v, want %+v", scope, a.Limit, want)
	}
}

func TestNewBucketsGetTheDefault(t *testing.T) {
	f := open(t)
	d := Defaults{Bucket: quota.Limit{MaxBytes: 100, MaxObjects: 5}}
	f.defaults(d)
	f = f.reopen()
	if got := f.Defaults(); got != d {
		t.Errorf("after a restart: %+v", got)
	}
	f.wantLimit(bucketB, quota.Limit{}) // it was there
	f.createBucket("c", quota.Limit{})
	f.createBucket("d", quota.Limit{MaxBytes: 7})
	f.wantLimit(quota.BucketScope("c"), d.Bucket)
	f.wantLimit(quota.BucketScope("d"), quota.Limit{MaxBytes: 7, MaxObjects: 5})
	err := f.CreateBucket(background, CreateBucketInput{Name: "e", Owner: "ada", Limit: quota.Limit{MaxBytes: 7}, NoDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	f.wantLimit(quota.BucketScope("e"), quota.Limit{MaxBytes: 7})
	f.defaults(Defaults{})
	f.createBucket("f", quota.Limit{})
	f.wantLimit(quota.BucketScope("f"), quota.Limit{})
	f.wantLimit(quota.BucketScope("c"), d.Bucket) // existing ones keep what they have
	if _, err := f.Record(background, defaultsRecord, defaultsName); !errors.Is(err, meta.ErrNoSuchRecord) {
		t.Errorf("no defaults are a record: %v", err)
	}
}

func TestDefaultsThatAreRefusedChangeNothing(t *testing.T) {
	f := open(t)
	d := Defaults{Owner: quota.Limit{MaxObjects: 3}}
	f.defaults(d)
	refusal := errors.New("not so")
	for _, edit := range []func(*Defaults) error{
		func(to *Defaults) error { to.Bucket.MaxBytes = 9; return refusal },
		func(to *Defaults) error { to.Bucket.MaxBytes = -9; return nil },
	} {
		if _, err := f.ChangeDefaults(background, edit); err == nil || f.Defaults() != d {
			t.Errorf("%v; %+v", err, f.Defaults())
		}
	}
}

func TestNewUsersGetTheDefault(t *testing.T) {
	f := open(t)
	limit, own := quota.Limit{MaxBytes: 100}, quota.Limit{MaxObjects: 1}
	f.defaults(Defaults{Owner: limit})
	record := func(name string) meta.PutRecord {
		return meta.PutRecord{Kind: "user", Name: name, Value: []byte("{}"), Condition: meta.RecordCondition{Absent: true}}
	}
	bob, eve := quota.OwnerScope("bob"), quota.OwnerScope("eve")
	f.limit(eve, own)
	if err := errors.Join(f.CreateOwner(background, "bob", record("bob")), f.CreateOwner(background, "eve", record("eve"))); err != nil {
		t.Fatal(err)
	}
	f.wantLimit(bob, limit)
	f.wantLimit(eve, own) // a limit that is there wins
	f.wantLimit(ownerAda, quota.Limit{})
	f.limit(bob, quota.Limit{})
	if err := f.CreateOwner(background, "bob", record("bob")); !errors.Is(err, meta.ErrRecordConflict) {
		t.Errorf("a user twice: %v", err)
	}
	if _, ok := f.Account(bob); ok {
		t.Error("a user who was not made has got a limit")
	}
	f.defaults(Defaults{})
	if err := f.CreateOwner(background, "ivy", record("ivy")); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Account(quota.OwnerScope("ivy")); ok {
		t.Error("no default is an account")
	}
}

// TestRemovedUsersLeaveNoLimit: whoever gets the name of a user who was removed does not inherit the limit, also where the
// server is killed right after the removal.
func TestRemovedUsersLeaveNoLimit(t *testing.T) {
	f := open(t)
	bob := quota.OwnerScope("bob")
	record := meta.PutRecord{Kind: "user", Name: "bob", Value: []byte("{}")}
	if err := f.CreateOwner(background, "bob", record); err != nil {
		t.Fatal(err)
	}
	f.limit(bob, quota.Limit{MaxBytes: 100})
	gone := meta.PutRecord{Kind: "user", Name: "bob", Condition: meta.RecordCondition{Equals: []byte("other")}}
	if err := f.RemoveOwner(background, "bob", gone); !errors.Is(err, meta.ErrRecordConflict) {
		t.Errorf("a user who is not as expected: %v", err)
	}
	f.wantLimit(bob, quota.Limit{MaxBytes: 100})
	gone.Condition = meta.RecordCondition{}
	if err := f.RemoveOwner(background, "bob", gone); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Account(bob); ok {
		t.Error("the limit of a user who was removed is still there")
	}
	if _, err := f.Record(background, "user", "bob"); !errors.Is(err, meta.ErrNoSuchRecord) {
		t.Errorf("the record: %v", err)
	}
}
