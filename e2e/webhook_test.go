package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

// hook is a receiver of events.
type hook struct {
	*httptest.Server
	secret atomic.Pointer[string]
	down   atomic.Bool // it answers 503
	mu     sync.Mutex
	taken  []webhook.CloudEvent // guarded by mu
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if secret := h.secret.Load(); secret != nil {
			if err := webhook.Verify(r.Header, body, *secret, time.Now(), time.Minute); err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
		if h.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var e webhook.CloudEvent
		if err := json.Unmarshal(body, &e); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.taken = append(h.taken, e)
	}))
	t.Cleanup(h.Close)
	return h
}

// events returns what was taken, as "type subject", each once.
func (h *hook) events() (events []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range h.taken {
		if !seen[e.ID] {
			events = append(events, strings.TrimSpace(e.Type+" "+e.Subject))
		}
		seen[e.ID] = true
	}
	return events
}

// webhook makes a webhook that leads to h.
func (s *server) webhook(name string, h *hook, args ...string) {
	s.t.Helper()
	args = append([]string{"webhook", "create", name, "--url", h.URL, "--json", "--secret", "0123456789abcdef"}, args...)
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(s.cli(args...)), &made); err != nil {
		s.t.Fatal(err)
	}
	h.secret.Store(&made.Secret)
}

// tells has a bucket tell a webhook of what is created.
func (s *server) tells(bucket, name string) {
	s.t.Helper()
	_, err := s.sdk().PutBucketNotificationConfiguration(s.t.Context(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: &bucket, NotificationConfiguration: &types.NotificationConfiguration{
			QueueConfigurations: []types.QueueConfiguration{{
				QueueArn: aws.String("arn:minio:sqs::" + name + ":webhook"), Events: []types.Event{"s3:ObjectCreated:*"},
			}},
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestWebhookKill kills the server under load while its receiver is away half of the time. Every write that was
// acknowledged is told of in the end, in the order of the writes; what was not acknowledged may be.
func TestWebhookKill(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(killSeed(t), 0))
	s, h := start(t, "--bucket", "photos"), newHook(t)
	s.webhook("hook", h)
	s.tells("photos", "hook")
	var acknowledged []string
	for round := range 6 {
		h.down.Store(round%2 == 0)
		dead := make(chan struct{})
		go func() { // ends with the process
			defer close(dead)
			time.Sleep(time.Duration(20+random.IntN(150)) * time.Millisecond)
			_ = s.command.Process.Kill()
		}()
		for n := 0; ; n++ {
			key := fmt.Sprintf("%02d-%05d", round, n)
			if err := s.tryPut("photos", key); err != nil {
				break
			}
			acknowledged = append(acknowledged, key)
		}
		<-dead
		s.await()
		s.http.CloseIdleConnections()
		s.run()
	}
	h.down.Store(false)
	if err := s.tryPut("photos", "last"); err != nil {
		t.Fatal(err)
	}
	acknowledged = append(acknowledged, "last")
	s.eventually("everything is told", func() (bool, string) {
		events := h.events()
		return slices.Contains(events, "s3:ObjectCreated:Put last"), fmt.Sprint(len(events), " events")
	})
	left := acknowledged
	events := h.events()
	for _, e := range events {
		if key := strings.TrimPrefix(e, "s3:ObjectCreated:Put "); len(left) > 0 && key == left[0] {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		t.Errorf("%d of %d are not told, or not in order, from %s on", len(left), len(acknowledged), left[0])
	}
	if most := len(acknowledged) + 6; len(events) > most || len(acknowledged) < 20 {
		t.Errorf("%d events of %d acknowledged writes", len(events), len(acknowledged))
	}
	t.Logf("%d writes, %d events", len(acknowledged), len(events))
}

// tryPut puts an object, and does not mind if the server dies.
func (s *server) tryPut(bucket, key string) error {
	r, err := http.NewRequest(http.MethodPut, s.endpoint+"/"+bucket+"/"+key, strings.NewReader("x"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte("x"))
	sigv4.Sign(r, accessKey, secretKey, region, hex.EncodeToString(sum[:]), time.Now())
	response, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, %w", response.StatusCode, err)
	}
	return nil
}

// TestWebhookCLI is the life of a webhook, and what of quotas it gets.
func TestWebhookCLI(t *testing.T) {
	t.Parallel()
	s, h := start(t, "--bucket", "photos:1000", "--quota-thresholds", "50,100"), newHook(t)
	s.webhook("alerts", h)
	if out := s.cli("webhook", "test", "alerts"); !strings.Contains(out, "alerts takes events: status 200") {
		t.Errorf("test: %s", out)
	}
	for _, key := range []string{"a", "b"} {
		if _, err := s.sdk().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("photos"), Key: &key, Body: strings.NewReader(strings.Repeat("x", 500)),
		}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.sdk().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("c"), Body: strings.NewReader("x"),
	})
	want507(t, "put over the limit", err)
	want := []string{"webhook.test", "quota.threshold", "quota.threshold", "quota.refused c"}
	s.eventually("the events come", func() (bool, string) {
		return slices.Equal(h.events(), want), fmt.Sprint(h.events())
	})
	if n := s.metric("plimsoll_quota_threshold_crossings_total"); n != 2 || !s.logs.contains("quota threshold crossed") {
		t.Errorf("%v crossings are counted", n)
	}
	s.eventually("it is counted", func() (bool, string) {
		n := s.metric("plimsoll_webhook_delivered_events_total")
		return n == 3, fmt.Sprint(n)
	})
	if out := s.cli("webhook", "show", "alerts"); !strings.Contains(out, h.URL) || !strings.Contains(out, "quota.refused, quota.threshold") {
		t.Errorf("show: %s", out)
	}
	s.cli("webhook", "disable", "alerts")
	s.cli("webhook", "change", "alerts", "--events", "s3:ObjectRemoved:*,quota.threshold")
	if out := s.cli("webhook", "list"); !strings.Contains(out, "disabled") || !strings.Contains(out, "s3:ObjectRemoved:*") {
		t.Errorf("list: %s", out)
	}
	s.cli("webhook", "enable", "alerts")
	if _, err := s.sdk().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "s3:ObjectRemoved:Delete a", "quota.threshold") // of all buckets; and 50 is still reached
	s.eventually("the events come", func() (bool, string) {
		return slices.Equal(h.events(), want), fmt.Sprint(h.events())
	})
	h.down.Store(true)
	command := exec.Command(plimsoll, "webhook", "test", "alerts")
	command.Env = append(os.Environ(), "PLIMSOLL_ENDPOINT="+s.endpoint,
		"PLIMSOLL_ACCESS_KEY="+accessKey, "PLIMSOLL_SECRET_KEY="+secretKey)
	if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), "503") {
		t.Errorf("test of one that is down: %v\n%s", err, out)
	}
	s.cli("webhook", "remove", "alerts")
}

// TestMCEvent has mc add, list and remove the rules of a bucket.
func TestMCEvent(t *testing.T) {
	t.Parallel()
	s, h := start(t), newHook(t)
	mc := s.mc()
	s.webhook("hook", h)
	mc.file("one", []byte("one"))
	mc.run("mb", "plimsoll/photos")
	const arn = "arn:minio:sqs::hook:webhook"
	mc.run("event", "add", "plimsoll/photos", arn, "--event", "put,delete", "--prefix", "in/", "--suffix", ".jpg")
	mc.want(words("event list plimsoll/photos"), arn, "s3:ObjectCreated:*,s3:ObjectRemoved:*", `prefix="in/"`, `suffix=".jpg"`)
	mc.run("cp", "one", "plimsoll/photos/in/a.jpg")
	mc.run("cp", "one", "plimsoll/photos/out.jpg")
	mc.run("rm", "plimsoll/photos/in/a.jpg")
	want := []string{"s3:ObjectCreated:Put in/a.jpg", "s3:ObjectRemoved:Delete in/a.jpg"}
	s.eventually("the events come", func() (bool, string) { return slices.Equal(h.events(), want), fmt.Sprint(h.events()) })
	mc.refused("Unable to validate the following destination configurations",
		"event", "add", "plimsoll/photos", "arn:minio:sqs::other:webhook", "--event", "put", "--prefix", "other/")
	mc.run("event", "remove", "plimsoll/photos", arn, "--event", "put,delete", "--prefix", "in/", "--suffix", ".jpg")
	if out := mc.run("event", "list", "plimsoll/photos"); strings.TrimSpace(out) != "" {
		t.Errorf("list after remove: %s", out)
	}
}
