package s3api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
)

const (
	sosapiSystem   = "/photos/.system-d26a9498-cb7c-4a87-a44a-8ae204f5ba6c/system.xml"
	sosapiCapacity = "/photos/.system-d26a9498-cb7c-4a87-a44a-8ae204f5ba6c/capacity.xml"
)

func TestSOSAPI(t *testing.T) {
	s := newServer(t, func(c *s3api.Config) { c.Version = "v1.2.3" })
	s.bucket("photos")
	system := s.get(sosapiSystem).want(t, 200)
	// Quotation marks and all, as Veeam's documentation shows it.
	const want = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<SystemInfo><ProtocolVersion>"1.0"</ProtocolVersion><ModelName>"Plimsoll v1.2.3"</ModelName>` +
		`<ProtocolCapabilities><CapacityInfo>true</CapacityInfo><UploadSessions>false</UploadSessions>` +
		`<IAMSTS>false</IAMSTS></ProtocolCapabilities></SystemInfo>`
	if system.body != want || system.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%s, %v", system.body, system.header)
	}
	head := s.do(call{method: http.MethodHead, path: sosapiSystem}).want(t, 200)
	for _, name := range []string{"Content-Length", "Content-Type", "Etag", "Accept-Ranges"} {
		if got, want := head.header.Get(name), system.header.Get(name); got != want || got == "" {
			t.Errorf("HEAD: %s is %q, GET has %q", name, got, want)
		}
	}
	if system.header.Get("Last-Modified") == "" {
		t.Error("no Last-Modified")
	}

	t.Run("hidden", func(t *testing.T) {
		for _, query := range []string{"", "?list-type=2", "?versions", "?delimiter=/"} {
			if got := s.get("/photos"+query).want(t, 200).body; strings.Contains(got, ".system") {
				t.Errorf("%s lists it: %s", query, got)
			}
		}
		s.get(sosapiSystem+"?tagging").wantError(t, 404, "NoSuchKey")
		s.get("/photos/.system-d26a9498-cb7c-4a87-a44a-8ae204f5ba6c/other.xml").wantError(t, 404, "NoSuchKey")
		s.get(strings.Replace(sosapiSystem, "photos", "absent", 1)).wantError(t, 404, "NoSuchBucket")
	})
	t.Run("ranges and conditions", func(t *testing.T) {
		read := func(name, value string) answer {
			return s.do(call{method: http.MethodGet, path: sosapiSystem, header: map[string]string{name: value}})
		}
		part := read("Range", "bytes=-13").want(t, 206)
		if part.body != "</SystemInfo>" || part.header.Get("Content-Range") == "" {
			t.Errorf("%q, %v", part.body, part.header)
		}
		read("Range", "bytes=100000-").wantError(t, 416, "InvalidRange")
		read("If-None-Match", system.header.Get("Etag")).want(t, 304)
		read("If-Match", `"other"`).wantError(t, 412, "PreconditionFailed")
	})
	t.Run("versions", func(t *testing.T) {
		s.get(sosapiSystem+"?versionId=null").want(t, 200)
		s.get(sosapiSystem+"?versionId=01ARZ3NDEKTSV4RRFFQ69G5FAV").wantError(t, 404, "NoSuchVersion")
		s.get(sosapiSystem+"?versionId=x").wantError(t, 400, "InvalidArgument")
	})
}

type sosapiCapacityInfo struct{ Capacity, Available, Used int64 }

// The capacity is that of the tightest scope, the disk among them.
func TestSOSAPICapacity(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	read := func() sosapiCapacityInfo {
		t.Helper()
		return decode[sosapiCapacityInfo](t, s.get(sosapiCapacity).want(t, 200))
	}
	disk := read()
	if disk.Available <= 0 || disk.Capacity != disk.Available+disk.Used {
		t.Errorf("the disk: %+v", disk)
	}
	s.put("/photos/k", "12345")
	s.limitScope(quota.ServerScope, 1000)
	if got, want := read(), (sosapiCapacityInfo{1000, 995, 5}); got != want {
		t.Errorf("the server's: %+v, want %+v", got, want)
	}
	s.limitScope(quota.OwnerScope("root"), 100)
	if got, want := read(), (sosapiCapacityInfo{100, 95, 5}); got != want {
		t.Errorf("the owner's: %+v, want %+v", got, want)
	}
	s.limit("photos", quota.Limit{MaxBytes: 3})
	if got, want := read(), (sosapiCapacityInfo{3, 0, 5}); got != want {
		t.Errorf("the bucket's, lowered: %+v, want %+v", got, want)
	}
	for _, scope := range []quota.Scope{quota.ServerScope, quota.OwnerScope("root")} {
		s.limitScope(scope, 0)
	}
	s.limit("photos", quota.Limit{MaxBytes: 1 << 62})
	if got := read(); got.Capacity != disk.Capacity {
		t.Errorf("more than the disk has: %+v, the disk is %+v", got, disk)
	}
}

// It takes the permission to get an object there, and a signature.
func TestSOSAPIPermissions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	reader, nobody := s.user("reader", "readonly"), s.user("nobody")
	for _, path := range []string{sosapiSystem, sosapiCapacity} {
		s.do(call{method: http.MethodGet, path: path, as: reader}).want(t, 200)
		s.do(call{method: http.MethodGet, path: path, as: nobody}).wantError(t, 403, "AccessDenied")
	}
	s.policy("photos", statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::photos/*", ""))
	s.do(call{method: http.MethodGet, path: sosapiCapacity, anonymous: true}).wantError(t, 403, "AccessDenied")
}

// Nothing can be stored under the keys, in any way.
func TestSOSAPIRefusesWrites(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	copied := map[string]string{"x-amz-copy-source": "photos/k"}
	for name, c := range map[string]call{
		"PutObject":             {method: http.MethodPut, path: sosapiSystem, body: "x"},
		"CopyObject":            {method: http.MethodPut, path: sosapiCapacity, header: copied},
		"CreateMultipartUpload": {method: http.MethodPost, path: sosapiSystem + "?uploads"},
	} {
		if e := s.do(c).wantError(t, 400, "InvalidRequest"); !strings.Contains(e.Message, "SOSAPI") {
			t.Errorf("%s: %s", name, e.Message)
		}
	}
	f := (&form{file: "hello"}).add("key", strings.TrimPrefix(sosapiSystem, "/photos/"))
	s.post("photos", f.sign(t, "photos", nil).body()).wantError(t, 400, "InvalidRequest")
	s.do(call{
		method: http.MethodPut, path: "/photos/copy", header: map[string]string{"x-amz-copy-source": sosapiSystem[1:]},
	}).wantError(t, 404, "NoSuchKey")
	s.do(call{method: http.MethodDelete, path: sosapiSystem}).want(t, 204)
	s.get(sosapiSystem).want(t, 200)
	s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204)
	s.do(call{method: http.MethodDelete, path: "/photos"}).want(t, 204) // they do not keep it from being deleted
}
