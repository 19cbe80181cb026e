package s3api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

func (s *server) limitOf(bucket string) quota.Limit {
	s.t.Helper()
	a, ok := s.store.Account(quota.BucketScope(bucket))
	if !ok {
		s.t.Fatalf("no account of %s", bucket)
	}
	return a.Limit
}

func (s *server) putQuota(query, contentType, body string) answer {
	s.t.Helper()
	header := map[string]string{}
	if contentType != "" {
		header["Content-Type"] = contentType
	}
	return s.do(call{method: http.MethodPut, path: "/photos?" + query, header: header, body: body})
}

// Scality's dialect, as cloudserver and its clients speak it.
func TestScalityQuota(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	asJSON := map[string]string{"Accept": "application/json"}
	get := func(header map[string]string) answer {
		return s.do(call{method: http.MethodGet, path: "/photos?quota=true", header: header})
	}
	get(nil).wantError(t, 404, "NoSuchQuota")
	get(asJSON).wantError(t, 404, "NoSuchQuota")
	s.limit("photos", quota.Limit{MaxObjects: 7})
	s.putQuota("quota=true", "application/json", `{"quota": 12321}`).want(t, 200)
	if got, want := s.limitOf("photos"), (quota.Limit{MaxBytes: 12321, MaxObjects: 7}); got != want {
		t.Errorf("limit %+v, want %+v", got, want)
	}
	if got, want := get(asJSON).want(t, 200), `{"name":"photos","quota":12321}`; got.body != want ||
		got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s, %v", got.body, got.header)
	}
	const document = "<GetBucketQuota><Name>photos</Name><Quota>12321</Quota></GetBucketQuota>"
	if got := get(nil).want(t, 200).body; !strings.HasSuffix(got, document) {
		t.Errorf("as XML: %s", got)
	}
	s.putQuota("quota=true", "application/xml",
		"<QuotaConfiguration><Quota>4503599627370496</Quota></QuotaConfiguration>").want(t, 200)
	if got := s.limitOf("photos").MaxBytes; got != 1<<52 {
		t.Errorf("limit %d", got)
	}
	// curl sends JSON as a form; Scality takes strings.
	s.putQuota("quota=true", "application/x-www-form-urlencoded", ` {"quota":"10"}`).want(t, 200)
	if got := s.limitOf("photos").MaxBytes; got != 10 {
		t.Errorf("limit %d", got)
	}
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "12345678901"}).wantError(t, 507, "QuotaExceeded")
	for range 2 {
		s.do(call{method: http.MethodDelete, path: "/photos?quota=true"}).want(t, 204)
		get(nil).wantError(t, 404, "NoSuchQuota")
	}
	if got, want := s.limitOf("photos"), (quota.Limit{MaxObjects: 7}); got != want {
		t.Errorf("limit %+v, want %+v", got, want)
	}
	s.do(call{method: http.MethodHead, path: "/photos?quota"}).want(t, 501)
	s.do(call{method: http.MethodGet, path: "/absent?quota"}).wantError(t, 404, "NoSuchBucket")
	s.do(call{method: http.MethodPut, path: "/absent?quota", body: `{"quota":1}`}).wantError(t, 404, "NoSuchBucket")
}

// Huawei OBS's dialect.
func TestOBSQuota(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	get := func() string { return s.get("/photos?quota").want(t, 200).body }
	want := func(n string) {
		t.Helper()
		document := `<Quota xmlns="http://obs.myhuaweicloud.com/doc/2015-06-30/">` +
			"<StorageQuota>" + n + "</StorageQuota></Quota>"
		if got := get(); !strings.HasSuffix(got, document) {
			t.Errorf("%s, want %s", got, document)
		}
	}
	want("0")
	const begin = `<Quota xmlns="http://obs.region.example.com/doc/2015-06-30/"> <StorageQuota>`
	const end = "</StorageQuota> </Quota>"
	for _, n := range []string{"10240000", "9223372036854775807", "0"} {
		s.putQuota("quota", "", begin+n+end).want(t, 200)
		want(n)
	}
	s.putQuota("quota=", "text/xml; charset=utf-8", `<?xml version="1.0"?>`+begin+" 5\n"+end).want(t, 200)
	want("5")

	info := func() string { return s.get("/photos?storageinfo").want(t, 200).body }
	s.put("/photos/k", "123")
	s.versioning("photos", "Enabled")
	s.put("/photos/k", "45")
	const wantInfo = `<GetBucketStorageInfoResult xmlns="http://obs.myhuaweicloud.com/doc/2015-06-30/">` +
		"<Size>5</Size><ObjectNumber>2</ObjectNumber></GetBucketStorageInfoResult>"
	if got := info(); !strings.HasSuffix(got, wantInfo) {
		t.Errorf("storageinfo: %s", got)
	}
}

// What cannot be a limit is refused, and the limit stays.
func TestBucketQuotaRefusals(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	before := quota.Limit{MaxBytes: 1000, MaxObjects: 7}
	s.limit("photos", before)
	const jsonType, xmlType, figure = "application/json", "application/xml", "<StorageQuota>1</StorageQuota>"
	for _, test := range []struct{ name, contentType, body, code string }{
		{"nothing", jsonType, "", "MissingRequestBodyError"},
		{"blanks", "", " \n", "MissingRequestBodyError"},
		{"negative", jsonType, `{"quota":-1}`, "InvalidArgument"},
		{"none", jsonType, `{"quota":0}`, "InvalidArgument"},
		{"too large", jsonType, `{"quota":9223372036854775808}`, "InvalidArgument"},
		{"a fraction", jsonType, `{"quota":1.5}`, "InvalidArgument"},
		{"an exponent", jsonType, `{"quota":1e3}`, "InvalidArgument"},
		{"a unit", jsonType, `{"quota":"10GiB"}`, "InvalidArgument"},
		{"a list", jsonType, `{"quota":[1]}`, "InvalidArgument"},
		{"null", jsonType, `{"quota":null}`, "InvalidArgument"},
		{"another field", jsonType, `{"limit":1}`, "InvalidArgument"},
		{"no object", jsonType, `5`, "InvalidArgument"},
		{"null for the object", jsonType, `null`, "InvalidArgument"},
		{"two objects", jsonType, `{"quota":1}{"quota":2}`, "InvalidArgument"},
		{"XML as JSON", jsonType, `<Quota><StorageQuota>1</StorageQuota></Quota>`, "InvalidArgument"},
		{"JSON as XML", xmlType, `{"quota":1}`, "MalformedXML"},
		{"no figure", xmlType, `<Quota></Quota>`, "MalformedXML"},
		{"two figures", xmlType, `<Quota>` + figure + figure + `</Quota>`, "MalformedXML"},
		{"another document", xmlType, `<Limit><StorageQuota>1</StorageQuota></Limit>`, "MalformedXML"},
		{"not closed", xmlType, `<Quota><StorageQuota>1</StorageQuota>`, "MalformedXML"},
		{"a document type", "", `<!DOCTYPE Quota [<!ENTITY n "1">]><Quota>` + figure + `</Quota>`, "MalformedXML"},
		{"negative in XML", "", `<Quota><StorageQuota>-1</StorageQuota></Quota>`, "InvalidArgument"},
		{"empty in XML", "", `<Quota><StorageQuota></StorageQuota></Quota>`, "InvalidArgument"},
		{"too large in XML", "", `<Quota><StorageQuota>9223372036854775808</StorageQuota></Quota>`, "InvalidArgument"},
		{"none in Scality's XML", "", `<QuotaConfiguration><Quota>0</Quota></QuotaConfiguration>`, "InvalidArgument"},
		{"no figure in Scality's XML", "", `<QuotaConfiguration></QuotaConfiguration>`, "MalformedXML"},
		{"a long body", jsonType, `{"quota":1` + strings.Repeat(" ", 64<<10) + `}`, "MaxMessageLengthExceeded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.putQuota("quota", test.contentType, test.body).wantError(t, 400, test.code)
			if got := s.limitOf("photos"); got != before {
				t.Errorf("the limit is %+v now", got)
			}
		})
	}
	t.Run("another body than was signed", func(t *testing.T) {
		s.do(call{
			method: http.MethodPut, path: "/photos?quota", body: `{"quota":1}`, payload: strings.Repeat("0", 64),
		}).wantError(t, 400, "XAmzContentSHA256Mismatch")
		if got := s.limitOf("photos"); got != before {
			t.Errorf("the limit is %+v now", got)
		}
	})
}

// Limits are the administrators'; the owner may read them, and others may not, whatever policies of the bucket say.
func TestBucketQuotaPermissions(t *testing.T) {
	s := newServer(t)
	owner, boss := s.user("owner", "readwrite"), s.user("boss", "consoleAdmin")
	other := s.user("other", "readwrite")
	s.do(call{method: http.MethodPut, path: "/photos", as: owner}).want(t, 200)
	s.policy("photos", statement("Allow", `"*"`, "s3:*", "arn:aws:s3:::photos", ""))
	read := []string{"/photos?quota", "/photos?storageinfo"}
	for _, path := range read {
		s.do(call{method: http.MethodGet, path: path, as: owner}).want(t, 200)
		s.do(call{method: http.MethodGet, path: path, as: boss}).want(t, 200)
		s.do(call{method: http.MethodGet, path: path, as: other}).wantError(t, 403, "AccessDenied")
		s.do(call{method: http.MethodGet, path: path, anonymous: true}).wantError(t, 403, "AccessDenied")
	}
	write := func(method string, c call) answer {
		c.method, c.path, c.body = method, "/photos?quota", `{"quota":5}`
		return s.do(c)
	}
	write(http.MethodPut, call{as: boss}).want(t, 200)
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		write(method, call{as: owner}).wantError(t, 403, "AccessDenied")
		write(method, call{as: other}).wantError(t, 403, "AccessDenied")
		write(method, call{anonymous: true}).wantError(t, 403, "AccessDenied")
		link, err := http.NewRequest(method, s.url+"/photos?quota", strings.NewReader(`{"quota":7}`))
		if err != nil {
			t.Fatal(err)
		}
		sigv4.Presign(link, testAccessKey, testSecretKey, testRegion, time.Hour, time.Now())
		presigned, err := s.client.Do(link)
		if err != nil {
			t.Fatal(err)
		}
		presigned.Body.Close()
		if presigned.StatusCode != 403 {
			t.Errorf("%s by a presigned URL: %d", method, presigned.StatusCode)
		}
	}
	if got := s.limitOf("photos").MaxBytes; got != 5 {
		t.Errorf("the limit is %d now", got)
	}
	write(http.MethodDelete, call{as: boss}).want(t, 204)
}

// A session is held to its policies here, too, whoever's it is.
func TestBucketQuotaInASession(t *testing.T) {
	s := newServer(t)
	owner, root := s.user("owner", "readwrite"), &user{iam.RootName, testAccessKey, testSecretKey}
	s.do(call{method: http.MethodPut, path: "/photos", as: owner}).want(t, 200)
	const get, put = http.MethodGet, http.MethodPut
	for _, test := range []struct {
		name, method string
		who          *user
		role         string
		status       int
	}{
		{"the owner's own", get, owner, "", 200},
		{"the owner's, of objects only", get, owner, "readonly", 403},
		{"the owner's, of everything of S3", get, owner, "readwrite", 200},
		{"the owner's as an administrator", put, owner, "consoleAdmin", 403},
		{"root's own", put, root, "", 200},
		{"root's, of S3 only", put, root, "readwrite", 403},
		{"root's as an administrator", put, root, "consoleAdmin", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := iam.NewSession{Role: test.role}
			if test.role != "" {
				in.Name = "x1"
			}
			c := call{method: test.method, path: "/photos?quota"}
			if test.method == put {
				c.body = `{"quota":5}`
			}
			s.session(test.who, in)(c).want(t, test.status)
		})
	}
}

// Changes of one figure do not undo those of the other, whoever makes them.
func TestBucketQuotaKeepsTheOtherFigure(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			s.putQuota("quota", "", `{"quota":5}`)
		}
	})
	var last int64
	wg.Go(func() {
		for n := range int64(50) {
			lock := s.store.LimitLock()
			lock.Lock()
			a, _ := s.store.Account(quota.BucketScope("photos"))
			if a.Limit.MaxObjects != last {
				t.Errorf("the limit of objects is %d, and was set to %d", a.Limit.MaxObjects, last)
			}
			last = n + 1
			a.Limit.MaxObjects = last
			if err := s.store.SetLimit(t.Context(), a.Scope, a.Limit); err != nil {
				t.Error(err)
			}
			lock.Unlock()
		}
	})
	wg.Wait()
	if got, want := s.limitOf("photos"), (quota.Limit{MaxBytes: 5, MaxObjects: 50}); got != want {
		t.Errorf("limit %+v, want %+v", got, want)
	}
}
