package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type usageCommand struct {
	Bucket string `arg:"" optional:"" help:"Bucket; all of them, the users, the server and the disk if left out."`
	User   string `placeholder:"NAME" help:"All buckets that this user owns together, and not a bucket."`
	clientFlags
}

// Validate is called by kong.
func (c *usageCommand) Validate() error {
	if c.Bucket != "" && c.User != "" {
		return errors.New("name a bucket, or give --user")
	}
	return nil
}

// Run implements the command.
func (c *usageCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if c.Bucket != "" || c.User != "" {
			account, err := c.account(ctx, client)
			if err != nil {
				return err
			}
			return writeAccount(stdout, c.JSON, account)
		}
		overview, err := client.Overview(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, overview)
		default:
			return writeOverview(stdout, overview)
		}
	})
}

func (c *usageCommand) account(ctx context.Context, client *adminclient.Client) (adminapi.Account, error) {
	if c.User != "" {
		return client.OwnerUsage(ctx, c.User)
	}
	return client.Usage(ctx, c.Bucket)
}

func writeOverview(w io.Writer, o adminapi.Overview) error {
	if err := writeAccounts(w, slices.Concat([]adminapi.Account{o.Server}, o.Owners, o.Buckets)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nThe disk has %s of %s free for objects.\n",
		humanBytes(o.DiskFreeBytes), humanBytes(o.DiskSizeBytes))
	return err
}
