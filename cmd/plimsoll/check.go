package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/quota"
)

type checkCommand struct {
	Data string `default:"./plimsoll-data" env:"PLIMSOLL_DATA" placeholder:"DIR" help:"Data directory (${default})."`
	Deep bool   `help:"Read every object and verify its checksums, too."`
	// Repair changes the metadata, and only where what is stored says beyond doubt what it must be.
	Repair bool `help:"Restore lost or wrong rows of blobs and of usage from what is stored, and check again."`
	JSON   bool `name:"json" help:"Write JSON."`
}

// Help is shown by kong.
func (c *checkCommand) Help() string {
	return "Recounts everything: every object has its data with the right size, all data belongs to an object, and " +
		"usage is what a recount gives. Says what is wrong, and what of it --repair would put right: the rows of blobs that " +
		"are there, and the usage of the server, users, buckets and prefixes, where every object, version and upload can " +
		"be counted. Exits with 0 where the store is sound, or is after --repair, and with 1 where something is wrong or " +
		"it cannot be checked."
}

// Run implements the command.
func (c *checkCommand) Run(stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	check := backend.Check
	if c.Repair {
		check = backend.Repair
	}
	report, err := check(ctx, c.Data, c.Deep)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil:
		return explainOpen(c.Data, err)
	}
	if c.JSON {
		err = writeJSON(stdout, report)
	} else {
		err = writeReport(stdout, report)
	}
	if err != nil {
		return err
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("%s found in %s", plural(int64(n), "problem"), c.Data)
	}
	return nil
}

func writeReport(w io.Writer, r backend.CheckReport) error {
	for _, problem := range r.Problems {
		if _, err := fmt.Fprintln(w, problem); err != nil {
			return err
		}
	}
	for _, line := range []struct {
		n            int64
		format, noun string
	}{
		{r.Repaired, "repaired the rows of %s\n", "blob"},
		{r.RepairedUsage, "repaired %s\n", "usage row"},
		{r.Repairable, "--repair restores the rows of %s\n", "blob"},
		{r.RepairableUsage, "--repair restores %s\n", "usage row"},
	} {
		if line.n == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, line.format, plural(line.n, line.noun)); err != nil {
			return err
		}
	}
	verdict := "ok"
	if len(r.Problems) > 0 {
		verdict = "damaged"
	}
	if r.Unswept > 0 {
		verdict += fmt.Sprintf(" (%s of an unclean stop, swept at the next start)", plural(r.Unswept, "leftover"))
	}
	if r.DeadDamaged > 0 {
		verdict += fmt.Sprintf(" (%s in packs cannot be read, and nothing needs it)", plural(r.DeadDamaged, "dead blob"))
	}
	_, err := fmt.Fprintf(w, "%s: %s, %s, %s, %s in %s\n", verdict, plural(int64(r.Buckets), "bucket"),
		plural(r.Objects, "object"), plural(r.Uploads, "unfinished upload"), quota.HumanBytes(r.Bytes), plural(r.Blobs, "blob"))
	return err
}

// plural returns "1 object", "2,000 objects".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return humanize.Comma(n) + " " + noun + "s"
}
