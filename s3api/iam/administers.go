package iam

import "github.com/plimsoll/plimsoll/s3api/policy"

// AdminAction is what an identity policy has to allow its users before they may change what is the server's: limits,
// users, keys and policies.
const AdminAction = "admin:Administer"

// Administers reports whether somebody may use the admin API, and what S3 requests do of the same: root, and whom an
// identity policy allows AdminAction.
func (i *Identity) Administers() bool {
	asked := policy.Request{Principal: i.Principal, Action: AdminAction, Owner: AccountID}
	return i.Root || policy.Evaluate(&asked, nil, i.Policies...).Allowed
}
