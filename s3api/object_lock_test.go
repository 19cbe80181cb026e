package s3api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// lockedBucket makes a bucket whose objects can be locked.
func (s *server) lockedBucket(name string) {
	s.t.Helper()
	s.do(call{
		method: http.MethodPut, path: "/" + name, header: map[string]string{"x-amz-bucket-object-lock-enabled": "true"},
	}).want(s.t, 200)
}

func tomorrow() string { return time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339) }

func TestRetention(t *testing.T) {
	for mode, bypassed := range map[string]int{"GOVERNANCE": 204, "COMPLIANCE": 403} {
		t.Run(mode, func(t *testing.T) {
			s := newServer(t)
			s.lockedBucket("photos")
			version := s.do(call{method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{
				"x-amz-object-lock-mode": mode, "x-amz-object-lock-retain-until-date": tomorrow(),
			}}).want(t, 200).header.Get("X-Amz-Version-Id")
			if got := s.get("/photos/k").want(t, 200).header; got.Get("X-Amz-Object-Lock-Mode") != mode ||
				got.Get("X-Amz-Object-Lock-Retain-Until-Date") == "" {
				t.Errorf("a locked object answers %v", got)
			}
			path := "/photos/k?versionId=" + version
			s.do(call{method: http.MethodDelete, path: path}).wantError(t, 403, "AccessDenied")
			shorter := "<Retention><Mode>" + mode + "</Mode><RetainUntilDate>" +
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + "</RetainUntilDate></Retention>"
			s.do(call{method: http.MethodPut, path: "/photos/k?retention", body: shorter}).wantError(t, 403, "AccessDenied")
			s.do(call{method: http.MethodDelete, path: "/photos/k"}).want(t, 204) // a delete marker removes nothing
			// Who may not bypass is told that the object is locked.
			if _, err := s.users.PutPolicy(t.Context(), "deletes",
				statement("Allow", "", "s3:DeleteObjectVersion", "arn:aws:s3:::photos/*", "")); err != nil {
				t.Fatal(err)
			}
			limited := s.user("limited", "deletes")
			bypass := map[string]string{"x-amz-bypass-governance-retention": "true"}
			s.do(call{method: http.MethodDelete, path: path, header: bypass, as: limited}).wantError(t, 403, "AccessDenied")
			if got := s.do(call{method: http.MethodDelete, path: path, header: bypass}); got.status != bypassed {
				t.Errorf("with a bypass: %d %s", got.status, got.body)
			}
		})
	}
}

func TestLegalHold(t *testing.T) {
	s := newServer(t)
	s.lockedBucket("photos")
	version := s.put("/photos/k", "x").header.Get("X-Amz-Version-Id")
	s.get("/photos/k?legal-hold").wantError(t, 404, "NoSuchObjectLockConfiguration")
	s.do(call{method: http.MethodPut, path: "/photos/k?legal-hold"}).wantError(t, 400, "MalformedXML")
	// Half a retention is refused by the name of the other half.
	for given, missing := range map[string]string{
		"x-amz-object-lock-mode": "x-amz-object-lock-retain-until-date", "x-amz-object-lock-retain-until-date": "x-amz-object-lock-mode",
	} {
		half := s.do(call{method: http.MethodPost, path: "/photos/k?uploads", header: map[string]string{given: tomorrow()}})
		half.wantMessage(t, 400, "InvalidArgument",
			"x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied.")
		if !strings.Contains(half.body, "<ArgumentName>"+missing+"</ArgumentName>") {
			t.Errorf("%s alone: %s", given, half.body)
		}
	}
	hold := func(status string) {
		t.Helper()
		s.do(call{
			method: http.MethodPut, path: "/photos/k?legal-hold", body: "<LegalHold><Status>" + status + "</Status></LegalHold>",
		}).want(t, 200)
	}
	hold("ON")
	if got := s.get("/photos/k").want(t, 200).header.Get("X-Amz-Object-Lock-Legal-Hold"); got != "ON" {
		t.Errorf("the hold is told as %q", got)
	}
	remove := call{
		method: http.MethodDelete, path: "/photos/k?versionId=" + version,
		header: map[string]string{"x-amz-bypass-governance-retention": "true"},
	}
	s.do(remove).wantError(t, 403, "AccessDenied")
	hold("OFF")
	s.do(remove).want(t, 204)
}

func TestDefaultRetention(t *testing.T) {
	s := newServer(t)
	s.bucket("plain")
	s.get("/plain?object-lock").wantError(t, 404, "ObjectLockConfigurationNotFoundError")
	configuration := func(rule string) string {
		return "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" + rule + "</ObjectLockConfiguration>"
	}
	rule := func(retention string) string {
		return configuration("<Rule><DefaultRetention>" + retention + "</DefaultRetention></Rule>")
	}
	s.do(call{method: http.MethodPut, path: "/plain?object-lock", body: configuration("")}).wantError(t, 409, "InvalidBucketState")
	s.versioning("plain", "Enabled")
	s.do(call{method: http.MethodPut, path: "/plain?object-lock", body: configuration("")}).want(t, 200)
	s.do(call{
		method: http.MethodPut, path: "/plain?versioning",
		body: "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
	}).wantError(t, 409, "InvalidBucketState")
	for name, wrong := range map[string]string{
		"both":     "<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>",
		"no count": "<Mode>GOVERNANCE</Mode><Days>many</Days>",
		"neither":  "<Mode>GOVERNANCE</Mode>",
		"no mode":  "<Days>1</Days>",
		"bad mode": "<Mode>STRICT</Mode><Days>1</Days>",
	} {
		t.Run(name, func(t *testing.T) {
			s.do(call{method: http.MethodPut, path: "/plain?object-lock", body: rule(wrong)}).wantError(t, 400, "MalformedXML")
		})
	}
	for name, argument := range map[string]string{
		"<Days>0</Days>":          "Days",
		"<Days>-1</Days>":         "Days",
		"<Days>36501</Days>":      "Days",
		"<Years>0</Years>":        "Years",
		"<Years>-1</Years>":       "Years",
		"<Years>101</Years>":      "Years",
		"<Years>99999999</Years>": "Years",
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(call{method: http.MethodPut, path: "/plain?object-lock", body: rule("<Mode>GOVERNANCE</Mode>" + name)})
			a.wantError(t, 400, "InvalidArgument")
			if !strings.Contains(a.body, "<ArgumentName>"+argument+"</ArgumentName>") {
				t.Errorf("the argument is not named: %s", a.body)
			}
		})
	}
	s.do(call{method: http.MethodPut, path: "/plain?object-lock", body: rule("<Mode>GOVERNANCE</Mode><Days>1</Days>")}).want(t, 200)
	if body := s.get("/plain?object-lock").want(t, 200).body; !strings.Contains(body, "<Days>1</Days>") {
		t.Errorf("the configuration: %s", body)
	}
	s.put("/plain/k", "x")
	if got := s.get("/plain/k").want(t, 200).header.Get("X-Amz-Object-Lock-Mode"); got != "GOVERNANCE" {
		t.Errorf("an object without a retention of its own has %q", got)
	}
	s.bucket("other")
	s.do(call{method: http.MethodPut, path: "/other/k", body: "x", header: map[string]string{
		"x-amz-object-lock-legal-hold": "ON",
	}}).wantError(t, 400, "InvalidRequest")
}

func TestObjectACL(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.setOwnership("photos", "ObjectWriter").want(t, 200)
	anonymous := call{method: http.MethodGet, path: "/photos/k", anonymous: true}
	s.put("/photos/k", "x")
	s.do(anonymous).wantError(t, 403, "AccessDenied")
	acl := func(canned string) {
		t.Helper()
		s.do(call{method: http.MethodPut, path: "/photos/k?acl", header: map[string]string{"x-amz-acl": canned}}).want(t, 200)
	}
	acl("public-read")
	s.do(anonymous).want(t, 200)
	if body := s.get("/photos/k?acl").want(t, 200).body; !strings.Contains(body, "AllUsers") {
		t.Errorf("the list: %s", body)
	}
	acl("authenticated-read")
	s.do(anonymous).wantError(t, 403, "AccessDenied")
	s.do(call{method: http.MethodGet, path: "/photos/k", as: s.user("alice")}).want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "y", header: map[string]string{"x-amz-acl": "public-read"}}).want(t, 200)
	s.do(anonymous).want(t, 200)
	s.do(call{
		method: http.MethodPut, path: "/photos?publicAccessBlock",
		body: "<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls></PublicAccessBlockConfiguration>",
	}).want(t, 200)
	s.do(anonymous).wantError(t, 403, "AccessDenied")
	s.setOwnership("photos", "BucketOwnerEnforced").want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "y", header: map[string]string{"x-amz-acl": "public-read"}}).
		wantError(t, 400, "AccessControlListNotSupported")
}
