package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// The kinds of records that a Service keeps: webhooks, and up to which event each has everything.
const (
	hookRecord   meta.RecordKind = "webhook"
	cursorRecord meta.RecordKind = "webhook-cursor"
)

// maxWebhooks bounds how many webhooks there are: each has a queue, and series of its own in the metrics.
const maxWebhooks = 100

// What a Service refuses.
var (
	ErrNoSuchWebhook = errors.New("no such webhook")
	ErrWebhookExists = errors.New("the webhook exists")
	ErrTooMany       = fmt.Errorf("there are %d webhooks, and no more are allowed", maxWebhooks)
	// ErrNoKeyring says that no secret can be kept: the server was started without a key file.
	ErrNoKeyring = errors.New("no keyring to seal secrets with")
)

// InvalidError says what is wrong with a webhook that is to be kept.
type InvalidError struct{ What, Reason string }

// Error implements error.
func (e *InvalidError) Error() string { return fmt.Sprintf("invalid %s: %s", e.What, e.Reason) }

// Webhook is a URL that gets events.
type Webhook struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Events are the types that it gets whatever the configurations of buckets say, of event.Patterns.
	Events  []string  `json:"events"`
	Enabled bool      `json:"enabled"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Sealed  []byte    `json:"sealed"`
}

// DefaultEvents are what a webhook subscribes to that is not told otherwise.
func DefaultEvents() []string { return []string{event.QuotaThreshold, event.QuotaRefused} }

var hookName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

const maxURLBytes = 2048

// check returns *InvalidError where the webhook cannot be kept, and puts its events in order.
func (w *Webhook) check() error {
	if !hookName.MatchString(w.Name) {
		return &InvalidError{"webhook name", "1 to 64 letters, digits and _- are allowed"}
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || len(w.URL) > maxURLBytes || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return &InvalidError{"URL", "http:// or https://, a host, and no more than 2048 bytes are allowed"}
	case u.User != nil:
		return &InvalidError{"URL", "it is shown to administrators, and must have no credentials; deliveries are signed"}
	case u.Fragment != "":
		return &InvalidError{"URL", "a fragment is not sent"}
	}
	for _, pattern := range w.Events {
		if !slices.Contains(event.Patterns(), pattern) {
			return &InvalidError{"event " + pattern, "these are known: " + strings.Join(event.Patterns(), ", ")}
		}
	}
	w.Events = slices.Compact(slices.Sorted(slices.Values(w.Events)))
	return nil
}

func (w *Webhook) copy() Webhook {
	c := *w
	c.Events = append([]string{}, w.Events...)
	return c
}

// purpose binds a sealed secret to its webhook.
func purpose(name string) string { return "webhook " + name }

// Webhooks returns all webhooks by name.
func (s *Service) Webhooks() []Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Webhook
	for _, q := range s.sortedLocked() {
		all = append(all, q.hook.copy())
	}
	return all
}

// Webhook returns a webhook, or ErrNoSuchWebhook.
func (s *Service) Webhook(name string) (Webhook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return Webhook{}, ErrNoSuchWebhook
	}
	return q.hook.copy(), nil
}

// Create keeps a webhook, which gets what happens from now on, and returns its secret: the one that is given, or one that
// is made where none is. It fails with ErrWebhookExists, ErrTooMany, ErrNoKeyring and *InvalidError.
func (s *Service) Create(ctx context.Context, w Webhook, secret string) (Webhook, string, error) {
	if s.options.Keyring == nil {
		return Webhook{}, "", ErrNoKeyring
	}
	if secret == "" {
		secret = newSecret()
	}
	key, err := keyOf(secret)
	if err == nil {
		err = w.check()
	}
	if err != nil {
		return Webhook{}, "", err
	}
	w.Created = s.now()
	w.Updated, w.Sealed = w.Created, s.options.Keyring.Seal(purpose(w.Name), []byte(secret))
	s.changes.Lock()
	defer s.changes.Unlock()
	switch _, err := s.Webhook(w.Name); {
	case err == nil:
		return Webhook{}, "", ErrWebhookExists
	case len(s.Webhooks()) >= maxWebhooks:
		return Webhook{}, "", ErrTooMany
	}
	outbox, err := s.options.Store.Outbox(ctx)
	if err == nil {
		err = s.options.Store.PutRecords(ctx, hookPut(&w), cursorPut(w.Name, outbox.Last))
	}
	if err != nil {
		return Webhook{}, "", err
	}
	s.install(&w, key, outbox.Last)
	return w.copy(), secret, nil
}

// Change changes what edit changes of a webhook: its URL, its events, whether it is enabled, and, where a secret is given,
// that. No other change comes between what edit is shown and what it makes of it; where edit fails nothing changes, and its
// error is returned. It fails with ErrNoSuchWebhook and *InvalidError.
func (s *Service) Change(ctx context.Context, name, secret string, edit func(*Webhook) error) (Webhook, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	w, err := s.Webhook(name)
	if err != nil {
		return Webhook{}, err
	}
	was := w.Enabled
	if err := edit(&w); err != nil {
		return Webhook{}, err
	}
	if err := w.check(); err != nil {
		return Webhook{}, err
	}
	if w.Updated = s.now(); secret != "" {
		if _, err := keyOf(secret); err != nil {
			return Webhook{}, err
		}
		w.Sealed = s.options.Keyring.Seal(purpose(name), []byte(secret))
	}
	key, err := s.key(&w)
	if err != nil {
		return Webhook{}, err
	}
	records, cursor := []meta.PutRecord{hookPut(&w)}, s.cursor(name)
	if w.Enabled && !was {
		outbox, err := s.options.Store.Outbox(ctx)
		if err != nil {
			return Webhook{}, err
		}
		cursor = outbox.Last
		records = append(records, cursorPut(name, cursor))
	}
	if err := s.options.Store.PutRecords(ctx, records...); err != nil {
		return Webhook{}, err
	}
	s.install(&w, key, cursor)
	return w.copy(), nil
}

// Remove removes a webhook, unless check fails for it: its error is returned. It fails with ErrNoSuchWebhook.
func (s *Service) Remove(ctx context.Context, name string, check func(Webhook) error) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	w, err := s.Webhook(name)
	if err == nil {
		err = check(w)
	}
	if err != nil {
		return err
	}
	err = s.options.Store.PutRecords(ctx,
		meta.PutRecord{Kind: hookRecord, Name: name}, meta.PutRecord{Kind: cursorRecord, Name: name})
	if err != nil {
		return err
	}
	s.uninstall(name)
	return nil
}

func hookPut(w *Webhook) meta.PutRecord {
	raw, err := json.Marshal(w)
	if err != nil {
		panic(err) // text, times and booleans always marshal
	}
	return meta.PutRecord{Kind: hookRecord, Name: w.Name, Value: raw}
}

func cursorPut(name string, cursor uint64) meta.PutRecord {
	return meta.PutRecord{Kind: cursorRecord, Name: name, Value: fmt.Append(nil, cursor)}
}

// key opens a webhook's secret.
func (s *Service) key(w *Webhook) ([]byte, error) {
	if s.options.Keyring == nil {
		return nil, ErrNoKeyring
	}
	secret, _, err := s.options.Keyring.Open(purpose(w.Name), w.Sealed)
	if err != nil {
		return nil, fmt.Errorf("webhook %q: %w", w.Name, err)
	}
	return keyOf(string(secret))
}
