package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type historyCommand struct {
	scopeArgument
	Hours bool `help:"Every hour of a week, and not every day of a year."`
	CSV   bool `name:"csv" help:"Write comma-separated values: days, then hours."`
	clientFlags
}

// Validate is called by kong.
func (c *historyCommand) Validate() error {
	if c.JSON && c.CSV {
		return errors.New("give --json or --csv")
	}
	return c.scopeArgument.Validate()
}

// Run implements the command.
func (c *historyCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		h, err := client.History(ctx, c.scope())
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, h)
		case c.CSV:
			return writeHistoryCSV(stdout, h)
		default:
			return writeHistory(stdout, h, c.Hours)
		}
	})
}

// writeHistory writes a line for each hour, or for each day and the last hour, and what they say of the future.
func writeHistory(w io.Writer, h adminapi.History, hours bool) error {
	points := h.Hours
	if !hours {
		points = h.Days
		if n := len(h.Hours); n > 0 {
			points = append(points, h.Hours[n-1])
		}
	}
	rows := make([][]cell, 0, len(points))
	for _, p := range points {
		rows = append(rows, []cell{
			{text: p.Time.Local().Format("2006-01-02 15:04 -0700")},
			{text: quota.HumanBytes(p.Bytes), right: true},
			{text: humanize.Comma(p.Objects), right: true},
			{text: noun(p.Objects, 0), tight: true},
		})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
	}
	writeGrowth(w, h.Growth)
	return nil
}

// writeGrowth says in sentences what is known of the future, or that nothing is.
func writeGrowth(w io.Writer, g adminapi.Growth) {
	span := humanAge(time.Duration(g.SpanSeconds) * time.Second)
	if !g.EnoughHistory || g.Bytes == nil || g.Objects == nil {
		fmt.Fprintf(w, "Not enough history to tell growth: %s over %s; it takes 6 over a day.\n",
			plural(int64(g.Points), "point"), span)
	} else {
		fmt.Fprintf(w, "Growth: %s (%s to %s) and %s objects/day, by %s over %s.\n", perDay(g.Bytes.PerDay),
			perDay(g.Bytes.Low), perDay(g.Bytes.High), humanize.Commaf(math.Round(100*g.Objects.PerDay)/100),
			plural(int64(g.Points), "point"), span)
	}
	for _, limit := range []struct {
		what string
		at   *adminapi.Forecast
	}{{"bytes", g.BytesFull}, {"objects", g.ObjectsFull}} {
		switch f := limit.at; {
		case f == nil:
		case !f.At.After(time.Now()):
			fmt.Fprintf(w, "The limit of %s is reached.\n", limit.what)
		default:
			latest := "never"
			if f.Latest != nil {
				latest = f.Latest.Local().Format(time.DateOnly)
			}
			fmt.Fprintf(w, "The limit of %s will be reached on %s (%s at the earliest, %s at the latest; confidence: %s).\n",
				limit.what, f.At.Local().Format(time.DateOnly), f.Earliest.Local().Format(time.DateOnly), latest, f.Confidence)
		}
	}
}

func writeHistoryCSV(w io.Writer, h adminapi.History) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"of", "time", "bytes", "objects"}) // Error tells what Write does
	for _, points := range []struct {
		of  string
		all []adminapi.HistoryPoint
	}{{"day", h.Days}, {"hour", h.Hours}} {
		for _, p := range points.all {
			_ = out.Write([]string{points.of, p.Time.UTC().Format(time.RFC3339), decimal(p.Bytes), decimal(p.Objects)})
		}
	}
	out.Flush()
	return out.Error()
}
