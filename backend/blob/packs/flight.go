package packs

import "github.com/plimsoll/plimsoll/backend/blob"

// A blob is in flight from Writer.Commit, which gives it its place, until Settle or Delete. Metadata does not know it
// yet, so compaction, which asks metadata what lives, would take it for dead: a pack that holds one is not compacted. No
// blob is added to a pack that is sealed, so one that holds none then never will. Blobs of earlier runs are not in
// flight: metadata has them or never will. The copies that compaction makes are in flight like any other blob.

// Settle tells that metadata refers to blobs: the commit that entered them is durable. From now on compaction may move
// them. A blob of which that is not certain is never settled; its pack stays as it is until the next start. Settling
// again, or what was deleted, does nothing.
func (s *Store) Settle(refs []blob.Ref) {
	var p *pack
	for _, ref := range refs {
		if !isPacked(ref.ID) {
			continue // files stay where they are
		}
		number, offset := splitPlace(ref.Place)
		if p == nil || p.number != number {
			if p = s.pack(number); p == nil {
				continue
			}
		}
		p.land(offset)
	}
}

// land ends the flight of the blob whose record stands at offset.
func (p *pack) land(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flying, offset)
	if p.retired && len(p.flying) == 0 {
		p.flying = nil // there are many packs, and it was as large as it ever was
	}
}

// isBusy says whether records may still be written, or are in flight. What is sealed and not busy stays so.
func (p *pack) isBusy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.sealed || len(p.flying) > 0
}

// inFlight returns how many blobs are in flight.
func (p *pack) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.flying)
}
