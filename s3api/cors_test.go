package s3api_test

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

const testCORS = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
	<CORSRule>
		<ID>app</ID>
		<AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedOrigin>https://example.com</AllowedOrigin>
		<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
		<AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>
		<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-version-id</ExposeHeader>
		<MaxAgeSeconds>3000</MaxAgeSeconds>
	</CORSRule>
	<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule>
</CORSConfiguration>`

func (s *server) putCORS(bucket, document string) answer {
	s.t.Helper()
	sum := md5.Sum([]byte(document))
	return s.do(call{method: http.MethodPut, path: "/" + bucket + "?cors", body: document, header: map[string]string{
		"Content-MD5": base64.StdEncoding.EncodeToString(sum[:]),
	}})
}

func TestBucketCORS(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.get("/photos?cors").wantError(t, 404, "NoSuchCORSConfiguration")
	s.do(call{method: http.MethodPut, path: "/photos?cors", body: testCORS}).wantError(t, 400, "InvalidRequest")
	s.putCORS("photos", testCORS).want(t, 200)
	got := s.get("/photos?cors").want(t, 200).body
	for _, want := range []string{
		"<ID>app</ID>", "<AllowedOrigin>https://*.example.com</AllowedOrigin>", "<AllowedMethod>PUT</AllowedMethod>",
		"<AllowedHeader>x-amz-*</AllowedHeader>", "<ExposeHeader>ETag</ExposeHeader>", "<MaxAgeSeconds>3000</MaxAgeSeconds>",
		"<CORSRule><AllowedMethod>HEAD</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	if again := s.putCORS("photos", got); again.status != 200 || s.get("/photos?cors").body != got {
		t.Errorf("what was got cannot be put: %s", again.body)
	}
	s.do(call{method: http.MethodDelete, path: "/photos?cors"}).want(t, 204)
	s.get("/photos?cors").wantError(t, 404, "NoSuchCORSConfiguration")
	s.do(call{method: http.MethodDelete, path: "/photos?cors"}).want(t, 204)
	s.get("/absent?cors").wantError(t, 404, "NoSuchBucket")
	s.do(call{method: http.MethodGet, path: "/photos?cors", as: s.user("nobody")}).wantError(t, 403, "AccessDenied")
}

func TestBucketCORSRefusals(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.putCORS("photos", testCORS).want(t, 200)
	const origin, method = "<AllowedOrigin>*</AllowedOrigin>", "<AllowedMethod>GET</AllowedMethod>"
	for _, test := range []struct {
		name, rule, code, message string
	}{
		{
			"method", origin + "<AllowedMethod>PATCH</AllowedMethod>", "InvalidRequest",
			"Found unsupported HTTP method in CORS config. Unsupported method is PATCH",
		},
		{
			"origin", "<AllowedOrigin>http://*.*</AllowedOrigin>" + method, "InvalidRequest",
			`AllowedOrigin "http://*.*" can not have more than one wildcard.`,
		},
		{
			"header", origin + method + "<AllowedHeader>*-*</AllowedHeader>", "InvalidRequest",
			`AllowedHeader "*-*" can not have more than one wildcard.`,
		},
		{
			"exposes all", origin + method + "<ExposeHeader>*</ExposeHeader>", "InvalidRequest",
			`ExposeHeader "*" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
		},
		{"no origin", method, "MalformedXML", ""},
		{"no method", origin, "MalformedXML", ""},
		{"age", origin + method + "<MaxAgeSeconds>soon</MaxAgeSeconds>", "MalformedXML", ""},
		{"long id", origin + method + "<ID>" + strings.Repeat("x", 256) + "</ID>", "InvalidArgument", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			document := "<CORSConfiguration><CORSRule>" + test.rule + "</CORSRule></CORSConfiguration>"
			e := s.putCORS("photos", document).wantError(t, 400, test.code)
			if test.message != "" && e.Message != test.message {
				t.Errorf("message %q", e.Message)
			}
		})
	}
	s.putCORS("photos", "<CORSConfiguration></CORSConfiguration>").wantError(t, 400, "MalformedXML")
	// The form of the body is looked at before what is missing of its checksums.
	s.do(call{
		method: http.MethodPut, path: "/photos?cors", body: "5\r\nabcde\r\n0\r\n\r\n", payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		header: map[string]string{"x-amz-decoded-content-length": "5"},
	}).wantMessage(t, 400, "InvalidRequest", "The value of x-amz-content-sha256 header is invalid.")
	s.putCORS("photos", "<CORSConfiguration>").wantError(t, 400, "MalformedXML")
	rule := "<CORSRule>" + origin + method + "</CORSRule>"
	s.putCORS("photos", "<CORSConfiguration>"+strings.Repeat(rule, 101)+"</CORSConfiguration>").
		wantError(t, 400, "InvalidRequest")
	if got := s.get("/photos?cors").body; !strings.Contains(got, "<ID>app</ID>") {
		t.Errorf("a refused configuration replaced the old one: %s", got)
	}
	s.putCORS("photos", "<CORSConfiguration>"+strings.Repeat(rule, 100)+"</CORSConfiguration>").want(t, 200)
}

func TestPreflight(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.bucket("closed")
	s.putCORS("photos", testCORS).want(t, 200)
	preflight := func(path string, header map[string]string) answer {
		return s.do(call{method: http.MethodOptions, path: path, anonymous: true, header: header})
	}
	for _, test := range []struct {
		name, path, origin, method, headers string
		status                              int
		code, message                       string
	}{
		{"allowed", "/photos/k", "https://app.example.com", "PUT", "X-Amz-Date, content-type,", 200, "", ""},
		{"of a bucket", "/photos", "https://example.com", "GET", "", 200, "", ""},
		{"anyone", "/photos/k", "null", "HEAD", "", 200, "", ""},
		{"other origin", "/photos/k", "https://example.org", "PUT", "", 403, "AccessForbidden", "is not allowed"},
		{"other method", "/photos/k", "https://example.com", "DELETE", "", 403, "AccessForbidden", "is not allowed"},
		{"other header", "/photos/k", "https://example.com", "PUT", "x-other", 403, "AccessForbidden", "is not allowed"},
		{"no rules", "/closed/k", "https://example.com", "PUT", "", 403, "AccessForbidden", "CORS is not enabled for this bucket."},
		{"no bucket named", "/", "https://example.com", "GET", "", 403, "AccessForbidden", "CORS is not enabled"},
		{"no such bucket", "/absent/k", "https://example.com", "GET", "", 404, "NoSuchBucket", ""},
		{"no origin", "/photos/k", "", "PUT", "", 400, "BadRequest", "Insufficient information. Origin request header needed."},
		{"no method", "/photos/k", "https://example.com", "", "", 400, "BadRequest", "Invalid Access-Control-Request-Method: null"},
		{"a header that is none", "/photos/k", "https://example.com", "PUT", "date, a/b", 400, "BadRequest", `" a/b"`},
		{"of no rules either", "/closed/k", "https://example.com", "PUT", "a b", 400, "BadRequest", `"a b"`},
		{"odd method", "/photos/k", "https://example.com", "PATCH", "", 400, "BadRequest", "Invalid Access-Control-Request-Method: PATCH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{}
			for name, value := range map[string]string{
				"Origin": test.origin, "Access-Control-Request-Method": test.method, "Access-Control-Request-Headers": test.headers,
			} {
				if value != "" {
					header[name] = value
				}
			}
			a := preflight(test.path, header)
			if test.status == 200 {
				if a.want(t, 200).body != "" || a.header.Get("Access-Control-Allow-Origin") == "" {
					t.Errorf("%q, %v", a.body, a.header)
				}
				return
			}
			if e := a.wantError(t, test.status, test.code); !strings.Contains(e.Message, test.message) {
				t.Errorf("message %q", e.Message)
			}
			wantNoCORS(t, a)
		})
	}
	a := preflight("/photos/k", map[string]string{
		"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT",
		"Access-Control-Request-Headers": "X-Amz-Date,content-type",
	}).want(t, 200)
	wantHeaders(t, a, map[string]string{
		"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Methods": "GET, PUT",
		"Access-Control-Allow-Headers": "x-amz-date, content-type", "Access-Control-Max-Age": "3000",
		"Access-Control-Expose-Headers": "ETag, x-amz-version-id", "Access-Control-Allow-Credentials": "true",
		"Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
	})
}

func TestCORSOfAnswers(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "hello")
	s.putCORS("photos", testCORS).want(t, 200)
	allowed := map[string]string{
		"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Methods": "GET, PUT",
		"Access-Control-Max-Age": "3000", "Access-Control-Expose-Headers": "ETag, x-amz-version-id",
		"Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Headers": "",
		"Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
	}
	origin := map[string]string{"Origin": "https://app.example.com"}
	for _, test := range []struct {
		name   string
		call   call
		status int
		want   map[string]string
	}{
		{"get", call{method: "GET", path: "/photos/k", header: origin}, 200, allowed},
		{"put through gofakes3", call{method: "PUT", path: "/photos/k", body: "x", header: origin}, 200, allowed},
		{"list", call{method: "GET", path: "/photos", header: origin}, 200, allowed},
		{"not found", call{method: "GET", path: "/photos/absent", header: origin}, 404, allowed},
		{"forbidden", call{method: "GET", path: "/photos/k", header: origin, anonymous: true}, 403, allowed},
		{"not signed well", call{method: "GET", path: "/photos/k", header: origin, edit: func(r *http.Request) {
			r.Header.Set("X-Amz-Meta-Late", "1")
		}}, 403, allowed},
		{
			"anyone",
			call{method: "HEAD", path: "/photos/k", header: map[string]string{"Origin": "https://example.org"}},
			200,
			map[string]string{
				"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "", "Access-Control-Max-Age": "",
			},
		},
		// What a preflight would ask for counts in other requests, too.
		{"asked method", call{method: "DELETE", path: "/photos/absent", header: map[string]string{
			"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT",
		}}, 204, allowed},
		{"other asked method", call{method: "GET", path: "/photos/k", header: map[string]string{
			"Origin": "https://app.example.com", "Access-Control-Request-Method": "DELETE",
		}}, 200, nil},
		{"other method", call{method: "DELETE", path: "/photos/k", header: origin}, 204, nil},
		{"other origin", call{method: "GET", path: "/photos", header: map[string]string{"Origin": "https://example.org"}}, 200, nil},
		{"no origin", call{method: "GET", path: "/photos"}, 200, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.do(test.call).want(t, test.status)
			if test.want == nil {
				wantNoCORS(t, a)
			}
			wantHeaders(t, a, test.want)
		})
	}
}

func wantHeaders(t *testing.T, a answer, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := strings.Join(a.header.Values(name), "|"); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func wantNoCORS(t *testing.T, a answer) {
	t.Helper()
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
}
