package backend

import (
	"errors"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// TestEarlyDecisionsKnowVersions asks for space before a body is read, in each state of versioning: what a put would
// not replace is not credited, and what it would is.
func TestEarlyDecisionsKnowVersions(t *testing.T) {
	for _, test := range []struct {
		name   string
		states []meta.Versioning // a put of 40 bytes follows each
		size   int
		fits   bool
	}{
		{"off: replaced", []meta.Versioning{meta.VersioningOff}, 100, true},
		{"off: too large", []meta.Versioning{meta.VersioningOff}, 101, false},
		{"enabled: beside the other", []meta.Versioning{meta.VersioningEnabled}, 60, true},
		{"enabled: nothing is credited", []meta.Versioning{meta.VersioningEnabled}, 61, false},
		{"suspended: the null version is replaced", []meta.Versioning{meta.VersioningSuspended}, 100, true},
		{
			"suspended: the null version is replaced behind another",
			[]meta.Versioning{meta.VersioningOff, meta.VersioningEnabled, meta.VersioningSuspended},
			60, true,
		},
		{
			"suspended: the other stays",
			[]meta.Versioning{meta.VersioningOff, meta.VersioningEnabled, meta.VersioningSuspended},
			61, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			for i, state := range test.states {
				f.setVersioning(state)
				if i < 2 { // the third state is asked what it would replace
					f.put("k", noise(40, uint64(i)))
				}
			}
			f.limit(bucketB, quota.Limit{MaxBytes: 100})
			b := body(noise(test.size, 7))
			if !test.fits {
				b.Reader = unread{t}
			}
			_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: b})
			if exceeded := new(*quota.ExceededError); errors.As(err, exceeded) == test.fits || (err != nil && test.fits) {
				t.Errorf("put of %d bytes: %v", test.size, err)
			}
			f.finish()
		})
	}
}

// TestCheckCountsVersions recounts a store with versions of every kind.
func TestCheckCountsVersions(t *testing.T) {
	f := open(t)
	f.put("k", noise(10, 1))
	f.setVersioning(meta.VersioningEnabled)
	f.put("k", noise(20, 2))
	f.delete("k")
	f.delete("never")
	f.wantUsage(bucketB, quota.Usage{Bytes: 30, Objects: 2, Noncurrent: 2, Markers: 2})
	f.finish()
	if report := f.check(); len(report.Problems) > 0 || report.Objects != 2 || report.Bytes != 30 {
		t.Errorf("%+v", report)
	}
}

func (f *fixture) setVersioning(state meta.Versioning) {
	f.t.Helper()
	if state == meta.VersioningOff {
		return
	}
	if _, err := f.commit(&proposal{mutation: meta.SetVersioning{Bucket: "b", Versioning: state}}); err != nil {
		f.t.Fatal(err)
	}
}
