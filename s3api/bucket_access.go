package s3api

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/acl"
	"github.com/plimsoll/plimsoll/s3api/cors"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// The configurations of a bucket that are s3api's own. Package backend has those that it acts on.
const (
	configACL          meta.ConfigKind = "acl"
	configCORS         meta.ConfigKind = "cors"
	configOwnership    meta.ConfigKind = "ownership"
	configPolicy       meta.ConfigKind = "policy"
	configPublicAccess meta.ConfigKind = "public-access-block"
)

// The values of object ownership: who owns what others write, and whether access control lists mean anything.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
const (
	ownerEnforced  = "BucketOwnerEnforced" // the default: lists are off
	ownerPreferred = "BucketOwnerPreferred"
	objectWriter   = "ObjectWriter"
)

// publicAccessBlock is a bucket's public access block.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
type publicAccessBlock struct {
	BlockPublicACLs       bool `json:"block_public_acls" xml:"BlockPublicAcls"`
	IgnorePublicACLs      bool `json:"ignore_public_acls" xml:"IgnorePublicAcls"`
	BlockPublicPolicy     bool `json:"block_public_policy" xml:"BlockPublicPolicy"`
	RestrictPublicBuckets bool `json:"restrict_public_buckets" xml:"RestrictPublicBuckets"`
}

// bucketAccess is a bucket's state with what is compiled of it. It is not changed after it is made.
type bucketAccess struct {
	*backend.BucketState
	owner        owner
	policy       *policy.Policy // nil where there is none
	policyPublic bool
	acl          acl.List
	ownership    string
	block        publicAccessBlock
	cors         *cors.Configuration      // nil where there is none
	encryption   *defaultEncryption       // nil where there is none
	retention    *defaultRetention        // nil where there is none
	lifecycle    *lifecycle.Configuration // nil where there is none
}

// bucketAccess returns a bucket, compiled once for each change. It fails with meta.ErrNoSuchBucket.
func (h *Handler) bucketAccess(name meta.BucketName) (*bucketAccess, error) {
	state, err := h.config.Store.BucketState(name)
	if err != nil {
		h.buckets.Delete(name)
		return nil, err
	}
	if known, ok := h.buckets.Load(name); ok && known.(*bucketAccess).BucketState == state {
		return known.(*bucketAccess), nil
	}
	a, err := h.compileBucket(state)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	h.buckets.Store(name, a)
	return a, nil
}

// compileBucket reads a bucket's configurations. One that cannot be read fails: what it may forbid is not known.
func (h *Handler) compileBucket(state *backend.BucketState) (*bucketAccess, error) {
	a := &bucketAccess{BucketState: state, owner: h.ownerOf(state.Owner), ownership: ownerEnforced}
	a.acl = acl.Private(a.owner.asGrantee())
	var err error
	if raw := state.Configs[configPolicy]; raw != nil {
		// Users whom the policy names may have been removed since: they are nobody, and the rest holds.
		if a.policy, err = policy.CompileBucket(raw, string(state.Name), h.resolveStored); err != nil {
			return nil, err
		}
		a.policyPublic = a.policy.IsPublic()
	}
	if raw := state.Configs[configACL]; raw != nil {
		if a.acl, err = acl.Unmarshal(raw); err != nil {
			return nil, err
		}
	}
	if raw := state.Configs[configOwnership]; raw != nil {
		a.ownership = string(raw)
	}
	if raw := state.Configs[configPublicAccess]; raw != nil {
		if err := json.Unmarshal(raw, &a.block); err != nil {
			return nil, err
		}
	}
	if raw := state.Configs[configObjectLock]; raw != nil {
		a.retention = new(defaultRetention)
		if err := json.Unmarshal(raw, a.retention); err != nil {
			return nil, err
		}
	}
	if raw := state.Configs[backend.ConfigLifecycle]; raw != nil {
		if a.lifecycle, err = lifecycle.Unmarshal(raw); err != nil {
			return nil, err
		}
	}
	if raw := state.Configs[configEncryption]; raw != nil {
		a.encryption = new(defaultEncryption)
		if err := json.Unmarshal(raw, a.encryption); err != nil {
			return nil, err
		}
	}
	if raw := state.Configs[configCORS]; raw != nil {
		if a.cors, err = cors.Unmarshal(raw); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// resolveStored resolves a principal of a stored policy: a name that no user has any more stands for whoever is made anew
// under it. The policy is not compiled again for that: what denies it to them must hold at once.
func (h *Handler) resolveStored(name string) (string, bool) {
	if principal, ok := h.config.Directory.Resolve(name); ok {
		return principal, true
	}
	user := iam.User{Name: strings.TrimPrefix(name, iam.UserARNPrefix)}
	return user.ARN(), true
}

// aclsEnabled reports whether access control lists mean anything in the bucket.
func (a *bucketAccess) aclsEnabled() bool { return a.ownership != ownerEnforced }

// grants reports whether a list grants a permission, as far as the bucket lets lists do that.
func (a *bucketAccess) grants(l *acl.List, who *iam.Identity, p acl.Permission) bool {
	if !a.aclsEnabled() {
		return false
	}
	if a.block.IgnorePublicACLs && l.IsPublic() {
		// Public grants are left out; those to users stay.
		private := acl.List{Owner: l.Owner}
		for _, g := range l.Grants {
			if g.Grantee.URI == "" {
				private.Grants = append(private.Grants, g)
			}
		}
		l = &private
	}
	return l.Allows(who.CanonicalID, p)
}
