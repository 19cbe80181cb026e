package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
	"github.com/plimsoll/plimsoll/s3api/audit"
)

// auditFlags say how much of the audit log is kept.
type auditFlags struct {
	AuditMaxBytes size `default:"8MiB" env:"PLIMSOLL_AUDIT_MAX_BYTES" placeholder:"SIZE" help:"Size at which audit.log in the data directory is rotated, and the space that is taken for it (${default})."`
	AuditFiles    int  `default:"10" env:"PLIMSOLL_AUDIT_FILES" placeholder:"N" help:"How many of its files are kept, at least 2 (${default})."`
}

func (f auditFlags) check() error {
	if f.AuditMaxBytes <= 0 {
		return errors.New("--audit-max-bytes must be more than 0")
	}
	if f.AuditFiles < 2 {
		return errors.New("--audit-files must be 2 or more")
	}
	return nil
}

// open opens the audit log of the data directory, which the store has locked.
func (f auditFlags) open(c *serveCommand, log *slog.Logger) (*audit.Log, error) {
	return audit.Open(audit.Options{
		Dir: c.Data, MaxBytes: int64(f.AuditMaxBytes), MaxFiles: f.AuditFiles, NoSync: c.Sync == "none", Log: log,
	})
}

type auditCommand struct {
	Since sinceFlag `placeholder:"TIME|DURATION" help:"Only what was tried since then: 2026-05-01, 2026-05-01T12:00:00Z, or 24h or 7d for the time up to now."`
	User  string    `placeholder:"NAME" help:"Only what this user tried."`
	clientFlags
}

// Help is shown by kong.
func (c *auditCommand) Help() string {
	return "A line for each change, the oldest first: when, who, what, what came of it, and what it was before and after. " +
		"With --json a record in JSON on each line. Attempts that were denied are shown as well."
}

// sinceFlag is a time, or how long ago it was.
type sinceFlag struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *sinceFlag) UnmarshalText(text []byte) error {
	if ago, err := parseAge(string(text)); err == nil {
		s.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, string(text), time.Local); err == nil {
			s.Time = t
			return nil
		}
	}
	return fmt.Errorf("%q is neither a time like 2026-05-01 or 2026-05-01T12:00:00Z nor a duration like 24h or 7d", text)
}

// Run implements the command.
func (c *auditCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		query := adminclient.AuditQuery{Limit: adminapi.MaxAuditRecords, User: c.User, Since: c.Since.Time}
		for r, err := range client.Audit(ctx, query) {
			if err != nil {
				return err
			}
			if c.JSON {
				err = json.NewEncoder(stdout).Encode(r)
			} else {
				_, err = io.WriteString(stdout, auditLine(&r)+"\n")
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// auditLine writes a record for people:
//
//	2026-05-01 12:00:00 +0000  root  PATCH quotas/buckets/photos  done  max_bytes 0 -> 1048576
//
// What strangers sent is quoted where it could be taken for something else.
func auditLine(r *adminapi.AuditRecord) string {
	who := r.User
	if who == "" {
		who = strings.TrimSuffix("("+r.AccessKey, "(")
		if who == "" {
			who = "(anonymous"
		}
		who += ")"
	}
	parts := []string{localTime(r.Time), plain(who), plain(r.Action + " " + r.Resource), r.Result}
	switch {
	case r.Code != "":
		parts = append(parts, plain(r.Code))
	default:
		parts = append(parts, changes(r.Before, r.After)...)
	}
	if r.User == "" {
		parts = append(parts, "from "+plain(r.Remote))
	}
	if r.Omitted > 0 {
		parts = append(parts, fmt.Sprintf("(%d more were denied before)", r.Omitted))
	}
	return strings.Join(parts, "  ")
}

// plain returns a text that cannot steer a terminal.
func plain(s string) string {
	quoted := fmt.Sprintf("%q", s)
	return quoted[1 : len(quoted)-1]
}

// maxShownBytes is how long a value may be that is shown in a line.
const maxShownBytes = 60

// changes tells which fields of a document are different, and how.
func changes(before, after json.RawMessage) []string {
	var was, is map[string]json.RawMessage
	_ = json.Unmarshal(before, &was) // what is no object has no fields
	_ = json.Unmarshal(after, &is)
	if _, ok := is["dry_run"]; ok {
		return figures(is)
	}
	if len(was) == 0 || len(is) == 0 {
		return nil // made or removed: the resource says which
	}
	names := make(map[string]bool)
	for name := range was {
		names[name] = true
	}
	for name := range is {
		names[name] = true
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(was[name], is[name]) {
			lines = append(lines, plain(name)+" "+shown(was[name])+" -> "+shown(is[name]))
		}
	}
	return lines
}

// figures tells what was aborted or pruned, or would have been.
func figures(document map[string]json.RawMessage) (lines []string) {
	if string(document["dry_run"]) == "true" {
		lines = append(lines, "dry run")
	}
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if n, err := strconv.ParseInt(string(document[name]), 10, 64); err == nil && n > 0 {
			lines = append(lines, plain(name)+" "+string(document[name]))
		}
	}
	return lines
}

func shown(value json.RawMessage) string {
	switch {
	case value == nil:
		return "none"
	case len(value) > maxShownBytes:
		return "(long)"
	default:
		return string(value) // JSON has no control characters
	}
}
