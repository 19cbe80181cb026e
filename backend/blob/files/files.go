// Package files is a blob.ByID that keeps each blob in a file of its own.
//
// # Layout
//
//	dir/epoch                                     how often dir was opened (see below)
//	dir/<epoch>-<sequence / 4096>/<id>.blob       a blob; 8, 13 and 32 lower-case hexadecimal digits
//
// An id is the epoch (4 bytes), a sequence number that counts from 0 in every epoch (8 bytes), both big-endian, and
// 4 random bytes drawn once per Open. Ids of one epoch therefore sort in the order of their creation, none is used
// twice, and consecutive blobs share a directory of at most 4,096 of them: making a batch durable costs one fsync per
// file and one or two of directories.
//
// The epoch file is one line, the epoch and the CRC-32C of its eight digits: "00000007 5c2f81d0\n". It is rewritten,
// durably, by every Open, before any blob is.
//
// # A blob's file
//
//	0                   64 MiB    64 MiB + 4 KiB
//	+---------+--   --+---------+---------+--   --+---------+--   --+---------+---------+--------+
//	| block 0 |  ...  | bl. 1023| sums    |  ...  | block k |  ...  | block n | sums    | footer |
//	|         |       |         | 0..1023 |       |         |       | (last)  | k..n    | 40     |
//	+---------+--   --+---------+---------+--   --+---------+--   --+---------+---------+--------+
//
//	footer   0        8          12           16        32           36         40
//	         +--------+----------+------------+---------+------------+----------+
//	         | magic  | format   | block size | id      | zero       | CRC-32C  |
//	         | 8      | 4        | 4          | 16      | 4          | of 0..36 |
//	         +--------+----------+------------+---------+------------+----------+
//
// Numbers are big-endian. A block is 65,536 bytes of the blob, the last one 1 to 65,536 (0 only where the blob is
// empty). 1,024 blocks, or what is left of them at the end, are a group, and behind it are their checksums, 4 bytes
// each: the bytes of a run of blocks lie together, to be read and sent as they are, and a writer remembers one group's
// checksums, however long the blob is. Blocks begin at multiples of 4 KiB.
//
// A block's checksum is the CRC-32C over the blob's id, the number 2*i+l (8 bytes; i is the block's index, l is 1 for
// the last block of the blob and otherwise 0) and the block: one that was changed, moved within its file or put into
// another blob's file does not fit, and neither does the last block of a file that was cut off or extended, even by
// whole blocks.
//
// The length of the file tells the size of the blob. A file of f bytes holds b = f-40 bytes of blocks and checksums,
// enough for q = b/65,540 full ones and a rest of r = b%65,540 bytes, so the blob has
//
//	q*65,536            bytes where r is 0 and q is not,
//	q*65,536 + r - 4    bytes where r is more than 4,
//	0                   bytes where b is 4;
//
// no other length of file is a blob's.
//
// # Durability
//
// A blob is written under its final name; there is no temporary name and no rename. The name is unique and nothing
// refers to it before Sync has returned, so a file that a crash left unfinished is an orphan like any other, and the
// sweep removes it. Commit makes the file durable (in the goroutine of the writer, so that many do at once), Sync makes
// its name durable. The disk is told to begin with each mebibyte while the next arrives, so that there is little left to
// wait for at the end. Where the fsync of a directory fails the kernel may have dropped what it could not write, and a
// later fsync that succeeds would prove nothing: no more blobs are put into that directory, and Sync fails for those
// that are in it and were not synced before.
//
// # Use
//
// A Store is safe for concurrent use; one process at a time may have a directory open (its caller sees to that). A
// writer and a reader belong to one goroutine each. Either holds at most 266,280 bytes of buffer (four blocks, a
// group's checksums and the footer), or one block of them where it is known to be enough, or less for blobs under
// 16 KiB; buffers are pooled.
//
// Errors wrap blob.ErrNotFound, blob.ErrCorrupt, os.ErrClosed (the store was closed), or what the system said, so that
// errors.Is(err, syscall.ENOSPC) works.
package files

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

// preallocateBytes is the announced size from which a blob's space is reserved before its bytes arrive: it keeps large
// files in one piece, and finds a full disk before the body was read.
const preallocateBytes = 1 << 20

// Options are the settings of a Store.
type Options struct {
	// Sync makes blobs durable: Commit and Sync call fsync. Without it a crash of the machine may lose or damage any of
	// them; it is for data that can be thrown away.
	Sync bool
}

// Store keeps blobs in the files of one directory. Open makes one.
type Store struct {
	dir      string
	options  Options
	system   fileSystem
	epoch    uint32
	nonce    [4]byte
	sequence atomic.Uint64 // of the next blob
	closed   atomic.Bool

	// mu guards the maps. It is never held during a system call.
	mu sync.Mutex
	// fresh holds the names of directories that were made, and whose own names in dir are not yet durable.
	fresh map[string]struct{}
	// spoiled holds the names of directories that could not be synced, and why.
	spoiled map[string]error
	// writing holds the blobs that are neither committed nor aborted, for Walk to pass over.
	writing map[blob.ID]struct{}
}

var _ blob.ByID = (*Store)(nil)

// Open opens the store in dir, which is made if it is not there, and begins a new epoch. It fails where the epoch file
// cannot be read or is damaged: then nobody knows which blobs are older than the process.
func Open(dir string, options Options) (*Store, error) {
	return open(dir, options, diskFileSystem{})
}

func open(dir string, options Options, system fileSystem) (*Store, error) {
	s := &Store{
		dir:     filepath.Clean(dir),
		options: options,
		system:  system,
		fresh:   make(map[string]struct{}),
		spoiled: make(map[string]error),
		writing: make(map[blob.ID]struct{}),
	}
	if _, err := rand.Read(s.nonce[:]); err != nil {
		return nil, fmt.Errorf("files: draw a nonce: %w", err)
	}
	if err := disk.MakeDirectories(s.dir, options.Sync, system.mkdir, system.syncDir); err != nil {
		return nil, fmt.Errorf("files: make %s: %w", s.dir, err)
	}
	epoch, err := beginEpoch(system, s.dir, options.Sync)
	if err != nil {
		return nil, fmt.Errorf("files: begin an epoch in %s: %w", s.dir, err)
	}
	s.epoch = epoch
	return s, nil
}

// Epoch implements blob.ByID.
func (s *Store) Epoch() uint32 { return s.epoch }

// Create implements blob.ByID. Where size is large its space is reserved at once, and a disk that has too little of it
// fails Create.
func (s *Store) Create(ctx context.Context, size int64) (blob.Writer, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if size > maxBlobBytes {
		return nil, fmt.Errorf("files: create a blob of %d bytes: %w", size, syscall.EFBIG)
	}
	id := s.nextID()
	s.mu.Lock()
	s.writing[id] = struct{}{}
	s.mu.Unlock()
	f, err := s.createFile(id)
	if err != nil {
		s.endWriting(id)
		return nil, fmt.Errorf("files: create blob %s: %w", id, err)
	}
	w := newWriter(s, id, f, size)
	if size >= preallocateBytes {
		if err := f.preallocate(fileBytes(size)); err != nil {
			w.Abort()
			return nil, fmt.Errorf("files: reserve %d bytes for blob %s: %w", size, id, err)
		}
		w.reserved = fileBytes(size)
	}
	return w, nil
}

// createFile makes the file of a new blob, and its directory where it is the first blob there.
func (s *Store) createFile(id blob.ID) (file, error) {
	path := s.path(id)
	f, err := s.system.create(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	// Whoever finds the file in its directory must find the directory in fresh: it is entered before it is made.
	s.mu.Lock()
	s.fresh[dirName(id)] = struct{}{}
	s.mu.Unlock()
	if err := s.system.mkdir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return s.system.create(path)
}

// Sync implements blob.ByID: it makes the names of committed blobs durable. Their bytes have been since Commit.
func (s *Store) Sync(ctx context.Context, ids []blob.ID) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if !s.options.Sync || len(ids) == 0 {
		return nil
	}
	names := make(map[string]struct{}, 2)
	for _, id := range ids {
		names[dirName(id)] = struct{}{}
	}
	isFresh, err := s.standing(names)
	if err != nil {
		return err
	}
	for name := range names {
		if err := s.system.syncDir(filepath.Join(s.dir, name)); err != nil {
			return s.spoil(names, false, fmt.Errorf("files: sync directory %s: %w", name, err))
		}
	}
	if isFresh {
		if err := s.system.syncDir(s.dir); err != nil {
			return s.spoil(names, true, fmt.Errorf("files: sync directory %s: %w", s.dir, err))
		}
	}
	// Again, since another Sync may have met, and used up, the error that one of these directories had.
	if _, err := s.standing(names); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range names {
		delete(s.fresh, name)
	}
	return nil
}

// standing returns whether one of the directories is fresh, or the error that spoiled one of them.
func (s *Store) standing(names map[string]struct{}) (isFresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range names {
		if err := s.spoiled[name]; err != nil {
			return false, fmt.Errorf("files: directory %s could not be synced before: %w", name, err)
		}
		if _, ok := s.fresh[name]; ok {
			isFresh = true
		}
	}
	return isFresh, nil
}

// spoil gives up directories after a failed fsync, and returns err. Where it was that of dir itself, every directory
// whose name may have been lost with it is given up too.
func (s *Store) spoil(names map[string]struct{}, parent bool, err error) error {
	s.mu.Lock()
	for name := range names {
		s.spoiled[name] = err
	}
	if parent {
		for name := range s.fresh {
			s.spoiled[name] = err
		}
	}
	s.mu.Unlock()
	for {
		next := s.sequence.Load()
		if s.sequence.CompareAndSwap(next, (next|(blobsPerDir-1))+1) {
			return err
		}
	}
}

// Open implements blob.ByID. A range that no blob can have is an error, one that this blob does not have is
// blob.ErrCorrupt, since the caller knows how long it made the blob. The first blocks are read and checked at once.
func (s *Store) Open(ctx context.Context, id blob.ID, offset, size int64) (io.ReadCloser, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if offset < 0 || size < 0 || offset > maxBlobBytes || size > maxBlobBytes-offset {
		return nil, fmt.Errorf("files: open blob %s: no range: %d bytes at %d", id, size, offset)
	}
	f, err := s.openFile(id)
	if err != nil {
		return nil, err
	}
	r, err := newReader(id, f, offset, size)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *Store) openFile(id blob.ID) (file, error) {
	f, err := s.system.open(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("files: open blob %s: %w", id, blob.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("files: open blob %s: %w", id, err)
	}
	return f, nil
}

// Delete implements blob.ByID. It goes on after an error, and returns all of them.
func (s *Store) Delete(ctx context.Context, ids []blob.ID) error {
	var errs []error
	for _, id := range ids {
		if err := s.usable(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := s.system.remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("files: delete blob %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// Verify implements blob.ByID.
func (s *Store) Verify(ctx context.Context, id blob.ID) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	f, err := s.openFile(id)
	if err != nil {
		return err
	}
	length, err := f.size()
	if err != nil {
		return errors.Join(fmt.Errorf("files: verify blob %s: %w", id, err), f.close())
	}
	size, ok := blobBytes(length)
	if !ok {
		return errors.Join(badLength(id, length), f.close())
	}
	r, err := newReader(id, f, 0, size)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was opened to be read only: closing has nothing to lose
	for err == nil && ctx.Err() == nil {
		var p []byte
		p, err = r.next()
		r.at += int64(len(p))
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("files: verify blob %s: %w", id, ctx.Err())
}

// Free implements blob.ByID. What the system keeps for its administrator does not count as available.
func (s *Store) Free() (available, total int64, err error) {
	available, total, err = diskSpace(s.dir)
	if err != nil {
		return 0, 0, fmt.Errorf("files: ask for the free space of %s: %w", s.dir, err)
	}
	return available, total, nil
}

// Close implements blob.ByID. It may be called again. Readers and writers that are open stay usable; a blob that is
// committed later can no longer be synced.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return fmt.Errorf("files: store %s: %w", s.dir, os.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	return nil
}

func (s *Store) nextID() blob.ID {
	var id blob.ID
	binary.BigEndian.PutUint32(id[0:4], s.epoch)
	binary.BigEndian.PutUint64(id[4:12], s.sequence.Add(1)-1)
	copy(id[12:16], s.nonce[:])
	return id
}

func (s *Store) endWriting(id blob.ID) {
	s.mu.Lock()
	delete(s.writing, id)
	s.mu.Unlock()
}

func (s *Store) isWriting(id blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.writing[id]
	return ok
}

func (s *Store) path(id blob.ID) string {
	return s.dir + string(filepath.Separator) + dirName(id) + string(filepath.Separator) + fileName(id)
}
