package iam

import (
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Login is a user with an access key of their own name: what MinIO calls a user.
type Login struct {
	Name string
	// Secret is the access key's. Where it is empty the key stays as it is.
	Secret  string
	Enabled bool
	// Policies replace the attached ones, unless nil.
	Policies []string
}

// PutLogin makes a user with an access key of the same name, or changes both. A user who is there gets the secret, and
// the policies if some are given; their other access keys stay as they are. It fails with ErrReserved, ErrKeyExists where
// the access key is another user's, ErrNoSuchPolicy, ErrNoKeyring and *InvalidError.
func (d *Directory) PutLogin(ctx context.Context, in Login) (User, error) {
	if err := checkUserName(in.Name); err != nil {
		return User{}, err
	}
	var (
		u     User
		isNew bool
	)
	write := func(ctx context.Context, records ...meta.PutRecord) error {
		if isNew {
			return d.options.Records.CreateOwner(ctx, in.Name, records...)
		}
		return d.options.Records.PutRecords(ctx, records...)
	}
	err := d.changeWith(ctx, write, func(s *state) ([]meta.PutRecord, error) {
		u = User{Name: in.Name, ID: "AIDA" + randomID(), Created: d.timestamp()}
		if old := s.users[in.Name]; old != nil {
			u = old.copy()
		} else if in.Secret == "" {
			return nil, &InvalidError{"secret key", "a new user needs one"}
		} else {
			isNew = true
		}
		u.Enabled = in.Enabled
		if in.Policies != nil {
			u.Policies = compact(in.Policies)
		}
		if err := s.checkPolicies(u.Policies); err != nil {
			return nil, err
		}
		stored := u.copy()
		records := []meta.PutRecord{put(userRecord, u.Name, &stored)}
		if in.Secret != "" {
			k, err := d.ownKey(s, in.Name, in.Secret)
			if err != nil {
				return nil, err
			}
			s.keys[k.ID] = k
			records = append(records, put(keyRecord, k.ID, k))
		}
		s.users[u.Name] = &stored
		return records, nil
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// ownKey returns the access key that has a user's name, with a secret: a new one, or the one there is, which can be used
// again whatever was changed of it.
func (d *Directory) ownKey(s *state, user, secret string) (*Key, error) {
	k := &Key{ID: user, User: user, Created: d.timestamp(), Enabled: true}
	if old := s.keys[user]; old != nil {
		if old.User != user {
			return nil, ErrKeyExists
		}
		k.Created, k.Name, k.Description = old.Created, old.Name, old.Description
	}
	return k, d.seal(k, secret)
}
