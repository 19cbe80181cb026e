// Package iam keeps the users of a server, their access keys and the policies that say what they may do, and finds out
// who has made a request. It knows nothing of HTTP.
//
// # Who is who
//
// All users belong to one account, AccountID. The root user is not stored: its key comes with the server's start, and it
// may do everything. Every other user may do what the identity policies attached to them allow, what the policy of a
// bucket allows them, what they are granted by access control lists, and everything in the buckets that they own; what
// any policy denies they may not.
//
// Each user has a canonical id of their own, by which access control lists name them and which is their ID as an owner.
// A user has any number of access keys, each with a secret, and may be disabled as a whole or key by key. A key may have
// a policy of its own, which it is held to. With a key they can get temporary credentials, which have at most the key's
// rights and end with it (session.go). There are no roles but identity policies: who assumes the role of a policy's name is
// held to that policy. Root may have keys beside the one of the server's start, which only root makes and gives other
// secrets.
//
// # Storage
//
// Users, keys and policies are records of the store, JSON by name. Secrets are sealed under the server's keyring and are
// not told again after they were made.
//
// # Concurrency
//
// A Directory is safe for concurrent use. Reads look at an immutable state and never wait; changes come one after the
// other, and are in force when they return.
package iam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// AccountID is the id of the account that all users belong to.
const AccountID = "000000000000"

const (
	// RootName is the name of the root user.
	RootName = "root"
	// SelfName stands for whoever asks, so no user has it.
	SelfName = "me"
)

// The kinds of records that a Directory keeps.
const (
	userRecord   meta.RecordKind = "user"
	keyRecord    meta.RecordKind = "key"
	policyRecord meta.RecordKind = "policy"
)

// loadPage is how many records are read at a time.
const loadPage = 1000

// What a Directory refuses.
var (
	ErrNoSuchUser   = errors.New("no such user")
	ErrUserExists   = errors.New("the user exists")
	ErrNoSuchKey    = errors.New("no such access key")
	ErrKeyExists    = errors.New("the access key exists")
	ErrNoSuchPolicy = errors.New("no such policy")
	ErrPolicyInUse  = errors.New("the policy is attached")
	ErrNotAttached  = errors.New("the policy is not attached")
	ErrReserved     = errors.New("the name belongs to the server")
	// ErrNoKeyring says that no secret can be kept: the server was started without a key file.
	ErrNoKeyring = errors.New("no keyring to seal secrets with")
)

// InvalidError says what is wrong with a name, a key or a document.
type InvalidError struct{ What, Reason string }

// Error implements error.
func (e *InvalidError) Error() string { return fmt.Sprintf("invalid %s: %s", e.What, e.Reason) }

// Records is the part of the store that a Directory needs.
type Records interface {
	Records(ctx context.Context, kind meta.RecordKind, after string, limit int) ([]meta.Record, error)
	PutRecords(ctx context.Context, records ...meta.PutRecord) error
	// CreateOwner is PutRecords for those of a new user, with whatever else new users get.
	CreateOwner(ctx context.Context, user string, records ...meta.PutRecord) error
	// RemoveOwner is PutRecords for those of a user who is removed, with whatever else they were given.
	RemoveOwner(ctx context.Context, user string, records ...meta.PutRecord) error
}

// Identity is who makes a request. It is immutable.
type Identity struct {
	Principal policy.Principal
	// Name is the user's, empty for an anonymous one; CanonicalID is their id as an owner and a grantee.
	Name, CanonicalID string
	// Policies are the identity policies.
	Policies []*policy.Policy
	// Root may do everything.
	Root bool
	// Session says that the credentials are temporary.
	Session bool
	// Bounds are the policies that the credentials are held to: those of a session, and the access key's own. Each must
	// allow what they are used for, whatever else does.
	Bounds []*policy.Policy
}

// Unbounded reports whether nothing but the policy of a bucket holds the user back: root, with credentials that are held
// to nothing.
func (i *Identity) Unbounded() bool { return i.Root && len(i.Bounds) == 0 }

// Anonymous is the identity of a request without credentials.
var Anonymous = &Identity{}

// Credential is what an access key stands for.
type Credential struct {
	Secret   string
	Identity *Identity
}

// Options are what a Directory is opened with.
type Options struct {
	Records Records
	// Keyring seals the secrets; without one no keys can be made.
	Keyring *encryption.Keyring
	// RootAccessKey and RootSecretKey are the root user's.
	RootAccessKey, RootSecretKey string
	// Now is the clock; time.Now where nil.
	Now func() time.Time
}

// Directory keeps users, keys and policies.
type Directory struct {
	options Options
	root    *Identity
	rootKey string

	mu    sync.Mutex            // held by the change that is under way
	state atomic.Pointer[state] // replaced as a whole by changes

	sessions sessions
}

// state is what is stored, with what follows from it. It is immutable.
type state struct {
	users    map[string]*User
	keys     map[string]*Key
	policies map[string]*Policy
	// compiled are the stored policies, by name.
	compiled map[string]*policy.Policy
	// credentials are those of the keys that can be used, as far as users and keys are enabled.
	credentials map[string]*Credential
	// names are the users by canonical id.
	names map[string]string
	// secrets are those of the keys in credentials: a key that the next state has still is not opened again.
	secrets map[*Key]string
}

// Open reads what the store has.
func Open(ctx context.Context, o Options) (*Directory, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Directory{options: o, rootKey: o.RootAccessKey, root: &Identity{
		Principal: policy.Principal{
			Kind: policy.Root, Account: AccountID, CanonicalID: CanonicalID(RootName), ID: AccountID,
			ARN: "arn:aws:iam::" + AccountID + ":root",
		},
		Name: RootName, CanonicalID: CanonicalID(RootName), Root: true,
	}}
	s := &state{users: make(map[string]*User), keys: make(map[string]*Key), policies: make(map[string]*Policy)}
	err := errors.Join(
		loadAll(ctx, o.Records, policyRecord, s.policies),
		loadAll(ctx, o.Records, userRecord, s.users),
		loadAll(ctx, o.Records, keyRecord, s.keys),
	)
	if err != nil {
		return nil, fmt.Errorf("users and keys: %w", err)
	}
	if err := d.publish(s); err != nil {
		return nil, fmt.Errorf("users and keys: %w", err)
	}
	return d, nil
}

// loadAll reads all records of a kind.
func loadAll[T any](ctx context.Context, from Records, kind meta.RecordKind, into map[string]*T) error {
	after := ""
	for {
		page, err := from.Records(ctx, kind, after, loadPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, r := range page {
			value := new(T)
			if err := json.Unmarshal(r.Value, value); err != nil {
				return fmt.Errorf("%s %q: %w", kind, r.Name, err)
			}
			into[r.Name] = value
			after = r.Name
		}
	}
}

// clone returns a state that can be changed and then published.
func (s *state) clone() *state {
	return &state{users: maps.Clone(s.users), keys: maps.Clone(s.keys), policies: maps.Clone(s.policies)}
}

// publish derives what follows from a state and puts it in force.
func (d *Directory) publish(s *state) error {
	last := d.state.Load()
	if last == nil {
		last = new(state)
	}
	compiled := make(map[string]*policy.Policy, len(s.policies))
	for name, p := range s.policies {
		c := last.compiled[name]
		if c == nil || last.policies[name] != p {
			var err error
			if c, err = policy.CompileIdentity([]byte(p.Document)); err != nil {
				return fmt.Errorf("policy %q: %w", name, err)
			}
		}
		compiled[name] = c
	}
	s.compiled = compiled
	identities := make(map[string]*Identity, len(s.users))
	s.names = map[string]string{d.root.CanonicalID: RootName}
	for name, u := range s.users {
		s.names[CanonicalID(name)] = name
		identities[name] = s.identity(u)
	}
	s.secrets = make(map[*Key]string, len(s.keys))
	s.credentials = make(map[string]*Credential, len(s.keys))
	for id, k := range s.keys {
		u, identity := s.users[k.User], identities[k.User]
		if k.User == RootName {
			identity = d.root
		} else if u == nil || !u.Enabled {
			continue
		}
		if !k.Enabled {
			continue
		}
		if k.Policy != "" {
			boundary, err := policy.CompileIdentity([]byte(k.Policy))
			if err != nil {
				return fmt.Errorf("policy of access key %q: %w", id, err)
			}
			within := *identity
			within.Bounds = []*policy.Policy{boundary}
			identity = &within
		}
		secret, known := last.secrets[k]
		if !known {
			var err error
			if secret, err = d.open(k); err != nil {
				return fmt.Errorf("access key %q: %w", id, err)
			}
		}
		s.secrets[k] = secret
		s.credentials[id] = &Credential{Secret: secret, Identity: identity}
	}
	d.state.Store(s)
	return nil
}

// identity returns a user as who makes a request, with the policies that are attached.
func (s *state) identity(u *User) *Identity {
	identity := u.identity()
	for _, attached := range u.Policies {
		if c := s.identityPolicy(attached); c != nil {
			identity.Policies = append(identity.Policies, c)
		}
	}
	return identity
}

// identityPolicy returns a stored or a canned policy; nil where there is none of that name.
func (s *state) identityPolicy(name string) *policy.Policy {
	if c := s.compiled[name]; c != nil {
		return c
	}
	return canned()[name]
}

// change runs a change of the state: edit alters a copy and returns the records to be written. They are written first,
// and then the copy is in force.
func (d *Directory) change(ctx context.Context, edit func(*state) ([]meta.PutRecord, error)) error {
	return d.changeWith(ctx, d.options.Records.PutRecords, edit)
}

// changeWith is change with another way to write the records.
func (d *Directory) changeWith(
	ctx context.Context, write func(context.Context, ...meta.PutRecord) error, edit func(*state) ([]meta.PutRecord, error),
) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state.Load().clone()
	records, err := edit(s)
	if err != nil || len(records) == 0 {
		return err
	}
	if err := write(ctx, records...); err != nil {
		return err
	}
	return d.publish(s)
}

// put is the record of a value; a nil value removes it.
func put[T any](kind meta.RecordKind, name string, value *T) meta.PutRecord {
	r := meta.PutRecord{Kind: kind, Name: name}
	if value == nil {
		return r
	}
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // text, times and booleans always marshal
	}
	r.Value = raw
	return r
}

// Lookup returns what an access key stands for; ok is false where there is none that can be used.
func (d *Directory) Lookup(accessKey string) (Credential, bool) {
	if accessKey == d.rootKey {
		return Credential{Secret: d.options.RootSecretKey, Identity: d.root}, true
	}
	c, ok := d.state.Load().credentials[accessKey]
	if !ok || d.expired(accessKey) {
		return Credential{}, false
	}
	return *c, true
}

// Root returns the root user's identity.
func (d *Directory) Root() *Identity { return d.root }

// RootKey returns the root user's access key.
func (d *Directory) RootKey() string { return d.rootKey }

// UserOf returns the name of the user with a canonical id. Root's access key is another for root's.
func (d *Directory) UserOf(canonicalID string) (string, bool) {
	if canonicalID == d.rootKey {
		return RootName, true
	}
	name, ok := d.state.Load().names[canonicalID]
	return name, ok
}

// Resolve finds the principal that a bucket policy names: the account, also by root's access key, or one of its users by ARN
// or by name. Access keys of users name nobody: they come and go, and what denies them must not go with them.
func (d *Directory) Resolve(name string) (string, bool) {
	switch name {
	case AccountID, "arn:aws:iam::" + AccountID + ":root":
		return name, true
	case d.rootKey, RootName:
		return AccountID, true
	}
	name = strings.TrimPrefix(name, UserARNPrefix)
	if u := d.state.Load().users[name]; u != nil {
		return u.ARN(), true
	}
	return "", false
}

// canned are the well-known identity policies by name, compiled once.
var canned = sync.OnceValue(func() map[string]*policy.Policy {
	all := make(map[string]*policy.Policy)
	for _, name := range policy.CannedNames() {
		document, _ := policy.Canned(name)
		compiled, err := policy.CompileIdentity([]byte(document))
		if err != nil {
			panic(err) // the documents are constants
		}
		all[name] = compiled
	}
	return all
})

// CanonicalID returns a user's canonical id: 64 hexadecimal digits.
func CanonicalID(user string) string {
	sum := sha256.Sum256([]byte("plimsoll user " + user))
	return hex.EncodeToString(sum[:])
}
