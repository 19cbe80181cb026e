package main

import (
	"context"
	"io"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type bucketCommands struct {
	List   bucketListCommand   `cmd:"" help:"List the buckets."`
	Create bucketCreateCommand `cmd:"" help:"Create a bucket, with a limit if one is given."`
	Remove bucketRemoveCommand `cmd:"" help:"Remove an empty bucket; its unfinished uploads are aborted."`
}

type bucketListCommand struct{ clientFlags }

// Run implements the command.
func (c *bucketListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		buckets, err := client.Buckets(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, adminapi.Buckets{Buckets: buckets})
		}
		rows := make([][]cell, 0, len(buckets))
		for _, b := range buckets {
			rows = append(rows, []cell{
				{text: b.Name}, {text: localTime(b.Created)}, {text: b.Owner},
			})
		}
		return writeTable(stdout, rows)
	})
}

type bucketCreateCommand struct {
	Name       string `arg:"" help:"Bucket."`
	MaxBytes   *size  `placeholder:"SIZE" help:"Largest number of bytes stored."`
	MaxObjects *count `placeholder:"N" help:"Largest number of objects stored."`
	clientFlags
}

// Run implements the command.
func (c *bucketCreateCommand) Run(stdout io.Writer) error {
	limit := adminapi.Limit{MaxBytes: (*int64)(c.MaxBytes), MaxObjects: (*int64)(c.MaxObjects)}
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		account, err := client.CreateBucket(ctx, c.Name, limit)
		if err != nil {
			return err
		}
		return writeAccount(stdout, c.JSON, account)
	})
}

type bucketRemoveCommand struct {
	Name string `arg:"" help:"Bucket."`
	clientFlags
}

// Run implements the command.
func (c *bucketRemoveCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if err := client.DeleteBucket(ctx, c.Name); err != nil {
			return err
		}
		return writeRemoved(stdout, c.JSON, "bucket", c.Name)
	})
}
