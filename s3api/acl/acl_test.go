package acl

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var (
	alice = Owner{ID: "a11ce", DisplayName: "alice"}
	bob   = Owner{ID: "b0b", DisplayName: "bob"}
)

func TestCannedAllows(t *testing.T) {
	tests := []struct {
		canned                 string
		owner, bucketOwner     Permission // what alice, who owns, and bob, who owns the bucket, may do
		authenticated, anybody Permission
	}{
		{"private", FullControl, 0, 0, 0},
		{"public-read", FullControl, Read, Read, Read},
		{"public-read-write", FullControl, Read | Write, Read | Write, Read | Write},
		{"authenticated-read", FullControl, Read, Read, 0},
		{"aws-exec-read", FullControl, 0, 0, 0},
		{"bucket-owner-read", FullControl, Read, 0, 0},
		{"bucket-owner-full-control", FullControl, FullControl, 0, 0},
		{"log-delivery-write", FullControl, 0, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.canned, func(t *testing.T) {
			l, ok := Canned(test.canned, alice, bob)
			if !ok {
				t.Fatal("not known")
			}
			for user, want := range map[string]Permission{
				alice.ID: test.owner, bob.ID: test.bucketOwner, "somebody": test.authenticated, "": test.anybody,
			} {
				for _, p := range []Permission{Read, Write, ReadACP, WriteACP, FullControl} {
					if got := l.Allows(user, p); got != (want&p == p) {
						t.Errorf("user %q, %s: %v", user, p, got)
					}
				}
			}
			if public := test.anybody|test.authenticated != 0; l.IsPublic() != public {
				t.Errorf("IsPublic is %v", l.IsPublic())
			}
		})
	}
	if _, ok := Canned("open-to-all", alice, bob); ok {
		t.Error("an unknown canned list is known")
	}
}

func TestOwnerKeepsTheList(t *testing.T) {
	l := List{Owner: alice}
	if !l.Allows(alice.ID, ReadACP|WriteACP) || l.Allows(alice.ID, Read) {
		t.Error("an owner without grants may do other than read and write the list")
	}
	if l.Allows("", ReadACP) {
		t.Error("an anonymous user is taken for an owner")
	}
}

func TestGrantsOthers(t *testing.T) {
	for canned, want := range map[string]bool{
		"private": false, "public-read": true, "bucket-owner-full-control": true, "authenticated-read": true,
	} {
		l, _ := Canned(canned, alice, bob)
		if l.GrantsOthers() != want {
			t.Errorf("%s: %v", canned, !want)
		}
	}
}

func TestParseHeader(t *testing.T) {
	good := map[string][]Name{
		`id="a11ce"`:          {{ByID, "a11ce"}},
		`ID=a11ce , id="b0b"`: {{ByID, "a11ce"}, {ByID, "b0b"}},
		`uri="` + AllUsers + `",emailAddress="x@example.com"`: {{ByURI, AllUsers}, {ByEmail, "x@example.com"}},
	}
	for value, want := range good {
		if got, err := ParseHeader(value); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "a11ce", `id=`, `id=""`, `name="x"`, `id="a",`, `id="a"b"`} {
		var wrong *HeaderError
		if got, err := ParseHeader(value); !errors.As(err, &wrong) {
			t.Errorf("%s: %v, %v", value, got, err)
		}
	}
}

func TestMarshal(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l := List{Owner: Owner{ID: rapid.StringMatching("[a-z]+").Draw(r, "owner"), DisplayName: rapid.String().Draw(r, "name")}}
		for range rapid.IntRange(0, 5).Draw(r, "grants") {
			g := Grant{Permission: rapid.SampledFrom([]Permission{Read, Write, ReadACP, WriteACP, FullControl}).Draw(r, "p")}
			if rapid.Bool().Draw(r, "group") {
				g.Grantee.URI = AllUsers
			} else {
				g.Grantee.ID = rapid.StringMatching("[a-z]+").Draw(r, "id")
			}
			l.Grants = append(l.Grants, g)
		}
		got, err := Unmarshal(l.Marshal())
		if err != nil || got.Owner != l.Owner || !slices.Equal(got.Grants, l.Grants) {
			r.Fatalf("%+v becomes %+v, %v", l, got, err)
		}
	})
	for _, raw := range []string{
		"", "{}", `{"owner":{"id":"a"},"grants":[{"grantee":{},"permission":1}]}`,
		`{"owner":{"id":"a"},"grants":[{"grantee":{"id":"b"},"permission":0}]}`,
	} {
		if _, err := Unmarshal([]byte(raw)); !errors.Is(err, errForm) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
