package s3api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// copyAs copies with headers, signed by a user.
func (s *server) copyAs(as *user, source, path string, header map[string]string) answer {
	s.t.Helper()
	all := map[string]string{"x-amz-copy-source": source}
	for name, value := range header {
		all[name] = value
	}
	return s.do(call{method: http.MethodPut, path: path, header: all, as: as})
}

// The source is encoded as a form's value is: a plus stands for a space. S3 reads it so, and clients rely on it.
func TestCopySourceIsURLEncoded(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/a%20b", "space")
	s.put("/photos/a%2Bb", "plus")
	part := "/photos/parts?partNumber=1&uploadId=" + s.createUpload("/photos/parts")
	for _, c := range []struct{ source, body string }{
		{"photos/a%20b", "space"},
		{"photos/a+b", "space"},
		{"photos%2Fa+b", "space"},
		{"/photos/a%2Bb", "plus"},
		{"photos%2fa%2bb", "plus"},
	} {
		t.Run(c.source, func(t *testing.T) {
			s.copyAs(nil, c.source, part, nil).want(t, 200)
			s.copyAs(nil, c.source, "/photos/copy", nil).want(t, 200)
			if got := s.get("/photos/copy").want(t, 200).body; got != c.body {
				t.Errorf("copied %q, want %q", got, c.body)
			}
		})
	}
}

// TestCopyVersions copies versions by name, into a bucket that keeps versions too.
func TestCopyVersions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	old := s.put("/photos/k", "old").header.Get("X-Amz-Version-Id")
	now := s.put("/photos/k", "new").header.Get("X-Amz-Version-Id")
	marker := s.do(call{method: http.MethodDelete, path: "/photos/gone"}).want(t, 204).header.Get("X-Amz-Version-Id")
	id := s.createUpload("/photos/parts")
	part := "/photos/parts?partNumber=1&uploadId=" + id
	for _, c := range []struct {
		name, source string
		version      string // of the source, in the answer
		body         string
	}{
		{"the latest", "/photos/k", now, "new"},
		{"an older one", "photos/k?versionId=" + old, old, "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.copyAs(nil, c.source, "/photos/copy", nil).want(t, 200)
			made := a.header.Get("X-Amz-Version-Id")
			if a.header.Get("X-Amz-Copy-Source-Version-Id") != c.version || made == "" || made == c.version {
				t.Errorf("answered %v", a.header)
			}
			if got := s.get("/photos/copy?versionId="+made).want(t, 200).body; got != c.body {
				t.Errorf("copied %q", got)
			}
			a = s.copyAs(nil, c.source, part, nil).want(t, 200)
			if got := a.header.Get("X-Amz-Copy-Source-Version-Id"); got != c.version {
				t.Errorf("UploadPartCopy answers the source version %q", got)
			}
		})
	}
	t.Run("an older one onto itself", func(t *testing.T) {
		s.copyAs(nil, "/photos/k?versionId="+old, "/photos/k", nil).want(t, 200)
		if got := s.get("/photos/k").body; got != "old" {
			t.Errorf("restored %q", got)
		}
	})
	for _, to := range []string{"/photos/copy", part} {
		s.copyAs(nil, "/photos/gone", to, nil).wantError(t, 404, "NoSuchKey")
		s.copyAs(nil, "/photos/gone?versionId="+marker, to, nil).wantError(t, 400, "InvalidRequest")
		s.copyAs(nil, "/photos/gone?versionId="+old, to, nil).wantError(t, 404, "NoSuchVersion")
		s.copyAs(nil, "/photos/k?versionId=", to, nil).wantError(t, 400, "InvalidArgument")
		s.copyAs(nil, "/photos/k?version="+old, to, nil).wantError(t, 400, "InvalidArgument")
	}
	done := s.finish("/photos/parts", id, nil, fmt.Sprintf("<Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>",
		`"149603e6c03516362a8da23f624db945"`)).want(t, 200) // the MD5 of "old"
	if done.header.Get("X-Amz-Version-Id") == "" {
		t.Errorf("CompleteMultipartUpload tells no version: %v", done.header)
	}
}

// TestCopySourcePermissions: who copies must be allowed to read the source, and to write the destination.
func TestCopySourcePermissions(t *testing.T) {
	s := newServer(t)
	for _, bucket := range []string{"photos", "private", "target"} {
		s.bucket(bucket)
	}
	s.versioning("photos", "Enabled")
	version := s.put("/photos/k", "hello").header.Get("X-Amz-Version-Id")
	s.put("/private/k", "hello")
	ada := s.user("ada")
	s.policy("photos", statement("Allow", `{"AWS":"ada"}`, "s3:GetObject", "arn:aws:s3:::photos/*", ""))
	s.policy("target", statement("Allow", `{"AWS":"ada"}`, "s3:PutObject", "arn:aws:s3:::target/*", ""))
	id := s.createUpload("/target/parts")
	for _, to := range []string{"/target/k", "/target/parts?partNumber=1&uploadId=" + id} {
		s.copyAs(ada, "/photos/k", to, nil).want(t, 200)
		s.copyAs(ada, "/private/k", to, nil).wantError(t, 403, "AccessDenied")
		s.copyAs(ada, "/photos/k?versionId="+version, to, nil).wantError(t, 403, "AccessDenied") // s3:GetObjectVersion
		s.copyAs(ada, "/photos/missing", to, nil).wantError(t, 403, "AccessDenied")              // s3:ListBucket
		s.copyAs(ada, "/missing/k", to, nil).wantError(t, 404, "NoSuchBucket")
		s.copyAs(nil, "/photos/missing", to, nil).wantError(t, 404, "NoSuchKey")
	}
	s.copyAs(ada, "/photos/k", "/photos/l", nil).wantError(t, 403, "AccessDenied")
	s.policy("photos", statement("Allow", `{"AWS":"ada"}`, "s3:GetObjectVersion", "arn:aws:s3:::photos/*", ""))
	s.copyAs(ada, "/photos/k?versionId="+version, "/target/k", nil).want(t, 200)
	s.copyAs(ada, "/photos/k", "/target/k", nil).wantError(t, 403, "AccessDenied")
}

// TestCopySettings: tags are copied or replaced, and what is the object's own is not copied.
func TestCopySettings(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "hello", header: map[string]string{
		"x-amz-tagging": "colour=red", "x-amz-website-redirect-location": "/there", "x-amz-meta-shape": "round",
	}}).want(t, 200)
	for _, c := range []struct {
		name     string
		header   map[string]string
		tags     string
		redirect string
	}{
		{"as it is", nil, "<Tag><Key>colour</Key><Value>red</Value></Tag>", ""},
		{
			"tags that are not asked for",
			map[string]string{"x-amz-tagging": "colour=blue"},
			"<Tag><Key>colour</Key><Value>red</Value></Tag>", "",
		},
		{
			"other tags",
			map[string]string{"x-amz-tagging": "colour=blue", "x-amz-tagging-directive": "REPLACE"},
			"<Tag><Key>colour</Key><Value>blue</Value></Tag>", "",
		},
		{"no tags", map[string]string{"x-amz-tagging-directive": "REPLACE"}, "", ""},
		{
			"another redirect",
			map[string]string{"x-amz-website-redirect-location": "/elsewhere"},
			"<Tag><Key>colour</Key><Value>red</Value></Tag>", "/elsewhere",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.copyAs(nil, "/photos/k", "/photos/copy", c.header).want(t, 200)
			if tags := s.get("/photos/copy?tagging").want(t, 200).body; !strings.Contains(tags, "<TagSet>"+c.tags+"</TagSet>") {
				t.Errorf("tags %s", tags)
			}
			got := s.get("/photos/copy").want(t, 200).header
			if got.Get("X-Amz-Website-Redirect-Location") != c.redirect || got.Get("X-Amz-Meta-Shape") != "round" {
				t.Errorf("headers %v", got)
			}
		})
	}
	s.copyAs(nil, "/photos/k", "/photos/copy", map[string]string{"x-amz-tagging-directive": "x"}).
		wantMessage(t, 400, "InvalidArgument", "Unknown tagging directive.")
	s.copyAs(nil, "/photos/k", "/photos/k", map[string]string{"x-amz-tagging-directive": "REPLACE"}).
		wantError(t, 400, "InvalidRequest")
	s.copyAs(nil, "/photos/k", "/photos/k", map[string]string{"x-amz-website-redirect-location": "/here"}).want(t, 200)
}

func TestCopySources(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/a/c", "hello")
	for source, message := range map[string]string{
		"photos/%ZZ":           "Invalid copy source encoding",
		"%":                    "Invalid copy source encoding",
		"photos/%C3":           "Invalid copy source encoding",
		"192.168.1.1/k":        "Invalid copy source bucket name",
		"photos":               "Invalid copy source object key",
		"photos/":              "Invalid copy source object key",
		"photos/.":             "Invalid copy source object key",
		"photos/../k":          "Invalid copy source object key",
		"photos/a/b/../../../": "Invalid copy source object key",
	} {
		t.Run(source, func(t *testing.T) {
			s.copyAs(nil, source, "/photos/copy", nil).wantMessage(t, 400, "InvalidArgument", message)
		})
	}
	s.copyAs(nil, "photos/a/b/../c", "/photos/copy", nil).wantError(t, 404, "NoSuchKey") // a key like any other
}

func TestGetObjectAttributes(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	put := s.put("/photos/k", "hello")
	version := put.header.Get("X-Amz-Version-Id")
	ask := func(path string, header map[string]string) answer {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		return s.do(call{method: http.MethodGet, path: path + separator + "attributes", header: header})
	}
	all := map[string]string{"x-amz-object-attributes": "ETag, ObjectSize,StorageClass,ObjectParts"}
	a := ask("/photos/k", all).want(t, 200)
	want := "<ETag>5d41402abc4b2a76b9719d911017c592</ETag><StorageClass>STANDARD</StorageClass><ObjectSize>5</ObjectSize>" +
		"</GetObjectAttributesResponse>"
	if !strings.HasSuffix(a.body, want) || a.header.Get("X-Amz-Version-Id") != version || a.header.Get("Last-Modified") == "" {
		t.Errorf("%v\n%s", a.header, a.body)
	}
	ask("/photos/k", nil).wantMessage(t, 400, "InvalidRequest",
		"The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	ask("/photos/k", map[string]string{"x-amz-object-attributes": "ETag,Colour"}).
		wantMessage(t, 400, "InvalidArgument", "Invalid attribute name specified.")
	ask("/photos/missing", all).wantError(t, 404, "NoSuchKey")
	ask("/missing/k", all).wantError(t, 404, "NoSuchBucket")
	marker := s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204).header.Get("X-Amz-Version-Id")
	gone := ask("/photos/k", all)
	gone.wantError(t, 404, "NoSuchKey")
	if gone.header.Get("X-Amz-Delete-Marker") != "true" || gone.header.Get("X-Amz-Version-Id") != marker {
		t.Errorf("behind a delete marker: %v", gone.header)
	}
	// Unlike of a read of the object, NoSuchKey is the only error that S3 documents.
	ask("/photos/k?versionId="+marker, all).wantError(t, 404, "NoSuchKey")
	ask("/photos/k?versionId="+version, all).want(t, 200)

	t.Run("parts", func(t *testing.T) {
		id := s.newUpload("/photos/m", map[string]string{"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"})
		big := strings.Repeat("a", 5<<20)
		var named []string
		for i, body := range []string{big, big, "tail"} {
			etag := s.sendPart("/photos/m", id, i+1, body, nil).want(t, 200).header.Get("Etag")
			named = append(named, fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag))
		}
		s.finish("/photos/m", id, nil, named...).want(t, 200)
		page := func(limit, marker string) string {
			return ask("/photos/m", map[string]string{
				"x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": limit, "x-amz-part-number-marker": marker,
			}).want(t, 200).body
		}
		for _, c := range []struct {
			limit, marker string
			want          []string
			count         int
		}{
			{"", "", []string{"<IsTruncated>false<", "<MaxParts>1000<", "<NextPartNumberMarker>3<", "<PartsCount>3<"}, 3},
			{"2", "", []string{"<IsTruncated>true<", "<MaxParts>2<", "<NextPartNumberMarker>2<", "<PartNumberMarker>0<"}, 2},
			{"2", "2", []string{"<IsTruncated>false<", "<PartNumber>3</PartNumber><Size>4<", "<PartNumberMarker>2<"}, 1},
			{"2", "9", []string{"<IsTruncated>false<", "<PartsCount>3<"}, 0},
		} {
			got := page(c.limit, c.marker)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("max-parts %q after %q lacks %s: %s", c.limit, c.marker, want, got)
				}
			}
			if n := strings.Count(got, "<Part>"); n != c.count {
				t.Errorf("max-parts %q after %q: %d parts, want %d", c.limit, c.marker, n, c.count)
			}
		}
		ask("/photos/m", map[string]string{"x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "-1"}).
			wantError(t, 400, "InvalidArgument")
	})
}
