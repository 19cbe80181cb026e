package s3api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
)

// room is what an answer tells of the tightest limit: used, available, total; empty where it tells nothing.
func (a answer) room() string {
	var figures []string
	for name := range a.header {
		if strings.HasPrefix(name, "X-Plimsoll-Quota-") {
			figures = append(figures, name)
		}
	}
	if len(figures) == 0 {
		return ""
	}
	return a.header.Get("X-Plimsoll-Quota-Used-Bytes") + " " + a.header.Get("X-Plimsoll-Quota-Available-Bytes") + " " +
		a.header.Get("X-Plimsoll-Quota-Total-Bytes")
}

func (a answer) wantRoom(t *testing.T, what, want string) {
	t.Helper()
	if got := a.room(); got != want {
		t.Errorf("%s tells %q, want %q", what, got, want)
	}
}

func (s *server) limitScope(scope quota.Scope, maxBytes int64) {
	s.t.Helper()
	if err := s.store.SetLimit(s.t.Context(), scope, quota.Limit{MaxBytes: maxBytes}); err != nil {
		s.t.Fatal(err)
	}
}

// Every write tells what is left after it, and so does HeadBucket.
func TestQuotaHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/a", "12345").wantRoom(t, "a write without a limit", "")
	s.do(call{method: http.MethodHead, path: "/photos"}).wantRoom(t, "HeadBucket without a limit", "")
	s.limit("photos", quota.Limit{MaxObjects: 9})
	s.put("/photos/a", "12345").wantRoom(t, "a write under a limit of objects", "")

	s.limit("photos", quota.Limit{MaxBytes: 100})
	s.put("/photos/b", "12345").wantRoom(t, "PutObject", "10 90 100")
	s.do(call{
		method: http.MethodPut, path: "/photos/c", header: map[string]string{"x-amz-copy-source": "photos/b"},
	}).want(t, 200).wantRoom(t, "CopyObject", "15 85 100")
	f := (&form{file: "hello"}).add("key", "posted")
	s.post("photos", f.sign(t, "photos", nil).body()).want(t, 204).wantRoom(t, "PostObject", "20 80 100")

	id := s.createUpload("/photos/d")
	// A part is no object yet: it is counted with the upload's completion.
	etag := func(a answer) string { return a.header.Get("Etag") }
	part := s.uploadPart("/photos/d", id, 1, "1234567").want(t, 200)
	part.wantRoom(t, "UploadPart", "20 80 100")
	s.do(call{
		method: http.MethodPut, path: "/photos/d?partNumber=2&uploadId=" + id,
		header: map[string]string{"x-amz-copy-source": "photos/b"},
	}).want(t, 200).wantRoom(t, "UploadPartCopy", "20 80 100")
	s.complete("/photos/d", id, etag(part)).want(t, 200).wantRoom(t, "CompleteMultipartUpload", "27 73 100")
	id = s.createUpload("/photos/e")
	s.do(call{method: http.MethodDelete, path: "/photos/e?uploadId=" + id}).want(t, 204).
		wantRoom(t, "AbortMultipartUpload", "27 73 100")

	s.do(call{method: http.MethodHead, path: "/photos"}).want(t, 200).wantRoom(t, "HeadBucket", "27 73 100")
	s.do(call{method: http.MethodDelete, path: "/photos/d"}).want(t, 204).wantRoom(t, "DeleteObject", "20 80 100")
	document := "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
	s.deleteObjects(document, nil, nil).wantRoom(t, "DeleteObjects", "10 90 100")

	s.do(call{method: http.MethodPut, path: "/photos/x", body: strings.Repeat("x", 91)}).want(t, 507).
		wantRoom(t, "a refusal", "")
	s.get("/photos/c").want(t, 200).wantRoom(t, "GetObject", "")
	s.get("/photos").want(t, 200).wantRoom(t, "ListObjects", "")
	s.limit("photos", quota.Limit{MaxBytes: 1})
	s.put("/photos/c", "1234").wantRoom(t, "a write over a lowered limit", "9 0 1")
}

// The tightest is the one with the least left, and not the one with the smallest total.
func TestQuotaHeadersOfTheTightestScope(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.bucket("drawings")
	s.put("/drawings/k", strings.Repeat("x", 40))
	s.limit("photos", quota.Limit{MaxBytes: 30})
	s.limitScope(quota.OwnerScope("root"), 60)
	s.put("/photos/a", "12345").wantRoom(t, "the owner's", "45 15 60")
	s.limitScope(quota.ServerScope, 1000)
	id := s.createUpload("/photos/d")
	s.uploadPart("/photos/d", id, 1, "1234567").want(t, 200).wantRoom(t, "the owner's, of a part", "45 15 60")
	s.limitScope(quota.ServerScope, 60)
	s.put("/photos/a", "12345").wantRoom(t, "the server's, where parts count", "52 8 60")
	s.limit("photos", quota.Limit{MaxBytes: 13})
	s.put("/photos/a", "12345").wantRoom(t, "the bucket's, which has as little", "5 8 13")
}

// Figures are for who signed a request that did something.
func TestQuotaHeadersAreForSigners(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "12345")
	s.limit("photos", quota.Limit{MaxBytes: 100})
	writer, nobody := s.user("writer", "writeonly"), s.user("nobody")
	write := call{method: http.MethodPut, path: "/photos/w", body: "x", as: writer}
	s.do(write).want(t, 200).wantRoom(t, "a user's write", "6 94 100")
	write.as = nobody
	s.do(write).want(t, 403).wantRoom(t, "a write that is denied", "")
	document := "<Delete><Object><Key>k</Key></Object></Delete>"
	s.deleteObjects(document, nobody, nil).wantRoom(t, "a batch of which everything is denied", "")
	s.policy("photos", statement("Allow", `"*"`, "s3:*", "arn:aws:s3:::photos/*", ""))
	s.do(call{method: http.MethodPut, path: "/photos/w", body: "x", anonymous: true}).want(t, 200).
		wantRoom(t, "an anonymous write", "")
	f := (&form{file: "hello"}).add("key", "posted")
	s.post("photos", f.body()).want(t, 204).wantRoom(t, "an anonymous form", "")
}

func TestQuotaHeadersSwitchedOff(t *testing.T) {
	s := newServer(t, func(c *s3api.Config) { c.NoQuotaHeaders = true })
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 100})
	s.put("/photos/k", "x").wantRoom(t, "a write", "")
	s.do(call{method: http.MethodHead, path: "/photos"}).want(t, 200).wantRoom(t, "HeadBucket", "")
}

// A page from elsewhere may read the figures where the bucket's rules expose them, and by nothing else.
func TestQuotaHeadersAndCORS(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.limit("photos", quota.Limit{MaxBytes: 100})
	rule := func(expose string) string {
		return "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>" +
			expose + "</CORSRule></CORSConfiguration>"
	}
	const name = "x-plimsoll-quota-available-bytes"
	for expose, want := range map[string]string{"": "", "<ExposeHeader>" + name + "</ExposeHeader>": name} {
		s.putCORS("photos", rule(expose)).want(t, 200)
		a := s.do(call{
			method: http.MethodPut, path: "/photos/k", body: "x",
			header: map[string]string{"Origin": "https://a.example"},
		})
		if got := a.want(t, 200).header.Get("Access-Control-Expose-Headers"); got != want {
			t.Errorf("exposes %q, want %q", got, want)
		}
	}
}

// The headers cost one string, and no more of the heap than that and a header of their size must.
func TestQuotaHeadersAllocate(t *testing.T) {
	figures := func(off bool) float64 {
		s := newServer(t, func(c *s3api.Config) { c.NoQuotaHeaders = off })
		s.bucket("photos")
		s.limit("photos", quota.Limit{MaxBytes: 1 << 40})
		h := s3api.New(s3api.Config{
			Store: s.store, Directory: s.users, Keyring: newKeyring(t), Region: testRegion, NoQuotaHeaders: off,
			Log: slog.New(slog.DiscardHandler),
		}, s3api.NewMetrics())
		r, err := http.NewRequest(http.MethodHead, "http://127.0.0.1/photos", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.sign(r, call{})
		header := make(http.Header, 64) // its growth is net/http's
		return testing.AllocsPerRun(100, func() {
			clear(header)
			h.ServeHTTP(&discard{header: header}, r)
			if off == (header.Get("X-Plimsoll-Quota-Total-Bytes") != "") {
				t.Fatal(fmt.Sprint(header))
			}
		})
	}
	if with, without := figures(false), figures(true); with > without+1 {
		t.Errorf("%v allocations with the headers, %v without", with, without)
	}
}
