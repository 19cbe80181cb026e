package journal

import (
	"fmt"
	"io"
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// found is what a file holds that is needed: records first to last, where first is not 0.
type found struct {
	number      int
	first, last uint64
	end         int64
}

// Replay visits the rows of all records with numbers above after, in order, and makes the journal ready for Append. Rows
// of one record have its number; those of the file that is to be freed first come first, and are told apart by the
// file's number. It fails with meta.ErrCorrupt where a record is damaged or missing.
func (j *Journal) Replay(after uint64, visit func(file int, sequence uint64, row Row)) error {
	var (
		needed  []found
		content []byte
		err     error
	)
	for number, f := range j.files {
		if content, err = f.read(content); err != nil {
			return err
		}
		scanned, err := scan(j.options.ID, content, after, func(uint64, []byte) error { return nil })
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		f.end, f.written = scanned.end, scanned.end
		if scanned.number = number; scanned.first > 0 {
			needed = append(needed, scanned)
		}
	}
	slices.SortFunc(needed, func(a, b found) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	j.last = after
	for _, n := range needed {
		f := j.files[n.number]
		if n.first != j.last+1 {
			return fmt.Errorf("%s: %w: record %d is expected, and %d is the first", f.path, meta.ErrCorrupt, j.last+1, n.first)
		}
		if content, err = f.read(content); err != nil {
			return err
		}
		_, err := scan(j.options.ID, content, after, func(sequence uint64, payload []byte) error {
			return Rows(payload, func(row Row) { visit(n.number, sequence, row) })
		})
		if err == nil && j.options.Sync {
			err = f.settle(content[:n.end])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		j.active, j.last = n.number, n.last
	}
	return nil
}

// settle makes the records durable that were found: a process that was killed may have left them in memory only, and
// what is acknowledged from now on counts from them. They are written again, in place, since the system takes what it
// could not write for written.
func (l *logFile) settle(content []byte) error {
	if _, err := l.file.WriteAt(content[firstRecord:], firstRecord); err != nil {
		return err
	}
	return l.file.Sync()
}

// read reads the whole file, into b where that is large enough.
func (l *logFile) read(b []byte) ([]byte, error) {
	b = slices.Grow(b[:0], int(l.size))[:l.size]
	n, err := io.ReadFull(io.NewSectionReader(l.file, 0, l.size), b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil // what was preallocated may be left out
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.path, err)
	}
	return b[:n], nil
}

// scan visits the records of a file that have numbers above after.
func scan(id ID, content []byte, after uint64, visit func(sequence uint64, payload []byte) error) (found, error) {
	var (
		needed = found{end: firstRecord}
		last   uint64
		at     = min(firstRecord, len(content))
	)
	for {
		sequence, payload, ok := decode(id, content[at:])
		if !ok || sequence == 0 || (last > 0 && sequence != last+1) {
			break
		}
		at, last = min(at+int(align(int64(headerBytes+len(payload)))), len(content)), sequence
		if sequence <= after {
			continue
		}
		if needed.first == 0 {
			needed.first = sequence
		}
		needed.last, needed.end = sequence, int64(at)
		if err := visit(sequence, payload); err != nil {
			return found{}, fmt.Errorf("%w: record %d: %w", meta.ErrCorrupt, sequence, err)
		}
	}
	if newer := search(id, content[at:], max(last, after)); newer > 0 {
		return found{}, fmt.Errorf("%w: a record at offset %d is damaged: it comes before record %d, which is whole",
			meta.ErrCorrupt, at, newer)
	}
	return needed, nil
}
