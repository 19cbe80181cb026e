package metatest

import (
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// testRestoreUsage: usage that is restored is taken as it is, for what comes after it in its batch and after the next
// start, and limits stay what they are.
func testRestoreUsage(f *fixture) {
	prefix := quota.PrefixScope("b", "k")
	limit := quota.Limit{MaxBytes: 100}
	f.must(
		createBucket("b"), put("b", "k1", object(1, 10)), put("b", "k2", object(2, 20)),
		meta.SetLimit{Scope: quota.BucketScope("b"), Limit: limit}, meta.SetLimit{Scope: prefix, Limit: limit, Rows: 9},
	)
	right := f.accounts()
	wrong := slices.Clone(right)
	for i := range wrong {
		wrong[i].Usage = quota.Usage{Bytes: 95, Objects: 7, PartBytes: 6, Uploads: 5, Noncurrent: 4, Markers: 3}
	}
	last := len(wrong) - 1 // the prefix
	wrong[last].Counting, wrong[last].CountedTo = true, "k1"
	told := slices.Clone(wrong)
	for i := range told {
		told[i].Limit = quota.Limit{MaxObjects: 1} // nobody asks
	}
	slices.Reverse(told)
	results := f.commit(meta.RestoreUsage{Accounts: told}, put("b", "l", object(3, 6)))
	if got := results[0].Accounts; results[0].Err != nil || !slices.Equal(got, wrong) {
		f.Errorf("%+v, %v; want %+v", got, results[0].Err, wrong)
	}
	if results[1].Err == nil {
		f.Errorf("more than the restored usage leaves room for is stored: %+v", results[1])
	}
	f.exceeded(put("b", "l", object(3, 6)), quota.BucketScope("b"), quota.Bytes)
	f.reopen()
	if got := f.accounts(); !slices.Equal(got, wrong) {
		f.Errorf("after the next start the accounts are %+v, want %+v", got, wrong)
	}
	for _, test := range []struct {
		scope quota.Scope
		want  error
	}{
		{quota.BucketScope("nope"), meta.ErrNoSuchBucket},
		{quota.PrefixScope("nope", "k"), meta.ErrNoSuchBucket},
		{quota.PrefixScope("b", "nope"), meta.ErrNoSuchPrefix},
		{quota.OwnerScope("nope"), meta.ErrNoSuchOwner},
	} {
		f.refused(meta.RestoreUsage{Accounts: []quota.Account{right[0], {Scope: test.scope}}}, test.want)
	}
	for name, account := range map[string]quota.Account{
		"a scope that is named twice": right[0],
		"negative usage":              {Scope: prefix, Usage: quota.Usage{Markers: -1}},
		"a bucket that is counted":    {Scope: quota.BucketScope("b"), Counting: true},
		"the disk":                    {Scope: quota.Scope{Kind: quota.Disk}},
	} {
		result := f.commit(meta.RestoreUsage{Accounts: []quota.Account{right[0], account}})[0]
		if result.Err == nil {
			f.Errorf("%s is no error", name)
		}
		f.untouched(result, wrong)
	}
	f.must(meta.RestoreUsage{Accounts: right})
	if got := f.accounts(); !slices.Equal(got, right) {
		f.Errorf("the accounts are %+v, want %+v", got, right)
	}
	f.must(put("b", "k3", object(3, 70)))
	f.exceeded(put("b", "k4", object(4, 1)), prefix, quota.Bytes)
}
