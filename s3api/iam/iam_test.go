package iam

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

var background = context.Background()

// memory keeps records in order, as the store does.
type memory struct {
	records []meta.Record
	fail    error // of the next PutRecords
	owners  []string
}

func (m *memory) find(r meta.Record) (int, bool) {
	return slices.BinarySearchFunc(m.records, r, func(a, b meta.Record) int {
		return strings.Compare(string(a.Kind)+"\x00"+a.Name, string(b.Kind)+"\x00"+b.Name)
	})
}

func (m *memory) Records(_ context.Context, kind meta.RecordKind, after string, limit int) ([]meta.Record, error) {
	var page []meta.Record
	for _, r := range m.records {
		if r.Kind == kind && r.Name > after && len(page) < limit {
			page = append(page, r)
		}
	}
	return page, nil
}

func (m *memory) CreateOwner(ctx context.Context, user string, records ...meta.PutRecord) error {
	m.owners = append(m.owners, user)
	return m.PutRecords(ctx, records...)
}

func (m *memory) RemoveOwner(ctx context.Context, user string, records ...meta.PutRecord) error {
	m.owners = slices.DeleteFunc(m.owners, func(name string) bool { return name == user })
	return m.PutRecords(ctx, records...)
}

func (m *memory) PutRecords(_ context.Context, records ...meta.PutRecord) error {
	if m.fail != nil {
		return m.fail
	}
	for _, p := range records {
		r := meta.Record{Kind: p.Kind, Name: p.Name, Value: p.Value}
		at, found := m.find(r)
		switch {
		case p.Value == nil && found:
			m.records = slices.Delete(m.records, at, at+1)
		case p.Value == nil:
		case found:
			m.records[at] = r
		default:
			m.records = slices.Insert(m.records, at, r)
		}
	}
	return nil
}

// fixture is a directory on records in memory, with a clock that the test moves.
type fixture struct {
	*Directory
	t       *testing.T
	records *memory
	keyring *encryption.Keyring
	now     time.Time
	// secret is root's.
	secret string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	keyring, err := encryption.ParseKeyring(encryption.DefaultKeyName + " " + strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		t: t, records: new(memory), keyring: keyring, secret: "password",
		now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	}
	f.reopen()
	return f
}

// reopen opens what is stored, as the next start does.
func (f *fixture) reopen() {
	f.t.Helper()
	d, err := Open(background, Options{
		Records: f.records, Keyring: f.keyring, RootAccessKey: "admin", RootSecretKey: f.secret,
		Now: func() time.Time { return f.now },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Directory = d
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestRoot(t *testing.T) {
	f := newFixture(t)
	c, ok := f.Lookup("admin")
	if !ok || c.Secret != "password" || !c.Identity.Root || c.Identity.Name != RootName {
		t.Errorf("%+v, %v", c, ok)
	}
	if _, ok := f.Lookup("nobody"); ok {
		t.Error("an unknown key is known")
	}
	for _, name := range []string{RootName, SelfName} {
		if _, err := f.CreateUser(background, NewUser{Name: name}); !errors.Is(err, ErrReserved) {
			t.Errorf("a user named %s: %v", name, err)
		}
	}
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	if _, _, err := f.CreateKey(background, NewKey{User: "alice", ID: "admin"}); !errors.Is(err, ErrReserved) {
		t.Errorf("a second key %q: %v", "admin", err)
	}
}

func enable(enabled bool) func(*User) error {
	return func(u *User) error {
		u.Enabled = enabled
		return nil
	}
}

func TestKeyLife(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice", Policies: []string{"readonly"}}))
	k, secret, err := f.CreateKey(background, NewKey{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	usable := func(step string, want bool) {
		t.Helper()
		c, ok := f.Lookup(k.ID)
		if ok != want || (ok && (c.Secret != secret || c.Identity.Name != "alice")) {
			t.Errorf("%s: %+v, %v", step, c, ok)
		}
	}
	usable("made", true)
	for _, r := range f.records.records {
		if bytes.Contains(r.Value, []byte(secret)) {
			t.Errorf("the secret stands in the %s record", r.Kind)
		}
	}
	f.reopen()
	usable("after a start", true)
	must[Key](t)(f.SetKeyEnabled(background, k.ID, false))
	usable("disabled", false)
	must[Key](t)(f.SetKeyEnabled(background, k.ID, true))
	must[User](t)(f.ChangeUser(background, "alice", enable(false)))
	usable("user disabled", false)
	f.reopen()
	usable("user disabled, after a start", false)
	must[User](t)(f.ChangeUser(background, "alice", enable(true)))
	usable("user enabled", true)
	if err := f.DeleteKey(background, k.ID); err != nil {
		t.Fatal(err)
	}
	usable("deleted", false)
}

func TestRotate(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	old, _, err := f.CreateKey(background, NewKey{User: "alice", Description: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	k, secret, err := f.RotateKey(background, old.ID, Rotation{Grace: time.Hour})
	if err != nil || k.User != "alice" || k.Description != "laptop" || k.ID == old.ID {
		t.Fatalf("%+v, %v", k, err)
	}
	if c, ok := f.Lookup(k.ID); !ok || c.Secret != secret {
		t.Error("the new key cannot be used")
	}
	if _, _, err := f.RotateKey(background, k.ID, Rotation{Expires: f.now}); !errors.As(err, new(*InvalidError)) {
		t.Errorf("rotated to a key that has expired: %v", err)
	}
	// A second rotation does not give the old key more time.
	again, _, err := f.RotateKey(background, old.ID, Rotation{Grace: 2 * time.Hour, Expires: f.now.Add(time.Minute)})
	if err != nil || !again.Expires.Equal(f.now.Add(time.Minute)) {
		t.Errorf("%+v, %v", again, err)
	}
	f.now = f.now.Add(time.Hour - 1)
	if _, ok := f.Lookup(again.ID); ok {
		t.Error("the second key can be used after it has expired")
	}
	if _, ok := f.Lookup(old.ID); !ok {
		t.Error("the old key cannot be used within its grace")
	}
	f.now = f.now.Add(1)
	if _, ok := f.Lookup(old.ID); ok {
		t.Error("the old key can be used after its grace")
	}
}

func TestWithoutKeyring(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	bare, err := Open(background, Options{Records: f.records})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bare.CreateKey(background, NewKey{User: "alice"}); !errors.Is(err, ErrNoKeyring) {
		t.Errorf("made a key: %v", err)
	}
	if _, _, err := f.CreateKey(background, NewKey{User: "alice"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(background, Options{Records: f.records}); !errors.Is(err, ErrNoKeyring) {
		t.Errorf("opened with keys: %v", err)
	}
}

func TestDeleteUser(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	must[User](t)(f.CreateUser(background, NewUser{Name: "bob"}))
	a, _, _ := f.CreateKey(background, NewKey{User: "alice"})
	b, _, _ := f.CreateKey(background, NewKey{User: "bob"})
	if err := f.DeleteUser(background, "alice"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, ok := f.Lookup(a.ID); ok {
			t.Error("a key outlives its user")
		}
		if _, ok := f.Lookup(b.ID); !ok {
			t.Error("another user's key is gone")
		}
		f.reopen()
	}
	if err := f.DeleteUser(background, "alice"); !errors.Is(err, ErrNoSuchUser) {
		t.Error(err)
	}
}

func TestPolicies(t *testing.T) {
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`
	f := newFixture(t)
	if _, err := f.CreateUser(background, NewUser{Name: "alice", Policies: []string{"reader"}}); !errors.Is(err, ErrNoSuchPolicy) {
		t.Errorf("an unknown policy: %v", err)
	}
	var wrong *policy.Error
	if _, err := f.PutPolicy(background, "reader", `{`); !errors.As(err, &wrong) {
		t.Errorf("a document that is none: %v", err)
	}
	if _, err := f.PutPolicy(background, "readonly", document); !errors.Is(err, ErrReserved) {
		t.Errorf("a canned policy replaced: %v", err)
	}
	must[Policy](t)(f.PutPolicy(background, "reader", document))
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice", Policies: []string{"reader", "readonly", "reader"}}))
	k, _, err := f.CreateKey(background, NewKey{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	attached := func() int {
		c, _ := f.Lookup(k.ID)
		return len(c.Identity.Policies)
	}
	if attached() != 2 {
		t.Errorf("%d policies are in force", attached())
	}
	if err := f.DeletePolicy(background, "reader"); !errors.Is(err, ErrPolicyInUse) {
		t.Errorf("deleted while attached: %v", err)
	}
	if users := f.AttachedTo("reader"); !slices.Equal(users, []string{"alice"}) {
		t.Errorf("attached to %v", users)
	}
	if _, err := f.DetachPolicies(background, "alice", "reader", "writeonly"); !errors.Is(err, ErrNotAttached) {
		t.Errorf("detached what is not attached: %v", err)
	}
	u := must[User](t)(f.DetachPolicies(background, "alice", "reader"))
	if !slices.Equal(u.Policies, []string{"readonly"}) || attached() != 1 {
		t.Errorf("%v attached, %d in force", u.Policies, attached())
	}
	if err := f.DeletePolicy(background, "reader"); err != nil {
		t.Error(err)
	}
	if err := f.DeletePolicy(background, "readonly"); !errors.Is(err, ErrReserved) {
		t.Errorf("a canned policy deleted: %v", err)
	}
	if _, err := f.AttachPolicies(background, "alice", "reader"); !errors.Is(err, ErrNoSuchPolicy) {
		t.Errorf("attached after it was deleted: %v", err)
	}
}

// TestChecks sees to it that a change whose check fails is not made, and that checks are shown what is there.
func TestChecks(t *testing.T) {
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	f, refused := newFixture(t), errors.New("refused")
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice", Policies: []string{"readonly"}}))
	_, err := f.ChangeUser(background, "alice", func(u *User) error {
		u.Enabled, u.Policies[0] = false, "readwrite"
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("change: %v", err)
	}
	_, err = f.ChangeUser(background, "alice", func(u *User) error {
		u.Policies = []string{"readwrite", "unknown"}
		return nil
	})
	if !errors.Is(err, ErrNoSuchPolicy) || !strings.Contains(err.Error(), `"unknown"`) {
		t.Errorf("change to an unknown policy: %v", err)
	}
	err = f.DeleteUser(background, "alice", func(u User) error {
		if u.Name != "alice" {
			t.Errorf("shown %+v", u)
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("delete: %v", err)
	}
	f.reopen()
	if u := must[User](t)(f.User("alice")); !u.Enabled || !slices.Equal(u.Policies, []string{"readonly"}) {
		t.Errorf("refused changes have made %+v", u)
	}

	var shown []*Policy
	check := func(p *Policy) error {
		shown = append(shown, p)
		if len(shown) > 1 {
			return refused
		}
		return nil
	}
	must[Policy](t)(f.PutPolicy(background, "all", document, check))
	if _, err := f.PutPolicy(background, "all", document+" ", check); !errors.Is(err, refused) {
		t.Errorf("put: %v", err)
	}
	if err := f.DeletePolicy(background, "all", check); !errors.Is(err, refused) {
		t.Errorf("delete: %v", err)
	}
	if shown[0] != nil || shown[1].Document != document || shown[2].Document != document {
		t.Errorf("shown %v", shown)
	}
}

// TestFailedChange sees to it that a change which is not stored is not in force.
func TestFailedChange(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	f.records.fail = errors.New("the disk is full")
	if _, _, err := f.CreateKey(background, NewKey{User: "alice", ID: "key-1"}); !errors.Is(err, f.records.fail) {
		t.Errorf("%v", err)
	}
	if _, ok := f.Lookup("key-1"); ok {
		t.Error("a key that is not stored can be used")
	}
	if err := f.DeleteUser(background, "alice"); !errors.Is(err, f.records.fail) {
		t.Errorf("%v", err)
	}
	if _, err := f.User("alice"); err != nil {
		t.Error("a user that is stored is gone")
	}
}

func TestInvalid(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	var invalid *InvalidError
	for _, name := range []string{"", "a b", "a/b", strings.Repeat("a", 65), "ä"} {
		if _, err := f.CreateUser(background, NewUser{Name: name}); !errors.As(err, &invalid) {
			t.Errorf("user %q: %v", name, err)
		}
	}
	for _, in := range []NewKey{{ID: "ab"}, {ID: "a/b"}, {ID: "a,b"}, {Secret: "short"}, {Secret: "with\nbreak"}, {Expires: f.now}} {
		in.User = "alice"
		if _, _, err := f.CreateKey(background, in); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	if _, err := f.CreateUser(background, NewUser{Name: "alice"}); !errors.Is(err, ErrUserExists) {
		t.Error(err)
	}
	if _, _, err := f.CreateKey(background, NewKey{User: "bob"}); !errors.Is(err, ErrNoSuchUser) {
		t.Error(err)
	}
}

func TestResolve(t *testing.T) {
	f := newFixture(t)
	u := must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	for name, want := range map[string]string{
		"alice": u.ARN(), u.ARN(): u.ARN(), AccountID: AccountID, "bob": "",
		"arn:aws:iam::" + AccountID + ":root": "arn:aws:iam::" + AccountID + ":root",
		"arn:aws:iam::111122223333:root":      "",
	} {
		if got, ok := f.Resolve(name); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	if name, ok := f.UserOf(CanonicalID("alice")); !ok || name != "alice" {
		t.Errorf("%q, %v", name, ok)
	}
}

// TestNewUsersAreOwners: whoever makes a user, it is made as an owner, who gets what new ones get, and removed as one; a
// change is neither.
func TestNewUsersAreOwners(t *testing.T) {
	f := newFixture(t)
	login := Login{Name: "bob", Secret: "secret-secret", Enabled: true}
	_, err := f.CreateUser(background, NewUser{Name: "alice"})
	_, loginErr := f.PutLogin(background, login)
	_, againErr := f.PutLogin(background, login)
	_, twiceErr := f.CreateUser(background, NewUser{Name: "bob"})
	if err := errors.Join(err, loginErr, againErr); err != nil || !errors.Is(twiceErr, ErrUserExists) {
		t.Fatal(err, twiceErr)
	}
	if !slices.Equal(f.records.owners, []string{"alice", "bob"}) {
		t.Errorf("owners: %q", f.records.owners)
	}
	if err := f.DeleteUser(background, "alice"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.records.owners, []string{"bob"}) {
		t.Errorf("owners after a removal: %q", f.records.owners)
	}
}
