package packs

// Stats is what the packs hold. Sizes are bytes of payload unless they say otherwise.
type Stats struct {
	Packs     int
	Records   int64 // blobs, deleted ones among them
	Bytes     int64 // of all of them
	Dead      int64 // of those that are deleted; 0 before SetLive was called
	FileBytes int64 // of the files, as far as they are written
	Counted   bool  // SetLive was called
	InFlight  int   // blobs that were committed, and neither settled nor deleted
}

// deadShare is the part of all payload that may be dead before packs are compacted, as a fraction.
const (
	deadShareNumerator   = 8
	deadShareDenominator = 100
)

// Stats returns what the packs hold.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := Stats{Packs: len(s.packs), Counted: s.counted}
	for _, p := range s.packs {
		all.Records += p.records.Load()
		all.Bytes += p.bytes.Load()
		all.FileBytes += p.written.Load()
		all.InFlight += p.inFlight()
		if s.counted {
			all.Dead += p.dead()
		}
	}
	return all
}

// dead returns how much of a pack was deleted. The count may be off (see SetLive), but not beyond what can be.
func (p *pack) dead() int64 {
	bytes := p.bytes.Load()
	return bytes - min(max(p.live.Load(), 0), bytes)
}

// SetLive tells how many bytes of payload the metadata refers to in each pack. It is called once after Open; before it,
// nothing is compacted. Only blobs of earlier epochs count (ID.Epoch() < Epoch()): those of this one the store has
// counted itself, from Commit to Delete. A blob counts once, however many refer to it.
//
// Deletes, of whatever epoch, are subtracted when they happen, before SetLive as after it; the sums come out the same
// in either order. So the count must say what the metadata held when the store was opened, together with garbage that is
// still to be deleted. A count that is taken page by page beside deletes may miss blobs that were subtracted too, and
// the deletion of an orphan is subtracted without having been counted. Then a pack seems emptier than it is, and is
// compacted early; since compaction asks for each blob whether it lives, that costs a copy, and nothing else.
func (s *Store) SetLive(live map[uint32]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, bytes := range live {
		if p := s.packs[number]; p != nil {
			p.live.Add(bytes)
		}
	}
	s.counted = true
}

// NextCompaction returns the pack that is most worth to be compacted, if any is: one that is dead as a whole, or, while
// more than 8 % of all payload is dead, the one with the largest dead share. A pack that is being written, holds blobs
// in flight (see Settle), or has the highest number, is never returned, nor one that Compact has given up. Where Compact
// fails otherwise (on a full disk, say) the same pack comes again: the caller waits a while.
func (s *Store) NextCompaction() (pack uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.counted {
		return 0, false
	}
	var all, dead int64
	best, bestShare := uint32(0), 0.0
	for _, p := range s.packs {
		bytes := p.bytes.Load()
		all += bytes
		if p.number == s.highest || p.stuck.Load() || p.isBusy() {
			continue
		}
		if p.live.Load() <= 0 {
			return p.number, true
		}
		// What is dead in packs that cannot be compacted must not drive others to be.
		dead += p.dead()
		if share := float64(p.dead()) / float64(max(bytes, 1)); share > bestShare {
			best, bestShare = p.number, share
		}
	}
	return best, best != 0 && dead*deadShareDenominator > all*deadShareNumerator
}
