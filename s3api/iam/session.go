package iam

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

// What a Directory refuses of a session.
var (
	// ErrInvalidToken says that a token was not made here, is not that of its access key, or that the key, its secret or the
	// role it was made with is no more.
	ErrInvalidToken = errors.New("the session token is not valid")
	// ErrExpiredToken says that a session is over.
	ErrExpiredToken = errors.New("the session token has expired")
)

// NewSession says what temporary credentials to make.
type NewSession struct {
	// Key is the access key that asks. The session ends with it: when it is removed, disabled or expired, or gets another
	// secret.
	Key string
	// Role names an identity policy that the session is held to, and Name is what the session is called in that role.
	// Empty for a session of the user's own.
	Role, Name string
	// Policy is a policy document that the session is held to, beside the role; empty for none.
	Policy string
	// Duration is how long it lasts; the caller has checked it.
	Duration time.Duration
}

// Session is a set of temporary credentials.
type Session struct {
	AccessKey, Secret, Token string
	Expires                  time.Time // UTC, in whole seconds
	// Identity is who has it.
	Identity *Identity
}

// claims are what a token says. The token is sealed under the keyring: nothing of a session is stored.
type claims struct {
	Secret  string    `json:"s"`
	Key     string    `json:"k"` // the access key that asked
	Parent  []byte    `json:"h"` // a hash of that key's secret: see parentHash
	Role    string    `json:"r,omitempty"`
	Name    string    `json:"n,omitempty"`
	Policy  string    `json:"p,omitempty"`
	Expires time.Time `json:"e"`
}

// openSession is a token that was opened.
type openSession struct {
	claims
	accessKey string
	policy    *policy.Policy // of Policy; nil where there is none
}

// maxOpenSessions bounds the tokens that are kept open. To open one again costs some microseconds.
const maxOpenSessions = 1024

// sessions are tokens that were opened, by token.
type sessions struct {
	mu   sync.Mutex
	open map[string]*openSession // guarded by mu
}

func sessionPurpose(accessKey string) string { return "session " + accessKey }

// parentHash tells a key from one that has its id later, and its secret from the next: who has lost the one must not keep
// what was made with it, and gets nothing of who has the other.
func parentHash(secret string) []byte {
	sum := sha256.Sum256([]byte("plimsoll session of " + secret))
	return sum[:16]
}

// NewSession makes temporary credentials for the user of an access key, who has no more rights with them than without. It
// fails with ErrNoSuchKey, ErrNoSuchPolicy for a role that is none, ErrNoKeyring, and a *policy.Error for a policy that
// cannot be read.
func (d *Directory) NewSession(in NewSession) (Session, error) {
	if d.options.Keyring == nil {
		return Session{}, ErrNoKeyring
	}
	parent, ok := d.Lookup(in.Key)
	if !ok {
		return Session{}, ErrNoSuchKey
	}
	c := claims{
		Secret: randomSecret(), Key: in.Key, Parent: parentHash(parent.Secret), Role: in.Role, Name: in.Name, Policy: in.Policy,
		Expires: d.options.Now().Add(in.Duration).UTC().Truncate(time.Second),
	}
	opened, err := newOpenSession("PLIT"+randomID(), c)
	if err != nil {
		return Session{}, err
	}
	credential, err := d.sessionCredential(opened)
	if errors.Is(err, ErrInvalidToken) {
		if _, ok := d.Lookup(in.Key); !ok {
			return Session{}, ErrNoSuchKey
		}
		return Session{}, noSuchPolicy(in.Role)
	}
	if err != nil {
		return Session{}, err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return Session{}, err
	}
	sealed := d.options.Keyring.Seal(sessionPurpose(opened.accessKey), raw)
	return Session{
		AccessKey: opened.accessKey, Secret: c.Secret, Token: base64.StdEncoding.EncodeToString(sealed), Expires: c.Expires,
		Identity: credential.Identity,
	}, nil
}

func newOpenSession(accessKey string, c claims) (*openSession, error) {
	s := &openSession{claims: c, accessKey: accessKey}
	if c.Policy != "" {
		compiled, err := policy.CompileIdentity([]byte(c.Policy))
		if err != nil {
			return nil, err
		}
		s.policy = compiled
	}
	return s, nil
}

// LookupSession returns what temporary credentials stand for. It fails with ErrInvalidToken and ErrExpiredToken.
func (d *Directory) LookupSession(accessKey, token string) (Credential, error) {
	s, err := d.openToken(accessKey, token)
	if err != nil {
		return Credential{}, err
	}
	if !d.options.Now().Before(s.Expires) {
		return Credential{}, ErrExpiredToken
	}
	return d.sessionCredential(s)
}

// CredentialOf returns what an access key stands for, with its token where it is one of temporary credentials; ok is false
// where they cannot be used.
func (d *Directory) CredentialOf(accessKey, token string) (c Credential, ok bool) {
	if token == "" {
		return d.Lookup(accessKey)
	}
	c, err := d.LookupSession(accessKey, token)
	return c, err == nil
}

// openToken returns what a token says, if it is that of the access key.
func (d *Directory) openToken(accessKey, token string) (*openSession, error) {
	d.sessions.mu.Lock()
	s := d.sessions.open[token]
	d.sessions.mu.Unlock()
	if s != nil {
		if s.accessKey != accessKey {
			return nil, ErrInvalidToken
		}
		return s, nil
	}
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil || d.options.Keyring == nil {
		return nil, ErrInvalidToken
	}
	raw, _, err := d.options.Keyring.Open(sessionPurpose(accessKey), sealed)
	if err != nil {
		return nil, ErrInvalidToken
	}
	var c claims
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields() // a later server may hold sessions to more than this one knows
	if decoder.Decode(&c) != nil {
		return nil, ErrInvalidToken
	}
	if s, err = newOpenSession(accessKey, c); err != nil {
		return nil, ErrInvalidToken
	}
	d.sessions.mu.Lock()
	defer d.sessions.mu.Unlock()
	if d.sessions.open == nil || len(d.sessions.open) >= maxOpenSessions {
		d.sessions.open = make(map[string]*openSession)
	}
	d.sessions.open[token] = s
	return s, nil
}

// sessionCredential returns what a session is good for now: no more than the key that it was made with, no longer than
// that, and no more than its role, as that is now.
func (d *Directory) sessionCredential(s *openSession) (Credential, error) {
	credential, ok := d.Lookup(s.Key)
	if !ok || subtle.ConstantTimeCompare(s.Parent, parentHash(credential.Secret)) != 1 {
		return Credential{}, ErrInvalidToken
	}
	identity := *credential.Identity
	identity.Session = true
	if s.Role != "" {
		role := d.state.Load().identityPolicy(s.Role)
		if role == nil {
			return Credential{}, ErrInvalidToken
		}
		identity.Bounds = append(identity.Bounds, role)
		p := &identity.Principal
		p.SessionARN = "arn:aws:sts::" + AccountID + ":assumed-role/" + s.Role + "/" + s.Name
	}
	if s.policy != nil {
		identity.Bounds = append(identity.Bounds, s.policy)
	}
	return Credential{Secret: s.Secret, Identity: &identity}, nil
}
