package s3api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// TestRegionInHeaders: SDKs learn the region of a bucket from a header, of HeadBucket also where that is denied, and of
// any request that was signed for another region; what has no body tells it nowhere else.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func TestRegionInHeaders(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.put("/photos/k", "hello")
	elsewhere := func(r *http.Request) {
		sigv4.Sign(r, testAccessKey, testSecretKey, "eu-west-1", "UNSIGNED-PAYLOAD", time.Now())
	}
	for _, test := range []struct {
		name   string
		call   call
		status int
		region string
	}{
		{"allowed", call{method: http.MethodHead, path: "/photos"}, 200, testRegion},
		{"denied", call{method: http.MethodHead, path: "/photos", anonymous: true}, 403, testRegion},
		{"no bucket", call{method: http.MethodHead, path: "/missing"}, 404, ""},
		{"elsewhere", call{method: http.MethodHead, path: "/photos", anonymous: true, edit: elsewhere}, 400, testRegion},
		{"object elsewhere", call{method: http.MethodHead, path: "/photos/k", anonymous: true, edit: elsewhere}, 400, testRegion},
		{"listing elsewhere", call{method: http.MethodGet, path: "/photos", anonymous: true, edit: elsewhere}, 400, testRegion},
		{"object", call{method: http.MethodHead, path: "/photos/k"}, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := s.do(test.call).want(t, test.status).header.Get("X-Amz-Bucket-Region"); got != test.region {
				t.Errorf("the region is %q, want %q", got, test.region)
			}
		})
	}
}
