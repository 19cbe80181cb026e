package s3api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api"
)

// deleteDocument names one version for DeleteObjects.
func deleteDocument(key, version string) string {
	return "<Delete><Object><Key>" + key + "</Key><VersionId>" + version + "</VersionId></Object></Delete>"
}

func (s *server) deleteObjects(document string, as *user, header map[string]string) answer {
	s.t.Helper()
	all := map[string]string{"Content-MD5": md5Base64(document)}
	for name, value := range header {
		all[name] = value
	}
	return s.do(call{method: http.MethodPost, path: "/photos?delete", body: document, header: all, as: as}).want(s.t, 200)
}

// A bypass of governance that is denied for a key is denied in a batch, too.
func TestBypassInABatch(t *testing.T) {
	s := newServer(t)
	s.lockedBucket("photos")
	version := s.do(call{method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{
		"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": tomorrow(),
	}}).want(t, 200).header.Get("X-Amz-Version-Id")
	writer := s.user("writer", "readwrite")
	s.policy("photos", statement("Deny", `"*"`, "s3:BypassGovernanceRetention", "arn:aws:s3:::photos/*", ""))
	bypass := map[string]string{"x-amz-bypass-governance-retention": "true"}
	if body := s.deleteObjects(deleteDocument("k", version), writer, bypass).body; !strings.Contains(body, "<Code>AccessDenied</Code>") {
		t.Errorf("a locked version is removed: %s", body)
	}
	s.get("/photos/k?versionId="+version).want(t, 200)
}

// A list that lets everybody write lets nobody but the owner remove a version.
func TestListsRemoveNoVersions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.versioning("photos", "Enabled")
	s.setOwnership("photos", "ObjectWriter").want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos?acl", header: map[string]string{"x-amz-acl": "public-read-write"}}).want(t, 200)
	version := s.put("/photos/k", "x").header.Get("X-Amz-Version-Id")
	s.do(call{method: http.MethodDelete, path: "/photos/k?versionId=" + version, anonymous: true}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodDelete, path: "/photos/k", anonymous: true}).want(t, 204)
	s.get("/photos/k?versionId="+version).want(t, 200)
}

// Conditions see what the operation acts on: the first of two parameters, each entry's own version, and what a body sets.
func TestConditionsSeeWhatIsDone(t *testing.T) {
	s := newServer(t)
	s.lockedBucket("photos")
	first := s.put("/photos/k", "1").header.Get("X-Amz-Version-Id")
	second := s.put("/photos/k", "2").header.Get("X-Amz-Version-Id")
	alice := s.user("alice")
	s.policy("photos", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"alice"},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos",
			"Condition":{"StringLike":{"s3:prefix":"public/*"}}},
		{"Effect":"Allow","Principal":{"AWS":"alice"},"Action":"s3:DeleteObjectVersion","Resource":"arn:aws:s3:::photos/*",
			"Condition":{"StringEquals":{"s3:VersionId":%q}}},
		{"Effect":"Deny","Principal":"*","Action":"s3:PutObjectTagging","Resource":"arn:aws:s3:::photos/*",
			"Condition":{"StringEquals":{"s3:RequestObjectTag/level":"admin"}}},
		{"Effect":"Deny","Principal":"*","Action":"s3:PutObjectRetention","Resource":"arn:aws:s3:::photos/*",
			"Condition":{"NumericGreaterThan":{"s3:object-lock-remaining-retention-days":"10"}}}]}`, first))
	list := func(query string) answer {
		return s.do(call{method: http.MethodGet, path: "/photos?list-type=2&" + query, as: alice})
	}
	list("prefix=public/").want(t, 200)
	list("prefix=private/&prefix=public/").wantError(t, 403, "AccessDenied")
	if body := s.deleteObjects(deleteDocument("k", second), alice, nil).body; !strings.Contains(body, "<Code>AccessDenied</Code>") {
		t.Errorf("another version is removed: %s", body)
	}
	if body := s.deleteObjects(deleteDocument("k", first), alice, nil).body; strings.Contains(body, "<Error>") {
		t.Errorf("the version that may be removed is not: %s", body)
	}
	tag := func(value string) answer {
		return s.do(call{
			method: http.MethodPut, path: "/photos/k?tagging",
			body: "<Tagging><TagSet><Tag><Key>level</Key><Value>" + value + "</Value></Tag></TagSet></Tagging>",
		})
	}
	tag("user").want(t, 200)
	tag("admin").wantError(t, 403, "AccessDenied")
	s.do(call{
		method: http.MethodPut, path: "/photos/k?retention",
		body: "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2100-01-01T00:00:00Z</RetainUntilDate></Retention>",
	}).wantError(t, 403, "AccessDenied")
}

// A copy carries tags only for who may read them there and write them here.
func TestCopiedTagsNeedPermission(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/plain", "x")
	s.do(call{method: http.MethodPut, path: "/photos/tagged", body: "x", header: map[string]string{"x-amz-tagging": "a=b"}}).want(t, 200)
	if _, err := s.users.PutPolicy(t.Context(), "copies", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::photos/*"}]}`); err != nil {
		t.Fatal(err)
	}
	copier := s.user("copier", "copies")
	copyOf := func(source string, header map[string]string) answer {
		all := map[string]string{"x-amz-copy-source": "photos/" + source}
		for name, value := range header {
			all[name] = value
		}
		return s.do(call{method: http.MethodPut, path: "/photos/copy", header: all, as: copier})
	}
	copyOf("plain", nil).want(t, 200)
	copyOf("tagged", nil).wantError(t, 403, "AccessDenied")
	copyOf("tagged", map[string]string{"x-amz-tagging-directive": "REPLACE"}).want(t, 200)
}

// What a new bucket's headers ask for is denied by the policies that deny it elsewhere.
func TestNewBucketsHeadersAreDenied(t *testing.T) {
	s := newServer(t)
	if _, err := s.users.PutPolicy(t.Context(), "plain-buckets", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:CreateBucket","Resource":"*"},
		{"Effect":"Deny","Action":["s3:PutBucketAcl","s3:PutBucketOwnershipControls","s3:PutBucketObjectLockConfiguration"],"Resource":"*"}]}`); err != nil {
		t.Fatal(err)
	}
	maker := s.user("maker", "plain-buckets")
	create := func(name string, header map[string]string) answer {
		return s.do(call{method: http.MethodPut, path: "/" + name, header: header, as: maker})
	}
	create("plain", nil).want(t, 200)
	create("listed", map[string]string{"x-amz-acl": "public-read"}).wantError(t, 403, "AccessDenied")
	create("owned", map[string]string{"x-amz-object-ownership": "ObjectWriter"}).wantError(t, 403, "AccessDenied")
	create("locked", map[string]string{"x-amz-bucket-object-lock-enabled": "true"}).wantError(t, 403, "AccessDenied")
}

// TestDenialOfAUserWhoIsMadeAnew: a policy that was read while a user was not there denies what it denies them when they are.
func TestDenialOfAUserWhoIsMadeAnew(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	s.user("bob", "readwrite")
	s.user("carol")
	s.policy("photos", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/bob"},"Action":"s3:*","Resource":"arn:aws:s3:::photos/*"},
		{"Effect":"Allow","Principal":{"AWS":"carol"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`)
	for _, name := range []string{"bob", "carol"} {
		if err := s.users.DeleteUser(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	s.versioning("photos", "Enabled") // the bucket is read anew
	s.get("/photos/k").want(t, 200)
	bob, carol := s.user("bob", "readwrite"), s.user("carol")
	s.do(call{method: http.MethodGet, path: "/photos/k", as: bob}).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos/k", as: carol}).want(t, 200)
}

// TestDocumentsOfMany: a document with room for a million entries is not read into memory to be refused. For DeleteObjects
// nobody needs credentials, for CompleteMultipartUpload who may write where everybody may.
func TestDocumentsOfMany(t *testing.T) {
	var handler http.Handler
	s := newServer(t, func(c *s3api.Config) { handler = s3api.New(*c, s3api.NewMetrics()) })
	s.bucket("photos")
	s.policy("photos", statement("Allow", `"*"`, "s3:PutObject", "arn:aws:s3:::photos/*", ""))
	for _, test := range []struct {
		path, before, entry, after string
		bytes                      int
	}{
		{"/photos?delete", "<Delete>", "<Object/>", "</Delete>", 8 << 20},
		{"/photos/k?uploadId=x", "<CompleteMultipartUpload>", "<Part/>", "</CompleteMultipartUpload>", 4 << 20},
		{
			"/photos/k?uploadId=x", "<CompleteMultipartUpload><Part>", "<ChecksumCRC32/>", "</Part></CompleteMultipartUpload>", 4 << 20,
		},
	} {
		document := test.before + strings.Repeat(test.entry, (test.bytes-100)/len(test.entry)) + test.after
		r := httptest.NewRequest(http.MethodPost, test.path, strings.NewReader(document))
		r.Header.Set("Content-MD5", md5Base64(document))
		var before, after runtime.MemStats
		w := httptest.NewRecorder()
		runtime.ReadMemStats(&before)
		handler.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "<Code>MalformedXML</Code>") {
			t.Errorf("%s of %s: %d %s", test.path, test.entry, w.Code, w.Body)
		}
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 100 {
			t.Errorf("%s of %s took %d MiB to refuse", test.path, test.entry, mib)
		}
	}
}
