package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func TestDelivery(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	r.secret = f.create("hook", r.URL+"/path?a=b", DefaultEvents()...)
	f.bucket("b", "hook")
	f.put("b", "dir/a b")
	d := r.next()
	if d.SpecVersion != "1.0" || d.Type != event.ObjectCreatedPut || d.Subject != "dir/a b" || d.ID == "" ||
		d.Source != "urn:plimsoll:bucket:b" || d.header.Get("Content-Type") != "application/cloudevents+json; charset=UTF-8" ||
		d.header.Get("Webhook-Id") != d.ID || d.Sequence != "00000000000000000001" || d.DataContentType != "application/json" {
		t.Errorf("got %+v", d)
	}
	if _, err := time.Parse(time.RFC3339, d.Time); err != nil {
		t.Error(err)
	}
	got := d.Data.(map[string]any)["Records"].([]any)[0].(map[string]any)
	s3 := got["s3"].(map[string]any)
	object := s3["object"].(map[string]any)
	if got["eventName"] != "ObjectCreated:Put" || got["eventVersion"] != "2.1" || got["awsRegion"] != "us-east-1" ||
		s3["configurationId"] != "rule" || s3["s3SchemaVersion"] != "1.0" || object["key"] != "dir/a+b" ||
		object["size"] != 5.0 || object["eTag"] != "5d41402abc4b2a76b9719d911017c592" ||
		fmt.Sprint(s3["bucket"]) != "map[arn:arn:aws:s3:::b name:b ownerIdentity:map[principalId:ada]]" {
		t.Errorf("the record is %+v", got)
	}
	if err := f.store.SetLimit(background, quota.BucketScope("b"), quota.Limit{MaxBytes: 6}); err != nil {
		t.Fatal(err)
	}
	d = r.next()
	want := "map[direction:up limit:6 name:b resource:bytes scope:bucket threshold_percent:80 used:5]"
	if d.Type != event.QuotaThreshold || fmt.Sprint(d.Data) != want {
		t.Errorf("got %+v, want %s", d, want)
	}
}

func TestRefusals(t *testing.T) {
	f, subscribed, named := newFixture(t), newReceiver(t), newReceiver(t)
	f.create("subscribed", subscribed.URL, event.QuotaRefused)
	f.create("named", named.URL)
	rules := event.Rules{Rules: []event.Rule{{ID: "r", Webhook: "named", Events: []string{event.BucketQuotaRefused}}}}
	f.bucket("b", "nobody")
	if err := f.store.PutBucketConfig(background, "b", "notification", rules.Marshal()); err != nil {
		t.Fatal(err)
	}
	err := &quota.ExceededError{Scope: quota.BucketScope("b"), Resource: quota.Bytes, Total: 10, Used: 3, Requested: 8}
	f.store.Refused(background, "PutObject", "b", "k", err)
	if d := subscribed.next(); d.Type != event.QuotaRefused || fmt.Sprint(d.Data) != "map[bucket:b count:1 key:k limit:10 "+
		"name:b operation:PutObject owner:ada requested:8 resource:bytes scope:bucket used:3]" {
		t.Errorf("got %+v", d)
	}
	d := named.next()
	record := d.Data.(map[string]any)["Records"].([]any)[0].(map[string]any)
	if d.Type != event.BucketQuotaRefused || d.key != "k" || record["eventName"] != event.BucketQuotaRefused ||
		record["quota"].(map[string]any)["requested"] != 8.0 {
		t.Errorf("got %+v", d)
	}
}

// TestReceiverThatFails answers 500, and then is away altogether, and comes back: nothing is lost, the order is kept, and
// each time it is left alone for longer.
func TestReceiverThatFails(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	r.set(func(delivered) int { return http.StatusInternalServerError })
	f.create("hook", r.URL)
	f.bucket("b", "hook")
	for _, key := range []string{"1", "2", "3"} {
		f.put("b", key)
	}
	longest := firstBackoff
	for range 9 {
		if d := f.failing(); d < longest/2 || d > longest {
			t.Errorf("waits %s, want up to %s", d, longest)
		}
		longest = min(2*longest, longestBackoff)
		f.retry()
	}
	f.failing()
	if st, err := f.Status(background, "hook"); err != nil || !st.Failing || st.FailedAttempts != 10 || st.Delivered != 0 ||
		st.Queued != 3 || !strings.Contains(st.LastError, "500") {
		t.Errorf("status %+v, %v", st, err)
	}
	// Away: the port is closed, and another has what comes.
	r.Close()
	f.retry()
	f.failing()
	back := newReceiver(t)
	f.put("b", "4")
	if _, err := f.Change(background, "hook", "", func(w *Webhook) error { w.URL = back.URL; return nil }); err != nil {
		t.Fatal(err)
	}
	back.want("b/1", "b/2", "b/3", "b/4")
}

// TestReceiverThatHangs: writes go on, other buckets and other webhooks are told.
func TestReceiverThatHangs(t *testing.T) {
	f, slow, other := newFixture(t), newReceiver(t), newReceiver(t)
	release, hangs := make(chan struct{}), make(chan struct{}, 100)
	var once sync.Once
	end := func() { once.Do(func() { close(release) }) }
	defer end()
	slow.set(func(d delivered) int {
		if d.bucket == "a" {
			hangs <- struct{}{}
			<-release
		}
		return http.StatusOK
	})
	f.create("slow", slow.URL)
	f.create("other", other.URL, "s3:ObjectCreated:*")
	f.bucket("a", "slow")
	f.bucket("b", "slow")
	f.put("a", "1")
	<-hangs
	for i := range 20 {
		f.put("a", fmt.Sprint(i)) // answered, while the receiver hangs
	}
	var want []string
	want = append(want, "a/1")
	for i := range 20 {
		want = append(want, fmt.Sprintf("a/%d", i))
	}
	other.want(want...)
	end()
	slow.want(want...)
	f.settled("slow")

	// A page with both buckets: that of b is not behind that of a.
	again := make(chan struct{})
	slow.set(func(d delivered) int {
		if d.bucket == "a" {
			hangs <- struct{}{}
			<-again
		}
		return http.StatusOK
	})
	if _, err := f.Change(background, "slow", "", func(w *Webhook) error { w.URL = "http://127.0.0.1:1/"; return nil }); err != nil {
		t.Fatal(err)
	}
	f.put("a", "x")
	f.failing() // with the first page, which has x alone
	f.put("a", "y")
	f.put("b", "z")
	if _, err := f.Change(background, "slow", "", func(w *Webhook) error { w.URL = slow.URL; return nil }); err != nil {
		t.Fatal(err)
	}
	slow.want("b/z")
	close(again)
	slow.want("a/x", "a/y")
}

// TestCloseWhileAReceiverHangs does not wait for it.
func TestCloseWhileAReceiverHangs(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	release, hangs := make(chan struct{}), make(chan struct{}, 10)
	defer close(release)
	r.set(func(delivered) int {
		hangs <- struct{}{}
		<-release
		return http.StatusOK
	})
	f.create("hook", r.URL)
	f.bucket("b", "hook")
	f.put("b", "1")
	<-hangs
	f.restart()
	<-hangs // it is sent again
}

// TestRestart stops everything while a receiver fails: what it has not taken comes in the next run, in order, and what it
// has taken does not come again.
func TestRestart(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	secret := f.create("hook", r.URL)
	f.bucket("b", "hook")
	f.put("b", "1")
	r.want("b/1")
	r.set(func(delivered) int { return http.StatusServiceUnavailable })
	f.put("b", "2")
	f.put("b", "3")
	f.failing()
	f.restart()
	f.failing()
	r.mu.Lock()
	r.answer, r.secret = nil, secret // sealed, and opened by another run
	r.mu.Unlock()
	f.retry()
	f.put("b", "4")
	r.want("b/2", "b/3", "b/4")
	f.settled("hook")
	f.restart()
	f.put("b", "5")
	r.want("b/5")
}

// TestUnreadableCursor: what may not have been delivered is delivered, if only again.
func TestUnreadableCursor(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	f.create("hook", r.URL)
	f.bucket("b", "hook")
	f.put("b", "1")
	r.want("b/1")
	f.settled("hook")
	f.stop()
	store, err := backend.Open(f.options)
	if err != nil {
		t.Fatal(err)
	}
	err = store.PutRecords(background, meta.PutRecord{Kind: cursorRecord, Name: "hook", Value: []byte("none")})
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	f.start()
	f.put("b", "2")
	r.want("b/1", "b/2")
}

// TestRedirect: an event goes nowhere but where it was sent.
func TestRedirect(t *testing.T) {
	f, r, elsewhere := newFixture(t), newReceiver(t), newReceiver(t)
	redirect := http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect)
	r.Config.Handler = redirect
	f.create("hook", r.URL)
	f.bucket("b", "hook")
	f.put("b", "1")
	f.failing()
	if st, _ := f.Status(background, "hook"); !strings.Contains(st.LastError, "307") || len(elsewhere.got) > 0 {
		t.Errorf("status %+v, %d elsewhere", st, len(elsewhere.got))
	}
}

// TestReceiverThatTalks: what a receiver says is not logged and kept at whatever length.
func TestReceiverThatTalks(t *testing.T) {
	f := newFixture(t)
	for name, answer := range map[string]string{
		"a long reason":      "HTTP/1.1 500 " + strings.Repeat("x", 40<<10) + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"no HTTP, at length": strings.Repeat("é", 20<<10) + "\r\n\r\n",
		"endless headers":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\nContent-Length: 0\r\n\r\n",
	} {
		talker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			_, _ = connection.Write([]byte(answer)) // who has heard enough hangs up
		}))
		f.create("hook", talker.URL)
		result, err := f.Test(background, "hook")
		if err != nil || result.Error == "" || len(result.Error) > 300 || !utf8.ValidString(result.Error) {
			t.Errorf("%s: status %d, %d bytes of %.300q, %v", name, result.Status, len(result.Error), result.Error, err)
		}
		if err := f.Remove(background, "hook", func(Webhook) error { return nil }); err != nil {
			t.Fatal(err)
		}
		talker.Close()
	}
}

// TestOrder sends through a receiver that fails at random, with restarts on the way: each bucket's events are taken in
// their order, none is missing, and only ones that were taken come again.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if rapid.IntRange(0, 9).Draw(rt, "run") > 0 { // a tenth is enough, and a tenth of the time
			return
		}
		f := newFixture(t)
		stop := sync.OnceFunc(f.stop)
		defer stop()
		r := newReceiver(t)
		defer r.Close()
		f.hooks.Wait = nil
		f.options.Thresholds = nil
		script := rapid.SliceOfN(rapid.SampledFrom([]int{200, 200, 500, 204}), 0, 6).Draw(rt, "script")
		var mu sync.Mutex
		r.set(func(delivered) int {
			mu.Lock()
			defer mu.Unlock()
			if len(script) == 0 {
				return http.StatusOK
			}
			status := script[0]
			script = script[1:]
			return status
		})
		close(f.ticks) // no wait takes time
		f.create("hook", r.URL)
		want := map[string][]string{}
		for _, bucket := range []string{"a", "b"} {
			f.bucket(bucket, "hook")
		}
		for i, bucket := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "restart"}), 1, 12).Draw(rt, "steps") {
			if bucket == "restart" {
				f.hooks.Wait = f.Service.options.Wait
				f.restart()
				continue
			}
			f.put(bucket, fmt.Sprint(i))
			want[bucket] = append(want[bucket], fmt.Sprint(i))
		}
		for bucket, keys := range want {
			want[bucket] = keys
		}
		for missing := len(want["a"]) + len(want["b"]); missing > 0; {
			d := r.next()
			left := want[d.bucket]
			switch {
			case len(left) > 0 && left[0] == d.key:
				want[d.bucket] = left[1:]
				missing--
			case slices.Contains(left, d.key):
				rt.Fatalf("%s/%s comes before %s", d.bucket, d.key, left[0])
			}
		}
	})
}

func TestDisabled(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	f.create("hook", r.URL)
	f.bucket("b", "hook")
	set := func(enabled bool) {
		t.Helper()
		if _, err := f.Change(background, "hook", "", func(w *Webhook) error { w.Enabled = enabled; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(false)
	f.put("b", "1")
	f.restart()
	f.put("b", "2")
	set(true)
	f.put("b", "3")
	r.want("b/3")
	set(false)
	if err := f.Remove(background, "hook", func(Webhook) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Webhook("hook"); !errors.Is(err, ErrNoSuchWebhook) || f.Has("hook") {
		t.Errorf("the webhook is still there: %v", err)
	}
	// One with the same name does not get what the old one has not.
	f.put("b", "4")
	f.create("hook", r.URL)
	f.put("b", "5")
	r.want("b/5")
}

// TestDeliveredEventsAreForgotten, and not those that a webhook still waits for.
func TestDeliveredEventsAreForgotten(t *testing.T) {
	f, r, away := newFixture(t), newReceiver(t), newReceiver(t)
	f.hooks.kept = 2
	f.restart()
	away.set(func(delivered) int { return http.StatusBadGateway })
	f.create("hook", r.URL)
	f.create("away", away.URL, "s3:ObjectCreated:*")
	f.bucket("b", "hook")
	for i := range 5 {
		f.put("b", fmt.Sprint(i))
	}
	for range 5 {
		r.next()
	}
	f.failing()
	kept := func() int {
		f.save(background)
		f.put("b", "k") // the commit that forgets them
		f.put("b", "l")
		events, err := f.store.Events(background, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	if n := kept(); n != 7 {
		t.Errorf("%d events are kept, want all 7", n)
	}
	if err := f.Remove(background, "away", func(Webhook) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r.next()
	r.next()
	if n := kept(); n > 5 { // 2, the 2 that came after that, and one whose delivery may just not be noted yet
		t.Errorf("%d events are kept", n)
	}
}

// TestLeftBehind: a webhook that takes nothing must not fill the outbox for the others.
func TestLeftBehind(t *testing.T) {
	f, r, away := newFixture(t), newReceiver(t), newReceiver(t)
	f.hooks.room = 8
	f.restart()
	away.set(func(delivered) int { return http.StatusBadGateway })
	f.create("hook", r.URL)
	f.create("away", away.URL, "s3:ObjectCreated:*")
	f.bucket("b", "hook")
	for i := range 6 {
		f.put("b", fmt.Sprint(i))
	}
	for range 6 {
		r.next()
	}
	f.settled("hook")
	f.save(background)
	if st, err := f.Status(background, "away"); err != nil || st.Dropped != 2 || st.Queued != 4 {
		t.Errorf("%+v, %v", st, err)
	}
	if st, err := f.Status(background, "hook"); err != nil || st.Dropped != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	away.set(nil)
	if _, err := f.Change(background, "away", "", func(*Webhook) error { return nil }); err != nil { // tries at once
		t.Fatal(err)
	}
	for want := 2; want <= 5; {
		switch d := away.next(); d.key {
		case fmt.Sprint(want):
			want++
		case "2": // once more: the change has come between it and its answer
		default:
			t.Fatalf("got %s, want %d", d.key, want)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	f := newFixture(t)
	good := Webhook{Name: "hook", URL: "https://example.com/x", Events: []string{"*"}}
	var invalid *InvalidError
	for name, change := range map[string]func(*Webhook){
		"no name":       func(w *Webhook) { w.Name = "" },
		"name":          func(w *Webhook) { w.Name = "a:b" },
		"long name":     func(w *Webhook) { w.Name = strings.Repeat("a", 65) },
		"no url":        func(w *Webhook) { w.URL = "" },
		"scheme":        func(w *Webhook) { w.URL = "ftp://example.com/" },
		"no host":       func(w *Webhook) { w.URL = "http:///x" },
		"port only":     func(w *Webhook) { w.URL = "http://:80/" },
		"credentials":   func(w *Webhook) { w.URL = "http://a:b@example.com/" },
		"fragment":      func(w *Webhook) { w.URL = "http://example.com/#a" },
		"control":       func(w *Webhook) { w.URL = "http://example.com/\n" },
		"long url":      func(w *Webhook) { w.URL = "http://example.com/" + strings.Repeat("a", 2048) },
		"unknown event": func(w *Webhook) { w.Events = []string{"s3:ObjectCreated"} },
	} {
		w := good
		change(&w)
		if _, _, err := f.Create(background, w, ""); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, secret := range []string{"short", "whsec_?", "whsec_c2hvcnQ=", strings.Repeat("s", 257)} {
		if _, _, err := f.Create(background, good, secret); !errors.As(err, &invalid) {
			t.Errorf("secret %q: %v", secret, err)
		}
	}
	if len(f.Webhooks()) != 0 {
		t.Error("something was kept")
	}
	made, secret, err := f.Create(background, good, "0123456789abcdef")
	if err != nil || secret != "0123456789abcdef" || strings.Contains(string(made.Sealed), secret) {
		t.Errorf("%+v, %q, %v", made, secret, err)
	}
	if _, _, err := f.Create(background, good, ""); !errors.Is(err, ErrWebhookExists) {
		t.Errorf("again: %v", err)
	}
	if _, err := f.Change(background, "hook", "short", func(*Webhook) error { return nil }); !errors.As(err, &invalid) {
		t.Errorf("change: %v", err)
	}
	if _, err := f.Change(background, "none", "", func(*Webhook) error { return nil }); !errors.Is(err, ErrNoSuchWebhook) {
		t.Errorf("change: %v", err)
	}
	for i := range maxWebhooks - 1 {
		good.Name = fmt.Sprint(i)
		if _, _, err := f.Create(background, good, ""); err != nil {
			t.Fatal(err)
		}
	}
	good.Name = "more"
	if _, _, err := f.Create(background, good, ""); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
}

func TestTest(t *testing.T) {
	f, r := newFixture(t), newReceiver(t)
	r.secret = f.create("hook", r.URL)
	if result, err := f.Test(background, "hook"); err != nil || result.Status != http.StatusNoContent || result.Error != "" {
		t.Errorf("%+v, %v", result, err)
	}
	if d := r.next(); d.Type != event.Test {
		t.Errorf("got %+v", d)
	}
	r.set(func(delivered) int { return http.StatusGone })
	if result, err := f.Test(background, "hook"); err != nil || result.Status != http.StatusGone || result.Error == "" {
		t.Errorf("%+v, %v", result, err)
	}
	r.Close()
	if result, err := f.Test(background, "hook"); err != nil || result.Status != 0 || result.Error == "" ||
		strings.Contains(result.Error, "http://") { // a URL may have a token
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := f.Test(background, "none"); !errors.Is(err, ErrNoSuchWebhook) {
		t.Error(err)
	}
}

// TestSignature has the example of the specification's own tests.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_test.go
func TestSignature(t *testing.T) {
	const secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`
	now := time.Unix(1614265330, 0)
	header := http.Header{}
	header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set("webhook-timestamp", "1614265330")
	header.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,other")
	if err := Verify(header, []byte(body), secret, now, time.Minute); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"another body":   Verify(header, []byte(body+" "), secret, now, time.Minute),
		"another secret": Verify(header, []byte(body), "whsec_AAAA"+secret[len(secretPrefix):], now, time.Minute),
		"later":          Verify(header, []byte(body), secret, now.Add(time.Hour), time.Minute),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
