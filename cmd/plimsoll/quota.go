package main

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type quotaCommands struct {
	Set   quotaSetCommand   `cmd:"" help:"Set a limit; figures that are not given stay."`
	Get   quotaGetCommand   `cmd:"" help:"Show the limit of a bucket, of a prefix in it, of a user or of the server."`
	List  quotaListCommand  `cmd:"" help:"Show the limits that are set."`
	Clear quotaClearCommand `cmd:"" help:"Remove a limit."`

	Default quotaDefaultCommands `cmd:"" help:"Set and show the limits that new buckets and new users get."`
	Check   quotaCheckCommand    `cmd:"" help:"Ask whether something would fit now: exit code 0 if so, 1 if not."`
}

// scopeArgument is a bucket, all buckets of a user, or the server.
type scopeArgument struct {
	Bucket string `arg:"" optional:"" help:"Bucket."`
	User   string `placeholder:"NAME" help:"All buckets that this user owns together, and not a bucket."`
	Server bool   `help:"The whole server, and not a bucket."`
}

// Validate is called by kong.
func (s *scopeArgument) Validate() error {
	given := 0
	for _, is := range []bool{s.Bucket != "", s.User != "", s.Server} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("name a bucket, or give --server or --user")
	}
	return nil
}

func (s *scopeArgument) scope() quota.Scope {
	switch {
	case s.Server:
		return quota.ServerScope
	case s.User != "":
		return quota.OwnerScope(s.User)
	default:
		return quota.BucketScope(s.Bucket)
	}
}

// limitArgument is what may have a limit: one of those, or a prefix in a bucket.
type limitArgument struct {
	scopeArgument
	// Prefix is nil where it is not given. One that is given and empty would be the whole bucket, which nobody means who
	// names a prefix.
	Prefix *string `placeholder:"PREFIX" help:"The keys of the bucket that begin so, and not the whole bucket."`
}

// Validate is called by kong.
func (l *limitArgument) Validate() error {
	if err := l.scopeArgument.Validate(); err != nil || l.Prefix == nil {
		return err
	}
	switch {
	case l.Bucket == "":
		return errors.New("--prefix is one in a bucket: name that")
	case *l.Prefix == "":
		return errors.New("--prefix is empty: leave it out for the whole bucket")
	}
	return nil
}

func (l *limitArgument) scope() quota.Scope {
	if l.Prefix != nil {
		return quota.PrefixScope(l.Bucket, *l.Prefix)
	}
	return l.scopeArgument.scope()
}

// limitFlags are the figures of a limit that is changed.
type limitFlags struct {
	MaxBytes   *size  `placeholder:"SIZE|none" help:"Largest number of bytes stored."`
	MaxObjects *count `placeholder:"N|none" help:"Largest number of objects stored."`
}

// check requires that there is something to change.
func (f *limitFlags) check() error {
	if f.MaxBytes == nil && f.MaxObjects == nil {
		return errors.New("give --max-bytes, --max-objects or both")
	}
	return nil
}

func (f *limitFlags) limit() adminapi.Limit {
	return adminapi.Limit{MaxBytes: (*int64)(f.MaxBytes), MaxObjects: (*int64)(f.MaxObjects)}
}

type quotaSetCommand struct {
	limitArgument
	limitFlags
	clientFlags
}

// Validate is called by kong.
func (c *quotaSetCommand) Validate() error {
	if err := c.check(); err != nil {
		return err
	}
	return c.limitArgument.Validate()
}

// Run implements the command.
func (c *quotaSetCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		account, err := client.ChangeQuota(ctx, c.scope(), c.limit())
		if err != nil {
			return err
		}
		return writeAccount(stdout, c.JSON, account)
	})
}

type quotaGetCommand struct {
	limitArgument
	clientFlags
}

// Run implements the command.
func (c *quotaGetCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		account, err := client.Quota(ctx, c.scope())
		if err != nil {
			return err
		}
		return writeAccount(stdout, c.JSON, account)
	})
}

type quotaListCommand struct{ clientFlags }

// Run implements the command.
func (c *quotaListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		quotas, err := client.Quotas(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, quotas)
		default:
			return writeAccounts(stdout, slices.Concat(
				[]adminapi.Account{quotas.Server}, quotas.Owners, quotas.Buckets, quotas.Prefixes))
		}
	})
}

type quotaClearCommand struct {
	limitArgument
	clientFlags
}

// Run implements the command.
func (c *quotaClearCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if c.Prefix != nil {
			return c.clearPrefix(ctx, client, stdout)
		}
		if err := client.ClearQuota(ctx, c.scope()); err != nil {
			return err
		}
		account, err := client.Quota(ctx, c.scope())
		if err != nil {
			return err
		}
		return writeAccount(stdout, c.JSON, account)
	})
}

// clearPrefix removes the limit of a prefix, of which nothing is counted then. It says where there was none: the prefix
// may be misspelled.
func (c *quotaClearCommand) clearPrefix(ctx context.Context, client *adminclient.Client, stdout io.Writer) error {
	name := c.Bucket + "/" + *c.Prefix
	_, err := client.Quota(ctx, c.scope())
	if problem := (*adminclient.Problem)(nil); errors.As(err, &problem) && problem.Code() == "NoSuchPrefix" {
		if c.JSON {
			return writeJSON(stdout, struct{}{})
		}
		_, err = io.WriteString(stdout, name+" has no limit.\n")
		return err
	}
	if err == nil {
		err = client.ClearQuota(ctx, c.scope())
	}
	if err != nil {
		return err
	}
	return writeRemoved(stdout, c.JSON, "the limit of", name)
}
