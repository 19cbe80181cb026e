package adminclient_test

import (
	"slices"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func TestWebhooks(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	made, err := c.CreateWebhook(ctx, "hook", adminapi.WebhookSettings{URL: new("http://127.0.0.1:1/")})
	if err != nil || made.Name != "hook" || !made.Enabled || made.ETag == "" || made.Secret == "" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	if _, err := c.CreateWebhook(ctx, "hook", adminapi.WebhookSettings{URL: new("http://a/")}); !isProblem(err, "WebhookExists") {
		t.Errorf("create again: %v", err)
	}
	if got, err := c.Webhook(ctx, "hook"); err != nil || got.ETag != made.ETag || len(got.Events) != 2 {
		t.Errorf("get: %+v, %v", got, err)
	}
	if all, err := c.Webhooks(ctx); err != nil || len(all) != 1 {
		t.Errorf("list: %+v, %v", all, err)
	}
	changed, err := c.ChangeWebhook(ctx, "hook", adminapi.WebhookSettings{Events: []string{"*"}}, made.ETag)
	if err != nil || !slices.Equal(changed.Events, []string{"*"}) || !changed.Enabled {
		t.Errorf("change: %+v, %v", changed, err)
	}
	if _, err := c.ChangeWebhook(ctx, "hook", adminapi.WebhookSettings{}, made.ETag); !isProblem(err, "PreconditionFailed") {
		t.Errorf("change what has changed: %v", err)
	}
	// What a method is given goes before what the client has.
	replaced, err := c.IfMatch(changed.ETag).CreateWebhook(ctx, "hook", adminapi.WebhookSettings{URL: new("http://127.0.0.1:1/b")})
	if err != nil || replaced.URL != "http://127.0.0.1:1/b" || replaced.Secret != "" || replaced.ETag == changed.ETag {
		t.Errorf("replace: %+v, %v", replaced, err)
	}
	if err := c.IfMatch(replaced.ETag).DeleteWebhook(ctx, "hook", changed.ETag); !isProblem(err, "PreconditionFailed") {
		t.Errorf("delete what has changed: %v", err)
	}
	if _, err := c.ChangeWebhook(ctx, "", adminapi.WebhookSettings{}, ""); err == nil {
		t.Error("a webhook without a name is another path")
	}
	if result, err := c.TestWebhook(ctx, "hook"); err != nil || result.Error == "" {
		t.Errorf("test: %+v, %v", result, err)
	}
	for limit, refused := range map[int]bool{0: false, 10: false, adminapi.MaxEvents: false, adminapi.MaxEvents + 1: true} {
		events, err := c.Events(ctx, 0, limit)
		if len(events.Events) > 0 || (err != nil) != refused || (refused && !isProblem(err, "InvalidArgument")) {
			t.Errorf("%d events: %+v, %v", limit, events, err)
		}
	}
	if err := c.DeleteWebhook(ctx, "hook", replaced.ETag); err != nil {
		t.Error(err)
	}
	if _, err := c.Webhook(ctx, "hook"); !isProblem(err, "NoSuchWebhook") {
		t.Errorf("get what is deleted: %v", err)
	}
}
