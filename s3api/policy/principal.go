package policy

import "strings"

// PrincipalKind says what makes a request.
type PrincipalKind uint8

// The kinds of principal.
const (
	// Anonymous is a request without credentials.
	Anonymous PrincipalKind = iota
	// Root is the owner of an account.
	Root
	// User is a user of an account.
	User
	// Session is a role of an account that somebody has assumed for a while.
	Session
)

// Principal is who makes a request. The zero Principal is anonymous.
type Principal struct {
	Kind PrincipalKind
	// Account is the account's id.
	Account string
	// CanonicalID is the account's canonical user id.
	CanonicalID string
	// ARN is arn:aws:iam::ACCOUNT:root, arn:aws:iam::ACCOUNT:user/PATH/NAME, or, of a session, that of its role,
	// arn:aws:iam::ACCOUNT:role/PATH/NAME.
	ARN string
	// SessionARN is arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, of a session only.
	SessionARN string
	// Name is the user's name, without its path; of a user only.
	Name string
	// ID is what aws:userid is: the account's id, the user's unique id, or ROLEID:SESSION.
	ID string
	// Administrator is true for who may do everything in their account unless a policy denies it; Root always may.
	Administrator bool
}

// value returns a condition key that follows from the principal alone. It reports false for all other keys.
func (p *Principal) value(key string) (value string, ok bool) {
	switch key {
	case "aws:principaltype":
		return [...]string{Anonymous: "Anonymous", Root: "Account", User: "User", Session: "AssumedRole"}[p.Kind], true
	case "aws:userid":
		if p.Kind == Anonymous {
			return "anonymous", true
		}
		return p.ID, true
	case "aws:username":
		return p.Name, true
	case "aws:principalarn":
		return p.ARN, true
	case "aws:principalaccount":
		return p.Account, true
	default:
		return "", false
	}
}

// principals are those whom a statement names.
type principals struct {
	everyone  bool
	accounts  []string // ids
	canonical []string // canonical user ids
	arns      []string // users, roles and sessions
}

// strength is how a statement names a principal.
type strength uint8

const (
	unnamed strength = iota
	// viaAccount names the account that the principal belongs to. That lets the account's own policies allow it.
	viaAccount
	// directly names the principal, or everyone.
	directly
)

func (s *principals) names(p *Principal) strength {
	if s.everyone {
		return directly
	}
	if p.Kind == Anonymous {
		return unnamed
	}
	for _, arn := range s.arns {
		if arn == p.ARN || (p.SessionARN != "" && arn == p.SessionARN) {
			return directly
		}
	}
	if contains(s.canonical, p.CanonicalID) {
		return directly // canonical ids are a user's here
	}
	if !contains(s.accounts, p.Account) {
		return unnamed
	}
	if p.Kind == Root {
		return directly
	}
	return viaAccount
}

func contains(list []string, s string) bool {
	for _, element := range list {
		if element == s && s != "" {
			return true
		}
	}
	return false
}

// Resolver finds the principal that a bucket policy names: an account's id, an ARN, or whatever else the caller has
// names for. It returns the account's id or the ARN to compare with, or false where there is no such principal.
type Resolver func(name string) (principal string, ok bool)

// principals reads a Principal or a NotPrincipal.
func (c *compiler) principals(value any) (principals, error) {
	var s principals
	kinds, ok := value.(object)
	if !ok {
		kinds = object{{"AWS", value}}
	}
	if len(kinds) == 0 {
		return s, malformed(msgPrincipal)
	}
	for _, kind := range kinds {
		names, ok := texts(kind.value)
		if !ok || len(names) == 0 {
			return s, malformed(msgPrincipal)
		}
		for _, name := range names {
			if !c.addPrincipal(&s, kind.name, name) {
				return s, malformed(msgPrincipal)
			}
		}
	}
	return s, nil
}

// addPrincipal adds one principal. It reports false where it is none.
func (c *compiler) addPrincipal(s *principals, kind, name string) bool {
	switch kind {
	case "AWS":
		if name == "*" {
			s.everyone = true
			return true
		}
		return c.addAWS(s, name)
	case "CanonicalUser":
		s.canonical = append(s.canonical, name)
	case "Federated", "Service":
		// Nobody signs in to S3 as one of these: they are read, and nobody is meant.
	default:
		return false
	}
	return name != "" && !strings.ContainsAny(name, "*?")
}

func (c *compiler) addAWS(s *principals, name string) bool {
	if c.resolve != nil {
		var ok bool
		if name, ok = c.resolve(name); !ok || name == "" {
			return false
		}
	}
	if account, ok := accountOf(name); ok {
		s.accounts = append(s.accounts, account)
		return c.resolve != nil || accountID(account)
	}
	s.arns = append(s.arns, name)
	return c.resolve != nil || principalARN(name)
}

const iamPrefix, stsPrefix = "arn:aws:iam::", "arn:aws:sts::"

// accountOf returns the account that its id or the ARN of its root names.
func accountOf(name string) (string, bool) {
	if id, ok := strings.CutPrefix(name, iamPrefix); ok {
		id, ok = strings.CutSuffix(id, ":root")
		return id, ok && id != "" && !strings.ContainsAny(id, ":/")
	}
	return name, accountID(name)
}

// accountID reports whether s is the id of an account: twelve digits.
func accountID(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == 12
}

// principalARN reports whether s is the ARN of a user, a role or a session.
func principalARN(s string) bool {
	prefix, types := iamPrefix, []string{"user/", "role/"}
	if strings.HasPrefix(s, stsPrefix) {
		prefix, types = stsPrefix, []string{"assumed-role/", "federated-user/"}
	}
	s, ok := strings.CutPrefix(s, prefix)
	account, name, _ := strings.Cut(s, ":")
	if !ok || !accountID(account) || strings.ContainsAny(name, "*?") {
		return false
	}
	for _, t := range types {
		if strings.HasPrefix(name, t) && len(name) > len(t) {
			return true
		}
	}
	return false
}
