package adminapi

import "time"

// User is a user other than root.
type User struct {
	Name string `json:"name"`
	// ID is unique for ever, also where a name is used again.
	ID string `json:"id"`
	// ARN names the user in policies.
	ARN     string    `json:"arn"`
	Created time.Time `json:"created,omitzero"`
	// Enabled says whether the user's keys can be used.
	Enabled bool `json:"enabled"`
	// Policies are the names of the attached ones, in order.
	Policies []string `json:"policies"`
	// ETag comes in the header of an answer about one user.
	ETag string `json:"-"`
}

// Users are all users, by name.
type Users struct {
	Users []User `json:"users"`
}

// Self is the user who asks: root has neither policies nor keys here.
type Self struct {
	User
	// Administrator says whether the user may use the rest of the admin API.
	Administrator bool  `json:"administrator"`
	Keys          []Key `json:"keys"`
}

// UserSettings is the body that makes or changes a user. What is nil is left out.
type UserSettings struct {
	Enabled *bool `json:"enabled,omitempty"`
	// Policies are all that shall be attached.
	Policies []string `json:"policies,omitzero"`
}

// Key is an access key without its secret.
type Key struct {
	AccessKey   string    `json:"access_key"`
	User        string    `json:"user"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
	Enabled     bool      `json:"enabled"`
	// Expires is when the key can no longer be used; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// ETag comes in the header of an answer about one key.
	ETag string `json:"-"`
}

// Keys are access keys, in order.
type Keys struct {
	Keys []Key `json:"keys"`
}

// NewKey is the body that makes an access key. An access key or a secret key that is left out is chosen at random.
type NewKey struct {
	AccessKey   string    `json:"access_key,omitempty"`
	SecretKey   string    `json:"secret_key,omitempty"`
	Description string    `json:"description,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
}

// CreatedKey is an access key with its secret, which is told once.
type CreatedKey struct {
	Key
	SecretKey string `json:"secret_key"`
}

// KeySettings is the body that changes a key. What is nil is left out.
type KeySettings struct {
	Enabled *bool `json:"enabled,omitempty"`
}

// MaxGraceSeconds is the longest grace of a Rotation: a year.
const MaxGraceSeconds = 365 * 24 * 60 * 60

// Rotation is the body that replaces a key by another.
type Rotation struct {
	// GraceSeconds is for how long the old key can still be used; 0 ends it at once.
	GraceSeconds int64 `json:"grace_seconds,omitempty"`
	// Expires is when the new key can no longer be used; zero means never.
	Expires time.Time `json:"expires,omitzero"`
}

// Policy is an identity policy without its document.
type Policy struct {
	Name string `json:"name"`
	// Canned says that the policy comes with the server and cannot be changed.
	Canned bool `json:"canned"`
	// Updated is when the document was stored; zero for a canned policy.
	Updated time.Time `json:"updated,omitzero"`
	// AttachedTo are the names of the users that have the policy, in order.
	AttachedTo []string `json:"attached_to"`
}

// Policies are all identity policies, by name.
type Policies struct {
	Policies []Policy `json:"policies"`
}
