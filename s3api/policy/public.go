package policy

import "strings"

// confining are the condition keys whose fixed values confine a statement to known sources.
var confining = keySet(
	"aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIp",
	"aws:SourceOwner", "aws:SourceVpc", "aws:SourceVpce", "aws:userid", "s3:DataAccessPointAccount",
	"s3:DataAccessPointArn",
)

// The broadest ranges of addresses that do not make a policy public.
const (
	minBits4 = 8
	minBits6 = 32
)

// IsPublic reports whether a bucket policy is public as S3's GetBucketPolicyStatus and Block Public Access mean it: it
// allows everyone something, and no condition holds them to fixed values of their address or origin. Values with
// wildcards or variables, ranges of addresses broader than /8 or, of IPv6, /32, and conditions that a request without
// the key satisfies are not fixed. Statements that deny do not make a policy public, nor less so. A nil Policy is not
// public.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func (p *Policy) IsPublic() bool {
	if p == nil {
		return false
	}
	for i := range p.statements {
		s := &p.statements[i]
		everyone := s.who != nil && (s.who.everyone || s.notWho)
		if !s.deny && everyone && !s.confined() {
			return true
		}
	}
	return false
}

func (s *statement) confined() bool {
	for i := range s.conditions {
		if s.conditions[i].confines() {
			return true
		}
	}
	return false
}

// confines reports whether a condition holds requests to fixed values of a key.
func (c *condition) confines() bool {
	o := c.operator
	if !confining[c.key] || o.negated || o.ifExists || o.quantifier == forAllValues {
		return false
	}
	switch o.comparison {
	case address:
		for _, network := range c.networks {
			if bits := network.Bits(); bits < minBits6 && (bits < minBits4 || !network.Addr().Is4()) {
				return false
			}
		}
		return true
	case stringEquals, stringEqualsFold, stringLike, arnLike:
		for i := range c.texts {
			if !c.fixed(&c.texts[i]) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// fixed reports whether a value is one. The name of an access point may have wildcards, its account may not.
func (c *condition) fixed(t *template) bool {
	if c.key == "s3:dataaccesspointarn" && t.parts == nil {
		head, _, _ := strings.Cut(t.text, ":accesspoint/")
		return strings.Count(head, ":") == arnParts-2 && !strings.HasSuffix(head, ":") && !hasWildcard(head)
	}
	return t.fixed()
}
