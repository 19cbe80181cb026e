package backend

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Record returns the value of a record of the server, or meta.ErrNoSuchRecord.
func (s *Store) Record(ctx context.Context, kind meta.RecordKind, name string) ([]byte, error) {
	return s.meta.Record(ctx, kind, name)
}

// Records returns up to limit records of a kind, those with the smallest names above after.
func (s *Store) Records(ctx context.Context, kind meta.RecordKind, after string, limit int) ([]meta.Record, error) {
	return s.meta.Records(ctx, kind, after, limit)
}

// PutRecords replaces records, all of them or none. It fails with meta.ErrRecordConflict.
func (s *Store) PutRecords(_ context.Context, records ...meta.PutRecord) error {
	_, err := s.commit(&proposal{mutation: meta.PutRecords{Records: records}})
	return err
}
