package iam

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// Key is an access key. Its secret is sealed.
type Key struct {
	ID          string    `json:"id"`
	User        string    `json:"user"`
	Name        string    `json:"name,omitempty"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	Enabled     bool      `json:"enabled"`
	// Expires is when the key can no longer be used; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Policy is the document beyond which the key cannot be used; empty means that there is none.
	Policy string `json:"policy,omitempty"`
	Sealed []byte `json:"sealed"`
}

// NewKey says what key to make. An ID or a Secret that is empty is chosen at random.
type NewKey struct {
	User, ID, Secret, Name, Description string
	Expires                             time.Time
	// Policy is the document beyond which the key cannot be used; empty means that there is none.
	Policy string
	// OfRoot allows the User to be RootName.
	OfRoot bool
}

const (
	minSecretBytes = 8
	maxSecretBytes = 128
)

// keyID is what stands in credentials between slashes and commas.
var keyID = regexp.MustCompile(`^[A-Za-z0-9_+.@-]{3,128}$`)

// purpose binds a sealed secret to its key: moved to another key's record it does not open.
func purpose(id string) string { return "access key " + id }

func (d *Directory) open(k *Key) (string, error) {
	if d.options.Keyring == nil {
		return "", ErrNoKeyring
	}
	secret, _, err := d.options.Keyring.Open(purpose(k.ID), k.Sealed)
	return string(secret), err
}

func (d *Directory) expired(id string) bool {
	k := d.state.Load().keys[id]
	return k == nil || (!k.Expires.IsZero() && !d.options.Now().Before(k.Expires))
}

// randomID returns 16 capital letters and digits.
func randomID() string {
	var raw [10]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base32.StdEncoding.EncodeToString(raw[:])
}

// randomSecret returns 40 characters, as AWS's secrets have.
func randomSecret() string {
	var raw [30]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.StdEncoding.EncodeToString(raw[:])
}

// Keys returns the access keys of a user, or of all users where the name is empty, by id.
func (d *Directory) Keys(user string) []Key {
	var keys []Key
	for _, k := range d.state.Load().keys {
		if user == "" || k.User == user {
			keys = append(keys, *k)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.ID, b.ID) })
	return keys
}

// Key returns an access key, or ErrNoSuchKey.
func (d *Directory) Key(id string) (Key, error) {
	k := d.state.Load().keys[id]
	if k == nil {
		return Key{}, ErrNoSuchKey
	}
	return *k, nil
}

// CreateKey makes an access key and returns its secret, which is not told again. It fails with ErrNoSuchUser,
// ErrKeyExists, ErrReserved, ErrNoKeyring, *InvalidError and, for the policy, *policy.Error.
func (d *Directory) CreateKey(ctx context.Context, in NewKey) (k Key, secret string, err error) {
	err = d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		added, plain, err := d.addKey(s, in)
		if err != nil {
			return nil, err
		}
		k, secret = *added, plain
		return []meta.PutRecord{put(keyRecord, added.ID, added)}, nil
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, secret, nil
}

func (d *Directory) addKey(s *state, in NewKey) (*Key, string, error) {
	id, secret := cmp.Or(in.ID, "PLIM"+randomID()), cmp.Or(in.Secret, randomSecret())
	k := &Key{
		ID: id, User: in.User, Name: in.Name, Description: in.Description, Created: d.timestamp(),
		Enabled: true, Expires: in.Expires.UTC(), Policy: in.Policy,
	}
	if err := d.seal(k, secret); err != nil {
		return nil, "", err
	}
	switch {
	case !in.Expires.IsZero() && !d.options.Now().Before(in.Expires):
		return nil, "", errPast
	case in.User == RootName && !in.OfRoot:
		return nil, "", ErrReserved
	case in.User != RootName && s.users[in.User] == nil:
		return nil, "", ErrNoSuchUser
	case s.keys[id] != nil:
		return nil, "", ErrKeyExists
	}
	if err := checkBoundary(in.Policy); err != nil {
		return nil, "", err
	}
	s.keys[id] = k
	return k, secret, nil
}

var errPast = &InvalidError{"expiry", "it is not in the future"}

// seal gives a key its secret.
func (d *Directory) seal(k *Key, secret string) error {
	switch {
	case d.options.Keyring == nil:
		return ErrNoKeyring
	case !keyID.MatchString(k.ID):
		return &InvalidError{"access key", "3 to 128 letters, digits and _+.@- are allowed"}
	case k.ID == d.rootKey:
		return ErrReserved
	case len(secret) < minSecretBytes || len(secret) > maxSecretBytes || strings.ContainsFunc(secret, isControl):
		return &InvalidError{"secret key", "8 to 128 printable characters are allowed"}
	}
	k.Sealed = d.options.Keyring.Seal(purpose(k.ID), []byte(secret))
	return nil
}

// checkBoundary fails with a *policy.Error where the policy of a key is none.
func checkBoundary(document string) error {
	if document == "" {
		return nil
	}
	_, err := policy.CompileIdentity([]byte(document))
	return err
}

// timestamp is now, as records keep it.
func (d *Directory) timestamp() time.Time { return d.options.Now().UTC().Truncate(time.Millisecond) }

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// Rotation says how a key is replaced.
type Rotation struct {
	// Grace is for how long the old key can still be used; 0 ends it at once.
	Grace time.Duration
	// Expires is when the new key can no longer be used; zero means never.
	Expires time.Time
}

// RotateKey makes a key that takes the place of another, whose user and description it has. The old one can be used
// until its grace has passed, and no longer than it could before. It fails with ErrNoSuchKey, ErrReserved for root's,
// ErrNoKeyring and *InvalidError.
func (d *Directory) RotateKey(
	ctx context.Context, id string, how Rotation, checks ...KeyCheck,
) (k Key, secret string, err error) {
	err = d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		old, err := s.checked(id, checks)
		if err != nil {
			return nil, err
		}
		added, plain, err := d.addKey(s, NewKey{
			User: old.User, Name: old.Name, Description: old.Description, Policy: old.Policy, Expires: how.Expires,
		})
		if err != nil {
			return nil, err
		}
		k, secret = *added, plain
		ending := *old
		if end := d.options.Now().UTC().Add(how.Grace); ending.Expires.IsZero() || end.Before(ending.Expires) {
			ending.Expires = end
		}
		s.keys[id] = &ending
		return []meta.PutRecord{put(keyRecord, added.ID, added), put(keyRecord, id, &ending)}, nil
	})
	if err != nil {
		return Key{}, "", err
	}
	return k, secret, nil
}

// KeyCheck decides on a change of a key, which it is shown as it is. Its error is returned, and nothing changes. No
// other change comes in between.
type KeyCheck func(Key) error

// checked returns a key that all checks are content with.
func (s *state) checked(id string, checks []KeyCheck) (*Key, error) {
	k := s.keys[id]
	if k == nil {
		return nil, ErrNoSuchKey
	}
	for _, check := range checks {
		if err := check(*k); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// SetKeyEnabled lets a key be used, or not. It fails with ErrNoSuchKey.
func (d *Directory) SetKeyEnabled(ctx context.Context, id string, enabled bool, checks ...KeyCheck) (Key, error) {
	return d.ChangeKey(ctx, id, "", func(k *Key) error {
		for _, check := range checks {
			if err := check(*k); err != nil {
				return err
			}
		}
		k.Enabled = enabled
		return nil
	})
}

// ChangeKey changes what edit changes of a key: its name, its description, its policy, when it expires and whether it is
// enabled; and its secret, unless that is empty. No other change comes between what edit is shown and what it makes of
// it; where edit fails nothing changes, and its error is returned. It fails with ErrNoSuchKey, ErrNoKeyring,
// *InvalidError and, for the policy, *policy.Error.
func (d *Directory) ChangeKey(ctx context.Context, id, secret string, edit func(*Key) error) (Key, error) {
	var changed Key
	err := d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		old := s.keys[id]
		if old == nil {
			return nil, ErrNoSuchKey
		}
		changed = *old
		if err := edit(&changed); err != nil {
			return nil, err
		}
		changed.ID, changed.User, changed.Created, changed.Sealed = old.ID, old.User, old.Created, old.Sealed
		if secret != "" {
			if err := d.seal(&changed, secret); err != nil {
				return nil, err
			}
		}
		changed.Expires = changed.Expires.UTC()
		if !changed.Expires.IsZero() && !changed.Expires.Equal(old.Expires) && !d.options.Now().Before(changed.Expires) {
			return nil, errPast
		}
		if err := checkBoundary(changed.Policy); err != nil {
			return nil, err
		}
		stored := changed
		s.keys[id] = &stored
		return []meta.PutRecord{put(keyRecord, id, &stored)}, nil
	})
	return changed, err
}

// DeleteKey removes a key, unless a check fails for it: its error is returned. It fails with ErrNoSuchKey.
func (d *Directory) DeleteKey(ctx context.Context, id string, checks ...KeyCheck) error {
	return d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		if _, err := s.checked(id, checks); err != nil {
			return nil, err
		}
		delete(s.keys, id)
		return []meta.PutRecord{put[Key](keyRecord, id, nil)}, nil
	})
}
