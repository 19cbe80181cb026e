package s3api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/audit"
)

// Limits that S3 requests set are in the audit log beside those that the admin API sets, and so are attempts of who may
// not. What cannot be recorded is not set.
func TestBucketQuotaIsRecorded(t *testing.T) {
	log, err := audit.Open(audit.Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(c *s3api.Config) { c.Audit = log })
	s.bucket("photos")
	alice := s.user("alice", "readwrite")
	s.putQuota("quota", "", `{"quota":5}`).want(t, http.StatusOK)
	s.do(call{method: http.MethodDelete, path: "/photos?quota"}).want(t, http.StatusNoContent)
	s.do(call{method: http.MethodPut, path: "/photos?quota", body: `{"quota":9}`, as: alice}).
		wantError(t, http.StatusForbidden, "AccessDenied")
	page, err := log.Read(t.Context(), 0, 10, audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range page.Records {
		got = append(got, strings.Join([]string{
			r.User, r.Via, r.Action, r.Resource, r.Result, r.Code, string(r.Before), string(r.After),
		}, " "))
		if r.AccessKey == "" || r.Remote == "" || r.RequestID == "" {
			t.Errorf("%+v", r)
		}
	}
	const limit = `{"scope":"bucket","name":"photos","max_bytes":`
	want := []string{
		"root s3 PutBucketQuota quotas/buckets/photos done  " + limit + `0,"max_objects":0} ` + limit + `5,"max_objects":0}`,
		"root s3 DeleteBucketQuota quotas/buckets/photos done  " + limit + `5,"max_objects":0} ` + limit + `0,"max_objects":0}`,
		"alice s3 PutBucketQuota quotas/buckets/photos denied AccessDenied  ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	s.putQuota("quota", "", `{"quota":6}`).wantError(t, http.StatusServiceUnavailable, "ServiceUnavailable")
	if limit := s.limitOf("photos"); limit.MaxBytes != 0 {
		t.Errorf("a limit is set that is not recorded: %+v", limit)
	}
}
