package s3api_test

import (
	"net/http"
	"testing"

	"github.com/plimsoll/plimsoll/s3api"
)

// A sub-resource that is not served is answered 501, whatever the method, and nothing happens: DELETE ?policy does not
// delete the bucket, PUT ?tagging does not overwrite the object.
func TestUnservedSubresources(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "hello")
	bucket := []string{
		"metadataTable", "metadataConfiguration", "session", "abac",
	}
	object := []string{"select", "torrent", "renameObject"}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		for _, name := range bucket {
			s.do(call{method: method, path: "/photos?" + name, body: "x"}).wantError(t, 501, "NotImplemented")
			s.do(call{method: method, path: "/photos/?x-id=Some&" + name + "="}).wantError(t, 501, "NotImplemented")
		}
		for _, name := range object {
			s.do(call{method: method, path: "/photos/k?" + name, body: "x"}).wantError(t, 501, "NotImplemented")
		}
	}
	s.do(call{method: http.MethodDelete, path: "/photos?location"}).wantError(t, 501, "NotImplemented")
	s.do(call{method: http.MethodPut, path: "/photos/k?uploads", body: "x"}).wantError(t, 501, "NotImplemented")
	if got := s.get("/photos/k").want(t, 200).body; got != "hello" {
		t.Errorf("the object is %q now", got)
	}
	t.Run("a sub-resource of the other level", func(t *testing.T) {
		s.do(call{method: http.MethodPut, path: "/photos/k?policy", body: "changed"}).want(t, 200)
	})
	t.Run("methods that S3 does not have", func(t *testing.T) {
		s.do(call{method: http.MethodPatch, path: "/photos/k"}).wantError(t, 405, "MethodNotAllowed")
		s.do(call{method: http.MethodDelete, path: "/"}).wantError(t, 405, "MethodNotAllowed")
	})
}

// What belongs to another operation is refused, and nothing happens.
func TestMisplaced(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "hello")
	for name, c := range map[string]struct {
		method, path, source string
		status               int
		code                 string
	}{
		"versions of a key":             {http.MethodGet, "/photos/k?versions", "", 400, "InvalidRequest"},
		"uploads of a key":              {http.MethodGet, "/photos/k?uploads", "", 400, "InvalidRequest"},
		"a part of no upload":           {http.MethodPut, "/photos/k?partNumber=1", "", 400, "InvalidArgument"},
		"an upload without a part":      {http.MethodPut, "/photos/k?uploadId=u", "", 405, "MethodNotAllowed"},
		"a copy that deletes":           {http.MethodDelete, "/photos/k", "photos/k", 400, "InvalidArgument"},
		"a copy that reads":             {http.MethodGet, "/photos/k", "photos/k", 400, "InvalidArgument"},
		"a copy that makes a bucket":    {http.MethodPut, "/drawings", "photos/k", 400, "InvalidArgument"},
		"a copy that completes uploads": {http.MethodPost, "/photos/k?uploadId=u", "photos/k", 400, "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{}
			if c.source != "" {
				header["x-amz-copy-source"] = c.source
			}
			s.do(call{method: c.method, path: c.path, header: header}).wantError(t, c.status, c.code)
		})
	}
	if got := s.get("/photos/k").want(t, 200).body; got != "hello" {
		t.Errorf("the object is %q now", got)
	}
	s.get("/drawings").wantError(t, 404, "NoSuchBucket")
}

func TestUnservedHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for name, value := range map[string]string{
		"x-amz-server-side-encryption-context": "e30=", "x-amz-write-offset-bytes": "1",
	} {
		s.do(call{
			method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{name: value},
		}).wantError(t, 501, "NotImplemented")
	}
	s.get("/photos/k").wantError(t, 404, "NoSuchKey")
	s.do(call{
		method: http.MethodPut, path: "/photos/k", body: "x",
		header: map[string]string{"x-amz-acl": "bucket-owner-full-control", "x-amz-storage-class": "STANDARD_IA"},
	}).want(t, 200)
	if got := s.get("/photos/k").header.Get("X-Amz-Storage-Class"); got != "STANDARD_IA" {
		t.Errorf("storage class %q", got)
	}
	s.do(call{
		method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{"x-amz-storage-class": "TAPE"},
	}).wantError(t, 400, "InvalidStorageClass")
}

func TestForceDeleteIsNotPassedOn(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	s.do(call{
		method: http.MethodDelete, path: "/photos", header: map[string]string{"x-minio-force-delete": "true"},
	}).wantError(t, 409, "BucketNotEmpty")
	s.get("/photos/k").want(t, 200)
}

func TestVirtualHosts(t *testing.T) {
	s := newServer(t, func(c *s3api.Config) { c.Domains = []string{"s3.example.com"} })
	s.bucket("photos")
	s.bucket("my.photos")
	s.put("/photos/k", "of photos")
	s.put("/my.photos/k", "of my.photos")
	for host, want := range map[string]string{
		"photos.s3.example.com": "of photos", "photos.localhost:9000": "of photos", "Photos.LOCALHOST": "of photos",
		"my.photos.s3.example.com": "of my.photos",
	} {
		if got := s.do(call{method: http.MethodGet, path: "/k", host: host}).want(t, 200).body; got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	for _, host := range []string{"s3.example.com", "localhost:9000", "127.0.0.1", "other.example.com"} {
		s.do(call{method: http.MethodGet, path: "/photos/k", host: host}).want(t, 200)
	}
	t.Run("the server's own path is a key there", func(t *testing.T) {
		s.do(call{method: http.MethodPut, path: "/_plimsoll/x", host: "photos.localhost", body: "x"}).want(t, 200)
		if got := s.get("/photos/_plimsoll/x").want(t, 200).body; got != "x" {
			t.Errorf("%q", got)
		}
	})
}

func TestAuthentication(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.do(call{method: http.MethodGet, path: "/photos", anonymous: true}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos", edit: func(r *http.Request) {
		r.Header.Set("X-Amz-Meta-Unsigned", "1")
	}}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos", edit: func(r *http.Request) {
		r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-1]+"x")
	}}).wantError(t, 403, "SignatureDoesNotMatch")
	s.do(call{method: http.MethodGet, path: "/photos", anonymous: true, header: map[string]string{
		"Authorization": "AWS AKID:c2lnbmF0dXJl",
	}}).wantError(t, 400, "InvalidRequest")
}

func TestBucketNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"abc": true, "a.b.c": true, "my-bucket.ab.cd": true, "123": true, "ab": false, "Abc": false, "a_b_c": false,
		"-abc": false, "abc-": false, ".abc": false, "a..b": false, "a.-b": false, "a-.b": false, "192.168.5.4": false, "xn--abc": false,
		"abc-s3alias": false, "": false, "_plimsoll": false,
	} {
		if got := s3api.ValidBucketName(name); got != valid {
			t.Errorf("%q: %v, want %v", name, got, valid)
		}
	}
}

// A bucket may be called minio: only health checks without credentials are MinIO's.
func TestBucketNamedMinIO(t *testing.T) {
	system := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "system")
		w.Header().Set("X-Amz-Id-2", "system")
		w.WriteHeader(http.StatusTeapot)
	})
	s := newServer(t, func(c *s3api.Config) { c.System = system })
	s.bucket("minio")
	s.put("/minio/health/live", "x")
	if got := s.get("/minio/health/live").want(t, 200).body; got != "x" {
		t.Errorf("%q", got)
	}
	s.do(call{method: http.MethodGet, path: "/minio/health/live", anonymous: true}).want(t, http.StatusTeapot)
	s.do(call{method: http.MethodGet, path: "/minio/health/other", anonymous: true}).wantError(t, 403, "AccessDenied")
}
