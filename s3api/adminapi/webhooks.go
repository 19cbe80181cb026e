package adminapi

import (
	"encoding/json"
	"time"
)

// Webhook is a URL that gets events.
type Webhook struct {
	Name string `json:"name"`
	// ARN names the webhook in the notification configurations of buckets.
	ARN string `json:"arn"`
	URL string `json:"url"`
	// Events are the types that it gets whatever the configurations of buckets say, in order.
	Events  []string  `json:"events"`
	Enabled bool      `json:"enabled"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Delivery is how the webhook is doing. It is no part of what ETag tells.
	Delivery *WebhookDelivery `json:"delivery,omitempty"`
	// ETag comes in the header of an answer about one webhook.
	ETag string `json:"-"`
}

// WebhookDelivery is what became of the events for a webhook since the server was started.
type WebhookDelivery struct {
	// QueuedEvents is how many events of the outbox the webhook has not been through; some may not be for it.
	QueuedEvents   uint64 `json:"queued_events"`
	Delivered      int64  `json:"delivered_events"`
	FailedAttempts int64  `json:"failed_attempts"`
	// Dropped is how many events were too old when the webhook was too far behind others.
	Dropped int64 `json:"dropped_events"`
	// Failing says that the last attempt failed.
	Failing       bool      `json:"failing"`
	LastError     string    `json:"last_error,omitempty"`
	LastFailure   time.Time `json:"last_failure,omitzero"`
	LastDelivered time.Time `json:"last_delivered,omitzero"`
}

// Webhooks are all webhooks, by name.
type Webhooks struct {
	Webhooks []Webhook `json:"webhooks"`
}

// WebhookSettings is the body that makes or changes a webhook. What is nil is left out.
type WebhookSettings struct {
	URL *string `json:"url,omitempty"`
	// Secret signs what is sent; one that begins with whsec_ is base64 of the key. It is not told again.
	Secret *string `json:"secret,omitempty"`
	// Events are all that it shall get by itself.
	Events  []string `json:"events,omitzero"`
	Enabled *bool    `json:"enabled,omitempty"`
}

// CreatedWebhook is a webhook with its secret, which is told once.
type CreatedWebhook struct {
	Webhook
	Secret string `json:"secret"`
}

// WebhookTest is what became of a test.
type WebhookTest struct {
	// Status is that of the answer, 0 where there was none; Error is empty where the event was taken.
	Status       int    `json:"status"`
	Error        string `json:"error,omitempty"`
	Milliseconds int64  `json:"duration_milliseconds"`
}

// Events is a page of the events that are still kept, oldest first.
type Events struct {
	// Events are CloudEvents 1.0 in JSON. Their sequence is the number that after takes.
	Events []json.RawMessage `json:"events"`
	// LastSequence is that of the newest event that there ever was, Next what after is for the next page: that of the
	// last event on this one, or what was asked for where there is none.
	LastSequence uint64 `json:"last_sequence"`
	Next         uint64 `json:"next"`
}

// MaxEvents is how many events a page has at most, and has where no limit is asked for.
const MaxEvents = 1000
