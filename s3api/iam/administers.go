package iam

import (
	"slices"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

// AdminAction is what an identity policy has to allow its users before they may change what is the server's: limits,
// users, keys and policies.
const AdminAction = "admin:Administer"

// Administers reports whether somebody may use the admin API, and what S3 requests do of the same: root, and whom an
// identity policy allows AdminAction, unless their credentials are held to less. values are as in May.
func (i *Identity) Administers(values func(key string) []string) bool {
	return i.May(AdminAction, values)
}

// May reports whether somebody may do what is done to nothing in S3, such as AdminAction. values are what the request has for
// the condition keys of policies, as in policy.Request; nil for a request without any, to which statements with
// conditions do not apply.
func (i *Identity) May(action string, values func(key string) []string) bool {
	asked := policy.Request{Principal: i.Principal, Action: action, Owner: AccountID, Values: values}
	if !i.WithinBounds(asked) {
		return false
	}
	return i.Root || policy.Evaluate(&asked, nil, i.Policies...).Allowed
}

// Denied reports whether a policy denies somebody what is done to nothing in S3, whatever others allow. values are as in May.
func (i *Identity) Denied(action string, values func(key string) []string) bool {
	asked := policy.Request{Principal: i.Principal, Action: action, Owner: AccountID, Values: values}
	return policy.Evaluate(&asked, nil, i.Policies...).Explicit()
}

// UserMayHave reports whether a user may do one of the actions, which are done to nothing in S3, under some conditions: root,
// and whom a statement of an identity policy allows it, whatever others deny. It is false where there is no such user;
// who is disabled counts, since that can change.
func (d *Directory) UserMayHave(name string, actions ...string) bool {
	if name == RootName {
		return true
	}
	s := d.state.Load()
	u := s.users[name]
	if u == nil {
		return false
	}
	for _, p := range s.identity(u).Policies {
		if slices.ContainsFunc(actions, p.Allows) {
			return true
		}
	}
	return false
}

// WithinBounds reports whether each of the policies that the credentials are held to allows a request. Nothing
// else does: root's are held to them as well, and a bucket's policy takes nothing of them away.
func (i *Identity) WithinBounds(r policy.Request) bool {
	r.Principal.Kind, r.Principal.Administrator = policy.Session, false
	for _, bound := range i.Bounds {
		if !policy.Evaluate(&r, nil, bound).Allowed {
			return false
		}
	}
	return true
}
