package s3api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func (s *server) createUpload(path string) string {
	s.t.Helper()
	out := decode[struct {
		ID string `xml:"UploadId"`
	}](s.t, s.do(call{method: http.MethodPost, path: path + "?uploads"}).want(s.t, 200))
	return out.ID
}

func (s *server) uploadPart(path, id string, number int, body string) answer {
	s.t.Helper()
	return s.do(call{
		method: http.MethodPut, path: fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path, number, id), body: body,
		payload: "UNSIGNED-PAYLOAD",
	})
}

// complete completes an upload of parts 1 to len(etags).
func (s *server) complete(path, id string, etags ...string) answer {
	s.t.Helper()
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i, etag := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return s.do(call{method: http.MethodPost, path: path + "?uploadId=" + id, body: b.String()})
}

func TestMultipart(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	id := s.createUpload("/photos/big")
	big := strings.Repeat("a", 5<<20)
	one := s.uploadPart("/photos/big", id, 1, big).want(t, 200).header.Get("Etag")
	two := s.uploadPart("/photos/big", id, 2, "tail").want(t, 200).header.Get("Etag")

	t.Run("refusals leave the upload", func(t *testing.T) {
		bad := map[string]struct {
			body   string
			code   string
			status int
		}{
			"no parts":    {"<CompleteMultipartUpload/>", "MalformedXML", 400},
			"not xml":     {"hello", "MalformedXML", 400},
			"empty":       {"", "MalformedXML", 400},
			"other root":  {"<Delete/>", "MalformedXML", 400},
			"order":       {parts(2, two, 1, one), "InvalidPartOrder", 400},
			"twice":       {parts(1, one, 1, one), "InvalidPartOrder", 400},
			"wrong etag":  {parts(1, two), "InvalidPart", 400},
			"absent part": {parts(7, one), "InvalidPart", 400},
			"part 0":      {parts(0, one), "InvalidArgument", 400},
		}
		for name, c := range bad {
			t.Run(name, func(t *testing.T) {
				s.do(call{method: http.MethodPost, path: "/photos/big?uploadId=" + id, body: c.body}).
					wantError(t, c.status, c.code)
			})
		}
	})
	t.Run("too small", func(t *testing.T) {
		small := s.createUpload("/photos/small")
		a := s.uploadPart("/photos/small", small, 1, "a").header.Get("Etag")
		b := s.uploadPart("/photos/small", small, 2, "b").header.Get("Etag")
		s.complete("/photos/small", small, a, b).wantError(t, 400, "EntityTooSmall")
		s.do(call{method: http.MethodDelete, path: "/photos/small?uploadId=" + small}).want(t, 204)
		s.do(call{method: http.MethodDelete, path: "/photos/small?uploadId=" + small}).wantError(t, 404, "NoSuchUpload")
	})
	t.Run("part numbers", func(t *testing.T) {
		for _, number := range []int{0, -1, 10001} {
			s.uploadPart("/photos/big", id, number, "x").wantError(t, 400, "InvalidArgument")
		}
		s.uploadPart("/photos/big", "nothing", 1, "x").wantError(t, 404, "NoSuchUpload")
		s.uploadPart("/photos/other", id, 1, "x").wantError(t, 404, "NoSuchUpload")
	})
	t.Run("list parts", func(t *testing.T) {
		list := decode[struct {
			IsTruncated          bool
			NextPartNumberMarker int
			Part                 []struct {
				PartNumber int
				ETag       string
				Size       int64
			}
		}](t, s.get("/photos/big?max-parts=1&uploadId="+id).want(t, 200))
		if !list.IsTruncated || list.NextPartNumberMarker != 1 || len(list.Part) != 1 || list.Part[0].ETag != one {
			t.Errorf("%+v", list)
		}
	})
	done := s.complete("/photos/big", id, one, two).want(t, 200)
	if etag := decode[struct{ ETag string }](t, done).ETag; !strings.HasSuffix(etag, `-2"`) {
		t.Errorf("ETag %s", etag)
	}
	got := s.get("/photos/big").want(t, 200)
	if got.body != big+"tail" || !strings.HasSuffix(got.header.Get("Etag"), `-2"`) {
		t.Errorf("%d bytes, ETag %s", len(got.body), got.header.Get("Etag"))
	}
	again := s.complete("/photos/big", id, one, two).want(t, 200) // the answer was lost, say
	if a, b := decode[struct{ ETag string }](t, done), decode[struct{ ETag string }](t, again); a != b {
		t.Errorf("completed again: ETag %s, was %s", b.ETag, a.ETag)
	}
	s.complete("/photos/big", id, one).wantError(t, 404, "NoSuchUpload")

	t.Run("range over a part's edge", func(t *testing.T) {
		a := s.do(call{
			method: http.MethodGet, path: "/photos/big", header: map[string]string{"Range": "bytes=5242878-5242881"},
		}).want(t, 206)
		if a.body != "aata" || a.header.Get("Content-Range") != "bytes 5242878-5242881/5242884" {
			t.Errorf("%q, %s", a.body, a.header.Get("Content-Range"))
		}
	})
	t.Run("by part number", func(t *testing.T) {
		read := func(method, number string) answer {
			return s.do(call{method: method, path: "/photos/big?partNumber=" + number})
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := read(method, "2").want(t, 206)
			if a.header.Get("Content-Range") != "bytes 5242880-5242883/5242884" || a.header.Get("X-Amz-Mp-Parts-Count") != "2" ||
				a.header.Get("Content-Length") != "4" || (method == http.MethodGet && a.body != "tail") {
				t.Errorf("%s: %q %v", method, a.body, a.header)
			}
		}
		read(http.MethodGet, "3").wantError(t, 416, "InvalidPartNumber")
		read(http.MethodGet, "0").wantError(t, 400, "InvalidArgument")
		s.do(call{
			method: http.MethodGet, path: "/photos/big?partNumber=1", header: map[string]string{"Range": "bytes=0-1"},
		}).wantError(t, 400, "InvalidRequest")
		s.put("/photos/single", "abc")
		one := s.get("/photos/single?partNumber=1").want(t, 206)
		if one.body != "abc" || one.header.Get("X-Amz-Mp-Parts-Count") != "" {
			t.Errorf("%q %v", one.body, one.header)
		}
		s.get("/photos/single?partNumber=2").wantError(t, 416, "InvalidPartNumber")
	})
	t.Run("copies share blobs", func(t *testing.T) {
		s.do(call{
			method: http.MethodPut, path: "/photos/copy", header: map[string]string{"x-amz-copy-source": "photos/big"},
		}).want(t, 200)
		s.do(call{method: http.MethodDelete, path: "/photos/big"}).want(t, 204)
		if got := s.get("/photos/copy").want(t, 200).body; got != big+"tail" {
			t.Errorf("%d bytes", len(got))
		}
	})
	t.Run("part copies", func(t *testing.T) {
		s.put("/photos/source", "0123456789")
		id := s.createUpload("/photos/assembled")
		partCopy := func(number int, rng string) answer {
			header := map[string]string{"x-amz-copy-source": "/photos/source"}
			if rng != "" {
				header["x-amz-copy-source-range"] = rng
			}
			return s.do(call{
				method: http.MethodPut, header: header,
				path: fmt.Sprintf("/photos/assembled?partNumber=%d&uploadId=%s", number, id),
			})
		}
		partCopy(1, "bytes=2-20").wantError(t, 400, "InvalidArgument")
		partCopy(1, "bytes=2-").wantError(t, 400, "InvalidArgument")
		whole := decode[struct{ ETag string }](t, partCopy(1, "").want(t, 200)).ETag
		if whole != `"781e5e245d69b566979b86e28d23f2c7"` {
			t.Errorf("ETag %s", whole)
		}
		middle := decode[struct{ ETag string }](t, partCopy(1, "bytes=2-4").want(t, 200)).ETag
		s.complete("/photos/assembled", id, middle).want(t, 200)
		if got := s.get("/photos/assembled").body; got != "234" {
			t.Errorf("%q", got)
		}
	})
	t.Run("empty part", func(t *testing.T) {
		id := s.createUpload("/photos/empty")
		etag := s.uploadPart("/photos/empty", id, 1, "").want(t, 200).header.Get("Etag")
		s.complete("/photos/empty", id, etag).want(t, 200)
		if a := s.get("/photos/empty").want(t, 200); a.body != "" || a.header.Get("Content-Length") != "0" {
			t.Errorf("%q", a.body)
		}
	})
}

// parts is a CompleteMultipartUpload document of numbers and ETags in turn.
func parts(of ...any) string {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i := 0; i < len(of); i += 2 {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", of[i], of[i+1])
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.String()
}

func TestListMultipartUploads(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	ids := map[string]string{}
	for _, key := range []string{"a/1", "a/2", "b"} {
		ids[key] = s.createUpload("/photos/" + key)
	}
	type page struct {
		IsTruncated   bool
		NextKeyMarker string
		Upload        []struct {
			Key string
			ID  string `xml:"UploadId"`
		}
		CommonPrefixes []struct{ Prefix string }
	}
	all := decode[page](t, s.get("/photos?uploads").want(t, 200))
	if len(all.Upload) != 3 || all.Upload[0].ID != ids["a/1"] || all.Upload[2].Key != "b" {
		t.Errorf("%+v", all)
	}
	first := decode[page](t, s.get("/photos?uploads&delimiter=/&max-uploads=1").want(t, 200))
	if !first.IsTruncated || len(first.CommonPrefixes) != 1 || first.NextKeyMarker != "a/" {
		t.Errorf("%+v", first)
	}
	rest := decode[page](t, s.get("/photos?uploads&delimiter=/&key-marker=a/").want(t, 200))
	if rest.IsTruncated || len(rest.CommonPrefixes) != 0 || len(rest.Upload) != 1 || rest.Upload[0].Key != "b" {
		t.Errorf("%+v", rest)
	}
	t.Run("deleting the bucket aborts them", func(t *testing.T) {
		s.do(call{method: http.MethodDelete, path: "/photos"}).want(t, 204)
	})
}
