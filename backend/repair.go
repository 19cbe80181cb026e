package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// repairBatch is how many rows are restored in one transaction.
const repairBatch = 1000

// Repair restores the rows of blobs that are lost, cannot be read, or contradict what refers to them: the records of
// packs tell where each blob is, the rows of objects and parts how often it is referred to. It changes nothing else, and
// nothing where a blob is not to be found with the size that it must have. Then it checks the store, as Check does, whose
// errors it has.
func Repair(ctx context.Context, dir string, deep bool) (CheckReport, error) {
	s, err := openToCheck(dir)
	if err != nil {
		return CheckReport{}, err
	}
	c, err := s.check(ctx, deep)
	if err == nil && len(c.restorable) > 0 {
		repaired := int64(len(c.restorable))
		if err = s.restore(ctx, c.restorable); err == nil {
			c, err = s.check(ctx, deep)
			c.report.Repaired = repaired
		}
	}
	return c.report, errors.Join(err, s.close())
}

func (s *checkedStore) restore(ctx context.Context, rows []meta.BlobRow) error {
	for len(rows) > 0 {
		n := min(len(rows), repairBatch)
		results, err := s.meta.Commit(ctx, []meta.Mutation{meta.RestoreBlobs{Rows: rows[:n]}})
		if err == nil {
			err = results[0].Err
		}
		if err != nil {
			return fmt.Errorf("restore rows of blobs: %w", err)
		}
		rows = rows[n:]
	}
	return nil
}

// findRestorable finds the rows that are not what they should be, of blobs that are there.
func (c *checker) findRestorable(ctx context.Context, blobs blob.Store) {
	for id, r := range c.refs {
		if r.counted == 0 || r.needed < 0 {
			continue
		}
		row := meta.BlobRow{Blob: id, Size: r.needed, References: r.counted, Place: uint64(r.place)}
		if c.unread {
			row.References = max(r.counted, r.stated) // what cannot be read may refer to it, too
		}
		if r.onDisk && r.row == row.Size && r.stated == row.References && !r.garbage {
			continue
		}
		if place, ok := c.findBlob(ctx, blobs, id, r); ok {
			row.Place = uint64(place)
			c.restorable = append(c.restorable, row)
		}
	}
	c.report.Repairable = int64(len(c.restorable))
}

// findBlob returns where a blob is, whole, and first looks where its row says.
func (c *checker) findBlob(ctx context.Context, blobs blob.Store, id meta.BlobID, r *refs) (blob.Place, bool) {
	places := c.elsewhere[id]
	if r.onDisk {
		places = append([]blob.Place{r.place}, places...)
	}
	for _, place := range places {
		if blobs.Verify(ctx, blob.Ref{ID: blob.ID(id), Size: r.needed, Place: place}) == nil {
			return place, true
		}
	}
	return 0, false
}
