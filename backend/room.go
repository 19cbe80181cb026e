package backend

import (
	"slices"
	"sync"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// Room returns what is left of the tightest limit of bytes that holds for a key of a bucket, or for the bucket where the
// key is empty: of those of its prefixes, the bucket's, its owner's and the server's the one with the least available,
// the innermost where several have as little. It is false where none is limited. A write that was answered is in it. It
// costs no disk access. A prefix that is still being counted is left out: what it has left is not known.
func (s *Store) Room(bucket meta.Bucket, key meta.Key) (quota.Room, bool) {
	return s.ledger.room(bucket, key)
}

func (l *ledger) room(bucket meta.Bucket, key meta.Key) (tightest quota.Room, limited bool) {
	scopes := [3]quota.Scope{quota.BucketScope(string(bucket.Name)), quota.OwnerScope(bucket.Owner), quota.ServerScope}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range slices.Backward(l.prefixesLocked(bucket.Name, key)) {
		if room, ok := a.Room(); ok && !a.Counting && (!limited || room.Available < tightest.Available) {
			tightest, limited = room, true
		}
	}
	for _, scope := range scopes {
		a, ok := l.accounts[scope]
		if !ok { // the bucket is being deleted at this moment
			continue
		}
		if room, ok := a.Room(); ok && (!limited || room.Available < tightest.Available) {
			tightest, limited = room, true
		}
	}
	return tightest, limited
}

// RoomOnDisk is Room with the disk as a scope of its own, whose total is its size and whose reserve counts as used.
func (s *Store) RoomOnDisk(bucket meta.Bucket) (quota.Room, error) {
	available, total, err := s.Free()
	if err != nil {
		return quota.Room{}, err
	}
	room, limited := s.Room(bucket, "")
	if !limited || available < room.Available {
		room = quota.Room{Scope: diskScope, Total: total, Used: max(0, total-available), Available: available}
	}
	return room, nil
}

// LimitLock is held by whoever reads a limit, changes it and sets it, or the changes of two could undo each other.
func (s *Store) LimitLock() sync.Locker { return &s.limits }
