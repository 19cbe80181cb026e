package adminclient

import (
	"context"
	"fmt"
	"net/http"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// Webhooks returns all webhooks by name.
func (c *Client) Webhooks(ctx context.Context) ([]adminapi.Webhook, error) {
	all, err := get[adminapi.Webhooks](ctx, c, "webhooks")
	return all.Webhooks, err
}

// Webhook returns a webhook.
func (c *Client) Webhook(ctx context.Context, name string) (adminapi.Webhook, error) {
	return at[adminapi.Webhook](ctx, c, request{method: http.MethodGet}, "webhooks", name)
}

// CreateWebhook makes a webhook, which is enabled unless the settings say otherwise, and is the only one to be told its
// secret, which is made where the settings have none. The Problem WebhookExists says that there is one: a client with
// IfMatch replaces its settings instead, and is told no secret.
func (c *Client) CreateWebhook(
	ctx context.Context, name string, settings adminapi.WebhookSettings,
) (adminapi.CreatedWebhook, error) {
	return at[adminapi.CreatedWebhook](ctx, c, request{method: http.MethodPut, body: settings}, "webhooks", name)
}

// ChangeWebhook changes what is not nil. With an ETag the Problem PreconditionFailed says that the webhook is another by
// then; an empty one takes the webhook as it is.
func (c *Client) ChangeWebhook(
	ctx context.Context, name string, settings adminapi.WebhookSettings, etag string,
) (adminapi.Webhook, error) {
	return at[adminapi.Webhook](ctx, c, request{method: http.MethodPatch, body: settings, ifMatch: etag}, "webhooks", name)
}

// DeleteWebhook removes a webhook. The Problem WebhookInUse says that buckets tell it, and names them. The ETag is as for
// ChangeWebhook.
func (c *Client) DeleteWebhook(ctx context.Context, name, etag string) error {
	return c.remove(ctx, etag, "webhooks", name)
}

// TestWebhook has the server send a webhook an event, once, and tells what became of it.
func (c *Client) TestWebhook(ctx context.Context, name string) (adminapi.WebhookTest, error) {
	return at[adminapi.WebhookTest](ctx, c, request{method: http.MethodPost}, "webhooks", name, "test")
}

// Events returns up to limit events, the oldest of those above a sequence; 0 for as many as the server gives at once.
func (c *Client) Events(ctx context.Context, after uint64, limit int) (adminapi.Events, error) {
	path := fmt.Sprintf("events?after=%d", after)
	if limit > 0 {
		path += fmt.Sprintf("&limit=%d", limit)
	}
	return get[adminapi.Events](ctx, c, path)
}
