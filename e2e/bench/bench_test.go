package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// TestMain makes the test binary the empty server when a test starts it as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == emptyCommand {
		fmt.Fprintln(os.Stderr, serveEmpty(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func tiny(t *testing.T, args ...string) (*config, *bytes.Buffer) {
	t.Helper()
	c, err := parseFlags(append([]string{"--rounds", "1", "--duration", "50ms", "--dir", t.TempDir()}, args...))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.listKeys, c.perMixed, c.clients, c.calm = 20, 3, 1, 50*time.Millisecond
	c.out, c.progress = &out, t.Output()
	return c, &out
}

// TestTiny runs every workload against the real server, as a benchmark does.
func TestTiny(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	c, out := tiny(t, "--json", file, "--plimsoll-flags", "--sync=none")
	if err := run(t.Context(), c); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Workloads) != len(workloads) || len(r.Servers) != 2 {
		t.Fatalf("%d workloads and %d servers", len(r.Workloads), len(r.Servers))
	}
	for _, w := range r.Workloads {
		f := w.of("plimsoll")
		if f == nil || f.Rate <= 0 || f.P50Micros <= 0 || f.P99Micros < f.P50Micros || f.Errors != 0 {
			t.Errorf("%s: %+v", w.Name, f)
		}
		if ceiling := w.of("empty"); (ceiling == nil) != (w.Name == "list") {
			t.Errorf("%s: %+v of the empty server", w.Name, ceiling)
		}
		if !strings.Contains(out.String(), w.Title) {
			t.Errorf("%s is not in the table", w.Title)
		}
	}
	for _, s := range r.Servers {
		if s.PeakBytes < mib {
			t.Errorf("peak memory of %s: %d", s.Name, s.PeakBytes)
		}
	}
	if left, _ := os.ReadDir(c.dir); len(left) > 0 {
		t.Errorf("%d entries are left in the temporary directory", len(left))
	}
}

func TestTinyScenarios(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"start", []string{"--objects", "30"}},
		{"list-scaling", []string{"--objects", "30"}}, // in two steps
		{"memory", []string{"--bytes", "3000000"}},
		{"disk", []string{"--objects", "30"}},
		{"many-buckets", []string{"--buckets", "20"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c, out := tiny(t, append([]string{"--scenario", c.name}, c.args...)...)
			if err := run(t.Context(), c); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Log(out)
		})
	}
}

// TestErrorsAreLoud reads the table of a run that had errors.
func TestErrorsAreLoud(t *testing.T) {
	t.Parallel()
	r := &report{Servers: []serverReport{{Name: "plimsoll"}}, Workloads: []workloadReport{{
		Name: "get-4k", Title: "GET", Figures: []figures{{Server: "plimsoll", Rate: 1, Errors: 7, FirstError: "status 404"}},
	}}}
	var out bytes.Buffer
	r.print(&out)
	if !r.failed() || !strings.Contains(out.String(), "7 REQUESTS TO plimsoll FAILED") || !strings.Contains(out.String(), "7 ERRORS") {
		t.Errorf("not loud: %s", &out)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, 1, 63, 64, 127, 128, 1000, time.Millisecond, time.Second, time.Hour, 1<<63 - 1} {
		b := bucketOf(d)
		if low := lower(b); low > d || float64(d-low) > float64(d)/(1<<subBits) {
			t.Errorf("%d is in bucket %d, which begins at %d", d, b, low)
		}
		if d > 0 && bucketOf(d-1) > b {
			t.Errorf("%d is in a higher bucket than %d", d-1, d)
		}
	}
	var h, other histogram
	if h.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	for i := range 1000 {
		to := &h
		if i%2 == 0 {
			to = &other
		}
		to.add(time.Duration(i+1) * time.Microsecond)
	}
	h.merge(&other)
	for q, want := range map[float64]time.Duration{
		0: time.Microsecond, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond,
	} {
		if got := h.quantile(q); float64(got) < 0.98*float64(want) || float64(got) > 1.02*float64(want) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	servers := []serverReport{{Name: "plimsoll"}, {Name: "a"}, {Name: "b", Anonymous: true}, {Name: "empty", Ceiling: true}}
	w := workloadReport{Figures: []figures{
		{Server: "plimsoll", Rate: 300}, {Server: "a", Rate: 100}, {Server: "b", Rate: 200}, {Server: "empty", Rate: 900},
	}}
	w.compare(servers)
	if w.Ratio != 1.5 || w.Best != "b" || w.RatioAuthenticated != 3 || w.BestAuthenticatedPeer != "a" {
		t.Errorf("%+v", w)
	}
	alone := workloadReport{Figures: w.Figures[:1]}
	alone.compare(servers[:1])
	if alone.Ratio != 0 || alone.Best != "" {
		t.Errorf("without peers: %+v", alone)
	}
}

// TestSign holds the generator's signatures to the server's own verifier.
func TestSign(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	verifier := &sigv4.Verifier{
		Region: region, Now: func() time.Time { return now },
		Secret: func(key string) (string, bool) { return secretKey, key == accessKey },
	}
	signer := newSigner("127.0.0.1:9000")
	for range 2 {
		for _, c := range []struct{ method, path, query string }{
			{"GET", "/bucket/ab/cd", ""},
			{"PUT", "/bucket/" + keyOf(7), ""},
			{"GET", "/bucket", "list-type=2&max-keys=1000&start-after=" + escape(keyOf(1))},
		} {
			raw := signer.appendHead(nil, c.method, c.path, c.query, -1, now)
			r, err := http.ReadRequest(bufferedReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifier.Verify(r); err != nil {
				t.Errorf("%s: %v", raw, err)
			}
		}
		now = now.Add(36 * time.Hour) // over midnight: another key
	}
}

// TestSelectWorkloads covers --only.
func TestSelectWorkloads(t *testing.T) {
	t.Parallel()
	selected, err := selectWorkloads([]string{"list", "get"})
	if err != nil || len(selected) != 3 || selected[0].name != "get-4k" {
		t.Errorf("%+v, %v", selected, err)
	}
	if _, err := selectWorkloads([]string{"post"}); err == nil {
		t.Error("an unknown workload is taken")
	}
}

// BenchmarkRequest is what a request costs the generator before it is sent: it must stay far below what a server needs.
func BenchmarkRequest(b *testing.B) {
	signer := newSigner("127.0.0.1:9000")
	var buf []byte
	key := "/bucket/" + keyOf(1)
	now := time.Now()
	for b.Loop() {
		buf = signer.appendHead(buf[:0], "PUT", key, "", 4096, now)
	}
}
