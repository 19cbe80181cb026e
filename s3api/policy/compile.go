package policy

import (
	"errors"
	"slices"
	"strings"
)

// Policy is a document that was read. It never changes, and may be evaluated concurrently.
type Policy struct {
	identity   bool
	statements []statement
	mentions   map[string]bool // condition keys and their families, in the package's form
}

// statement is one rule.
type statement struct {
	sid          string
	deny         bool
	who          *principals // nil in an identity policy: whoever it is attached to
	notWho       bool
	actions      []string // patterns
	notActions   bool
	resources    []resource
	notResources bool
	conditions   []condition
}

// Mentions reports whether the value of a condition key may be asked for, in a condition or a variable. A key that
// takes a tag's name may be given without it: "s3:ExistingObjectTag" is mentioned where s3:ExistingObjectTag/Project
// is. A nil Policy mentions nothing.
func (p *Policy) Mentions(key string) bool {
	if p == nil {
		return false
	}
	key = canonicalKey(key)
	return p.mentions[key] || p.mentions[key+"/"]
}

// Allows reports whether a statement allows an action, on some resource and under some conditions. What other statements deny
// does not count.
func (p *Policy) Allows(action string) bool {
	action = lowerAction(action)
	for i := range p.statements {
		if s := &p.statements[i]; !s.deny && s.appliesToAction(action) {
			return true
		}
	}
	return false
}

// CompileBucket reads the policy of a bucket. It refuses, with an *Error, what S3 refuses: resources of other buckets,
// actions that S3 does not have or that apply to none of a statement's resources, condition keys that S3 does not have
// or that the actions do not have, and principals that resolve does not know. A nil resolve takes every account id and
// every ARN of a root, user, role or session that is well formed, and nothing else.
func CompileBucket(document []byte, bucket string, resolve Resolver) (*Policy, error) {
	c := compiler{bucket: bucket, resolve: resolve}
	return c.compile(document, MaxBucketBytes)
}

// CompileIdentity reads a policy that is attached to a user, a group or a role. It refuses, with an *Error, what is not
// well formed; actions, resources and condition keys may be those of any service.
func CompileIdentity(document []byte) (*Policy, error) {
	c := compiler{identity: true}
	return c.compile(document, MaxIdentityBytes)
}

// compiler reads one document.
type compiler struct {
	identity  bool
	bucket    string
	resolve   Resolver
	variables bool // the document's version has them
	policy    Policy
}

func (c *compiler) mention(key string) {
	c.policy.mentions[key] = true
	c.policy.mentions[keyFamily(key)] = true
}

func (c *compiler) compile(document []byte, maxBytes int) (*Policy, error) {
	top, err := readDocument(document, maxBytes)
	if err != nil {
		return nil, err
	}
	c.policy.identity, c.policy.mentions = c.identity, map[string]bool{}
	var rules any
	for _, m := range top {
		text, isText := m.value.(string)
		switch m.name {
		case "Version":
			if text != "2012-10-17" && text != "2008-10-17" {
				return nil, malformed(msgVersion)
			}
			c.variables = text == "2012-10-17"
		case "Id":
			if !isText {
				return nil, malformed(msgSyntax)
			}
		case "Statement":
			rules = m.value
		default:
			return nil, malformed("Unknown field %s", m.name)
		}
	}
	if err := c.statements(rules); err != nil {
		return nil, err
	}
	p := c.policy // the rest of the compiler is done with
	return &p, nil
}

func (c *compiler) statements(rules any) error {
	var list []any
	switch rules := rules.(type) {
	case nil:
		return missing("Statement")
	case object:
		list = []any{rules}
	case []any:
		list = rules
	default:
		return malformed(msgSyntax)
	}
	if len(list) == 0 {
		return malformed(msgEmptyStatement)
	}
	sids := map[string]bool{}
	for i, rule := range list {
		s, err := c.statement(rule)
		if err == nil && c.identity && sids[s.sid] {
			err = malformed("Statement IDs (SID) in a single policy must be unique.")
		}
		if err != nil {
			var e *Error
			if errors.As(err, &e) {
				e.Statement = i
			}
			return err
		}
		sids[s.sid] = s.sid != ""
		c.policy.statements = append(c.policy.statements, s)
	}
	return nil
}

// statement reads a rule in the order in which S3 finds fault with it.
func (c *compiler) statement(rule any) (statement, error) {
	var s statement
	members, ok := rule.(object)
	if !ok {
		return s, malformed(msgSyntax)
	}
	fields := map[string]any{}
	for _, m := range members {
		switch m.name {
		case "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition":
			fields[m.name] = m.value
		default:
			return s, malformed("Unknown field %s", m.name)
		}
	}
	for _, read := range []func(*statement, map[string]any) error{
		readSid, readEffect, c.readPrincipal, c.readAction, c.readResource, c.readCondition,
	} {
		if err := read(&s, fields); err != nil {
			return s, err
		}
	}
	if c.identity {
		return s, nil
	}
	return s, s.check()
}

func readSid(s *statement, fields map[string]any) error {
	sid, given := fields["Sid"]
	if s.sid, _ = sid.(string); given && s.sid == "" && sid != "" {
		return malformed(msgSyntax)
	}
	return nil
}

func readEffect(s *statement, fields map[string]any) error {
	value, given := fields["Effect"]
	if !given {
		return missing("Effect")
	}
	effect, ok := value.(string)
	switch {
	case !ok:
		return malformed(msgSyntax)
	case effect != "Allow" && effect != "Deny":
		return malformed("Invalid effect: %s", effect)
	}
	s.deny = effect == "Deny"
	return nil
}

func (c *compiler) readPrincipal(s *statement, fields map[string]any) error {
	value, negated, err := oneOf(fields, "Principal")
	switch {
	case c.identity && (err != nil || value != nil):
		return malformed(msgIdentityPrincipal)
	case c.identity:
		return nil
	case err != nil:
		return err
	case value == nil:
		return missing("Principal")
	}
	who, err := c.principals(value)
	s.who, s.notWho = &who, negated
	return err
}

func (c *compiler) readAction(s *statement, fields map[string]any) error {
	value, negated, err := oneOf(fields, "Action")
	if err != nil {
		return err
	}
	if value == nil {
		return missing("Action")
	}
	names, ok := texts(value)
	if !ok || len(names) == 0 {
		return malformed(msgAction)
	}
	s.notActions = negated
	for _, name := range names {
		pattern, err := c.actionPattern(name)
		if err != nil {
			return err
		}
		s.actions = append(s.actions, pattern)
	}
	return nil
}

func (c *compiler) readResource(s *statement, fields map[string]any) error {
	value, negated, err := oneOf(fields, "Resource")
	if err != nil {
		return err
	}
	if value == nil && c.identity && s.hasNoResources() {
		value = "*"
	}
	if value == nil {
		return missing("Resource")
	}
	names, ok := texts(value)
	if !ok || len(names) == 0 {
		return malformed(msgResource)
	}
	s.notResources = negated
	for _, name := range names {
		r, err := c.resource(name)
		if err != nil {
			return err
		}
		s.resources = append(s.resources, r)
	}
	return nil
}

// hasNoResources reports whether the actions are all of services that have no resources: those of MinIO beside S3, whose
// policies name none.
func (s *statement) hasNoResources() bool {
	return !s.notActions && !slices.ContainsFunc(s.actions, func(pattern string) bool {
		service, _, _ := strings.Cut(pattern, ":")
		return service != "admin" && service != "kms" && service != "sts"
	})
}

func (c *compiler) readCondition(s *statement, fields map[string]any) (err error) {
	if value, given := fields["Condition"]; given {
		s.conditions, err = c.conditions(value)
	}
	return err
}

// oneOf returns the value of a field or of its negation; a null is a field that is given, and wrong.
func oneOf(fields map[string]any, name string) (value any, negated bool, err error) {
	value, given := fields[name]
	other, negated := fields["Not"+name]
	if given && negated {
		return nil, false, both(name)
	}
	if negated {
		value, given = other, true
	}
	if given && value == nil {
		value = false
	}
	return value, negated, nil
}

// check holds a bucket policy's statement to what its actions apply to. Exceptions (NotAction, NotResource) stand for
// so much that something always applies.
func (s *statement) check() error {
	if s.notActions {
		return nil
	}
	families := map[string]bool{}
	for i := range s.conditions {
		families[keyFamily(s.conditions[i].key)] = true
	}
	for _, pattern := range s.actions {
		for family := range families {
			if !keyApplies(family, pattern) {
				return malformed(msgConditionAction)
			}
		}
		if !s.notResources && !covers(pattern, s.hasResourceFor) {
			return malformed(msgActionResource)
		}
	}
	return nil
}

// hasResourceFor reports whether an action can be done to one of the resources.
func (s *statement) hasResourceFor(a action) bool {
	for i := range s.resources {
		if s.resources[i].resourceType() == a.resource {
			return true
		}
	}
	return false
}

// names reports how the statement names a principal.
func (s *statement) names(p *Principal) strength {
	if s.who == nil {
		return directly
	}
	named := s.who.names(p)
	if !s.notWho {
		return named
	}
	if named == directly {
		return unnamed
	}
	return directly
}

// applies reports whether the statement, which names the request's principal, is about the request.
func (s *statement) applies(e *evaluation) bool {
	return s.appliesToAction(e.action) && s.appliesToResource(e) && s.conditionsHold(e)
}

func (s *statement) appliesToAction(action string) bool {
	for _, pattern := range s.actions {
		if match(pattern, action) {
			return !s.notActions
		}
	}
	return s.notActions
}

// appliesToResource reports whether the request is for what the statement is about. A variable without value makes a
// Resource match nothing; in a NotResource it makes the statement apply to nothing.
func (s *statement) appliesToResource(e *evaluation) bool {
	for i := range s.resources {
		matched, known := s.resources[i].matches(e)
		if matched || (s.notResources && !known) {
			return matched && !s.notResources
		}
	}
	return s.notResources
}

func (s *statement) conditionsHold(e *evaluation) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(e) {
			return false
		}
	}
	return true
}
