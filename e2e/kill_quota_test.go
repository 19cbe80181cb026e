package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

const (
	quotaKills = 8
	// quotaFiller is how many objects there are from the start, so that a count takes several transactions.
	quotaFiller = 2500
)

// TestKillWithLimits kills the server while all scopes have limits, and a prefix of everything gets its limit, is
// counted, and loses it again beside the load. The checker recounts what was counted so far; the next start counts on.
func TestKillWithLimits(t *testing.T) {
	t.Parallel()
	s := startKilled(t, killLoad{writers: killWriters, keys: killKeys})
	var filling sync.WaitGroup
	for i := range 16 {
		filling.Go(func() {
			for n := i; n < quotaFiller; n += 16 {
				if _, err := s.writers[0].do(t.Context(), http.MethodPut, fmt.Sprintf("/killed/w/%04d", n), []byte("x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	filling.Wait()
	limit := []byte(`{"max_bytes": 1000000000, "max_objects": 100000}`)
	for _, scope := range []string{
		"server", "owners/root", "buckets/killed", "buckets/killed/prefixes/w0", "buckets/killed/prefixes/w0%2Fk1",
		"buckets/killed/prefixes/w%2F1",
	} {
		if _, err := s.quota(t.Context(), http.MethodPut, scope, limit); err != nil {
			t.Fatal(err)
		}
	}
	interrupted := 0
	for round := range quotaKills {
		s.load(func(ctx context.Context) { s.recount(ctx, limit) })
		s.killWithin(round, 50*time.Millisecond, 250*time.Millisecond)
		s.check()
		seen := s.logs.size()
		s.run()
		for _, w := range s.writers {
			w.settle(t, round)
		}
		if s.limited("w") { // else the kill came between two counts
			s.wantWhole()
			interrupted += s.logs.countFrom(seen, "counted what is under a prefix")
		} else {
			_, err := s.quota(t.Context(), http.MethodPut, wholePrefix, limit)
			if err != nil {
				t.Error(err)
			}
			s.wantWhole()
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d of %d kills interrupted a count", interrupted, quotaKills)
	if interrupted == 0 {
		t.Error("no kill has interrupted a count: the test shows nothing")
	}
}

// limited reports whether a prefix has a limit.
func (s *server) limited(prefix string) bool {
	s.t.Helper()
	var all adminapi.Prefixes
	if err := json.Unmarshal([]byte(s.send(request{
		method: http.MethodGet, path: adminapi.Prefix + "quotas/buckets/killed/prefixes",
	}).body), &all); err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(all.Prefixes, func(a adminapi.Account) bool { return a.Prefix == prefix })
}

const wholePrefix = "buckets/killed/prefixes/w"

// recount has the prefix of everything counted, again and again, until the server dies.
func (s *server) recount(ctx context.Context, limit []byte) {
	for {
		account, err := s.quota(ctx, http.MethodPut, wholePrefix, limit)
		for err == nil && account.Counting {
			account, err = s.quota(ctx, http.MethodGet, wholePrefix, nil)
		}
		if err == nil {
			_, err = s.quota(ctx, http.MethodDelete, wholePrefix, nil)
		}
		if err != nil {
			return
		}
	}
}

// wantWhole waits until the prefix of everything is exact, and requires that it holds what the bucket does.
func (s *server) wantWhole() {
	s.t.Helper()
	s.eventually("the prefix is exact", func() (bool, string) {
		whole, err := s.quota(s.t.Context(), http.MethodGet, wholePrefix, nil)
		bucket, bucketErr := s.quota(s.t.Context(), http.MethodGet, "buckets/killed", nil)
		if err := errors.Join(err, bucketErr); err != nil {
			return false, err.Error()
		}
		state := fmt.Sprintf("%+v, the bucket has %+v", whole, bucket)
		return !whole.Counting && whole.UsedBytes == bucket.UsedBytes && whole.Objects == bucket.Objects &&
			whole.PartBytes == bucket.PartBytes && whole.Uploads == bucket.Uploads, state
	})
}

// quota asks the admin API for a limit. An answer that is no success fails the test; one that does not come is an error.
func (s *server) quota(ctx context.Context, method, scope string, body []byte) (account adminapi.Account, err error) {
	r := s.build(request{method: method, path: adminapi.Prefix + "quotas/" + scope, body: body})
	r.GetBody = nil // not to be sent twice
	response, err := s.http.Do(r.WithContext(ctx))
	if err != nil {
		return account, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return account, err
	case response.StatusCode == http.StatusNoContent:
		return account, nil
	case response.StatusCode != http.StatusOK:
		err := fmt.Errorf("%s %s: %s: %s", method, scope, response.Status, answer)
		s.t.Error(err)
		return account, err
	}
	return account, json.Unmarshal(answer, &account)
}
