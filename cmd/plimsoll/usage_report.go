package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

const (
	// firstPoll and lastPoll are how long the command waits before it asks how far a report is: small buckets are read in
	// no time.
	firstPoll = 10 * time.Millisecond
	lastPoll  = time.Second
	// forgetTimeout bounds telling the server that a report is not needed any more.
	forgetTimeout = 5 * time.Second
)

// explainSpace has the server make a report, shows how far it is on a terminal, and writes it.
func (c *usageCommand) explainSpace(
	ctx context.Context, client *adminclient.Client, stdout io.Writer, stderr diagnostics,
) error {
	asked := adminapi.NewReport{Bucket: c.Bucket, Prefix: c.Prefix, Largest: c.Largest}
	if c.ByPrefix {
		asked.Depth = max(c.Depth, 1)
	}
	report, err := client.CreateReport(ctx, asked)
	if err != nil {
		return err
	}
	defer func() { // also where the command is interrupted
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
		defer cancel()
		_ = client.DeleteReport(ctx, report.ID) // the server forgets it by itself
	}()
	if report, err = awaitReport(ctx, client, report, stderr); err != nil {
		return err
	}
	switch {
	case report.State != adminapi.ReportDone || report.Result == nil:
		return fmt.Errorf("the report is %s: %s", report.State, cmp.Or(report.Detail, "somebody has stopped it"))
	case c.JSON:
		return writeJSON(stdout, report)
	case c.CSV && c.ByPrefix:
		return writePrefixesCSV(stdout, report.Result)
	case c.CSV:
		return writeLargestCSV(stdout, report.Result)
	}
	return writeBreakdown(stdout, report)
}

// awaitReport asks until the report has ended.
func awaitReport(
	ctx context.Context, client *adminclient.Client, report adminapi.Report, stderr diagnostics,
) (adminapi.Report, error) {
	shows := isTerminal(stderr.Writer)
	for wait := firstPoll; !report.Ended(); wait = min(2*wait, lastPoll) {
		if shows && wait > 100*time.Millisecond {
			fmt.Fprintf(stderr, "\r\x1b[K%s", progressOf(report))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return report, ctx.Err()
		case <-timer.C:
		}
		var err error
		if report, err = client.Report(ctx, report.ID); err != nil {
			return report, err
		}
	}
	if shows {
		fmt.Fprint(stderr, "\r\x1b[K")
	}
	return report, nil
}

// progressOf tells how far a report is.
func progressOf(r adminapi.Report) string {
	if r.State == adminapi.ReportWaiting {
		return "waits for other reports"
	}
	text := "read " + plural(r.Read, "version")
	if r.Of > 0 && r.Prefix == "" {
		text += " of " + humanize.Comma(r.Of) + ", " + percent(min(r.Read, r.Of), r.Of)
	}
	return text
}

// writeBreakdown writes a line for each prefix, with its part of the whole, and one for each of the largest versions.
func writeBreakdown(w io.Writer, report adminapi.Report) error {
	result := report.Result
	where := report.Bucket
	if report.Prefix != "" {
		where += "/" + printable(report.Prefix)
	}
	fmt.Fprintf(w, "%s held %s in %s", where, quota.HumanBytes(result.Total.Bytes), plural(result.Total.Objects, "object"))
	if report.Snapshot != nil {
		fmt.Fprintf(w, " at %s", localTime(*report.Snapshot))
	}
	fmt.Fprintln(w, ".")
	if report.Depth > 0 {
		var rows [][]cell
		for _, p := range result.Prefixes {
			name := "(no prefix)"
			if p.Prefix != "" {
				name = printable(p.Prefix)
			}
			rows = append(rows, spaceRow(name, p.Space, result.Total))
		}
		if result.OtherPrefixes > 0 {
			rows = append(rows, spaceRow("("+otherPrefixes(result.OtherPrefixes)+")", result.Other, result.Total))
		}
		fmt.Fprintln(w)
		if err := writeTable(w, rows); err != nil {
			return err
		}
	}
	if report.Largest > 0 {
		var rows [][]cell
		for _, v := range result.Largest {
			row := []cell{{text: quota.HumanBytes(v.Bytes), right: true}, {text: printable(v.Key)}, {text: localTime(v.Modified)}}
			if v.Noncurrent {
				row = append(row, cell{text: "noncurrent, version " + v.VersionID})
			}
			rows = append(rows, row)
		}
		fmt.Fprintln(w)
		return writeTable(w, rows)
	}
	return nil
}

func spaceRow(name string, s, total adminapi.Space) []cell {
	var note string
	if s.NoncurrentObjects > 0 {
		note = quota.HumanBytes(s.NoncurrentBytes) + " in " + plural(s.NoncurrentObjects, "noncurrent version")
	}
	if s.DeleteMarkers > 0 {
		if note != "" {
			note += ", "
		}
		note += plural(s.DeleteMarkers, "delete marker")
	}
	return []cell{
		{text: name},
		{text: quota.HumanBytes(s.Bytes), right: true},
		{text: percent(s.Bytes, total.Bytes), right: true},
		{text: bar(s.Bytes, total.Bytes), tight: true},
		{text: humanize.Comma(s.Objects), right: true},
		{text: noun(s.Objects, 0), tight: true},
		{text: note},
	}
}

// writePrefixesCSV writes a line for each prefix, one for all others, and one for the whole.
func writePrefixesCSV(w io.Writer, result *adminapi.Breakdown) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"kind", "prefix", "bytes", "objects", "noncurrent_bytes", "noncurrent_objects", "delete_markers",
	}) // Error tells what Write does
	row := func(kind, prefix string, s adminapi.Space) {
		_ = out.Write([]string{
			kind, prefix, decimal(s.Bytes), decimal(s.Objects), decimal(s.NoncurrentBytes), decimal(s.NoncurrentObjects),
			decimal(s.DeleteMarkers),
		})
	}
	for _, p := range result.Prefixes {
		row("prefix", p.Prefix, p.Space)
	}
	if result.OtherPrefixes > 0 {
		row("other", "", result.Other)
	}
	row("total", "", result.Total)
	out.Flush()
	return out.Error()
}

func writeLargestCSV(w io.Writer, result *adminapi.Breakdown) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"key", "version_id", "bytes", "modified", "noncurrent"}) // Error tells what Write does
	for _, v := range result.Largest {
		_ = out.Write([]string{
			v.Key, v.VersionID, decimal(v.Bytes), v.Modified.UTC().Format(time.RFC3339), strconv.FormatBool(v.Noncurrent),
		})
	}
	out.Flush()
	return out.Error()
}

func otherPrefixes(n int64) string {
	if n == 1 {
		return "1 other prefix"
	}
	return humanize.Comma(n) + " other prefixes"
}
