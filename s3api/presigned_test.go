package s3api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

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
