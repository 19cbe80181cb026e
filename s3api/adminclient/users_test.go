package adminclient_test

import (
	"slices"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

func TestUsers(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	made, err := c.CreateUser(ctx, "alice", adminapi.UserSettings{Policies: []string{"readonly"}})
	if err != nil || made.Name != "alice" || !made.Enabled || made.ETag == "" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	if _, err := c.CreateUser(ctx, "alice", adminapi.UserSettings{}); !isProblem(err, "UserExists") {
		t.Errorf("create again: %v", err)
	}
	if got, err := c.User(ctx, "alice"); err != nil || got.ETag != made.ETag || got.ID != made.ID {
		t.Errorf("get: %+v, %v", got, err)
	}
	if all, err := c.Users(ctx); err != nil || len(all) != 1 {
		t.Errorf("list: %+v, %v", all, err)
	}
	changed, err := c.ChangeUser(ctx, "alice", adminapi.UserSettings{Enabled: new(false)}, made.ETag)
	if err != nil || changed.Enabled || !slices.Equal(changed.Policies, []string{"readonly"}) {
		t.Errorf("change: %+v, %v", changed, err)
	}
	if _, err := c.ChangeUser(ctx, "alice", adminapi.UserSettings{}, made.ETag); !isProblem(err, "PreconditionFailed") {
		t.Errorf("change what has changed: %v", err)
	}
	// Nil leaves the policies alone, and an empty list removes them.
	changed, err = c.ChangeUser(ctx, "alice", adminapi.UserSettings{Policies: []string{}}, "")
	if err != nil || len(changed.Policies) > 0 {
		t.Errorf("remove the policies: %+v, %v", changed, err)
	}
	got, err := c.AttachPolicy(ctx, "alice", "readwrite")
	if err != nil || !slices.Equal(got.Policies, []string{"readwrite"}) {
		t.Errorf("attach: %+v, %v", got, err)
	}
	if got, err := c.DetachPolicy(ctx, "alice", "readwrite"); err != nil || len(got.Policies) > 0 {
		t.Errorf("detach: %+v, %v", got, err)
	}
	if err := c.DeleteUser(ctx, "alice", made.ETag); !isProblem(err, "PreconditionFailed") {
		t.Errorf("delete what has changed: %v", err)
	}
	if err := c.DeleteUser(ctx, "alice", ""); err != nil {
		t.Error(err)
	}
	if _, err := c.User(ctx, "alice"); !isProblem(err, "NoSuchUser") {
		t.Errorf("get what is deleted: %v", err)
	}
}

func TestKeys(t *testing.T) {
	server, ctx := newServer(t), t.Context()
	c := clientOf(t, server, accessKey, secretKey)
	if _, err := c.CreateUser(ctx, "alice", adminapi.UserSettings{}); err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(time.Hour)
	k, err := c.CreateKey(ctx, "alice", adminapi.NewKey{Description: "laptop", Expires: expires})
	if err != nil || k.SecretKey == "" || k.User != "alice" || !k.Expires.Equal(expires) {
		t.Fatalf("create: %+v, %v", k, err)
	}
	listed := k.Key
	listed.ETag = "" // lists have none
	self, err := clientOf(t, server, k.AccessKey, k.SecretKey).Self(ctx)
	if err != nil || self.Name != "alice" || self.Administrator || len(self.Keys) != 1 || self.Keys[0] != listed {
		t.Errorf("self: %+v, %v", self, err)
	}
	if _, err := clientOf(t, server, k.AccessKey, k.SecretKey).Users(ctx); !isProblem(err, "AccessDenied") {
		t.Errorf("users, to one of them: %v", err)
	}
	for _, user := range []string{"alice", ""} {
		if keys, err := c.Keys(ctx, user); err != nil || len(keys) != 1 || keys[0] != listed {
			t.Errorf("keys of %q: %+v, %v", user, keys, err)
		}
	}
	if got, err := c.ChangeKey(ctx, k.AccessKey, adminapi.KeySettings{Enabled: new(false)}); err != nil || got.Enabled {
		t.Errorf("disable: %+v, %v", got, err)
	}
	if got, err := c.Key(ctx, k.AccessKey); err != nil || got.Enabled {
		t.Errorf("get: %+v, %v", got, err)
	}
	rotated, err := c.RotateKey(ctx, k.AccessKey, adminapi.Rotation{GraceSeconds: 60})
	if err != nil || rotated.AccessKey == k.AccessKey || rotated.SecretKey == "" || rotated.Description != "laptop" {
		t.Errorf("rotate: %+v, %v", rotated, err)
	}
	if err := c.DeleteKey(ctx, k.AccessKey); err != nil {
		t.Error(err)
	}
	if err := c.DeleteKey(ctx, k.AccessKey); !isProblem(err, "NoSuchKey") {
		t.Errorf("delete again: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	const (
		first  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}`
		second = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Put*","Resource":"*"}]}`
	)
	c, ctx := newClient(t), t.Context()
	if p, err := c.PutPolicy(ctx, "p", []byte(first), adminclient.NoPolicy); err != nil || p.Name != "p" || p.Canned {
		t.Fatalf("put: %+v, %v", p, err)
	}
	if _, err := c.PutPolicy(ctx, "p", []byte(first), adminclient.NoPolicy); !isProblem(err, "PreconditionFailed") {
		t.Errorf("put where there is one: %v", err)
	}
	document, etag, err := c.Policy(ctx, "p")
	if err != nil || string(document) != first {
		t.Errorf("get: %s, %v", document, err)
	}
	if _, err := c.PutPolicy(ctx, "p", []byte(second), etag); err != nil {
		t.Error(err)
	}
	if err := c.DeletePolicy(ctx, "p", etag); !isProblem(err, "PreconditionFailed") {
		t.Errorf("delete what has changed: %v", err)
	}
	if _, err := c.PutPolicy(ctx, "p", nil, ""); !isProblem(err, "MalformedPolicy") {
		t.Errorf("put nothing: %v", err)
	}
	all, err := c.Policies(ctx)
	if err != nil || !slices.ContainsFunc(all, func(p adminapi.Policy) bool { return p.Name == "p" }) {
		t.Errorf("list: %+v, %v", all, err)
	}
	if err := c.DeletePolicy(ctx, "p", ""); err != nil {
		t.Error(err)
	}
}

// Names that would make another path must not reach another resource.
func TestNamesOfUsers(t *testing.T) {
	c, ctx := newClient(t), t.Context()
	for _, name := range []string{"../keys", "..", "a?b", "a#b", "a b", "%2e", "ä", "a/../../keys"} {
		if err := c.DeleteUser(ctx, name, ""); !isProblem(err, "NoSuchUser") {
			t.Errorf("user %q: %v", name, err)
		}
		if err := c.DeleteKey(ctx, name); !isProblem(err, "NoSuchKey") {
			t.Errorf("key %q: %v", name, err)
		}
		if err := c.DeletePolicy(ctx, name, ""); !isProblem(err, "NoSuchPolicy") {
			t.Errorf("policy %q: %v", name, err)
		}
	}
	if err := c.DeleteUser(ctx, "", ""); err == nil {
		t.Error("a user without a name is deleted")
	}
	if _, err := c.AttachPolicy(ctx, "alice", ""); err == nil {
		t.Error("a policy without a name is attached")
	}
	if err := c.DeleteKey(ctx, ""); err == nil {
		t.Error("a key without a name is deleted")
	}
}
