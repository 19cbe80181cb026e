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
)

// Key is an access key. Its secret is sealed.
type Key struct {
	ID          string    `json:"id"`
	User        string    `json:"user"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	Enabled     bool      `json:"enabled"`
	// Expires is when the key can no longer be used; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	Sealed  []byte    `json:"sealed"`
}

// NewKey says what key to make. An ID or a Secret that is empty is chosen at random.
type NewKey struct {
	User, ID, Secret, Description string
	Expires                       time.Time
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
// ErrKeyExists, ErrReserved, ErrNoKeyring and *InvalidError.
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
	if d.options.Keyring == nil {
		return nil, "", ErrNoKeyring
	}
	id, secret := cmp.Or(in.ID, "PLIM"+randomID()), cmp.Or(in.Secret, randomSecret())
	switch {
	case !keyID.MatchString(id):
		return nil, "", &InvalidError{"access key", "3 to 128 letters, digits and _+.@- are allowed"}
	case id == d.rootKey:
		return nil, "", ErrReserved
	case len(secret) < minSecretBytes || len(secret) > maxSecretBytes || strings.ContainsFunc(secret, isControl):
		return nil, "", &InvalidError{"secret key", "8 to 128 printable characters are allowed"}
	case !in.Expires.IsZero() && !d.options.Now().Before(in.Expires):
		return nil, "", &InvalidError{"expiry", "it is not in the future"}
	case s.users[in.User] == nil:
		return nil, "", ErrNoSuchUser
	case s.keys[id] != nil:
		return nil, "", ErrKeyExists
	}
	k := &Key{
		ID: id, User: in.User, Description: in.Description, Created: d.options.Now().UTC().Truncate(time.Millisecond),
		Enabled: true, Expires: in.Expires.UTC(), Sealed: d.options.Keyring.Seal(purpose(id), []byte(secret)),
	}
	s.keys[id] = k
	return k, secret, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// Rotation says how a key is replaced.
type Rotation struct {
	// Grace is for how long the old key can still be used; 0 ends it at once.
	Grace time.Duration
	// Expires is when the new key can no longer be used; zero means never.
	Expires time.Time
}

// RotateKey makes a key that takes the place of another, whose user and description it has. The old one can be used
// until its grace has passed, and no longer than it could before. It fails with ErrNoSuchKey, ErrNoKeyring and
// *InvalidError.
func (d *Directory) RotateKey(ctx context.Context, id string, how Rotation) (k Key, secret string, err error) {
	err = d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		old := s.keys[id]
		if old == nil {
			return nil, ErrNoSuchKey
		}
		added, plain, err := d.addKey(s, NewKey{User: old.User, Description: old.Description, Expires: how.Expires})
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

// SetKeyEnabled lets a key be used, or not. It fails with ErrNoSuchKey.
func (d *Directory) SetKeyEnabled(ctx context.Context, id string, enabled bool) (Key, error) {
	var changed Key
	err := d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		old := s.keys[id]
		if old == nil {
			return nil, ErrNoSuchKey
		}
		changed = *old
		changed.Enabled = enabled
		stored := changed
		s.keys[id] = &stored
		return []meta.PutRecord{put(keyRecord, id, &stored)}, nil
	})
	return changed, err
}

// DeleteKey removes a key. It fails with ErrNoSuchKey.
func (d *Directory) DeleteKey(ctx context.Context, id string) error {
	return d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		if s.keys[id] == nil {
			return nil, ErrNoSuchKey
		}
		delete(s.keys, id)
		return []meta.PutRecord{put[Key](keyRecord, id, nil)}, nil
	})
}
