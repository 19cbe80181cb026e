package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

// about is what the server tells of itself.
func (c *serveCommand) about() adminapi.About {
	v := readVersion()
	return adminapi.About{
		Version: v.Version, Commit: v.Commit, Go: v.Go, Platform: v.Platform,
		Region: c.Region, Domains: append([]string{}, c.Domain...), Sync: c.Sync,
		Features: map[string]bool{
			"tls": c.TLSCert != "", "virtual_hosts": len(c.Domain) > 0, "abort_uploads": c.AbortUploadsAfter > 0,
		},
	}
}

type infoCommand struct{ clientFlags }

// Run implements the command.
func (c *infoCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		server, err := client.Server(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, server)
		default:
			return writeServer(stdout, server)
		}
	})
}

func writeServer(w io.Writer, s adminapi.Server) error {
	limit := "no limit"
	if s.Limits.MaxBytes > 0 {
		limit = quota.HumanBytes(s.Limits.MaxBytes)
	}
	if s.Limits.MaxObjects > 0 {
		limit += ", " + humanize.Comma(s.Limits.MaxObjects) + " objects"
	}
	acknowledged := "writes are acknowledged when they are on disk"
	if s.Sync == adminapi.SyncNone {
		acknowledged = "writes may be lost with the machine (--sync=none)"
	}
	_, err := fmt.Fprintf(w, "plimsoll %s (%s, %s)\nregion %s, up for %s\nlimit: %s\n"+
		"disk: %s of %s free, of which %s are kept; %s for objects\n%s\n",
		s.Version, s.Go, s.Platform, s.Region, time.Duration(s.UptimeSeconds)*time.Second, limit,
		quota.HumanBytes(s.Disk.FreeBytes), quota.HumanBytes(s.Disk.SizeBytes), quota.HumanBytes(s.Disk.ReserveBytes),
		quota.HumanBytes(s.Disk.AvailableBytes), acknowledged)
	return err
}
