// Package packs is a blob.Store that keeps small blobs together in large files, and hands larger ones to another store.
// One write and one fdatasync make a whole batch of small blobs durable, whoever committed them.
//
// # Layout
//
//	dir/<number>.pack     a pack; the number is 8 lower-case hexadecimal digits and counts from 1
//
// The place of a blob is the number of its pack in the upper 32 bits, and the offset of its record in the lower ones.
// Metadata keeps it: without it a blob is found by Walk only. Ids have the form that those of package files have (epoch,
// sequence number, 4 random bytes of this Open), with the highest bit of the sequence number set, which files never
// sets: the id alone tells who has the blob.
//
// A number is never used for two packs that anybody was told of: the pack with the highest number is never removed, so
// the next one follows from the names in the directory. Even so no blob can be taken for another, see below.
//
// # A pack
//
//	0          8        12       16      20       28         32
//	+----------+--------+--------+-------+--------+----------+----------+---   ---+----------+--------+
//	| plimpack | format | number | epoch | zero   | CRC-32C  | record 0 |   ...   | record n | seal   | zeros while the
//	| 8        | 4      | 4      | 4     | 8      | of 0..28 |          |         |          | record | pack is written
//	+----------+--------+--------+-------+--------+----------+----------+---   ---+----------+--------+
//
//	record   0       4        8         24       28        32        32+n       36+n
//	         +-------+--------+---------+--------+---------+---------+----------+---------------+
//	         | magic | n      | id      | synced | CRC-32C | payload | CRC-32C  | zeros, up to  |
//	         | 4     | 4      | 16      | 4      | 4       | n       | 4        | 8 bytes' edge |
//	         +-------+--------+---------+--------+---------+---------+----------+---------------+
//
// Numbers are big-endian. The magic is plmB for a blob, plmF for a filler (n bytes that hold nothing, and have no
// checksum) and plmE for a seal, whose payload is the number of blobs and the sum of their sizes, 8 bytes each.
// The first checksum is taken over the record's place (8 bytes) and the 28 bytes before it, the second over the id and
// the payload. So a record that was changed, or moved, or comes from a copy of a pack that somebody stores as a blob, is
// not taken for one; and what is read at a place is served only if it has the id and the size that were asked for.
// synced is how far the pack was known to be on the disk when the record was written.
//
// A pack that is not written any more ends with its seal, and needs not be read when the store opens. The last one of a
// run, if it is at most three quarters full, goes on in the next: the first record takes the place of the seal, and a
// seal that stands between records means nothing.
//
// # Recovery
//
// Open reads every byte of the packs that have no seal at their end: the one that a crash left, and those that a full or
// failing disk has cost. What comes after the last whole record is cut off. A stretch between records that is none
// becomes a filler if no later record says that it was synced: writes under way reach the disk in any order, and
// nobody was promised these. What had been synced is damage; it is left as it is, and hides nothing behind it. Every
// record tells its blob's id, size and place, so Walk rebuilds from packs alone what metadata knew of them. A damaged
// header of a pack is reported and stands in nobody's way, since records do not need it; that of a newer format is
// refused.
//
// # Durability
//
// Commit gives a record its place in the active pack and leaves it in memory. Sync writes all that is pending there,
// with one system call per 1,024 records, and calls fdatasync once; meanwhile the next batch gathers. Whoever finds that
// being done waits, and mostly finds its own records done with the next round. Where more than 256 KiB gather, Commit
// writes them and has the disk begin with them, beside the sync of those before. A new pack is durable, with its name,
// before it takes a record.
//
// Where a write or a sync fails, all records of that pack that were not durable are refused by Sync, with the system's
// error, and the pack takes no more: a later sync that succeeds would prove nothing. Its durable records stay. A full
// disk is mostly found when a pack is begun (then Commit fails), or when a pack that could not be preallocated grows
// (then Sync does).
//
// A pack is preallocated in full, so that no write changes the file's length, and a small batch that reaches what was
// never written puts a mebibyte of zeros behind itself, so that those after it overwrite blocks that need no entry in the
// file system's journal. Microseconds of write and fdatasync on ext4, mean and median of interleaved runs:
//
//	batch        append       fallocate, keep size   fallocate     fallocate and zeros   whole file zeroed before
//	4 KiB        569  343     560  333               503  319      357  205              355  209
//	64 KiB       867  453     999  385               1049 358      670  204              479  194
//	256 KiB      1831 844     1275 694               1354 708      1184 649              745  401
//	1 MiB        1928 1385    1671 1275              1553 1293     1703 1349             1353 971
//
// Zeroing the whole file writes everything twice; zeros behind batches of up to 128 KiB have most of the gain for a part
// of that. Packs of 16, 64 and 256 MiB are equally fast within the noise; 64 MiB is little to scan after a crash, and to
// have unused.
//
// Microseconds per blob that is durable, in packs and in files of their own (two cores, ext4, 1, 16 and 64 writers that
// wait for a common sync):
//
//	            1 writer       16 writers     64 writers
//	            packs  files   packs  files   packs  files
//	4 KiB       177    550     31     157     12     476
//	64 KiB      228    892     112    492     146    678
//	128 KiB     402    973     128    614     336    680
//	256 KiB     460    1127    313    607     796    642
//	512 KiB     711    1397    905    599     1435   624
//
// Beyond 128 KiB many writers gain nothing, while compaction and a reader's memory cost more: that is the threshold.
//
// # Compaction
//
// Delete only counts. Compact copies what lives out of a pack into the active one, makes the copies durable, has
// metadata enter the new places, and removes the pack after the last of them. A reader has its blob in memory, and
// whoever looks for it at its old place afterwards gets blob.ErrNotFound and looks it up again. Counting decides only
// which pack is worth it; what is removed was asked for, blob by blob. The pack that is written, the one with the
// highest number, and those with blobs in flight, which metadata is about to enter, are not compacted, so up to one pack
// may be dead as a whole for long.
//
// # Use
//
// A Store is safe for concurrent use; one process at a time may have a directory open (its caller sees to that). A
// writer and a reader belong to one goroutine each. No goroutine is started.
//
// A writer of a small blob holds a pooled buffer for its announced size, from its first byte; a reader holds one of its
// blob's size until it is closed; the caller bounds how many there are. What is committed and not synced is at most
// 8 MiB and one record for each Commit under way: beyond that Commit writes it itself. Compaction holds 1 MiB. Up to 256
// packs that nobody reads stay open.
//
// Errors wrap blob.ErrNotFound, blob.ErrCorrupt, os.ErrClosed (the store was closed), or what the system said, so that
// errors.Is(err, syscall.ENOSPC) works.
package packs

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/internal/disk"
)

const (
	// DefaultThreshold is the size, in bytes, up to which blobs go into packs.
	DefaultThreshold = 128 << 10
	// DefaultPackBytes is the length at which a pack is full.
	DefaultPackBytes = 64 << 20

	maxPackBytes = math.MaxInt32 // a place has 32 bits for the offset, and the last record may reach over
)

var (
	errFormat  = errors.New("written by a newer version")
	errNumbers = errors.New("packs: the numbers of packs are used up")
	errInUse   = errors.New("the pack is still written to, holds blobs in flight, or has the highest number")
	errAnswer  = errors.New("wrong number of answers")
)

// Options are the settings of a Store.
type Options struct {
	// Sync makes blobs durable: Sync calls fdatasync. Without it a crash of the machine may lose or damage any of them;
	// it is for data that can be thrown away. The large store has its own setting.
	Sync bool
	// Threshold is the size in bytes up to which a blob goes into a pack, at most 1 MiB; 0 means DefaultThreshold.
	Threshold int64
	// PackBytes is the length at which a pack is full, less than 2 GiB; 0 means DefaultPackBytes.
	PackBytes int64
}

// Store keeps small blobs in packs. Open makes one.
type Store struct {
	dir      string
	large    blob.ByID // keeps the larger blobs; it never sets the highest bit of a sequence number
	options  Options
	system   fileSystem
	nonce    [4]byte
	sequence atomic.Uint64 // of the last blob
	closed   atomic.Bool   // set with activeMu held
	handles  handles

	compactMu sync.Mutex // held by the compaction that runs

	// activeMu guards the two fields. It is held while a pack is begun, since nobody can commit before there is one. Of
	// the mutexes it comes before mu, and mu before that of a pack.
	activeMu sync.Mutex
	active   *pack // takes records; nil where one is to be begun
	resume   *pack // the last pack of the run before, which has room

	// mu guards what follows. It is never held during a system call.
	mu      sync.Mutex
	packs   map[uint32]*pack
	last    uint32 // the highest number that was tried
	highest uint32 // the highest number of a pack that was made: its file is there, durably
	lost    error  // why the last pack was given up that nothing durable is in
	counted bool   // SetLive was called
}

// Open opens the packs in dir, which is made if it is not there; nothing else may be kept in it. The store takes over
// large, whose epoch is its own, and closes it. Packs that a crash has left are read and repaired, at most as many as
// were being written; Open fails where a newer version has written one.
func Open(dir string, large blob.ByID, options Options) (*Store, error) {
	return open(dir, large, options, diskFileSystem{})
}

func open(dir string, large blob.ByID, options Options, system fileSystem) (*Store, error) {
	options.Threshold = cmp.Or(options.Threshold, DefaultThreshold)
	options.PackBytes = cmp.Or(options.PackBytes, DefaultPackBytes)
	if options.Threshold < 0 || options.Threshold > maxPayload {
		return nil, fmt.Errorf("packs: the threshold of %d bytes is not within 0 and %d", options.Threshold, maxPayload)
	}
	if options.PackBytes < 0 || options.PackBytes > maxPackBytes {
		return nil, fmt.Errorf("packs: packs of %d bytes are not within 0 and %d", options.PackBytes, maxPackBytes)
	}
	s := &Store{
		dir:     filepath.Clean(dir),
		large:   large,
		options: options,
		system:  system,
		packs:   make(map[uint32]*pack),
	}
	s.handles.init(system)
	if _, err := rand.Read(s.nonce[:]); err != nil {
		return nil, fmt.Errorf("packs: draw a nonce: %w", err)
	}
	mkdir := func(path string) error { return os.Mkdir(path, 0o700) }
	if err := disk.MakeDirectories(s.dir, options.Sync, mkdir, system.syncDir); err != nil {
		return nil, fmt.Errorf("packs: make %s: %w", s.dir, err)
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// NeedsPlace implements blob.Store: blobs in packs do.
func (s *Store) NeedsPlace(id blob.ID) bool { return isPacked(id) }

// PackOf returns the number of the pack that a place is in.
func PackOf(p blob.Place) uint32 {
	number, _ := splitPlace(p)
	return number
}

var _ blob.Store = (*Store)(nil)

// Epoch is the epoch of the blobs that this store writes. Blobs of lower epochs were all written before it opened.
func (s *Store) Epoch() uint32 { return s.large.Epoch() }

// Free returns how many bytes can still be written, and how many the disk has in all, as the large store knows it.
func (s *Store) Free() (available, total int64, err error) { return s.large.Free() }

// Sync makes committed blobs durable, together, and returns when all of them are: one write and one fdatasync for all
// that is pending in a pack, whoever committed it. Where it fails, none may be referred to, and Sync must not be retried
// for them: the caller deletes them. The error wraps the system's; that of a full disk (syscall.ENOSPC) mostly comes
// from here.
func (s *Store) Sync(ctx context.Context, refs []blob.Ref) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	var ids []blob.ID
	targets := make([]target, 0, 2)
	for _, ref := range refs {
		if isPacked(ref.ID) {
			targets = addTarget(targets, ref)
		} else {
			ids = append(ids, ref.ID)
		}
	}
	var errs []error
	for _, t := range targets {
		p := s.pack(t.number)
		if p == nil {
			errs = append(errs, fmt.Errorf("packs: sync: pack %08x is gone: %w", t.number, s.whyLost()))
			continue
		}
		if err := p.flush(t.end, s.options.Sync); err != nil {
			s.giveUp(p)
			errs = append(errs, err)
		}
	}
	if len(ids) > 0 && len(errs) == 0 {
		errs = append(errs, s.large.Sync(ctx, ids))
	}
	return errors.Join(errs...)
}

// target is how far a pack is to be durable.
type target struct {
	number uint32
	end    int64
}

func addTarget(targets []target, ref blob.Ref) []target {
	number, offset := splitPlace(ref.Place)
	end := offset + int64(recordBytes(int(min(max(ref.Size, 0), maxPayload))))
	for i := range targets {
		if targets[i].number == number {
			targets[i].end = max(targets[i].end, end)
			return targets
		}
	}
	return append(targets, target{number, end})
}

// Delete removes blobs, those in flight among them. A small one is only counted: its bytes stay in the pack until
// compaction, and are orphans. Each is deleted once, so that the counts are right; see SetLive for what happens
// otherwise. What is not there is no error.
func (s *Store) Delete(ctx context.Context, refs []blob.Ref) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	var ids []blob.ID
	for _, ref := range refs {
		if !isPacked(ref.ID) {
			ids = append(ids, ref.ID)
			continue
		}
		number, offset := splitPlace(ref.Place)
		if p := s.pack(number); p != nil {
			p.live.Add(-ref.Size)
			p.land(offset)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.large.Delete(ctx, ids)
}

// Close writes what is pending, though nobody was promised that, seals the active pack, gives back the space that it has
// not used, and closes the large store. It may be called again. Readers that are open stay usable; a blob that is
// committed later is refused. Compact must have returned.
func (s *Store) Close() error {
	s.activeMu.Lock()
	again := s.closed.Swap(true)
	s.active, s.resume = nil, nil
	s.activeMu.Unlock()
	if again {
		return nil
	}
	var errs []error
	for _, p := range s.sorted() {
		if !p.isOpen() {
			continue
		}
		p.retire()
		if err := p.flush(p.written.Load(), s.options.Sync); err != nil {
			errs = append(errs, err)
		}
	}
	s.handles.close()
	return errors.Join(append(errs, s.large.Close())...)
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return s.closedError()
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("packs: %w", err)
	}
	return nil
}

func (s *Store) closedError() error { return fmt.Errorf("packs: store %s: %w", s.dir, os.ErrClosed) }

// pack returns a pack, or nil where it is not there or not any more.
func (s *Store) pack(number uint32) *pack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packs[number]
}

// whyLost returns why a pack is gone whose records were not yet durable.
func (s *Store) whyLost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.lost, blob.ErrNotFound)
}

// sorted returns the packs in the order of their numbers.
func (s *Store) sorted() []*pack {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*pack, 0, len(s.packs))
	for _, p := range s.packs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pack) int { return cmp.Compare(a.number, b.number) })
	return all
}

func (s *Store) path(number uint32) string {
	return s.dir + string(filepath.Separator) + fileName(number)
}
