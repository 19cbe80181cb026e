package s3api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/quota"
)

func (s *server) versioning(bucket, status string) {
	s.t.Helper()
	s.do(call{
		method: http.MethodPut, path: "/" + bucket + "?versioning",
		body: "<VersioningConfiguration><Status>" + status + "</Status></VersioningConfiguration>",
	}).want(s.t, 200)
}

// listedVersions is what ListObjectVersions tells.
type listedVersions struct {
	Versions    []listedVersion `xml:"Version"`
	Markers     []listedVersion `xml:"DeleteMarker"`
	IsTruncated bool
	NextKey     string `xml:"NextKeyMarker"`
	NextVersion string `xml:"NextVersionIdMarker"`
}

type listedVersion struct {
	Key       string
	VersionID string `xml:"VersionId"`
	IsLatest  bool
	Size      int64
}

func (s *server) versions(path string) listedVersions {
	s.t.Helper()
	return decode[listedVersions](s.t, s.get(path).want(s.t, 200))
}

func TestVersions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	if got := s.put("/photos/k", "before").header.Get("X-Amz-Version-Id"); got != "" {
		t.Errorf("a bucket that never kept versions tells of %q", got)
	}
	s.versioning("photos", "Enabled")
	if body := s.get("/photos?versioning").want(t, 200).body; !strings.Contains(body, "<Status>Enabled</Status>") {
		t.Errorf("the configuration: %s", body)
	}
	first := s.put("/photos/k", "first").header.Get("X-Amz-Version-Id")
	second := s.put("/photos/k", "second").header.Get("X-Amz-Version-Id")
	if first == "" || second == "" || first == second {
		t.Fatalf("version ids %q and %q", first, second)
	}
	for version, want := range map[string]string{"null": "before", first: "first", second: "second"} {
		got := s.get("/photos/k?versionId="+version).want(t, 200)
		if got.body != want || got.header.Get("X-Amz-Version-Id") != version {
			t.Errorf("version %s: %q, told as %q", version, got.body, got.header.Get("X-Amz-Version-Id"))
		}
	}
	if got := s.get("/photos/k").want(t, 200); got.body != "second" || got.header.Get("X-Amz-Version-Id") != second {
		t.Errorf("the latest is %q", got.body)
	}

	deleted := s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204)
	marker := deleted.header.Get("X-Amz-Version-Id")
	if marker == "" || deleted.header.Get("X-Amz-Delete-Marker") != "true" {
		t.Errorf("a delete answers %v", deleted.header)
	}
	gone := s.get("/photos/k")
	gone.wantError(t, 404, "NoSuchKey")
	if gone.header.Get("X-Amz-Delete-Marker") != "true" || gone.header.Get("X-Amz-Version-Id") != marker {
		t.Errorf("a hidden key answers %v", gone.header)
	}
	if got := s.get("/photos/k?versionId=" + marker); got.status != 405 || got.header.Get("Allow") != "DELETE" {
		t.Errorf("the marker itself: %d, %v", got.status, got.header)
	}
	s.get("/photos/k?versionId="+first).want(t, 200)
	if body := s.get("/photos?list-type=2").want(t, 200).body; strings.Contains(body, "<Key>") {
		t.Errorf("a hidden key is listed: %s", body)
	}
	s.do(call{method: http.MethodDelete, path: "/photos"}).wantError(t, 409, "BucketNotEmpty")

	all := s.versions("/photos?versions")
	if len(all.Versions) != 3 || len(all.Markers) != 1 || !all.Markers[0].IsLatest || all.Versions[0].VersionID != second ||
		all.Versions[2].VersionID != "null" || all.Versions[0].IsLatest {
		t.Errorf("the versions: %+v", all)
	}
	s.do(call{method: http.MethodDelete, path: "/photos/k?versionId=" + marker}).want(t, 204)
	if got := s.get("/photos/k").want(t, 200).body; got != "second" {
		t.Errorf("without its marker the key is %q", got)
	}
	s.do(call{method: http.MethodDelete, path: "/photos/k?versionId=" + second}).want(t, 204)
	if got := s.get("/photos/k").want(t, 200).body; got != "first" {
		t.Errorf("without its latest version the key is %q", got)
	}
	s.get("/photos/k?versionId="+second).wantError(t, 404, "NoSuchVersion")
	s.get("/photos/k?versionId=nonsense").wantError(t, 400, "InvalidArgument")
	s.do(call{method: http.MethodDelete, path: "/photos/k?versionId=" + second}).want(t, 204)
}

func TestVersionPages(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	var want []string
	for _, key := range []string{"a", "b/1", "b/2", "c"} {
		for range 3 {
			s.put("/photos/"+key, "x")
		}
		s.do(call{method: http.MethodDelete, path: "/photos/" + key}).want(t, 204)
	}
	whole := s.versions("/photos?versions")
	for _, v := range append(whole.Versions, whole.Markers...) {
		want = append(want, v.Key+v.VersionID)
	}
	if len(want) != 16 {
		t.Fatalf("%d versions", len(want))
	}
	for _, size := range []int{1, 2, 5, 16} {
		seen := make(map[string]bool)
		path := fmt.Sprintf("/photos?versions&max-keys=%d", size)
		for page := s.versions(path); ; page = s.versions(path + "&key-marker=" + page.NextKey + "&version-id-marker=" + page.NextVersion) {
			for _, v := range append(page.Versions, page.Markers...) {
				if seen[v.Key+v.VersionID] {
					t.Errorf("pages of %d: %s is listed twice", size, v.Key)
				}
				seen[v.Key+v.VersionID] = true
			}
			if !page.IsTruncated {
				break
			}
		}
		if len(seen) != len(want) {
			t.Errorf("pages of %d: %d versions of %d", size, len(seen), len(want))
		}
	}
	s.get("/photos?versions&version-id-marker=x").wantError(t, 400, "InvalidArgument")
}

// Every version is charged, a delete marker is not, and what is removed is credited at once.
func TestVersionsAreCharged(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	s.limit("photos", quota.Limit{MaxBytes: 100})
	first := s.put("/photos/k", strings.Repeat("x", 60)).header.Get("X-Amz-Version-Id")
	s.do(call{method: http.MethodPut, path: "/photos/k", body: strings.Repeat("y", 60)}).wantError(t, 507, "QuotaExceeded")
	s.put("/photos/k", strings.Repeat("y", 40))
	s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204)
	s.do(call{method: http.MethodPut, path: "/photos/l", body: "z"}).wantError(t, 507, "QuotaExceeded")
	s.do(call{method: http.MethodDelete, path: "/photos/k?versionId=" + first}).want(t, 204)
	s.put("/photos/l", strings.Repeat("z", 60))
	s.do(call{method: http.MethodPut, path: "/photos/m", body: "z"}).wantError(t, 507, "QuotaExceeded")
}

func TestSuspendedVersioning(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	kept := s.put("/photos/k", "kept").header.Get("X-Amz-Version-Id")
	s.versioning("photos", "Suspended")
	s.put("/photos/k", "null 1")
	// Who writes is not told that the null version was made, who reads is.
	if told := s.put("/photos/k", "null 2").header["X-Amz-Version-Id"]; told != nil {
		t.Errorf("a write tells of version %s", told)
	}
	copied := s.do(call{method: http.MethodPut, path: "/photos/l", header: map[string]string{"x-amz-copy-source": "/photos/k"}})
	if told := copied.want(t, 200).header["X-Amz-Version-Id"]; told != nil {
		t.Errorf("a copy tells of version %s", told)
	}
	if told := s.do(call{method: http.MethodHead, path: "/photos/l"}).want(t, 200).header.Get("X-Amz-Version-Id"); told != "null" {
		t.Errorf("a read tells of version %q", told)
	}
	s.do(call{method: http.MethodDelete, path: "/photos/l?versionId=null"}).want(t, 204)
	if all := s.versions("/photos?versions"); len(all.Versions) != 2 || all.Versions[0].VersionID != "null" {
		t.Errorf("the versions: %+v", all)
	}
	if got := s.get("/photos/k?versionId=null").want(t, 200).body; got != "null 2" {
		t.Errorf("the null version is %q", got)
	}
	s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204)
	all := s.versions("/photos?versions")
	if len(all.Versions) != 1 || all.Versions[0].VersionID != kept || len(all.Markers) != 1 || all.Markers[0].VersionID != "null" {
		t.Errorf("after a delete: %+v", all)
	}
	s.do(call{
		method: http.MethodPut, path: "/photos?versioning",
		body: "<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>",
	}).wantError(t, 400, "MalformedXML")
}

func TestDeleteVersions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	version := s.put("/photos/k", "x").header.Get("X-Amz-Version-Id")
	document := "<Delete><Object><Key>k</Key></Object><Object><Key>k</Key><VersionId>" + version +
		"</VersionId></Object><Object><Key>k</Key><VersionId>nonsense</VersionId></Object></Delete>"
	got := decode[struct {
		Deleted []struct {
			Key           string
			VersionID     string `xml:"VersionId"`
			DeleteMarker  bool
			MarkerVersion string `xml:"DeleteMarkerVersionId"`
		}
		Error []struct{ Code string }
	}](t, s.do(call{method: http.MethodPost, path: "/photos?delete", body: document, header: map[string]string{"Content-MD5": md5Base64(document)}}).want(t, 200))
	if len(got.Deleted) != 2 || !got.Deleted[0].DeleteMarker || got.Deleted[0].MarkerVersion == "" ||
		got.Deleted[1].VersionID != version || got.Deleted[1].DeleteMarker || len(got.Error) != 1 || got.Error[0].Code != "NoSuchVersion" {
		t.Errorf("%+v", got)
	}
	if all := s.versions("/photos?versions"); len(all.Versions) != 0 || len(all.Markers) != 1 {
		t.Errorf("what is left: %+v", all)
	}
}

func TestTagging(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.do(call{
		method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{"x-amz-tagging": "colour=red&size=x%20l"},
	}).want(t, 200)
	if got := s.get("/photos/k").want(t, 200).header.Get("X-Amz-Tagging-Count"); got != "2" {
		t.Errorf("the count is %q", got)
	}
	if body := s.get("/photos/k?tagging").want(t, 200).body; !strings.Contains(body, "<Tag><Key>size</Key><Value>x l</Value></Tag>") {
		t.Errorf("the tags: %s", body)
	}
	document := func(tags string) string { return "<Tagging><TagSet>" + tags + "</TagSet></Tagging>" }
	tag := func(key, value string) string { return "<Tag><Key>" + key + "</Key><Value>" + value + "</Value></Tag>" }
	var eleven string
	for i := range 11 {
		eleven += tag(fmt.Sprint(i), "")
	}
	for _, path := range []string{"/photos/k", "/photos"} {
		put := func(tags string) answer {
			return s.do(call{method: http.MethodPut, path: path + "?tagging", body: document(tags)})
		}
		if got := put(tag("a", "b")); got.status >= 300 {
			t.Errorf("%s: %s", path, got.body)
		}
		put(tag("b", "")+tag("B", "1")+tag("a", "2")).want(t, map[string]int{"/photos/k": 200, "/photos": 204}[path])
		if body := s.get(path + "?tagging").body; !strings.Contains(body, tag("B", "1")+tag("a", "2")+tag("b", "")) {
			t.Errorf("%s: the tags are not sorted: %s", path, body)
		}
		put(tag("a", "b")).want(t, map[string]int{"/photos/k": 200, "/photos": 204}[path])
		put(tag("a", "b")+tag("a", "c")).wantError(t, 400, "InvalidTag")
		put(tag(strings.Repeat("k", 129), "b")).wantError(t, 400, "InvalidTag")
		put(tag("a", strings.Repeat("v", 257))).wantError(t, 400, "InvalidTag")
		put(tag("aws:a", "b")).wantError(t, 400, "InvalidTag")
		put(tag("a!", "b")).wantError(t, 400, "InvalidTag")
		s.do(call{method: http.MethodPut, path: path + "?tagging", body: "<Tagging/>"}).wantError(t, 400, "MalformedXML")
		if body := s.get(path+"?tagging").want(t, 200).body; !strings.Contains(body, tag("a", "b")) {
			t.Errorf("%s: %s", path, body)
		}
		s.do(call{method: http.MethodDelete, path: path + "?tagging"}).want(t, 204)
	}
	s.do(call{method: http.MethodPut, path: "/photos/k?tagging", body: document(eleven)}).wantError(t, 400, "BadRequest")
	s.get("/photos?tagging").wantError(t, 404, "NoSuchTagSet")
	if body := s.get("/photos/k?tagging").want(t, 200).body; strings.Contains(body, "<Tag>") {
		t.Errorf("tags are left: %s", body)
	}
	s.get("/photos/missing?tagging").wantError(t, 404, "NoSuchKey")
	t.Run("of a delete marker", func(t *testing.T) {
		s.bucket("versions")
		s.versioning("versions", "Enabled")
		s.put("/versions/k", "x")
		marker := s.do(call{method: http.MethodDelete, path: "/versions/k"}).want(t, 204).header.Get("X-Amz-Version-Id")
		for _, path := range []string{"/versions/k?tagging", "/versions/k?tagging&versionId=" + marker} {
			for _, c := range []call{
				{method: http.MethodGet}, {method: http.MethodPut, body: document(tag("a", "b"))}, {method: http.MethodDelete},
			} {
				c.path = path
				if a := s.do(c); !strings.Contains(a.body, "<ResourceType>DeleteMarker</ResourceType>") {
					t.Errorf("%s %s: %s", c.method, path, a.body)
				} else {
					a.wantError(t, 405, "MethodNotAllowed")
				}
			}
		}
	})
	s.do(call{
		method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{"x-amz-tagging": "a=1&a=2"},
	}).wantError(t, 400, "InvalidArgument")
}

func TestBucketTagsFromTheStart(t *testing.T) {
	s := newServer(t)
	create := func(name, tags string) answer {
		return s.do(call{
			method: http.MethodPut, path: "/" + name,
			body: "<CreateBucketConfiguration><Tags>" + tags + "</Tags></CreateBucketConfiguration>",
		})
	}
	const tag = "<Tag><Key>team</Key><Value>red</Value></Tag>"
	if got := create("photos", tag).want(t, 200).header.Get("X-Amz-Bucket-Arn"); got != "arn:aws:s3:::photos" {
		t.Errorf("the ARN is %q", got)
	}
	if body := s.get("/photos?tagging").want(t, 200).body; !strings.Contains(body, tag) {
		t.Errorf("the tags: %s", body)
	}
	create("other", tag+tag).wantError(t, 400, "InvalidTag")
	s.get("/other").wantError(t, 404, "NoSuchBucket")
}
