package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name  string
		flags keyFlags
		want  credentials
		given bool
		err   string
	}{
		{name: "none"},
		{name: "both", flags: keyFlags{AccessKey: "a", SecretKey: "s"}, want: credentials{"a", "s"}, given: true},
		{
			name:  "files, whose last line break is not part of the key",
			flags: keyFlags{AccessKeyFile: file("a\n"), SecretKeyFile: file(" s s \r\n")},
			want:  credentials{"a", " s s "}, given: true,
		},
		{
			name:  "a key and a file",
			flags: keyFlags{AccessKey: "a", SecretKeyFile: file("s")},
			want:  credentials{"a", "s"}, given: true,
		},
		{name: "no secret", flags: keyFlags{AccessKey: "a"}, err: "no secret key"},
		{name: "no access key", flags: keyFlags{SecretKey: "s"}, err: "no access key"},
		{name: "twice", flags: keyFlags{AccessKey: "a", AccessKeyFile: file("a"), SecretKey: "s"}, err: "give one"},
		{name: "secret twice", flags: keyFlags{AccessKey: "a", SecretKeyFile: file("s"), SecretKey: "s"}, err: "give one"},
		{name: "no file", flags: keyFlags{AccessKeyFile: "/nowhere/key", SecretKey: "s"}, err: "no such file"},
		{name: "empty file", flags: keyFlags{AccessKeyFile: file("\n"), SecretKey: "s"}, err: "is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, given, err := test.flags.read()
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error is %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || got != test.want || given != test.given {
				t.Errorf("got %q, %v, %v; want %q, %v", got, given, err, test.want, test.given)
			}
		})
	}
}

func TestKeysThatCannotBeSent(t *testing.T) {
	for _, c := range []credentials{
		{"a/b", "s"}, {"a,b", "s"}, {"a=b", "s"}, {"a b", "s"}, {"ä", "s"}, {"a\n", "s"}, {"a", "s\nt"}, {"a", "s\x00"},
	} {
		if c.check() == nil {
			t.Errorf("%q is taken", c)
		}
	}
	for _, c := range []credentials{{"a", "s"}, {"AKIA-x_y.z+1", "wJalr/XUtn+FEMI=ä ß"}} {
		if err := c.check(); err != nil {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	got, err := keyFlags{}.clientCredentials()
	if err != nil || !got.isDefault() {
		t.Errorf("with nothing: %q, %v", got, err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "aws")
	if _, err := (keyFlags{}).clientCredentials(); err == nil {
		t.Error("half a pair of AWS_ variables is taken")
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	if got, err = (keyFlags{}).clientCredentials(); err != nil || got != (credentials{"aws", "secret"}) {
		t.Errorf("with AWS_ variables: %q, %v", got, err)
	}
	got, err = keyFlags{AccessKey: "a", SecretKey: "s"}.clientCredentials()
	if err != nil || got != (credentials{"a", "s"}) {
		t.Errorf("with both: %q, %v", got, err)
	}
	// Half a pair is not completed from elsewhere: the two would not belong together.
	if _, err := (keyFlags{AccessKey: "a"}).clientCredentials(); err == nil {
		t.Error("half a pair of flags is taken")
	}
}
