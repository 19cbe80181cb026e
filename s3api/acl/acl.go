// Package acl is S3's access control lists: who is granted what on a bucket or an object, the canned lists, and what a
// list allows. It is pure: no I/O, no clock, nothing of HTTP or of policies, which come before a list and may forbid what
// it grants.
//
// A List is immutable once it is made and may be used concurrently. Grants keep the order in which they were given.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
package acl

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Permission is a set of permissions.
type Permission uint8

// The permissions. FullControl is all of them.
const (
	Read Permission = 1 << iota
	Write
	ReadACP
	WriteACP
	FullControl = Read | Write | ReadACP | WriteACP
)

var permissionNames = []struct {
	permission Permission
	name       string
}{
	{FullControl, "FULL_CONTROL"}, {Read, "READ"}, {Write, "WRITE"}, {ReadACP, "READ_ACP"}, {WriteACP, "WRITE_ACP"},
}

// String is S3's name of the permission, empty where it has none.
func (p Permission) String() string {
	for _, known := range permissionNames {
		if known.permission == p {
			return known.name
		}
	}
	return ""
}

// ParsePermission reads S3's name of a permission.
func ParsePermission(name string) (Permission, bool) {
	for _, known := range permissionNames {
		if known.name == name {
			return known.permission, true
		}
	}
	return 0, false
}

// The groups that S3 defines.
const (
	AllUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	AuthenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	LogDelivery        = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// MaxGrants is how many grants a list may have.
const MaxGrants = 100

// Owner is a user as lists name it.
type Owner struct {
	ID          string `json:"id"` // the canonical id
	DisplayName string `json:"name,omitempty"`
}

// Grantee is a user, by ID, or a group, by URI: exactly one of the two is set.
type Grantee struct {
	ID          string `json:"id,omitempty"`
	DisplayName string `json:"name,omitempty"` // of a user
	URI         string `json:"uri,omitempty"`
}

// Grant is a permission and who has it.
type Grant struct {
	Grantee    Grantee    `json:"grantee"`
	Permission Permission `json:"permission"`
}

// List is an access control list.
type List struct {
	Owner  Owner   `json:"owner"`
	Grants []Grant `json:"grants"`
}

// Private is the list that everything has unless it is given another: all to the owner.
func Private(owner Owner) List {
	return List{Owner: owner, Grants: []Grant{toUser(owner, FullControl)}}
}

func toUser(o Owner, p Permission) Grant {
	return Grant{Grantee: Grantee{ID: o.ID, DisplayName: o.DisplayName}, Permission: p}
}

func toGroup(uri string, p Permission) Grant { return Grant{Grantee: Grantee{URI: uri}, Permission: p} }

// Canned returns a canned list; ok is false where there is none of that name. bucketOwner is the owner of the object's
// bucket; for a bucket it is the bucket's, and what concerns objects alone is as private.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
func Canned(name string, owner, bucketOwner Owner) (l List, ok bool) {
	l = Private(owner)
	switch name {
	case "private", "aws-exec-read": // nobody here is Amazon EC2
	case "public-read":
		l.Grants = append(l.Grants, toGroup(AllUsers, Read))
	case "public-read-write":
		l.Grants = append(l.Grants, toGroup(AllUsers, Read), toGroup(AllUsers, Write))
	case "authenticated-read":
		l.Grants = append(l.Grants, toGroup(AuthenticatedUsers, Read))
	case "bucket-owner-read":
		if bucketOwner.ID != owner.ID {
			l.Grants = append(l.Grants, toUser(bucketOwner, Read))
		}
	case "bucket-owner-full-control":
		if bucketOwner.ID != owner.ID {
			l.Grants = append(l.Grants, toUser(bucketOwner, FullControl))
		}
	case "log-delivery-write":
		l.Grants = append(l.Grants, toGroup(LogDelivery, Write), toGroup(LogDelivery, ReadACP))
	default:
		return List{}, false
	}
	return l, true
}

// Allows reports whether the list grants all of wanted to a user, by canonical id; empty is an anonymous one. The owner
// may always read and write the list itself.
func (l *List) Allows(user string, wanted Permission) bool {
	var granted Permission
	if user != "" && user == l.Owner.ID {
		granted = ReadACP | WriteACP
	}
	for _, g := range l.Grants {
		switch {
		case g.Grantee.URI == AllUsers,
			g.Grantee.URI == AuthenticatedUsers && user != "",
			g.Grantee.URI == "" && g.Grantee.ID == user:
			granted |= g.Permission
		}
	}
	return granted&wanted == wanted
}

// IsPublic reports whether the list grants anything to everyone, or to everyone with an account, as S3's public access
// block understands it.
func (l *List) IsPublic() bool {
	return slices.ContainsFunc(l.Grants, func(g Grant) bool {
		return g.Grantee.URI == AllUsers || g.Grantee.URI == AuthenticatedUsers
	})
}

// GrantsOthers reports whether the list grants anything to anyone but its owner.
func (l *List) GrantsOthers() bool {
	return slices.ContainsFunc(l.Grants, func(g Grant) bool { return g.Grantee.URI != "" || g.Grantee.ID != l.Owner.ID })
}

// errForm says that stored bytes are not what Marshal writes.
var errForm = errors.New("not an access control list")

// Marshal returns the list as it is stored.
func (l *List) Marshal() []byte {
	raw, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return raw
}

// Unmarshal reads what Marshal has written.
func Unmarshal(raw []byte) (List, error) {
	var l List
	if err := json.Unmarshal(raw, &l); err != nil {
		return List{}, fmt.Errorf("acl: %w: %w", errForm, err)
	}
	if l.Owner.ID == "" || len(l.Grants) > MaxGrants {
		return List{}, fmt.Errorf("acl: %w", errForm)
	}
	for _, g := range l.Grants {
		if (g.Grantee.ID == "") == (g.Grantee.URI == "") || g.Permission == 0 || g.Permission > FullControl {
			return List{}, fmt.Errorf("acl: %w", errForm)
		}
	}
	return l, nil
}
