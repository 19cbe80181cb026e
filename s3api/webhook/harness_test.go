package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

// patience bounds waiting for what must happen; only a test that fails waits for so long.
const patience = 20 * time.Second

// fixture is a store with webhooks that are being sent to.
type fixture struct {
	testing.TB
	options backend.Options
	hooks   Options
	store   *backend.Store
	*Service

	// waits gets each time that a queue waits for, and ticks ends one wait.
	waits chan time.Duration
	ticks chan struct{}
}

func newFixture(t testing.TB) *fixture {
	keyring, err := encryption.ParseKeyring("default q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{TB: t, waits: make(chan time.Duration, 1000), ticks: make(chan struct{})}
	f.options = backend.Options{Dir: t.TempDir(), NoSync: true, Thresholds: backend.DefaultThresholds()}
	f.hooks = Options{
		Keyring: keyring, Region: "us-east-1", Client: newClient(),
		Wait: func(ctx context.Context, d time.Duration) {
			f.waits <- d
			select {
			case <-ctx.Done():
			case <-f.ticks:
			}
		},
	}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fixture) start() {
	f.Helper()
	var err error
	if f.store, err = backend.Open(f.options); err != nil {
		f.Fatal(err)
	}
	f.hooks.Store = f.store
	if f.Service, err = Open(background, f.hooks); err != nil {
		f.Fatal(err)
	}
	f.Start()
}

func (f *fixture) stop() {
	f.Service.Close()
	if err := f.store.Close(); err != nil {
		f.Errorf("close: %v", err)
	}
	f.hooks.Client.CloseIdleConnections()
}

func (f *fixture) restart() {
	f.Helper()
	f.stop()
	f.start()
}

// create makes a webhook, and returns its secret.
func (f *fixture) create(name, url string, events ...string) string {
	f.Helper()
	_, secret, err := f.Create(background, Webhook{Name: name, URL: url, Events: events, Enabled: true}, "")
	if err != nil {
		f.Fatalf("create %s: %v", name, err)
	}
	return secret
}

// bucket makes a bucket whose creations of objects a webhook is told of.
func (f *fixture) bucket(name, hook string) {
	f.Helper()
	rules := event.Rules{Rules: []event.Rule{{ID: "rule", Webhook: hook, Events: []string{"s3:ObjectCreated:*"}}}}
	err := f.store.CreateBucket(background, backend.CreateBucketInput{
		Name: meta.BucketName(name), Owner: "ada",
		Configs: []meta.Config{{Kind: backend.ConfigNotification, Value: rules.Marshal()}},
	})
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) put(bucket, key string) {
	f.Helper()
	_, err := f.store.PutObject(background, backend.PutObjectInput{
		Bucket: meta.BucketName(bucket), Key: meta.Key(key), Owner: "ada",
		Body: backend.Body{Reader: bytes.NewReader([]byte("hello")), Size: 5},
	})
	if err != nil {
		f.Fatalf("put %s/%s: %v", bucket, key, err)
	}
}

// receiver is what a webhook's URL leads to.
type receiver struct {
	testing.TB
	*httptest.Server
	secret string
	got    chan delivered // what it has taken, in order

	mu     sync.Mutex
	answer func(d delivered) int // guarded by mu; nil takes everything
}

// delivered is a request as its receiver sees it.
type delivered struct {
	CloudEvent
	header http.Header
	bucket string
	key    string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{TB: t, got: make(chan delivered, 10_000)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(answer func(d delivered) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, rq *http.Request) {
	body, err := io.ReadAll(rq.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	secret, answer := r.secret, r.answer
	r.mu.Unlock()
	if err := Verify(rq.Header, body, secret, time.Now(), time.Minute); secret != "" && err != nil {
		r.Errorf("%s: %v", body, err)
	}
	d := delivered{header: rq.Header}
	var data struct{ Records []Record }
	d.Data = &data
	if err := json.Unmarshal(body, &d.CloudEvent); err != nil {
		r.Errorf("%s: %v", body, err)
	}
	if len(data.Records) == 1 {
		d.bucket, d.key = data.Records[0].S3.Bucket.Name, data.Records[0].S3.Object.Key
	}
	var raw struct{ Data any }
	_ = json.Unmarshal(body, &raw)
	d.Data = raw.Data
	status := http.StatusNoContent
	if answer != nil {
		status = answer(d)
	}
	if status/100 == 2 {
		r.got <- d
	}
	w.WriteHeader(status)
}

// next returns the next event that is taken.
func (r *receiver) next() delivered {
	r.Helper()
	select {
	case d := <-r.got:
		return d
	case <-time.After(patience):
		r.Fatal("no event comes")
		panic("unreachable")
	}
}

// want requires the next events, as bucket/key.
func (r *receiver) want(names ...string) {
	r.Helper()
	var got []string
	for range names {
		d := r.next()
		got = append(got, d.bucket+"/"+d.key)
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		r.Errorf("got %s, want %s", strings.Join(got, " "), strings.Join(names, " "))
	}
}

// failing waits until a queue has failed and waits to try again; it returns for how long it would.
func (f *fixture) failing() time.Duration {
	f.Helper()
	select {
	case d := <-f.waits:
		return d
	case <-time.After(patience):
		f.Fatal("nothing has failed")
		return 0
	}
}

// retry lets a queue that waits try again.
func (f *fixture) retry() {
	f.Helper()
	select {
	case f.ticks <- struct{}{}:
	case <-time.After(patience):
		f.Fatal("nothing waits")
	}
}

// settled waits until a webhook has everything, and the answers are read as well.
func (f *fixture) settled(name string) {
	f.Helper()
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		st, err := f.Status(background, name)
		if err == nil && st.Queued == 0 {
			return
		}
		if err != nil || time.Now().After(end) {
			f.Fatalf("%+v, %v", st, err)
		}
	}
}
