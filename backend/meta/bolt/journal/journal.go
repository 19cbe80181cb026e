package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const files = 2

// Options are what a journal is made and opened with.
type Options struct {
	// ID is the store's.
	ID ID
	// Sync makes every record durable before Append returns.
	Sync bool
	// Bytes is the size of each file. One that is too small for a single record grows for it.
	Bytes int64
	// FileSystem is where the files are.
	FileSystem FileSystem
}

// Journal is two files of records.
type Journal struct {
	options Options
	files   [files]*logFile
	active  int
	last    uint64
	torn    int64 // how many bytes behind the active file's end a failed record may have left
}

// Path is the path of a journal's file: number 0 or 1, beside the database.
func Path(database string, number int) string { return database + ".journal." + strconv.Itoa(number) }

// Create makes the files beside a database that is new, durably. Files that were left behind by an earlier attempt are
// replaced; it fails with meta.ErrCorrupt where there are any that have more than a header, because the database that
// they belong to is missing then.
func Create(database string, o Options) error {
	for number := range files {
		path := Path(database, number)
		if err := checkUnused(o.FileSystem, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for number := range files {
		if err := create(o, Path(database, number), number); err != nil {
			return err
		}
	}
	if !o.Sync {
		return nil
	}
	return o.FileSystem.SyncDirectory(filepath.Dir(database))
}

func checkUnused(system FileSystem, path string) error {
	f, err := system.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b := make([]byte, len(recordMagic))
	_, err = f.ReadAt(b, firstRecord)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && string(b) == recordMagic {
		err = fmt.Errorf("%w: there is a journal, but the database that it belongs to is missing", meta.ErrCorrupt)
	}
	return errors.Join(err, f.Close())
}

// Open opens the files beside a database. It fails with meta.ErrCorrupt where one is missing or is not the store's. The
// caller has made sure that no other process uses them. Replay must follow.
func Open(database string, o Options) (*Journal, error) {
	j := &Journal{options: o}
	for number := range files {
		f, err := open(o, Path(database, number), number)
		if err != nil {
			return nil, errors.Join(err, j.Close())
		}
		j.files[number] = f
	}
	return j, nil
}

// Last is the number of the last record that may be on the disk.
func (j *Journal) Last() uint64 {
	if j.torn > 0 {
		return j.last + 1
	}
	return j.last
}

// Fits says whether the active file has room for a record. One that has no records yet has room for any.
func (j *Journal) Fits(r *Record) bool {
	end := j.files[j.active].end
	return end == firstRecord || end+r.size() <= j.options.Bytes
}

// Append writes a record and makes it durable. An error means that it is not, and wraps the system's; where it wraps
// meta.ErrUncertain, a crash before Mend may bring the record back.
func (j *Journal) Append(r *Record) error {
	if err := j.Mend(); err != nil {
		return err
	}
	b, err := r.finish(j.options.ID, j.last+1)
	if err != nil {
		return err
	}
	f := j.files[j.active]
	if err := f.grow(f.end + int64(len(b))); err != nil {
		return err
	}
	if err = f.write(b); err == nil && j.options.Sync {
		err = f.file.Sync()
	}
	if err != nil {
		j.torn = int64(len(b))
		if torn := j.Mend(); torn != nil {
			return fmt.Errorf("%w: %w", meta.ErrUncertain, errors.Join(err, torn))
		}
		return err
	}
	f.end += int64(len(b))
	j.last++
	return nil
}

// Mend makes certain that nothing is left of a record whose Append failed. Where there is none it does nothing.
func (j *Journal) Mend() error {
	if j.torn == 0 {
		return nil
	}
	f := j.files[j.active]
	err := f.zero(f.end, f.end+j.torn)
	if err == nil && j.options.Sync {
		err = f.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("a record that could not be written may have to be taken back from %s: %w", f.path, err)
	}
	j.torn = 0
	return nil
}

// Switch makes the other file the active one, and forgets what it holds: the database has all of it.
func (j *Journal) Switch() {
	j.active = 1 - j.active
	j.files[j.active].restart(j.options.Bytes)
}

// Close closes the files.
func (j *Journal) Close() error {
	var err error
	for _, f := range j.files {
		if f != nil {
			err = errors.Join(err, f.file.Close())
		}
	}
	return err
}
