package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// defaultsRecord is the kind of the record that keeps the defaults.
const defaultsRecord meta.RecordKind = "quota"

const defaultsName = "defaults"

// Defaults are the limits that new buckets and new users get. Those that are there already keep what they have.
type Defaults struct {
	Bucket quota.Limit `json:"bucket"`
	Owner  quota.Limit `json:"owner"`
}

// Defaults returns the limits that new buckets and new users get.
func (s *Store) Defaults() Defaults { return *s.defaults.Load() }

// ChangeDefaults changes what edit changes of the defaults, durably. No other change comes in between; where edit fails,
// nothing changes and its error is returned.
func (s *Store) ChangeDefaults(ctx context.Context, edit func(*Defaults) error) (Defaults, error) {
	s.defaultsMu.Lock()
	defer s.defaultsMu.Unlock()
	d := s.Defaults()
	if err := edit(&d); err != nil {
		return Defaults{}, err
	}
	if !d.Bucket.Valid() || !d.Owner.Valid() {
		return Defaults{}, fmt.Errorf("default limits %+v", d)
	}
	var value []byte
	if d != (Defaults{}) {
		var err error
		if value, err = json.Marshal(d); err != nil {
			return Defaults{}, err
		}
	}
	if err := s.PutRecords(ctx, meta.PutRecord{Kind: defaultsRecord, Name: defaultsName, Value: value}); err != nil {
		return Defaults{}, err
	}
	s.defaults.Store(&d)
	return d, nil
}

func (s *Store) loadDefaults(ctx context.Context) error {
	var d Defaults
	raw, err := s.meta.Record(ctx, defaultsRecord, defaultsName)
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil && !errors.Is(err, meta.ErrNoSuchRecord) {
		return fmt.Errorf("default limits: %w", err)
	}
	s.defaults.Store(&d)
	return nil
}

// overDefault is a limit with the default's figures where it has none.
func overDefault(limit, byDefault quota.Limit) quota.Limit {
	return quota.Limit{
		MaxBytes:   cmp.Or(limit.MaxBytes, byDefault.MaxBytes),
		MaxObjects: cmp.Or(limit.MaxObjects, byDefault.MaxObjects),
	}
}

// CreateOwner writes the records of a new user, and gives them the default limit in the same transaction, unless they have
// one already. It fails with meta.ErrRecordConflict.
func (s *Store) CreateOwner(_ context.Context, name string, records ...meta.PutRecord) error {
	m := meta.PutRecords{Records: records}
	account, _ := s.Account(quota.OwnerScope(name))
	if byDefault := s.Defaults().Owner; account.Limit.Unlimited() && !byDefault.Unlimited() {
		m.Limit = &meta.SetLimit{Scope: quota.OwnerScope(name), Limit: byDefault}
	}
	_, err := s.commit(&proposal{mutation: m})
	return err
}

// RemoveOwner writes the records of a user who is removed, and takes their limit away in the same transaction: whoever gets
// the name later does not inherit it. The caller holds LimitLock, so that nobody sets the limit meanwhile.
func (s *Store) RemoveOwner(_ context.Context, name string, records ...meta.PutRecord) error {
	limit := &meta.SetLimit{Scope: quota.OwnerScope(name)}
	_, err := s.commit(&proposal{mutation: meta.PutRecords{Records: records, Limit: limit}})
	return err
}
