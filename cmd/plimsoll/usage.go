package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type usageCommand struct {
	Bucket string `arg:"" optional:"" help:"Bucket; all of them, the users, the server and the disk if left out."`
	User   string `placeholder:"NAME" help:"All buckets that this user owns together, and not a bucket."`

	Sort   string   `enum:"name,used,percent,growth,objects" default:"name" placeholder:"ORDER" help:"Order of users and of buckets: ${enum} (${default})."`
	Filter string   `placeholder:"PATTERN" help:"Only users and buckets whose name matches, such as 'backup-*'."`
	Over   *float64 `placeholder:"PERCENT" help:"Only what uses so much of a limit, or more."`
	Watch  watch    `placeholder:"2s" help:"Show it again and again; --watch=5s for another interval."`

	ByPrefix bool   `help:"Where the space of the bucket is, by prefix."`
	Depth    int    `placeholder:"N" help:"With --by-prefix: how many elements of the keys make a prefix (1)."`
	Prefix   string `placeholder:"PREFIX" help:"With --by-prefix and --largest: only keys that begin with it."`
	Largest  int    `placeholder:"N" help:"The largest versions of the bucket."`

	CSV bool `name:"csv" help:"Write comma-separated values."`
	clientFlags
}

// Validate is called by kong.
func (c *usageCommand) Validate() error {
	one := c.Bucket != "" || c.User != ""
	explains := c.ByPrefix || c.Largest != 0
	switch {
	case c.Bucket != "" && c.User != "":
		return errors.New("name a bucket, or give --user")
	case one && (c.Sort != "name" || c.Filter != "" || c.Over != nil):
		return errors.New("--sort, --filter and --over choose among all: name no bucket and no user")
	case c.JSON && c.CSV:
		return errors.New("give --json or --csv")
	case explains && c.Bucket == "":
		return errors.New("--by-prefix and --largest explain one bucket: name it")
	case explains && c.Watch > 0:
		return errors.New("--by-prefix and --largest read a whole bucket: they are not for --watch")
	case !explains && (c.Depth != 0 || c.Prefix != ""):
		return errors.New("--depth and --prefix go with --by-prefix, --prefix also with --largest")
	case c.Depth != 0 && !c.ByPrefix:
		return errors.New("--depth goes with --by-prefix")
	case c.Depth < 0 || c.Depth > adminapi.MaxReportDepth:
		return fmt.Errorf("--depth is from 1 to %d", adminapi.MaxReportDepth)
	case c.Largest < 0 || c.Largest > adminapi.MaxReportLargest:
		return fmt.Errorf("--largest is from 1 to %d", adminapi.MaxReportLargest)
	case c.ByPrefix && c.Largest > 0 && c.CSV:
		return errors.New("--by-prefix and --largest are two tables: give one of them with --csv")
	case c.Over != nil && *c.Over < 0:
		return errors.New("--over is a percentage")
	}
	if _, err := path.Match(c.Filter, ""); err != nil {
		return fmt.Errorf("--filter: %q is not a pattern", c.Filter)
	}
	return nil
}

// Run implements the command.
func (c *usageCommand) Run(stdout io.Writer, stderr diagnostics) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		switch {
		case c.ByPrefix || c.Largest > 0:
			return c.explainSpace(ctx, client, stdout, stderr)
		case c.Watch > 0:
			return c.Watch.repeat(ctx, stdout, func() error { return c.show(ctx, client, stdout) })
		default:
			return c.show(ctx, client, stdout)
		}
	})
}

// show asks once, and writes the answer.
func (c *usageCommand) show(ctx context.Context, client *adminclient.Client, stdout io.Writer) error {
	if c.Bucket != "" || c.User != "" {
		account, err := c.account(ctx, client)
		if err != nil {
			return err
		}
		if c.CSV {
			return writeAccountsCSV(stdout, []adminapi.Account{account})
		}
		return writeAccount(stdout, c.JSON, account)
	}
	overview, err := client.Overview(ctx)
	if err != nil {
		return err
	}
	overview.Owners, overview.Buckets = c.choose(overview.Owners), c.choose(overview.Buckets)
	if c.JSON {
		return writeJSON(stdout, overview)
	}
	all := slices.Concat(c.choose([]adminapi.Account{overview.Server}), overview.Owners, overview.Buckets)
	if c.CSV {
		return writeAccountsCSV(stdout, all)
	}
	if err := writeAccounts(stdout, all); err != nil {
		return err
	}
	if len(all) > 0 {
		fmt.Fprintln(stdout)
	}
	_, err = fmt.Fprintf(stdout, "The disk has %s of %s free for objects.\n",
		quota.HumanBytes(overview.DiskFreeBytes), quota.HumanBytes(overview.DiskSizeBytes))
	return err
}

func (c *usageCommand) account(ctx context.Context, client *adminclient.Client) (adminapi.Account, error) {
	if c.User != "" {
		return client.OwnerUsage(ctx, c.User)
	}
	return client.Usage(ctx, c.Bucket)
}

// choose returns the accounts that are asked for, in the order that is.
func (c *usageCommand) choose(accounts []adminapi.Account) []adminapi.Account {
	chosen := slices.DeleteFunc(accounts, func(a adminapi.Account) bool {
		matches, _ := path.Match(c.Filter, a.Name) // Validate has looked at the pattern
		return (c.Filter != "" && !matches) || (c.Over != nil && usedPercent(a) < *c.Over)
	})
	rank := map[string]func(adminapi.Account) float64{
		"name": func(adminapi.Account) float64 { return 0 }, // as they come
		"used": func(a adminapi.Account) float64 { return float64(a.UsedBytes) },
		// What has no limit comes last.
		"percent": usedPercent,
		"growth": func(a adminapi.Account) float64 {
			if a.Growth == nil || a.Growth.Bytes == nil {
				return -1e300
			}
			return a.Growth.Bytes.PerDay
		},
		"objects": func(a adminapi.Account) float64 { return float64(a.Objects) },
	}[c.Sort]
	slices.SortStableFunc(chosen, func(a, b adminapi.Account) int { return cmp.Compare(rank(b), rank(a)) })
	return chosen
}

// usedPercent is how much is used of the limit that is nearer; -1 where there is none.
func usedPercent(a adminapi.Account) float64 {
	used := a.UsedBytes
	if a.Scope == adminapi.ScopeServer {
		used += a.PartBytes
	}
	percent := -1.0
	for _, figure := range [][2]int64{{used, a.MaxBytes}, {a.Objects, a.MaxObjects}} {
		if figure[1] > 0 {
			percent = max(percent, 100*float64(figure[0])/float64(figure[1]))
		}
	}
	return percent
}

// writeAccountsCSV writes a line of figures for each account, below one of their names. What is not known is empty.
func writeAccountsCSV(w io.Writer, accounts []adminapi.Account) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"scope", "name", "used_bytes", "max_bytes", "objects", "max_objects", "used_percent", "noncurrent_objects",
		"delete_markers", "uploads", "part_bytes", "oldest_upload", "reserved_bytes", "growth_bytes_per_day", "full_at",
		"full_confidence",
	}) // Error tells what Write does
	for _, a := range accounts {
		var used, oldest, growth, at, confidence string
		if p := usedPercent(a); p >= 0 {
			used = strconv.FormatFloat(p, 'f', 2, 64)
		}
		if a.OldestUpload != nil {
			oldest = a.OldestUpload.UTC().Format(time.RFC3339)
		}
		if a.Growth != nil && a.Growth.Bytes != nil {
			growth = strconv.FormatFloat(a.Growth.Bytes.PerDay, 'f', 0, 64)
		}
		if f := firstForecast(a); f != nil {
			at, confidence = f.At.UTC().Format(time.RFC3339), f.Confidence
		}
		_ = out.Write([]string{
			a.Scope, a.Name, decimal(a.UsedBytes), decimal(a.MaxBytes), decimal(a.Objects), decimal(a.MaxObjects), used,
			decimal(a.NoncurrentObjects), decimal(a.DeleteMarkers), decimal(a.Uploads), decimal(a.PartBytes), oldest,
			decimal(a.ReservedBytes), growth, at, confidence,
		})
	}
	out.Flush()
	return out.Error()
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// watch is an interval that may be left out: --watch, or --watch=5s.
type watch time.Duration

const (
	defaultWatch = watch(2 * time.Second)
	minWatch     = watch(100 * time.Millisecond)
)

// IsBool is asked by kong: the flag may stand by itself.
func (w *watch) IsBool() bool { return true }

// Decode is called by kong.
func (w *watch) Decode(ctx *kong.DecodeContext) error {
	*w = defaultWatch
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	text := fmt.Sprint(ctx.Scan.Pop().Value)
	d, err := time.ParseDuration(text)
	if *w = watch(d); err != nil || *w < minWatch {
		return fmt.Errorf("%q is not an interval; write 5s, and %s at the least", text, time.Duration(minWatch))
	}
	return nil
}

// repeat shows something until the process is interrupted: a terminal's screen is cleared in between.
func (w watch) repeat(ctx context.Context, stdout io.Writer, show func() error) error {
	tick := time.NewTicker(time.Duration(w))
	defer tick.Stop()
	screen := isTerminal(stdout)
	for first := true; ; first = false {
		switch {
		case screen:
			fmt.Fprint(stdout, "\x1b[H\x1b[2J")
		case !first:
			fmt.Fprintln(stdout)
		}
		if err := show(); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// isTerminal reports whether somebody looks at what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
