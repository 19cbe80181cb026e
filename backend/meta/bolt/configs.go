package bolt

import (
	"bytes"
	"context"
	"fmt"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func (b *batch) putBucketConfig(m meta.PutBucketConfig) (meta.Result, error) {
	if _, err := b.bucket(m.Bucket); err != nil {
		return meta.Result{}, err
	}
	if err := validateKind(string(m.Kind)); err != nil {
		return meta.Result{}, err
	}
	b.writeConfig(m.Bucket, meta.Config{Kind: m.Kind, Value: m.Value})
	return meta.Result{}, nil
}

// writeConfig writes a configuration; a nil value is no row.
func (b *batch) writeConfig(bucket meta.BucketName, c meta.Config) {
	b.putOpaque(b.configs, tableConfigs, configKey(bucket, c.Kind), c.Value)
}

func (b *batch) putOpaque(table table, name, key, value []byte) {
	if value == nil {
		b.delete(table, key)
		return
	}
	b.put(table, key, encodeOpaque(name, key, value))
}

// putRecords writes records together, and the limit that goes with them, or nothing.
func (b *batch) putRecords(m meta.PutRecords) (result meta.Result, err error) {
	named := make(map[string]bool, len(m.Records))
	for _, r := range m.Records {
		if err := validateKind(string(r.Kind)); err != nil {
			return meta.Result{}, err
		}
		if r.Name == "" || len(r.Name) > maxRecordNameBytes {
			return meta.Result{}, invalid("a record's name of %d bytes", len(r.Name))
		}
		key := recordKey(r.Kind, r.Name)
		if named[string(key)] {
			return meta.Result{}, invalid("record %s %q is named twice", r.Kind, r.Name)
		}
		named[string(key)] = true
		if err := b.checkRecord(key, r.Condition); err != nil {
			return meta.Result{}, fmt.Errorf("record %s %q: %w", r.Kind, r.Name, err)
		}
	}
	if m.Limit != nil {
		if m.Limit.Scope.Kind != quota.Owner {
			return meta.Result{}, invalid("a limit of scope %+v with records", m.Limit.Scope)
		}
		if result, err = b.setLimit(*m.Limit); err != nil {
			return meta.Result{}, err
		}
	}
	for _, r := range m.Records {
		b.putOpaque(b.records, tableRecords, recordKey(r.Kind, r.Name), r.Value)
	}
	return result, nil
}

func (b *batch) checkRecord(key []byte, c meta.RecordCondition) error {
	if !c.Absent && c.Equals == nil {
		return nil
	}
	row := b.records.Get(key)
	if row == nil {
		if c.Equals != nil {
			return meta.ErrRecordConflict
		}
		return nil
	}
	value, err := decodeOpaque(tableRecords, key, row)
	if err != nil {
		return err
	}
	if c.Absent || !bytes.Equal(value, c.Equals) {
		return meta.ErrRecordConflict
	}
	return nil
}

// BucketConfig returns a configuration of a bucket.
func (r *Repository) BucketConfig(
	ctx context.Context, bucket meta.BucketName, kind meta.ConfigKind,
) (value []byte, err error) {
	key := configKey(bucket, kind)
	err = r.view(ctx, func(s snapshot) error {
		row := s.table(tableConfigs).Get(key)
		if row == nil {
			if err := requireBucket(s, bucket); err != nil {
				return err
			}
			return meta.ErrNoSuchConfig
		}
		value, err = decodeOpaque(tableConfigs, key, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// BucketConfigs returns all configurations of a bucket by kind.
func (r *Repository) BucketConfigs(ctx context.Context, bucket meta.BucketName) (configs []meta.Config, err error) {
	prefix := bucketPrefix(bucket)
	err = r.view(ctx, func(s snapshot) error {
		if err := requireBucket(s, bucket); err != nil {
			return err
		}
		c := s.table(tableConfigs).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			value, err := decodeOpaque(tableConfigs, k, v)
			if err != nil {
				return err
			}
			configs = append(configs, meta.Config{Kind: meta.ConfigKind(k[len(prefix):]), Value: value})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return configs, nil
}

// Record returns the value of a record.
func (r *Repository) Record(ctx context.Context, kind meta.RecordKind, name string) (value []byte, err error) {
	key := recordKey(kind, name)
	err = r.view(ctx, func(s snapshot) error {
		row := s.table(tableRecords).Get(key)
		if row == nil {
			return meta.ErrNoSuchRecord
		}
		value, err = decodeOpaque(tableRecords, key, row)
		return err
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Records returns up to limit records of a kind, those with the smallest names above after.
func (r *Repository) Records(
	ctx context.Context, kind meta.RecordKind, after string, limit int,
) (records []meta.Record, err error) {
	if limit < 1 {
		return nil, errLimit
	}
	prefix := recordPrefix(kind)
	start := prefix
	if after != "" {
		start = append(recordKey(kind, after), 0) // the next name there can be
	}
	err = r.view(ctx, func(s snapshot) error {
		c := s.table(tableRecords).Cursor()
		for k, v := c.Seek(start); bytes.HasPrefix(k, prefix) && len(records) < limit; k, v = c.Next() {
			value, err := decodeOpaque(tableRecords, k, v)
			if err != nil {
				return err
			}
			records = append(records, meta.Record{Kind: kind, Name: string(k[len(prefix):]), Value: value})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}
