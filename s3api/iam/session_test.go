package iam

import (
	"errors"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

const readsPhotos = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`

// session makes a user with a key, and a session with that.
func (f *fixture) session(in NewSession) (Key, Session) {
	f.t.Helper()
	must[User](f.t)(f.CreateUser(background, NewUser{Name: "alice", Policies: []string{"readwrite"}}))
	k, _, err := f.CreateKey(background, NewKey{User: "alice"})
	if err != nil {
		f.t.Fatal(err)
	}
	in.Key = k.ID
	return k, must[Session](f.t)(f.NewSession(in))
}

// wantSession checks what a session's credentials are good for.
func (f *fixture) wantSession(step string, s Session, want error) {
	f.t.Helper()
	c, err := f.LookupSession(s.AccessKey, s.Token)
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		f.t.Fatalf("%s: %v, want %v", step, err, want)
	}
	if want == nil && (c.Secret != s.Secret || !c.Identity.Session || c.Identity.Name != "alice") {
		f.t.Errorf("%s: %+v of %+v", step, c, c.Identity)
	}
}

func TestSessionLife(t *testing.T) {
	f := newFixture(t)
	k, s := f.session(NewSession{Duration: time.Hour, Policy: readsPhotos})
	f.wantSession("at once", s, nil)
	f.reopen()
	f.wantSession("after a restart", s, nil)
	if c, ok := f.Lookup(s.AccessKey); ok {
		t.Errorf("the access key is good without its token: %+v", c)
	}
	if _, err := f.LookupSession(k.ID, s.Token); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("the token with another key: %v", err)
	}
	f.reopen() // nothing is kept open
	if _, err := f.LookupSession(k.ID, s.Token); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("the token with another key, to be opened: %v", err)
	}
	middle := len(s.Token) / 2
	changed := s.Token[:middle] + string(s.Token[middle]^1) + s.Token[middle+1:]
	for _, bad := range []string{"", "x", s.Token[:len(s.Token)-4], changed} {
		if _, err := f.LookupSession(s.AccessKey, bad); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("token %.10q...: %v", bad, err)
		}
	}
	must[Key](t)(f.SetKeyEnabled(background, k.ID, false))
	f.wantSession("its key is disabled", s, ErrInvalidToken)
	must[Key](t)(f.SetKeyEnabled(background, k.ID, true))
	f.now = s.Expires.Add(-time.Second)
	f.wantSession("a second before its end", s, nil)
	f.now = s.Expires
	f.wantSession("at its end", s, ErrExpiredToken)
	f.now = s.Expires.Add(-time.Second)
	if err := f.DeleteKey(background, k.ID); err != nil {
		t.Fatal(err)
	}
	f.wantSession("its key is removed", s, ErrInvalidToken)
}

// A session is not that of whoever gets its key's id later, and does not outlive the secret that it was made with.
func TestSessionOfAKeyThatIsAnother(t *testing.T) {
	f := newFixture(t)
	k, s := f.session(NewSession{Duration: time.Hour})
	must[User](t)(f.CreateUser(background, NewUser{Name: "bob", Policies: []string{"consoleAdmin"}}))
	if err := f.DeleteKey(background, k.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.CreateKey(background, NewKey{User: "bob", ID: k.ID}); err != nil {
		t.Fatal(err)
	}
	f.wantSession("the id is that of another user's key", s, ErrInvalidToken)

	s = must[Session](t)(f.NewSession(NewSession{Key: k.ID, Duration: time.Hour}))
	if _, err := f.ChangeKey(background, k.ID, "another-secret", func(*Key) error { return nil }); err != nil {
		t.Fatal(err)
	}
	f.wantSession("its key has another secret", s, ErrInvalidToken)

	s = must[Session](t)(f.NewSession(NewSession{Key: f.RootKey(), Duration: time.Hour}))
	f.secret = "another-secret"
	f.reopen()
	f.wantSession("root has another secret since the restart", s, ErrInvalidToken)
}

// A session is held to its role as that is now, and to its own policy.
func TestSessionBounds(t *testing.T) {
	f := newFixture(t)
	if _, err := f.PutPolicy(background, "photos", readsPhotos); err != nil {
		t.Fatal(err)
	}
	_, s := f.session(NewSession{Duration: time.Hour, Role: "photos", Name: "laptop", Policy: readsPhotos})
	c, err := f.LookupSession(s.AccessKey, s.Token)
	if err != nil || len(c.Identity.Bounds) != 2 || len(c.Identity.Policies) != 1 {
		t.Fatalf("%+v, %v", c.Identity, err)
	}
	if got := c.Identity.Principal.SessionARN; got != "arn:aws:sts::000000000000:assumed-role/photos/laptop" {
		t.Errorf("session ARN %s", got)
	}
	if plain, ok := f.Lookup("admin"); !ok || plain.Identity.Session || plain.Identity.Bounds != nil {
		t.Errorf("root's own identity was changed: %+v", plain.Identity)
	}
	if err := f.DeletePolicy(background, "photos"); err != nil {
		t.Fatal(err)
	}
	f.wantSession("its role is removed", s, ErrInvalidToken)
}

func TestNewSessionRefused(t *testing.T) {
	f := newFixture(t)
	if _, err := f.NewSession(NewSession{Key: "nobody", Duration: time.Hour}); !errors.Is(err, ErrNoSuchKey) {
		t.Errorf("an unknown key: %v", err)
	}
	if _, err := f.NewSession(NewSession{Key: "admin", Role: "none", Duration: time.Hour}); !errors.Is(err, ErrNoSuchPolicy) {
		t.Errorf("an unknown role: %v", err)
	}
	var malformed *policy.Error
	if _, err := f.NewSession(NewSession{Key: "admin", Policy: "{", Duration: time.Hour}); !errors.As(err, &malformed) {
		t.Errorf("a policy that cannot be read: %v", err)
	}
}
