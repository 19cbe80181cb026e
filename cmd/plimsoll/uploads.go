package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type uploadsCommands struct {
	List  uploadsListCommand  `cmd:"" help:"List uploads that were not completed."`
	Abort uploadsAbortCommand `cmd:"" help:"Abort uploads that were not completed, and free what their parts hold."`
}

type uploadsListCommand struct {
	Bucket    string `arg:"" optional:"" help:"Bucket; all of them if left out."`
	OlderThan age    `placeholder:"AGE" help:"Only those that were begun so long ago, or longer: 24h, 7d."`
	Prefix    string `placeholder:"PREFIX" help:"Only those whose key begins with it."`
	clientFlags
}

// listedUpload is an upload with its bucket.
type listedUpload struct {
	Bucket string `json:"bucket"`
	adminapi.Upload
}

// Run implements the command.
func (c *uploadsListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		buckets := []string{c.Bucket}
		if c.Bucket == "" {
			summaries, err := client.UploadSummaries(ctx)
			if err != nil {
				return err
			}
			buckets = buckets[:0]
			for _, s := range summaries {
				buckets = append(buckets, s.Bucket)
			}
		}
		all := []listedUpload{}
		filter := adminapi.UploadFilter{Prefix: c.Prefix, OlderThanSeconds: c.OlderThan.seconds()}
		for _, bucket := range buckets {
			for filter.After = nil; ; {
				page, err := client.Uploads(ctx, bucket, filter, 0)
				if c.Bucket == "" && isProblem(err, "NoSuchBucket") { // removed since
					break
				}
				if err != nil {
					return err
				}
				for _, u := range page.Uploads {
					all = append(all, listedUpload{bucket, u})
				}
				if filter.After = page.Next; page.Next == nil {
					break
				}
			}
		}
		if c.JSON {
			return writeJSON(stdout, struct {
				Uploads []listedUpload `json:"uploads"`
			}{all})
		}
		return writeUploads(stdout, all)
	})
}

func writeUploads(w io.Writer, uploads []listedUpload) error {
	rows := make([][]cell, 0, len(uploads))
	var bytes int64
	for _, u := range uploads {
		bytes += u.Bytes
		rows = append(rows, []cell{
			{text: u.Bucket},
			{text: printable(u.Key)},
			{text: quota.HumanBytes(u.Bytes), right: true},
			{text: humanAge(time.Since(u.Initiated)), right: true},
			{text: u.UploadID},
		})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	if len(uploads) > 0 {
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "%s of %s\n", plural(int64(len(uploads)), "unfinished upload"), quota.HumanBytes(bytes))
	return err
}

// isProblem reports whether err is the server's problem of a code.
func isProblem(err error, code string) bool {
	var p *adminclient.Problem
	return errors.As(err, &p) && p.Code() == code
}

type uploadsAbortCommand struct {
	Bucket    string   `arg:"" help:"Bucket."`
	OlderThan *age     `placeholder:"AGE" help:"Only those that were begun so long ago, or longer (24h; 0 with --upload-id)."`
	Prefix    selector `placeholder:"PREFIX" help:"Only those whose key begins with it."`
	Key       selector `placeholder:"KEY" help:"Only those of this key."`
	UploadID  selector `placeholder:"ID" help:"Only this one of --key."`
	DryRun    bool     `help:"Only say what would be aborted, and what that frees."`
	clientFlags
}

// defaultAbortAge spares what is under way.
const defaultAbortAge = age(24 * time.Hour)

// Validate is called by kong.
func (c *uploadsAbortCommand) Validate() error {
	switch {
	case c.UploadID != "" && c.Key == "":
		return errors.New("--upload-id names an upload of a --key")
	case c.Key != "" && c.Prefix != "":
		return errors.New("give --key or --prefix")
	}
	return nil
}

// Run implements the command.
func (c *uploadsAbortCommand) Run(stdout io.Writer) error {
	older := defaultAbortAge
	switch {
	case c.OlderThan != nil:
		older = *c.OlderThan
	case c.UploadID != "":
		older = 0
	}
	abort := adminapi.AbortUploads{UploadFilter: adminapi.UploadFilter{
		Prefix: string(c.Prefix), Key: string(c.Key), UploadID: string(c.UploadID), OlderThanSeconds: older.seconds(),
	}}
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if c.DryRun || !c.JSON {
			found, err := c.abortAll(ctx, client, abort, true)
			if err != nil {
				return err
			}
			if c.JSON {
				return writeJSON(stdout, found)
			}
			begun := ""
			if older > 0 {
				begun = ", begun " + older.String() + " ago or earlier,"
			}
			fmt.Fprintf(stdout, "%s%s in %s with %s.\n", plural(found.Uploads, "unfinished upload"), begun, c.Bucket,
				holding(found.Uploads, found.Bytes))
			if c.DryRun || found.Uploads == 0 {
				return nil
			}
		}
		done, err := c.abortAll(ctx, client, abort, false)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(stdout, done)
		}
		_, err = fmt.Fprintf(stdout, "Aborted %s: %s freed.\n", plural(done.Uploads, "upload"), quota.HumanBytes(done.Bytes))
		return err
	})
}

// holding tells what there is to be freed.
func holding(n, bytes int64) string {
	if n == 0 {
		return "nothing to free"
	}
	return quota.HumanBytes(bytes) + " to free"
}

// abortAll asks again until there is no more.
func (c *uploadsAbortCommand) abortAll(
	ctx context.Context, client *adminclient.Client, abort adminapi.AbortUploads, dryRun bool,
) (sum adminapi.AbortedUploads, err error) {
	abort.DryRun, sum.DryRun = dryRun, dryRun
	for {
		out, err := client.AbortUploads(ctx, c.Bucket, abort)
		if err != nil {
			return sum, err
		}
		sum.Uploads += out.Uploads
		sum.Bytes += out.Bytes
		if abort.After = out.Next; out.Next == nil {
			return sum, nil
		}
	}
}
