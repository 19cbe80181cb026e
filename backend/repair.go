package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// repairBatch is how many rows are restored in one transaction.
const repairBatch = 1000

// Repair restores the rows of blobs that are lost, cannot be read, or contradict what refers to them: the records of
// packs tell where each blob is, the rows of objects and parts how often it is referred to. It restores nothing where a
// blob is not to be found with the size that it must have.
//
// And it restores the rows of usage that are lost, cannot be read, or differ from a recount: all of them or, where a row
// that counts cannot be read, so that a recount may be too low, none. A store that cannot be opened for the sake of such
// a row can be opened then.
//
// It changes nothing else. Then it checks the store, as Check does, whose errors it has.
func Repair(ctx context.Context, dir string, deep bool) (CheckReport, error) {
	s, err := openToCheck(dir)
	if err != nil {
		return CheckReport{}, err
	}
	c, err := s.check(ctx, deep)
	if before := c.report; err == nil && before.Repairable+before.RepairableUsage > 0 {
		if err = s.restore(ctx, c); err == nil {
			c, err = s.check(ctx, deep)
			c.report.Repaired, c.report.RepairedUsage = before.Repairable, before.RepairableUsage
		}
	}
	return c.report, errors.Join(err, s.close())
}

// restore commits what a check has found.
func (s *checkedStore) restore(ctx context.Context, c *checker) error {
	for rows := range slices.Chunk(c.restorable, repairBatch) {
		if err := s.commit(ctx, meta.RestoreBlobs{Rows: rows}); err != nil {
			return fmt.Errorf("restore rows of blobs: %w", err)
		}
	}
	for accounts := range slices.Chunk(c.usage, repairBatch) {
		if err := s.commit(ctx, meta.RestoreUsage{Accounts: accounts}); err != nil {
			return fmt.Errorf("restore usage: %w", err)
		}
	}
	for strays := range slices.Chunk(c.strays, repairBatch) {
		if err := s.commit(ctx, meta.RestoreUsage{Strays: strays}); err != nil {
			return fmt.Errorf("remove rows of usage: %w", err)
		}
	}
	return nil
}

func (s *checkedStore) commit(ctx context.Context, m meta.Mutation) error {
	results, err := s.meta.Commit(ctx, []meta.Mutation{m})
	if err != nil {
		return err
	}
	return results[0].Err
}

// findUsage finds what the rows of usage should be, of scopes whose rows are wrong, and which rows should not be. Where
// rows that usage is counted from cannot be read, it finds nothing and says so.
func (c *checker) findUsage(wrong map[quota.Scope]bool) {
	if c.unread {
		if len(wrong)+len(c.strays) > 0 {
			c.problem("usage cannot be restored: rows that count cannot be read, and a recount without them may be too low")
		}
		c.strays = nil
		return
	}
	for scope := range wrong {
		if c.exists(scope) {
			a := c.stated[scope]
			a.Scope, a.Usage = scope, c.counted[scope]
			c.usage = append(c.usage, a)
		}
	}
	c.report.RepairableUsage = int64(len(c.usage) + len(c.strays))
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
