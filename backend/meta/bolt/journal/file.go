package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	fileMagic     = "plimjrnl"
	formatVersion = 1
	idAt          = 16
	headCRCAt     = 32
	headBytes     = 36

	// firstRecord is where the first record of a file begins: no later write touches the header's block.
	firstRecord = 4096

	// zerosAhead are written behind a record that reaches what was never written, so that those after it overwrite blocks
	// that need no entry in the file system's own journal.
	zerosAhead = 256 << 10
)

var zeros [64 << 10]byte

// logFile is one of the two files.
type logFile struct {
	file    File
	path    string
	size    int64
	end     int64 // where the next record begins
	written int64 // up to where the file's blocks have been written to
}

func head(id ID, number int) []byte {
	b := make([]byte, firstRecord)
	copy(b, fileMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(number))
	copy(b[idAt:], id[:])
	binary.LittleEndian.PutUint32(b[headCRCAt:], ID{}.sum(b[:headCRCAt]))
	return b
}

// checkHead verifies a header against what it must be.
func checkHead(id ID, number int, b []byte) error {
	switch want := head(id, number)[:headBytes]; {
	case string(b[:headBytes]) == string(want):
		return nil
	case string(b[:8]) != fileMagic, binary.LittleEndian.Uint32(b[headCRCAt:]) != ID{}.sum(b[:headCRCAt]):
		return fmt.Errorf("%w: the journal's header is damaged", meta.ErrCorrupt)
	case binary.LittleEndian.Uint32(b[8:]) > formatVersion:
		return fmt.Errorf("%w: the journal has format %d, this program knows formats up to %d",
			meta.ErrNewerFormat, binary.LittleEndian.Uint32(b[8:]), formatVersion)
	default:
		return fmt.Errorf("%w: the journal is that of another store, or the other one", meta.ErrCorrupt)
	}
}

// create makes a file that has no records.
func create(o Options, path string, number int) error {
	f, err := o.FileSystem.Create(path)
	if err != nil {
		return err
	}
	if err = f.Preallocate(o.Bytes); unsupported(err) {
		err = nil
	}
	if err == nil {
		_, err = f.WriteAt(head(o.ID, number), 0)
	}
	if err == nil && o.Sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func open(o Options, path string, number int) (*logFile, error) {
	f, err := o.FileSystem.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: the journal is missing", path, meta.ErrCorrupt)
	}
	if err != nil {
		return nil, err
	}
	l := &logFile{file: f, path: path, end: firstRecord, written: firstRecord}
	b := make([]byte, headBytes)
	if l.size, err = f.Size(); err == nil {
		_, err = io.ReadFull(io.NewSectionReader(f, 0, l.size), b)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err == nil {
			err = checkHead(o.ID, number, b)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	if l.size < o.Bytes && f.Preallocate(o.Bytes) == nil {
		l.size = o.Bytes // otherwise it grows, where and when there is room
	}
	return l, nil
}

// write writes a record at the file's end, and zeros behind it where no block was written to before.
func (l *logFile) write(b []byte) error {
	if _, err := l.file.WriteAt(b, l.end); err != nil {
		return err
	}
	end := l.end + int64(len(b))
	if end <= l.written {
		return nil
	}
	ahead := min(end+zerosAhead, max(end, l.size))
	if err := l.zero(end, ahead); err != nil {
		return err
	}
	l.written = ahead
	return nil
}

func (l *logFile) zero(from, to int64) error {
	for from < to {
		n, err := l.file.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// grow makes room for a record that no file of the usual size has room for.
func (l *logFile) grow(end int64) error {
	if end <= l.size {
		return nil
	}
	if err := l.file.Preallocate(end); err != nil && !unsupported(err) {
		_ = l.file.Truncate(l.size) // what it has reserved before it failed is given back
		return err
	}
	l.size = end
	return nil
}

// restart forgets all records, and gives back what the file has grown by.
func (l *logFile) restart(bytes int64) {
	l.end = firstRecord
	if l.size > bytes && l.file.Truncate(bytes) == nil {
		l.size, l.written = bytes, min(l.written, bytes)
	}
}
