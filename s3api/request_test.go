package s3api

import (
	"testing"

	"github.com/plimsoll/plimsoll/s3api/sigv2"
)

func TestOnlyXIDSaysNothing(t *testing.T) {
	for query, want := range map[string]bool{
		"":                              true,
		"x-id=PutObject":                true,
		"x-id=":                         true,
		"x-id":                          false,
		"x-idle=1":                      false,
		"acl":                           false,
		"x-id=PutObject&acl":            false,
		"acl&x-id=PutObject":            false,
		"x-id=Put;acl":                  false, // is no query
		"x-id=%zz":                      false, // neither
		"x-id=PutObject&x-id=GetObject": false,
	} {
		if got := saysNothing(query); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

// Whoever has a presigned URL must not be able to make another operation of it: every sub-resource is signed.
func TestSubresourcesAreSignedInVersion2(t *testing.T) {
	for _, l := range []level{serviceLevel, bucketLevel, objectLevel} {
		for name := range l.subresources {
			if name != "list-type" && !sigv2.Covers(name) {
				t.Errorf("%s is not covered", name)
			}
		}
	}
}
