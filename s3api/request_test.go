package s3api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/iam"
)

// TestOriginIsBounded: a client cannot fill the outbox, which is for the events of all, with its own name.
func TestOriginIsBounded(t *testing.T) {
	rq := &request{r: httptest.NewRequest("PUT", "/b/k", nil), who: iam.Anonymous, op: &unknownOperation}
	for _, n := range []int{0, 10, 60_000} {
		rq.r.Header.Set("User-Agent", strings.Repeat("a", n))
		if got, want := len(rq.newOrigin().UserAgent), min(n, maxUserAgentBytes); got != want {
			t.Errorf("of %d bytes %d are kept, want %d", n, got, want)
		}
	}
}

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
