package bolt

import (
	"errors"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// references collects what a mutation does to the references of blobs, checks that it can be done, and then does it. A
// blob may be named many times, by what is added and by what is dropped, so only the sum counts: an object that is
// copied onto itself loses and gains a reference, and no blob.
type references struct {
	batch   *batch
	changes map[meta.BlobID]*referenceChange
	order   []meta.BlobID // in which blobs were first named, so that results do not depend on a map
}

type referenceChange struct {
	before, after blobRow
}

func (b *batch) references() *references {
	return &references{batch: b, changes: make(map[meta.BlobID]*referenceChange)}
}

// create gives new blobs their first reference.
func (r *references) create(segments []meta.Segment) error {
	for _, s := range segments {
		// Only blobs without a place leave garbage rows.
		if r.changes[s.Blob] != nil || r.batch.blobs.Get(s.Blob[:]) != nil ||
			(s.Place == 0 && r.batch.garbage.Get(s.Blob[:]) != nil) {
			return invalid("blob %x is not new", s.Blob)
		}
		r.note(s.Blob, &referenceChange{after: blobRow{size: s.StoredSize(), references: 1, place: s.Place}})
	}
	return nil
}

// share gives blobs that are there another reference. It fails with meta.ErrStale where one is gone.
func (r *references) share(segments []meta.Segment) error {
	for _, s := range segments {
		c, err := r.find(s.Blob)
		if err != nil {
			return err
		}
		if c == nil {
			return meta.ErrStale
		}
		if c.after.size != s.StoredSize() {
			return invalid("blob %x of %d bytes in a segment of %d", s.Blob, c.after.size, s.StoredSize())
		}
		c.after.references++
	}
	return nil
}

// add is create or share.
func (r *references) add(segments []meta.Segment, shared bool) error {
	if shared {
		return r.share(segments)
	}
	return r.create(segments)
}

// drop takes a reference from the blobs of a row that is to go.
func (r *references) drop(segments []meta.Segment) error {
	for _, s := range segments {
		c, err := r.find(s.Blob)
		if err != nil {
			return err
		}
		if c == nil || c.after.references == 0 {
			return corruptRow(tableBlobs, s.Blob[:], errors.New("fewer references than segments"))
		}
		c.after.references--
	}
	return nil
}

// find returns the change of a blob that has a row, nil where it has none.
func (r *references) find(id meta.BlobID) (*referenceChange, error) {
	if c := r.changes[id]; c != nil {
		return c, nil
	}
	value := r.batch.blobs.Get(id[:])
	if value == nil {
		return nil, nil
	}
	row, err := decodeBlob(id[:], value)
	if err != nil {
		return nil, err
	}
	return r.note(id, &referenceChange{before: row, after: row}), nil
}

func (r *references) note(id meta.BlobID, c *referenceChange) *referenceChange {
	r.changes[id] = c
	r.order = append(r.order, id)
	return c
}

// write writes the rows and returns the blobs that have lost their last reference.
func (r *references) write() (garbage []meta.Segment) {
	for _, id := range r.order {
		c := r.changes[id]
		switch {
		case c.after == c.before:
		case c.after.references == 0:
			r.batch.delete(r.batch.blobs, id[:])
			if c.after.place == 0 {
				r.batch.put(r.batch.garbage, id[:], encodeGarbage(id[:]))
			}
			garbage = append(garbage, meta.Segment{Blob: id, Size: c.after.size, Place: c.after.place})
		default:
			r.batch.put(r.batch.blobs, id[:], encodeBlob(id[:], c.after))
		}
	}
	return garbage
}

// moveBlobs gives blobs their new places. A row that cannot be read keeps what it has.
func (b *batch) moveBlobs(m meta.MoveBlobs) (meta.Result, error) {
	moved := make([]bool, len(m.Moves))
	for i, move := range m.Moves {
		if move.From == 0 || move.To == 0 {
			return meta.Result{}, invalid("blob %x is moved from or to no place", move.Blob)
		}
		value := b.blobs.Get(move.Blob[:])
		if value == nil {
			continue
		}
		row, err := decodeBlob(move.Blob[:], value)
		if err != nil || row.place != move.From {
			continue
		}
		row.place = move.To
		b.put(b.blobs, move.Blob[:], encodeBlob(move.Blob[:], row))
		moved[i] = true
	}
	return meta.Result{Moved: moved}, nil
}

func (b *batch) forgetGarbage(m meta.ForgetGarbage) (meta.Result, error) {
	for _, id := range m.Blobs {
		if b.garbage.Get(id[:]) != nil {
			b.delete(b.garbage, id[:])
		}
	}
	return meta.Result{}, nil
}

func (b *batch) restoreBlobs(m meta.RestoreBlobs) (meta.Result, error) {
	for _, row := range m.Rows {
		if row.References < 0 || row.Size < 0 {
			return meta.Result{}, invalid("blob %x of %d bytes with %d references", row.Blob, row.Size, row.References)
		}
	}
	for _, row := range m.Rows {
		if b.garbage.Get(row.Blob[:]) != nil {
			b.delete(b.garbage, row.Blob[:])
		}
		if row.References == 0 {
			b.delete(b.blobs, row.Blob[:])
			continue
		}
		restored := blobRow{size: row.Size, references: row.References, place: row.Place}
		b.put(b.blobs, row.Blob[:], encodeBlob(row.Blob[:], restored))
	}
	return meta.Result{}, nil
}
