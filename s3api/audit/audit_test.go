package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func openLog(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// change records a change of a resource that is done.
func change(t *testing.T, l *Log, user, resource string) {
	t.Helper()
	c, err := l.Begin(Record{User: user, Resource: resource})
	if err != nil {
		t.Fatal(err)
	}
	c.End(Outcome{Result: adminapi.AuditDone, After: map[string]string{"name": resource}})
}

// all reads the log in pages of so many.
func all(t *testing.T, l *Log, page int, filter Filter) []Record {
	t.Helper()
	var records []Record
	for after := uint64(0); ; {
		p, err := l.Read(t.Context(), after, page, filter)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Records) > page || p.Next < after || (p.More && p.Next == after) {
			t.Fatalf("after %d: %d records, next %d, more %v", after, len(p.Records), p.Next, p.More)
		}
		records = append(records, p.Records...)
		if after = p.Next; !p.More {
			return records
		}
	}
}

// told is what tests compare of records.
func told(records []Record) []string {
	var lines []string
	for _, r := range records {
		lines = append(lines, strings.TrimSpace(r.Resource+" "+r.Result+" "+r.Code))
	}
	return lines
}

func checkTold(t *testing.T, records []Record, want ...string) {
	t.Helper()
	if got := told(records); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for i, r := range records {
		if i > 0 && r.Seq <= records[i-1].Seq {
			t.Errorf("record %d stands after %d", r.Seq, records[i-1].Seq)
		}
	}
}

func TestRecords(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	l := openLog(t, Options{Dir: dir, Now: func() time.Time { return now }})
	c, err := l.Begin(Record{
		User: "alice", AccessKey: "AK", Remote: "192.0.2.1:5", RequestID: "R1", Via: "admin", Action: "PATCH", Resource: "a",
		After: json.RawMessage(`"not yet"`), Result: "nonsense",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := all(t, l, 10, Filter{}); len(got) > 0 {
		t.Errorf("what is not ended is told: %+v", got)
	}
	now = now.Add(time.Minute)
	c.End(Outcome{Result: adminapi.AuditDone, Before: map[string]int{"n": 1}, After: map[string]int{"n": 2}})
	l.Denied(Record{AccessKey: "other", Resource: "b", Code: "AccessDenied"})
	c, err = l.Begin(Record{User: "bob", Resource: "c"})
	if err != nil {
		t.Fatal(err)
	}
	c.End(Outcome{Result: adminapi.AuditRefused, Code: "PreconditionFailed"})
	want := []string{"a done", "b denied AccessDenied", "c refused PreconditionFailed"}
	for _, page := range []int{1, 2, 3, 100} {
		checkTold(t, all(t, l, page, Filter{}), want...)
	}
	checkTold(t, all(t, l, 1, Filter{User: "bob"}), want[2])
	checkTold(t, all(t, l, 1, Filter{Since: now}), want[1:]...)
	got := all(t, l, 10, Filter{User: "alice"})[0]
	if got.AccessKey != "AK" || got.Remote != "192.0.2.1:5" || got.RequestID != "R1" || got.Via != "admin" ||
		got.Action != "PATCH" || string(got.Before) != `{"n":1}` || string(got.After) != `{"n":2}` ||
		got.Ended.Sub(got.Time) != time.Minute {
		t.Errorf("%+v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin(Record{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a closed log begins: %v", err)
	}
	last := all(t, openLog(t, Options{Dir: dir}), 10, Filter{})
	checkTold(t, last, want...)
	info, err := os.Stat(filepath.Join(dir, "audit.log"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 10_000 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// What was begun when the process ended has an end after the next start, whatever files it lies in.
// TestDo: what came of a change is recorded whatever comes of it, and nothing is changed that cannot be.
func TestDo(t *testing.T) {
	l := openLog(t, Options{Dir: t.TempDir()})
	full, broken := errors.New("full"), errors.New("broken")
	verdict := func(err error) (code string, fault bool) { return err.Error(), errors.Is(err, broken) }
	do := func(resource string, err error) error {
		return l.Do(Record{Resource: resource}, func() (before, after any, _ error) { return 1, 2, err }, verdict)
	}
	for resource, want := range map[string]error{"a": nil, "b": full, "c": broken} {
		if err := do(resource, want); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", resource, err, want)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = l.Do(Record{Resource: "d"}, func() (before, after any, err error) { panic("d") }, verdict)
	}()
	records := all(t, l, 10, Filter{})
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.Resource, b.Resource) })
	want := []string{"a done", "b refused full", "c failed broken", "d failed InternalError"}
	if got := told(records); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if r := records[0]; string(r.Before) != "1" || string(r.After) != "2" {
		t.Errorf("%+v", r)
	}
	if r := records[1]; r.Before != nil || r.After != nil {
		t.Errorf("what was refused has changed something: %+v", r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]*Log{"closed": l, "none": nil} {
		changed := false
		err := log.Do(Record{}, func() (before, after any, err error) { changed = true; return nil, nil, nil }, verdict)
		if changed != (log == nil) || errors.Is(err, ErrUnavailable) != (log != nil) {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
	}
}

func TestUnended(t *testing.T) {
	for _, test := range []struct {
		name    string
		between int // changes after the one that does not end
		ruin    func(t *testing.T, dir string)
	}{
		{"in the same file", 0, nil},
		{"rotated", 20, nil},
		{"killed in the middle of a line", 0, func(t *testing.T, dir string) {
			appendTo(t, filepath.Join(dir, "audit.log"), `{"seq":99,"resul`)
		}},
		{"killed in the middle of a file's first line", 20, func(t *testing.T, dir string) {
			newest := filepath.Join(dir, "audit.log")
			raw, err := os.ReadFile(newest)
			if err != nil {
				t.Fatal(err)
			}
			var head header
			first, _, _ := strings.Cut(string(raw), "\n")
			if err := json.Unmarshal([]byte(first), &head); err != nil || len(head.Open) != 1 {
				t.Fatalf("%s: %v", first, err)
			}
			if err := os.Truncate(newest, int64(len(first)-3)); err != nil {
				t.Fatal(err)
			}
		}},
		{"killed between two renames", 20, func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "audit.log")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			l := openLog(t, Options{Dir: dir, MaxBytes: 1000, MaxFiles: 100, NoSync: true})
			if _, err := l.Begin(Record{User: "alice", Resource: "lost"}); err != nil {
				t.Fatal(err)
			}
			for range test.between {
				change(t, l, "alice", "other")
			}
			// Not closed: the process is gone.
			if test.ruin != nil {
				test.ruin(t, dir)
			}
			for range 2 {
				again := openLog(t, Options{Dir: dir, MaxBytes: 1000, MaxFiles: 100, NoSync: true})
				lost := slices.DeleteFunc(all(t, again, 7, Filter{}), func(r Record) bool { return r.Resource != "lost" })
				checkTold(t, lost, "lost unknown")
				change(t, again, "alice", "later")
				records := all(t, again, 7, Filter{})
				if r := records[len(records)-1]; r.Resource != "later" || r.Result != adminapi.AuditDone {
					t.Errorf("%+v", r)
				}
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Files are bounded in size and number, the newest records stay, and readers see every record once, while it happens.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	const maxBytes, maxFiles, n = 2000, 3, 100
	l := openLog(t, Options{Dir: dir, MaxBytes: maxBytes, MaxFiles: maxFiles, NoSync: true})
	var group sync.WaitGroup
	group.Go(func() {
		for i := range n {
			c, err := l.Begin(Record{Resource: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			c.End(Outcome{Result: adminapi.AuditDone})
		}
	})
	last := -1
	for after := uint64(0); last < n-1 && !t.Failed(); {
		page, err := l.Read(t.Context(), after, 5, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			var i int
			if _, err := fmt.Sscan(r.Resource, &i); err != nil || i <= last {
				t.Fatalf("%s after %d", r.Resource, last)
			}
			last = i
		}
		after = page.Next
	}
	group.Wait()
	files, err := filepath.Glob(filepath.Join(dir, "audit.log*"))
	if err != nil || len(files) != maxFiles {
		t.Errorf("%q, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > maxBytes+200 { // and the head
			t.Errorf("%s: %d bytes, %v", f, info.Size(), err)
		}
	}
	records := all(t, l, 10, Filter{})
	for i, r := range records {
		if want := fmt.Sprint(n - len(records) + i); r.Resource != want {
			t.Fatalf("record %d is %s, want %s", i, r.Resource, want)
		}
	}
	if len(records) < 5 {
		t.Errorf("%d records are left", len(records))
	}
}

// Strangers cannot fill the log, nor push out what was changed.
func TestDeniedAttemptsAreBounded(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	l := openLog(t, Options{Dir: dir, Now: func() time.Time { return now }})
	change(t, l, "alice", "kept")
	long := strings.Repeat("x", 100_000)
	for range 100_000 {
		l.Denied(Record{AccessKey: long, Resource: "x\n\xff"})
	}
	records := all(t, l, MaxReadRecords, Filter{})
	if len(records) != 1+deniedBurst || records[0].Resource != "kept" || len(records[1].AccessKey) > maxTextBytes+3 {
		t.Fatalf("%d records, the first %+v", len(records), records[0])
	}
	now = now.Add(deniedEvery)
	l.Denied(Record{Resource: "later"})
	l.Denied(Record{Resource: "too early"})
	records = all(t, l, MaxReadRecords, Filter{})
	if r := records[len(records)-1]; r.Resource != "later" || r.Omitted != 100_000-deniedBurst {
		t.Errorf("%+v", r)
	}
	for range 20_000 {
		now = now.Add(deniedEvery)
		l.Denied(Record{AccessKey: long, Resource: "slowly"})
	}
	var total int64
	files, err := filepath.Glob(filepath.Join(dir, "audit-denied.log*"))
	for _, f := range files {
		info, statErr := os.Stat(f)
		err = errors.Join(err, statErr)
		total += info.Size()
	}
	if err != nil || total > deniedMaxBytes*deniedMaxFiles+10_000 {
		t.Errorf("%d bytes, %v", total, err)
	}
	if first := all(t, l, 1, Filter{User: "alice"}); len(first) != 1 || first[0].Resource != "kept" {
		t.Errorf("%+v", first)
	}
}

// counting counts the syncs of a file.
type counting struct {
	file
	syncs *int
}

func (f counting) Sync() error {
	*f.syncs++
	return f.file.Sync()
}

// Denied attempts do not wait for the disk, but the first line of a file does: without it the file is no log after a power
// cut, and the server does not start.
func TestOnlyTheFirstDeniedAttemptIsSynced(t *testing.T) {
	syncs := 0
	l := openLog(t, Options{Dir: t.TempDir(), wrap: func(f file) file { return counting{f, &syncs} }})
	for range 10 {
		l.Denied(Record{Resource: "x"})
	}
	if syncs != 1 {
		t.Errorf("10 denied attempts are synced %d times", syncs)
	}
}

// failing is a file on a disk that is full, or broken, when told so.
type failing struct {
	file
	full, broken *bool
}

func (f failing) WriteAt(p []byte, at int64) (int, error) {
	if *f.full {
		n, _ := f.file.WriteAt(p[:len(p)/2], at)
		return n, syscall.ENOSPC
	}
	return f.file.WriteAt(p, at)
}

func (f failing) Sync() error {
	if *f.broken {
		return syscall.EIO
	}
	return f.file.Sync()
}

// While the log cannot be written nothing is changed, and what came of a change under way is not forgotten.
func TestFullDisk(t *testing.T) {
	for _, fault := range []string{"full", "broken"} {
		t.Run(fault, func(t *testing.T) {
			var full, broken bool
			is := map[string]*bool{"full": &full, "broken": &broken}[fault]
			dir := t.TempDir()
			l := openLog(t, Options{Dir: dir, wrap: func(f file) file { return failing{f, &full, &broken} }})
			change(t, l, "alice", "before")
			under, err := l.Begin(Record{Resource: "under way"})
			if err != nil {
				t.Fatal(err)
			}
			*is = true
			under.End(Outcome{Result: adminapi.AuditDone})
			for range 3 {
				if _, err := l.Begin(Record{Resource: "refused"}); !errors.Is(err, ErrUnavailable) {
					t.Errorf("begins: %v", err)
				}
			}
			checkTold(t, all(t, l, 10, Filter{}), "before done")
			*is = false
			change(t, l, "alice", "after")
			want := []string{"before done", "under way done", "after done"}
			checkTold(t, all(t, l, 10, Filter{}), want...)
			checkTold(t, all(t, openLog(t, Options{Dir: dir}), 10, Filter{}), want...)
		})
	}
}

// A file whose first line could not be written has the beginnings without an end in the one that can.
func TestFullDiskAfterARotation(t *testing.T) {
	var full, broken bool
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir, MaxBytes: 2000, wrap: func(f file) file { return failing{f, &full, &broken} }})
	if _, err := l.Begin(Record{Resource: "under way"}); err != nil {
		t.Fatal(err)
	}
	for !l.changes.full(200) {
		change(t, l, "alice", "filling")
	}
	full = true
	if _, err := l.Begin(Record{Resource: strings.Repeat("r", 200)}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("begins: %v", err)
	}
	if l.changes.size > 0 {
		t.Fatalf("the file was not rotated: %d bytes", l.changes.size)
	}
	full = false
	change(t, l, "alice", "after")
	records := all(t, openLog(t, Options{Dir: dir}), 100, Filter{}) // as after a kill
	for _, want := range []string{"after done", "under way unknown"} {
		if !slices.Contains(told(records), want) {
			t.Errorf("%q is not among %q", want, told(records))
		}
	}
}

// A line that cannot be read does not hide the others.
func TestDamagedLine(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir})
	change(t, l, "alice", "a")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "audit.log"), "rubbish\n")
	l = openLog(t, Options{Dir: dir})
	change(t, l, "alice", "b")
	checkTold(t, all(t, l, 10, Filter{}), "a done", "b done")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "audit.log"), []byte("not a log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil {
		t.Error("another file is taken for a log")
	}
}

func TestLargeDocuments(t *testing.T) {
	l := openLog(t, Options{Dir: t.TempDir()})
	c, err := l.Begin(Record{Resource: "a"})
	if err != nil {
		t.Fatal(err)
	}
	c.End(Outcome{Result: adminapi.AuditDone, Before: strings.Repeat("x", maxDocumentBytes), After: strings.Repeat("<", 20_000)})
	r := all(t, l, 1, Filter{})[0]
	if string(r.Before) != fmt.Sprintf(`{"omitted_bytes":%d}`, maxDocumentBytes+2) || len(r.After) < 20_000 {
		t.Errorf("%.100s, %d bytes", r.Before, len(r.After))
	}
}

func TestNoLog(t *testing.T) {
	var l *Log
	c, err := l.Begin(Record{})
	c.End(Outcome{})
	l.Denied(Record{})
	if _, readErr := l.Read(context.Background(), 0, 1, Filter{}); err != nil || readErr != nil || l.Close() != nil {
		t.Error(err, readErr)
	}
}
