package main

import (
	"encoding/json"
	"io"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// barCells is how wide a bar is.
const barCells = 12

// cell is a field of a table.
type cell struct {
	text  string
	right bool // right-aligned
	tight bool // one space before it, not two
}

// writeTable writes rows with their columns under each other. A column that is empty in every row takes no room.
func writeTable(w io.Writer, rows [][]cell) error {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			if widths[i] == 0 {
				continue
			}
			if line.Len() > 0 && !c.tight {
				line.WriteByte(' ')
			}
			if line.Len() > 0 {
				line.WriteByte(' ')
			}
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
			if c.right {
				line.WriteString(padding + c.text)
			} else {
				line.WriteString(c.text + padding)
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeAccount(w io.Writer, asJSON bool, account adminapi.Account) error {
	if asJSON {
		return writeJSON(w, account)
	}
	return writeAccounts(w, []adminapi.Account{account})
}

// writeAccounts writes a line for each account:
//
//	photos  3.2 MiB / 10.0 MiB  32% ████░░░░░░░░  12 / 1,000 objects  1%
func writeAccounts(w io.Writer, accounts []adminapi.Account) error {
	rows := make([][]cell, 0, len(accounts))
	for _, a := range accounts {
		rows = append(rows, accountRow(a))
	}
	return writeTable(w, rows)
}

func accountRow(a adminapi.Account) []cell {
	name, used := a.Name, a.UsedBytes
	switch a.Scope { // not a name that a bucket could have
	case adminapi.ScopeServer:
		name, used = "(server)", used+a.PartBytes // the server's limit counts unfinished parts in full
	case adminapi.ScopeOwner:
		name = "user " + name
	case adminapi.ScopePrefix:
		name += "/" + a.Prefix
	case adminapi.ScopeDisk:
		name = "(disk)"
	}
	limit, objectLimit := "no limit", ""
	if a.MaxBytes > 0 {
		limit = quota.HumanBytes(a.MaxBytes)
	}
	if a.MaxObjects > 0 {
		objectLimit = "/ " + humanize.Comma(a.MaxObjects) + " "
	}
	return []cell{
		{text: name},
		{text: quota.HumanBytes(used), right: true},
		{text: "/ " + limit, tight: true},
		{text: percent(used, a.MaxBytes), right: true},
		{text: bar(used, a.MaxBytes), tight: true},
		{text: humanize.Comma(a.Objects), right: true},
		{text: objectLimit + noun(a.Objects, a.MaxObjects), tight: true},
		{text: percent(a.Objects, a.MaxObjects), right: true},
		{text: growthOf(a), right: true},
		{text: fullAt(a)},
		{text: notes(a)},
	}
}

// noun returns "object" or "objects", as the figure before it wants it.
func noun(objects, maxObjects int64) string {
	if maxObjects == 1 || (maxObjects == 0 && objects == 1) {
		return "object"
	}
	return "objects"
}

// notes tells what is neither stored nor free, and what of what is stored is old.
func notes(a adminapi.Account) string {
	var parts []string
	if a.Uploads > 0 {
		verb := "and "
		if a.Scope == adminapi.ScopeServer {
			verb = "with "
		}
		text := verb + quota.HumanBytes(a.PartBytes) + " in " + plural(a.Uploads, "unfinished upload")
		if a.OldestUpload != nil {
			text += " (up to " + humanAge(time.Since(*a.OldestUpload)) + " old)"
		}
		parts = append(parts, text)
	}
	if a.NoncurrentObjects > 0 {
		parts = append(parts, plural(a.NoncurrentObjects, "noncurrent version"))
	}
	if a.DeleteMarkers > 0 {
		parts = append(parts, plural(a.DeleteMarkers, "delete marker"))
	}
	if a.ReservedBytes > 0 {
		parts = append(parts, quota.HumanBytes(a.ReservedBytes)+" reserved")
	}
	if a.Counting {
		counting := "still counting"
		if a.CountedTo != "" {
			counting += ", now at " + strconv.Quote(a.CountedTo)
		}
		parts = append(parts, counting)
	}
	return strings.Join(parts, ", ")
}

// growthOf tells how many bytes come per day, where that is known.
func growthOf(a adminapi.Account) string {
	if a.Growth == nil || a.Growth.Bytes == nil {
		return ""
	}
	return perDay(a.Growth.Bytes.PerDay)
}

// perDay writes a rate of bytes with its sign.
func perDay(rate float64) string {
	switch n := int64(math.Round(math.Abs(rate))); {
	case n == 0:
		return "steady"
	case rate < 0:
		return "-" + quota.HumanBytes(n) + "/day"
	default:
		return "+" + quota.HumanBytes(n) + "/day"
	}
}

// fullAt tells when the first of an account's limits will be reached, where that is known and it is not reached yet.
func fullAt(a adminapi.Account) string {
	f := firstForecast(a)
	if f == nil || !f.At.After(time.Now()) {
		return ""
	}
	return "full " + f.At.Local().Format(time.DateOnly) + " (" + f.Confidence + ")"
}

// firstForecast is the earlier of the two.
func firstForecast(a adminapi.Account) *adminapi.Forecast {
	if a.Growth == nil {
		return nil
	}
	f := a.Growth.BytesFull
	if o := a.Growth.ObjectsFull; f == nil || (o != nil && o.At.Before(f.At)) {
		f = o
	}
	return f
}

// humanAge writes a time that has passed in its largest unit: 3 days.
func humanAge(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return plural(int64(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return plural(int64(d/time.Hour), "hour")
	case d >= 2*time.Minute:
		return plural(int64(d/time.Minute), "minute")
	default:
		return plural(max(0, int64(d/time.Second)), "second")
	}
}

// printable quotes a key that would do something to a terminal, or that could not be told from what stands around it.
func printable(key string) string {
	if key == "" || strings.TrimSpace(key) != key || strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(key)
	}
	return key
}

// percent returns how much of limit is used, rounded down, so that 100% is never less than all; empty where there is
// no limit.
func percent(used, limit int64) string {
	if limit <= 0 {
		return ""
	}
	high, low := bits.Mul64(uint64(used), 100)
	if high >= uint64(limit) {
		return ">999%"
	}
	n, _ := bits.Div64(high, low, uint64(limit))
	switch {
	case n > 999:
		return ">999%"
	case n == 0 && used > 0:
		return "<1%"
	default:
		return strconv.FormatUint(n, 10) + "%"
	}
}

// bar draws how much of limit is used: full only where nothing is left, empty only where nothing is stored. It is empty
// text where there is no limit.
func bar(used, limit int64) string {
	if limit <= 0 {
		return ""
	}
	full := barCells
	if used < limit {
		full = int(float64(used)/float64(limit)*barCells + 0.5)
		full = min(full, barCells-1)
		if used > 0 {
			full = max(full, 1)
		}
	}
	return strings.Repeat("█", full) + strings.Repeat("░", barCells-full)
}

// writeRemoved says what was removed.
func writeRemoved(w io.Writer, asJSON bool, what, name string) error {
	if asJSON {
		return writeJSON(w, struct {
			Removed string `json:"removed"`
		}{name})
	}
	_, err := io.WriteString(w, "Removed "+what+" "+name+".\n")
	return err
}

// localTime writes a time to the second; nothing where there is none.
func localTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 -0700")
}

// writeJSON writes an indented document.
func writeJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
