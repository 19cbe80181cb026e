package iam

import "github.com/plimsoll/plimsoll/s3api/policy"

// AdminAction is what an identity policy has to allow its users before they may change what is the server's: limits,
// users, keys and policies.
const AdminAction = "admin:Administer"

// Administers reports whether somebody may use the admin API, and what S3 requests do of the same: root, and whom an
// identity policy allows AdminAction, unless their credentials are held to less.
func (i *Identity) Administers() bool { return i.May(AdminAction) }

// May reports whether somebody may do what is done to nothing in S3, such as AdminAction.
func (i *Identity) May(action string) bool {
	asked := policy.Request{Principal: i.Principal, Action: action, Owner: AccountID}
	if !i.WithinBounds(asked) {
		return false
	}
	return i.Root || policy.Evaluate(&asked, nil, i.Policies...).Allowed
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
