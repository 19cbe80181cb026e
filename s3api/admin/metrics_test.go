package admin_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Metrics are compressed for who takes that, and for nobody else.
func TestMetricsEncoding(t *testing.T) {
	f := newFixture(t)
	const want = `plimsoll_usage_bytes{bucket="",owner="",scope="server"} 0`
	for accepted, compressed := range map[string]bool{
		"gzip": true, "identity": false, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "": false,
		"br, gzip": true, "xgzip": false,
	} {
		r := f.request(http.MethodGet, "/_plimsoll/metrics", "")
		r.Header.Set("Accept-Encoding", accepted) // so that net/http does not decode it
		response, err := f.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(response.Body)
		if response.Header.Get("Content-Encoding") == "gzip" {
			if body, err = gzip.NewReader(response.Body); err != nil {
				t.Fatal(err)
			}
		}
		content, err := io.ReadAll(body)
		response.Body.Close()
		if got := response.Header.Get("Content-Encoding") == "gzip"; err != nil || got != compressed ||
			!strings.Contains(string(content), want) {
			t.Errorf("%q: compressed %v, %v", accepted, got, err)
		}
	}
}
