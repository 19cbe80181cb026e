package iam

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

func TestLogin(t *testing.T) {
	f := newFixture(t)
	u := must[User](t)(f.PutLogin(background, Login{Name: "alice", Secret: "first-secret", Enabled: true, Policies: []string{"readonly"}}))
	secret := func(step, want string) {
		t.Helper()
		c, ok := f.Lookup("alice")
		if ok != (want != "") || c.Secret != want {
			t.Errorf("%s: secret %q, %v", step, c.Secret, ok)
		}
	}
	secret("made", "first-secret")
	f.now = f.now.Add(time.Hour)
	if _, _, err := f.CreateKey(background, NewKey{User: "alice", ID: "other", Secret: "other-secret"}); err != nil {
		t.Fatal(err)
	}

	// Another secret, and nothing else: the user keeps id, policies and keys.
	changed := must[User](t)(f.PutLogin(background, Login{Name: "alice", Secret: "second-secret", Enabled: true}))
	if changed.ID != u.ID || !changed.Created.Equal(u.Created) || !slices.Equal(changed.Policies, []string{"readonly"}) {
		t.Errorf("changed: %+v", changed)
	}
	secret("changed", "second-secret")
	if c, ok := f.Lookup("other"); !ok || c.Secret != "other-secret" {
		t.Error("the other key is not as it was")
	}
	// Without a secret the key stays.
	changed = must[User](t)(f.PutLogin(background, Login{Name: "alice", Enabled: false, Policies: []string{}}))
	if changed.Enabled || len(changed.Policies) != 0 {
		t.Errorf("disabled: %+v", changed)
	}
	secret("disabled", "")
	must[User](t)(f.PutLogin(background, Login{Name: "alice", Enabled: true}))
	secret("enabled", "second-secret")
	f.reopen()
	secret("opened again", "second-secret")

	// A key that was disabled, or has expired, can be used again with its new secret.
	must[Key](t)(f.SetKeyEnabled(background, "alice", false))
	must[User](t)(f.PutLogin(background, Login{Name: "alice", Secret: "third-secret", Enabled: true}))
	secret("given a third secret", "third-secret")
	// A user who was made without one gets a key.
	must[User](t)(f.CreateUser(background, NewUser{Name: "bob"}))
	must[User](t)(f.PutLogin(background, Login{Name: "bob", Secret: "bobs-secret", Enabled: true}))
	if c, ok := f.Lookup("bob"); !ok || c.Secret != "bobs-secret" {
		t.Errorf("bob: %v", ok)
	}
}

func TestLoginRefuses(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	if _, _, err := f.CreateKey(background, NewKey{User: "alice", ID: "carol"}); err != nil {
		t.Fatal(err)
	}
	before := len(f.records.records)
	for name, c := range map[string]struct {
		login Login
		want  error
	}{
		"root":               {Login{Name: "root", Secret: "long-enough"}, ErrReserved},
		"root's key":         {Login{Name: "admin", Secret: "long-enough"}, ErrReserved},
		"another's key":      {Login{Name: "carol", Secret: "long-enough"}, ErrKeyExists},
		"a policy":           {Login{Name: "dave", Secret: "long-enough", Policies: []string{"none"}}, ErrNoSuchPolicy},
		"a short secret":     {Login{Name: "dave", Secret: "short"}, nil},
		"no secret":          {Login{Name: "dave"}, nil},
		"a name with =":      {Login{Name: "da=ve", Secret: "long-enough"}, nil},
		"a name that is two": {Login{Name: "da", Secret: "long-enough"}, nil},
	} {
		_, err := f.PutLogin(background, c.login)
		var invalid *InvalidError
		if c.want == nil && !errors.As(err, &invalid) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.records.records) != before || len(f.Users()) != 1 {
		t.Errorf("something was kept: %+v", f.Users())
	}
	f.records.fail = errors.New("disk on fire")
	if _, err := f.PutLogin(background, Login{Name: "dave", Secret: "long-enough", Enabled: true}); !errors.Is(err, f.records.fail) {
		t.Errorf("failed write: %v", err)
	}
	if _, ok := f.Lookup("dave"); ok {
		t.Error("what was not written is in force")
	}
}

const bound = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`

// TestBoundary: a key's own policy takes from what the user may do and adds nothing, for root as well.
func TestBoundary(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice", Policies: []string{"readwrite", "consoleAdmin"}}))
	for id, user := range map[string]string{"of-alice": "alice", "of-root": RootName} {
		if _, _, err := f.CreateKey(background, NewKey{User: user, ID: id, Policy: bound, OfRoot: true}); err != nil {
			t.Fatal(err)
		}
	}
	f.reopen()
	for _, id := range []string{"of-alice", "of-root"} {
		c, ok := f.Lookup(id)
		if !ok {
			t.Fatalf("%s cannot be used", id)
		}
		request := func(action, bucket, key string) *policy.Request {
			return &policy.Request{Principal: c.Identity.Principal, Action: action, Bucket: bucket, Key: key, Owner: AccountID}
		}
		for _, r := range []struct {
			request *policy.Request
			want    bool
		}{
			{request("s3:GetObject", "photos", "a"), true},
			{request("s3:GetObject", "other", "a"), false},
			{request("s3:PutObject", "photos", "a"), false},
			{request("s3:GetBucketPolicy", "photos", ""), false}, // which root otherwise always may
		} {
			if got := c.Identity.WithinBounds(*r.request); got != r.want {
				t.Errorf("%s, %s on %s: %v", id, r.request.Action, r.request.ResourceARN(), got)
			}
		}
		if c.Identity.May("admin:Administer", nil) {
			t.Errorf("%s may administer", id)
		}
		// So is a session that is made with it.
		session := must[Session](t)(f.NewSession(NewSession{Key: id, Duration: time.Hour}))
		if session.Identity.WithinBounds(*request("s3:PutObject", "photos", "a")) || session.Identity.Unbounded() {
			t.Errorf("a session of %s may do more", id)
		}
		// Without the policy it is the user's own.
		must[Key](t)(f.ChangeKey(background, id, "", func(k *Key) error { k.Policy = ""; return nil }))
		if c, _ = f.Lookup(id); !c.Identity.May("admin:Administer", nil) || !c.Identity.WithinBounds(*request("s3:PutObject", "other", "a")) {
			t.Errorf("%s is still bounded", id)
		}
	}
	// The identity of others is not the bounded one.
	if c, _ := f.Lookup("admin"); c.Identity.Bounds != nil {
		t.Error("root's own key is bounded")
	}
}

func TestKeysOfRoot(t *testing.T) {
	f := newFixture(t)
	if _, _, err := f.CreateKey(background, NewKey{User: RootName, ID: "spare"}); !errors.Is(err, ErrReserved) {
		t.Errorf("without leave: %v", err)
	}
	if _, _, err := f.CreateKey(background, NewKey{User: RootName, ID: "spare", OfRoot: true}); err != nil {
		t.Fatal(err)
	}
	if c, ok := f.Lookup("spare"); !ok || !c.Identity.Root || c.Identity.Name != RootName {
		t.Errorf("spare: %+v, %v", c, ok)
	}
	if _, _, err := f.RotateKey(background, "spare", Rotation{}); !errors.Is(err, ErrReserved) {
		t.Errorf("rotate: %v", err)
	}
	must[Key](t)(f.SetKeyEnabled(background, "spare", false))
	if _, ok := f.Lookup("spare"); ok {
		t.Error("a disabled key of root can be used")
	}
}

func TestChangeKey(t *testing.T) {
	f := newFixture(t)
	must[User](t)(f.CreateUser(background, NewUser{Name: "alice"}))
	made, _, err := f.CreateKey(background, NewKey{User: "alice", ID: "key", Secret: "first-secret", Name: "laptop", Policy: bound})
	if err != nil {
		t.Fatal(err)
	}
	expires := f.now.Add(time.Hour)
	k := must[Key](t)(f.ChangeKey(background, "key", "second-secret", func(k *Key) error {
		k.ID, k.User, k.Sealed = "other", "bob", nil // which are not for change
		k.Name, k.Description, k.Expires = "phone", "new", expires
		return nil
	}))
	if k.ID != "key" || k.User != "alice" || k.Name != "phone" || k.Description != "new" || !k.Expires.Equal(expires) || k.Policy != bound {
		t.Errorf("changed: %+v", k)
	}
	f.reopen()
	if c, ok := f.Lookup("key"); !ok || c.Secret != "second-secret" || len(c.Identity.Bounds) != 1 {
		t.Errorf("opened again: %v", ok)
	}
	f.now = expires
	if _, ok := f.Lookup("key"); ok {
		t.Error("the key did not expire")
	}
	// What has expired can be changed in other ways; a new end must be ahead.
	must[Key](t)(f.ChangeKey(background, "key", "", func(k *Key) error { k.Name = "old"; return nil }))
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		secret string
		edit   func(*Key) error
	}{
		"a short secret":    {"short", func(*Key) error { return nil }},
		"an end before":     {"", func(k *Key) error { k.Expires = made.Created; return nil }},
		"a bad policy":      {"", func(k *Key) error { k.Policy = "{}"; return nil }},
		"what edit refuses": {"", func(*Key) error { return refused }},
	} {
		if _, err := f.ChangeKey(background, "key", c.secret, c.edit); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if k := must[Key](t)(f.Key("key")); k.Name != "old" || k.Policy != bound || !k.Expires.Equal(expires) {
		t.Errorf("a refused change is in force: %+v", k)
	}
	// A key that takes its place is bounded as it was.
	rotated, _, err := f.RotateKey(background, "key", Rotation{})
	if err != nil || rotated.Policy != bound || rotated.Name != "old" {
		t.Errorf("rotated: %+v, %v", rotated, err)
	}
}
