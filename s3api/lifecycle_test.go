package s3api_test

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// lifecycle puts a document of rules.
func (s *server) lifecycle(bucket, rules string) answer {
	s.t.Helper()
	return s.do(withMD5(call{
		method: http.MethodPut, path: "/" + bucket + "?lifecycle",
		body: `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + rules + `</LifecycleConfiguration>`,
	}))
}

func withMD5(c call) call {
	sum := md5.Sum([]byte(c.body))
	c.header = map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])}
	return c
}

const (
	everything = "<Filter></Filter><Status>Enabled</Status>"
	oneDay     = "<Expiration><Days>1</Days></Expiration>"
)

// What is put is given back as it was.
func TestLifecycleRoundTrip(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.get("/photos?lifecycle").wantError(t, 404, "NoSuchLifecycleConfiguration")
	for name, rules := range map[string]string{
		"empty filter":  "<Rule><ID>a</ID>" + everything + oneDay + "</Rule>",
		"empty prefix":  "<Rule><ID>a</ID><Filter><Prefix></Prefix></Filter><Status>Disabled</Status>" + oneDay + "</Rule>",
		"legacy prefix": "<Rule><ID>a &amp; b</ID><Prefix>logs/</Prefix><Status>Enabled</Status>" + oneDay + "</Rule>",
		"date": "<Rule><ID>a</ID>" + everything +
			"<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration></Rule>",
		"markers": "<Rule><ID>a</ID>" + everything +
			"<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>",
		"tag": "<Rule><ID>a</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Status>Enabled</Status>" + oneDay + "</Rule>",
		"size": "<Rule><ID>a</ID><Filter><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></Filter><Status>Enabled</Status>" +
			oneDay + "</Rule>",
		"and": "<Rule><ID>a</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value></Value></Tag>" +
			"<Tag><Key>l</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan>" +
			"<ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter><Status>Enabled</Status>" + oneDay + "</Rule>",
		"several": "<Rule><ID>a</ID>" + everything + oneDay + "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>" +
			"<NewerNoncurrentVersions>100</NewerNoncurrentVersions></NoncurrentVersionExpiration>" +
			"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>" +
			"<Rule><ID>b</ID><Filter><Prefix>x</Prefix></Filter><Status>Enabled</Status>" + oneDay + "</Rule>",
	} {
		t.Run(name, func(t *testing.T) {
			s.lifecycle("photos", rules).want(t, 200)
			got := s.get("/photos?lifecycle").want(t, 200)
			if !strings.Contains(got.body, ">"+rules+"</LifecycleConfiguration>") {
				t.Errorf("got\n%s, want\n%s", got.body, rules)
			}
			if size := got.header.Get("X-Amz-Transition-Default-Minimum-Object-Size"); size != "all_storage_classes_128K" {
				t.Errorf("minimum size %q", size)
			}
		})
	}
	s.do(call{method: http.MethodDelete, path: "/photos?lifecycle"}).want(t, 204)
	s.get("/photos?lifecycle").wantError(t, 404, "NoSuchLifecycleConfiguration")
	t.Run("an id is made", func(t *testing.T) {
		s.lifecycle("photos", "<Rule>"+everything+oneDay+"</Rule>").want(t, 200)
		if body := s.get("/photos?lifecycle").body; !strings.Contains(body, "<ID>") || strings.Contains(body, "<ID></ID>") {
			t.Errorf("no id: %s", body)
		}
	})
	t.Run("the minimum size is kept", func(t *testing.T) {
		c := withMD5(call{
			method: http.MethodPut, path: "/photos?lifecycle",
			body: "<LifecycleConfiguration><Rule>" + everything + oneDay + "</Rule></LifecycleConfiguration>",
		})
		c.header["x-amz-transition-default-minimum-object-size"] = "varies_by_storage_class"
		s.do(c).want(t, 200)
		got := s.get("/photos?lifecycle").header.Get("X-Amz-Transition-Default-Minimum-Object-Size")
		if got != "varies_by_storage_class" {
			t.Errorf("%q", got)
		}
		c.header["x-amz-transition-default-minimum-object-size"] = "1K"
		s.do(c).wantError(t, 400, "InvalidArgument")
	})
	s.do(call{method: http.MethodPut, path: "/photos?lifecycle", body: "<LifecycleConfiguration/>"}).
		wantError(t, 400, "InvalidRequest") // without Content-MD5
}

func TestLifecycleRefusals(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	rule := func(actions string) string { return "<Rule>" + everything + actions + "</Rule>" }
	filtered := func(filter, actions string) string {
		return "<Rule><Filter>" + filter + "</Filter><Status>Enabled</Status>" + actions + "</Rule>"
	}
	tag := "<Tag><Key>k</Key><Value>v</Value></Tag>"
	abort := "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	markers := "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
	sizes := func(greater, less string) string {
		return filtered("<And><ObjectSizeGreaterThan>"+greater+"</ObjectSizeGreaterThan><ObjectSizeLessThan>"+less+
			"</ObjectSizeLessThan></And>", oneDay)
	}
	noncurrent := func(inside string) string {
		return "<NoncurrentVersionExpiration>" + inside + "</NoncurrentVersionExpiration>"
	}
	for name, test := range map[string]struct {
		rules, code, message string
	}{
		"no rules":   {"", "MalformedXML", ""},
		"1001 rules": {strings.Repeat(rule(oneDay), 1001), "InvalidRequest", "1000 rules"},
		"long id":    {"<Rule><ID>" + strings.Repeat("x", 256) + "</ID>" + everything + oneDay + "</Rule>", "InvalidArgument", "255"},
		"same id": {
			strings.Repeat("<Rule><ID>a</ID>"+everything+oneDay+"</Rule>", 2), "InvalidArgument",
			"Rule ID must be unique. Found same ID for more than one rule",
		},
		"no status":     {"<Rule><Filter/>" + oneDay + "</Rule>", "MalformedXML", ""},
		"other status":  {"<Rule><Filter/><Status>enabled</Status>" + oneDay + "</Rule>", "MalformedXML", ""},
		"no filter":     {"<Rule><Status>Enabled</Status>" + oneDay + "</Rule>", "MalformedXML", ""},
		"both prefixes": {"<Rule><Prefix/>" + everything + oneDay + "</Rule>", "InvalidRequest", "Base level prefix"},
		"old and new": {
			"<Rule><Prefix>a</Prefix><Status>Enabled</Status>" + oneDay + "</Rule>" + rule(oneDay), "InvalidRequest", "Lifecycle V2",
		},
		"no action":      {rule(""), "InvalidRequest", "At least one action"},
		"nothing to do":  {rule(strings.Replace(markers, "true", "false", 1)), "InvalidRequest", "At least one action"},
		"empty action":   {rule("<Expiration/>"), "MalformedXML", ""},
		"unknown action": {rule(oneDay + "<DelMarkerExpiration><Days>1</Days></DelMarkerExpiration>"), "MalformedXML", ""},
		"two conditions": {filtered("<Prefix>a</Prefix>"+tag, oneDay), "MalformedXML", ""},
		"and of one":     {filtered("<And><Prefix>a</Prefix></And>", oneDay), "MalformedXML", ""},
		"and and prefix": {filtered("<Prefix>a</Prefix><And><Prefix>a</Prefix>"+tag+"</And>", oneDay), "MalformedXML", ""},
		"same tag key":   {filtered("<And>"+tag+tag+"</And>", oneDay), "InvalidRequest", "Duplicate Tag Keys"},
		"empty tag key":  {filtered("<Tag><Key></Key><Value>v</Value></Tag>", oneDay), "InvalidTag", ""},
		"negative size":  {sizes("-1", "5"), "InvalidRequest", "ObjectSizeGreaterThan"},
		"less than none": {filtered("<ObjectSizeLessThan>0</ObjectSizeLessThan>", oneDay), "InvalidRequest", "ObjectSizeLessThan"},
		"no size":        {sizes("5", "5"), "InvalidRequest", "greater than"},
		"no number":      {sizes("a", "5"), "MalformedXML", ""},
		"zero days": {
			rule("<Expiration><Days>0</Days></Expiration>"), "InvalidArgument",
			"'Days' for Expiration action must be a positive integer",
		},
		"many days":     {rule("<Expiration><Days>2147483648</Days></Expiration>"), "MalformedXML", ""},
		"days and date": {rule("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"), "MalformedXML", ""},
		"days and markers": {
			rule("<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker></Expiration>"),
			"MalformedXML", "",
		},
		"no midnight": {rule("<Expiration><Date>2030-01-01T10:00:00Z</Date></Expiration>"), "InvalidArgument", "midnight GMT"},
		"midnight not here": {
			rule("<Expiration><Date>2030-01-01T00:00:00+02:00</Date></Expiration>"), "InvalidArgument", "midnight GMT",
		},
		"no date":           {rule("<Expiration><Date>tomorrow</Date></Expiration>"), "MalformedXML", ""},
		"markers of a tag":  {filtered(tag, markers), "InvalidRequest", "Tags"},
		"markers of a size": {filtered("<ObjectSizeLessThan>5</ObjectSizeLessThan>", markers), "InvalidRequest", "Size"},
		"abort of a tag":    {filtered(tag, abort), "InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags"},
		"abort of a size":   {filtered("<ObjectSizeLessThan>5</ObjectSizeLessThan>", abort), "InvalidRequest", "Size"},
		"abort at once":     {rule(strings.Replace(abort, "1", "0", 1)), "InvalidArgument", "DaysAfterInitiation"},
		"abort never":       {rule("<AbortIncompleteMultipartUpload/>"), "MalformedXML", ""},
		"noncurrent never":  {rule(noncurrent("<NewerNoncurrentVersions>1</NewerNoncurrentVersions>")), "MalformedXML", ""},
		"noncurrent at once": {
			rule(noncurrent("<NoncurrentDays>0</NoncurrentDays>")), "InvalidArgument", "'NoncurrentDays'",
		},
		"none newer": {
			rule(noncurrent("<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>0</NewerNoncurrentVersions>")),
			"InvalidArgument", "'NewerNoncurrentVersions'",
		},
		"101 newer": {
			rule(noncurrent("<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions>")),
			"InvalidArgument", "'NewerNoncurrentVersions'",
		},
		"newer by prefix": {
			"<Rule><Prefix/><Status>Enabled</Status>" +
				noncurrent("<NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions>") + "</Rule>",
			"InvalidRequest", "Lifecycle V2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := s.lifecycle("photos", test.rules).wantError(t, 400, test.code)
			if !strings.Contains(e.Message, test.message) {
				t.Errorf("message %q, want %q", e.Message, test.message)
			}
		})
	}
	t.Run("transitions", func(t *testing.T) {
		s.lifecycle("photos", rule("<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>")).
			wantError(t, 501, "NotImplemented")
		s.lifecycle("photos", rule(oneDay+"<NoncurrentVersionTransition><NoncurrentDays>30</NoncurrentDays>"+
			"<StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>")).wantError(t, 501, "NotImplemented")
	})
	s.get("/photos?lifecycle").wantError(t, 404, "NoSuchLifecycleConfiguration")
}

func TestExpirationHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.lifecycle("photos", "<Rule><ID>old logs</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>"+
		"<Expiration><Date>2012-12-21T00:00:00Z</Date></Expiration>"+
		"<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"+
		"<Rule><ID>red</ID><Filter><Tag><Key>colour</Key><Value>red</Value></Tag></Filter><Status>Enabled</Status>"+
		"<Expiration><Date>2013-12-21T00:00:00Z</Date></Expiration></Rule>").want(t, 200)
	logs := `expiry-date="Fri, 21 Dec 2012 00:00:00 GMT", rule-id="old%20logs"`
	red := `expiry-date="Sat, 21 Dec 2013 00:00:00 GMT", rule-id="red"`
	want := func(what string, a answer, expiration string) {
		t.Helper()
		if got := a.want(t, 200).header.Get("X-Amz-Expiration"); got != expiration {
			t.Errorf("%s: x-amz-expiration is %q, want %q", what, got, expiration)
		}
	}
	want("put", s.put("/photos/logs/1", "x"), logs)
	want("put elsewhere", s.put("/photos/other", "x"), "")
	want("get", s.get("/photos/logs/1"), logs)
	want("head", s.do(call{method: http.MethodHead, path: "/photos/logs/1"}), logs)
	want("get of a version", s.get("/photos/logs/1?versionId=null"), "")
	want("put with a tag", s.do(call{
		method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{"x-amz-tagging": "colour=red"},
	}), red)
	want("get with a tag", s.get("/photos/k"), red)
	want("copy", s.do(call{
		method: http.MethodPut, path: "/photos/logs/copy", header: map[string]string{"x-amz-copy-source": "/photos/other"},
	}), logs)

	upload := s.do(call{method: http.MethodPost, path: "/photos/logs/up?uploads"}).want(t, 200)
	date, err := http.ParseTime(upload.header.Get("X-Amz-Abort-Date"))
	if err != nil || !date.After(time.Now()) || upload.header.Get("X-Amz-Abort-Rule-Id") != "old logs" {
		t.Errorf("aborted at %s by %q, %v", date, upload.header.Get("X-Amz-Abort-Rule-Id"), err)
	}
	id := decode[struct {
		ID string `xml:"UploadId"`
	}](t, upload).ID
	parts := s.get("/photos/logs/up?uploadId="+id).want(t, 200)
	if got := parts.header.Get("X-Amz-Abort-Date"); got != upload.header.Get("X-Amz-Abort-Date") {
		t.Errorf("ListParts: aborted at %s", got)
	}
	etag := s.put("/photos/logs/up?partNumber=1&uploadId="+id, "x").header.Get("Etag")
	want("complete", s.do(call{
		method: http.MethodPost, path: "/photos/logs/up?uploadId=" + id, body: fmt.Sprintf(
			"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>", etag),
	}), logs)
}

func TestLifecyclePermissions(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	reader := s.user("reader", "readonly")
	c := withMD5(call{
		method: http.MethodPut, path: "/photos?lifecycle", as: reader,
		body: "<LifecycleConfiguration><Rule>" + everything + oneDay + "</Rule></LifecycleConfiguration>",
	})
	s.do(c).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodDelete, path: "/photos?lifecycle", as: reader}).wantError(t, 403, "AccessDenied")
}
