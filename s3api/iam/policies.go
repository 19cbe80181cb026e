package iam

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// Policy is a managed identity policy: a document under a name.
type Policy struct {
	Name     string    `json:"name"`
	Document string    `json:"document"`
	Updated  time.Time `json:"updated"`
}

// policyName is what IAM allows: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
var policyName = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,128}$`)

// checkPolicies fails with ErrNoSuchPolicy where a name is neither that of a stored policy nor of a canned one.
func (s *state) checkPolicies(names []string) error {
	for _, name := range names {
		if _, known := policy.Canned(name); s.policies[name] == nil && !known {
			return noSuchPolicy(name)
		}
	}
	return nil
}

func noSuchPolicy(name string) error { return fmt.Errorf("%w: %q", ErrNoSuchPolicy, name) }

// attachedTo returns the names of the users that a policy is attached to, in order.
func (s *state) attachedTo(name string) []string {
	var users []string
	for _, u := range s.users {
		if slices.Contains(u.Policies, name) {
			users = append(users, u.Name)
		}
	}
	slices.Sort(users)
	return users
}

// AttachedTo returns the names of the users that a policy is attached to, in order.
func (d *Directory) AttachedTo(policy string) []string { return d.state.Load().attachedTo(policy) }

// Policies returns the stored policies by name.
func (d *Directory) Policies() []Policy {
	var all []Policy
	for _, p := range d.state.Load().policies {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Policy returns a stored policy, or ErrNoSuchPolicy.
func (d *Directory) Policy(name string) (Policy, error) {
	p := d.state.Load().policies[name]
	if p == nil {
		return Policy{}, noSuchPolicy(name)
	}
	return *p, nil
}

// PolicyCheck decides on a change of a policy, which it is shown as it is: nil where there is none yet. Its error is
// returned, and nothing changes. No other change comes in between.
type PolicyCheck func(*Policy) error

func (s *state) check(name string, checks []PolicyCheck) error {
	for _, check := range checks {
		p := s.policies[name]
		if p != nil {
			shown := *p
			p = &shown
		}
		if err := check(p); err != nil {
			return err
		}
	}
	return nil
}

// PutPolicy stores a policy, or replaces it, for all users that it is attached to. It fails with ErrReserved for the
// name of a canned policy, *InvalidError and *policy.Error.
func (d *Directory) PutPolicy(ctx context.Context, name, document string, checks ...PolicyCheck) (Policy, error) {
	if !policyName.MatchString(name) {
		return Policy{}, &InvalidError{"policy name", "1 to 128 letters, digits and _+=,.@- are allowed"}
	}
	if _, known := policy.Canned(name); known {
		return Policy{}, ErrReserved
	}
	if _, err := policy.CompileIdentity([]byte(document)); err != nil {
		return Policy{}, err
	}
	p := &Policy{Name: name, Document: document, Updated: d.options.Now().UTC().Truncate(time.Millisecond)}
	err := d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		if err := s.check(name, checks); err != nil {
			return nil, err
		}
		s.policies[name] = p
		return []meta.PutRecord{put(policyRecord, name, p)}, nil
	})
	if err != nil {
		return Policy{}, err
	}
	return *p, nil
}

// DeletePolicy removes a policy. It fails with ErrNoSuchPolicy, ErrPolicyInUse, and ErrReserved for a canned one.
func (d *Directory) DeletePolicy(ctx context.Context, name string, checks ...PolicyCheck) error {
	if _, known := policy.Canned(name); known {
		return ErrReserved
	}
	return d.change(ctx, func(s *state) ([]meta.PutRecord, error) {
		if s.policies[name] == nil {
			return nil, noSuchPolicy(name)
		}
		if err := s.check(name, checks); err != nil {
			return nil, err
		}
		if users := s.attachedTo(name); len(users) > 0 {
			return nil, fmt.Errorf("%w to %s", ErrPolicyInUse, strings.Join(users, ", "))
		}
		delete(s.policies, name)
		return []meta.PutRecord{put[Policy](policyRecord, name, nil)}, nil
	})
}
