package backend

import (
	"sync"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// Room returns what is left of the tightest limit of bytes that holds for a bucket: of its own, its owner's and the
// server's the one with the least available, the innermost where several have as little. It is false where none is
// limited. A write that was answered is in it. It costs no disk access.
func (s *Store) Room(bucket meta.Bucket) (quota.Room, bool) { return s.ledger.room(bucket) }

func (l *ledger) room(bucket meta.Bucket) (tightest quota.Room, limited bool) {
	scopes := [3]quota.Scope{quota.BucketScope(string(bucket.Name)), quota.OwnerScope(bucket.Owner), quota.ServerScope}
	l.mu.Lock()
	defer l.mu.Unlock()
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
	room, limited := s.Room(bucket)
	if !limited || available < room.Available {
		room = quota.Room{Scope: diskScope, Total: total, Used: max(0, total-available), Available: available}
	}
	return room, nil
}

// LimitLock is held by whoever reads a limit, changes it and sets it, or the changes of two could undo each other.
func (s *Store) LimitLock() sync.Locker { return &s.limits }
