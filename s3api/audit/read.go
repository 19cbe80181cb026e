package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// MaxReadRecords is how many records Read returns at most.
const MaxReadRecords = 1000

// readBytes bounds what one Read reads of the files of a log.
const readBytes = 32 << 20

// Filter says which records are wanted.
type Filter struct {
	// User is who tried, where it is not empty.
	User string
	// Since is when it began at the earliest.
	Since time.Time
}

func (f Filter) wants(r *Record) bool {
	return r.Result != adminapi.AuditBegun && r.Result != damaged &&
		(f.User == "" || r.User == f.User) && !r.Time.Before(f.Since)
}

// Read returns up to limit records with a number above after, in order, from 1 to MaxReadRecords of them. Page.Next is
// for the next call. It reads a bounded number of bytes, so that a page may have few records, or none, and still be
// followed by others: Page.More says so. Rotation does not disturb it.
func (l *Log) Read(ctx context.Context, after uint64, limit int, filter Filter) (adminapi.AuditPage, error) {
	page := adminapi.AuditPage{Records: []Record{}, Next: after}
	if l == nil {
		return page, nil
	}
	limit = min(max(limit, 1), MaxReadRecords)
	changes, denied, last, err := l.parts(after)
	defer func() {
		for _, p := range slices.Concat(changes, denied) {
			_ = p.Close() // nothing was written to it
		}
	}()
	if err != nil {
		return page, fmt.Errorf("audit log: %w", err)
	}
	// Each log has been read up to a number. Up to the smaller of both, all that is wanted is known.
	upTo := last
	var found []Record
	for _, parts := range [][]part{changes, denied} {
		records, read, err := readParts(ctx, parts, after, limit, filter)
		if err != nil {
			return page, fmt.Errorf("audit log: %w", err)
		}
		found = append(found, records...)
		if read != 0 {
			upTo = min(upTo, read)
		}
	}
	slices.SortFunc(found, func(a, b Record) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, r := range found {
		if r.Seq > upTo {
			break
		}
		if len(page.Records) == limit {
			upTo = page.Records[limit-1].Seq
			break
		}
		page.Records = append(page.Records, r)
	}
	page.Next = max(after, upTo)
	page.More = page.Next < last
	return page, nil
}

// parts opens the files of both logs as they are now, and returns the number of the last record.
func (l *Log) parts(after uint64) (changes, denied []part, last uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, 0, fmt.Errorf("%w: it is closed", ErrUnavailable)
	}
	changes, err = l.changes.files(after)
	if err == nil {
		denied, err = l.denied.files(after)
	}
	return changes, denied, l.seq, err
}

// readParts returns the records of a log that are wanted, and the number up to which it was read; 0 for all.
func readParts(
	ctx context.Context, parts []part, after uint64, limit int, filter Filter,
) (records []Record, read uint64, err error) {
	budget := int64(readBytes)
	for _, p := range parts {
		scan := newScanner(p.reader())
		if _, err := scan.header(); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", p.Name(), err)
		}
		for ctx.Err() == nil {
			r, err := scan.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", p.Name(), err)
			}
			if r.Seq <= after {
				continue
			}
			if filter.wants(&r) {
				records = append(records, r)
			}
			// What was skipped up to after costs as well, but then there is progress.
			if len(records) > limit || scan.whole > budget {
				return records, r.Seq, nil
			}
		}
		budget -= scan.whole
	}
	return records, 0, ctx.Err()
}
