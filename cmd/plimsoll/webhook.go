package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type webhookCommands struct {
	Create  webhookCreateCommand  `cmd:"" help:"Send events to a URL, and show the secret that they are signed with."`
	List    webhookListCommand    `cmd:"" help:"List the webhooks, and how they are doing."`
	Show    webhookShowCommand    `cmd:"" help:"Show a webhook, and how it is doing."`
	Change  webhookChangeCommand  `cmd:"" help:"Change the URL, the events or the secret of a webhook."`
	Enable  webhookEnableCommand  `cmd:"" help:"Send a webhook what happens from now on."`
	Disable webhookDisableCommand `cmd:"" help:"Send a webhook nothing, until it is enabled."`
	Test    webhookTestCommand    `cmd:"" help:"Send a webhook an event of type webhook.test, once."`
	Remove  webhookRemoveCommand  `cmd:"" help:"Remove a webhook that no bucket's notification configuration names."`
}

// webhookArgument is a webhook.
type webhookArgument struct {
	Name string `arg:"" help:"Webhook."`
}

// webhookSettingsFlags are what a webhook is made with and may be changed to.
type webhookSettingsFlags struct {
	Events     []string `placeholder:"TYPE" help:"Events to send whatever the buckets' configurations say: quota.threshold, quota.refused, s3:ObjectCreated:*, * and others; none for none. A new webhook gets the first two if not given."`
	Secret     string   `placeholder:"SECRET" help:"Secret to sign with, 16 to 256 bytes; that of a new webhook is made if not given. Others on this machine may see it here: rather give a file."`
	SecretFile string   `placeholder:"FILE" help:"File with the secret."`
}

func (f *webhookSettingsFlags) settings(url string) (s adminapi.WebhookSettings, err error) {
	if f.Secret != "" && f.SecretFile != "" {
		return s, errors.New("--secret and --secret-file are both given: give one")
	}
	secret, err := keyOrFile("secret", f.Secret, f.SecretFile)
	if err != nil {
		return s, err
	}
	if secret != "" {
		s.Secret = &secret
	}
	if url != "" {
		s.URL = &url
	}
	if s.Events = f.Events; len(f.Events) == 1 && f.Events[0] == "none" {
		s.Events = []string{}
	}
	return s, nil
}

type webhookCreateCommand struct {
	webhookArgument
	URL string `name:"url" required:"" placeholder:"URL" help:"Where to send events: http:// or https://."`
	webhookSettingsFlags
	clientFlags
}

// Run implements the command.
func (c *webhookCreateCommand) Run(stdout io.Writer, stderr diagnostics) error {
	settings, err := c.settings(c.URL)
	if err != nil {
		return err
	}
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		created, err := client.CreateWebhook(ctx, c.Name, settings)
		switch {
		case err != nil:
			return err
		case c.JSON:
			err = writeJSON(stdout, created)
		default:
			err = errors.Join(writeWebhooks(stdout, created.Webhook), writeTable(stdout, [][]cell{
				{{text: "arn"}, {text: created.ARN}}, {{text: "secret"}, {text: created.Secret}},
			}))
		}
		if settings.Secret == nil {
			_, tellErr := fmt.Fprintln(stderr, "The secret is not shown again: keep it now.")
			err = errors.Join(err, tellErr)
		}
		return err
	})
}

type webhookListCommand struct{ clientFlags }

// Run implements the command.
func (c *webhookListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		webhooks, err := client.Webhooks(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, adminapi.Webhooks{Webhooks: webhooks})
		default:
			return writeWebhooks(stdout, webhooks...)
		}
	})
}

type webhookShowCommand struct {
	webhookArgument
	clientFlags
}

// Run implements the command.
func (c *webhookShowCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		w, err := client.Webhook(ctx, c.Name)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, w)
		}
		rows := [][]cell{
			{{text: "name"}, {text: w.Name}},
			{{text: "arn"}, {text: w.ARN}},
			{{text: "url"}, {text: w.URL}},
			{{text: "events"}, {text: strings.Join(w.Events, ", ")}},
			{{text: "state"}, {text: state(w.Enabled)}},
			{{text: "created"}, {text: localTime(w.Created)}},
		}
		if d := w.Delivery; d != nil {
			rows = append(rows,
				[]cell{{text: "queued events"}, {text: fmt.Sprint(d.QueuedEvents)}},
				[]cell{{text: "delivered"}, {text: strings.TrimSpace(fmt.Sprint(d.Delivered, " ", localTime(d.LastDelivered)))}},
				[]cell{{text: "failed attempts"}, {text: strings.TrimSpace(fmt.Sprint(d.FailedAttempts, " ", localTime(d.LastFailure)))}},
				[]cell{{text: "dropped events"}, {text: fmt.Sprint(d.Dropped)}},
				[]cell{{text: "last error"}, {text: d.LastError}},
			)
		}
		return writeTable(stdout, rows)
	})
}

type webhookChangeCommand struct {
	webhookArgument
	URL string `name:"url" placeholder:"URL" help:"Where to send events."`
	webhookSettingsFlags
	clientFlags
}

// Run implements the command.
func (c *webhookChangeCommand) Run(stdout io.Writer) error {
	settings, err := c.settings(c.URL)
	if err != nil {
		return err
	}
	return c.changeWebhook(stdout, c.Name, settings)
}

type webhookEnableCommand struct {
	webhookArgument
	clientFlags
}

// Run implements the command.
func (c *webhookEnableCommand) Run(stdout io.Writer) error {
	return c.changeWebhook(stdout, c.Name, adminapi.WebhookSettings{Enabled: new(true)})
}

type webhookDisableCommand struct {
	webhookArgument
	clientFlags
}

// Run implements the command.
func (c *webhookDisableCommand) Run(stdout io.Writer) error {
	return c.changeWebhook(stdout, c.Name, adminapi.WebhookSettings{Enabled: new(false)})
}

func (f *clientFlags) changeWebhook(stdout io.Writer, name string, settings adminapi.WebhookSettings) error {
	return f.with(func(ctx context.Context, client *adminclient.Client) error {
		w, err := client.ChangeWebhook(ctx, name, settings, "")
		switch {
		case err != nil:
			return err
		case f.JSON:
			return writeJSON(stdout, w)
		default:
			return writeWebhooks(stdout, w)
		}
	})
}

type webhookTestCommand struct {
	webhookArgument
	clientFlags
}

// Run implements the command. It fails where the event is not taken.
func (c *webhookTestCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		result, err := client.TestWebhook(ctx, c.Name)
		switch {
		case err != nil:
			return err
		case c.JSON:
			err = writeJSON(stdout, result)
		case result.Error == "":
			_, err = fmt.Fprintf(stdout, "%s takes events: status %d after %d ms.\n", c.Name, result.Status, result.Milliseconds)
		}
		if result.Error != "" {
			err = errors.Join(err, fmt.Errorf("%s takes no events: %s", c.Name, result.Error))
		}
		return err
	})
}

type webhookRemoveCommand struct {
	webhookArgument
	clientFlags
}

// Run implements the command.
func (c *webhookRemoveCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if err := client.DeleteWebhook(ctx, c.Name, ""); err != nil {
			return err
		}
		return writeRemoved(stdout, c.JSON, "webhook", c.Name)
	})
}

// writeWebhooks writes a line for each webhook:
//
//	alerts  enabled  https://example.com/hook  quota.threshold  3 queued  failing: it answers 500 Internal Server Error
func writeWebhooks(w io.Writer, webhooks ...adminapi.Webhook) error {
	rows := make([][]cell, 0, len(webhooks))
	for _, h := range webhooks {
		events := strings.Join(h.Events, ", ")
		if events == "" {
			events = "of buckets only"
		}
		queued, failing := "", ""
		if d := h.Delivery; d != nil {
			if d.QueuedEvents > 0 {
				queued = fmt.Sprintf("%d queued", d.QueuedEvents)
			}
			if d.Failing {
				failing = "failing: " + d.LastError
			}
		}
		rows = append(rows, []cell{
			{text: h.Name}, {text: state(h.Enabled)}, {text: h.URL}, {text: events}, {text: queued}, {text: failing},
		})
	}
	return writeTable(w, rows)
}
