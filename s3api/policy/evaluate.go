package policy

// Request is what a decision is about.
type Request struct {
	Principal Principal
	// Action is what is asked for, as S3 spells it: "s3:GetObject".
	Action string
	// Bucket and Key are what it is asked of. Key is empty for a bucket, both are for an account.
	Bucket, Key string
	// Owner is the id of the account that owns the bucket. Empty means the principal's.
	Owner string
	// Values returns the values of a condition key that the request has, none if it has none. Keys are in lower case, but
	// for a tag's name after a slash: "aws:sourceip", "s3:existingobjecttag/Project". It is not asked for what follows
	// from Principal and Owner: aws:username, aws:userid, aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType,
	// aws:ResourceAccount, s3:ResourceAccount. A nil Values is a request without any.
	//
	// It is called only for keys that a policy mentions, perhaps more than once for one. A slice of one value may be used
	// again for the next answer; a longer one must stay as it is until Evaluate returns.
	Values func(key string) []string
}

// ResourceARN is the ARN of what the request is for.
func (r *Request) ResourceARN() string { return "arn:aws:s3:::" + joinResource(r.Bucket, r.Key) }

// Source says where a decision comes from.
type Source uint8

// The sources of decisions.
const (
	// NoPolicy: no statement allows it.
	NoPolicy Source = iota
	// BucketPolicy: a statement of the bucket's policy.
	BucketPolicy
	// IdentityPolicy: a statement of one of the principal's policies.
	IdentityPolicy
	// Administration: the principal is the account's root or an administrator.
	Administration
)

// Decision is the answer to a request, and why.
type Decision struct {
	// Allowed is the answer.
	Allowed bool
	// Source is what allows it, or denies it explicitly. It is NoPolicy where the answer is no only because nothing
	// allows it.
	Source Source
	// Policy is the index of the identity policy that the statement is in; 0 for other sources.
	Policy int
	// Statement is the index of the statement that decides, and Sid what it calls itself, if it does.
	Statement int
	Sid       string
}

// Explicit reports whether a statement denies the request.
func (d Decision) Explicit() bool { return !d.Allowed && d.Source != NoPolicy }

// Explain returns the message of S3's AccessDenied error for a request that is not allowed. As on S3, only principals
// of the bucket's own account are told why.
func (d Decision) Explain(r *Request) string {
	if !r.sameAccount() {
		return "Access Denied."
	}
	who, why := r.Principal.ARN, ""
	if r.Principal.SessionARN != "" {
		who = r.Principal.SessionARN
	}
	switch d.Source {
	case BucketPolicy:
		why = "with an explicit deny in a resource-based policy"
	case IdentityPolicy:
		why = "with an explicit deny in an identity-based policy"
	default:
		why = "because no identity-based policy allows the " + r.Action + " action"
	}
	return "User: " + who + " is not authorized to perform: " + r.Action + ` on resource: "` + r.ResourceARN() + `" ` + why
}

// sameAccount reports whether the principal belongs to the account that owns the bucket.
func (r *Request) sameAccount() bool {
	return r.Principal.Kind != Anonymous && (r.Owner == "" || r.Owner == r.Principal.Account)
}

// Evaluate decides whether a request is allowed, in AWS's order, given the policy of the bucket, nil where it has none,
// and the policies of the principal:
//
//  1. The root of the bucket's account may always read, write and delete the bucket's policy, lest a mistake in it lock
//     everybody out.
//  2. A statement that denies, in any policy, decides.
//  3. Anonymous requests need a statement of the bucket's policy that allows them.
//  4. Principals of the bucket's account need such a statement or one of their own policies; Root and administrators
//     need nothing.
//  5. Principals of another account need both; Root and administrators there only the bucket's.
//
// A bucket policy that allows an account, rather than a principal in it, leaves it to that account's policies whom to
// allow: within the bucket's own account it allows only the root.
//
// It panics where a policy of one kind is given for one of the other: that is a bug in the caller, and would let the
// wrong ones in.
func Evaluate(r *Request, bucket *Policy, identity ...*Policy) Decision {
	e := evaluation{request: r, action: lowerAction(r.Action)}
	admin := r.Principal.Kind == Root || (r.Principal.Kind != Anonymous && r.Principal.Administrator)
	same := r.sameAccount()
	if r.Principal.Kind == Root && same && keepsPolicy(r.Action) {
		return Decision{Allowed: true, Source: Administration}
	}
	resource := e.scan(bucket, false, same)
	if resource.denied {
		return resource.decision(false, BucketPolicy, 0)
	}
	own := verdict{}
	from := 0
	for i, p := range identity {
		v := e.scan(p, true, same)
		if v.denied {
			return v.decision(false, IdentityPolicy, i)
		}
		if v.allowed && !own.allowed {
			own, from = v, i
		}
	}
	switch {
	case r.Principal.Kind == Anonymous || (!same && (admin || own.allowed)):
		if resource.allowed {
			return resource.decision(true, BucketPolicy, 0)
		}
	case !same:
	case admin:
		return Decision{Allowed: true, Source: Administration}
	case own.allowed:
		return own.decision(true, IdentityPolicy, from)
	case resource.allowed:
		return resource.decision(true, BucketPolicy, 0)
	}
	return Decision{}
}

// keepsPolicy reports whether an action is one that the root is never kept from.
func keepsPolicy(action string) bool {
	return action == "s3:GetBucketPolicy" || action == "s3:PutBucketPolicy" || action == "s3:DeleteBucketPolicy"
}

// evaluation is one request under evaluation.
type evaluation struct {
	request *Request
	action  string // in lower case
	one     [1]string
}

// verdict is what one policy says: the first statement that denies, else the first that allows.
type verdict struct {
	denied, allowed bool
	statement       int
	sid             string
}

func (v *verdict) decision(allowed bool, source Source, policy int) Decision {
	return Decision{Allowed: allowed, Source: source, Policy: policy, Statement: v.statement, Sid: v.sid}
}

// scan evaluates a policy of one kind. Principals of the bucket's own account, same, are not allowed by a statement
// that names the account.
func (e *evaluation) scan(p *Policy, identity, same bool) verdict {
	var v verdict
	if p == nil {
		return v
	}
	if p.identity != identity {
		panic("policy: a bucket's policy is given for an identity's, or the other way round")
	}
	for i := range p.statements {
		s := &p.statements[i]
		if v.allowed && !s.deny {
			continue
		}
		named := s.names(&e.request.Principal)
		if named == unnamed || (named == viaAccount && same && !s.deny) || !s.applies(e) {
			continue
		}
		v.statement, v.sid = i, s.sid
		if s.deny {
			v.denied = true
			return v
		}
		v.allowed = true
	}
	return v
}

// values returns the values of a condition key.
func (e *evaluation) values(key string) []string {
	value, ok := e.request.Principal.value(key)
	if key == "aws:resourceaccount" || key == "s3:resourceaccount" {
		value, ok = e.request.Owner, true
		if value == "" {
			value = e.request.Principal.Account
		}
	}
	switch {
	case ok && value != "":
		e.one[0] = value
		return e.one[:]
	case ok || e.request.Values == nil:
		return nil
	default:
		return e.request.Values(key)
	}
}

// single returns the value of a condition key that has just one.
func (e *evaluation) single(key string) (string, bool) {
	values := e.values(key)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
