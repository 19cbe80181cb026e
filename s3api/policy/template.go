package policy

import "strings"

// template is text with policy variables in it: ${aws:username}, ${aws:PrincipalTag/team, 'none'}. Without variables it
// is just text. With wildcards, all its text is in the form of a pattern.
type template struct {
	text     string
	parts    []part // nil without variables
	wildcard bool
}

// part is text and the variable that follows it, if key is not empty.
type part struct {
	text     string
	key      string
	fallback string
	hasValue bool // there is a fallback
}

// newTemplate reads the text of a policy. Variables are read only if variables is set: version 2008-10-17 has none, and
// takes ${aws:username} for what it says. It calls mention with every key that a variable names.
func newTemplate(text string, wildcards, variables bool, mention func(string)) (template, error) {
	t := template{wildcard: wildcards}
	if !variables || !strings.Contains(text, "${") {
		t.text = literal(text, wildcards)
		return t, nil
	}
	var run strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		run.WriteString(literal(before, wildcards))
		if !found {
			break
		}
		content, rest, closed := cutVariable(rest)
		if !closed {
			return t, malformed(msgVariable)
		}
		text = rest
		if content == "*" || content == "?" || content == "$" {
			run.WriteString(content)
			continue
		}
		p, ok := parseVariable(content)
		if !ok {
			return t, malformed(msgVariable)
		}
		mention(p.key)
		p.text = run.String()
		run.Reset()
		t.parts = append(t.parts, p)
	}
	if t.parts == nil {
		t.text = run.String()
		return t, nil
	}
	t.parts = append(t.parts, part{text: run.String()})
	return t, nil
}

// literal returns text as a template keeps it.
func literal(text string, wildcards bool) string {
	if wildcards {
		return patternOf(text)
	}
	return text
}

// cutVariable cuts after the brace that closes a variable; one between quotes belongs to a default value.
func cutVariable(s string) (content, rest string, ok bool) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == '}' && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// parseVariable reads what stands between the braces: a condition key and perhaps a default value in quotes.
func parseVariable(content string) (part, bool) {
	name, value, hasValue := strings.Cut(content, ",")
	p := part{key: canonicalKey(strings.TrimSpace(name)), hasValue: hasValue}
	if hasValue {
		value = strings.TrimSpace(value)
		if len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' {
			return p, false
		}
		p.fallback = value[1 : len(value)-1]
	}
	return p, wellFormedKey(p.key) && !strings.ContainsAny(p.key, "${}'")
}

// fixed reports whether the template is one text, whatever the request.
func (t *template) fixed() bool {
	return t.parts == nil && (!t.wildcard || !hasWildcard(t.text))
}

// expand returns the text with the values of the request in place of its variables. It reports false where one has no
// value, or more than one, and no default.
func (t *template) expand(e *evaluation) (string, bool) {
	if t.parts == nil {
		return t.text, true
	}
	var text strings.Builder
	for i := range t.parts {
		p := &t.parts[i]
		text.WriteString(p.text)
		if p.key == "" {
			continue
		}
		value, ok := e.single(p.key)
		switch {
		case !ok && !p.hasValue:
			return "", false
		case !ok:
			value = p.fallback
		case t.wildcard && hasWildcard(value):
			return "", false // not UTF-8, and would be a wildcard here
		}
		text.WriteString(value)
	}
	return text.String(), true
}
