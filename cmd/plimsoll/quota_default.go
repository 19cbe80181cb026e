package main

import (
	"context"
	"errors"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type quotaDefaultCommands struct {
	Get   quotaDefaultGetCommand   `cmd:"" help:"Show the limits that new buckets and new users get."`
	Set   quotaDefaultSetCommand   `cmd:"" help:"Set the limit of new buckets or new users; figures that are not given stay, and so do the limits of those that are there."`
	Clear quotaDefaultClearCommand `cmd:"" help:"Give new buckets or new users no limit."`
}

// kindFlags say whose default is meant.
type kindFlags struct {
	Bucket bool `help:"That of new buckets."`
	User   bool `help:"That of new users, for all their buckets together."`
}

// Validate is called by kong.
func (k *kindFlags) Validate() error {
	if k.Bucket == k.User {
		return errors.New("give --bucket or --user")
	}
	return nil
}

func (k *kindFlags) kind() quota.ScopeKind {
	if k.User {
		return quota.Owner
	}
	return quota.Bucket
}

type quotaDefaultGetCommand struct {
	Bucket bool `help:"That of new buckets only."`
	User   bool `help:"That of new users only."`
	clientFlags
}

// Run implements the command.
func (c *quotaDefaultGetCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		d, err := client.Defaults(ctx)
		if err != nil {
			return err
		}
		both := c.Bucket == c.User
		switch {
		case both && c.JSON:
			return writeJSON(stdout, d)
		case both:
			return writeTable(stdout, [][]cell{defaultRow(quota.Bucket, d.Bucket), defaultRow(quota.Owner, d.Owner)})
		case c.User:
			return writeDefault(stdout, c.JSON, quota.Owner, d.Owner)
		default:
			return writeDefault(stdout, c.JSON, quota.Bucket, d.Bucket)
		}
	})
}

type quotaDefaultSetCommand struct {
	kindFlags
	limitFlags
	clientFlags
}

// Validate is called by kong.
func (c *quotaDefaultSetCommand) Validate() error {
	if err := c.check(); err != nil {
		return err
	}
	return c.kindFlags.Validate()
}

// Run implements the command.
func (c *quotaDefaultSetCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		changed, err := client.ChangeDefault(ctx, c.kind(), c.limit())
		if err != nil {
			return err
		}
		return writeDefault(stdout, c.JSON, c.kind(), changed)
	})
}

type quotaDefaultClearCommand struct {
	kindFlags
	clientFlags
}

// Run implements the command.
func (c *quotaDefaultClearCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if err := client.ClearDefault(ctx, c.kind()); err != nil {
			return err
		}
		return writeDefault(stdout, c.JSON, c.kind(), adminapi.DefaultLimit{})
	})
}

func writeDefault(w io.Writer, asJSON bool, kind quota.ScopeKind, limit adminapi.DefaultLimit) error {
	if asJSON {
		return writeJSON(w, limit)
	}
	return writeTable(w, [][]cell{defaultRow(kind, limit)})
}

func defaultRow(kind quota.ScopeKind, limit adminapi.DefaultLimit) []cell {
	name := "new buckets"
	if kind == quota.Owner {
		name = "new users"
	}
	bytes, objects := "no limit", ""
	if limit.MaxBytes > 0 {
		bytes = quota.HumanBytes(limit.MaxBytes)
	}
	if limit.MaxObjects > 0 {
		objects = humanize.Comma(limit.MaxObjects) + " " + noun(limit.MaxObjects, limit.MaxObjects)
	}
	return []cell{{text: name}, {text: bytes, right: true}, {text: objects, right: true}}
}
