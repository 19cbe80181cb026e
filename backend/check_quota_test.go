package backend

import (
	"errors"
	"slices"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// TestCheckQuota: the answer is that of a PutObject, scope by scope, and holds and counts nothing.
func TestCheckQuota(t *testing.T) {
	f := open(t)
	f.put("raw/a", noise(40, 1))
	f.put("x", noise(10, 1))
	f.limit(bucketB, quota.Limit{MaxBytes: 100, MaxObjects: 3})
	f.limit(raw, quota.Limit{MaxBytes: 60})
	inner := quota.PrefixScope("b", "raw/a")
	f.limit(inner, quota.Limit{MaxBytes: 70})
	for _, test := range []struct {
		name    string
		in      CheckQuotaInput
		refused []quota.ScopeKind
		delta   quota.Delta
	}{
		{"exactly", CheckQuotaInput{Bytes: 50}, nil, quota.Delta{Bytes: 50, Objects: 1}},
		{"a byte more", CheckQuotaInput{Bytes: 51}, []quota.ScopeKind{quota.Bucket}, quota.Delta{Bytes: 51, Objects: 1}},
		{"under a prefix", CheckQuotaInput{Key: "raw/b", Bytes: 20}, nil, quota.Delta{Bytes: 20, Objects: 1}},
		{
			"a byte more under a prefix",
			CheckQuotaInput{Key: "raw/b", Bytes: 21},
			[]quota.ScopeKind{quota.Prefix},
			quota.Delta{Bytes: 21, Objects: 1},
		},
		{"overwriting", CheckQuotaInput{Key: "raw/a", Bytes: 60}, nil, quota.Delta{Bytes: 20}},
		{
			"overwriting with more than all",
			CheckQuotaInput{Key: "raw/a", Bytes: 101},
			[]quota.ScopeKind{quota.Prefix, quota.Bucket},
			quota.Delta{Bytes: 61},
		},
		{"an object", CheckQuotaInput{}, nil, quota.Delta{Objects: 1}},
		{"objects", CheckQuotaInput{Objects: 2}, []quota.ScopeKind{quota.Bucket}, quota.Delta{Objects: 2}},
		{
			"objects beside what is there",
			CheckQuotaInput{Key: "raw/a", Bytes: 1, Objects: 2},
			[]quota.ScopeKind{quota.Bucket},
			quota.Delta{Bytes: 1, Objects: 2},
		},
		{"more than a disk", CheckQuotaInput{Bytes: 1 << 62}, []quota.ScopeKind{quota.Bucket, quota.Disk}, quota.Delta{Bytes: 1 << 62, Objects: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.in.Bucket = "b"
			out, err := f.CheckQuota(background, test.in)
			if err != nil || out.Delta != test.delta {
				t.Fatalf("%+v, %v", out, err)
			}
			var refused, all []quota.ScopeKind
			for _, s := range out.Scopes {
				all = append(all, s.Account.Scope.Kind)
				if s.Err != nil {
					refused = append(refused, s.Account.Scope.Kind)
				}
			}
			if !slices.Equal(slices.Compact(refused), test.refused) || (out.Err() != nil) != (test.refused != nil) {
				t.Errorf("refused by %v, want %v", refused, test.refused)
			}
			want := []quota.ScopeKind{quota.Bucket, quota.Owner, quota.Server, quota.Disk}
			if all = slices.DeleteFunc(all, func(k quota.ScopeKind) bool { return k == quota.Prefix }); !slices.Equal(all, want) {
				t.Errorf("asked %v", all)
			}
		})
	}
	out, err := f.CheckQuota(background, CheckQuotaInput{Bucket: "b", Key: "raw/a"})
	if err != nil || out.Scopes[0].Account.Scope != inner || out.Scopes[1].Account.Scope != raw ||
		out.Scopes[0].AvailableBytes != 30 || out.Scopes[1].AvailableBytes != 20 || out.Scopes[1].AvailableObjects != -1 ||
		out.Scopes[2].AvailableObjects != 1 || out.Scopes[3].AvailableBytes != -1 {
		t.Errorf("%+v, %v", out.Scopes, err)
	}
	if _, err := f.CheckQuota(background, CheckQuotaInput{Bucket: "nope"}); !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Errorf("no bucket: %v", err)
	}
	if counts := f.ledger.refusals.counts; len(counts) != 0 {
		t.Errorf("questions count as refusals: %v", counts)
	}
}
