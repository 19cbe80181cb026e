package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// Record is a line of the log as it is read.
type Record = adminapi.AuditRecord

// Sizes of the logs.
const (
	// DefaultMaxBytes is the size at which a file is rotated.
	DefaultMaxBytes = 8 << 20
	// DefaultMaxFiles is how many files there are, the newest among them.
	DefaultMaxFiles = 10
	deniedMaxBytes  = 4 << 20
	deniedMaxFiles  = 2
	// maxTextBytes bounds each text of a record, maxDocumentBytes what is kept of before and after.
	maxTextBytes     = 1024
	maxDocumentBytes = 128 << 10
)

// How many denied attempts are recorded: deniedBurst at once, and one more each deniedEvery.
const (
	deniedBurst = 100
	deniedEvery = 5 * time.Second
)

// ErrUnavailable says that the log cannot be written, so that nothing may be changed.
var ErrUnavailable = errors.New("the audit log cannot be written")

// Options are what a Log is opened with.
type Options struct {
	// Dir is where the files are, the data directory of the store. It exists.
	Dir string
	// MaxBytes is the size at which a file is rotated, DefaultMaxBytes where 0; a record may exceed it.
	MaxBytes int64
	// MaxFiles is how many files are kept, 2 or more; DefaultMaxFiles where 0.
	MaxFiles int
	// NoSync does not wait for the disk, so that a power cut may lose records. For tests and throw-away data.
	NoSync bool
	// Log gets what an operator should know; nil means nowhere.
	Log *slog.Logger
	// Now is the clock; time.Now where nil.
	Now func() time.Time

	// wrap puts something between the log and its files, so that tests can have them fail.
	wrap func(file) file
}

// Log is an open log.
type Log struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex        // guards what follows, and is held while a line is made durable
	seq     uint64            // of the last line
	changes *series           //
	denied  *series           //
	open    map[uint64]Record // beginnings without an end
	backlog []Record          // ends that could not be written yet; at most one for each that was open
	tokens  float64           // denied attempts that may be recorded now
	filled  time.Time         // when tokens was reckoned
	omitted int64             // denied attempts that were not recorded since the last that was
	counts  counts
	closed  bool
}

// Open opens the log, and ends what was begun and not ended when the server stopped. Nothing else may have it open.
func Open(o Options) (*Log, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxFiles == 0 {
		o.MaxFiles = DefaultMaxFiles
	}
	if o.MaxBytes < 0 || o.MaxFiles < 2 {
		return nil, errors.New("audit log: a file has more than 0 bytes, and there are 2 or more")
	}
	l := &Log{log: o.Log, now: o.Now, open: make(map[uint64]Record), tokens: deniedBurst, filled: o.Now()}
	l.counts.records = make(map[string]int64)
	for _, result := range []string{
		adminapi.AuditDone, adminapi.AuditRefused, adminapi.AuditFailed, adminapi.AuditUnknown, adminapi.AuditDenied,
	} {
		l.counts.records[result] = 0 // a counter shows before it counts, so that its first step is seen
	}
	var (
		lines [2][]Record
		err   error
	)
	l.changes = &series{
		dir: o.Dir, name: "audit.log", maxBytes: o.MaxBytes, maxFiles: o.MaxFiles, sync: !o.NoSync, wrap: o.wrap, log: o.Log,
	}
	l.denied = &series{
		dir: o.Dir, name: "audit-denied.log", maxBytes: deniedMaxBytes, maxFiles: deniedMaxFiles, syncFirst: !o.NoSync,
		wrap: o.wrap, log: o.Log,
	}
	for i, s := range []*series{l.changes, l.denied} {
		if lines[i], err = s.open(); err != nil {
			return nil, errors.Join(fmt.Errorf("audit log: %w", err), l.closeFiles())
		}
		l.seq = max(l.seq, s.last)
	}
	for _, r := range lines[0] {
		if r.Result == adminapi.AuditBegun {
			l.open[r.Seq] = r
		} else {
			delete(l.open, r.Began)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(l.open)) {
		r := l.open[seq]
		r.Began, r.Result, r.Ended = seq, adminapi.AuditUnknown, l.now().UTC()
		l.backlog = append(l.backlog, r)
	}
	if err := l.flushLocked(); err != nil {
		l.log.Error("the audit log cannot be written: nothing can be changed until it can", "error", err)
	}
	return l, nil
}

// Change is a change that is being made.
type Change struct {
	log    *Log
	record Record
}

// Begin records that a change is about to be made: who, what and where it comes from are in r. It fails with
// ErrUnavailable, and then the change must not be made. The Change must be ended, whatever comes of it.
func (l *Log) Begin(r Record) (*Change, error) {
	if l == nil {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("%w: it is closed", ErrUnavailable)
	}
	err := l.flushLocked()
	r = clip(r)
	r.Time, r.Result, r.Before, r.After = l.now().UTC(), adminapi.AuditBegun, nil, nil
	if err == nil {
		err = l.writeLocked(l.changes, &r)
	}
	if err != nil {
		l.log.Error("a change is refused: the audit log cannot be written", "error", err)
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	l.open[r.Seq] = r
	return &Change{l, r}, nil
}

// Outcome is what came of a change.
type Outcome struct {
	// Result is adminapi.AuditDone, AuditRefused or AuditFailed.
	Result string
	// Code says why, where it was not done.
	Code string
	// Before and After are what was changed, as it was and as it is; nil where it was not, or is no more. They must not
	// have secrets.
	Before, After any
}

// End records what came of the change. A record that cannot be written now is written later, and the change is
// recorded as begun until then.
func (c *Change) End(o Outcome) {
	if c == nil {
		return
	}
	l, r := c.log, c.record
	r.Began, r.Result, r.Code = r.Seq, o.Result, o.Code
	r.Before, r.After = marshal(o.Before), marshal(o.After)
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Ended = l.now().UTC()
	l.backlog = append(l.backlog, r)
	if err := l.flushLocked(); err != nil {
		l.log.Error("what came of a change cannot be written to the audit log yet", "error", err,
			"request_id", r.RequestID, "user", r.User, "action", r.Action, "resource", r.Resource, "result", r.Result)
	}
}

// Limit is a limit as a Before or an After: what an administrator sets of a scope.
func Limit(scope quota.Scope, limit quota.Limit) adminapi.ScopeLimit {
	return adminapi.ScopeLimit{
		Scope: string(scope.Kind), Name: scope.Name, Prefix: scope.Prefix,
		MaxBytes: limit.MaxBytes, MaxObjects: limit.MaxObjects,
	}
}

// Do makes a change between its two lines: change is called when the first is on the disk, and Do returns when what came
// of it is. It fails with ErrUnavailable, and then change was not called, or with what change has failed with. change
// returns what is now changed, as it was and as it is, for Outcome. verdict says what the client is told of an error: its
// code, and whether the failure is the server's, so that the change was not refused but failed. So has one that panics.
func (l *Log) Do(
	r Record, change func() (before, after any, err error), verdict func(error) (code string, fault bool),
) error {
	begun, err := l.Begin(r)
	if err != nil {
		return err
	}
	outcome := Outcome{Result: adminapi.AuditFailed, Code: "InternalError"} // where it panics
	defer func() { begun.End(outcome) }()
	before, after, err := change()
	if err == nil {
		outcome = Outcome{Result: adminapi.AuditDone, Before: before, After: after}
		return nil
	}
	var fault bool
	if outcome.Code, fault = verdict(err); !fault {
		outcome.Result = adminapi.AuditRefused
	}
	return err
}

// flushLocked writes the ends that are waiting.
func (l *Log) flushLocked() error {
	for len(l.backlog) > 0 {
		r := l.backlog[0]
		if err := l.writeLocked(l.changes, &r); err != nil {
			return err
		}
		delete(l.open, r.Began)
		l.backlog = l.backlog[1:]
	}
	return nil
}

// Denied records an attempt that was denied, if there were not too many.
func (l *Log) Denied(r Record) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := l.now()
	l.tokens = min(deniedBurst, l.tokens+float64(now.Sub(l.filled))/float64(deniedEvery))
	l.filled = now
	if l.tokens < 1 {
		l.omitted++
		l.counts.omitted++
		return
	}
	l.tokens--
	r = clip(r)
	r.Time, r.Result, r.Omitted = now.UTC(), adminapi.AuditDenied, l.omitted
	if err := l.writeLocked(l.denied, &r); err != nil {
		l.omitted++
		l.log.Error("a denied attempt cannot be written to the audit log", "error", err)
		return
	}
	l.omitted = 0
}

// writeLocked gives a record its number and appends it.
func (l *Log) writeLocked(s *series, r *Record) error {
	r.Seq = l.seq + 1
	line, err := json.Marshal(r)
	if err != nil {
		return err // times that JSON cannot have
	}
	var open []Record
	// A file that is still empty may be one whose first line could not be written.
	if s == l.changes && (s.size == 0 || s.full(len(line))) {
		for _, seq := range slices.Sorted(maps.Keys(l.open)) {
			open = append(open, l.open[seq])
		}
	}
	if err := s.append(line, r.Seq, open); err != nil {
		l.counts.failures++
		return err
	}
	l.seq = r.Seq
	if r.Result != adminapi.AuditBegun {
		l.counts.records[r.Result]++
	}
	return nil
}

// Close closes the files. What has not been ended is ended as unknown by the next Open.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return errors.Join(l.flushLocked(), l.closeFiles())
}

func (l *Log) closeFiles() error { return errors.Join(l.changes.close(), l.denied.close()) }

// clip bounds the texts of a record: strangers may have sent them.
func clip(r Record) Record {
	for _, text := range []*string{
		&r.User, &r.AccessKey, &r.Remote, &r.RequestID, &r.Via, &r.Action, &r.Resource, &r.Code,
	} {
		if len(*text) > maxTextBytes {
			*text = (*text)[:maxTextBytes] + "…"
		}
	}
	return r
}

// marshal returns a document as JSON: nothing for nil, and its size instead of one that is too large.
func marshal(document any) json.RawMessage {
	if document == nil {
		return nil
	}
	raw, err := json.Marshal(document)
	switch {
	case err != nil:
		raw, _ = json.Marshal(map[string]string{"error": err.Error()})
	case len(raw) > maxDocumentBytes:
		raw = fmt.Appendf(nil, `{"omitted_bytes":%d}`, len(raw))
	}
	return raw
}
