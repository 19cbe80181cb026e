package packs

import (
	"errors"
	"fmt"
)

// load finds the packs in the directory. Those that were ended in order have a seal as their last bytes, which says what
// is to be known of them; of the others, mostly one after a crash and none otherwise, every byte is read.
func (s *Store) load() error {
	entries, err := s.system.list(s.dir)
	if err != nil {
		return fmt.Errorf("packs: open %s: %w", s.dir, err)
	}
	for _, entry := range entries {
		number, ok := parseFileName(entry.Name())
		if !ok {
			continue // Walk tells
		}
		s.last = max(s.last, number)
		p := s.newPack(number)
		p.retired, p.sealed = true, true
		remove, err := s.loadPack(p)
		if err != nil {
			return err
		}
		if remove {
			if err := s.system.remove(p.path); err != nil {
				return fmt.Errorf("packs: remove the empty pack %08x: %w", number, err)
			}
			continue
		}
		s.packs[number] = p
		s.highest = max(s.highest, number)
	}
	if p := s.packs[s.highest]; p != nil && p.resumable && p.written.Load() <= s.options.PackBytes/4*3 {
		s.resume = p
	}
	return nil
}

// loadPack learns what a pack holds. remove is set where it never held anything, since a crash came first. A pack that
// cannot be read is left as it is: its blobs fail one by one, the others do not.
func (s *Store) loadPack(p *pack) (remove bool, err error) {
	f, err := s.system.open(p.path, false)
	if err != nil {
		p.stuck.Store(true) // nobody knows where it ends: compaction would take it for empty
		return false, nil
	}
	size, err := f.size()
	if err != nil {
		p.stuck.Store(true)
		return false, f.close()
	}
	p.startsAt(size) // as long as nothing better is known
	p.bytes.Store(size)
	var head [packHeaderBytes]byte
	n, err := f.readAt(head[:], 0)
	if err != nil {
		return false, f.close()
	}
	headErr := checkPackHeader(head[:n], p.number)
	if errors.Is(headErr, errFormat) {
		return false, errors.Join(headErr, f.close())
	}
	sealBytes := int64(recordBytes(sealPayload))
	if at := size - sealBytes; at >= packHeaderBytes && at%alignBytes == 0 {
		seal := make([]byte, sealBytes)
		if _, err := f.readAt(seal, at); err != nil {
			return false, f.close()
		}
		if records, bytes, ok := parseSeal(seal, placeOf(p.number, at)); ok {
			p.startsAt(at)
			p.records.Store(records)
			p.bytes.Store(bytes)
			p.resumable = headErr == nil
			return false, f.close()
		}
	}
	if err := f.close(); err != nil {
		return false, nil
	}
	return s.recover(p, size, headErr == nil)
}

// startsAt sets where a pack that is not being written ends.
func (p *pack) startsAt(end int64) {
	p.end, p.durable = end, end
	p.written.Store(end)
}

// survey is what a recovering scan learns.
type survey struct {
	records, bytes int64
	synced         int64   // the pack was durable up to here, or further
	gaps           []found // stretches that are no record, and records follow
}

func (s *Store) surveyPack(f file, number uint32, size int64) (survey, int64, error) {
	var seen survey
	end, err := scan(f, number, packHeaderBytes, size, true, func(one found) error {
		if one.kind == kindNone {
			seen.gaps = append(seen.gaps, one)
			return nil
		}
		seen.synced = max(seen.synced, min(int64(one.synced), one.offset))
		if one.kind == kindBlob {
			seen.records++
			seen.bytes += int64(one.length)
		}
		return nil
	})
	return seen, end, err
}

// recover ends a pack that a crash has left without a seal: what comes after the last whole record is cut off, and the
// seal is written. Writes that were under way may also have reached the disk in part, later ones before earlier ones.
// Such a gap is made a filler, so that it is not taken for damage for ever; one that was durable before is damage, and
// is left as it is. None of what is changed here was ever synced.
//
// A disk that is full, or cannot be written, keeps nobody from reading: the next start tries again.
func (s *Store) recover(p *pack, size int64, headed bool) (remove bool, err error) {
	f, err := s.system.open(p.path, true)
	if err != nil {
		f, err = s.system.open(p.path, false)
		if err != nil {
			return false, nil
		}
		seen, end, err := s.surveyPack(f, p.number, size)
		if err == nil {
			p.adopt(seen, end)
		}
		return false, f.close()
	}
	seen, end, err := s.surveyPack(f, p.number, size)
	if err != nil {
		return false, f.close()
	}
	if !headed && end == packHeaderBytes {
		// Not one record, and no header: begun and never used, or damaged beyond knowing what to cut off.
		blank, err := isBlank(f, size)
		return err == nil && blank, f.close()
	}
	p.adopt(seen, end)
	p.resumable = s.repair(f, p, seen, end) == nil && headed
	return false, f.close()
}

func (p *pack) adopt(seen survey, end int64) {
	p.startsAt(end)
	p.records.Store(seen.records)
	p.bytes.Store(seen.bytes)
}

// repair writes what recover has found to be missing.
func (s *Store) repair(f file, p *pack, seen survey, end int64) error {
	for _, gap := range seen.gaps {
		n := int(gap.bytes) - headerBytes - crcBytes
		if gap.offset < seen.synced || n < 0 {
			continue
		}
		filler := make([]byte, headerBytes)
		putHeader(filler, placeOf(p.number, gap.offset), header{kind: kindFiller, length: n})
		if err := f.writeAt([][]byte{filler}, gap.offset); err != nil {
			return err
		}
	}
	if err := f.truncate(end); err != nil {
		return err
	}
	if s.options.Sync {
		// The seal says that everything before it is on the disk.
		if err := f.sync(); err != nil {
			return err
		}
	}
	seal := make([]byte, recordBytes(sealPayload))
	putSeal(seal, placeOf(p.number, end), uint32(end), seen.records, seen.bytes)
	if err := f.writeAt([][]byte{seal}, end); err != nil {
		return err
	}
	if !s.options.Sync {
		return nil
	}
	return f.sync()
}

// isBlank says whether a file holds nothing but zeros behind the place of a pack's header.
func isBlank(f file, size int64) (bool, error) {
	w := &window{file: f, limit: size}
	for at := int64(packHeaderBytes); at < size; {
		p, err := w.at(at, 1)
		if err != nil || len(p) == 0 {
			return false, err
		}
		for _, b := range p {
			if b != 0 {
				return false, nil
			}
		}
		at += int64(len(p))
	}
	return true, nil
}
