package s3api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv2"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// version2 signs a request with Signature Version 2, in its header.
func version2(toSign, resource string) func(*http.Request) {
	return func(r *http.Request) {
		date := time.Now().UTC().Format(http.TimeFormat)
		r.Header.Set("Date", date)
		r.Header.Set("Authorization", "AWS "+testAccessKey+":"+sigv2.Sign(testSecretKey, fmt.Sprintf(toSign, date)+resource))
	}
}

// boto3 signs URLs and forms with version 2 unless it is told otherwise, and moves headers into the URL.
func TestSignatureVersion2(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	put := call{
		method: http.MethodPut, path: "/photos/a%20b", body: "hello", anonymous: true,
		edit: version2("PUT\n\n\n%s\n", "/photos/a%20b"),
	}
	s.do(put).want(t, 200)
	s.do(call{
		method: http.MethodGet, path: "/a%20b", host: "photos.localhost", anonymous: true,
		edit: version2("GET\n\n\n%s\n", "/photos/a%20b"),
	}).want(t, 200)
	s.do(call{method: http.MethodGet, path: "/photos?list-type=2", anonymous: true, edit: version2("GET\n\n\n%s\n", "/photos/")}).want(t, 200)
	put.edit = version2("PUT\n\n\n%s\n", "/photos/other")
	s.do(put).wantError(t, 403, "SignatureDoesNotMatch")

	end := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	signature := url.QueryEscape(sigv2.Sign(testSecretKey, "PUT\n\ntext/plain\n"+end+"\nx-amz-meta-a:b\n/photos/k"))
	presigned := "/photos/k?AWSAccessKeyId=" + testAccessKey + "&Expires=" + end + "&x-amz-meta-a=b&content-type=text%2Fplain&Signature=" + signature
	s.do(call{method: http.MethodPut, path: presigned, body: "hello", anonymous: true}).want(t, 200)
	wantHeaders(t, s.get("/photos/k"), map[string]string{"Content-Type": "text/plain", "X-Amz-Meta-A": "b"})
	s.do(call{method: http.MethodPut, path: presigned + "&acl", anonymous: true}).wantError(t, 403, "SignatureDoesNotMatch")

	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration": "2999-01-01T00:00:00Z", "conditions": [{"bucket": "photos"}, ["starts-with", "$key", "f"]]}`))
	signed := func(key, signature string) string {
		return (&form{file: "hello"}).add("key", key).add("AWSAccessKeyId", testAccessKey).add("policy", policy).add("signature", signature).body()
	}
	good := sigv2.Sign(testSecretKey, policy)
	s.post("photos", signed("form", good)).want(t, 204)
	s.post("photos", signed("other", good)).wantError(t, 403, "AccessDenied")
	s.post("photos", signed("form", sigv2.Sign("x", policy))).wantError(t, 403, "SignatureDoesNotMatch")

	// Who does not want it can say so.
	s.do(call{method: http.MethodPut, path: "/photos?policy", body: `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny",
		"Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*",
		"Condition": {"StringEquals": {"s3:signatureversion": "AWS"}}}]}`}).want(t, 204)
	put.edit = version2("PUT\n\n\n%s\n", "/photos/a%20b")
	s.do(put).wantError(t, 403, "AccessDenied")
	s.put("/photos/a%20b", "by version 4")
}

// SDKs move headers into the query of presigned URLs: those that S3 takes there mean the same; tags and checksums do
// not, and aws-sdk-js has the checksum of an empty body there.
func TestPresignedHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	presign := func(query string) string {
		r, err := http.NewRequest(http.MethodPut, s.url+"/photos/k?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		sigv4.Presign(r, testAccessKey, testSecretKey, testRegion, time.Hour, time.Now())
		return strings.TrimPrefix(r.URL.String(), s.url)
	}
	path := presign("x-amz-meta-a=b%20c&x-amz-storage-class=STANDARD_IA&x-amz-server-side-encryption=AES256&x-amz-tagging=a%3Db&x-amz-checksum-crc32=AAAAAA%3D%3D")
	s.do(call{method: http.MethodPut, path: path, body: "hello", anonymous: true}).want(t, 200)
	wantHeaders(t, s.get("/photos/k"), map[string]string{
		"X-Amz-Meta-A": "b c", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Tagging-Count": "",
	})
	s.do(call{method: http.MethodPut, path: presign("x-amz-meta-a=%0Ab"), body: "hello", anonymous: true}).wantError(t, 400, "InvalidArgument")
	s.do(call{method: http.MethodPut, path: presign("x-amz-acl=public-read"), body: "hello", anonymous: true}).
		wantError(t, 400, "AccessControlListNotSupported")
	// A request that is signed in its header has its headers there.
	s.put("/photos/k?x-amz-meta-a=b", "hello")
	wantHeaders(t, s.get("/photos/k"), map[string]string{"X-Amz-Meta-A": ""})
}
