package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/webhook"
)

func webhookDocument(w webhook.Webhook) adminapi.Webhook {
	return adminapi.Webhook{
		Name: w.Name, ARN: "arn:minio:sqs::" + w.Name + ":webhook", URL: w.URL, Enabled: w.Enabled, Created: w.Created,
		Updated: w.Updated,
		Events:  append([]string{}, w.Events...), // not null
	}
}

// webhookETag returns the entity tag of a webhook. A new secret changes it: it is never sealed twice in the same way.
func webhookETag(w webhook.Webhook) string {
	return documentETag(struct {
		adminapi.Webhook
		Sealed []byte `json:"sealed"`
	}{webhookDocument(w), w.Sealed})
}

// notedWebhook is a webhook as the audit log has it. Its URL may have a token in its path or its query, and the log may be
// read by more people than administer the server: of the URL it has where it leads, and a hash that tells changes.
type notedWebhook struct {
	Name          string    `json:"name"`
	URL           string    `json:"url"`
	URLHash       string    `json:"url_hash"`
	Events        []string  `json:"events"`
	Enabled       bool      `json:"enabled"`
	Created       time.Time `json:"created"`
	SecretChanged bool      `json:"secret_changed,omitempty"`
}

func noted(w webhook.Webhook) notedWebhook {
	sum := sha256.Sum256([]byte(w.URL))
	n := notedWebhook{
		Name: w.Name, URLHash: hex.EncodeToString(sum[:16]), Events: w.Events, Enabled: w.Enabled, Created: w.Created,
	}
	if u, err := url.Parse(w.URL); err == nil {
		n.URL = u.Scheme + "://" + u.Host
	}
	return n
}

// webhooks returns what keeps webhooks.
func (rq *request) webhooks() (*webhook.Service, error) {
	if rq.handler.config.Webhooks == nil {
		return nil, problem("NotImplemented", http.StatusNotImplemented, "The server has no webhooks.")
	}
	return rq.handler.config.Webhooks, nil
}

// webhook returns a document with how the webhook is doing.
func (rq *request) webhook(service *webhook.Service, w webhook.Webhook) adminapi.Webhook {
	d := webhookDocument(w)
	if st, err := service.Status(rq.r.Context(), w.Name); err == nil {
		d.Delivery = &adminapi.WebhookDelivery{
			QueuedEvents: st.Queued, Delivered: st.Delivered, FailedAttempts: st.FailedAttempts, Dropped: st.Dropped, Failing: st.Failing,
			LastError: st.LastError, LastFailure: st.LastFailure, LastDelivered: st.LastDelivered,
		}
	}
	return d
}

func (rq *request) answerWebhook(service *webhook.Service, w webhook.Webhook) error {
	rq.w.Header().Set("ETag", webhookETag(w))
	return rq.answer(http.StatusOK, rq.webhook(service, w))
}

func getWebhooks(rq *request) error {
	service, err := rq.webhooks()
	if err != nil {
		return err
	}
	answer := adminapi.Webhooks{Webhooks: []adminapi.Webhook{}}
	for _, w := range service.Webhooks() {
		answer.Webhooks = append(answer.Webhooks, rq.webhook(service, w))
	}
	return rq.answer(http.StatusOK, answer)
}

func getWebhook(rq *request) error {
	service, err := rq.webhooks()
	if err != nil {
		return err
	}
	w, err := service.Webhook(rq.name)
	if err != nil {
		return err
	}
	return rq.answerWebhook(service, w)
}

// webhookBody is adminapi.WebhookSettings as a body has it.
type webhookBody struct {
	URL     setting[string]   `json:"url"`
	Secret  setting[string]   `json:"secret"`
	Events  setting[[]string] `json:"events"`
	Enabled setting[bool]     `json:"enabled"`
}

const webhookFields = "url, secret, events and enabled"

// over changes what the body has.
func (b *webhookBody) over(w *webhook.Webhook) {
	if b.URL.given {
		w.URL = b.URL.value
	}
	if b.Events.given {
		w.Events = b.Events.value
	}
	if b.Enabled.given {
		w.Enabled = b.Enabled.value
	}
}

// putWebhook makes a webhook. With If-Match it replaces the settings of the one that the client knows; its secret stays
// where none is given.
func putWebhook(rq *request) error {
	service, err := rq.webhooks()
	if err != nil {
		return err
	}
	body, err := decode[webhookBody](rq, webhookFields)
	if err != nil {
		return err
	}
	settings := webhook.Webhook{Name: rq.name, Events: webhook.DefaultEvents(), Enabled: true}
	body.over(&settings)
	if rq.conditional() {
		err := rq.changeWebhook(service, body.Secret.value, func(w *webhook.Webhook) {
			w.URL, w.Events, w.Enabled = settings.URL, settings.Events, settings.Enabled
		})
		if errors.Is(err, webhook.ErrNoSuchWebhook) {
			return rq.condition("")
		}
		return err
	}
	w, secret, err := service.Create(rq.r.Context(), settings, body.Secret.value)
	if err != nil {
		return rq.taken(err, webhook.ErrWebhookExists)
	}
	rq.note(nil, noted(w))
	rq.w.Header().Set("ETag", webhookETag(w))
	return rq.answer(http.StatusCreated, adminapi.CreatedWebhook{Webhook: rq.webhook(service, w), Secret: secret})
}

// patchWebhook changes what the body has. https://www.rfc-editor.org/rfc/rfc7396
func patchWebhook(rq *request) error {
	service, err := rq.webhooks()
	if err != nil {
		return err
	}
	body, err := decode[webhookBody](rq, webhookFields)
	if err != nil {
		return err
	}
	return rq.changeWebhook(service, body.Secret.value, body.over)
}

// changeWebhook changes the webhook that the path names, if it is as the conditions say.
func (rq *request) changeWebhook(service *webhook.Service, secret string, edit func(*webhook.Webhook)) error {
	var old webhook.Webhook
	w, err := service.Change(rq.r.Context(), rq.name, secret, func(w *webhook.Webhook) error {
		if err := rq.condition(webhookETag(*w)); err != nil {
			return err
		}
		old = *w
		edit(w)
		return nil
	})
	if err != nil {
		return err
	}
	after := noted(w)
	after.SecretChanged = !bytes.Equal(old.Sealed, w.Sealed)
	rq.note(noted(old), after)
	return rq.answerWebhook(service, w)
}

// deleteWebhook removes a webhook that no bucket's notification configuration names.
func deleteWebhook(rq *request) error {
	service, err := rq.webhooks()
	if err != nil {
		return err
	}
	err = service.Remove(rq.r.Context(), rq.name, func(w webhook.Webhook) error {
		if err := rq.condition(webhookETag(w)); err != nil {
			return err
		}
		rq.note(noted(w), nil)
		return rq.toldByNone(w.Name)
	})
	if err != nil {
		return err
	}
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}

// toldByNone fails where buckets tell a webhook: what happens in them would go nowhere.
func (rq *request) toldByNone(name string) error {
	buckets := rq.handler.config.Store.BucketsTelling(name)
	if len(buckets) == 0 {
		return nil
	}
	p := problem("WebhookInUse", http.StatusConflict, fmt.Sprintf("The notification configurations of buckets name "+
		"webhook %q: %s. Change them first, or disable the webhook.", name, listed(buckets)))
	p.Buckets = buckets
	return p
}

// testWebhook sends an event, once, and tells what became of it.
func testWebhook(rq *request) error {
	service, err := rq.webhooks()
	if err != nil {
		return err
	}
	r, err := service.Test(rq.r.Context(), rq.name)
	if err != nil {
		return err
	}
	return rq.answer(http.StatusOK, adminapi.WebhookTest{
		Status: r.Status, Error: r.Error, Milliseconds: r.Duration.Milliseconds(),
	})
}

// getEvents lists the events that are still kept, above the sequence that after says.
func getEvents(rq *request) error {
	values, err := rq.parameters("after", "limit")
	if err != nil {
		return err
	}
	first, err := integer(values, "after", 0, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	limit, err := integer(values, "limit", adminapi.MaxEvents, 1, adminapi.MaxEvents)
	if err != nil {
		return err
	}
	after := uint64(first)
	store, region := rq.handler.config.Store, rq.handler.config.Webhooks.Region()
	outbox, err := store.Outbox(rq.r.Context())
	if err != nil {
		return err
	}
	answer := adminapi.Events{Events: []json.RawMessage{}, LastSequence: outbox.Last, Next: after}
	rows, err := store.Events(rq.r.Context(), after, int(limit))
	if err != nil {
		return err
	}
	for _, row := range rows {
		answer.Next = row.Sequence
		e, err := event.Unmarshal(row.Value)
		if err = errors.Join(row.Err, err); err != nil {
			rq.handler.config.Log.Error("an event cannot be read", "sequence", row.Sequence, "error", err)
			continue
		}
		raw, err := json.Marshal(webhook.Listed(e, row.Sequence, region))
		if err != nil {
			return err
		}
		answer.Events = append(answer.Events, raw)
	}
	return rq.answer(http.StatusOK, answer)
}

// webhookProblem returns the problem of an error of package webhook, or nil.
func (rq *request) webhookProblem(err error) *adminapi.Problem {
	var (
		invalid *webhook.InvalidError
		name    = strconv.Quote(rq.name)
	)
	switch {
	case errors.As(err, &invalid):
		return problem("InvalidArgument", http.StatusBadRequest, control.Sentence(err))
	case errors.Is(err, webhook.ErrNoSuchWebhook):
		return problem("NoSuchWebhook", http.StatusNotFound, "There is no webhook "+name+".")
	case errors.Is(err, webhook.ErrWebhookExists):
		return problem("WebhookExists", http.StatusConflict, "Webhook "+name+" exists already.")
	case errors.Is(err, webhook.ErrTooMany):
		return problem("TooManyWebhooks", http.StatusConflict, control.Sentence(err))
	case errors.Is(err, webhook.ErrNoKeyring):
		return problem("NoKeyring", http.StatusNotImplemented, "The server has no keyring, and keeps no secrets without one.")
	default:
		return nil
	}
}
