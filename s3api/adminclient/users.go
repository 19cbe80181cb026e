package adminclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

var errEmptyName = errors.New("a name is empty")

// named returns a path of words and names. An empty name is an error, as it would make another path.
func named(segments ...string) (string, error) {
	path := ""
	for i, segment := range segments {
		if segment == "" {
			return "", errEmptyName
		}
		if i > 0 {
			path += "/"
		}
		path += url.PathEscape(segment)
	}
	return path, nil
}

// Self returns the user whose keys the client has. Everyone may ask.
func (c *Client) Self(ctx context.Context) (adminapi.Self, error) {
	return get[adminapi.Self](ctx, c, "users/me")
}

// Users returns all users but root, by name.
func (c *Client) Users(ctx context.Context) ([]adminapi.User, error) {
	all, err := get[adminapi.Users](ctx, c, "users")
	return all.Users, err
}

// User returns a user.
func (c *Client) User(ctx context.Context, name string) (adminapi.User, error) {
	return at[adminapi.User](ctx, c, request{method: http.MethodGet}, "users", name)
}

// CreateUser makes a user, who is enabled unless the settings say otherwise. The Problem UserExists says that there is
// one.
func (c *Client) CreateUser(
	ctx context.Context, name string, settings adminapi.UserSettings,
) (adminapi.User, error) {
	return at[adminapi.User](ctx, c, request{method: http.MethodPut, body: settings}, "users", name)
}

// ChangeUser changes what is not nil. With an ETag the Problem PreconditionFailed says that the user is another by
// then; an empty one takes the user as they are.
func (c *Client) ChangeUser(
	ctx context.Context, name string, settings adminapi.UserSettings, etag string,
) (adminapi.User, error) {
	return at[adminapi.User](ctx, c, request{method: http.MethodPatch, body: settings, ifMatch: etag}, "users", name)
}

// AttachPolicy gives a user a policy.
func (c *Client) AttachPolicy(ctx context.Context, name, policy string) (adminapi.User, error) {
	return at[adminapi.User](ctx, c, request{method: http.MethodPut}, "users", name, "policies", policy)
}

// DetachPolicy takes a policy from a user.
func (c *Client) DetachPolicy(ctx context.Context, name, policy string) (adminapi.User, error) {
	return at[adminapi.User](ctx, c, request{method: http.MethodDelete}, "users", name, "policies", policy)
}

// DeleteUser removes a user with all keys. The Problem UserOwnsBuckets says that the user owns some, and names them.
// The ETag is as for ChangeUser.
func (c *Client) DeleteUser(ctx context.Context, name, etag string) error {
	return c.remove(ctx, etag, "users", name)
}

// remove sends a DELETE that is answered with nothing.
func (c *Client) remove(ctx context.Context, etag string, segments ...string) error {
	path, err := named(segments...)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, request{method: http.MethodDelete, path: path, ifMatch: etag})
	return err
}

// Keys returns the access keys of a user, or of all users where the name is empty.
func (c *Client) Keys(ctx context.Context, user string) ([]adminapi.Key, error) {
	path := "keys"
	if user != "" {
		path = "users/" + url.PathEscape(user) + "/keys"
	}
	all, err := get[adminapi.Keys](ctx, c, path)
	return all.Keys, err
}

// Key returns an access key.
func (c *Client) Key(ctx context.Context, accessKey string) (adminapi.Key, error) {
	return at[adminapi.Key](ctx, c, request{method: http.MethodGet}, "keys", accessKey)
}

// CreateKey makes an access key, and is the only one to be told its secret.
func (c *Client) CreateKey(ctx context.Context, user string, key adminapi.NewKey) (adminapi.CreatedKey, error) {
	return at[adminapi.CreatedKey](ctx, c, request{method: http.MethodPost, body: key}, "users", user, "keys")
}

// ChangeKey changes what is not nil.
func (c *Client) ChangeKey(
	ctx context.Context, accessKey string, settings adminapi.KeySettings,
) (adminapi.Key, error) {
	return at[adminapi.Key](ctx, c, request{method: http.MethodPatch, body: settings}, "keys", accessKey)
}

// RotateKey makes a key that takes the place of another, and is the only one to be told its secret.
func (c *Client) RotateKey(
	ctx context.Context, accessKey string, rotation adminapi.Rotation,
) (adminapi.CreatedKey, error) {
	return at[adminapi.CreatedKey](ctx, c, request{method: http.MethodPost, body: rotation}, "keys", accessKey, "rotate")
}

// DeleteKey removes an access key.
func (c *Client) DeleteKey(ctx context.Context, accessKey string) error {
	return c.remove(ctx, "", "keys", accessKey)
}

// Policies returns all identity policies by name, the canned among them.
func (c *Client) Policies(ctx context.Context) ([]adminapi.Policy, error) {
	all, err := get[adminapi.Policies](ctx, c, "policies")
	return all.Policies, err
}

// Policy returns the document of a policy, and its ETag.
func (c *Client) Policy(ctx context.Context, name string) (document json.RawMessage, etag string, err error) {
	path, err := named("policies", name)
	if err != nil {
		return nil, "", err
	}
	etag, err = c.send(ctx, request{method: http.MethodGet, path: path, answer: &document})
	return document, etag, err
}

// PutPolicy stores the document of a policy, or replaces it. The Problem MalformedPolicy says what is wrong with it.
// With an ETag the Problem PreconditionFailed says that the policy is another by then; NoPolicy is the ETag of one that
// is not there yet, and an empty one takes what is there.
func (c *Client) PutPolicy(
	ctx context.Context, name string, document []byte, etag string,
) (adminapi.Policy, error) {
	rq := request{method: http.MethodPut, raw: document, ifMatch: etag}
	return at[adminapi.Policy](ctx, c, rq, "policies", name)
}

// NoPolicy is an ETag for PutPolicy: only make a policy, and replace none.
const NoPolicy = "none"

// DeletePolicy removes a policy. The Problem PolicyInUse says that it is attached. The ETag is as for PutPolicy.
func (c *Client) DeletePolicy(ctx context.Context, name, etag string) error {
	return c.remove(ctx, etag, "policies", name)
}
