package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type versionsCommands struct {
	Prune versionsPruneCommand `cmd:"" help:"Remove noncurrent versions: those that were overwritten or deleted."`
}

type versionsPruneCommand struct {
	Bucket     string   `arg:"" help:"Bucket."`
	Noncurrent bool     `help:"Remove noncurrent versions; there is nothing else to prune, and it must be said."`
	OlderThan  *age     `placeholder:"AGE" help:"Only those that have been noncurrent for so long: 30d, 12h; 0 for all."`
	Prefix     selector `placeholder:"PREFIX" help:"Only those whose key begins with it."`
	Keep       int      `placeholder:"N" help:"Leave so many of each key's newest noncurrent versions, however old they are."`
	DryRun     bool     `help:"Only say what would be removed, and what that frees."`
	clientFlags
}

// shownLocked is how many locked versions are named.
const shownLocked = 20

// Validate is called by kong.
func (c *versionsPruneCommand) Validate() error {
	switch {
	case !c.Noncurrent:
		return errors.New("give --noncurrent: the latest versions are never pruned")
	case c.OlderThan == nil:
		return errors.New("give --older-than, such as 30d, or 0 for all")
	case c.Keep < 0:
		return errors.New("--keep is negative")
	}
	return nil
}

// Run implements the command.
func (c *versionsPruneCommand) Run(stdout io.Writer) error {
	prune := adminapi.Prune{Prefix: string(c.Prefix), OlderThanSeconds: c.OlderThan.seconds(), Keep: c.Keep}
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if c.DryRun || !c.JSON {
			found, err := c.pruneAll(ctx, client, prune, true)
			if err != nil {
				return err
			}
			if c.JSON {
				return writeJSON(stdout, found)
			}
			c.writePlan(stdout, found)
			if c.DryRun || found.Versions+found.DeleteMarkers == 0 {
				return nil
			}
		}
		done, err := c.pruneAll(ctx, client, prune, false)
		if err != nil {
			return err
		}
		if c.JSON {
			return writeJSON(stdout, done)
		}
		_, err = fmt.Fprintf(stdout, "Removed %s: %s freed.\n", pruned(done), quota.HumanBytes(done.Bytes))
		return err
	})
}

// pruned tells what went.
func pruned(p adminapi.Pruned) string {
	text := plural(p.Versions, "noncurrent version")
	if p.DeleteMarkers > 0 {
		text += " and " + plural(p.DeleteMarkers, "delete marker")
	}
	return text
}

// writePlan tells what is to go, and what stays.
func (c *versionsPruneCommand) writePlan(w io.Writer, p adminapi.Pruned) {
	since := ""
	if *c.OlderThan > 0 {
		since = " for " + c.OlderThan.String() + " or longer"
	}
	fmt.Fprintf(w, "%s%s in %s with %s, among %s.\n", pruned(p), since, c.Bucket, holding(p.Versions, p.Bytes),
		plural(p.Read, "version"))
	for _, v := range p.Locked[:min(len(p.Locked), shownLocked)] {
		fmt.Fprintf(w, "Kept: %s, version %s, %s, %s\n", printable(v.Key), v.VersionID, quota.HumanBytes(v.Bytes), lockOf(v))
	}
	if n := p.LockedVersions; n > 0 {
		fmt.Fprintf(w, "Kept %s in all, with %s, as they are locked.\n", plural(n, "version"), quota.HumanBytes(p.LockedBytes))
	}
}

func lockOf(v adminapi.LockedVersion) string {
	switch {
	case v.LegalHold && v.RetainUntil != nil:
		return "legal hold, and " + v.Mode + " until " + localTime(*v.RetainUntil)
	case v.LegalHold:
		return "legal hold"
	case v.RetainUntil != nil:
		return v.Mode + " until " + localTime(*v.RetainUntil)
	default:
		return "locked"
	}
}

// pruneAll asks again until there is no more. It keeps the names of as many locked versions as it may show.
func (c *versionsPruneCommand) pruneAll(
	ctx context.Context, client *adminclient.Client, prune adminapi.Prune, dryRun bool,
) (sum adminapi.Pruned, err error) {
	prune.DryRun, sum.DryRun = dryRun, dryRun
	for {
		out, err := client.PruneVersions(ctx, c.Bucket, prune)
		if err != nil {
			if removed := sum.Versions + sum.DeleteMarkers; removed > 0 && !dryRun {
				return sum, fmt.Errorf("%w; %s versions and delete markers are removed by now", err, humanize.Comma(removed))
			}
			return sum, err
		}
		sum.Read += out.Read
		sum.Versions += out.Versions
		sum.Bytes += out.Bytes
		sum.DeleteMarkers += out.DeleteMarkers
		sum.LockedVersions += out.LockedVersions
		sum.LockedBytes += out.LockedBytes
		if len(sum.Locked) < maxLocked {
			sum.Locked = append(sum.Locked, out.Locked...)
		}
		if prune.After = out.Next; out.Next == nil {
			return sum, nil
		}
	}
}

// maxLocked bounds how many locked versions JSON names.
const maxLocked = 10_000
