package s3api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/iam"
)

// What the server does not do for a bucket reads as never configured, may be left so, and cannot be asked for.
func TestBucketFeatures(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, test := range []struct {
		name, unset string // what a GET answers: a document, or the code of a 404
		nothing     string // a document that asks for nothing; S3 has none where it is empty
		something   string
	}{
		{
			"logging", "<BucketLoggingStatus></BucketLoggingStatus>", "<BucketLoggingStatus/>",
			"<BucketLoggingStatus><LoggingEnabled><TargetBucket>b</TargetBucket></LoggingEnabled></BucketLoggingStatus>",
		},
		{
			"notification", "<NotificationConfiguration></NotificationConfiguration>", "<NotificationConfiguration/>",
			"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
		},
		{
			"requestPayment", "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
			"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
			"<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
		},
		{
			"accelerate", "<AccelerateConfiguration></AccelerateConfiguration>",
			"<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
			"<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
		},
		{"replication", "ReplicationConfigurationNotFoundError", "", "<ReplicationConfiguration/>"},
		{
			"analytics", "<ListBucketAnalyticsConfigurationResult><IsTruncated>false</IsTruncated>" +
				"</ListBucketAnalyticsConfigurationResult>", "", "<AnalyticsConfiguration/>",
		},
		{"analytics&id=a", "NoSuchConfiguration", "", "<AnalyticsConfiguration/>"},
		{"inventory&id=a", "NoSuchConfiguration", "", "<InventoryConfiguration/>"},
		{"metrics&id=a", "NoSuchConfiguration", "", "<MetricsConfiguration/>"},
		{"intelligent-tiering&id=a", "NoSuchConfiguration", "", "<IntelligentTieringConfiguration/>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := "/photos?" + test.name
			if got := s.get(path); strings.HasPrefix(test.unset, "<") {
				body := strings.Replace(got.want(t, 200).body, ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`, "", 1)
				if !strings.HasSuffix(body, test.unset) {
					t.Errorf("never set: %s", body)
				}
			} else {
				got.wantError(t, 404, test.unset)
			}
			if test.nothing != "" {
				s.do(call{method: http.MethodPut, path: path, body: test.nothing}).want(t, 200)
			}
			s.do(call{method: http.MethodPut, path: path, body: test.something}).wantError(t, 501, "NotImplemented")
		})
	}
	if body := s.get("/photos?accelerate").body; !strings.Contains(body, "<Status>Suspended</Status>") {
		t.Errorf("acceleration was suspended: %s", body)
	}
	for _, name := range []string{"requestPayment", "accelerate"} {
		s.do(call{method: http.MethodPut, path: "/photos?" + name, body: "<Other/>"}).wantError(t, 400, "MalformedXML")
	}
	s.do(call{method: http.MethodDelete, path: "/photos?replication"}).want(t, 204)
	s.do(call{method: http.MethodDelete, path: "/photos?metrics&id=a"}).wantError(t, 404, "NoSuchConfiguration")
	s.get("/missing?logging").wantError(t, 404, "NoSuchBucket")
}

func TestWebsite(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.get("/photos?website").wantError(t, 404, "NoSuchWebsiteConfiguration")
	put := func(inside string) answer {
		return s.do(call{
			method: http.MethodPut, path: "/photos?website", body: "<WebsiteConfiguration>" + inside + "</WebsiteConfiguration>",
		})
	}
	index := "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"
	rules := func(inside string) string {
		return index + "<RoutingRules><RoutingRule>" + inside + "</RoutingRule></RoutingRules>"
	}
	to := "<Redirect><HostName>example.com</HostName></Redirect>"
	onError := func(status string) string {
		return rules("<Condition><HttpErrorCodeReturnedEquals>" + status + "</HttpErrorCodeReturnedEquals></Condition>" + to)
	}
	tooMany := index + "<RoutingRules>" + strings.Repeat("<RoutingRule>"+to+"</RoutingRule>", 51) + "</RoutingRules>"
	for name, inside := range map[string]string{
		"index": index, "error": "<ErrorDocument><Key>e.html</Key></ErrorDocument>" + index,
		"redirect": "<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>",
		"rule":     onError("404"),
	} {
		t.Run(name, func(t *testing.T) {
			put(inside).want(t, 200)
			if got := s.get("/photos?website").want(t, 200).body; got != "<WebsiteConfiguration>"+inside+"</WebsiteConfiguration>" {
				t.Errorf("got %s", got)
			}
		})
	}
	s.do(call{method: http.MethodDelete, path: "/photos?website"}).want(t, 204)
	s.get("/photos?website").wantError(t, 404, "NoSuchWebsiteConfiguration")
	for name, test := range map[string]struct{ inside, code string }{
		"nothing":            {"", "InvalidArgument"},
		"empty suffix":       {"<IndexDocument><Suffix></Suffix></IndexDocument>", "InvalidArgument"},
		"suffix with slash":  {"<IndexDocument><Suffix>/i</Suffix></IndexDocument>", "InvalidArgument"},
		"empty error key":    {index + "<ErrorDocument><Key></Key></ErrorDocument>", "InvalidArgument"},
		"index and redirect": {index + "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>", "MalformedXML"},
		"redirect by ftp": {
			"<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>", "InvalidRequest",
		},
		"rule by ftp":     {rules("<Redirect><Protocol>ftp</Protocol></Redirect>"), "InvalidRequest"},
		"empty condition": {rules("<Condition></Condition>" + to), "MalformedXML"},
		"empty redirect":  {rules("<Redirect></Redirect>"), "MalformedXML"},
		"no redirect":     {rules(""), "MalformedXML"},
		"key and prefix": {
			rules("<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>"), "InvalidRequest",
		},
		"redirect 300":   {rules("<Redirect><HttpRedirectCode>300</HttpRedirectCode></Redirect>"), "InvalidRequest"},
		"redirect 306":   {rules("<Redirect><HttpRedirectCode>306</HttpRedirectCode></Redirect>"), "InvalidRequest"},
		"redirect 3xx":   {rules("<Redirect><HttpRedirectCode>3xx</HttpRedirectCode></Redirect>"), "MalformedXML"},
		"error 399":      {onError("399"), "InvalidRequest"},
		"error 418":      {onError("418"), "InvalidRequest"},
		"error 506":      {onError("506"), "InvalidRequest"},
		"51 rules":       {tooMany, "InvalidRequest"},
		"too large":      {index + strings.Repeat(" ", 128<<10), "MaxMessageLengthExceeded"},
		"two documents":  {index + "</WebsiteConfiguration><WebsiteConfiguration>", "MalformedXML"},
		"not closed":     {index + "</WebsiteConfiguration><a>", "MalformedXML"},
		"text behind it": {index + "</WebsiteConfiguration>x<!--", "MalformedXML"},
	} {
		t.Run(name, func(t *testing.T) { put(test.inside).wantError(t, 400, test.code) })
	}
}

func TestExpectedBucketOwner(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	with := func(method, path, name, owner string) answer {
		return s.do(call{method: method, path: path, header: map[string]string{
			name: owner, "x-amz-copy-source": map[bool]string{true: "/photos/k"}[method == http.MethodPut],
		}})
	}
	const own, source = "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"
	with(http.MethodGet, "/photos/k", own, iam.AccountID).want(t, 200)
	with(http.MethodGet, "/photos/k", own, "123456789012").wantError(t, 403, "AccessDenied")
	with(http.MethodDelete, "/photos/k", own, "somebody").wantError(t, 403, "AccessDenied")
	with(http.MethodPut, "/photos/l", source, "123456789012").wantError(t, 403, "AccessDenied")
	with(http.MethodPut, "/photos/l", source, "somebody").wantError(t, 403, "AccessDenied")
	with(http.MethodPut, "/photos/l", source, iam.AccountID).want(t, 200)
	s.get("/photos/k").want(t, 200)
	// Whatever names the owner of that very bucket is one, and nothing else.
	alice := s.user("alice", "readwrite")
	s.do(call{method: http.MethodPut, path: "/hers", as: alice}).want(t, 200)
	for bucket, names := range map[string][]string{
		"photos": {iam.RootName, iam.CanonicalID(iam.RootName), testAccessKey},
		"hers":   {"alice", iam.CanonicalID("alice"), alice.key},
	} {
		for _, name := range names {
			for _, other := range []string{"photos", "hers"} {
				a := with(http.MethodHead, "/"+other, own, name)
				if want := map[bool]int{true: 200, false: 403}[bucket == other]; a.status != want {
					t.Errorf("%s as the owner of %s: %d, want %d", name, other, a.status, want)
				}
			}
		}
	}
	// Of a copy, each header is for its own bucket.
	s.do(call{method: http.MethodPut, path: "/hers/k", header: map[string]string{
		"x-amz-copy-source": "/photos/k", own: "alice", source: iam.RootName,
	}}).want(t, 200)
	s.do(call{method: http.MethodPut, path: "/hers/k", header: map[string]string{
		"x-amz-copy-source": "/photos/k", own: "alice", source: "alice",
	}}).wantError(t, 403, "AccessDenied")
}

func TestRestoreObject(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	s.do(call{
		method: http.MethodPut, path: "/photos/cold", body: "x", header: map[string]string{"x-amz-storage-class": "GLACIER"},
	}).want(t, 200)
	restore := func(key string) answer {
		return s.do(call{
			method: http.MethodPost, path: "/photos/" + key + "?restore", body: "<RestoreRequest><Days>1</Days></RestoreRequest>",
		})
	}
	restore("k").wantError(t, 403, "InvalidObjectState")
	restore("missing").wantError(t, 404, "NoSuchKey")
	restore("cold").wantError(t, 501, "NotImplemented")
}

// Headers of an answer are chosen by those who sign for it.
func TestResponseOverrides(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "x")
	s.policy("photos", statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::photos/*", ""))
	s.do(call{method: http.MethodGet, path: "/photos/k", anonymous: true}).want(t, 200)
	s.do(call{method: http.MethodGet, path: "/photos/k?response-content-type=text/html", anonymous: true}).
		wantError(t, 400, "InvalidRequest")
	s.do(call{method: http.MethodHead, path: "/photos/k?response-expires=0", anonymous: true}).want(t, 400)
	if got := s.get("/photos/k?response-content-type=text/html").want(t, 200).header.Get("Content-Type"); got != "text/html" {
		t.Errorf("Content-Type %q", got)
	}
}
