package policy

import "strings"

// comparison is what a condition operator compares, and how.
type comparison uint8

const (
	stringEquals comparison = iota
	stringEqualsFold
	stringLike
	numeric
	date
	boolean
	binary
	address
	arnLike
	null
)

// order is which order of numbers and dates satisfies an operator.
type order uint8

const (
	equal order = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// holds reports whether the outcome of a three-way comparison satisfies the operator.
func (o order) holds(compared int) bool {
	switch o {
	case less:
		return compared < 0
	case lessOrEqual:
		return compared <= 0
	case greater:
		return compared > 0
	case greaterOrEqual:
		return compared >= 0
	default:
		return compared == 0
	}
}

// quantifier says which of several values in the request must satisfy an operator.
type quantifier uint8

const (
	// plain: one of them is enough; of a negated operator, none may be equal.
	plain quantifier = iota
	forAllValues
	forAnyValue
)

// operator is a condition operator.
type operator struct {
	comparison comparison
	order      order
	negated    bool
	ifExists   bool
	quantifier quantifier
}

// operators are the condition operators by name. Their names are case-sensitive.
var operators = map[string]operator{
	"StringEquals":              {comparison: stringEquals},
	"StringNotEquals":           {comparison: stringEquals, negated: true},
	"StringEqualsIgnoreCase":    {comparison: stringEqualsFold},
	"StringNotEqualsIgnoreCase": {comparison: stringEqualsFold, negated: true},
	"StringLike":                {comparison: stringLike},
	"StringNotLike":             {comparison: stringLike, negated: true},
	"NumericEquals":             {comparison: numeric},
	"NumericNotEquals":          {comparison: numeric, negated: true},
	"NumericLessThan":           {comparison: numeric, order: less},
	"NumericLessThanEquals":     {comparison: numeric, order: lessOrEqual},
	"NumericGreaterThan":        {comparison: numeric, order: greater},
	"NumericGreaterThanEquals":  {comparison: numeric, order: greaterOrEqual},
	"DateEquals":                {comparison: date},
	"DateNotEquals":             {comparison: date, negated: true},
	"DateLessThan":              {comparison: date, order: less},
	"DateLessThanEquals":        {comparison: date, order: lessOrEqual},
	"DateGreaterThan":           {comparison: date, order: greater},
	"DateGreaterThanEquals":     {comparison: date, order: greaterOrEqual},
	"Bool":                      {comparison: boolean},
	"BinaryEquals":              {comparison: binary},
	"IpAddress":                 {comparison: address},
	"NotIpAddress":              {comparison: address, negated: true},
	"ArnEquals":                 {comparison: arnLike},
	"ArnLike":                   {comparison: arnLike},
	"ArnNotEquals":              {comparison: arnLike, negated: true},
	"ArnNotLike":                {comparison: arnLike, negated: true},
	"Null":                      {comparison: null},
}

// parseOperator reads the name of an operator, such as ForAnyValue:StringLikeIfExists.
func parseOperator(name string) (operator, error) {
	rest, quantified := name, plain
	if set, base, ok := strings.Cut(name, ":"); ok {
		switch rest = base; set {
		case "ForAllValues":
			quantified = forAllValues
		case "ForAnyValue":
			quantified = forAnyValue
		default:
			return operator{}, malformed("Invalid Condition type : %s", name)
		}
	}
	base, ifExists := strings.CutSuffix(rest, "IfExists")
	o, ok := operators[base]
	if !ok || (o.comparison == null && base != name) {
		return operator{}, malformed("Invalid Condition type : %s", name)
	}
	o.ifExists, o.quantifier = ifExists, quantified
	return o, nil
}
