package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// BucketState is a bucket's row with its configurations, as they were committed last. It is not changed after it is made:
// a change makes another one, so that what is compiled from a state is good for as long as the state is the same.
type BucketState struct {
	meta.Bucket
	Configs map[meta.ConfigKind][]byte
	// Notifications are the rules of ConfigNotification; nil where there are none.
	Notifications *event.Rules
}

// bucketStates keeps the states of all buckets, so that no request reads them from the metadata.
type bucketStates struct {
	mu     sync.RWMutex // guards states
	states map[meta.BucketName]*BucketState
	// notifying is how many of states have Notifications.
	notifying atomic.Int64
}

// load reads the states of all buckets.
func (b *bucketStates) load(ctx context.Context, repository meta.Repository) error {
	buckets, err := repository.Buckets(ctx)
	if err != nil {
		return err
	}
	states := make(map[meta.BucketName]*BucketState, len(buckets))
	for _, bucket := range buckets {
		if states[bucket.Name], err = readState(ctx, repository, bucket); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states = states
	for _, state := range states {
		b.notifying.Add(state.notifies())
	}
	return nil
}

// notifies is 1 where the bucket has rules of notification, else 0. There may be no bucket.
func (state *BucketState) notifies() int64 {
	if state == nil || state.Notifications == nil {
		return 0
	}
	return 1
}

func readState(ctx context.Context, repository meta.Repository, bucket meta.Bucket) (*BucketState, error) {
	configs, err := repository.BucketConfigs(ctx, bucket.Name)
	if err != nil {
		return nil, err
	}
	state := &BucketState{Bucket: bucket, Configs: make(map[meta.ConfigKind][]byte, len(configs))}
	for _, c := range configs {
		state.Configs[c.Kind] = c.Value
	}
	if raw := state.Configs[ConfigNotification]; raw != nil {
		if state.Notifications, err = event.UnmarshalRules(raw); err != nil {
			return nil, fmt.Errorf("bucket %q: %w", bucket.Name, err)
		}
	}
	return state, nil
}

// refresh reads the state of a bucket again, after a commit that has changed it.
func (b *bucketStates) refresh(ctx context.Context, repository meta.Repository, name meta.BucketName) error {
	var state *BucketState
	bucket, err := repository.Bucket(ctx, name)
	if err == nil {
		state, err = readState(ctx, repository, bucket)
	}
	if err != nil && !errors.Is(err, meta.ErrNoSuchBucket) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notifying.Add(state.notifies() - b.states[name].notifies())
	if state == nil {
		delete(b.states, name)
	} else {
		b.states[name] = state
	}
	return nil
}

func (b *bucketStates) get(name meta.BucketName) (*BucketState, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	state := b.states[name]
	if state == nil {
		return nil, meta.ErrNoSuchBucket
	}
	return state, nil
}

// all returns the states of all buckets, by name.
func (b *bucketStates) all() []*BucketState {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.SortedFunc(maps.Values(b.states), func(x, y *BucketState) int { return cmp.Compare(x.Name, y.Name) })
}

// list returns the rows of all buckets, by name.
func (b *bucketStates) list() []meta.Bucket {
	states := b.all()
	buckets := make([]meta.Bucket, 0, len(states))
	for _, state := range states {
		buckets = append(buckets, state.Bucket)
	}
	return buckets
}

// having returns the states of the buckets that have a configuration of a kind, by name.
func (b *bucketStates) having(kind meta.ConfigKind) []*BucketState {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var states []*BucketState
	for _, state := range b.states {
		if state.Configs[kind] != nil {
			states = append(states, state)
		}
	}
	slices.SortFunc(states, func(x, y *BucketState) int { return cmp.Compare(x.Name, y.Name) })
	return states
}

// changedBucket returns the bucket whose state a mutation changes, if it does.
func changedBucket(m meta.Mutation) (meta.BucketName, bool) {
	switch m := m.(type) {
	case meta.CreateBucket:
		return m.Bucket.Name, true
	case meta.DeleteBucket:
		return m.Bucket, true
	case meta.SetVersioning:
		return m.Bucket, true
	case meta.SetObjectLock:
		return m.Bucket, true
	case meta.PutBucketConfig:
		return m.Bucket, true
	}
	return "", false
}

// BucketState returns a bucket's state, or meta.ErrNoSuchBucket. It costs no disk access. A change that was answered is
// in it.
func (s *Store) BucketState(name meta.BucketName) (*BucketState, error) { return s.buckets.get(name) }

// PutBucketConfig replaces a configuration of a bucket; a nil value removes it. It fails with meta.ErrNoSuchBucket.
func (s *Store) PutBucketConfig(_ context.Context, bucket meta.BucketName, kind meta.ConfigKind, value []byte) error {
	_, err := s.commit(&proposal{mutation: meta.PutBucketConfig{Bucket: bucket, Kind: kind, Value: value}})
	return err
}

// SetVersioning enables or suspends a bucket's versioning. It fails with meta.ErrNoSuchBucket and
// meta.ErrLockNeedsVersioning.
func (s *Store) SetVersioning(_ context.Context, bucket meta.BucketName, versioning meta.Versioning) error {
	_, err := s.commit(&proposal{mutation: meta.SetVersioning{Bucket: bucket, Versioning: versioning}})
	return err
}

// SetObjectLock lets a bucket's objects be locked. It fails with meta.ErrNoSuchBucket and meta.ErrLockNeedsVersioning.
func (s *Store) SetObjectLock(_ context.Context, bucket meta.BucketName) error {
	_, err := s.commit(&proposal{mutation: meta.SetObjectLock{Bucket: bucket}})
	return err
}
