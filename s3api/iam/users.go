package iam

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// User is a user other than root.
type User struct {
	Name string `json:"name"`
	// ID is unique for ever, also where a name is used again.
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Enabled  bool      `json:"enabled"`
	Policies []string  `json:"policies,omitempty"` // names of the attached ones
}

// UserARNPrefix is what the ARN of a user has before the name.
const UserARNPrefix = "arn:aws:iam::" + AccountID + ":user/"

// ARN names the user in policies.
func (u *User) ARN() string { return UserARNPrefix + u.Name }

func (u *User) identity() *Identity {
	id := CanonicalID(u.Name)
	return &Identity{Name: u.Name, CanonicalID: id, Principal: policy.Principal{
		Kind: policy.User, Account: AccountID, CanonicalID: id, ARN: u.ARN(), Name: u.Name, ID: u.ID,
	}}
}

// userName is what IAM allows: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html
var userName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)

func checkUserName(name string) error {
	if name == RootName || name == SelfName {
		return ErrReserved
	}
	if !userName.MatchString(name) {
		return &InvalidError{"user name", "1 to 64 letters, digits and _+=,.@- are allowed"}
	}
	return nil
}

// Users returns all users by name.
func (d *Directory) Users() []User {
	users := make([]User, 0, len(d.state.Load().users))
	for _, u := range d.state.Load().users {
		users = append(users, u.copy())
	}
	slices.SortFunc(users, func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	return users
}

func (u *User) copy() User {
	c := *u
	c.Policies = slices.Clone(u.Policies)
	return c
}

// User returns a user, or ErrNoSuchUser.
func (d *Directory) User(name string) (User, error) {
	u := d.state.Load().users[name]
	if u == nil {
		return User{}, ErrNoSuchUser
	}
	return u.copy(), nil
}

// NewUser says what user to make.
type NewUser struct {
	Name     string
	Policies []string
	Disabled bool
}

// CreateUser makes a user. It fails with ErrUserExists, ErrReserved, ErrNoSuchPolicy and *InvalidError.
func (d *Directory) CreateUser(ctx context.Context, in NewUser) (User, error) {
	if err := checkUserName(in.Name); err != nil {
		return User{}, err
	}
	u := &User{
		Name: in.Name, ID: "AIDA" + randomID(), Created: d.timestamp(),
		Enabled: !in.Disabled, Policies: compact(in.Policies),
	}
	write := func(ctx context.Context, records ...meta.PutRecord) error {
		return d.options.Records.CreateOwner(ctx, u.Name, records...)
	}
	err := d.changeWith(ctx, write, func(s *state) ([]meta.PutRecord, error) {
		if s.users[u.Name] != nil {
			return nil, ErrUserExists
		}
		if err := s.checkPolicies(u.Policies); err != nil {
			return nil, err
		}
		s.users[u.Name] = u
		return []meta.PutRecord{put(userRecord, u.Name, u)}, nil
	})
	if err != nil {
		return User{}, err
	}
	return u.copy(), nil
}

// compact returns names in order, each once.
func compact(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// ChangeUser changes what edit changes of a user: whether they are enabled, and the attached policies. No other change
// comes between what edit is shown and what it makes of it; where edit fails nothing changes, and its error is
// returned. It fails with ErrNoSuchUser and ErrNoSuchPolicy.
func (d *Directory) ChangeUser(ctx context.Context, name string, edit func(*User) error) (User, error) {
	var changed User
	err := d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		u := s.users[name]
		if u == nil {
			return nil, ErrNoSuchUser
		}
		changed = u.copy()
		if err := edit(&changed); err != nil {
			return nil, err
		}
		changed.Policies = compact(changed.Policies)
		if err := s.checkPolicies(changed.Policies); err != nil {
			return nil, err
		}
		stored := changed.copy()
		s.users[name] = &stored
		return []meta.PutRecord{put(userRecord, name, &stored)}, nil
	})
	return changed, err
}

// AttachPolicies gives a user identity policies. It fails with ErrNoSuchUser and ErrNoSuchPolicy.
func (d *Directory) AttachPolicies(ctx context.Context, name string, policies ...string) (User, error) {
	return d.ChangeUser(ctx, name, func(u *User) error {
		u.Policies = append(u.Policies, policies...)
		return nil
	})
}

// DetachPolicies takes identity policies from a user. It fails with ErrNoSuchUser and ErrNotAttached.
func (d *Directory) DetachPolicies(ctx context.Context, name string, policies ...string) (User, error) {
	return d.ChangeUser(ctx, name, func(u *User) error {
		for _, p := range policies {
			if !slices.Contains(u.Policies, p) {
				return fmt.Errorf("%w: %q", ErrNotAttached, p)
			}
		}
		u.Policies = slices.DeleteFunc(u.Policies, func(p string) bool { return slices.Contains(policies, p) })
		return nil
	})
}

// DeleteUser removes a user with all access keys, unless a check fails for them: its error is returned. It fails with
// ErrNoSuchUser. Whether the user owns buckets is for a check to see to.
func (d *Directory) DeleteUser(ctx context.Context, name string, checks ...func(User) error) error {
	write := func(ctx context.Context, records ...meta.PutRecord) error {
		return d.options.Records.RemoveOwner(ctx, name, records...)
	}
	return d.changeWith(ctx, write, func(s *state) ([]meta.PutRecord, error) {
		u := s.users[name]
		if u == nil {
			return nil, ErrNoSuchUser
		}
		for _, check := range checks {
			if err := check(u.copy()); err != nil {
				return nil, err
			}
		}
		records := []meta.PutRecord{put[User](userRecord, name, nil)}
		delete(s.users, name)
		for _, id := range slices.Sorted(maps.Keys(s.keys)) {
			if s.keys[id].User == name {
				delete(s.keys, id)
				records = append(records, put[Key](keyRecord, id, nil))
			}
		}
		return records, nil
	})
}
