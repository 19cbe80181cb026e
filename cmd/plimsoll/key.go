package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type keyCommands struct {
	Create  keyCreateCommand  `cmd:"" help:"Make an access key for a user, and show its secret."`
	List    keyListCommand    `cmd:"" help:"List access keys."`
	Rotate  keyRotateCommand  `cmd:"" help:"Make a key that takes the place of another, and show its secret."`
	Enable  keyEnableCommand  `cmd:"" help:"Let a key be used."`
	Disable keyDisableCommand `cmd:"" help:"Let a key not be used, until it is enabled."`
	Remove  keyRemoveCommand  `cmd:"" help:"Remove a key."`
}

// keyArgument is an access key.
type keyArgument struct {
	ID string `arg:"" help:"Access key."`
}

// expiryFlag is how long a new key can be used.
type expiryFlag struct {
	Expires age `placeholder:"DURATION" help:"For how long the new key can be used, such as 30d or 12h; for ever if not given."`
}

// at returns when the key expires; zero for never.
func (e *expiryFlag) at() time.Time {
	if e.Expires == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(e.Expires))
}

// keyCreateCommand cannot call its flags --access-key and --secret-key-file: those are who gives the command.
type keyCreateCommand struct {
	User string `arg:"" help:"User."`
	expiryFlag
	Description   string `placeholder:"TEXT" help:"What the key is for."`
	KeyID         string `name:"key-id" placeholder:"KEY" help:"The access key itself; chosen at random if not given."`
	KeySecretFile string `placeholder:"FILE" help:"File with its secret key; chosen at random if not given."`
	clientFlags
}

// Run implements the command.
func (c *keyCreateCommand) Run(stdout io.Writer, stderr diagnostics) error {
	secret, err := keyOrFile("key-secret", "", c.KeySecretFile)
	if err != nil {
		return err
	}
	return c.makeKey(stdout, stderr, func(ctx context.Context, client *adminclient.Client) (adminapi.CreatedKey, error) {
		return client.CreateKey(ctx, c.User, adminapi.NewKey{
			AccessKey: c.KeyID, SecretKey: secret, Description: c.Description, Expires: c.at(),
		})
	})
}

type keyRotateCommand struct {
	keyArgument
	Grace age `default:"24h" placeholder:"DURATION" help:"For how long the old key can still be used (${default}); 0 ends it at once."`
	expiryFlag
	clientFlags
}

// Run implements the command.
func (c *keyRotateCommand) Run(stdout io.Writer, stderr diagnostics) error {
	return c.makeKey(stdout, stderr, func(ctx context.Context, client *adminclient.Client) (adminapi.CreatedKey, error) {
		// Rounded up: the key is to last for as long as was said.
		return client.RotateKey(ctx, c.ID, adminapi.Rotation{GraceSeconds: *c.Grace.seconds(), Expires: c.at()})
	})
}

// makeKey makes a key and shows its secret.
func (f *clientFlags) makeKey(
	stdout io.Writer, stderr diagnostics,
	do func(context.Context, *adminclient.Client) (adminapi.CreatedKey, error),
) error {
	return f.with(func(ctx context.Context, client *adminclient.Client) error {
		key, err := do(ctx, client)
		switch {
		case err != nil:
			return err
		case f.JSON:
			err = writeJSON(stdout, key)
		default:
			err = writeSecret(stdout, &key)
		}
		return errors.Join(err, tellOnce(stderr, &key))
	})
}

type keyListCommand struct {
	User string `arg:"" optional:"" help:"User; all of them if left out."`
	clientFlags
}

// Run implements the command.
func (c *keyListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		keys, err := client.Keys(ctx, c.User)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, adminapi.Keys{Keys: keys})
		default:
			return writeKeys(stdout, keys...)
		}
	})
}

type keyEnableCommand struct {
	keyArgument
	clientFlags
}

// Run implements the command.
func (c *keyEnableCommand) Run(stdout io.Writer) error { return c.setKey(stdout, c.ID, true) }

type keyDisableCommand struct {
	keyArgument
	clientFlags
}

// Run implements the command.
func (c *keyDisableCommand) Run(stdout io.Writer) error { return c.setKey(stdout, c.ID, false) }

func (f *clientFlags) setKey(stdout io.Writer, id string, enabled bool) error {
	return f.with(func(ctx context.Context, client *adminclient.Client) error {
		key, err := client.ChangeKey(ctx, id, adminapi.KeySettings{Enabled: &enabled})
		switch {
		case err != nil:
			return err
		case f.JSON:
			return writeJSON(stdout, key)
		default:
			return writeKeys(stdout, key)
		}
	})
}

type keyRemoveCommand struct {
	keyArgument
	clientFlags
}

// Run implements the command.
func (c *keyRemoveCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if err := client.DeleteKey(ctx, c.ID); err != nil {
			return err
		}
		return writeRemoved(stdout, c.JSON, "access key", c.ID)
	})
}

// writeKeys writes a line for each key:
//
//	PLIM2LQ6WKZ5UYSN4A7C  alice  enabled  2026-05-01 12:00:00 +0000  until 2026-06-01 12:00:00 +0000  laptop
func writeKeys(w io.Writer, keys ...adminapi.Key) error {
	rows := make([][]cell, 0, len(keys))
	for _, k := range keys {
		expiry, state := "", state(k.Enabled)
		switch {
		case k.Expires.IsZero():
		case k.Expires.After(time.Now()):
			expiry = "until " + localTime(k.Expires)
		default:
			expiry, state = "ended "+localTime(k.Expires), "expired"
		}
		rows = append(rows, []cell{
			{text: k.AccessKey},
			{text: k.User},
			{text: state},
			{text: localTime(k.Created)},
			{text: expiry},
			{text: k.Description},
		})
	}
	return writeTable(w, rows)
}

// writeSecret writes a new key with its secret.
func writeSecret(w io.Writer, key *adminapi.CreatedKey) error {
	rows := [][]cell{{{text: "access key"}, {text: key.AccessKey}}, {{text: "secret key"}, {text: key.SecretKey}}}
	if !key.Expires.IsZero() {
		rows = append(rows, []cell{{text: "until"}, {text: localTime(key.Expires)}})
	}
	return writeTable(w, rows)
}

// tellOnce says that a secret will not be shown again; nothing where there is none.
func tellOnce(stderr diagnostics, key *adminapi.CreatedKey) error {
	if key == nil {
		return nil
	}
	_, err := fmt.Fprintln(stderr, "The secret key is not shown again: keep it.")
	return err
}
