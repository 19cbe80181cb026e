package s3api_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
)

// rgwHeaders are the X-RGW- headers of an answer.
func (a answer) rgwHeaders() map[string]string {
	found := map[string]string{}
	for name, values := range a.header {
		if rest, ok := strings.CutPrefix(name, "X-Rgw-"); ok {
			found[rest] = values[0]
		}
	}
	return found
}

func TestReadStats(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/a", "12345")
	s.put("/photos/b", "67")
	head := func(query string, as *user) map[string]string {
		return s.do(call{method: http.MethodHead, path: "/photos" + query, as: as}).want(t, 200).rgwHeaders()
	}
	want := func(what string, got, want map[string]string) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	want("without read-stats", head("", nil), map[string]string{})
	want("no limits", head("?read-stats", nil), map[string]string{
		"Object-Count": "2", "Bytes-Used": "7", "Quota-User-Size": "-1", "Quota-User-Objects": "-1",
		"Quota-Max-Buckets": "0", "Quota-Bucket-Size": "-1", "Quota-Bucket-Objects": "-1",
	})
	s.limit("photos", quota.Limit{MaxBytes: 100, MaxObjects: 3})
	ofOwner := quota.Limit{MaxBytes: 1000, MaxObjects: 30}
	if err := s.store.SetLimit(t.Context(), quota.OwnerScope("root"), ofOwner); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"Object-Count": "2", "Bytes-Used": "7", "Quota-User-Size": "1000", "Quota-User-Objects": "30",
		"Quota-Max-Buckets": "0", "Quota-Bucket-Size": "100", "Quota-Bucket-Objects": "3",
	}
	want("the owner", head("?read-stats=true", nil), all)
	want("an administrator", head("?read-stats", s.user("boss", "consoleAdmin")), all)
	want("others", head("?read-stats", s.user("reader", "readwrite")), map[string]string{
		"Object-Count": "2", "Bytes-Used": "7",
	})
	s.policy("photos", statement("Allow", `"*"`, "s3:ListBucket", "arn:aws:s3:::photos", ""))
	a := s.do(call{method: http.MethodHead, path: "/photos?read-stats", anonymous: true}).want(t, 200)
	want("anonymous", a.rgwHeaders(), map[string]string{})
	s.do(call{method: http.MethodHead, path: "/absent?read-stats"}).want(t, 404)
}

// rgwUsage is RGW's document.
type rgwUsage struct {
	Summary struct {
		QuotaMaxBytes, QuotaMaxBuckets, QuotaMaxObjCount  int64
		QuotaMaxBytesPerBucket, QuotaMaxObjCountPerBucket int64
		TotalBytes, TotalBytesRounded, TotalEntries       int64
	}
	Buckets []struct {
		Bucket  string
		Bytes   int64
		Rounded int64 `xml:"Bytes_Rounded"`
	} `xml:"CapacityUsed>User>Buckets>Entry"`
}

func TestGetUsage(t *testing.T) {
	s := newServer(t)
	alice := s.user("alice", "readwrite")
	empty := decode[rgwUsage](t, s.do(call{method: http.MethodGet, path: "/?usage", as: alice}).want(t, 200))
	if empty.Summary.TotalBytes != 0 || len(empty.Buckets) != 0 {
		t.Errorf("who has nothing: %+v", empty)
	}
	s.bucket("photos") // root's
	s.put("/photos/k", "12345")
	for _, name := range []string{"alices", "alices2"} {
		s.do(call{method: http.MethodPut, path: "/" + name, as: alice}).want(t, 200)
	}
	s.put("/alices/k", strings.Repeat("x", 5000)) // by root: the owner is charged
	s.put("/alices2/k", strings.Repeat("x", 4096))
	s.limitScope(quota.OwnerScope("alice"), 1<<40)
	a := s.do(call{method: http.MethodGet, path: "/?usage", as: alice}).want(t, 200)
	got := decode[rgwUsage](t, a)
	sum := got.Summary
	if sum.TotalBytes != 9096 || sum.TotalBytesRounded != 12288 || sum.TotalEntries != 2 ||
		sum.QuotaMaxBytes != 1<<40 || sum.QuotaMaxObjCount != -1 || sum.QuotaMaxBuckets != 0 || sum.QuotaMaxBytesPerBucket != -1 ||
		sum.QuotaMaxObjCountPerBucket != -1 {
		t.Errorf("%+v", sum)
	}
	if b := got.Buckets; len(b) != 2 || b[0].Bucket != "alices" || b[0].Bytes != 5000 || b[0].Rounded != 8192 ||
		b[1].Bucket != "alices2" || b[1].Bytes != 4096 || b[1].Rounded != 4096 {
		t.Errorf("buckets: %+v", b)
	}
	if !strings.Contains(a.body, "<Usage><Entries></Entries><Summary>") {
		t.Errorf("the order of RGW: %s", a.body)
	}
	s.do(call{method: http.MethodGet, path: "/?usage", anonymous: true}).wantError(t, 403, "AccessDenied")
	if _, err := s.users.PutPolicy(t.Context(), "no-list",
		statement("Deny", "", "s3:ListAllMyBuckets", "*", "")); err != nil {
		t.Fatal(err)
	}
	s.do(call{method: http.MethodGet, path: "/?usage", as: s.user("bob", "readwrite", "no-list")}).
		wantError(t, 403, "AccessDenied")
}
