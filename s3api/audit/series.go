package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// file is what is needed of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Truncate(size int64) error
	Close() error
}

// series is a log of one or more files, of which the last is written. Its user sees to it that one call comes after
// the other.
type series struct {
	dir, name string
	maxBytes  int64
	maxFiles  int
	sync      bool // a line is on the disk when append returns
	// syncFirst does that for the first line of a file: one that has lost it is no log, and Open refuses it.
	syncFirst bool
	wrap      func(file) file
	log       *slog.Logger

	active file
	first  uint64 // number of the first record of the active file
	last   uint64 // number of the last
	size   int64  // of the active file, up to the last line that was acknowledged
	torn   bool   // something may stand after size
}

// header is the first line of a file.
type header struct {
	First uint64 `json:"first"`
	// Open are the beginnings that had no end when the file was made.
	Open []Record `json:"open,omitempty"`
}

func (s *series) path() string { return filepath.Join(s.dir, s.name) }

// open opens the active file, or makes it, and returns its lines, and before them the beginnings in its head.
func (s *series) open() ([]Record, error) {
	older, err := s.older()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s.active = s.wrapped(f)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	lines, whole, err := s.load(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(), err)
	}
	if whole == 0 && len(older) > 0 {
		// The stop came between the renaming of a full file and the first line of the next: that one has it all.
		if lines, err = s.loadFile(filepath.Join(s.dir, older[len(older)-1].name)); err != nil {
			return nil, err
		}
		s.first = 0
	}
	s.size, s.torn = whole, whole < info.Size()
	if s.torn {
		s.log.Warn("the audit log ended in the middle of a line, which is removed", "file", s.path(),
			"bytes", info.Size()-whole)
	}
	if err := s.mend(); err != nil {
		return nil, err
	}
	if s.sync && info.Size() == 0 { // it may be new: its lines are worth nothing without its name
		if err := syncDir(s.dir); err != nil {
			return nil, err
		}
	}
	s.reserve()
	return lines, nil
}

// load reads a file: its lines, with the beginnings in its head before them, and how long it is up to the last whole one.
func (s *series) load(r io.Reader) (lines []Record, whole int64, err error) {
	scan := newScanner(r)
	head, err := scan.header()
	if err == nil {
		s.first, s.last, lines = head.First, max(s.last, head.First-1), head.Open
	}
	for err == nil {
		var r Record
		if r, err = scan.next(); err == nil {
			s.last = max(s.last, r.Seq)
			lines = append(lines, slim(r))
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return lines, scan.whole, err
}

func (s *series) loadFile(path string) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	lines, _, err := s.load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}

// slim is what Open needs of a record: not what it held.
func slim(r Record) Record {
	r.Before, r.After = nil, nil
	return r
}

func (s *series) wrapped(f file) file {
	if s.wrap == nil {
		return f
	}
	return s.wrap(f)
}

// full reports whether the active file has no room for a line.
func (s *series) full(line int) bool { return s.size > 0 && s.size+int64(line)+1 > s.maxBytes }

// append writes a line with its number. It is in the log when append returns nil, and not if it fails.
func (s *series) append(line []byte, seq uint64, open []Record) error {
	if s.full(len(line)) {
		if err := s.rotate(); err != nil {
			// Better a file that is too long than nothing.
			s.log.Error("rotate the audit log", "error", err)
		}
	}
	if err := s.mend(); err != nil {
		return err
	}
	text := line
	if s.size == 0 {
		head, err := json.Marshal(header{First: seq, Open: open})
		if err != nil {
			return err
		}
		s.first = seq
		text = slices.Concat(head, []byte("\n"), line)
	}
	text = append(slices.Clip(text), '\n')
	s.torn = true
	if _, err := s.active.WriteAt(text, s.size); err != nil {
		return errors.Join(err, s.mend())
	}
	err := s.flush()
	if s.size == 0 && s.syncFirst {
		err = s.active.Sync()
	}
	if err != nil {
		return errors.Join(err, s.mend())
	}
	s.size, s.last, s.torn = s.size+int64(len(text)), seq, false
	return nil
}

// mend removes what may stand after the last line that was acknowledged.
func (s *series) mend() error {
	if !s.torn {
		return nil
	}
	if err := s.active.Truncate(s.size); err != nil {
		return err
	}
	s.torn = false
	s.reserve()
	return nil
}

// reserve takes the space of the active file. Without it a full disk is met earlier.
func (s *series) reserve() {
	if f, ok := s.active.(*os.File); ok {
		reserve(f, s.maxBytes)
	}
}

// rotate puts the active file among the older ones and makes another, and removes the oldest that are too many.
func (s *series) rotate() error {
	if err := s.active.Truncate(s.size); err != nil { // gives back what was reserved
		return err
	}
	s.torn = false
	// The next file is made first, under another name: on a full disk the active one stays what it is.
	fresh := s.path() + ".new"
	next, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	older := fmt.Sprintf("%s.%020d", s.path(), s.first)
	if err := errors.Join(s.flush(), os.Rename(s.path(), older)); err != nil {
		return errors.Join(err, next.Close(), os.Remove(fresh))
	}
	if err := os.Rename(fresh, s.path()); err != nil {
		return errors.Join(err, next.Close(), os.Rename(older, s.path()))
	}
	closeErr := s.active.Close()
	s.active, s.size, s.first = s.wrapped(next), 0, 0
	s.reserve()
	err = errors.Join(closeErr, s.prune())
	if s.sync {
		err = errors.Join(err, syncDir(s.dir))
	}
	return err
}

// flush makes what was written durable, where that is wanted.
func (s *series) flush() error {
	if !s.sync {
		return nil
	}
	return s.active.Sync()
}

// prune removes the oldest files.
func (s *series) prune() error {
	older, err := s.older()
	if err != nil {
		return err
	}
	for _, o := range older[:max(0, len(older)-(s.maxFiles-1))] {
		err = errors.Join(err, os.Remove(filepath.Join(s.dir, o.name)))
	}
	return err
}

// olderFile is a file that is no longer written.
type olderFile struct {
	name  string
	first uint64
}

// older lists the files that are no longer written, the oldest first.
func (s *series) older() ([]olderFile, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var all []olderFile
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), s.name+".")
		if first, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && e.Type().IsRegular() {
			all = append(all, olderFile{e.Name(), first})
		}
	}
	slices.SortFunc(all, func(a, b olderFile) int { return cmp.Compare(a.first, b.first) })
	return all, nil
}

// close gives back the space that was reserved.
func (s *series) close() error {
	if s == nil || s.active == nil {
		return nil
	}
	err := errors.Join(s.active.Truncate(s.size), s.flush(), s.active.Close())
	s.active = nil
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// files opens all files that may have records above after, the oldest first. They are the caller's to close.
func (s *series) files(after uint64) ([]part, error) {
	older, err := s.older()
	if err != nil {
		return nil, err
	}
	var parts []part
	for i, o := range older {
		next := s.first
		if i+1 < len(older) {
			next = older[i+1].first
		}
		if next != 0 && next <= after+1 {
			continue
		}
		f, err := os.Open(filepath.Join(s.dir, o.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return parts, err
		}
		parts = append(parts, part{f, -1})
	}
	f, err := os.Open(s.path())
	if err != nil {
		return parts, err
	}
	return append(parts, part{f, s.size}), nil
}

// part is a file as it was at a moment: of the one that is written, so many bytes.
type part struct {
	*os.File
	size int64 // -1 for all
}

func (p part) reader() io.Reader {
	if p.size < 0 {
		return p.File
	}
	return io.NewSectionReader(p.File, 0, p.size)
}

// scanner reads the lines of a file.
type scanner struct {
	from  *lineReader
	whole int64 // bytes up to the end of the last whole line
}

func newScanner(r io.Reader) *scanner { return &scanner{from: newLineReader(r)} }

func (s *scanner) header() (h header, err error) {
	line, err := s.from.line()
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(line, &h); err != nil || h.First == 0 {
		return h, errors.New("it does not begin as an audit log does: move it away")
	}
	s.whole += int64(len(line)) + 1
	return h, nil
}

// next returns the next record, or io.EOF. A line that cannot be read as one becomes a record that says so.
func (s *scanner) next() (r Record, err error) {
	line, err := s.from.line()
	if err != nil {
		return r, err
	}
	s.whole += int64(len(line)) + 1
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{Result: damaged, Code: string(bytes.ToValidUTF8(line[:min(len(line), 80)], nil))}, nil
	}
	return r, nil
}

// damaged is the result of a record that cannot be read.
const damaged = "damaged"
