package s3api

import "testing"

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
