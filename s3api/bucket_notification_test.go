package s3api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

// withWebhooks has webhooks that nothing is sent to: events stay in the outbox.
func withWebhooks(t *testing.T, names ...string) func(*s3api.Config) {
	return func(c *s3api.Config) {
		var err error
		c.Webhooks, err = webhook.Open(context.Background(), webhook.Options{Store: c.Store, Keyring: c.Keyring, Region: c.Region})
		for _, name := range names {
			if err == nil {
				w := webhook.Webhook{Name: name, URL: "http://127.0.0.1:1/", Enabled: true}
				_, _, err = c.Webhooks.Create(context.Background(), w, "")
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (s *server) putNotification(bucket, rules string) answer {
	return s.do(call{
		method: http.MethodPut, path: "/" + bucket + "?notification",
		body: "<NotificationConfiguration>" + rules + "</NotificationConfiguration>",
	})
}

// queue is a rule for a webhook; filter is empty, or "prefix suffix".
func queue(id, arn, filter string, events ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<QueueConfiguration><Id>%s</Id><Queue>%s</Queue>", id, arn)
	for _, e := range events {
		fmt.Fprintf(&b, "<Event>%s</Event>", e)
	}
	if prefix, suffix, ok := strings.Cut(filter, " "); ok {
		fmt.Fprintf(&b, "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>%s</Value></FilterRule>"+
			"<FilterRule><Name>suffix</Name><Value>%s</Value></FilterRule></S3Key></Filter>", prefix, suffix)
	}
	return b.String() + "</QueueConfiguration>"
}

const hookARN = "arn:minio:sqs::hook:webhook"

func TestNotificationConfiguration(t *testing.T) {
	s := newServer(t, withWebhooks(t, "hook"))
	s.bucket("photos")
	s.putNotification("photos", queue("q", hookARN, "in/ .jpg", "s3:ObjectRemoved:*", "s3:ObjectCreated:*")+
		"<TopicConfiguration><Topic>arn:minio:sqs:us-east-1:hook:webhook</Topic><Event>s3:ObjectTagging:*</Event>"+
		"</TopicConfiguration><CloudFunctionConfiguration><Id>f</Id><CloudFunction>arn:plimsoll:sqs::hook:webhook"+
		"</CloudFunction><Event>plimsoll:QuotaRefused</Event></CloudFunctionConfiguration>").want(t, 200)
	got := s.get("/photos?notification").want(t, 200).body
	at := strings.Index(got, "<TopicConfiguration><Id>")
	if at < 0 {
		t.Fatalf("got %s", got)
	}
	at += len("<TopicConfiguration><Id>")
	id := got[at : at+strings.Index(got[at:], "<")]
	want := "<TopicConfiguration><Id>" + id + "</Id><Topic>arn:minio:sqs:us-east-1:hook:webhook</Topic>" +
		"<Event>s3:ObjectTagging:*</Event></TopicConfiguration>" +
		queue("q", hookARN, "in/ .jpg", "s3:ObjectCreated:*", "s3:ObjectRemoved:*") +
		"<CloudFunctionConfiguration><Id>f</Id><CloudFunction>arn:plimsoll:sqs::hook:webhook</CloudFunction>" +
		"<Event>plimsoll:QuotaRefused</Event></CloudFunctionConfiguration></NotificationConfiguration>"
	if id == "" || !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	// What was read can be put again, and an empty one takes it away.
	s.do(call{method: http.MethodPut, path: "/photos?notification", body: got}).want(t, 200)
	if again := s.get("/photos?notification").body; again != got {
		t.Errorf("put again, it is %s", again)
	}
	s.putNotification("photos", "").want(t, 200)
	if got := s.get("/photos?notification").body; strings.Contains(got, "<Id>") {
		t.Errorf("taken away, it is %s", got)
	}
}

func TestNotificationRefusals(t *testing.T) {
	s := newServer(t, withWebhooks(t, "hook"))
	s.bucket("photos")
	created := "s3:ObjectCreated:*"
	kept := queue("kept", hookARN, "", created)
	s.putNotification("photos", kept).want(t, 200)
	many := ""
	for i := range 101 {
		many += queue(fmt.Sprint(i), hookARN, fmt.Sprintf("%03d/ x", i), created)
	}
	filter := func(rules string) string {
		return "<QueueConfiguration><Queue>" + hookARN + "</Queue><Event>" + created + "</Event><Filter><S3Key>" + rules +
			"</S3Key></Filter></QueueConfiguration>"
	}
	rule := func(name, value string) string {
		return "<FilterRule><Name>" + name + "</Name><Value>" + value + "</Value></FilterRule>"
	}
	const unable = "Unable to validate the following destination configurations"
	for _, c := range []struct {
		name, rules string
		status      int
		code, says  string
	}{
		{"AWS's queue", queue("", "arn:aws:sqs:us-east-1:123456789012:q", "", created), 400, "InvalidArgument", unable},
		{"no such webhook", queue("", "arn:minio:sqs::other:webhook", "", created), 400, "InvalidArgument", unable},
		{"another region", queue("", "arn:minio:sqs:eu-west-1:hook:webhook", "", created), 400, "InvalidArgument", unable},
		{"another kind", queue("", "arn:minio:sqs::hook:kafka", "", created), 400, "InvalidArgument", unable},
		{"no ARN", queue("", "", "", created), 400, "MalformedXML", ""},
		{"an ARN in another's place", strings.ReplaceAll(kept, "QueueConfiguration", "TopicConfiguration"), 400, "MalformedXML", ""},
		{"no event", queue("", hookARN, ""), 400, "MalformedXML", ""},
		{"unknown event", queue("", hookARN, "", "s3:ObjectAccessed:*"), 400, "InvalidArgument", "not supported"},
		{"an event of what is not done", queue("", hookARN, "", "s3:ObjectRestore:*"), 501, "NotImplemented", ""},
		{"EventBridge", "<EventBridgeConfiguration/>", 501, "NotImplemented", ""},
		{"unknown element", "<Other/>", 400, "MalformedXML", ""},
		{"long id", queue(strings.Repeat("i", 256), hookARN, "", created), 400, "InvalidArgument", "255"},
		{"same id", queue("a", hookARN, "", created) + queue("a", hookARN, "", "s3:ObjectAcl:Put"), 400, "InvalidArgument", "unique"},
		{"overlap", queue("a", hookARN, "a .jpg", created) + queue("b", hookARN, "ab jpg", "s3:ObjectCreated:Put"), 400, "InvalidArgument", "ambiguously"},
		{"too many", many, 400, "InvalidRequest", "100"},
		{"filter by another name", filter(rule("infix", "a")), 400, "InvalidArgument", "either prefix or suffix"},
		{"two prefixes", filter(rule("prefix", "a") + rule("Prefix", "b")), 400, "InvalidArgument", "more than one"},
		{"long prefix", filter(rule("prefix", strings.Repeat("a", 1025))), 400, "InvalidArgument", "1024"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if e := s.putNotification("photos", c.rules).wantError(t, c.status, c.code); !strings.Contains(e.Message, c.says) {
				t.Errorf("it says %q", e.Message)
			}
			if got := s.get("/photos?notification").body; !strings.HasSuffix(got, kept+"</NotificationConfiguration>") {
				t.Errorf("a refused configuration has left %s", got)
			}
		})
	}
	s.putNotification("photos", queue("a", hookARN, "a .jpg", created)+queue("b", hookARN, "a .png", created)).want(t, 200)
	s.putNotification("none", kept).wantError(t, 404, "NoSuchBucket")
}

// told returns the events of the outbox in lines.
func (s *server) told() (lines []string) {
	s.t.Helper()
	rows, err := s.store.Events(context.Background(), 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range rows {
		e, err := event.Unmarshal(row.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		if e.RequestID == "" || e.SourceIP != "127.0.0.1" || e.UserAgent == "" {
			s.t.Errorf("the event does not tell where it comes from: %+v", e)
		}
		lines = append(lines, fmt.Sprintf("%s %s by %s", e.Type, e.Key, e.Principal))
	}
	return lines
}

// TestNotifications does all that events tell of.
func TestNotifications(t *testing.T) {
	s := newServer(t, withWebhooks(t, "hook"))
	s.bucket("photos")
	s.put("/photos/before", "x")
	s.putNotification("photos", queue("q", hookARN, "", "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*",
		"plimsoll:QuotaRefused")).want(t, 200)
	alice := s.user("alice", "readwrite")
	s.put("/photos/put", "x")
	s.do(call{
		method: http.MethodPut, path: "/photos/copy", as: alice, header: map[string]string{"X-Amz-Copy-Source": "/photos/put"},
	}).want(t, 200)
	id := s.createUpload("/photos/parts")
	s.complete("/photos/parts", id, s.uploadPart("/photos/parts", id, 1, "x").header.Get("ETag")).want(t, 200)
	s.post("photos", (&form{file: "x"}).add("key", "posted").sign(t, "photos", nil).body()).want(t, 204)
	s.do(call{
		method: http.MethodPut, path: "/photos/put?tagging",
		body: "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
	}).want(t, 200)
	s.do(call{method: http.MethodDelete, path: "/photos/put?tagging"}).want(t, 204)
	s.do(call{method: http.MethodDelete, path: "/photos/put"}).want(t, 204)
	s.do(call{method: http.MethodDelete, path: "/photos/put"}).want(t, 204) // which is not there
	s.deleteObjects("<Delete><Object><Key>copy</Key></Object><Object><Key>posted</Key></Object></Delete>", alice, nil).want(t, 200)
	s.do(call{method: http.MethodPut, path: "/photos/k", body: "x", header: map[string]string{"If-Match": `"0"`}}).want(t, 404)
	s.limit("photos", quota.Limit{MaxBytes: 2})
	s.do(call{method: http.MethodPut, path: "/photos/large", body: "xxx"}).want(t, 507)
	want := []string{
		"s3:ObjectCreated:Put put by root", "s3:ObjectCreated:Copy copy by alice",
		"s3:ObjectCreated:CompleteMultipartUpload parts by root", "s3:ObjectCreated:Post posted by root",
		"s3:ObjectTagging:Put put by root", "s3:ObjectTagging:Delete put by root", "s3:ObjectRemoved:Delete put by root",
		"s3:ObjectRemoved:Delete copy by alice", "s3:ObjectRemoved:Delete posted by alice", "quota.refused large by root",
	}
	for end := time.Now().Add(10 * time.Second); len(s.told()) < len(want) && time.Now().Before(end); {
		<-s.store.EventsChanged() // the refusal comes by itself
	}
	if got := s.told(); !slices.Equal(got, want) {
		t.Errorf("told\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
