package main

import (
	"context"
	"fmt"
	"io"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type usageCommand struct {
	Bucket string `arg:"" optional:"" help:"Bucket; all of them, the server and the disk if left out."`
	clientFlags
}

// Run implements the command.
func (c *usageCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if c.Bucket != "" {
			account, err := client.Usage(ctx, c.Bucket)
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

func writeOverview(w io.Writer, o adminapi.Overview) error {
	if err := writeAccounts(w, append([]adminapi.Account{o.Server}, o.Buckets...)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nThe disk has %s of %s free for objects.\n",
		humanBytes(o.DiskFreeBytes), humanBytes(o.DiskSizeBytes))
	return err
}
