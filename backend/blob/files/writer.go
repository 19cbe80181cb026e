package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/plimsoll/plimsoll/backend/blob"
)

// sendOutBytes is how much is written to a file until the disk is told to begin with it.
const sendOutBytes = 1 << 20

// writer collects blocks in a buffer and writes them several at a time, and a group's checksums behind the group. A
// block that is full stays open until more bytes come, since the last one is marked as such.
type writer struct {
	store    *Store
	id       blob.ID
	file     file
	seed     uint32
	buffer   *buffer // nil once the writer has ended; its tail collects the checksums of the present group
	used     int     // bytes of buffer that are filled
	start    int     // where in buffer the present block begins
	index    int64   // of the present block
	written  int64   // bytes of the file so far
	sent     int64   // how many of them the disk has been told to begin with
	reserved int64   // bytes that were preallocated
	err      error   // what failed; the file cannot be completed any more
}

func newWriter(s *Store, id blob.ID, f file, size int64) *writer {
	if size < 0 {
		size = BlockSize // not known: enough for most, and a whole block
	}
	return &writer{store: s, id: id, file: f, seed: blockSeed(id), buffer: newBuffer(size)}
}

// ID implements blob.Writer.
func (w *writer) ID() blob.ID { return w.id }

// Place implements blob.Writer: a file is found by its id.
func (w *writer) Place() blob.Place { return 0 }

// Preallocated implements blob.Writer.
func (w *writer) Preallocated() int64 { return w.reserved }

// Write implements blob.Writer. After an error every later Write and Commit fails with it.
func (w *writer) Write(p []byte) (int, error) {
	if w.buffer == nil {
		return 0, fmt.Errorf("files: write blob %s: %w", w.id, os.ErrClosed)
	}
	n := 0
	for n < len(p) && w.err == nil {
		if w.err = w.makeRoom(); w.err != nil {
			break
		}
		end := min(w.start+BlockSize, w.buffer.room())
		m := copy(w.buffer.p[w.used:end], p[n:])
		w.used += m
		n += m
	}
	return n, w.err
}

// makeRoom sees to it that the present block can take at least one byte more.
func (w *writer) makeRoom() error {
	if w.used == w.start+BlockSize {
		if err := w.seal(false); err != nil {
			return err
		}
	}
	switch {
	case w.used < w.buffer.room():
		return nil
	case !w.buffer.isLargest():
		w.buffer = w.buffer.grown() // more bytes came than were announced
		return nil
	}
	end := w.used                 // the buffer is full of sealed blocks
	if w.index%groupBlocks == 0 { // the last of them ended its group
		end += groupBlocks * crcBytes
	}
	if err := w.flush(end); err != nil {
		return err
	}
	return w.sendOut()
}

// seal ends the present block with its checksum, and begins the next.
func (w *writer) seal(isLast bool) error {
	if w.index >= maxBlobBytes/BlockSize {
		return fmt.Errorf("files: write blob %s: %w", w.id, syscall.EFBIG)
	}
	crc := blockCRC(w.seed, w.index, isLast, w.buffer.p[w.start:w.used])
	binary.BigEndian.PutUint32(w.buffer.tail()[w.index%groupBlocks*crcBytes:], crc)
	w.start = w.used
	w.index++
	return nil
}

// flush writes the first bytes of the buffer, and empties it.
func (w *writer) flush(bytes int) error {
	if err := w.file.write(w.buffer.p[:bytes]); err != nil {
		return fmt.Errorf("files: write blob %s: %w", w.id, err)
	}
	w.written += int64(bytes)
	w.used, w.start = 0, 0
	return nil
}

// sendOut has the disk write what has come while the rest arrives: less is left to do for the sync, which the client
// waits for.
func (w *writer) sendOut() error {
	n := w.written - w.sent
	if n < sendOutBytes || !w.store.options.Sync {
		return nil
	}
	if err := w.file.sendOut(w.sent, n); err != nil {
		return fmt.Errorf("files: write blob %s: %w", w.id, err)
	}
	w.sent = w.written
	return nil
}

// Commit implements blob.Writer. Where it fails, the file is removed.
func (w *writer) Commit() error {
	if w.buffer == nil {
		return fmt.Errorf("files: commit blob %s: %w", w.id, os.ErrClosed)
	}
	if err := w.finish(); err != nil {
		return w.drop(err)
	}
	err := w.file.close()
	w.file = nil
	if err != nil { // some file systems report only here what they could not write
		return w.drop(fmt.Errorf("files: close blob %s: %w", w.id, err))
	}
	w.end()
	return nil
}

// finish writes what is left, and makes the file durable where that is asked for.
func (w *writer) finish() error {
	if w.err != nil {
		return w.err
	}
	if err := w.seal(true); err != nil {
		return err
	}
	// The checksums move up to the last block, and the footer goes behind them.
	end := w.used + copy(w.buffer.p[w.used:], w.buffer.tail()[:((w.index-1)%groupBlocks+1)*crcBytes])
	putFooter(w.buffer.p[end:], w.id)
	if err := w.flush(end + footerBytes); err != nil {
		return err
	}
	if w.reserved > w.written {
		// The space beyond the end of the file would stay taken. Where giving it back fails, only space is lost.
		_ = w.file.truncate(w.written)
	}
	if !w.store.options.Sync {
		return nil
	}
	if err := w.file.sync(); err != nil {
		return fmt.Errorf("files: sync blob %s: %w", w.id, err)
	}
	return nil
}

// Abort implements blob.Writer. It does nothing after Commit, whether that succeeded or not.
func (w *writer) Abort() {
	if w.buffer != nil {
		_ = w.drop(nil) // a file that cannot be removed is an orphan, and the sweep tries again
	}
}

// drop removes the file and ends the writer. It returns cause, joined with what else failed.
func (w *writer) drop(cause error) error {
	var closing error
	if w.file != nil {
		closing = w.file.close()
	}
	err := w.store.system.remove(w.store.path(w.id))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	w.end()
	return errors.Join(cause, closing, err)
}

func (w *writer) end() {
	w.store.endWriting(w.id)
	w.buffer.free()
	w.buffer, w.file = nil, nil
}
