package policy

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// condition is one key under one operator. The values of the policy are kept in the list that the comparison is made
// with; a binary is kept as text.
type condition struct {
	operator operator
	key      string
	texts    []template
	numbers  []float64
	dates    []time.Time
	bools    []bool
	networks []netip.Prefix
}

// conditions reads a Condition. All of them must hold.
func (c *compiler) conditions(value any) ([]condition, error) {
	block, ok := value.(object)
	if !ok {
		return nil, malformed(msgSyntax)
	}
	var list []condition
	for _, under := range block {
		o, err := parseOperator(under.name)
		if err != nil {
			return nil, err
		}
		keys, ok := under.value.(object)
		if !ok {
			return nil, malformed(msgSyntax)
		}
		seen := map[string]bool{}
		for _, m := range keys {
			read, err := c.condition(o, m)
			if err != nil {
				return nil, err
			}
			if seen[read.key] {
				return nil, malformed("Duplicate field %s", m.name)
			}
			seen[read.key] = true
			list = append(list, read)
		}
	}
	return list, nil
}

func (c *compiler) condition(o operator, m member) (condition, error) {
	read := condition{operator: o, key: canonicalKey(m.name)}
	if !wellFormedKey(read.key) || (!c.identity && !knownKey(read.key)) {
		return read, malformed(msgConditionKey)
	}
	c.mention(read.key)
	values, ok := m.value.([]any)
	if !ok {
		values = []any{m.value}
	}
	for _, value := range values {
		text, ok := scalar(value)
		if !ok {
			return read, malformed(msgSyntax)
		}
		// S3 wants addresses here whatever the operator.
		if _, ok := parseNetwork(text); !ok && !c.identity && read.key == "aws:sourceip" {
			return read, malformed(msgConditionAddress)
		}
		if err := c.addValue(&read, text); err != nil {
			return read, err
		}
	}
	return read, nil
}

// scalar returns the text of a value: IAM takes numbers and booleans for their text.
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		return strconv.FormatBool(value), true
	default:
		return "", false
	}
}

func (c *compiler) addValue(to *condition, text string) error {
	ok := true
	switch to.operator.comparison {
	case stringEquals, stringEqualsFold, stringLike, arnLike:
		wildcards := to.operator.comparison == stringLike || to.operator.comparison == arnLike
		t, err := newTemplate(text, wildcards, c.variables, c.mention)
		if err != nil {
			return err
		}
		to.texts = append(to.texts, t)
	case numeric:
		var n float64
		n, ok = parseNumber(text)
		to.numbers = append(to.numbers, n)
	case date:
		var t time.Time
		t, ok = parseDate(text)
		to.dates = append(to.dates, t)
	case binary:
		b, err := base64.StdEncoding.DecodeString(text)
		ok = err == nil
		to.texts = append(to.texts, template{text: string(b)})
	case address:
		var network netip.Prefix
		if network, ok = parseNetwork(text); !ok {
			return malformed(msgConditionAddress)
		}
		to.networks = append(to.networks, network)
	default: // boolean, null
		var b bool
		b, ok = parseBool(text)
		to.bools = append(to.bools, b)
	}
	if !ok {
		return malformed("Invalid value in Conditions: %s", text)
	}
	return nil
}

// holds reports whether the request satisfies the condition. A key that is missing satisfies negated operators,
// IfExists and ForAllValues, and no other; for ForAllValues an empty value is none.
func (c *condition) holds(e *evaluation) bool {
	values, o := e.values(c.key), c.operator
	if o.comparison == null {
		for _, absent := range c.bools {
			if absent == (len(values) == 0) {
				return true
			}
		}
		return false
	}
	if o.quantifier == forAllValues && len(values) == 1 && values[0] == "" {
		return true
	}
	if len(values) == 0 {
		return o.ifExists || o.quantifier == forAllValues || (o.negated && o.quantifier == plain)
	}
	// Every question is whether there is a value that is, or is not, in the policy's list.
	wanted := o.quantifier != forAllValues
	if o.negated && o.quantifier != plain {
		wanted = !wanted
	}
	found := false
	for _, value := range values {
		if c.lists(e, value) == wanted {
			found = true
			break
		}
	}
	switch o.quantifier {
	case forAllValues:
		return !found
	case forAnyValue:
		return found
	default:
		return found != o.negated
	}
}

// lists reports whether a value of the request compares with one of the policy's as the operator, not negated, says. A
// value that is not of the operator's type, and a variable without value, compare with nothing.
func (c *condition) lists(e *evaluation, value string) bool {
	switch c.operator.comparison {
	case numeric:
		return anyOrdered(c.numbers, value, c.operator.order, parseNumber, cmp.Compare[float64])
	case date:
		return anyOrdered(c.dates, value, c.operator.order, parseDate, time.Time.Compare)
	case boolean:
		return anyOrdered(c.bools, value, equal, parseBool, func(a, b bool) int {
			if a == b {
				return 0
			}
			return 1
		})
	case address:
		ip, err := netip.ParseAddr(value)
		if err != nil {
			return false
		}
		ip = ip.Unmap().WithZone("")
		for _, network := range c.networks {
			if network.Contains(ip) {
				return true
			}
		}
		return false
	default:
		for i := range c.texts {
			text, ok := c.texts[i].expand(e)
			if ok && c.operator.comparison.same(text, value) {
				return true
			}
		}
		return false
	}
}

// same compares a text of the policy with a value of the request.
func (c comparison) same(text, value string) bool {
	switch c {
	case stringLike:
		return match(text, value)
	case arnLike:
		return matchARN(text, value)
	case stringEqualsFold:
		return strings.EqualFold(text, value)
	default:
		return text == value
	}
}

// anyOrdered reports whether a value stands in an order to one of a list.
func anyOrdered[T any](list []T, value string, o order, parse func(string) (T, bool), compare func(a, b T) int) bool {
	v, ok := parse(value)
	if !ok {
		return false
	}
	for _, listed := range list {
		if o.holds(compare(v, listed)) {
			return true
		}
	}
	return false
}
